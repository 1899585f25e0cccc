"""Test rollbacks: the previous version works on this one's tables, and each migration can be undone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy import create_engine, inspect

from ragbot.config import PROJECT_ROOT
from ragbot.extensions import db
from ragbot.storage.database import Database
from ragbot.storage.migrations import SchemaCheck, migrate_up
from tests.backup.conftest import CHEDDAR, Service
from tests.conftest import THREE_CHAPTERS

MIGRATIONS = PROJECT_ROOT / "migrations"

# Migrations that take away what the version before theirs still used would stand here with the version in
# which its last reader went.
# 0010: what it drops came with 0009 in the same release, so that no version before it ever read it.
CONTRACTIONS: frozenset[str] = frozenset({"0010"})

# What a next version may do while this one still runs: columns that may be empty, tables, indexes.
EXPANSION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", {head!r}, None, None


def upgrade():
    for table in ("messages", "sessions", "editions", "chunks", "pages", "idempotency_keys"):
        op.add_column(table, sa.Column("note", sa.Text()))
    op.add_column("messages", sa.Column("stars", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "bookmarks",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE")),
    )
    op.create_index("ix_messages_note", "messages", ["note"])


def downgrade():
    op.drop_table("bookmarks")
    op.drop_index("ix_messages_note", table_name="messages")
    with op.batch_alter_table("messages") as table:
        table.drop_column("stars")
    for table in ("messages", "sessions", "editions", "chunks", "pages", "idempotency_keys"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("note")
"""


@pytest.fixture
def next_migrations(tmp_path: Path) -> str:
    """Write the migrations of a next version of this program."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    head = ScriptDirectory(str(folder)).get_current_head()
    (folder / "versions" / "9999_next.py").write_text(EXPANSION.format(head=head))
    return str(folder)


def test_this_program_works_on_the_tables_of_the_next_one(service: Service, next_migrations: str) -> None:
    """A rollback starts the previous image and does not touch the database, so there is no hurry."""
    with service.app.app_context():
        upgrade(directory=next_migrations)
        db.engine.dispose()
    client = service.app.test_client()

    asked = client.post("/query", json={"query": CHEDDAR})
    session = f"/sessions/{asked.json['session_id']}"
    message = f"{session}/messages/{asked.json['message_id']}"
    replies = [
        asked,
        client.post("/query", json={"query": "And where?", "session_id": asked.json["session_id"]}),
        client.get(session),
        client.put(f"{message}/feedback", json={"rating": "up"}),
        client.get("/health/ready"),
        client.delete(session),
    ]
    service.parts.ingestion.ingest_book(THREE_CHAPTERS, edition="second", site_url="https://book.test/")
    commands = [
        ("book", "list"),
        ("book", "publish", "first"),
        ("book", "remove", "second"),
        ("session", "prune"),
        ("backup", "create"),
        ("db", "upgrade"),
    ]

    assert [reply.status_code for reply in replies] == [200, 200, 200, 204, 200, 204]
    for command in commands:
        assert service.flask(*command).exit_code == 0, command
    assert service.ask() == "answered"


def test_start_of_this_program_does_not_fail_on_the_tables_of_the_next_one(
    service: Service, next_migrations: str
) -> None:
    """Each container migrates when it starts; one that is put back finds itself behind."""
    with service.app.app_context():
        upgrade(directory=next_migrations)
        db.engine.dispose()

    started = service.flask("db", "upgrade")
    onward = service.flask("db", "upgrade", "--directory", next_migrations)

    assert (started.exit_code, onward.exit_code) == (0, 0)
    assert "later program" in started.stderr
    assert "later program" not in onward.stderr
    assert service.rows("alembic_version") == {"alembic_version": [("9999",)]}


def test_next_program_s_migration_can_be_undone_by_its_own_command(
    service: Service, next_migrations: str
) -> None:
    """If the tables themselves are at fault and the new ones are not used yet."""
    before = service.rows("messages", "sessions", "editions")
    with service.app.app_context():
        upgrade(directory=next_migrations)
        db.engine.dispose()

    undone = service.flask("db", "downgrade", "--directory", next_migrations)

    assert undone.exit_code == 0, undone.output
    assert service.rows("messages", "sessions", "editions") == before
    assert service.flask("db", "check").exit_code == 0


@pytest.mark.parametrize("spelling", [("downgrade",), ("downgrade", "--", "-1")])
def test_one_step_down_has_two_spellings(service: Service, spelling: tuple[str, ...]) -> None:
    """`downgrade -1` alone is taken for an option."""
    undone = service.flask("db", *spelling)

    steps = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert undone.exit_code == 0
    assert service.rows("alembic_version") == {"alembic_version": [(steps[1],)]}
    assert len(service.rows("messages")["messages"]) == 2


def test_edition_before_is_one_command_away(service: Service, tmp_path: Path) -> None:
    """A book that came out wrong is taken back without a deployment."""
    book = Path(shutil.copytree(THREE_CHAPTERS, tmp_path / "book"))
    cheese = book / "02-cheese.md"
    cheese.write_text(cheese.read_text().replace("nine months", "four months"))
    service.flask("book", "ingest", book, "--edition", "second", "--site-url", "https://book.test/")

    published = service.flask("book", "publish", "first")

    assert published.stdout == "Published first.\n"
    answer = service.app.test_client().post("/query", json={"query": CHEDDAR}).json
    assert "nine months" in answer["answer"]


# --- every migration that there is -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    kind: str
    may_be_empty: bool
    has_default: bool


# By table and name.
Columns = dict[tuple[str, str], Column]


def columns(url: str) -> Columns:
    """Return every column of a database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        inspector = inspect(connection)
        found = {
            (table, column["name"]): Column(
                str(column["type"]), column["nullable"], column["default"] is not None
            )
            for table in inspector.get_table_names()
            for column in inspector.get_columns(table)
        }
    engine.dispose()
    return found


