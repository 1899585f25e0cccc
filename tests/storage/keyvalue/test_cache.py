"""Test the cache in each kind of store, and in another one while a store is unavailable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from ragbot.core.errors import CacheNotCleared, StoreUnavailable
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import CLEAN_UP_EVERY_S
from ragbot.storage.keyvalue.cache import BatchedCache, CacheStore, DatabaseCache, FailoverCache
from ragbot.storage.keyvalue.redis import RedisCache
from tests.databases import store_params
from tests.storage.keyvalue.stores import NOBODY, Clock, database_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=store_params("sqlite", "postgresql", "redis"))
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheStore]:
    """Yield a store of each kind."""
    if request.param == "redis":
        yield RedisCache(request.getfixturevalue("redis_url"))
        return
    with database_of(request, tmp_path) as database:
        yield DatabaseCache(database)


def test_what_was_put_last_is_got(cache: CacheStore) -> None:
    """Bytes of any kind."""
    cache.put("bread", b"old", 60)
    cache.put("bread", b"\x00\xff new", 60)

    assert cache.get("bread") == b"\x00\xff new"
    assert cache.get("cheese") is None


def test_entries_that_are_put_together_are_got_one_by_one(cache: CacheStore) -> None:
    """Vectors of many questions are written at once."""
    cache.put("bread", b"old", 60)
    cache.put_many([("cheese", b"a", 60), ("bread", b"new", 60)])

    assert (cache.get("bread"), cache.get("cheese")) == (b"new", b"a")


def test_batched_entry_is_got_at_once_and_written_moments_later(database: Database) -> None:
    """The process that made it does not ask the provider again; the others learn of it soon."""
    written = FailoverCache([DatabaseCache(database)])
    batched = BatchedCache(written, every_s=0.05)

    batched.put("bread", b"first", 60)
    batched.put("bread", b"last", 60)
    at_once = batched.get("bread")
    for thread in threading.enumerate():
        if thread.name == "cache-writer":
            thread.join(60)

    assert at_once == b"last"
    assert (written.get("bread"), batched.get("bread")) == (b"last", b"last")
    batched.put("cheese", b"later", 60)
    assert batched.clear() == 2
    assert batched.get("cheese") is None


def test_entry_is_gone_when_its_time_is_over(cache: CacheStore) -> None:
    """A kept answer is as old as its owner allows."""
    cache.put("bread", b"stale", 0.05)
    time.sleep(0.1)

    assert cache.get("bread") is None


def test_clearing_forgets_everything_and_says_how_much(cache: CacheStore) -> None:
    """The operator wants to see that something happened."""
    for number in range(1100):
        cache.put(f"entry {number}", b"x", 60)

    assert (cache.clear(), cache.clear(), cache.get("entry 7")) == (1100, 0, None)


def test_clearing_leaves_other_keys_of_a_shared_redis_alone(redis_url: str) -> None:
    """Quotas live there, and perhaps another application."""
    client = redis.Redis.from_url(redis_url)
    client.set("ragbot:quota:alice", 3)

    RedisCache(redis_url).clear()

    assert client.get("ragbot:quota:alice") == b"3"
    client.close()


def test_expired_rows_are_tidied_away(database: Database, clock: Clock) -> None:
    """A table must not grow for ever."""
    cache = DatabaseCache(database, clock=clock)
    cache.put("old", b"x", 60)
    clock.now += 400

    cache.put("new", b"x", 60)

    with database.reading() as connection:
        assert connection.scalars(text("SELECT key FROM cache_entries")).all() == ["new"]


def test_store_that_is_away_says_so() -> None:
    """For whoever has another one."""
    with pytest.raises(StoreUnavailable):
        RedisCache(NOBODY).get("bread")


def test_database_keeps_answers_while_redis_is_away(database: Database) -> None:
    """A cache that is down is no error, and none at all would cost money."""
    heard: list[str] = []
    cache = FailoverCache([RedisCache(NOBODY), DatabaseCache(database)], failed=heard.append)

    cache.put("bread", b"kept", 60)

    assert cache.get("bread") == b"kept"
    assert heard == ["redis"]
    assert not cache.is_unavailable()


def test_cache_that_is_cleared_while_redis_is_away_is_cleared_as_far_as_it_goes(database: Database) -> None:
    """And says that it is to be done again."""
    cache = FailoverCache([RedisCache(NOBODY), DatabaseCache(database)])
    cache.put("bread", b"kept", 60)

    with pytest.raises(
        CacheNotCleared, match="1 entries were deleted, but the cache in redis is unavailable"
    ):
        cache.clear()

    assert cache.get("bread") is None


def test_workers_that_tidy_and_write_at_once_do_not_wait_for_each_other(
    database: Database, clock: Clock
) -> None:
    """Each holds a row that the other one wants to remove."""
    workers = [DatabaseCache(database, clock=clock) for _ in range(2)]
    for _ in range(20):
        for key in ("a", "b"):
            workers[0].put(key, b"x", 1)
        clock.now += CLEAN_UP_EVERY_S + 1
        with ThreadPoolExecutor(2) as pool:
            puts = [pool.submit(worker.put, key, b"y", 1) for worker, key in zip(workers, "ab", strict=True)]
        for put in puts:
            put.result()
        clock.now += CLEAN_UP_EVERY_S + 1


def test_cache_whose_every_store_is_away_misses_and_says_so() -> None:
    """The answer is made anew, and told to be without a cache."""
    cache = FailoverCache([RedisCache(NOBODY)])

    assert cache.get("bread") is None
    assert cache.is_unavailable()
