"""Test hostile books: a clear sentence for each, in little time and memory, nothing fetched or written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ragbot.books import files
from ragbot.books.files import BookFolder
from ragbot.books.loader import load_book
from ragbot.config import PROJECT_ROOT
from ragbot.core.errors import BookError, FileUnreadable
from tests.system.safety.hostile_books import BOOKS, SECRET

# Of processor time; a machine that is busy with other tests takes longer by the clock.
SECONDS = 10
MEGABYTES = 600

# What a sentence for the operator looks like: it ends, and shows no exception's name for what we foresee.
SENTENCE = re.compile(r"[A-Z][^\n]{8,400}[.)]\Z")

Outcomes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Return each book read in a process of its own, with limits and without leave to do anything else."""
    root = tmp_path_factory.mktemp("books")
    for name, write_book in BOOKS.items():
        (root / name).mkdir()
        write_book(root / name)
    before = everything_in(root)
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.safety.confined_reading", *(str(root / name) for name in BOOKS)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert everything_in(root) == before
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(outcome["book"]).name: outcome for outcome in told}


def everything_in(root: Path) -> set[str]:
    return {str(path) for path in root.glob("*/*")} | {str(path) for path in root.glob("*")}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BOOKS)
def test_hostile_book_is_read_or_refused_within_limits(name: str, outcomes: Outcomes) -> None:
    """Whoever lets others write his book must not lose the service to one of its files."""
    outcome = outcomes[name]

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


@pytest.mark.timeout(300)
def test_good_pages_beside_the_bad_ones_are_read(outcomes: Outcomes) -> None:
    """One bad file never fails the book."""
    beside = {name for name in BOOKS if name.startswith(("md_", "mdx_", "pdf_", "epub_"))}

    lost = {name for name in beside if not any(path.startswith("good.") for path in outcomes[name]["pages"])}

    assert lost == set()


@pytest.mark.timeout(300)
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
def test_what_is_wrong_is_said_of_the_file(name: str, path: str, said: str, outcomes: Outcomes) -> None:
    """The author can mend what is named."""
    found = [reason for skipped, reason in outcomes[name]["skipped"] if skipped == path]

    assert [reason for reason in found if said in reason]


def test_folder_that_the_configuration_names_outside_is_not_even_listed(tmp_path: Path) -> None:
    """Names of files tell something, too."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text("# Secret")
    (tmp_path / "book").mkdir()

    folder = BookFolder(tmp_path / "book")

    assert folder.files(frozenset({".md"}), "../outside") == []
    assert [skipped.path for skipped in folder.skipped] == ["../outside"]


def test_file_that_became_a_pipe_meanwhile_does_not_make_the_reader_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and its opening, whoever writes the folder may be quicker."""
    (tmp_path / "a.md").write_text("# A")
    real = files.stat.S_ISREG

    def changed_after_the_look(mode: int) -> bool:
        (tmp_path / "a.md").unlink()
        os.mkfifo(tmp_path / "a.md")
        return real(mode)

    monkeypatch.setattr(files.stat, "S_ISREG", changed_after_the_look)

    assert BookFolder(tmp_path).read_bytes("a.md") == b""


def test_file_that_grows_while_it_is_read_fills_no_memory(tmp_path: Path) -> None:
    """Its size was looked at before."""
    (tmp_path / "a.md").write_bytes(b"a" * 1_000)
    folder = BookFolder(tmp_path, max_file_bytes=10_000)
    with (tmp_path / "a.md").open("r+b") as grown:
        grown.truncate(9_000)
    tracemalloc.start()

    content = folder.read_bytes("a.md")

    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert len(content) == 9_000


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/null"])
def test_book_that_is_a_device_is_refused(name: str, tmp_path: Path) -> None:
    """The path of a book is typed by hand, or comes from a job."""
    if name == "pipe":
        os.mkfifo(tmp_path / name)

    with pytest.raises(BookError):
        load_book(tmp_path / name)


def test_unreadable_is_what_readers_say_of_too_many_lines() -> None:
    """`read_each` skips what is unreadable, and a limit is no reason to fail the book."""
    assert issubclass(FileUnreadable, BookError)
