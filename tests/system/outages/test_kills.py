"""Test workers and servers that are killed while readers ask: no answer that was seen is lost or doubled."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from harness.fault_scenarios import server_kills, worker_kills
from harness.stack import Ground
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import services_of

# They settle by a statement of SQLite's own.
pytestmark = pytest.mark.sqlite_is_enough


def an_hour_later(ground: Ground) -> bool:
    """Settle what kills have left open, as the periodic_tasks does when their time is over."""
    path = ground.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        connection.execute(
            "UPDATE messages SET created_at = datetime('now', '-1 hour') || '.000000' "
            "WHERE status = 'pending'"
        )
    app = create_app({**ground.settings, "ENVIRONMENT": "testing"})
    services_of(app).conversations.prune()
    with app.app_context():
        db.engine.dispose()
    return True


def test_killed_workers_lose_and_double_nothing(ground: Ground) -> None:
    """Readers who were cut ask again with their key and get one answer."""
    outcome = worker_kills(ground, kills=3, readers=4, settle=an_hour_later)

    assert outcome.faults == []
    assert outcome.figures["kills"] == 3
    assert outcome.figures["answers_seen_whole"] >= 12


def test_killed_server_goes_on_at_its_port_with_all_that_was_seen(ground: Ground) -> None:
    """A host that runs out of memory kills whom it likes, and starts it again."""
    outcome = server_kills(ground, kills=1, readers=4, settle=an_hour_later)

    assert outcome.faults == []
    assert outcome.figures["answers_seen_whole"] >= 12
