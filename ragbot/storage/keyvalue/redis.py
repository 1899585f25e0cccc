"""Store cache entries, rate counters and shared states in Redis.

Time limits are short, since another store replaces each of them while Redis is unavailable.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ragbot.core.errors import StoreUnavailable
from ragbot.core.ports import State
from ragbot.storage.keyvalue.rate_counters import WindowCount
from ragbot.storage.keyvalue.shared_state import Change, ChangedMeanwhile, repeated

# The reader waits for the answer, not for what Redis adds to it.
REDIS_TIMEOUT_S = 0.3

CACHE_PREFIX = "ragbot:cache:"
QUOTA_PREFIX = "ragbot:quota:"
STATE_PREFIX = "ragbot:state:"

CLEARED_AT_ONCE = 500


def open_redis(url: str) -> redis.Redis:
    """Create a client that connects at its first call. Safe between threads."""
    # A connection that the server has closed meanwhile is opened anew, once.
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(
        url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, retry=retry
    )


@contextmanager
def redis_failures() -> Iterator[None]:
    """Turn what Redis raises within the block into StoreUnavailable."""
    try:
        yield
    except redis.RedisError as error:
        raise StoreUnavailable("Redis is unavailable now.") from error


class RedisCache:
    """Cache entries as keys that Redis expires. Does not touch the keys of other applications."""

    name = "redis"

    def __init__(self, url: str) -> None:
        self._client = open_redis(url)

    def get(self, key: str) -> bytes | None:
        with redis_failures():
            value = self._client.get(f"{CACHE_PREFIX}{key}")
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        with redis_failures():
            self._client.set(f"{CACHE_PREFIX}{key}", value, px=max(1, round(ttl_s * 1000)))

    def put_many(self, entries: Iterable[tuple[str, bytes, float]]) -> None:
        with redis_failures(), self._client.pipeline(transaction=False) as pipeline:
            for key, value, ttl_s in entries:
                pipeline.set(f"{CACHE_PREFIX}{key}", value, px=max(1, round(ttl_s * 1000)))
            pipeline.execute()

    def clear(self) -> int:
        count = 0
        with redis_failures():
            batch: list[Any] = []
            for key in self._client.scan_iter(f"{CACHE_PREFIX}*", count=CLEARED_AT_ONCE):
                batch.append(key)
                if len(batch) == CLEARED_AT_ONCE:
                    count += int(self._client.unlink(*batch))
                    batch = []
            if batch:
                count += int(self._client.unlink(*batch))
        return count


class RedisRateCounters:
    """Count calls in keys that Redis expires, each call in one round trip."""

    name = "redis"

    def __init__(self, url: str) -> None:
        self._client = open_redis(url)

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """Count a call, as the protocol says."""
        key = f"{QUOTA_PREFIX}{counter}"
        with redis_failures(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=window_s, nx=True)
            pipeline.incrby(key, amount)
            pipeline.pttl(key)
            _, hits, left_ms = pipeline.execute()
        return WindowCount(int(hits), time.time() + int(left_ms) / 1000)

    def close(self) -> None:
        """Close the connections; the next count opens one again."""
        self._client.close()


class RedisSharedState:
    """Share states as JSON under keys; a change is repeated if another worker came between."""

    name = "redis"

    def __init__(self, url: str) -> None:
        self._client = open_redis(url)

    def peek(self, name: str) -> State | None:
        with redis_failures():
            return _decoded(self._client.get(f"{STATE_PREFIX}{name}"))

    def change(self, name: str, change: Change, ttl_s: float) -> State | None:
        return repeated(partial(self._changed, f"{STATE_PREFIX}{name}", change, ttl_s))

    def _changed(self, key: str, change: Change, ttl_s: float) -> State | None:
        with redis_failures(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.watch(key)  # type: ignore[no-untyped-call]
            before = _decoded(pipeline.get(key))
            after = change(before)
            if after is not None and after == before:
                return after
            pipeline.multi()
            if after is None:
                pipeline.delete(key)
            else:
                pipeline.set(key, json.dumps(after), px=max(1, round(ttl_s * 1000)))
            try:
                pipeline.execute()
            except redis.WatchError as error:
                raise ChangedMeanwhile from error
            return after


def _decoded(value: Any) -> State | None:
    """Return a state as it was written; None for a value that is not one."""
    try:
        decoded = json.loads(value) if value else None
    except ValueError:
        return None
    return cast("State", decoded) if isinstance(decoded, dict) else None
