"""Fit the weights that rank passages, choose units and refuse questions in answers without a model.

usage: python -m bench.fit_answers DATABASE_URL=QUESTIONS.jsonl ... [--wrongly 0.04]

Each database holds one published edition of an English book, embedded by the local model; the questions are
in the format of `flask eval`. Prints the constants for `answering/reranking.py` and
`providers/extractive/scoring.py`, and for each book the figures of a fit on the other books. A book that the
cross-encoder was trained on (bench/README.md) tells nothing about how well it does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ragbot import create_app
from ragbot.answering import reranking
from ragbot.answering.evaluation import holds_evidence, stands_in_gold
from ragbot.answering.follow_ups import search_context
from ragbot.answering.question_set import Gold, Row, load_rows
from ragbot.bootstrap import passage_reader
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, Passage
from ragbot.core.text import count_tokens
from ragbot.index.analysis import Analyzer
from ragbot.index.retriever import Retrieval
from ragbot.providers.cross_encoder import CrossEncoder
from ragbot.providers.extractive import scoring
from ragbot.providers.extractive.generator import (
    LONGEST_EMBEDDED,
    MOST_READ_BY_MODEL,
    PASSAGES_READ,
    is_answer,
    scored_text,
    shortlist_units,
    unit_texts,
)
from ragbot.providers.extractive.question import AskedFor, asked_for
from ragbot.providers.extractive.reading import PassageReader, ReadPassage, Terms
from ragbot.providers.extractive.scoring import Candidate
from ragbot.providers.extractive.windows import choose_windows
from ragbot.providers.local_embedder import LocalEmbedder
from ragbot.providers.sentence_vectors import StoredSentenceVectors
from ragbot.services import EXTENSION, Services

# So much of the weights with the closest sentences is taken (reranking.CLOSEST_WEIGHTS).
SHARE_OF_CLOSEST = 0.5
# Holds the weights of a few hundred questions down.
RIDGE = 0.01
# Kinds whose answers are made by other rules, or cannot be found by an English model.
LEFT_OUT = ("about_book", "smalltalk", "multilingual")
_ENCODER = CrossEncoder(2)


@dataclass
class Asked:
    """Hold a question with the passages that were found for it, and the stored vectors of their sentences.

    `features` are those of each passage, with those of `reranking.CLOSEST` behind them.
    """

    book: str
    row: Row
    asked: AskedFor
    subject: Terms
    retrieval: Retrieval
    features: Any
    right: Any
    sentences: StoredSentenceVectors


@dataclass
class Units:
    """Hold the units of a question's best passages, their features, and which of them are in a gold quote."""

    candidates: list[Candidate]
    reads: list[ReadPassage]
    features: Any
    right: Any


def main() -> int:
    """Fit on all books, and for each book on all others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", nargs="+", metavar="DATABASE_URL=QUESTIONS.jsonl")
    parser.add_argument("--once", action="store_true", help="fit on all books alone, which takes a minute")
    parser.add_argument("--wrongly", type=float, default=0.04, help="share of answerable questions refused")
    given = parser.parse_args()
    reader, embedder = passage_reader(), LocalEmbedder(2)
    asked: list[Asked] = []
    for book in given.books:
        url, _, questions = book.rpartition("=")
        asked += questions_of(url, Path(questions), reader)
        print(f"{questions}: {len(asked)} questions so far", file=sys.stderr)
    for book in sorted({one.book for one in asked} if not given.once else ()):
        others = [one for one in asked if one.book != book]
        report(book, Fit(others, reader, embedder, given.wrongly), [one for one in asked if one.book == book])
    fit = Fit(asked, reader, embedder, given.wrongly)
    print("WEIGHTS =", _shown(fit.ranking_by_words))
    print("CLOSEST_WEIGHTS =", _shown(fit.ranking))
    print("UNIT_WEIGHTS =", (_shown(fit.units[1][:-1]), _shown(fit.units[0][:-1])))
    print("UNIT_CONSTANT =", (round(float(fit.units[1][-1]), 2), round(float(fit.units[0][-1]), 2)))
    print("RELEVANCE_WEIGHTS =", _shown(fit.relevance))
    print("SUPPORT_WEIGHTS =", _shown(fit.support["likened"][0]))
    print("SUPPORT_CONSTANT =", round(fit.support["likened"][1], 3))
    print("READ_SUPPORT_WEIGHTS =", _shown(fit.support["related"][0]))
    print("READ_SUPPORT_CONSTANT =", round(fit.support["related"][1], 3))
    return 0


def questions_of(database_url: str, questions: Path, reader: PassageReader) -> list[Asked]:
    """Search a book for every question of its set."""
    app = create_app({"DATABASE_URL": database_url, "EMBEDDER": "local", "ENVIRONMENT": "testing"})
    services = app.extensions[EXTENSION]
    edition = services.published.current()
    analyzer = services.retriever.analyzer(edition)
    # The definitions of a book's glossary belong to the book's other questions.
    book = questions.stem.removesuffix("-definitions")
    rows = [row for row in load_rows(questions) if row.kind not in LEFT_OUT]
    sentences = sentences_of(services, edition)
    return [passages_for(services, edition, analyzer, row, reader, sentences, book=book) for row in rows]


def sentences_of(services: Services, edition: EditionFacts) -> StoredSentenceVectors:
    """Return the stored vectors of a book's sentences."""
    return StoredSentenceVectors(partial(services.editions.sentence_vectors, edition.embedder or ""))


