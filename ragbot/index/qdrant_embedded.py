"""Store editions as Qdrant Edge shards, which each process builds from the database in a private folder."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import RagbotError, SearchUnavailable
from ragbot.core.locked_folder import LockedFolder
from ragbot.index import point_payload as payload
from ragbot.index.rank_fusion import ASKED_POINTS, fused_ranks

# The published edition, and one that is requested by name or that is about to be published.
SHARDS_KEPT = 2
BATCH = 500
FOLDER_PREFIX = "ragbot-index-"


class QdrantEmbeddedStore:
    """Search shards that are private to this process, built on first use. Safe to call from several threads.

    `load_points` returns the points of an edition that is not built yet.
    """

    name = "embedded"

    def __init__(self, folder: Path, load_points: Callable[[EditionFacts], Iterable[IndexPoint]]) -> None:
        self._folder = folder
        self._load_points = load_points
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._shards: OrderedDict[str, _Shard] = OrderedDict()

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        self._keep(edition, _built(self._folder, edition, points))

    def holds(self, edition: EditionFacts) -> bool:
        with self._lock:
            return edition.key in self._shards

    def prepare(self, edition: EditionFacts) -> None:
        self._shard(edition)

    def publish(self, key: str) -> None:
        """Do nothing: every process reads from the database which edition is published."""

    def remove(self, key: str) -> None:
        with self._lock:
            self._shards.pop(key, None)

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        if not request.sparse.indices and request.dense is None:
            return []
        # The local name keeps the shard open during the search, even if its edition is dropped meanwhile.
        shard = self._shard(edition)
        searches = edge.QueryBatchRequest(_searches(request))
        found = _asked(lambda: shard.engine.query_batch(searches))
        best = fused_ranks([{str(hit.id): hit.score for hit in hits} for hits in found], request.limit)
        ids = [point for point, _ in best]
        records = _asked(lambda: shard.engine.retrieve(ids, with_payload=True, with_vector=False))
        chunks = {str(record.id): payload.chunk_of(record.payload) for record in records}
        return [Passage(chunks[point], score) for point, score in best]

    def count(self, edition: EditionFacts) -> int:
        shard = self._shard(edition)
        return int(_asked(lambda: shard.engine.count(edge.CountRequest(exact=True))))

    def ping(self) -> None:
        """Do nothing: the engine runs in this process."""

    def _shard(self, edition: EditionFacts) -> _Shard:
        """Return the edition's shard; build it if it is not open."""
        shard = self._held(edition)
        if shard is not None:
            return shard
        with self._building:
            # Another thread may have built it while this one waited.
            shard = self._held(edition)
            if shard is None:
                shard = _built(self._folder, edition, self._load_points(edition))
                self._keep(edition, shard)
            return shard

    def _held(self, edition: EditionFacts) -> _Shard | None:
        with self._lock:
            shard = self._shards.get(edition.key)
            if shard is not None:
                self._shards.move_to_end(edition.key)
            return shard

    def _keep(self, edition: EditionFacts, shard: _Shard) -> None:
        with self._lock:
            self._shards[edition.key] = shard
            self._shards.move_to_end(edition.key)
            while len(self._shards) > SHARDS_KEPT:
                # A running search has a reference to its shard, which closes after it.
                self._shards.popitem(last=False)


class _Shard:
    """Hold an open engine and its folder, which is deleted with the last reference to the shard."""

    def __init__(self, engine: Any, folder: LockedFolder) -> None:
        self.engine = engine
        self._finalizer = weakref.finalize(self, _closed, engine, folder)


def _closed(engine: Any, folder: LockedFolder) -> None:
    engine.close()
    folder.delete()


def _built(parent: Path, edition: EditionFacts, points: Iterable[IndexPoint]) -> _Shard:
    try:
        locked = LockedFolder.create(parent, FOLDER_PREFIX)
    except OSError as error:
        raise SearchUnavailable(f"The embedded index cannot be written below {parent}.") from error
    engine = _asked(lambda: edge.EdgeShard.create(str(locked.folder / "shard"), _config(edition)))
    shard = _Shard(engine, locked)
    remaining = iter(points)
    while batch := list(islice(remaining, BATCH)):
        rows = [_point(point) for point in batch]
        _asked(partial(engine.update, edge.UpdateOperation.upsert_points(rows)))
    index = edge.UpdateOperation.create_field_index(payload.SCOPES, edge.PayloadSchemaType.Keyword)
    _asked(lambda: engine.update(index))
    return shard


def _config(edition: EditionFacts) -> Any:
    dense = None
    if edition.dimension:
        dense = {payload.DENSE: edge.EdgeVectorParams(size=edition.dimension, distance=edge.Distance.Dot)}
    return edge.EdgeConfig(
        vectors=dense,
        sparse_vectors={payload.SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        wal_enabled=False,
    )


def _point(point: IndexPoint) -> Any:
    vectors: dict[str, Any] = {payload.SPARSE: edge.SparseVector(point.sparse.indices, point.sparse.values)}
    if point.dense is not None:
        vectors[payload.DENSE] = point.dense
    return edge.Point(point.chunk.id, vectors, payload.payload_of(point))


def _searches(request: SearchRequest) -> list[Any]:
    scope = edge.FieldCondition(payload.SCOPES, match=edge.MatchValue(request.scope or ""))
    only = edge.Filter(must=[scope]) if request.scope is not None else None
    return [
        edge.QueryRequest(limit=ASKED_POINTS, query=query, filter=only, with_payload=False)
        for query in _nearest(request)
    ]


def _nearest(request: SearchRequest) -> Iterator[Any]:
    if request.sparse.indices:
        sparse = edge.SparseVector(request.sparse.indices, request.sparse.values)
        yield edge.Query.Nearest(sparse, using=payload.SPARSE)
    if request.dense is not None:
        yield edge.Query.Nearest(request.dense, using=payload.DENSE)


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except RagbotError:
        raise
    except Exception as error:  # The engine raises nothing narrower than Exception.
        raise SearchUnavailable("The embedded index failed.") from error
