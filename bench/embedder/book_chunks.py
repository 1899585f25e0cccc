"""Write the chunks of the books and the questions about them as examples for the training of the embedder.

usage: python -m bench.embedder.book_chunks FOLDER > BOOKS.jsonl

FOLDER has a database NAME.db for each book of `bench/cross_encoder/questions`, as for
`bench.cross_encoder.book_examples`; no vectors are needed in them. A line for each book: `name`, `chunks`
(the `text` that is embedded, and the `spans` of its units in it), and `questions` (the `question`, and the
`places` that answer it, best first, each a chunk's number and that of a unit in it).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.cross_encoder.book_examples import Place, opened_books, read_questions
from ragbot.bootstrap import passage_reader
from ragbot.providers.sentence_vectors import spans_of
from ragbot.services import Services


def main() -> int:
    """Print a book a line."""
    for path, services in opened_books(Path(sys.argv[1]), embedder="none"):
        book = {"name": path.stem} | book_of(services, path)
        print(json.dumps(book))
        print(
            f"{path.stem}: {len(book['chunks'])} chunks, {len(book['questions'])} questions", file=sys.stderr
        )
    return 0


def book_of(services: Services, questions: Path) -> dict[str, Any]:
    """Return a book's chunks, and the questions that it answers and whose places are known."""
    edition = services.published.current()
    reader = passage_reader()
    chunks: list[dict[str, Any]] = []
    known: dict[Place, tuple[int, int]] = {}
    for number, stored in enumerate(services.editions.stored_chunks(edition)):
        chunk = stored.chunk
        units = reader.read(chunk, edition.language).units
        spans = spans_of(chunk.search_text, [one.unit.words for one in units])
        chunks.append({"text": chunk.search_text, "spans": spans})
        for index, one in enumerate(units):
            known.setdefault((chunk.path, chunk.start + one.unit.start), (number, index))
    rows = []
    for question in read_questions(questions):
        places = [known[place] for place in question.places if place in known]
        if question.is_answered and places:
            rows.append({"question": question.text, "places": places})
    return {"chunks": chunks, "questions": rows}


if __name__ == "__main__":
    raise SystemExit(main())
