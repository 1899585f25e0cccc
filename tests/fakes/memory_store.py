"""Store passages in memory, in code that is short enough to verify by reading."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable

from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import SearchUnavailable
from ragbot.index.rank_fusion import fused_ranks


class MemoryStore:
    """Keeps points in a dictionary and ranks all of them, as the port's contract says."""

    name = "test/memory"

    def __init__(self, load_points: Callable[[EditionFacts], Iterable[IndexPoint]]) -> None:
        self.published: str | None = None
        self.down = False
        self._load_points = load_points
        self._points: dict[str, list[IndexPoint]] = {}
        self._lock = threading.Lock()

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        self.ping()
        whole = list(points)
        with self._lock:
            self._points[edition.key] = whole

    def holds(self, edition: EditionFacts) -> bool:
        self.ping()
        with self._lock:
            return edition.key in self._points

    def prepare(self, edition: EditionFacts) -> None:
        if not self.holds(edition):
            self.build(edition, self._load_points(edition))

    def publish(self, edition: EditionFacts) -> None:
        self.ping()
        self.published = edition.key

    def remove(self, key: str) -> None:
        self.ping()
        with self._lock:
            self._points.pop(key, None)

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        self.prepare(edition)
        with self._lock:
            points = list(self._points[edition.key])
        inside = [point for point in points if request.scope is None or request.scope in point.scopes]
        searches = [_sparse_scores(points, inside, request)]
        if request.dense is not None:
            searches.append(_dense_scores(inside, request.dense))
        chunks = {point.chunk.id: point.chunk for point in inside}
        return [Passage(chunks[point], score) for point, score in fused_ranks(searches, request.limit)]

    def count(self, edition: EditionFacts) -> int:
        self.prepare(edition)
        return len(self._points[edition.key])

    def ping(self) -> None:
        if self.down:
            raise SearchUnavailable("The test's store is switched off.")


def _sparse_scores(
    points: list[IndexPoint], inside: list[IndexPoint], request: SearchRequest
) -> dict[str, float]:
    weights = dict(zip(request.sparse.indices, request.sparse.values, strict=True))
    holding = {term: sum(term in point.sparse.indices for point in points) for term in weights}
    rarity = {
        term: math.log((len(points) - count + 0.5) / (count + 0.5) + 1) for term, count in holding.items()
    }
    scores: dict[str, float] = {}
    for point in inside:
        for term, weight in zip(point.sparse.indices, point.sparse.values, strict=True):
            if term in weights:
                scores[point.chunk.id] = (
                    scores.get(point.chunk.id, 0.0) + weight * weights[term] * rarity[term]
                )
    return scores


def _dense_scores(inside: list[IndexPoint], wanted: list[float]) -> dict[str, float]:
    return {
        point.chunk.id: sum(a * b for a, b in zip(point.dense, wanted, strict=True))
        for point in inside
        if point.dense is not None
    }
