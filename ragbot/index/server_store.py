"""Editions as collections on a Qdrant server, each whole before the alias moves to it."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

import qdrant_client.models as models
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import SearchUnavailable
from ragbot.index import payload

BATCH = 200


class ServerStore:
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
    ) -> None:
        self._make_client = client
        self._prefix = prefix
        self._load_points = load_points
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
        _asked(lambda: _create(client, name, edition))
        _asked(
            lambda: client.create_payload_index(
                name, payload.SCOPES, field_schema=models.PayloadSchemaType.KEYWORD
            )
        )
        remaining = iter(points)
        while batch := list(islice(remaining, BATCH)):
            rows = [_point(point) for point in batch]
            _asked(partial(client.upsert, name, rows, wait=True))

    def holds(self, edition: EditionFacts) -> bool:
        """Whether its collection is there and full: one that is being built is not for readers yet."""
        name = self._collection(edition.key)
        there = _asked(lambda: self._client.collection_exists(name))
        return bool(there) and self.count(edition) == edition.chunks

    def prepare(self, edition: EditionFacts) -> None:
        if not self.holds(edition):
            self.build(edition, self._load_points(edition))

    def publish(self, key: str) -> None:
        client = self._client
        aliases = _asked(client.get_aliases).aliases
        moves: list[Any] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._prefix))
            for alias in aliases
            if alias.alias_name == self._prefix
        ]
        target = models.CreateAlias(collection_name=self._collection(key), alias_name=self._prefix)
        moves.append(models.CreateAliasOperation(create_alias=target))
        _asked(lambda: client.update_collection_aliases(change_aliases_operations=moves))

    def remove(self, key: str) -> None:
        _asked(lambda: self._client.delete_collection(self._collection(key)))

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        prefetches = _prefetches(request)
        if not prefetches:
            return []
        found = _asked(
            lambda: self._client.query_points(
                self._collection(edition.key),
                prefetch=prefetches,
                query=models.RrfQuery(rrf=models.Rrf(k=payload.RRF_K)),
                limit=request.limit,
                with_payload=True,
            )
        )
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


def open_client(url: str, api_key: str | None, timeout_s: float) -> QdrantClient:
    """A client for a server. Connects at the first call. Time limits are whole seconds, rounded up."""
    with warnings.catch_warnings():
        # Qdrant is often run without TLS in a private network; whether it may be is the operator's choice.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        # The compatibility check asks the server's version when the client is made; that would make a
        # server that is down an error of the wrong place and moment.
        return QdrantClient(url=url, api_key=api_key, timeout=math.ceil(timeout_s), check_compatibility=False)


def _create(client: QdrantClient, name: str, edition: EditionFacts) -> None:
    if client.collection_exists(name):
        return
    try:
        client.create_collection(name, **_shape(edition))
    except UnexpectedResponse:
        # Another worker that builds the same edition may have been quicker.
        if not client.collection_exists(name):
            raise


def _shape(edition: EditionFacts) -> dict[str, Any]:
    dense = {}
    if edition.dimension:
        dense = {payload.DENSE: models.VectorParams(size=edition.dimension, distance=models.Distance.DOT)}
    sparse = models.SparseVectorParams(modifier=models.Modifier.IDF)
    return {"vectors_config": dense, "sparse_vectors_config": {payload.SPARSE: sparse}}


def _point(point: IndexPoint) -> models.PointStruct:
    vector: dict[str, Any] = {
        payload.SPARSE: models.SparseVector(indices=point.sparse.indices, values=point.sparse.values)
    }
    if point.dense is not None:
        vector[payload.DENSE] = point.dense
    return models.PointStruct(id=point.chunk.id, vector=vector, payload=payload.payload_of(point))


def _prefetches(request: SearchRequest) -> list[models.Prefetch]:
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
            models.Prefetch(query=request.dense, using=payload.DENSE, limit=payload.PREFETCH, filter=only)
        )
    return prefetches


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (ApiException, QdrantException, ValueError, OSError) as error:
        raise SearchUnavailable("The Qdrant server cannot be asked now.") from error
