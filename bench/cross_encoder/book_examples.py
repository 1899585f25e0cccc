"""Write the questions of sets about books as examples for the training of the cross-encoder.

usage: python -m bench.cross_encoder.book_examples DATABASE_URL=QUESTIONS.jsonl ... > BOOKS.jsonl

The databases are those of `bench.fit_answers`. The texts are units that the search and the shipped weights
find: those that stand in the gold quote, and the best others.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from bench.fit_answers import Asked, questions_of, ranked, read_units
from ragbot.answering import reranking
from ragbot.bootstrap import passage_reader
from ragbot.providers.extractive import scoring
from ragbot.providers.extractive.generator import scored_text
from ragbot.providers.extractive.reading import PassageReader

# Of each question's units: those that answer, and the best of those that do not.
RIGHT, WRONG = 2, 7


def main() -> int:
    """Print an example a line."""
    reader = passage_reader()
    for book in sys.argv[1:]:
        url, _, questions = book.rpartition("=")
        for one in questions_of(url, Path(questions), reader):
            _print_examples(one, reader)
    return 0


def _print_examples(one: Asked, reader: PassageReader) -> None:
    passages = ranked(one, np.array(reranking.WEIGHTS))
    units = read_units(one, passages, reader)
    if not units.candidates:
        return
    order = np.argsort(-(units.features @ np.array(scoring.UNIT_WEIGHTS[1])), kind="stable")
    texts = [scored_text(passages[c.passage].chunk, c.read) for c in units.candidates]
    wrong = [texts[place] for place in order if not units.right[place]][:WRONG]
    for place in [place for place in order if units.right[place]][:RIGHT] if wrong else []:
        example = {"question": one.row.question, "place": "", "right": texts[place], "wrong": wrong}
        print(json.dumps(example))


if __name__ == "__main__":
    raise SystemExit(main())
