"""Test migrations and questions behind a real PgBouncer that hands out transactions."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import Result
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, make_url, text

from harness.gunicorn_process import free_port
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import postgres_programs
from tests.storage.migrated_app import MIGRATIONS, app_on
from tests.system.scripts import run_script
from tests.system.storage.test_migrations import REPLICAS

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.server,
    pytest.mark.sqlite_is_enough,
    pytest.mark.skipif(not PGBOUNCER, reason="pgbouncer is not here (Debian: pgbouncer)"),
]

CONFIGURATION = """
[databases]
{database} = host={host} port=5432 user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
"""


@contextmanager
def pooled(url: str, folder: Path, *, pool_size: int = 2) -> Iterator[str]:
    """Yield the address of a database behind a pooler."""
    direct, port = make_url(url), free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            database=direct.database,
            host=direct.query["host"],
            user=direct.username,
            password=direct.password or "none",
            port=port,
            pool_size=pool_size,
        )
    )
    # It refuses to run as root, and nobody but the server's own user may open its socket.
    owner = pwd.getpwuid(Path(str(direct.query["host"])).stat().st_uid).pw_name
    as_owner = ["-u", owner] if os.geteuid() == 0 else []
    command = [str(PGBOUNCER), *as_owner, str(configuration)]
    log = (folder / "pgbouncer.log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        behind = direct.set(host="127.0.0.1", port=port, username="reader", password="x", query={})
        address = behind.render_as_string(hide_password=False)
        wait_for(address, folder / "pgbouncer.log")
        yield address
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def wait_for(address: str, log: Path) -> None:
    engine = create_engine(address)
    until = time.monotonic() + 60
    while True:
        try:
            with engine.connect():
                break
        except Exception:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
    engine.dispose()


@pytest.fixture
def empty_postgres(make_postgres_database: Callable[..., str]) -> str:
    """Return the direct address of a database without tables."""
    return make_postgres_database()


def settings_left(url: str) -> set[str]:
    """Return the limits of statements on the two connections of the pooler."""
    engine = create_engine(url, pool_size=4)
    # Both at once, so that the pooler has to give each of its two.
    with engine.connect() as one, engine.connect() as two:
        left = {str(connection.scalar(text("SHOW statement_timeout"))) for connection in (one, two)}
    engine.dispose()
    return left


def is_migrated(engine: Engine) -> bool:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), db.metadata) == []


def test_replicas_migrate_one_after_the_other_and_leave_nothing_behind(
    empty_postgres: str, tmp_path: Path
) -> None:
    """A lock of a session stayed on the pooler's connection, and every later migration waited for ever."""
    with pooled(empty_postgres, tmp_path) as address:
        said = [run_script(REPLICAS, address) for _ in range(2)]
        limits = settings_left(address)

    assert [one.splitlines()[-1] for one in said] == ["[0, 0, 0, 0]"] * 2
    assert "0" not in limits
    engine = create_engine(empty_postgres)
    assert is_migrated(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0
    engine.dispose()


def test_lock_that_stays_ends_in_a_sentence(
    empty_postgres: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A release that hangs says nothing to whoever waits for it."""
    folder = hurried(tmp_path, WAIT_FOR_OTHERS_S="0.5", LOOK_EVERY_S="0.05")
    holder = create_engine(empty_postgres)
    lock = re.search(r"MIGRATION_LOCK = ([\d_]+)", (MIGRATIONS / "env.py").read_text())
    assert lock
    with pooled(empty_postgres, tmp_path) as address, holder.connect() as session:
        session.execute(text(f"SELECT pg_advisory_lock({int(lock[1])})"))
        app = app_on(address, tmp_path / "index")
        with app.app_context(), pytest.raises(SystemExit):
            upgrade(directory=folder)
        with app.app_context():
            db.engine.dispose()
    holder.dispose()

    assert "pg_terminate_backend" in caplog.text


def test_pooler_with_a_single_connection_ends_in_a_sentence(
    empty_postgres: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The lock has one and the migrations need another."""
    folder = hurried(tmp_path, SECOND_CONNECTION_S="0.5")
    with pooled(empty_postgres, tmp_path, pool_size=1) as address:
        app = app_on(address, tmp_path / "index")
        with app.app_context(), pytest.raises(SystemExit):
            upgrade(directory=folder)
        with app.app_context():
            db.engine.dispose()

    assert "default_pool_size" in caplog.text


def test_book_is_ingested_and_asked_behind_the_pooler(empty_postgres: str, tmp_path: Path) -> None:
    """As an operator sets it up: everything by the one address."""
    with pooled(empty_postgres, tmp_path, pool_size=4) as address:
        app = app_on(address, tmp_path / "index")
        with app.app_context():
            upgrade()
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")

        reply = app.test_client().post("/query", json={"query": "How long is the cheddar ripened?"})
        kept = app.test_client().get(f"/sessions/{reply.json['session_id']}").json["messages"]
        with app.app_context():
            db.engine.dispose()

    assert (reply.status_code, reply.json["degraded"]) == (200, [])
    assert [message["status"] for message in kept] == ["answered"]


@pytest.mark.parametrize("words", [["create"], ["restore", "--yes"], ["drill"]], ids=" ".join)
def test_programs_of_the_server_never_go_through_the_pooler(
    empty_postgres: str, tmp_path: Path, words: list[str]
) -> None:
    """They empty the search path of a connection that a reader gets next, who then finds no table."""
    with pooled(empty_postgres, tmp_path, pool_size=4) as address:
        made = backed_up(address, tmp_path, DATABASE_DIRECT_URL=empty_postgres)
        told = backup_command(address, tmp_path, words)
        paths = {setting_of(address, "search_path") for _ in range(8)}

    assert made.exit_code == 0, made.stderr
    assert told.exit_code == 1
    assert told.stderr.count("\n") == 1
    assert "DATABASE_DIRECT_URL" in told.stderr
    assert paths == {'"$user", public'}


def test_backup_restore_and_drill_pass_by_the_pooler(empty_postgres: str, tmp_path: Path) -> None:
    """The service goes on through the pooler meanwhile, and is asked right after."""
    direct = {"DATABASE_DIRECT_URL": empty_postgres}
    with pooled(empty_postgres, tmp_path, pool_size=4) as address:
        app = app_on(address, tmp_path / "index")
        assert backed_up(address, tmp_path, **direct).exit_code == 0
        before = app.test_client().post("/query", json={"query": "How long is the cheddar ripened?"})

        told = [
            backup_command(address, tmp_path, words, **direct) for words in (["drill"], ["restore", "--yes"])
        ]
        after = app.test_client().post("/query", json={"query": "How long is the cheddar ripened?"})
        with app.app_context():
            db.engine.dispose()

    assert [one.exit_code for one in told] == [0, 0], [one.stderr for one in told]
    assert before.json["degraded"] == after.json["degraded"] == []
    assert after.json["session_id"]


def backed_up(address: str, tmp_path: Path, **settings: str) -> Result:
    """Migrate, ingest a book and back it up."""
    app = app_on(address, tmp_path / "index")
    with app.app_context():
        upgrade()
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context():
        db.engine.dispose()
    return backup_command(address, tmp_path, ["create"], **settings)


def backup_command(address: str, tmp_path: Path, words: list[str], **settings: str) -> Result:
    app = create_app(
        {
            "DATABASE_URL": address,
            "ENVIRONMENT": "testing",
            "EMBEDDER": "none",
            "INDEX_DIR": str(tmp_path / "index"),
            "BACKUP_URL": str(tmp_path / "backups"),
            "PG_BIN_DIR": str(postgres_programs()),
            **settings,
        }
    )
    result = app.test_cli_runner().invoke(args=["backup", *words])
    with app.app_context():
        db.engine.dispose()
    return result


def setting_of(address: str, name: str) -> str:
    """Return a setting of the connection that the pooler gives."""
    engine = create_engine(address)
    with engine.connect() as connection:
        value = str(connection.scalar(text(f"SHOW {name}")))
    engine.dispose()
    return value


def hurried(tmp_path: Path, **constants: str) -> str:
    """Return a copy of the migrations with shorter waits."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    env = folder / "env.py"
    source = env.read_text()
    for name, value in constants.items():
        source, found = re.subn(rf"^{name} = .*", f"{name} = {value}", source, flags=re.MULTILINE)
        assert found == 1
    env.write_text(source)
    return str(folder)
