"""Build the passage store: Qdrant's server, its embedded engine, or a failover between them."""

from __future__ import annotations

from functools import partial

from ragbot.bootstrap.storage import Storage
from ragbot.config import Settings
from ragbot.core.circuit_breaker import CircuitBreaker
from ragbot.core.ports import PassageStore
from ragbot.index.failover import FailoverStore
from ragbot.ingestion.pipeline import points_of
from ragbot.observability.metrics import Metrics
from ragbot.storage.editions import EditionStore

# A worker that tries the server again is taken for dead this long after its time is over.
TRIAL_GRACE_S = 5


def build_passage_store(settings: Settings, storage: Storage, metrics: Metrics) -> PassageStore:
    """Build the passage store that the settings choose. Opens nothing."""
    if settings.qdrant_url is None:
        return _embedded_store(settings, storage.editions)
    server = _server_store(settings, settings.qdrant_url, storage.editions)
    if not settings.stand_in_chunks:
        return server
    circuits = CircuitBreaker(
        "index", storage.shared_state, lease_s=settings.qdrant_timeout_s + TRIAL_GRACE_S
    )
    metrics.on_scrape(
        lambda: metrics.set("circuit_open", float(bool(circuits.open_names())), circuit=server.name)
    )
    embedded = _embedded_store(settings, storage.editions)
    return FailoverStore(server, embedded, circuits, most_chunks=settings.stand_in_chunks)


# The server's client and the embedded engine are large: a process loads only what it uses.


def _embedded_store(settings: Settings, editions: EditionStore) -> PassageStore:
    from ragbot.index.qdrant_embedded import QdrantEmbeddedStore

    return QdrantEmbeddedStore(settings.index_dir, partial(points_of, editions), known_keys=editions.keys)


def _server_store(settings: Settings, url: str, editions: EditionStore) -> PassageStore:
    from ragbot.index.qdrant_server import CollectionShape, QdrantServerStore, open_client

    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    return QdrantServerStore(
        partial(open_client, url, key, settings.qdrant_timeout_s),
        settings.qdrant_collection,
        partial(points_of, editions),
        shape=CollectionShape(
            shards=settings.qdrant_shards,
            replication=settings.qdrant_replication,
            quantization=settings.qdrant_quantization,
            on_disk=settings.qdrant_on_disk,
        ),
        search_timeout_s=settings.qdrant_timeout_s,
        known_keys=editions.keys,
    )