def passages_for(
    services: Services,
    edition: EditionFacts,
    analyzer: Analyzer,
    row: Row,
    reader: PassageReader,
    sentences: StoredSentenceVectors,
    *,
    book: str,
) -> Asked:
    """Search a book for a question."""
    retrieval = services.retriever.retrieve(
        row.question,
        edition=edition,
        limit=reranking.PASSAGES_RERANKED,
        deadline=Deadline(60),
        context=search_context(
            row.question, row.history, has_own_words=bool(analyzer.question_words(row.question))
        ),
    )
    asked = asked_for(row.question)
    features = reranking.passage_features(
        retrieval.passages,
        row.question,
        retrieval.query_terms.weights,
        language=edition.language,
        reader=reader,
    )
    right = [
        stands_in_gold(p.chunk.path, p.chunk.heading_path, p.chunk.text, row.gold) for p in retrieval.passages
    ]
    subject = reader.terms(edition.language, asked.subject) if asked.subject else frozenset()
    texts = [passage.chunk.search_text for passage in retrieval.passages]
    closest = sentences.closest(retrieval.vector, texts) if retrieval.vector is not None else []
    whole = np.c_[np.array(features), np.array(closest or np.zeros((len(texts), len(reranking.CLOSEST))))]
    return Asked(book, row, asked, subject, retrieval, whole, np.array(right, float), sentences)


