"""Test states that workers share, in each kind of store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine

from ragbot.core.ports import State
from ragbot.server.periodic_tasks import PeriodicTasks
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.keyvalue.redis import RedisSharedState
from ragbot.storage.keyvalue.shared_state import (
    DatabaseSharedState,
    FailoverSharedState,
    InProcessSharedState,
    SharedStateStore,
)
from tests.databases import store_params
from tests.storage.keyvalue.stores import NOBODY, database_of


@pytest.fixture(params=store_params("sqlite", "postgresql", "redis", "process"))
def states(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedStateStore]:
    """Yield a store of each kind."""
    if request.param == "process":
        yield InProcessSharedState()
    elif request.param == "redis":
        yield RedisSharedState(request.getfixturevalue("redis_url"))
    else:
        with database_of(request, tmp_path) as database:
            yield DatabaseSharedState(database)


def test_state_is_what_the_last_change_made_of_it(states: SharedStateStore) -> None:
    """And nothing where nothing was said yet."""
    seen: list[State | None] = []

    def grown(state: State | None) -> State:
        seen.append(state)
        return {"n": (state or {}).get("n", 0) + 1}

    made = [states.change("count", grown, 60) for _ in range(2)]

    assert seen[0] is None
    assert seen[-1] == {"n": 1}
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


# --- how long a state is kept ------------------------------------------------------------------

KEPT_S = 1.0


@dataclass
class StoreClock:
    """A time that tests move; Redis goes by its own, so there it waits."""

    store: str
    seconds: float = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        if self.store == "redis":
            time.sleep(seconds)


@pytest.fixture(params=store_params("database", "redis", "process"))
def store_clock(request: pytest.FixtureRequest) -> StoreClock:
    return StoreClock(request.param)


@pytest.fixture
def file(migrated_database: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'ragbot.db'}")
    make_sqlite_safe(engine, 5)
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def store(request: pytest.FixtureRequest, store_clock: StoreClock) -> SharedStateStore:
    match store_clock.store:
        case "database":
            return DatabaseSharedState(request.getfixturevalue("file"), clock=store_clock)
        case "redis":
            return RedisSharedState(request.getfixturevalue("redis_url"))
        case _:
            return InProcessSharedState(clock=store_clock)


def test_state_that_is_left_as_it_was_is_kept_no_longer(
    store: SharedStateStore, store_clock: StoreClock
) -> None:
    """Or what all workers look at now and then would never end."""
    store.change("left-alone", lambda _state: {"by": "alice"}, KEPT_S)
    store_clock.pass_by(KEPT_S * 0.6)

    seen = store.change("left-alone", lambda state: state, KEPT_S)
    store_clock.pass_by(KEPT_S * 0.6)

    assert seen == {"by": "alice"}
    assert store.peek("left-alone") is None


def test_chores_are_done_again_however_often_workers_ask_whose_turn_it_is(
    store: SharedStateStore, store_clock: StoreClock
) -> None:
    """With Redis each look put the end off, and what kills had left open stayed pending for ever."""
    done: list[float] = []
    states = FailoverSharedState([store])
    workers = [PeriodicTasks(states, [lambda: done.append(store_clock())], every_s=KEPT_S) for _ in range(2)]

    for _ in range(6):
        for worker in workers:
            worker.run_once()
        store_clock.pass_by(KEPT_S * 0.5)

    assert len(done) >= 3
