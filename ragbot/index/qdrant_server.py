"""Editions as collections on a Qdrant server, each whole before the alias moves to it."""

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
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import RagbotError, SearchUnavailable
from ragbot.index import point_payload as payload

log = structlog.get_logger(__name__)

BATCH = 200
# A batch of long vectors is some megabytes, and every replica writes it down before the reply comes.
BUILD_TIMEOUT_S = 60
# How long publishing waits until the server has built its graphs. What it has not built yet it searches
# whole: as right, and slower.
SETTLED_WITHIN_S = 60.0
LOOK_EVERY_S = 0.5
# With scalar quantisation so many times the limit are found by the small copies, then ranked by the vectors.
OVERSAMPLING = 2.0


@dataclass(frozen=True, slots=True)
class CollectionShape:
    """How a server keeps a collection; takes effect when one is made: the next edition, or `book reindex`."""

    shards: int = 1
    replication: int = 1
    quantization: Literal["none", "scalar"] = "none"
    on_disk: bool = False


class QdrantServerStore:
    """A collection is called `<prefix>_<edition key>`; `<prefix>` itself is the alias.

    The client is made on first use, so that nothing is open before a worker forks. Searches go to the
    edition's own collection: a reader's question and the alias can never disagree.
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
        """`known_keys` gives the keys of all editions of the database: other collections may be swept.

        Without `search_timeout_s` the client's own limit counts, whatever is left for a question.
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
        """Fill up what a build that was killed left half full, or what another worker is filling just now.

        A key's points never change, so to write one again does no harm, and nobody's work is deleted.
        """
        if self.holds(edition):
            return
        name = self._collection(edition.key)
        client = self._client
        wanted = _wanted(edition, self._shape) | {"metadata": {KIN: sorted(self._known_keys())}}
        _asked(lambda: _create(client, name, wanted))
        # Before the points: what a filter asks for is then built into the graph of their vectors.
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
            # With `wait` the reply says that the points can be found, on as many replicas as must agree.
            _asked(partial(client.upsert, name, rows, wait=True, timeout=BUILD_TIMEOUT_S))

    def holds(self, edition: EditionFacts) -> bool:
        """Whether its collection is there and full: one that is being built is not for readers yet."""
        name = self._collection(edition.key)
        there = _asked(lambda: self._client.collection_exists(name))
        return bool(there) and self.count(edition) == edition.chunks

    def prepare(self, edition: EditionFacts) -> None:
        if not self.holds(edition):
            self.build(edition, self._load_points(edition))

    def publish(self, key: str) -> None:
        """Wait for the server's optimisers for a while, move the alias, sweep what removed editions left."""
        client = self._client
        self._wait_until_settled(self._collection(key))
        aliases = _asked(client.get_aliases).aliases
        moves: list[Any] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._prefix))
            for alias in aliases
            if alias.alias_name == self._prefix
        ]
        target = models.CreateAlias(collection_name=self._collection(key), alias_name=self._prefix)
        moves.append(models.CreateAliasOperation(create_alias=target))
        _asked(lambda: client.update_collection_aliases(change_aliases_operations=moves))
        try:
            self._sweep()
        except RagbotError as error:
            # The edition is published all the same; the next one sweeps.
            log.warning("collections_not_swept", code=error.code)

    def remove(self, key: str) -> None:
        _asked(lambda: self._client.delete_collection(self._collection(key)))

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        prefetches = _prefetches(request, self._shape)
        if not prefetches:
            return []
        try:
            found = _asked(
                lambda: self._client.query_points(
                    self._collection(edition.key),
                    prefetch=prefetches,
                    query=models.RrfQuery(rrf=models.Rrf(k=payload.RRF_K)),
                    limit=request.limit,
                    with_payload=True,
                    timeout=self._seconds_for(deadline),
                )
            )
        except SearchUnavailable:
            # If the question's time is over, that is the truer reason.
            deadline.check()
            raise
        return [Passage(payload.chunk_of(hit.payload), float(hit.score)) for hit in found.points]

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

    def _collection(self, key: str) -> str:
        return f"{self._prefix}_{key}"

    def _seconds_for(self, deadline: Deadline) -> int | None:
        """What is left for the question, at most the setting. The client takes whole seconds, from one on.

        Rounded down, so that the reader's time is kept; the last second alone may be overdrawn.
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
                log.warning("collection_still_optimised", collection=name, waited_s=self._settled_within_s)
                return
            time.sleep(LOOK_EVERY_S)

    def _sweep(self) -> None:
        """Delete collections of editions that were removed from the database, and of nobody else's.

        A server may be shared. A collection is ours if an edition that was in the database when it was made
        is there still; the keys are random, so no other database has them. What is listed first and looked
        up afterwards cannot be an edition that is being taken in: its row is written before its collection.
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
                log.info("collection_swept", collection=name)


# The editions that were in the database when a collection was made; a name in its metadata.
KIN = "ragbot_editions"
_KEY = re.compile("[0-9a-f]{32}")


def open_client(url: str, api_key: str | None, timeout_s: float) -> QdrantClient:
    """A client for a server. Connects at the first call. Time limits are whole seconds, rounded up.

    Over REST: whether gRPC is faster for one small search a question nobody has measured here, and it brings
    a second port, a second way of failing and, in a process that forks, threads of its own.
    """
    with warnings.catch_warnings():
        # Qdrant is often run without TLS in a private network; whether it may be is the operator's choice.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        # The compatibility check asks the server's version when the client is made; that would make a
        # server that is down an error of the wrong place and moment.
        return QdrantClient(url=url, api_key=api_key, timeout=math.ceil(timeout_s), check_compatibility=False)


def _create(client: QdrantClient, name: str, wanted: dict[str, Any]) -> None:
    if client.collection_exists(name):
        return
    try:
        client.create_collection(name, **wanted, timeout=BUILD_TIMEOUT_S)
    except UnexpectedResponse:
        # Another worker that builds the same edition may have been quicker.
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
        # Most replicas have written a point before it counts as written; one may be away.
        "write_consistency_factor": shape.replication // 2 + 1,
    }


# One outlier would else take the whole range; the small copies stay in memory, wherever the vectors are.
_INT8 = models.ScalarQuantization(
    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
)
_RESCORED = models.SearchParams(
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)


def _point(point: IndexPoint) -> models.PointStruct:
    vector: dict[str, Any] = {
        payload.SPARSE: models.SparseVector(indices=point.sparse.indices, values=point.sparse.values)
    }
    if point.dense is not None:
        vector[payload.DENSE] = point.dense
    return models.PointStruct(id=point.chunk.id, vector=vector, payload=payload.payload_of(point))


def _prefetches(request: SearchRequest, shape: CollectionShape) -> list[models.Prefetch]:
    scope = models.FieldCondition(key=payload.SCOPES, match=models.MatchValue(value=request.scope or ""))
    only = models.Filter(must=[scope]) if request.scope is not None else None
    prefetches = []
    if request.sparse.indices:
        sparse = models.SparseVector(indices=request.sparse.indices, values=request.sparse.values)
        prefetches.append(
            models.Prefetch(query=sparse, using=payload.SPARSE, limit=payload.PREFETCH, filter=only)
        )
    if request.dense is not None:
        prefetches.append(
            models.Prefetch(
                query=request.dense,
                using=payload.DENSE,
                limit=payload.PREFETCH,
                filter=only,
                params=_RESCORED if shape.quantization == "scalar" else None,
            )
        )
    return prefetches


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (ApiException, QdrantException, ValueError, OSError) as error:
        raise SearchUnavailable("The Qdrant server cannot be asked now.") from error