class Fit:
    """Hold weights that were fitted on some questions.

    `ranking` ranks passages by their words and closest sentences, `ranking_by_words` by the words alone.
    `units` are those of units by words, and with their similarity; `relevance` joins the words' log-odds with
    the cross-encoder's; `support` has weights and a constant for units with similarity, and with relevance.
    """

    def __init__(
        self, asked: Sequence[Asked], reader: PassageReader, embedder: LocalEmbedder, wrongly: float
    ) -> None:
        self._reader = reader
        self._embedder = embedder
        answerable = [one for one in asked if one.row.gold]
        found = [one for one in answerable if one.right.sum()]
        count = len(reranking.FEATURES)
        self.ranking_by_words = fitted_choice([(one.features[:, :count], one.right) for one in found])
        self.ranking = fitted_choice([(one.features, one.right) for one in found]) * SHARE_OF_CLOSEST
        read = {id(one): self.read(one) for one in asked}
        by_words = fitted_units([read[id(one)] for one in answerable])
        self.units = [by_words, by_words]
        likened = {id(one): self.likened(one, read[id(one)]) for one in asked}
        self.units = [by_words, fitted_units([likened[id(one)] for one in answerable])]
        related = {id(one): self.related(one, read[id(one)]) for one in asked}
        self.relevance = self._fitted_relevance([related[id(one)] for one in answerable])
        is_answerable = np.array([bool(one.row.gold) for one in asked])
        self.support = {
            name: fitted_support(
                np.array([self.support_row(one, self.scored(units[id(one)])) for one in asked]),
                is_answerable,
                wrongly,
            )
            for name, units in (("likened", likened), ("related", related))
        }

    def ranked(self, one: Asked) -> list[Passage]:
        """Return the question's best passages by the fitted weights."""
        return ranked(one, self.ranking)

    def read(self, one: Asked) -> Units:
        """Return the units of the best passages, with features by words alone."""
        return read_units(one, self.ranked(one), self._reader)

    def likened(self, one: Asked, units: Units) -> Units:
        """Return the best units by words, with their similarity to the question."""
        vector = one.retrieval.vector
        if not units.candidates or vector is None:
            return units
        order = self._best(units)
        texts = [units.candidates[i].read.unit.words[:LONGEST_EMBEDDED] for i in order]
        similarities = np.array(self._embedder.embed(texts).vectors) @ np.array(vector)
        best = [
            replace(units.candidates[i], similarity=float(similarity))
            for i, similarity in zip(order, similarities, strict=True)
        ]
        features = [_features(one, candidate) for candidate in best]
        return Units(best, units.reads, np.array(features), units.right[order])

    def related(self, one: Asked, units: Units) -> Units:
        """Return the units that are read, with their relevance; the features are those of their words."""
        passages = self.ranked(one)
        order = self._shortlisted(one, units, passages) if units.candidates else []
        candidates = [units.candidates[i] for i in order]
        texts = [scored_text(passages[each.passage].chunk, each.read) for each in candidates]
        question = (
            f"{search_context(one.row.question, one.row.history, has_own_words=True)} {one.row.question}"
        )
        relevances = _ENCODER.scores(question.strip(), texts)
        best = [replace(each, relevance=score) for each, score in zip(candidates, relevances, strict=True)]
        return Units(best, units.reads, units.features[order], units.right[order])

    def scored(self, units: Units) -> list[Candidate]:
        """Return units with their scores, best first."""
        if not units.candidates:
            return []
        weights = self.units[1 if units.candidates[0].similarity is not None else 0]
        scores = units.features @ weights[:-1] + weights[-1]
        if units.candidates[0].relevance is not None:
            relevances = np.array([candidate.relevance for candidate in units.candidates])
            scores = self.relevance[0] + self.relevance[1] * relevances + self.relevance[2] * scores
        best = [replace(c, score=float(s)) for c, s in zip(units.candidates, scores, strict=True)]
        return sorted(best, key=lambda candidate: -candidate.score)

    def support_row(self, one: Asked, scored: Sequence[Candidate]) -> list[float]:
        """Return the features of whether the passages answer a question."""
        terms = one.retrieval.query_terms
        return scoring.support_features(one.asked, terms.weights, terms.unknown, scored)

    def _best(self, units: Units) -> Any:
        """Return the places of the best units by words."""
        return self._by_words(units)[:MOST_READ_BY_MODEL]

    def _by_words(self, units: Units) -> Any:
        return np.argsort(-(units.features @ self.units[0][:-1]), kind="stable")

    def _shortlisted(self, one: Asked, units: Units, passages: Sequence[Passage]) -> Any:
        """Return the places of the units that the cross-encoder reads, as answers choose them."""
        order = self._by_words(units)
        if one.retrieval.vector is None:
            return order[:MOST_READ_BY_MODEL]
        cosines = one.sentences.similarities(one.retrieval.vector, unit_texts(passages, units.reads))
        return order[shortlist_units([units.candidates[place] for place in order], cosines)]

    def _fitted_relevance(self, related: Sequence[Units]) -> Any:
        """Return the constant, the weight of the relevance, and that of the words' log-odds."""
        known = [one for one in related if one.right.any()]
        by_words = np.concatenate([one.features @ self.units[0][:-1] + self.units[0][-1] for one in known])
        relevance = np.concatenate([[c.relevance for c in one.candidates] for one in known])
        right = np.concatenate([one.right for one in known]).astype(float)
        fitted = fitted_logistic(np.c_[relevance, by_words], right, np.ones(len(right)))
        return np.array([fitted[2], fitted[0], fitted[1]])


def ranked(one: Asked, weights: Any) -> list[Passage]:
    """Return the question's best passages by some weights."""
    scores = one.features @ weights if len(one.features) else np.zeros(0)
    order = np.argsort(-scores, kind="stable")[:PASSAGES_READ]
    return [Passage(one.retrieval.passages[i].chunk, float(scores[i])) for i in order]


def read_units(one: Asked, passages: Sequence[Passage], reader: PassageReader) -> Units:
    """Return the units of passages, with features by words alone."""
    reads = [reader.read(passage.chunk, one.retrieval.edition.language) for passage in passages]
    found, right = [], []
    for rank, (passage, read) in enumerate(zip(passages, reads, strict=True)):
        quoted = list(_gold_spans(one.row.gold, passage))
        for index, unit in enumerate(read.units):
            if is_answer(unit.unit):
                found.append(
                    Candidate(
                        passage=rank,
                        index=index,
                        read=unit,
                        rank=rank,
                        path_terms=read.path_terms,
                        retrieval=passage.score - passages[0].score,
                        defines=scoring.defines(unit, one.subject, one.retrieval.query_terms.weights),
                        keys=one.asked.keys_of(unit.unit.cells, unit.label),
                    )
                )
                right.append(any(unit.unit.start < end and start < unit.unit.end for start, end in quoted))
    features = [_features(one, candidate) for candidate in found]
    return Units(found, reads, np.array(features).reshape(len(found), -1), np.array(right, bool))


def _features(one: Asked, candidate: Candidate) -> list[float]:
    weights = one.retrieval.query_terms.weights
    return scoring.unit_features(one.asked, weights, one.subject, candidate)


