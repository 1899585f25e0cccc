"""Store editions as collections of a Qdrant server; the alias moves to a collection when it is complete."""

from __future__ import annotations

import math
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal

import qdrant_client.models as models
import structlog
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from ragbot.core.deadline import Deadline
from ragbot.core.domain import DEFAULT_BOOK, EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import IndexMissing, RagbotError, SearchUnavailable
from ragbot.index import point_payload as payload
from ragbot.index.rank_fusion import ASKED_POINTS, fused_ranks

log = structlog.get_logger(__name__)

BATCH = 200
# A batch of long vectors is some megabytes, and most replicas have written it before the reply comes.
BUILD_TIMEOUT_S = 60
# How long publishing waits for the server to build its graphs. Until then it searches without them, with the
# same results but slower.
SETTLED_WITHIN_S = 60.0
LOOK_EVERY_S = 0.5
# With scalar quantisation, so many times the limit are found by the quantised vectors, then ranked exactly.
OVERSAMPLING = 2.0


@dataclass(frozen=True, slots=True)
class CollectionShape:
    """Describe how the server stores a collection. Changes apply to new ones: ingest or reindex."""

    shards: int = 1
    replication: int = 1
    quantization: Literal["none", "scalar"] = "none"
    on_disk: bool = False


class QdrantServerStore:
    """Store each edition in a collection `<prefix>_<edition key>`; `<prefix>` itself is the alias.

    The client is created on first use, so that no connection is open before a worker forks. Searches use the
    edition's own collection, not the alias, so that an answer never mixes editions.
    """

    name = "qdrant"

    def __init__(
        self,
        client: Callable[[], QdrantClient],
        prefix: str,
        load_points: Callable[[EditionFacts], Iterable[IndexPoint]],
        *,
        shape: CollectionShape = CollectionShape(),
        search_timeout_s: float | None = None,
        known_keys: Callable[[], set[str]] = set,
        settled_within_s: float = SETTLED_WITHIN_S,
    ) -> None:
        """Store the parameters. `known_keys` returns the keys of all editions in the database.

        Without `search_timeout_s` the client's own limit applies, however much time a question has left.
        """
        self._make_client = client
        self._prefix = prefix
        self._load_points = load_points
        self._shape = shape
        self._search_timeout_s = search_timeout_s
        self._known_keys = known_keys
        self._settled_within_s = settled_within_s
        self._lock = threading.Lock()
        self._opened: QdrantClient | None = None

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        """Create the collection and write all points, also into one that a killed build left incomplete.

        Another worker may write the same collection: the points of a key never change, so both succeed.
        """
        if self.holds(edition):
            return
        name = self._collection(edition.key)
        client = self._client
        wanted = _wanted(edition, self._shape) | {"metadata": {KIN: sorted(self._known_keys())}}
        _asked(lambda: _create(client, name, wanted))
        # Before the points, so that the vectors' graph is built for filtered searches.
        _asked(
            lambda: client.create_payload_index(
                name,
                payload.SCOPES,
                field_schema=models.PayloadSchemaType.KEYWORD,
                wait=True,
                timeout=BUILD_TIMEOUT_S,
            )
        )
        remaining = iter(points)
        while batch := list(islice(remaining, BATCH)):
            rows = [_point(point) for point in batch]
            # With `wait` the reply comes when the points can be found, on as many replicas as must agree.
            _asked(partial(client.upsert, name, rows, wait=True, timeout=BUILD_TIMEOUT_S))

    def holds(self, edition: EditionFacts) -> bool:
        """Return whether the edition's collection exists and is complete, so that readers may use it."""
        name = self._collection(edition.key)
        there = _asked(lambda: self._client.collection_exists(name))
        return bool(there) and self.count(edition) == edition.chunks

    def prepare(self, edition: EditionFacts) -> None:
        if not self.holds(edition):
            self.build(edition, self._load_points(edition))

    def publish(self, edition: EditionFacts) -> None:
        """Wait for the server's optimisers, move the book's alias, delete removed editions' collections."""
        client = self._client
        name = self._collection(edition.key)
        self._wait_until_settled(name)
        mine = self._alias(edition.book)
        aliases = _asked(client.get_aliases).aliases
        moves: list[Any] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=mine))
            for alias in aliases
            if alias.alias_name == mine
        ]
        target = models.CreateAlias(collection_name=name, alias_name=mine)
        moves.append(models.CreateAliasOperation(create_alias=target))
        _asked(lambda: client.update_collection_aliases(change_aliases_operations=moves))
        try:
            self._delete_orphans()
        except RagbotError as error:
            # The edition is published all the same; the next publication tries again.
            log.warning("collection_cleanup_failed", code=error.code)

    def remove(self, key: str) -> None:
        _asked(lambda: self._client.delete_collection(self._collection(key)))

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        """Search by words and by vector in one call, then read the best passages in a second one.

        Raises IndexMissing where the server has no collection of the edition.
        """
        deadline.check()
        searches = _searches(request, self._shape)
        if not searches:
            return []
        name = self._collection(edition.key)
        client = self._client
        try:
            found = _asked(
                lambda: client.query_batch_points(name, searches, timeout=self._seconds_for(deadline))
            )
            ranked = [{str(hit.id): hit.score for hit in one.points} for one in found]
            best = fused_ranks(ranked, request.limit)
            if not best:
                return []
            deadline.check()
            ids: list[models.ExtendedPointId] = [point for point, _ in best]
            records = _asked(
                lambda: client.retrieve(name, ids, with_payload=True, timeout=self._seconds_for(deadline))
            )
        except SearchUnavailable as error:
            # If the question's time is over, report that instead.
            deadline.check()
            if _is_not_found(error.__cause__) and not _asked(lambda: client.collection_exists(name)):
                raise IndexMissing(f"The Qdrant server has no index of {edition.name}.") from error
            raise
        chunks = {str(record.id): payload.chunk_of(record.payload) for record in records}
        # A point may be deleted between the calls, with the collection of an edition that was removed.
        return [Passage(chunks[point], score) for point, score in best if point in chunks]

    def count(self, edition: EditionFacts) -> int:
        return int(_asked(lambda: self._client.count(self._collection(edition.key), exact=True)).count)

    def ping(self) -> None:
        _asked(self._client.get_aliases)

    @property
    def _client(self) -> QdrantClient:
        with self._lock:
            if self._opened is None:
                self._opened = self._make_client()
            return self._opened

    def _alias(self, book: str) -> str:
        return self._prefix if book == DEFAULT_BOOK else f"{self._prefix}-{book}"

    def _collection(self, key: str) -> str:
        return f"{self._prefix}_{key}"

    def _seconds_for(self, deadline: Deadline) -> int | None:
        """Return the time limit of a search: the question's remaining time, at most the setting.

        The client takes whole seconds, at least one. It is rounded down, so that only the last second may
        exceed the question's time.
        """
        if self._search_timeout_s is None:
            return None
        return max(1, min(math.ceil(self._search_timeout_s), math.floor(deadline.left_s())))

    def _wait_until_settled(self, name: str) -> None:
        until = time.monotonic() + self._settled_within_s
        while True:
            status = _asked(lambda: self._client.get_collection(name)).status
            if status == models.CollectionStatus.RED:
                raise SearchUnavailable("The Qdrant server could not write the new index.")
            if status != models.CollectionStatus.YELLOW:
                return
            if time.monotonic() >= until:
                log.warning("collection_still_optimising", collection=name, waited_s=self._settled_within_s)
                return
            time.sleep(LOOK_EVERY_S)

    def _delete_orphans(self) -> None:
        """Delete the collections of editions that were removed from the database.

        A server may be shared with other databases. A collection is ours if its metadata names an edition
        that is in our database; keys are random, so no other database has them. Collections are listed before
        the keys are read, and an ingestion writes its row before its collection, so its collection is never
        deleted.
        """
        client = self._client
        listed = [one.name for one in _asked(client.get_collections).collections]
        published = {one.collection_name for one in _asked(client.get_aliases).aliases}
        known = self._known_keys()
        for name in listed:
            key = _KEY.fullmatch(name.removeprefix(f"{self._prefix}_"))
            if key is None or not name.startswith(f"{self._prefix}_") or name in published or key[0] in known:
                continue
            metadata = _asked(partial(client.get_collection, name)).config.metadata or {}
            if not known.isdisjoint(metadata.get(KIN, ())):
                _asked(partial(client.delete_collection, name))
                log.info("orphaned_collection_deleted", collection=name)


