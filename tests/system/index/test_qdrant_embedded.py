"""Test what a killed process leaves behind, and that processes share one index."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.gunicorn_process import inherited_environment
from ragbot.config import PROJECT_ROOT
from ragbot.index.kept_indexes import PREFIX
from ragbot.index.qdrant_embedded import FOLDER_PREFIX, QdrantEmbeddedStore
from tests.conftest import THREE_CHAPTERS
from tests.fakes.editions import MadeEdition, Shelf, made_edition
from tests.fakes.parts import WordCountEmbedder

HOLDER = """
import sys
from pathlib import Path
from ragbot.index.qdrant_embedded import QdrantEmbeddedStore
from tests.fakes.editions import Shelf, made_edition
from tests.fakes.parts import WordCountEmbedder

made = made_edition(Path(sys.argv[1]), "first", WordCountEmbedder())

def points(facts):
    yield made.points[0]
    if sys.argv[3] == "building":
        print("ready", flush=True)
        sys.stdin.read()
    yield from made.points[1:]

store = QdrantEmbeddedStore(Path(sys.argv[2]), points)
store.prepare(made.facts)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(folder: Path, state: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that builds an index below the folder, or has it open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(THREE_CHAPTERS), str(folder), state],
        cwd=PROJECT_ROOT,
        env=inherited_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"ready\n"
        try:
            yield other
        finally:
            other.kill()


@pytest.fixture(scope="module")
def first() -> MadeEdition:
    return made_edition(THREE_CHAPTERS, "first", WordCountEmbedder())


def test_process_that_is_killed_while_it_builds_leaves_nothing_and_stops_nobody(
    tmp_path: Path, first: MadeEdition
) -> None:
    """Its lock goes with it; the half-built folder goes with the next build."""
    folder = tmp_path / "index"
    with other_process(folder, "building") as other:
        half_built = list(folder.glob(f"{FOLDER_PREFIX}*"))
        kept = list(folder.glob(f"{PREFIX}*"))
        other.kill()
    store = QdrantEmbeddedStore(folder, Shelf([first]).load_points)

    store.prepare(first.facts)

    assert (len(half_built), kept) == (1, [])
    assert list(folder.glob(f"{FOLDER_PREFIX}*")) == []
    assert store.count(first.facts) == 3


def test_processes_search_one_index_at_the_same_time(tmp_path: Path, first: MadeEdition) -> None:
    """Each worker once had an index of its own, in memory and on the disk."""
    folder = tmp_path / "index"
    shelf = Shelf([first])
    with other_process(folder, "open"):
        store = QdrantEmbeddedStore(folder, shelf.load_points)
        store.build(replace(first.facts, key="later"), first.points)

        assert store.count(first.facts) == 3
        assert shelf.asked_for == []
        assert len(list(folder.glob(f"{PREFIX}*"))) == 2
