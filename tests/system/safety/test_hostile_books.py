"""Read hostile books: a clear line for each, in little time and memory, nothing fetched or written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragbot.config import PROJECT_ROOT
from tests.system.safety.hostile_books import BOOKS, SECRET

# Of processor time; a machine that is busy with other tests takes longer by the clock.
SECONDS = 10
MEGABYTES = 600

# What a sentence for the operator looks like: it ends, and shows no exception's name for what we foresee.
SENTENCE = re.compile(r"[A-Z][^\n]{8,400}[.)]\Z")

# What has a page beside the bad file, which is read whatever the bad one does.
WITH_A_GOOD_PAGE = [name for name in BOOKS if name.startswith(("md_", "mdx_", "pdf_", "epub_"))]

Outcome = dict[str, Any]


class ConfinedReader:
    """Read hostile books in processes with limits, each when it is first asked for."""

    def __init__(self, root: Path, process: subprocess.Popen[str]) -> None:
        self._root = root
        self._process = process
        self._outcomes: dict[str, Outcome] = {}

    def read(self, name: str) -> Outcome:
        """Write the book of that name, read it, and return what came of it."""
        if name not in self._outcomes:
            self._outcomes[name] = self._read_once(name)
        return self._outcomes[name]

    def _read_once(self, name: str) -> Outcome:
        (self._root / name).mkdir()
        BOOKS[name](self._root / name)
        before = everything_in(self._root, name)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{self._root / name}\n")
        self._process.stdin.flush()
        outcome: Outcome = json.loads(self._process.stdout.readline())
        assert everything_in(self._root, name) == before
        return outcome


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfinedReader]:
    """Start the process that forks one for each book."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.system.safety.confined_reading"],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield ConfinedReader(tmp_path_factory.mktemp("books"), process)
        # One that hangs has a child that hangs.
        os.killpg(process.pid, signal.SIGKILL)


def everything_in(root: Path, name: str) -> set[str]:
    """List what lies beside the book and in its folder."""
    return {str(path) for path in root.glob(f"{name}/*")} | {str(path) for path in root.glob("*")}


@pytest.mark.parametrize("name", BOOKS)
def test_hostile_book_is_read_or_refused_within_limits(name: str, reader: ConfinedReader) -> None:
    """Whoever lets others write his book must not lose the service to one of its files."""
    outcome = reader.read(name)

    assert outcome["kind"] in ("Book", "BookError"), outcome
    assert outcome["seconds"] < SECONDS
    assert outcome["peak_mb"] < MEGABYTES
    assert SECRET not in json.dumps(outcome)
    assert "root:" not in json.dumps(outcome)
    if outcome["kind"] == "BookError":
        assert outcome["error"].endswith(".")
        return
    reasons = [reason for _, reason in outcome["skipped"]]
    assert outcome["verbatim"]
    assert outcome["largest_chunk_tokens"] <= 700
    assert [reason for reason in reasons if not SENTENCE.fullmatch(reason)] == []
    assert len({(path, reason) for path, reason in outcome["skipped"]}) == len(reasons)


@pytest.mark.parametrize("name", WITH_A_GOOD_PAGE)
def test_good_page_beside_a_bad_one_is_read(name: str, reader: ConfinedReader) -> None:
    """One bad file never fails the book."""
    outcome = reader.read(name)

    assert [path for path in outcome["pages"] if path.startswith("good.")]


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("links_out", "a.md", "leads out of the book's folder"),
        ("links_out", "b", "such links are not followed"),
        ("links_out", "c.md", "leads out of the book's folder"),
        ("links_out", "d.md", "leads out of the book's folder"),
        ("links_out", "g.md", "leads nowhere"),
        ("links_out", "h", "such links are not followed"),
        ("pipes_and_sockets", "pipe.md", "not a regular file"),
        ("pipes_and_sockets", "socket.md", "not a regular file"),
        ("too_large", "hole.md", "1,099,511,627,776 bytes"),
        ("names", "a\\x1b[2Jb.md", "characters that cannot be displayed"),
        ("encodings", "utf-16.md", "UTF-16"),
        ("encodings", "latin-1.md", "not valid UTF-8"),
        ("encodings", "gzip.md", "gzip"),
        ("md_blank_lines", "bad.md", "more than 75,000 lines"),
        ("include_loops", "src/self.md", "includes itself"),
        ("includes_without_end", "src/nothing.md", "more than 1,000 of them"),
        ("includes_without_end", "src/much.md", "more than 1,000,000 characters"),
        ("includes_from_outside", "src/a.md", "outside of the book"),
        ("endless_summary", "src/SUMMARY.md", "more than 10,000 chapters"),
        ("dotted_toml", "book.toml", "more than 100 dots"),
        ("large_toml", "book.toml", "more than 200,000 characters"),
        ("toml_number", "book.toml", "not valid TOML"),
        ("md_category_no_number", "bad/_category_.yml", "not valid YAML"),
        ("md_category_long", "bad/_category_.yml", "more than 20,000 characters"),
        ("md_index_of_too_many_lines", "bad/index.md", "more than 75,000 lines"),
        ("html_nested_div", "bad.html", "more than 1,000 deep"),
        ("html_different_attributes", "bad.html", "more than 1,000 attributes"),
        ("html_quoted_attributes", "bad.html", "takes much longer to parse"),
        ("html_options", "bad.html", "more than 10,000 options"),
        ("html_open_marks", "bad.html", "more than 100 bold or other marks"),
        ("html_nested_in_quotes", "bad.html", "takes much longer to parse"),
        ("html_index_that_is_none", "index.html", "not valid UTF-8"),
        ("html_wide_table", "bad.html", "more empty cells"),
        ("epub_bomb", "bad.epub/0.xhtml", "the limit is 5,000,000"),
        ("epub_of_overlapping_entries", "bad.epub/7.xhtml", "as only zip bombs do"),
        ("epub_of_a_million_entries", "bad.epub", "more than 20,000 entries"),
        ("epub_entities", "bad.epub", "as only attacks do"),
        ("epub_entities_of_files", "bad.epub", "as only attacks do"),
    ],
)
def test_what_is_wrong_is_said_of_the_file(name: str, path: str, said: str, reader: ConfinedReader) -> None:
    """The author can mend what is named."""
    found = [reason for skipped, reason in reader.read(name)["skipped"] if skipped == path]

    assert [reason for reason in found if said in reason]
