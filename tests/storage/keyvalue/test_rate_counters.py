"""Test the stores that count calls: one contract for both databases, Redis and memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import Engine, create_engine, inspect, text

from ragbot import create_app
from ragbot.core.cooldown import PAUSE_S
from ragbot.core.errors import StoreUnavailable
from ragbot.extensions import db
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.keyed_rows import CLEAN_UP_EVERY_S
from ragbot.storage.keyvalue.rate_counters import (
    DatabaseRateCounters,
    FailoverRateCounters,
    MemoryRateCounters,
    RateCounters,
    WindowCount,
    counts,
)
from ragbot.storage.keyvalue.redis import QUOTA_PREFIX, RedisRateCounters
from tests.databases import store_params

AT_ONCE = 24


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def in_database(database: Database, clock: Clock) -> DatabaseRateCounters:
    return DatabaseRateCounters(database, clock=clock)


CLOCKED = ("sqlite", "postgresql", "memory")


@pytest.fixture(params=store_params(*CLOCKED, "redis"))
def counters(request: pytest.FixtureRequest, clock: Clock) -> Iterator[RateCounters]:
    """Yield each store."""
    with made(request, clock) as store:
        yield store


@pytest.fixture(params=store_params(*CLOCKED))
def clocked(request: pytest.FixtureRequest, clock: Clock) -> Iterator[RateCounters]:
    """Yield each store that goes by our clock."""
    with made(request, clock) as store:
        yield store


@contextmanager
def made(request: pytest.FixtureRequest, clock: Clock) -> Iterator[RateCounters]:
    if request.param == "redis":
        yield RedisRateCounters(request.getfixturevalue("redis_url"))
    elif request.param == "memory":
        yield MemoryRateCounters(clock=clock)
    else:
        engine = create_engine(database_address(request), pool_size=AT_ONCE)
        make_sqlite_safe(engine, 5)
        yield DatabaseRateCounters(Database(engine), clock=clock)
        engine.dispose()


def database_address(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql":
        make = request.getfixturevalue("make_postgres_database")
        return make(request.getfixturevalue("migrated_postgres"))
    path = request.getfixturevalue("tmp_path") / "ragbot.db"
    shutil.copy(request.getfixturevalue("migrated_database"), path)
    return f"sqlite:///{path}"


def test_each_counter_counts_for_itself(counters: RateCounters) -> None:
    """Alice's questions are not Bob's."""
    hits = [counters.count(name, 60).hits for name in ("alice", "bob", "alice", "alice")]

    assert hits == [1, 1, 2, 3]


def test_window_ends_when_its_first_hit_said(counters: RateCounters) -> None:
    """A reader is told when it may go on, and that does not move."""
    first = counters.count("carol", 60)
    second = counters.count("carol", 60)

    assert second.ends_at == pytest.approx(first.ends_at, abs=0.1)


def test_callers_at_once_are_told_different_numbers(counters: RateCounters) -> None:
    """Or a quota would let more through than it says."""
    together = Barrier(AT_ONCE)

    def count(_: int) -> int:
        together.wait()
        return counters.count("dave", 60).hits

    with ThreadPoolExecutor(AT_ONCE) as pool:
        hits = list(pool.map(count, range(AT_ONCE)))

    assert sorted(hits) == list(range(1, AT_ONCE + 1))


def test_new_window_begins_when_the_old_one_is_over(clocked: RateCounters, clock: Clock) -> None:
    """A quota is for a minute, not for ever."""
    clocked.count("alice", 60)
    clock.now += 59.9
    before = clocked.count("alice", 60)
    clock.now += 0.2

    after = clocked.count("alice", 60)

    assert (before.hits, after) == (2, WindowCount(1, clock.now + 60))


def test_window_of_a_clock_that_was_ahead_locks_nobody_out(clocked: RateCounters, clock: Clock) -> None:
    """A host's clock jumps a day back: the reader must not wait a day."""
    clocked.count("alice", 60, amount=10)
    clock.now -= 86_400

    counted = clocked.count("alice", 60)

    assert counted == WindowCount(1, clock.now + 60)


