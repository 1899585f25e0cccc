"""Fit the weights of `ragbot.providers.extractive.scoring` on books with question sets.

usage: python -m bench.fit_evidence DATABASE_URL=QUESTIONS.jsonl ... [--wrongly 0.06]

Each database holds one published edition; the questions are in the format of `flask eval`. Prints the
constants for evidence.py and, for each book, figures of models that were fitted on the other books alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ragbot import create_app
from ragbot.answering.answerer import PASSAGES_RETRIEVED
from ragbot.answering.evaluation import Row, load_rows
from ragbot.answering.follow_ups import search_context
from ragbot.books.markup.prose import prose_blocks
from ragbot.core.deadline import Deadline
from ragbot.providers.extractive import scoring as evidence
from ragbot.providers.extractive.generator import LONGEST_EMBEDDED, MOST_EMBEDDED, is_tellable
from ragbot.providers.extractive.scoring import ScoredText
from ragbot.providers.extractive.spans import spans_of
from ragbot.providers.local_embedder import LocalEmbedder
from ragbot.services import EXTENSION

TOP_K = 5
# Holds the weights of a few hundred questions down.
RIDGE = 0.02


@dataclass
class Asked:
    """A question with the pieces that were found for it."""

    row: Row
    weights: dict[str, float]
    unknown: tuple[str, ...]
    passages: list[frozenset[str]]
    pieces: list[ScoredText]
    right: list[bool]
    vector: Any
    similarity: dict[int, float] = field(default_factory=dict)


@dataclass
class Model:
    """A logistic model on plain features."""

    weights: Any
    constant: float

    def __call__(self, features: Sequence[float]) -> float:
        return self.constant + float(np.dot(self.weights, features))


def asked_of(database_url: str, questions: Path) -> list[Asked]:
    """Ask a book every question of its set, up to the pieces of the passages found."""
    app = create_app({"DATABASE_URL": database_url, "EMBEDDER": "local", "ENVIRONMENT": "testing"})
    services = app.extensions[EXTENSION]
    edition = services.published.current()
    analyzer = services.retriever.analyzer(edition)
    asked = []
    for row in load_rows(questions):
        retrieval = services.retriever.retrieve(
            row.question,
            edition=edition,
            limit=PASSAGES_RETRIEVED,
            deadline=Deadline(60),
            context=search_context(row.history),
        )
        found = retrieval.passages[:TOP_K]
        pieces, right = [], []
        for place, passage in enumerate(found):
            headings = frozenset(analyzer.terms(" ".join(passage.chunk.heading_path)))
            text = passage.chunk.text
            for span in spans_of(text, prose_blocks(text)):
                said = text[span.start : span.end]
                if (terms := frozenset(analyzer.terms(said))) and is_tellable(span, said, row.question):
                    opening = frozenset(analyzer.terms(evidence.opening_of(said)))
                    pieces.append(ScoredText(said, terms, headings, opening, place))
                    right.append(_is_gold(row, passage.chunk.path, said))
        passages = [frozenset(analyzer.terms(p.chunk.search_text)) for p in found]
        query_terms = retrieval.query_terms
        asked.append(
            Asked(row, query_terms.weights, query_terms.unknown, passages, pieces, right, retrieval.vector)
        )
    return asked


def fitted(features: Sequence[Sequence[float]], right: Sequence[bool]) -> Model:
    """A logistic regression by Newton's method, with a ridge on standardised weights."""
    rows = np.array(features, float)
    mean, spread = rows.mean(0), rows.std(0) + 1e-9
    scaled = np.c_[(rows - mean) / spread, np.ones(len(rows))]
    wanted = np.array(right, float)
    theta = np.zeros(scaled.shape[1])
    ridge = RIDGE * np.r_[np.ones(len(theta) - 1), 0]
    for _ in range(100):
        chance = 1 / (1 + np.exp(-scaled @ theta))
        slope = scaled.T @ (chance - wanted) / len(wanted) + ridge * theta
        bend = (scaled.T * (chance * (1 - chance))) @ scaled / len(wanted) + np.diag(ridge + 1e-9)
        theta -= np.linalg.solve(bend, slope)
        if np.abs(slope).max() < 1e-9:
            break
    weights = theta[:-1] / spread
    return Model(weights, float(theta[-1] - weights @ mean))


@dataclass
class Fit:
    """The models that evidence.py holds."""

    plain: Model
    liked: Model
    support: dict[bool, Model]


def fit(books: Sequence[Sequence[Asked]], embedder: LocalEmbedder, wrongly: float) -> Fit:
    """Fit pieces by words, then by similarity on the best of them, then whether they answer at all."""
    every = [asked for book in books for asked in book]
    useful = [asked for asked in every if any(asked.right)]
    plain = fitted(*_pieces_of(useful, likened=None))
    liked_rows = [(asked, _likened(asked, plain, embedder)) for asked in useful]
    features, right = [], []
    for asked, best in liked_rows:
        for place, piece in best:
            features.append(evidence.piece_features(asked.row.question, asked.weights, piece))
            right.append(asked.right[place])
    liked = fitted(features, right)
    support = {}
    for similarity in (True, False):
        rows = [
            (_support_features(a, plain, liked if similarity else None, embedder), bool(a.row.gold))
            for a in every
        ]
        rows = [(f, answerable) for f, answerable in rows if f is not None]
        model = fitted([f for f, _ in rows], [answerable for _, answerable in rows])
        # Move the constant so that the wanted share of answerable questions falls below zero.
        values = [model(f) for f, answerable in rows if answerable]
        model.constant -= float(np.quantile(values, wrongly))
        support[similarity] = model
    return Fit(plain, liked, support)


