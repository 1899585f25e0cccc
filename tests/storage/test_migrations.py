"""Test migrations from nothing up and down again, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import check, downgrade, upgrade
from flask_openapi import OpenAPI
from sqlalchemy import Engine, TableClause, column, create_engine, insert, inspect, text
from sqlalchemy import table as sqlalchemy_table
from sqlalchemy.exc import OperationalError

from ragbot.extensions import db
from ragbot.storage.conversations import ConversationStore
from tests.conftest import THREE_CHAPTERS, services_of
from tests.insights.rows import question_row
from tests.storage.migrated_app import MIGRATIONS, STEPS, app_on


@pytest.fixture
def app(empty_database_url: str, tmp_path: Path) -> Iterator[OpenAPI]:
    """Yield an app on an empty database, in whose context commands are run."""
    app = app_on(empty_database_url, tmp_path / "index")
    with app.app_context():
        yield app
        db.engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def rows(table: str) -> int:
    with db.engine.connect() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def fill(app: OpenAPI) -> None:
    """A book and a talk, so that no table that people care for is empty."""
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    reply = app.test_client().post("/query", json={"query": "How long is the cheddar ripened?"})
    assert reply.status_code == 200


def test_migrations_make_what_the_models_say(app: OpenAPI) -> None:
    """A column that only the model knows fails in production alone."""
    upgrade()

    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, db.metadata) == []
    check()


def test_every_constraint_has_a_name(app: OpenAPI) -> None:
    """A later migration can only drop what it can call."""
    upgrade()

    inspector = inspect(db.engine)
    nameless = [
        table
        for table in db.metadata.tables
        for constraint in (
            inspector.get_pk_constraint(table),
            *inspector.get_foreign_keys(table),
            *inspector.get_unique_constraints(table),
            *inspector.get_check_constraints(table),
            *inspector.get_indexes(table),
        )
        if not constraint["name"]
    ]
    assert nameless == []


def test_twice_up_is_as_once(app: OpenAPI) -> None:
    """It is run at each start of a container."""
    upgrade()
    fill(app)

    upgrade()

    assert rows("messages") == 1


def test_full_database_goes_down_to_nothing_and_up_again(app: OpenAPI) -> None:
    """A migration that cannot be taken back cannot be tried."""
    upgrade()
    before = tables(db.engine)
    fill(app)

    downgrade(revision="base")
    at_the_bottom = tables(db.engine)
    upgrade()

    assert at_the_bottom == {"alembic_version"}
    assert tables(db.engine) == before
    assert rows("editions") == rows("messages") == 0


def test_full_database_goes_down_and_up_step_by_step(app: OpenAPI) -> None:
    """Each migration is taken back by itself when a release is, and loses only what it brought."""
    upgrade()
    fill(app)
    kept = {name: rows(name) for name in tables_of(STEPS[-1])}

    for revision in STEPS[:-1]:
        downgrade()
        upgrade(revision=revision)
        downgrade()

    assert kept["editions"] == kept["messages"] == 1
    assert {name: rows(name) for name in kept} == kept
    upgrade()
    assert {name: rows(name) for name in kept} == kept
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), db.metadata) == []


def tables_of(revision: str) -> set[str]:
    """Return the tables that a revision makes."""
    script = ScriptDirectory(str(MIGRATIONS)).get_revision(revision)
    made = re.findall(r'op\.create_table\(\s*"(\w+)"', Path(script.path).read_text())
    assert made
    return set(made)


def test_made_up_questions_go_with_the_column_that_told_them_apart(app: OpenAPI) -> None:
    """Without it an author would read them as her readers'; questions of readers keep their groups."""
    upgrade(revision="0009")
    group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
    question = question_row(book_version=None, cost_usd=None)
    with db.engine.begin() as connection:
        for number, is_example in ((1, False), (2, True)):
            told = {"is_example": is_example}
            connection.execute(insert(table("question_groups", *group, *told)).values(**group, **told))
            asked = {**question, "asked_at": "2026-03-02 09:00:00+00:00", **told, "group_id": number}
            connection.execute(insert(table("asked_questions", *asked)).values(**asked))

    upgrade(revision="0010")
    after = [(row.id, row.group_id) for row in kept_questions()]
    downgrade(revision="0009")
    examples = [row.is_example for row in kept_questions()]
    upgrade()

    assert after == [(1, 1)]
    assert [bool(one) for one in examples] == [False]
    assert [(row.id, row.group_id) for row in kept_questions()] == [(1, 1)]
    assert rows("question_groups") == 1


def kept_questions() -> list[Any]:
    with db.engine.connect() as connection:
        return list(connection.execute(text("SELECT * FROM asked_questions ORDER BY id")))


def table(name: str, *columns: str) -> TableClause:
    return sqlalchemy_table(name, *map(column, columns))


def test_statements_can_be_shown_without_a_change(app: OpenAPI, capsys: pytest.CaptureFixture[str]) -> None:
    """In some houses somebody else runs them."""
    upgrade(sql=True)

    shown = capsys.readouterr().out
    assert "CREATE TABLE messages" in shown
    assert tables(db.engine) == set()