def test_windows_that_are_over_are_removed_now_and_then(
    in_database: DatabaseRateCounters, engine: Engine, clock: Clock
) -> None:
    """The table holds a day's callers, not all that ever came."""
    for n in range(5):
        in_database.count(f"caller {n}", 60)
    clock.now += CLEAN_UP_EVERY_S + 1

    in_database.count("newest", 60)

    with engine.connect() as connection:
        assert list(connection.execute(text("SELECT counter FROM quota_counts")).scalars()) == ["newest"]


def test_redis_forgets_a_counter_by_itself(redis_url: str) -> None:
    """Nobody tidies there."""
    import redis

    RedisRateCounters(redis_url).count("eve", 60)

    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl(f"{QUOTA_PREFIX}eve") <= 60


def test_counting_waits_for_no_disk_and_everything_else_does(tmp_path, migrated_database) -> None:
    """A lost count is harmless, a lost message is not; both go over the same connections."""
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'ragbot.db'}", pool_size=1, max_overflow=0)
    make_sqlite_safe(engine, 5)
    database = Database(engine)
    levels = []
    counting = partial(database.writing, durable=False)
    for door in (database.writing, counting, database.reading, counting, database.writing):
        with door() as connection:
            levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    engine.dispose()

    assert levels == [2, 1, 2, 1, 2]


def test_missing_table_is_a_store_that_cannot_count(
    in_database: DatabaseRateCounters, engine: Engine
) -> None:
    """A forgotten migration must not turn questions away."""
    with engine.begin() as connection:
        counts.drop(connection)

    try:
        with pytest.raises(StoreUnavailable):
            in_database.count("alice", 60)
    finally:
        with engine.begin() as connection:
            counts.create(connection)


def test_redis_that_is_not_there_is_a_store_that_cannot_count() -> None:
    """Nobody listens on port 1."""
    with pytest.raises(StoreUnavailable):
        RedisRateCounters("redis://127.0.0.1:1/0").count("alice", 60)


class Switchable:
    """A store that can be switched off."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.down = False
        self.asked = 0

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        self.asked += 1
        if self.down:
            raise StoreUnavailable("Switched off.")
        return WindowCount(amount, 60.0)


def test_store_that_failed_rests_while_the_next_one_counts_and_comes_back(clock: Clock) -> None:
    """Redis is away for a while: no question waits for it twice, and nobody restarts anything."""
    first, second = Switchable("redis"), Switchable("database")
    counters = FailoverRateCounters([first, second], clock=clock)
    first.down = True
    counters.count("alice", 60)
    counters.count("alice", 60)
    asked_while_resting = first.asked
    first.down = False
    clock.now += PAUSE_S

    counters.count("alice", 60)

    assert (asked_while_resting, first.asked, second.asked) == (1, 2, 2)


def test_failure_of_all_stores_is_no_count_and_is_told(clock: Clock) -> None:
    """Questions go on; the operator hears of it."""
    heard: list[str] = []
    store = Switchable("database")
    store.down = True
    counters = FailoverRateCounters([store], failed=heard.append, clock=clock)

    counted = [counters.count("alice", 60), counters.count("alice", 60)]

    assert counted == [None, None]
    assert heard == ["database"]


def test_migration_of_the_counters_goes_back_and_forth(empty_database_url: str) -> None:
    """A release can be taken back."""
    app = create_app({"DATABASE_URL": empty_database_url, "ENVIRONMENT": "testing", "EMBEDDER": "none"})
    there = []
    with app.app_context():
        for step in (
            lambda: upgrade(revision="0002"),
            lambda: downgrade(revision="0001"),
            lambda: upgrade(revision="0002"),
        ):
            step()
            there.append("quota_counts" in inspect(db.engine).get_table_names())
        db.engine.dispose()

    assert there == [True, False, True]
