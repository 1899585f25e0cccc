"""Test that readers get answers while the database is unavailable, hangs, is full or lacks a migration."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import Engine, create_engine, text

from harness.openai_upstream import OpenAIUpstream, Reply
from harness.pipe import Pipe
from ragbot.core.errors import DatabaseUnavailable
from ragbot.extensions import db
from ragbot.storage.database import Database
from ragbot.storage.keyvalue.cache import BATCH_EVERY_S
from ragbot.storage.timeouts import PING_AFTER_S
from tests.conftest import services_of, wait_for_background_threads
from tests.system.outages.conftest import CHEDDAR, STARTER, ask
from tests.waiting import soon

MakeApp = Callable[..., OpenAPI]


@pytest.fixture
def app(make_app: MakeApp, database_pipe: tuple[Pipe, str]) -> OpenAPI:
    """Return an app on a PostgreSQL behind a pipe."""
    return make_app(
        DATABASE_URL=database_pipe[1], DB_POOL_TIMEOUT_S=2, CACHE_TTL_HOURS=24, EDITION_POLL_S=0.2
    )


@pytest.fixture
def pipe(database_pipe: tuple[Pipe, str]) -> Pipe:
    return database_pipe[0]


def test_without_the_database_questions_are_answered_and_not_kept(app: OpenAPI, pipe: Pipe) -> None:
    """And said to be; what was kept before is there when it is back, and talks go on."""
    before = ask(app)

    pipe.be("refuse")
    during = ask(app, STARTER, session_id=before.body["session_id"])
    talk = app.test_client().get(f"/sessions/{before.body['session_id']}")
    pipe.be("pass")
    assert soon(lambda: "history" not in ask(app, STARTER).degraded)
    after = ask(app, "And where?", session_id=before.body["session_id"])
    kept = app.test_client().get(f"/sessions/{before.body['session_id']}").json["messages"]

    assert during.status == 200
    assert (during.body["session_id"], during.body["message_id"]) == (None, None)
    assert set(during.degraded) == {"history", "cache"}
    assert during.body["status"] == "answered"
    assert (talk.status_code, talk.json["code"]) == (503, "search_unavailable")
    assert (after.status, after.degraded) == (200, [])
    assert [message["query"] for message in kept] == [CHEDDAR, "And where?"]
    assert kept[0]["answer"] == before.body["answer"]


def test_stream_without_the_database_says_so_too(app: OpenAPI, pipe: Pipe) -> None:
    """`session_id` is null in the first event, and in the last."""
    ask(app)
    pipe.be("refuse")

    said = app.test_client().post("/query", json={"query": STARTER, "stream": True}).text

    assert said.startswith("event: sources\n")
    assert '"session_id":null' in said.split("\n\n")[0]
    assert '"history"' in said.rpartition("event: done")[2]


def rest_connections() -> None:
    """Wait until what is late is written, and connections are checked before their next use."""
    time.sleep(BATCH_EVERY_S + PING_AFTER_S + 0.5)


@pytest.mark.parametrize("cut", [True, False])
def test_database_that_hangs_costs_a_few_seconds_once(app: OpenAPI, pipe: Pipe, cut: bool) -> None:
    """Each question has several things to ask of it, and waits for none of them twice; nor for a connection
    that is open, whose other end takes everything and says nothing."""
    ask(app)
    rest_connections()
    if cut:
        pipe.cut()
    pipe.be("hang")

    replies = [ask(app, STARTER) for _ in range(4)]

    assert [reply.status for reply in replies] == [200] * 4
    assert all("history" in reply.degraded for reply in replies)
    assert sum(reply.seconds for reply in replies) < 15
    assert sorted(reply.seconds for reply in replies)[1] < 4


def test_statement_that_is_never_answered_ends_on_this_side(
    database_pipe: tuple[Pipe, str],
) -> None:
    """A server that keeps its own time limits may itself be stopped."""
    pipe, url = database_pipe
    engine = create_engine(url)
    database = Database(engine, timeout_s=0.5)
    began = time.monotonic()

    def ask_a_hanging_server() -> None:
        with database.reading() as connection:
            pipe.be("hang")
            connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        ask_a_hanging_server()

    took_s = time.monotonic() - began
    pipe.be("pass")
    with pytest.raises(DatabaseUnavailable), database.reading():
        pass
    engine.dispose()
    assert took_s < 5


def test_database_that_only_reads_answers_without_history(
    app: OpenAPI, pipe: Pipe, upstream: OpenAIUpstream
) -> None:
    """A standby that was not promoted, or a host whose disk is full. What was accepted before is not lost."""
    ask(app)
    engine = db_engine(app)
    with engine.begin() as connection:
        name = connection.scalar(text("SELECT current_database()"))
    upstream.script(Reply(text="Nine months in a cool cellar [1].", first_delay_s=1.0))
    stream = iter(app.test_client().post("/query", json={"query": "How long?", "stream": True}).response)
    session_id = next(stream).decode().partition('"session_id":"')[2].partition('"')[0]

    read_only(engine, name, "on")
    said = b"".join(stream).decode()
    during = [ask(app, f"{STARTER} {number}") for number in range(2)]
    ready = app.test_client().get("/health/ready").json
    read_only(engine, name, "off")
    assert soon(lambda: "history" not in ask(app, STARTER).degraded)

    assert "event: done" in said
    assert [(reply.status, "history" in reply.degraded) for reply in during] == [(200, True)] * 2
    assert (ready["status"], ready["components"]["database"]["status"]) == ("degraded", "degraded")
    assert soon(
        lambda: app.test_client().get(f"/sessions/{session_id}").json["messages"][0]["status"] == "answered"
    )


def db_engine(app: OpenAPI) -> Engine:
    with app.app_context():
        return db.engine


def read_only(engine: Engine, name: str, state: str) -> None:
    """Have every new connection read alone, or write again, and end those that are open."""
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {state}'))
        others = "FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"), {"name": name})
    engine.dispose()


def test_connections_that_a_host_has_cut_are_noticed_before_use(app: OpenAPI, pipe: Pipe) -> None:
    """Hosts cut what is idle; no reader pays for it."""
    before = ask(app)

    rest_connections()
    pipe.cut()
    after = ask(app, STARTER)

    assert (before.degraded, after.degraded) == ([], [])
    assert after.body["session_id"]


def test_answer_that_ended_during_an_outage_is_written_when_it_is_over(
    app: OpenAPI, pipe: Pipe, upstream: OpenAIUpstream
) -> None:
    """The question was accepted before; its answer is not lost."""
    upstream.script(Reply(text="Nine months in a cool cellar [1].", first_delay_s=1.0))
    stream = iter(app.test_client().post("/query", json={"query": CHEDDAR, "stream": True}).response)
    session_id = next(stream).decode().partition('"session_id":"')[2].partition('"')[0]

    pipe.be("refuse")
    said = b"".join(stream).decode()
    pipe.be("pass")

    def kept() -> dict[str, str]:
        return app.test_client().get(f"/sessions/{session_id}").json["messages"][0]

    assert "event: done" in said
    assert soon(lambda: kept()["status"] == "answered")
    assert kept()["answer"] == "Nine months in a cool cellar [1]."


def test_ready_tells_of_the_outage_and_of_its_end(app: OpenAPI, pipe: Pipe) -> None:
    """An answer is possible from the edition that is known, so the load balancer keeps the worker."""
    ask(app)
    client = app.test_client()
    # What is written behind an answer would fail, and be told of for a minute.
    wait_for_background_threads()

    pipe.be("refuse")

    assert soon(lambda: client.get("/health/ready").json["components"]["database"]["status"] == "down")
    during = client.get("/health/ready")
    pipe.be("pass")
    assert soon(lambda: client.get("/health/ready").json["status"] == "ok"), client.get("/health/ready").json
    assert (during.status_code, during.json["status"]) == (200, "degraded")


@pytest.mark.sqlite_is_enough
def test_full_database_answers_without_history_and_ready_says_that_it_cannot_write(
    make_app: MakeApp,
) -> None:
    """SQLite's own limit of pages stands for the disk's end: reading goes on, writing does not."""
    app = make_app(EDITION_POLL_S=0)
    ask(app)
    limit_pages(app, 1)

    # A question that needs some pages of its own.
    large = {"mode": "selected_text", "selected_text": "Bob ripens the cheddar for nine months. " * 200}
    full = ask(app, STARTER, **large)
    finding = app.test_client().get("/health/ready").json["components"]["database"]
    limit_pages(app, 1_000_000)
    after = ask(app, STARTER)

    assert (full.status, full.degraded) == (200, ["history"])
    assert (finding["status"], finding["detail"]) == ("degraded", "cannot write")
    assert (after.status, after.degraded) == (200, [])


def limit_pages(app: OpenAPI, pages: int) -> None:
    with app.app_context():
        # Every connection that is open, for the limit is each one's own; with them closed, the next one's.
        db.engine.dispose()
        connect = db.engine.dialect.connect

        def limited(*args: object, **kwargs: object) -> object:
            connection = connect(*args, **kwargs)
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        db.engine.dialect.connect = limited


def test_missing_migration_is_a_sentence_in_ready_and_no_traceback_to_the_reader(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator forgot it; readers get what can be had."""
    app = make_app()
    ask(app)
    with app.app_context(), db.engine.begin() as connection:
        # Those that refer to the messages go first: PostgreSQL drops no table that another one needs.
        for table in ("idempotency_keys", "asked_questions", "messages"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    services_of(app).readiness._is_migrated.__self__._was_current = False

    reply = ask(app, STARTER)
    finding = app.test_client().get("/health/ready").json["components"]["database"]

    assert (reply.status, reply.degraded) == (200, ["history"])
    assert finding["detail"] == "run flask db upgrade"
    assert "Traceback" not in caplog.text


def test_forty_questions_at_once_without_a_database_wait_for_nobody(app: OpenAPI, pipe: Pipe) -> None:
    """No thread piles up behind one that hangs."""
    ask(app)
    pipe.cut()
    pipe.be("hang")
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(app, STARTER).status)) for _ in range(20)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 20
    assert time.monotonic() - began < 60


@pytest.mark.sqlite_is_enough
def test_sqlite_locked_by_another_writer_costs_one_wait(
    make_app: MakeApp, migrated_database: Path, tmp_path: Path
) -> None:
    """A question counts, claims, reserves, stores and caches, and waited for the lock each time: 35 s."""
    (tmp_path / "locked.db").write_bytes(migrated_database.read_bytes())
    app = make_app(
        DATABASE_URL=f"sqlite:///{tmp_path / 'locked.db'}",
        DB_LOCK_TIMEOUT_S=4,
        RATE_LIMIT_ENABLED=True,
        OPENAI_DAILY_BUDGET_USD=5,
        CACHE_TTL_HOURS=1,
    )
    assert ask(app).degraded == []

    with closing(sqlite3.connect(tmp_path / "locked.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        replies = [ask(app, STARTER), ask(app, f"{STARTER} And why?")]
        other.execute("ROLLBACK")

    assert [reply.status for reply in replies] == [200, 200]
    assert all("history" in reply.degraded and reply.body["session_id"] is None for reply in replies)
    # Seven waits of four seconds it was; one more may fall due meanwhile.
    assert max(reply.seconds for reply in replies) < 4 * 4
    assert soon(lambda: ask(app, STARTER).degraded == [])
