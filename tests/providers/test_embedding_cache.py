"""Test cached vectors: shared by workers, separate by provider, and damaged ones are misses."""

from __future__ import annotations

from array import array

import pytest

from ragbot.providers.embedding_cache import CachingEmbedder
from tests.fakes.parts import WordCountEmbedder

TEXT = "How long does bread rise?"


class MemoryCache:
    """A cache in a dictionary."""

    name = "memory"

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self.entries[key] = value

    def clear(self) -> int:
        raise NotImplementedError

    def is_unavailable(self) -> bool:
        return False

    def ping(self) -> None:
        """Be there."""


def worker(cache: MemoryCache, *, provider: str = "", heard: list[str] | None = None) -> CachingEmbedder:
    """Return an embedder that has nothing in its own memory."""
    told = [] if heard is None else heard
    return CachingEmbedder(
        WordCountEmbedder(), cache=cache, ttl_s=60, provider=provider, unreadable=lambda: told.append("")
    )


def test_another_worker_finds_the_vector() -> None:
    """To single precision, which is what models give."""
    cache = MemoryCache()
    made = worker(cache).embed([TEXT])

    found = worker(cache).embed([TEXT])

    assert made.tokens > 0
    assert found.tokens == 0
    assert found.vectors[0] == pytest.approx(made.vectors[0], abs=1e-6)


def test_another_provider_s_model_of_the_same_name_is_another() -> None:
    """Servers that speak the protocol call their models as they like."""
    cache = MemoryCache()
    worker(cache, provider="https://one.example/v1").embed([TEXT])

    assert worker(cache, provider="https://other.example/v1").embed([TEXT]).tokens > 0


@pytest.mark.parametrize(
    "garbage",
    [b"", b"xxx", b"abcd" * 4, array("f", [1.0]).tobytes(), array("f", [float("nan")] * 64).tobytes()],
)
def test_what_is_no_vector_is_a_miss_that_is_told_and_replaced(garbage: bytes) -> None:
    """A vector of the wrong length would take the dense search from each answer."""
    cache, heard = MemoryCache(), []
    worker(cache).embed([TEXT])
    cache.entries = dict.fromkeys(cache.entries, garbage)

    again = worker(cache, heard=heard).embed([TEXT])
    found = worker(cache, heard=heard).embed([TEXT])

    assert (again.tokens > 0, found.tokens, len(heard)) == (True, 0, 1)