def against_expansion(
    before: dict[tuple[str, str], Column], after: dict[tuple[str, str], Column]
) -> list[str]:
    """Return the changes that break a program which knows the columns of before."""
    tables = {table for table, _ in before}
    faults = [f"{table}.{name} is gone" for table, name in before.keys() - after.keys()]
    for place, column in after.items():
        known = before.get(place)
        told = ".".join(place)
        if known and known.kind != column.kind:
            faults.append(f"{told} is {column.kind} and was {known.kind}")
        if known and known.may_be_empty and not column.may_be_empty:
            faults.append(f"{told} must not be empty any more")
        if known is None and place[0] in tables and not (column.may_be_empty or column.has_default):
            faults.append(f"{told} is new and must be filled")
    return faults


@pytest.fixture
def steps() -> list[str]:
    """Return the revisions from the first to the newest."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def test_every_migration_only_expands(empty_url: str, steps: list[str], tmp_path: Path) -> None:
    """Expand, migrate, contract: what goes must have had no reader in the version before."""
    (tmp_path / "other").mkdir()
    faults = {}
    migrate_up(empty_url, MIGRATIONS, to=steps[0])
    before = columns(empty_url)
    for step in steps[1:]:
        migrate_up(empty_url, MIGRATIONS, to=step)
        after = columns(empty_url)
        if step not in CONTRACTIONS and (found := against_expansion(before, after)):
            faults[step] = found
        before = after

    assert faults == {}


def test_check_of_expansion_can_fail() -> None:
    """A rule that nothing can break checks nothing."""
    text, number = Column("TEXT", True, False), Column("INTEGER", False, False)
    before = {("messages", "answer"): text, ("messages", "id"): number, ("messages", "note"): text}
    after = {
        ("messages", "answer"): Column("TEXT", False, False),
        ("messages", "id"): Column("BIGINT", False, False),
        ("messages", "stars"): number,
        ("bookmarks", "id"): number,
    }

    assert sorted(against_expansion(before, after)) == [
        "messages.answer must not be empty any more",
        "messages.id is BIGINT and was INTEGER",
        "messages.note is gone",
        "messages.stars is new and must be filled",
    ]


def test_program_before_the_newest_migration_is_ready_on_the_newest_tables(
    service: Service, steps: list[str], tmp_path: Path
) -> None:
    """Its /health/ready must not say `down` when it is put back."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns(f"{steps[-1]}_*", "__pycache__"))

    with service.app.app_context():
        assert SchemaCheck(Database(db.engine), folder).is_current()