def test_migration_waits_for_another_that_is_running(
    make_postgres_database: Callable[[], str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two containers that start together both migrate; on PostgreSQL one of them once failed."""
    url = make_postgres_database()
    lock = re.search(r"MIGRATION_LOCK = ([\d_]+)", (MIGRATIONS / "env.py").read_text())
    assert lock
    app = app_on(url, tmp_path)

    def migrate() -> None:
        with app.app_context():
            upgrade()
            db.engine.dispose()

    other = create_engine(url)
    with ThreadPoolExecutor(1) as threads:
        with other.connect() as running:
            running.execute(text(f"SELECT pg_advisory_lock({int(lock[1])})"))
            migrating = threads.submit(migrate)
            until = time.monotonic() + 60
            said = ""
            while "waiting for it" not in said and time.monotonic() < until:
                time.sleep(0.01)
                said += capfd.readouterr().err
            while_waiting = tables(other)
            running.execute(text("SELECT pg_advisory_unlock_all()"))
        migrating.result(60)

    assert "Another process migrates this database" in said
    assert while_waiting == set()
    assert {"editions", "messages", "alembic_version"} <= tables(other)
    other.dispose()


@pytest.fixture
def full_postgres(make_postgres_database: Callable[..., str], migrated_postgres: str, tmp_path: Path):
    """Yield an app on PostgreSQL with a book and a talk, in whose context commands are run."""
    app = app_on(make_postgres_database(migrated_postgres), tmp_path / "index")
    with app.app_context():
        fill(app)
        yield app
        db.engine.dispose()


def test_change_that_waits_for_a_reader_lets_the_others_through_and_comes_later(
    full_postgres: OpenAPI, with_later_migration: Callable[[str], str]
) -> None:
    """A long report reads the table, the change waits for it, and every reader waited behind the change."""
    folder = quick(with_later_migration("op.add_column('sessions', sa.Column('note', sa.Text()))"))
    url = db.engine.url
    reader = create_engine(url)

    def migrate() -> None:
        with full_postgres.app_context():
            upgrade(directory=folder)

    with ThreadPoolExecutor(1) as threads:
        with reader.connect() as report:
            report.execute(text("SELECT count(*) FROM sessions"))
            migrating = threads.submit(migrate)
            let_through = [read_with_patience(reader) for _ in range(3)]
            while_read = "note" in columns(reader, "sessions")
        migrating.result(60)

    assert let_through == [True] * 3
    assert not while_read
    assert "note" in columns(reader, "sessions")
    assert rows("sessions") == 1
    reader.dispose()


def test_change_that_never_gets_its_lock_is_an_error_and_changes_nothing(
    full_postgres: OpenAPI, with_later_migration: Callable[[str], str]
) -> None:
    """A release that waits for ever looks like one that works."""
    folder = quick(with_later_migration("op.add_column('sessions', sa.Column('note', sa.Text()))"))
    reader = create_engine(db.engine.url)
    with reader.connect() as report:
        report.execute(text("SELECT count(*) FROM sessions"))

        with pytest.raises(OperationalError, match="lock timeout"):
            upgrade(directory=folder)

    assert "note" not in columns(reader, "sessions")
    upgrade(directory=folder)
    assert "note" in columns(reader, "sessions")
    reader.dispose()


def quick(folder: str) -> str:
    """Return the same migrations with short waits between their tries."""
    env = Path(folder) / "env.py"
    source = env.read_text()
    hurried = re.sub(r"PAUSES_S = .*", "PAUSES_S = (0.05,) * 8", source)
    hurried = re.sub(r"LOCK_TIMEOUT = .*", 'LOCK_TIMEOUT = "200ms"', hurried)
    assert hurried.count("0.05") == hurried.count("200ms") == 1
    env.write_text(hurried)
    return folder


def columns(engine: Engine, table: str) -> set[str]:
    return {str(column["name"]) for column in inspect(engine).get_columns(table)}


def read_with_patience(engine: Engine) -> bool:
    """Return whether a reader who comes while a change waits is served within a second."""
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        connection.execute(text("SELECT count(*) FROM sessions"))
    return True


@pytest.fixture
def with_later_migration(tmp_path: Path) -> Callable[[str], str]:
    """Write one more migration with this body and return the folder of all of them."""

    def write(body: str) -> str:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        head = ScriptDirectory(str(folder)).get_current_head()
        (folder / "versions" / "9999_later.py").write_text(
            "import sqlalchemy as sa\n"
            "from alembic import op\n"
            f"revision, down_revision, branch_labels, depends_on = '9999', {head!r}, None, None\n"
            f"def upgrade():\n    {body}\n"
        )
        return str(folder)

    return write


def test_rebuilding_a_table_deletes_nothing_that_points_to_it(
    app: OpenAPI, with_later_migration: Callable[[str], str]
) -> None:
    """SQLite changes a column by dropping the table; with foreign keys on, every message went with it."""
    upgrade()
    fill(app)
    folder = with_later_migration(
        "with op.batch_alter_table('sessions', recreate='auto') as table:\n"
        "        table.alter_column('expires_at', nullable=True)"
    )

    upgrade(directory=folder)

    assert rows("sessions") == rows("messages") == 1
    assert rows("chunks") == 3


def test_foreign_keys_hold_again_after_a_migration(
    app: OpenAPI, with_later_migration: Callable[[str], str]
) -> None:
    """The connection that migrated may be the next one that deletes a session."""
    upgrade()
    fill(app)
    upgrade(directory=with_later_migration("op.add_column('sessions', sa.Column('note', sa.Text()))"))

    conversations: ConversationStore = services_of(app).conversations
    with db.engine.connect() as connection:
        session_id = connection.scalar(text("SELECT id FROM sessions"))
    conversations.delete_session(session_id)

    assert rows("messages") == 0


def test_migration_that_fails_in_the_middle_changes_nothing(
    app: OpenAPI, with_later_migration: Callable[[str], str]
) -> None:
    """Half a migration can neither be run again nor taken back."""
    upgrade()
    folder = with_later_migration(
        "op.create_table('half', sa.Column('id', sa.Integer()))\n    raise ArithmeticError('in the middle')"
    )

    with pytest.raises(ArithmeticError):
        upgrade(directory=folder)

    assert "half" not in tables(db.engine)
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) != "9999"
