"""Fetch the pages of the open books that the training questions are about.

usage: python -m bench.cross_encoder.book_pages FOLDER [NAME ...]

Writes the pages of each book of `books.json`, as they were when the questions were written, into FOLDER/NAME.
All are in one folder, so that no generator's rules for chapters matter. Needs `git`, and `asciidoctor` for
two of the books.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

BOOKS = Path(__file__).parent / "books.json"
# Names of Markdown that a generator gives endings of its own.
_MARKDOWN = {".mdx", ".qmd", ".Rmd", ".erb"}


def main() -> int:
    """Fetch all books, or those that are named."""
    folder = Path(sys.argv[1])
    books: dict[str, Any] = json.loads(BOOKS.read_text(encoding="utf-8"))
    for name in sys.argv[2:] or books:
        fetch(books[name], folder / name)
        print(f"{name}: {len(books[name]['pages'])} pages", file=sys.stderr)
    return 0


def fetch(book: dict[str, Any], folder: Path) -> None:
    """Write the pages of a book's commit. Raises CalledProcessError if it cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    for page, text in pages_of(book["repository"], book["commit"], book["pages"]):
        write_page(folder, page, text)


def pages_of(
    repository: str, commit: str, pages: Sequence[str], *, below: str = ""
) -> Iterator[tuple[str, bytes]]:
    """Yield pages of a commit, named as in a folder of it. Raises CalledProcessError if it cannot be had."""
    with tempfile.TemporaryDirectory() as copy:

        def git(*arguments: str) -> bytes:
            return subprocess.run(["git", "-C", copy, *arguments], check=True, stdout=subprocess.PIPE).stdout

        git("init", "--quiet")
        git("fetch", "--quiet", "--depth", "1", repository, commit)
        for page in pages:
            yield page, git("show", f"{commit}:{PurePosixPath(below) / page}")


def write_page(folder: Path, page: str, text: bytes) -> None:
    """Write a page under its name in the book's folder; AsciiDoc becomes HTML."""
    path = PurePosixPath(page)
    name = str(path.with_suffix("")).replace("/", "--").lstrip("_.-")
    target = folder / f"{name}{'.md' if path.suffix in _MARKDOWN else path.suffix}"
    target.write_bytes(text)
    if path.suffix in (".adoc", ".asciidoc"):
        subprocess.run(["asciidoctor", "-q", "-o", str(folder / f"{name}.html"), str(target)], check=True)
        target.unlink()


if __name__ == "__main__":
    raise SystemExit(main())
