"""Editions as collections on a Qdrant server, each whole before the alias moves to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

import qdrant_client.models as models
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

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
        name = self._collection(edition.key)
        client = self._client
        if _asked(lambda: client.collection_exists(name)):
            if self.count(edition) == edition.chunks:
                return
            # A build that was killed left it half full.
            _asked(lambda: client.delete_collection(name))
        _asked(lambda: client.create_collection(name, **_shape(edition)))
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
        return bool(_asked(lambda: self._client.collection_exists(self._collection(edition.key))))

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
        only = None
        if request.scope is not None:
            match = models.FieldCondition(key=payload.SCOPES, match=models.MatchValue(value=request.scope))
            only = models.Filter(must=[match])
        found = _asked(
            lambda: self._client.query_points(
                self._collection(edition.key),
                prefetch=_prefetches(request, only),
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
    """A client for a server. Connects at the first call."""
    # The compatibility check asks the server's version when the client is made; that would make a server
    # that is down an error of the wrong place and moment.
    return QdrantClient(url=url, api_key=api_key, timeout=max(1, round(timeout_s)), check_compatibility=False)


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


def _prefetches(request: SearchRequest, only: models.Filter | None) -> list[models.Prefetch]:
    sparse = models.SparseVector(indices=request.sparse.indices, values=request.sparse.values)
    prefetches = [models.Prefetch(query=sparse, using=payload.SPARSE, limit=payload.PREFETCH, filter=only)]
    if request.dense is not None:
        prefetches.append(
            models.Prefetch(query=request.dense, using=payload.DENSE, limit=payload.PREFETCH, filter=only)
        )
    return prefetches


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (ApiException, ResponseHandlingException, ValueError, OSError) as error:
        raise SearchUnavailable("The Qdrant server cannot be asked now.") from error
