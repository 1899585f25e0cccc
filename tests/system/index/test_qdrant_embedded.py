"""Test that the index folder of a killed process is deleted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from harness.gunicorn_process import inherited_environment
from ragbot.config import PROJECT_ROOT
from ragbot.index.qdrant_embedded import QdrantEmbeddedStore
from tests.conftest import THREE_CHAPTERS
from tests.fakes.editions import Shelf, made_edition
from tests.fakes.parts import WordCountEmbedder

HOLDER = """
import sys
from pathlib import Path
from ragbot.index.qdrant_embedded import QdrantEmbeddedStore
from tests.fakes.editions import Shelf, made_edition

made = made_edition(Path(sys.argv[1]), "first")
store = QdrantEmbeddedStore(Path(sys.argv[2]), Shelf([made]).load_points)
store.prepare(made.facts)
print("ready", flush=True)
sys.stdin.read()
"""


def test_folder_of_a_killed_process_is_swept_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    """After a crash nobody else cleans up; and a neighbour's index is in use."""
    first = made_edition(THREE_CHAPTERS, "first", WordCountEmbedder())
    folder = tmp_path / "index"
    store = QdrantEmbeddedStore(folder, Shelf([first]).load_points)
    store.build(first.facts, first.points)
    (ours,) = folder.iterdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(THREE_CHAPTERS), str(folder)],
        cwd=PROJECT_ROOT,
        env=inherited_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"ready\n"
        while_it_lived = set(folder.iterdir())
        other.kill()
    store.build(replace(first.facts, key="later"), first.points)

    (theirs,) = while_it_lived - {ours}
    assert ours.exists()
    assert not theirs.exists()
    assert store.count(first.facts) == 3
