"""Write the questions about books as examples for the training of the cross-encoder.

usage: python -m bench.cross_encoder.book_examples FOLDER > BOOKS.jsonl

FOLDER has a database NAME.db for each book of `questions/`, made of the pages that
`bench.cross_encoder.book_pages` fetched. The texts of an example are units of the book: those in which the
answer stands, and the best of the others that the search and the shipped weights find. So the model learns to
choose among the units that it is shown when a reader asks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.fit_answers import passages_for, ranked, read_units, sentences_of
from ragbot import create_app
from ragbot.answering import reranking
from ragbot.answering.question_set import Row
from ragbot.bootstrap import passage_reader
from ragbot.providers.extractive import scoring
from ragbot.providers.extractive.generator import scored_text
from ragbot.providers.extractive.reading import PassageReader
from ragbot.services import EXTENSION, Services

QUESTIONS = Path(__file__).parent / "questions"
# Of each question's best units so many that do not answer.
WRONG = 20
# A page, and the first character of a unit in it.
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """Hold a question and the places of the units that answer it, best first.

    Of a near miss, which the book does not answer, they are those that look most like an answer.
    """

    text: str
    is_answered: bool
    places: tuple[Place, ...]


def main() -> int:
    """Print an example a line."""
    reader = passage_reader()
    for path, services in opened_books(Path(sys.argv[1]), embedder="local"):
        found = list(examples_of(services, read_questions(path), reader))
        for example in found:
            print(json.dumps(example))
        print(f"{path.stem}: {len(found)} examples", file=sys.stderr)
    return 0


def opened_books(folder: Path, *, embedder: str) -> Iterator[tuple[Path, Services]]:
    """Yield each file of `questions/`, with the services on its book's database in a folder."""
    for path in sorted(QUESTIONS.glob("*.jsonl")):
        database = folder.resolve() / f"{path.stem}.db"
        app = create_app(
            {"DATABASE_URL": f"sqlite:///{database}", "EMBEDDER": embedder, "ENVIRONMENT": "testing"}
        )
        yield path, app.extensions[EXTENSION]


def read_questions(path: Path) -> list[Question]:
    """Read a file of `questions/`, whose README describes a line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Question(
            question,
            "right" in row,
            tuple((page, start) for page, start, _ in row.get("right") or row["near"]),
        )
        for row in rows
        for question in row["questions"]
    ]


def examples_of(
    services: Services, questions: list[Question], reader: PassageReader
) -> Iterator[dict[str, Any]]:
    """Yield the examples of a book's questions."""
    edition = services.published.current()
    texts: dict[Place, str] = {}
    for stored in services.editions.stored_chunks(edition):
        chunk = stored.chunk
        for unit in reader.read(chunk, edition.language).units:
            texts[chunk.path, chunk.start + unit.unit.start] = scored_text(chunk, unit)
    analyzer, sentences = services.retriever.analyzer(edition), sentences_of(services, edition)
    for question in questions:
        meant = dict.fromkeys(texts[place] for place in question.places if place in texts)
        if not meant:
            continue
        row = Row(id="", kind="", question=question.text, gold=())
        one = passages_for(services, edition, analyzer, row, reader, sentences, book="")
        passages = ranked(one, np.array(reranking.CLOSEST_WEIGHTS))
        units = read_units(one, passages, reader)
        best = np.argsort(-(units.features @ np.array(scoring.UNIT_WEIGHTS[1])), kind="stable")
        shown = [units.candidates[place] for place in best]
        others = dict.fromkeys(scored_text(passages[each.passage].chunk, each.read) for each in shown)
        wrong = [text for text in others if text not in meant][:WRONG]
        right = [*meant] if question.is_answered else []
        if not right and wrong:
            wrong = [*meant, *wrong][:WRONG]
        if wrong:
            yield {"question": question.text, "place": "", "right": right, "wrong": wrong}


if __name__ == "__main__":
    raise SystemExit(main())
