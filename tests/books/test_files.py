"""Read files of a book's folder, whatever their writer does meanwhile."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from ragbot.books import files
from ragbot.books.files import BookFolder
from ragbot.books.loader import load_book
from ragbot.core.errors import BookError, FileUnreadable


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
