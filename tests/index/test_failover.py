"""Test when an embedded index stands in for a Qdrant server, and when the server is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from ragbot.core.circuit_breaker import CircuitBreaker
from ragbot.core.deadline import Deadline
from ragbot.core.errors import SearchUnavailable
from ragbot.index.failover import FailoverStore
from ragbot.index.qdrant_server import QdrantServerStore, open_client
from ragbot.storage.keyvalue.shared_state import FailoverSharedState
from tests.conftest import THREE_CHAPTERS
from tests.fakes.editions import MadeEdition, Shelf, made_edition
from tests.fakes.memory_store import MemoryStore
from tests.fakes.qdrant_server import QdrantServer

CHEDDAR = "How long is the cheddar ripened?"


class Parts:
    """A store that fails over, and what is behind it. Two editions, of which the server has one."""

    def __init__(self, server: QdrantServer, *, most_chunks: int = 100) -> None:
        self.client = open_client(server.url, None, 5)
        self.new, self.old = made_edition(THREE_CHAPTERS, "1" * 32), made_edition(THREE_CHAPTERS, "2" * 32)
        shelf = Shelf([self.new, self.old])
        self.circuits = CircuitBreaker("index", FailoverSharedState([]), lease_s=10)
        of_server = QdrantServerStore(lambda: self.client, "book", shelf.load_points)
        self.store = FailoverStore(
            of_server, MemoryStore(shelf.load_points), self.circuits, most_chunks=most_chunks
        )
        of_server.prepare(self.new.facts)

    def found(self, edition: MadeEdition) -> list[str]:
        passages = self.store.search(edition.facts, edition.asked(CHEDDAR), Deadline(20))
        return [passage.chunk.path for passage in passages]


@pytest.fixture
def server() -> Iterator[QdrantServer]:
    with QdrantServer() as server:
        yield server


def test_edition_that_the_server_lacks_takes_it_from_no_other_reader(server: QdrantServer) -> None:
    """After a restore only published editions have an index, and any reader may name an old one."""
    parts = Parts(server)

    with capture_logs() as lines:
        found = [parts.found(parts.old) for _ in range(5)]

    assert found == [parts.found(parts.new)] * 5
    assert parts.circuits.open_names() == set()
    assert {line["event"] for line in lines} == {"index_missing"}
    assert "reindex" in lines[0]["remedy"]
    parts.client.close()


def test_edition_that_neither_has_is_our_own_error(server: QdrantServer) -> None:
    """It is too large to be built in each worker; the others are searched as ever."""
    parts = Parts(server, most_chunks=2)

    for _ in range(5):
        with pytest.raises(SearchUnavailable, match="no index of"):
            parts.found(parts.old)

    assert parts.found(parts.new)
    assert parts.circuits.open_names() == set()
    parts.client.close()


def test_address_at_which_nothing_is_found_counts_as_a_failing_server(server: QdrantServer) -> None:
    """A proxy that has lost its route answers with 404 to everything."""
    parts = Parts(server)
    server.fail(404, "no such page")

    found = [parts.found(parts.new) for _ in range(5)]

    assert all(found)
    assert parts.circuits.open_names() == {"qdrant"}
    parts.client.close()