def fitted_choice(rows: Sequence[tuple[Any, Any]], *, steps: int = 400, rate: float = 0.3) -> Any:
    """Fit a multinomial choice of the right passages among those of each question (listwise softmax)."""
    spread = np.vstack([features for features, _ in rows]).std(0) + 1e-6
    weights = np.zeros(len(spread))
    for _ in range(steps):
        gradient = np.zeros_like(weights)
        for features, right in rows:
            scores = features / spread @ weights
            share = np.exp(scores - scores.max())
            gradient += (features / spread).T @ (share / share.sum() - right / right.sum())
        weights -= rate * (gradient / len(rows) + 0.003 * weights)
    return weights / spread


def fitted_units(units: Sequence[Units]) -> Any:
    """Fit a logistic model for units; each question has the same weight, however many units it has."""
    features, right, counts = [], [], []
    for one in units:
        if one.right.any():
            features.append(one.features)
            right.append(one.right)
            wrong = max((~one.right).sum(), 1)
            counts.append(np.where(one.right, 1 / one.right.sum(), 3 / wrong))
    return fitted_logistic(
        np.vstack(features), np.concatenate(right).astype(float), 30 * np.concatenate(counts)
    )


def fitted_support(features: Any, answerable: Any, wrongly: float) -> tuple[Any, float]:
    """Fit the weights that detect answerable questions, and the constant that refuses a share of them."""
    mean, spread = features.mean(0), features.std(0) + 1e-6
    share = answerable.mean()
    counts = np.where(answerable, 0.5 / share, 0.5 / (1 - share))
    weights = (
        fitted_logistic((features - mean) / spread, answerable.astype(float), counts, ridge=5)[:-1] / spread
    )
    return weights, -float(np.quantile((features @ weights)[answerable], wrongly))


def fitted_logistic(features: Any, right: Any, counts: Any, *, ridge: float | None = None) -> Any:
    """Fit a logistic model with a ridge penalty by Newton's method. The last weight is the constant."""
    held = RIDGE * len(features) * 0.001 if ridge is None else ridge
    whole = np.c_[features, np.ones(len(features))]
    penalty = np.r_[np.full(features.shape[1], held), 1e-6]
    weights = np.zeros(whole.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-(whole @ weights)))
        gradient = whole.T @ (counts * (chance - right)) + penalty * weights
        curve = (whole * (counts * chance * (1 - chance))[:, None]).T @ whole + np.diag(penalty)
        weights -= np.linalg.solve(curve, gradient)
    return weights


def report(book: str, fit: Fit, asked: Sequence[Asked]) -> None:
    """Print the figures of a fit on other books for this one."""
    answerable = [one for one in asked if one.row.gold]
    ranks, held, tokens = [], [], []
    for one in answerable:
        passages = fit.ranked(one)
        golden = (
            stands_in_gold(p.chunk.path, p.chunk.heading_path, p.chunk.text, one.row.gold) for p in passages
        )
        ranks.append(next((rank for rank, gold in enumerate(golden, start=1) if gold), 0))
        units = fit.related(one, fit.read(one))
        windows = choose_windows(fit.scored(units), units.reads, one.asked)
        said = "\n".join(units.reads[w.passage].units[i].unit.words for w in windows for i in w.units)
        held.append(holds_evidence(one.row, said))
        tokens.append(count_tokens(said))
    sections = f"{_share(r == 1 for r in ranks)} / {_share(0 < r <= 5 for r in ranks)}"
    refused = ", ".join(f"{kind or 'wrongly'} {_refused(fit, asked, kind)}" for kind in ("near", "far", ""))
    print(
        f"{book}: section in 1 / 5 {sections}, MRR {np.mean([1 / r if r else 0 for r in ranks]):.3f}, "
        f"evidence {_share(held)} at {np.mean(tokens):.0f} tokens, refused {refused}"
    )


def _refused(fit: Fit, asked: Sequence[Asked], kind: str) -> str:
    chosen = [one for one in asked if (kind and one.row.kind.endswith(kind)) or (not kind and one.row.gold)]
    rows = [fit.support_row(one, fit.scored(fit.related(one, fit.read(one)))) for one in chosen]
    weights, constant = fit.support["related"]
    return _share(float(np.dot(weights, row)) + constant < 0 for row in rows)


def _gold_spans(golds: Iterable[Gold], passage: Passage) -> Iterable[tuple[int, int]]:
    for gold in golds:
        if gold.path == passage.chunk.path and (start := passage.chunk.text.find(gold.quote)) >= 0:
            yield start, start + len(gold.quote)


def _shown(weights: Any) -> tuple[float, ...]:
    return tuple(round(float(weight), 2) for weight in weights)


def _share(values: Iterable[bool]) -> str:
    found = list(values)
    return f"{100 * sum(found) / len(found):.0f} %" if found else "–"


if __name__ == "__main__":
    raise SystemExit(main())