def figures(book: Sequence[Asked], models: Fit, embedder: LocalEmbedder) -> str:
    """How the models do on a book."""
    out = []
    for similarity in (True, False):
        hits, refused = [], {True: [], False: []}
        for asked in book:
            ranked = _ranked(asked, models.plain, models.liked if similarity else None, embedder)
            if asked.row.gold:
                hits.append(any(asked.right[place] for place, _, _ in ranked[:3]))
            features = _support_features(asked, models.plain, models.liked if similarity else None, embedder)
            low = features is None or models.support[similarity](features) < 0
            refused[bool(asked.row.gold)].append(low)
        out.append(
            f"{'similarity' if similarity else 'words   '}: gold in best 3 {np.mean(hits):.2f}, "
            f"refused rightly {np.mean(refused[False]):.2f}, wrongly {np.mean(refused[True]):.2f}"
        )
    return " | ".join(out)


def _is_gold(row: Row, path: str, said: str) -> bool:
    plain = " ".join(said.replace("*", "").replace("`", "").split()).casefold()
    for gold in row.gold:
        quote = " ".join(gold.quote.replace("*", "").replace("`", "").split()).casefold()
        words = set(quote.split())
        shared = len(words & set(plain.split())) / len(words)
        if gold.path == path and plain and (plain in quote or quote in plain or shared >= 0.7):
            return True
    return False


def _pieces_of(every: Sequence[Asked], likened: None) -> tuple[list[list[float]], list[bool]]:
    features, right = [], []
    for asked in every:
        for piece, gold in zip(asked.pieces, asked.right, strict=True):
            features.append(evidence.piece_features(asked.row.question, asked.weights, piece))
            right.append(gold)
    return features, right


def _likened(asked: Asked, plain: Model, embedder: LocalEmbedder) -> list[tuple[int, ScoredText]]:
    ranked = [place for place, _, _ in _ranked(asked, plain, None, embedder)][:MOST_EMBEDDED]
    best = []
    for place in ranked:
        piece = asked.pieces[place]
        if place not in asked.similarity:
            vector = embedder.embed([piece.text[:LONGEST_EMBEDDED]]).vectors[0]
            asked.similarity[place] = float(np.dot(vector, asked.vector))
        best.append((place, replace(piece, similarity=asked.similarity[place])))
    return best


def _ranked(
    asked: Asked, plain: Model, liked: Model | None, embedder: LocalEmbedder
) -> list[tuple[int, float, ScoredText]]:
    question, weights = asked.row.question, asked.weights
    if liked is None:
        rows = [
            (n, plain(evidence.piece_features(question, weights, p)), p) for n, p in enumerate(asked.pieces)
        ]
    else:
        best = _likened(asked, plain, embedder)
        rows = [(n, liked(evidence.piece_features(question, weights, p)), p) for n, p in best]
    return sorted(rows, key=lambda row: -row[1])


def _support_features(
    asked: Asked, plain: Model, liked: Model | None, embedder: LocalEmbedder
) -> list[float] | None:
    ranked = _ranked(asked, plain, liked, embedder)
    if not ranked or not asked.weights:
        return None
    pieces = [(value, piece) for _, value, piece in ranked]
    return evidence.support_features(asked.row.question, asked.weights, asked.unknown, asked.passages, pieces)


def main(arguments: Sequence[str]) -> None:
    """Fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("books", nargs="+", help="DATABASE_URL=QUESTIONS.jsonl")
    parser.add_argument("--wrongly", type=float, default=0.06)
    options = parser.parse_args(arguments)
    embedder = LocalEmbedder(1)
    books = {}
    for pair in options.books:
        url, _, questions = pair.rpartition("=")
        books[questions] = asked_of(url, Path(questions))
    for name, book in books.items():
        others = [other for key, other in books.items() if key != name]
        if others:
            print(f"{Path(name).stem}: {figures(book, fit(others, embedder, options.wrongly), embedder)}")
    models = fit(list(books.values()), embedder, options.wrongly)
    for label, pair in (
        ("PIECE", (models.liked, models.plain)),
        ("SUPPORT", (models.support[True], models.support[False])),
    ):
        shown = [tuple(round(float(w), 3) for w in model.weights) for model in pair]
        print(f"{label}_WEIGHTS = ({shown[0]}, {shown[1]})")
        print(f"{label}_CONSTANT = {tuple(round(model.constant, 3) for model in pair)}")


if __name__ == "__main__":
    main(sys.argv[1:])
