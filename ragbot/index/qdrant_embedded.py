"""Store editions as Qdrant Edge shards in folders, which the processes of a machine build once and share."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as edge
import structlog
from cachetools import LRUCache

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Chunk, EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import DeadlineExceeded, RagbotError, SearchUnavailable
from ragbot.core.locked_folder import LockedFolder
from ragbot.core.single_flight import SingleFlight
from ragbot.index import point_payload as payload
from ragbot.index.kept_indexes import KeptIndex, delete_forgotten, require_space
from ragbot.index.rank_fusion import ASKED_POINTS, fused_ranks

log = structlog.get_logger(__name__)

# Opened editions that are not published: those that are requested by name or about to be published.
OTHERS_OPEN = 2
BATCH = 500
# Of each open edition; some 4 kB each.
KEPT_CHUNKS = 2048
FOLDER_PREFIX = "ragbot-index-"
SHARD = "shard"
# Raise the number when the points or their payload change: kept indexes are then built anew.
VERSION = f"edge{version('qdrant-edge-py')}-4"
# A request waits for a build until so long before its deadline: there is time left to say so.
RESERVE_S = 5.0


class QdrantEmbeddedStore:
    """Search shards in folders below `folder`. Safe to call from several threads and processes.

    `load_points` returns the points of an edition that is not built yet, `known_keys` the keys of all
    editions. The editions that were prepared last for each book stay open; of the others, the last used ones.
    """

    name = "embedded"

    def __init__(
        self,
        folder: Path,
        load_points: Callable[[EditionFacts], Iterable[IndexPoint]],
        *,
        known_keys: Callable[[], Set[str]] | None = None,
    ) -> None:
        self._folder = folder
        self._load_points = load_points
        self._known_keys = known_keys
        self._lock = threading.Lock()
        self._builds: SingleFlight[_Shard] = SingleFlight()
        self._shards: OrderedDict[str, _Shard] = OrderedDict()
        # The key of the edition that readers of a book get, by book.
        self._prepared: dict[str, str] = {}

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        kept = self._kept(edition.key)
        with kept.locked():
            self._keep_open(edition, _loaded(kept) or self._built(edition, points, kept))

    def holds(self, edition: EditionFacts) -> bool:
        return self._opened(edition) is not None or self._kept(edition.key).is_whole()

    def prepare(self, edition: EditionFacts) -> None:
        self._shard(edition)
        with self._lock:
            self._prepared[edition.book] = edition.key
            self._close_least_used()

    def publish(self, edition: EditionFacts) -> None:
        """Do nothing: every process reads from the database which edition is published."""

    def remove(self, key: str) -> None:
        with self._lock:
            self._shards.pop(key, None)
        self._kept(key).delete()

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        if not request.sparse.indices and request.dense is None:
            return []
        # The local name keeps the shard open during the search, even if its edition is dropped meanwhile.
        shard = self._shard(edition, deadline)
        searches = edge.QueryBatchRequest(_searches(request))
        found = _asked(lambda: shard.engine.query_batch(searches))
        # As numbers the ids are compared at a third of the cost; their order is that of their text.
        best = fused_ranks([{hit.id.int: hit.score for hit in hits} for hits in found], request.limit)
        chunks = shard.chunks([point for point, _ in best])
        return [Passage(chunks[point], score) for point, score in best]

    def count(self, edition: EditionFacts) -> int:
        shard = self._shard(edition)
        return int(_asked(lambda: shard.engine.count(edge.CountRequest(exact=True))))

    def ping(self) -> None:
        """Do nothing: the engine runs in this process."""

    def _kept(self, key: str) -> KeptIndex:
        return KeptIndex(self._folder, key, VERSION)

    def _shard(self, edition: EditionFacts, deadline: Deadline | None = None) -> _Shard:
        """Return the edition's shard; open or build it if it is not open.

        A build goes on in a thread of its own when the deadline of the question that began it comes near.
        Then, raises SearchUnavailable: a later question finds the index built.
        """
        while (shard := self._opened(edition)) is None:
            flight = self._builds.start(
                edition.key, partial(self._opened_or_built, edition), thread_name="index-build"
            )
            try:
                reserve_s = min(RESERVE_S, deadline.left_s() / 4) if deadline else 0.0
                flight.wait(deadline, reserve_s=reserve_s)
            except DeadlineExceeded as error:
                raise _being_built(edition) from error
            if flight.failure is not None:
                raise flight.failure
            if flight.result is not None:
                return flight.result
            if not flight.has_landed:
                raise _being_built(edition)
        return shard

    def _opened(self, edition: EditionFacts) -> _Shard | None:
        with self._lock:
            shard = self._shards.get(edition.key)
            if shard is not None:
                self._shards.move_to_end(edition.key)
            return shard

    def _opened_or_built(self, edition: EditionFacts) -> _Shard:
        # Another flight may have landed between the look and the start.
        if (shard := self._opened(edition)) is not None:
            return shard
        kept = self._kept(edition.key)
        shard = _loaded(kept)
        if shard is None:
            with kept.locked():
                # Another process may have built it while this one waited for the lock.
                shard = _loaded(kept) or self._built(edition, self._load_points(edition), kept)
        return self._keep_open(edition, shard)

    def _built(self, edition: EditionFacts, points: Iterable[IndexPoint], kept: KeptIndex) -> _Shard:
        """Build an index, move it to the kept folder if possible, and open it. The caller has the lock."""
        built = _written(self._folder, edition, points)
        if kept.keep(built.folder / SHARD):
            built.delete()
            shard = _loaded(kept)
        else:
            shard = _Shard(_asked(lambda: edge.EdgeShard.load(str(built.folder / SHARD))), built)
        if shard is None:
            raise SearchUnavailable(f"The index of edition {edition.name} was deleted while it was opened.")
        if self._known_keys is not None:
            delete_forgotten(self._folder, self._known_keys(), VERSION)
        return shard

    def _keep_open(self, edition: EditionFacts, shard: _Shard) -> _Shard:
        with self._lock:
            self._shards[edition.key] = shard
            self._shards.move_to_end(edition.key)
            self._close_least_used()
        return shard

    def _close_least_used(self) -> None:
        """Close all but the prepared editions and the last used others. The caller holds the lock."""
        prepared = set(self._prepared.values())
        others = [key for key in self._shards if key not in prepared]
        for key in others[:-OTHERS_OPEN]:
            # A running search has a reference to its shard, which closes after it.
            del self._shards[key]


class _Shard:
    """Hold an open engine, and its folder if it is private: then it is deleted with the last reference.

    The chunks that were found last are kept, for most questions find some of the same.
    """

    def __init__(self, engine: Any, private: LockedFolder | None = None) -> None:
        self.engine = engine
        self._lock = threading.Lock()
        self._found: LRUCache[int, Chunk] = LRUCache(KEPT_CHUNKS)
        self._finalizer = weakref.finalize(self, _closed, engine, private)

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        """Return chunks by the ids of their points, UUIDs as numbers. Raises SearchUnavailable."""
        with self._lock:
            known = {point: chunk for point in ids if (chunk := self._found.get(point)) is not None}
        missing = [point for point in ids if point not in known]
        if missing:
            points = [UUID(int=point) for point in missing]
            records = _asked(lambda: self.engine.retrieve(points, with_payload=True, with_vector=False))
            read = {record.id.int: payload.chunk_of(record.payload) for record in records}
            with self._lock:
                self._found.update(read)
            known |= read
        return known


def _closed(engine: Any, private: LockedFolder | None) -> None:
    engine.close()
    if private is not None:
        private.delete()


def _loaded(kept: KeptIndex) -> _Shard | None:
    """Open a kept index; return None if there is none, or a damaged one, which is deleted."""
    if not kept.is_whole():
        return None
    try:
        engine = _asked(lambda: edge.EdgeShard.load(str(kept.folder)))
    except SearchUnavailable as error:
        log.warning("kept_index_damaged", folder=kept.folder.name, cause=type(error.__cause__).__name__)
        kept.delete()
        return None
    kept.note_use()
    return _Shard(engine)


def _being_built(edition: EditionFacts) -> SearchUnavailable:
    return SearchUnavailable(f"The index of edition {edition.name} is being built; try again in a minute.")


def _written(parent: Path, edition: EditionFacts, points: Iterable[IndexPoint]) -> LockedFolder:
    """Write an index to a private folder below `parent`, and return that. Raises SearchUnavailable."""
    try:
        private = LockedFolder.create(parent, FOLDER_PREFIX)
    except OSError as error:
        raise SearchUnavailable(f"The embedded index cannot be written below {parent}.") from error
    try:
        _write(private.folder, edition, points)
        # The first opening applies the engine's journals; after it, openings change no file.
        _asked(lambda: edge.EdgeShard.load(str(private.folder / SHARD))).close()
    except BaseException:
        private.delete()
        raise
    return private


def _write(folder: Path, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
    require_space(folder, 0, edition.name)
    engine = _asked(lambda: edge.EdgeShard.create(str(folder / SHARD), _config(edition)))
    try:
        # Before the points: afterwards the engine would read all of them again.
        index = edge.UpdateOperation.create_field_index(payload.SCOPES, edge.PayloadSchemaType.Keyword)
        _asked(lambda: engine.update(index))
        remaining = iter(points)
        while batch := list(islice(remaining, BATCH)):
            require_space(folder, _most_bytes(batch), edition.name)
            rows = [_point(point) for point in batch]
            _asked(partial(engine.update, edge.UpdateOperation.upsert_points(rows)))
        _asked(engine.flush)
    finally:
        engine.close()


def _most_bytes(points: Iterable[IndexPoint]) -> int:
    """Return more than the bytes of the files that points need."""
    return sum(
        2 * len(point.chunk.text.encode())
        + 2 * len(point.chunk.search_text.encode())
        # A term has an id and a weight, and is stored again for its posting list.
        + 32 * len(point.sparse.indices)
        + 8 * len(point.dense or ())
        + 4096
        for point in points
    )


def _config(edition: EditionFacts) -> Any:
    dense = None
    if edition.dimension:
        # Halves: a cosine differs by less than 0.001. Cold: a worker maps them and reads none at its start.
        params = edge.EdgeVectorParams(
            size=edition.dimension,
            distance=edge.Distance.Dot,
            datatype=edge.VectorStorageDatatype.Float16,
            memory=edge.Memory.Cold,
        )
        dense = {payload.DENSE: params}
    return edge.EdgeConfig(
        vectors=dense,
        sparse_vectors={payload.SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        wal_enabled=False,
    )


def _point(point: IndexPoint) -> Any:
    sparse = edge.SparseVector(list(point.sparse.indices), list(point.sparse.values))
    vectors: dict[str, Any] = {payload.SPARSE: sparse}
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
        sparse = edge.SparseVector(list(request.sparse.indices), list(request.sparse.values))
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