# The key of a collection's metadata that lists the editions in the database when the collection was made.
KIN = "ragbot_editions"
_KEY = re.compile("[0-9a-f]{32}")


def open_client(url: str, api_key: str | None, timeout_s: float) -> QdrantClient:
    """Return a client for a server, which connects at the first call. `timeout_s` is rounded up to seconds.

    It uses REST. Whether gRPC would be faster for one small search a question has not been measured; it needs
    a second port, fails in other ways, and starts threads of its own in a process that forks.
    """
    with warnings.catch_warnings():
        # Qdrant often runs without TLS in a private network; that is the operator's decision.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        # The compatibility check calls the server when the client is created: with the server unavailable, it
        # would raise in the wrong place.
        return QdrantClient(url=url, api_key=api_key, timeout=math.ceil(timeout_s), check_compatibility=False)


def _create(client: QdrantClient, name: str, wanted: dict[str, Any]) -> None:
    if client.collection_exists(name):
        return
    try:
        client.create_collection(name, **wanted, timeout=BUILD_TIMEOUT_S)
    except UnexpectedResponse:
        # Another worker that builds the same edition may have created it.
        if not client.collection_exists(name):
            raise


def _wanted(edition: EditionFacts, shape: CollectionShape) -> dict[str, Any]:
    on_disk = True if shape.on_disk else None  # None leaves it to the server.
    dense = {}
    if edition.dimension:
        dense = {
            payload.DENSE: models.VectorParams(
                size=edition.dimension,
                distance=models.Distance.DOT,
                on_disk=on_disk,
                hnsw_config=models.HnswConfigDiff(on_disk=True) if shape.on_disk else None,
                quantization_config=_INT8 if shape.quantization == "scalar" else None,
            )
        }
    index = models.SparseIndexParams(on_disk=True) if shape.on_disk else None
    return {
        "vectors_config": dense,
        "sparse_vectors_config": {
            payload.SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF, index=index)
        },
        "on_disk_payload": on_disk,
        "shard_number": shape.shards,
        "replication_factor": shape.replication,
        # A majority of the replicas must write a point; a minority may be unavailable.
        "write_consistency_factor": shape.replication // 2 + 1,
    }


