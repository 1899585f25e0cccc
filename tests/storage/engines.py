"""Make engines as the app does, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from structlog.testing import capture_logs

from ragbot.config import load_settings
from ragbot.storage.engine import (
    EngineLimits,
    engine_options,
    make_safe,
)
from ragbot.storage.pool_check import warn_of_large_pool

LIMITS = EngineLimits(size=2, overflow=0, wait_s=2, recycle_s=1800, lock_s=5, statement_s=15)

EngineMaker = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[EngineMaker]:
    """Make engines as the app has them, by an address as an operator writes it."""
    engines: list[Engine] = []

    def make(written: str, limits: EngineLimits = LIMITS) -> Engine:
        address = make_url(load_settings({"DATABASE_URL": written}).database_url)
        engine = create_engine(address, **engine_options(address, limits))
        make_safe(engine, limits)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.dispose()


def shown(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(text(f"SHOW {name}")))


def warnings_of(engine: Engine, **pool: int) -> list[dict[str, object]]:
    with capture_logs() as lines:
        warn_of_large_pool(engine, **pool)
    return [dict(line) for line in lines if line["event"] == "pool_larger_than_server"]
