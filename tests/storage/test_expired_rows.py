"""Test that expired rows are deleted also where nothing is written to their tables any more."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import insert, select, text

from ragbot.extensions import db
from ragbot.storage.database import Database
from ragbot.storage.expired_rows import ExpiredRows
from ragbot.storage.keyvalue.cache import entries
from ragbot.storage.keyvalue.rate_counters import counts
from ragbot.storage.keyvalue.shared_state import states
from tests.conftest import AppMaker, services_of

NOW = 1_700_000_000.0
ROWS = (
    (counts, "counter", {"hits": 1}, "ends_at"),
    (entries, "key", {"value": b""}, "expires_at"),
    (states, "name", {"state": "{}"}, "expires_at"),
)


def fill(database: Database, expired: int) -> None:
    with database.writing() as connection:
        for table, key, values, expiry in ROWS:
            old = [{key: f"old {number}", **values, expiry: NOW - number} for number in range(expired)]
            connection.execute(insert(table), [*old, {key: "new", **values, expiry: NOW + 1}])


def left(database: Database) -> list[list[str]]:
    with database.reading() as connection:
        return [list(connection.scalars(select(table.c[key]))) for table, key, _, _ in ROWS]


def test_expired_rows_of_each_table_go_and_the_others_stay(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: a crowd of addresses is caught up with."""
    monkeypatch.setattr("ragbot.storage.keyed_rows.DELETED_AT_ONCE", 4)
    fill(database, 9)
    rows = ExpiredRows(database, clock=lambda: NOW)

    deleted = rows.delete_expired()

    assert deleted == 27
    assert left(database) == [["new"]] * 3
    assert rows.delete_expired() == 0


@pytest.mark.parametrize("way", ["housekeeping", "command"])
def test_address_of_a_caller_goes_though_nobody_asks_again(make_app: AppMaker, way: str) -> None:
    """They may have been counted while Redis was away, and it counts them now."""
    app = make_app({"RATE_LIMIT_STORAGE": "memory"})
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO quota_counts (counter, hits, ends_at) VALUES ('minute/203.0.113.9', 1, :end)"),
            {"end": time.time() - 1},
        )

    if way == "housekeeping":
        assert services_of(app).periodic_tasks.run_once()
    else:
        assert app.test_cli_runner().invoke(args=["session", "prune"]).exit_code == 0

    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM quota_counts")) == 0