# The quantile cuts outliers, which would widen the range; the quantised vectors are always in memory.
_INT8 = models.ScalarQuantization(
    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
)
_RESCORED = models.SearchParams(
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)


def _point(point: IndexPoint) -> models.PointStruct:
    vector: dict[str, Any] = {
        payload.SPARSE: models.SparseVector(
            indices=list(point.sparse.indices), values=list(point.sparse.values)
        )
    }
    if point.dense is not None:
        vector[payload.DENSE] = point.dense
    return models.PointStruct(id=point.chunk.id, vector=vector, payload=payload.payload_of(point))


def _searches(request: SearchRequest, shape: CollectionShape) -> list[models.QueryRequest]:
    scope = models.FieldCondition(key=payload.SCOPES, match=models.MatchValue(value=request.scope or ""))
    only = models.Filter(must=[scope]) if request.scope is not None else None
    searches = []
    if request.sparse.indices:
        sparse = models.SparseVector(indices=list(request.sparse.indices), values=list(request.sparse.values))
        searches.append(
            models.QueryRequest(
                query=sparse, using=payload.SPARSE, limit=ASKED_POINTS, filter=only, with_payload=False
            )
        )
    if request.dense is not None:
        searches.append(
            models.QueryRequest(
                query=request.dense,
                using=payload.DENSE,
                limit=ASKED_POINTS,
                filter=only,
                params=_RESCORED if shape.quantization == "scalar" else None,
                with_payload=False,
            )
        )
    return searches


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (ApiException, QdrantException, ValueError, OSError) as error:
        raise SearchUnavailable("The Qdrant server is unavailable.") from error


def _is_not_found(error: BaseException | None) -> bool:
    return isinstance(error, UnexpectedResponse) and error.status_code == 404
