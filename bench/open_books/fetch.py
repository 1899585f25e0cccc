"""Fetch the open books of `questions/`, and write question sets for `flask eval` from them.

usage: python -m bench.open_books.fetch FOLDER [NAME ...]

Writes the pages of each book, as they were when the questions were written, into FOLDER/NAME, and its set
into FOLDER/NAME.jsonl. Needs `git` and the network. README.md says how to go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.cross_encoder.book_pages import pages_of

HERE = Path(__file__).parent


def main() -> int:
    """Fetch all books, or those that are named."""
    books: dict[str, Any] = json.loads((HERE / "books.json").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(books))
    given = parser.parse_args()
    folder: Path = given.folder
    if unknown := set(given.names) - books.keys():
        parser.error(f"no book is named {', '.join(sorted(unknown))}")
    for name in given.names or books:
        book = books[name]
        texts = {}
        for page, text in pages_of(book["repository"], book["commit"], book["pages"], below=book["folder"]):
            target = folder / name / page
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
            texts[page] = text.decode()
        rows = (HERE / "questions" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        lines = [json.dumps(set_row(json.loads(row), texts), ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(texts)} pages, {len(lines)} questions", file=sys.stderr)
    return 0


def set_row(row: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a line of `questions/` for a question set, with the words that stand at its places."""
    gold = [
        {"path": page, "heading": heading, "quote": texts[page][start:end]}
        for page, heading, start, end in row["gold"]
    ]
    return {**row, "gold": gold, "evidence": [texts[page][start:end] for page, start, end in row["evidence"]]}


if __name__ == "__main__":
    raise SystemExit(main())
