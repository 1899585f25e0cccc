"""Test that a restore brings back everything that was committed before the backup."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from flask_migrate import downgrade
from sqlalchemy import make_url

from ragbot.backup.archive import describe_member, extract_backup, read_manifest, write_archive
from ragbot.backup.manifest import Manifest
from ragbot.extensions import db
from tests.backup.conftest import (
    KEPT_TABLES,
    OpenService,
    Service,
    close,
    fill,
    postgres_programs,
)
from tests.commands import failed_in_one_sentence


@pytest.fixture
def other(empty_url: str, open_anywhere: OpenService, tmp_path: Path) -> Service:
    """Open a service on an empty database of the same kind, with the same folder of backups."""
    return open_anywhere(empty_url, tmp_path)


def repacked(archive: Path, change: Callable[[Manifest, Path], Manifest]) -> None:
    """Write an archive again with a change in it and correct checksums."""
    folder = archive.parent / "repacked"
    folder.mkdir()
    with archive.open("rb") as stream:
        manifest = extract_backup(stream, folder)
    changed = change(manifest, folder)
    members = {name: describe_member(folder / name) for name in changed.members}
    archive.unlink()
    write_archive(replace(changed, members=members), folder, archive)
    shutil.rmtree(folder)


# --- there and back ----------------------------------------------------------------------------


def test_everything_comes_back_in_an_empty_database(service: Service, other: Service) -> None:
    """Row for row, and the next question is answered."""
    service.execute(
        "INSERT INTO spending (day, model, input_tokens, output_tokens, cost_usd) "
        "VALUES ('2026-03-18', 'gpt-4o', 3000000000, 20, 0.5)"
    )
    service.flask("backup", "create")

    restored = other.flask("backup", "restore")

    assert restored.exit_code == 0
    assert "Restored ragbot-" in restored.stdout
    assert other.rows(*KEPT_TABLES) == service.rows(*KEPT_TABLES)
    assert other.ask() == "answered"


def test_new_rows_get_new_ids_after_a_restore(service: Service, other: Service) -> None:
    """A sequence that began again would collide with what was restored."""
    service.flask("backup", "create")
    other.flask("backup", "restore")

    other.ask()

    ids = [row[0] for row in other.rows("messages")["messages"]]
    assert ids == [1, 2, 3]


def test_what_is_worth_nothing_is_left_out(service: Service, other: Service, tmp_path: Path) -> None:
    """Callers' addresses, above all: not even in the free pages of the file."""
    for table, values in {
        "quota_counts (counter, hits, ends_at)": "('minute/203.0.113.9', 1, 9e9)",
        "shared_states (name, state, expires_at)": "('circuit/openai', '{}', 9e9)",
        "cache_entries (key, value, expires_at)": "('answer/1', '203.0.113.9', 9e9)",
    }.items():
        service.execute(f"INSERT INTO {table} VALUES {values}")
    service.flask("backup", "create")
    (tmp_path / "out").mkdir()
    with service.archive().open("rb") as stream:
        manifest = extract_backup(stream, tmp_path / "out")

    other.flask("backup", "restore")

    assert b"203.0.113.9" not in (tmp_path / "out" / manifest.dump).read_bytes()
    assert other.rows("quota_counts", "shared_states", "cache_entries") == {
        "quota_counts": [],
        "shared_states": [],
        "cache_entries": [],
    }
    assert service.rows("quota_counts")["quota_counts"]


def test_backup_shows_one_moment_while_readers_go_on_writing(service: Service, other: Service) -> None:
    """The rows that its manifest counts are those that it holds: no message without its session."""
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            service.parts.conversations.start_session()

    readers = [threading.Thread(target=talk) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        made = service.flask("backup", "create")
    finally:
        stop.set()
        for reader in readers:
            reader.join()

    assert made.exit_code == 0
    assert other.flask("backup", "restore").exit_code == 0
    assert 2 <= len(other.rows("sessions")["sessions"]) <= len(service.rows("sessions")["sessions"])


def test_workers_that_run_see_the_restored_rows(service: Service) -> None:
    """The operator should stop them first; one who forgot finds no broken service."""
    service.flask("backup", "create")
    before = service.rows(*KEPT_TABLES)
    service.ask()

    restored = service.flask("backup", "restore", "--yes")

    assert restored.exit_code == 0
    assert service.rows(*KEPT_TABLES) == before
    assert service.ask() == "answered"


# --- refusals, and what was there stays --------------------------------------------------------


def test_rows_are_not_overwritten_without_a_yes(service: Service) -> None:
    """The operator was on the wrong machine."""
    service.flask("backup", "create")
    service.ask()
    before = service.rows(*KEPT_TABLES)

    refused = service.flask("backup", "restore")

    assert failed_in_one_sentence(refused)
    assert "3 messages" in refused.stderr
    assert "--yes" in refused.stderr
    assert service.rows(*KEPT_TABLES) == before


def test_migrated_database_without_rows_needs_no_yes(service: Service, other: Service) -> None:
    """A container migrates before an operator can restore into it, and nothing would be lost."""
    service.flask("backup", "create")
    other.flask("db", "upgrade")

    assert other.flask("backup", "restore").exit_code == 0
    assert len(other.rows("messages")["messages"]) == 2


def count_one_more(manifest: Manifest, _folder: Path) -> Manifest:
    return replace(manifest, rows={**manifest.rows, "messages": manifest.rows["messages"] + 1})


def cut_the_dump(manifest: Manifest, folder: Path) -> Manifest:
    dump = folder / manifest.dump
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    return manifest


def write_rubbish(manifest: Manifest, folder: Path) -> Manifest:
    (folder / manifest.dump).write_bytes(b"no database" * 1000)
    return manifest


@pytest.mark.parametrize("change", [count_one_more, cut_the_dump, write_rubbish])
def test_restore_that_fails_leaves_what_was_there(
    service: Service, change: Callable[[Manifest, Path], Manifest]
) -> None:
    """A bad backup must not cost the good database."""
    service.flask("backup", "create")
    repacked(service.archive(), change)
    before = service.rows(*KEPT_TABLES)

    failed = service.flask("backup", "restore", "--yes")

    assert failed_in_one_sentence(failed)
    assert service.rows(*KEPT_TABLES) == before
    assert service.ask() == "answered"


def test_damaged_archive_is_noticed_before_anything_is_touched(service: Service) -> None:
    """Checksums come first."""
    service.flask("backup", "create")
    content = bytearray(service.archive().read_bytes())
    # (A single bit may be one that fills a byte and means nothing.)
    middle = len(content) // 2
    content[middle : middle + 32] = bytes(32)
    service.archive().write_bytes(bytes(content))

    for command in (("backup", "verify"), ("backup", "restore", "--yes"), ("backup", "drill")):
        result = service.flask(*command)

        assert failed_in_one_sentence(result)
        assert service.archive().name in result.stderr
    assert len(service.rows("messages")["messages"]) == 2


def test_backup_of_a_later_program_is_refused(service: Service, other: Service) -> None:
    """Its tables are not those that this program was written for."""
    service.flask("backup", "create")
    repacked(service.archive(), lambda manifest, _: replace(manifest, revision="9999"))

    refused = other.flask("backup", "restore")

    assert failed_in_one_sentence(refused)
    assert "later program (revision 9999" in refused.stderr


def test_database_of_a_later_program_is_not_replaced(service: Service) -> None:
    """Tables that this program does not know would be left between the others."""
    service.flask("backup", "create")
    service.execute("UPDATE alembic_version SET version_num = '9999'")

    refused = service.flask("backup", "restore", "--yes")

    assert failed_in_one_sentence(refused)
    assert "revision 9999" in refused.stderr
    assert len(service.rows("messages")["messages"]) == 2


def test_database_of_a_later_program_is_backed_up_all_the_same(service: Service) -> None:
    """During a rollback the nights go on; what the later program wrote is in it, for that program."""
    service.execute("CREATE TABLE bookmarks (id INTEGER PRIMARY KEY)")
    service.execute("INSERT INTO bookmarks VALUES (7)")
    service.execute("UPDATE alembic_version SET version_num = '9999'")

    made = service.flask("backup", "create")

    with service.archive().open("rb") as stream:
        manifest = read_manifest(stream)
    assert made.exit_code == 0
    assert (manifest.revision, manifest.rows["bookmarks"]) == ("9999", 1)
    assert service.flask("backup", "verify").exit_code == 0


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_backup_of_another_kind_of_database_is_refused(
    service: Service, make_postgres_database: Callable[[], str], open_anywhere: OpenService, tmp_path: Path
) -> None:
    """A move from SQLite to PostgreSQL is another job."""
    service.flask("backup", "create")

    refused = open_anywhere(make_postgres_database(), tmp_path).flask("backup", "restore")

    assert failed_in_one_sentence(refused)
    assert "of sqlite" in refused.stderr


def test_database_without_tables_is_not_backed_up(other: Service) -> None:
    """A mistyped DATABASE_URL would otherwise make good backups of nothing, night after night."""
    refused = other.flask("backup", "create")

    assert failed_in_one_sentence(refused)
    assert "flask db upgrade" in refused.stderr
    assert not list(other.backups.glob("ragbot-*"))


# --- older tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("into", ["empty", "full"])
def test_archive_of_older_tables_is_brought_up(service: Service, other: Service, into: str) -> None:
    """Last year's archive is of use to this year's program, over a database of this year too."""
    # The older tables cannot hold it.
    service.execute("UPDATE messages SET grounding = NULL")
    before = service.rows("sessions", "messages", "editions")
    with service.app.app_context():
        downgrade(revision="0002")
    made = service.flask("backup", "create")
    target = other
    if into == "full":
        with service.app.app_context():
            db.engine.dispose()
        service.flask("db", "upgrade")
        target = service

    restored = target.flask("backup", "restore", *(["--yes"] if into == "full" else []))

    assert "revision 0002" in made.stdout
    assert restored.exit_code == 0, restored.stderr
    assert target.rows("sessions", "messages", "editions") == before
    assert target.ask() == "answered"
    assert target.flask("db", "check").exit_code == 0


# --- each kind's own ---------------------------------------------------------------------------


@pytest.mark.parametrize("wreck", ["missing", "rubbish", "stale log"])
def test_sqlite_file_that_is_wrecked_is_replaced(sqlite_service: Service, wreck: str) -> None:
    """After a disk fault there is a file, but no database; an old log must not be played into the new one."""
    sqlite_service.flask("backup", "create")
    before = sqlite_service.rows(*KEPT_TABLES)
    close(sqlite_service)
    path = Path(sqlite_service.url.removeprefix("sqlite:///"))
    if wreck == "missing":
        shutil.rmtree(path.parent)
    else:
        path.write_bytes(b"rubbish" * 2000)
    if wreck == "stale log":
        path.with_name("ragbot.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))

    unasked = sqlite_service.flask("backup", "restore")
    restored = sqlite_service.flask("backup", "restore", "--yes")

    assert (unasked.exit_code == 0) is (wreck == "missing")
    assert restored.exit_code == 0, restored.stderr
    assert sqlite_service.rows(*KEPT_TABLES) == before


def test_sqlite_database_that_stays_locked_is_one_sentence(
    sqlite_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left unchanged, and the command does not wait for ever."""
    monkeypatch.setattr("ragbot.backup.sqlite.LOCK_PATIENCE_S", 0.2)
    sqlite_service.flask("backup", "create")
    path = sqlite_service.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM messages")
        failed = sqlite_service.flask("backup", "restore", "--yes")
        writer.execute("COMMIT")

    assert failed_in_one_sentence(failed)
    assert "locked" in failed.stderr
    assert sqlite_service.rows("messages") == {"messages": []}


@pytest.fixture
def on_postgres(
    make_postgres_database: Callable[..., str],
    filled_postgres: str,
    open_anywhere: OpenService,
    tmp_path: Path,
) -> Callable[..., Service]:
    """Open a service on its own PostgreSQL database, with these programs."""

    def make(programs: Path, password: str = "secret") -> Service:
        url = make_url(make_postgres_database(filled_postgres)).set(password=password)
        overrides = {"PG_BIN_DIR": str(programs)}
        return open_anywhere(url.render_as_string(hide_password=False), tmp_path, overrides)

    return make


def programs_that_tell(folder: Path) -> Path:
    """Put the real programs behind scripts that record their arguments."""
    folder.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        real = postgres_programs() / name
        write_script(
            folder / name,
            f'echo "$@" >> {folder}/argv\n/usr/bin/env >> {folder}/env\nexec {real} "$@"\n',
        )
    return folder


def write_script(path: Path, commands: str) -> None:
    """Write a script for the shell; skip the test where the folder is `noexec`, as Docker's /tmp."""
    path.write_text(f"#!/bin/sh\n{commands}")
    path.chmod(0o755)
    if not os.access(path, os.X_OK):
        pytest.skip("no program runs from the temporary folder")


def test_password_is_in_no_argument(on_postgres: Callable[..., Service], tmp_path: Path) -> None:
    """`ps` shows arguments to every user of the machine."""
    programs = programs_that_tell(tmp_path / "programs")
    service = on_postgres(programs, password="hunter2")

    for command in (("create",), ("verify",), ("drill",), ("restore", "--yes")):
        assert service.flask("backup", *command).exit_code == 0

    assert "hunter2" not in (programs / "argv").read_text()
    assert "PGPASSWORD=hunter2" in (programs / "env").read_text()
    assert "--single-transaction" in (programs / "argv").read_text()


def test_programs_older_than_the_server_are_refused(
    on_postgres: Callable[..., Service], tmp_path: Path
) -> None:
    """Their dumps would lack what they do not know."""
    (tmp_path / "old").mkdir()
    write_script(tmp_path / "old" / "pg_dump", "echo 'pg_dump (PostgreSQL) 14.9 (Debian 14.9-1)'\n")

    refused = on_postgres(tmp_path / "old").flask("backup", "create")

    assert failed_in_one_sentence(refused)
    assert "version 14, older than the server's" in refused.stderr
    assert "PG_BIN_DIR" in refused.stderr


def test_programs_later_than_the_server_restore_what_they_dumped(
    on_postgres: Callable[..., Service], tmp_path: Path
) -> None:
    """Their scripts begin with parameters of their own version, which the server does not know."""
    programs = programs_that_tell(tmp_path / "programs")
    later = programs / "pg_restore"
    whole = later.read_text().rstrip()
    added = "s/^SET lock_timeout = 0;/&\\nSET timeout_of_a_later_version = 0;/"
    later.write_text(whole.replace("exec ", 'case "$*" in *=-*) ') + f" | sed '{added}';; *) exit 0;; esac\n")
    service = on_postgres(programs)
    service.flask("backup", "create")
    before = service.rows(*KEPT_TABLES)
    service.ask()

    restored = service.flask("backup", "restore", "--yes")
    drilled = service.flask("backup", "drill")

    assert (restored.exit_code, drilled.exit_code) == (0, 0), restored.stderr + drilled.stderr
    assert service.rows(*KEPT_TABLES) == before


def test_missing_programs_are_one_sentence(on_postgres: Callable[..., Service], tmp_path: Path) -> None:
    """A slim image has none."""
    service = on_postgres(tmp_path / "nowhere")

    refused = service.flask("backup", "create")

    assert failed_in_one_sentence(refused)
    assert "pg_dump is not in" in refused.stderr


def test_dump_that_breaks_off_while_it_is_played_is_rolled_back(
    on_postgres: Callable[..., Service], tmp_path: Path
) -> None:
    """The end of what psql reads would commit what came before it."""
    programs = programs_that_tell(tmp_path / "programs")
    service = on_postgres(programs)
    service.flask("backup", "create")
    before = service.rows(*KEPT_TABLES)
    breaks = programs / "pg_restore"
    whole = breaks.read_text()
    breaks.write_text(
        whole.replace("exec ", 'case "$*" in *=-*) ').rstrip() + " | head -c 9000; exit 1;; esac\n"
    )

    failed = service.flask("backup", "restore", "--yes")

    assert failed_in_one_sentence(failed)
    assert "left as it was" in failed.stderr
    assert service.rows(*KEPT_TABLES) == before


def test_database_that_is_unavailable_is_one_sentence(open_anywhere: OpenService, tmp_path: Path) -> None:
    """And the password is not in it."""
    service = open_anywhere("postgresql://alice:hunter2@127.0.0.1:9/books", tmp_path)

    failed = service.flask("backup", "create")

    assert failed.exit_code == 1
    assert "Error: The database cannot be used: " in failed.stderr
    assert "hunter2" not in failed.stderr


# --- a schema of the service's own -------------------------------------------------------------


@pytest.fixture
def in_schema(
    make_postgres_database: Callable[..., str], open_anywhere: OpenService, tmp_path: Path
) -> Callable[..., Service]:
    """Open a service on an empty PostgreSQL database of its own, with the tables in a schema."""

    def make(schema: str, *, by_address: bool = True) -> Service:
        url = make_url(make_postgres_database())
        if by_address:
            path = f'-csearch_path="{schema}"'.replace(" ", r"\ ")
            url = url.update_query_dict({"options": f"-clock_timeout=9s {path}"})
        else:
            service = open_anywhere(url.render_as_string(hide_password=False), tmp_path)
            service.execute(f'ALTER DATABASE {url.database} SET search_path TO "{schema}"')
            close(service)
        return open_anywhere(url.render_as_string(hide_password=False), tmp_path)

    return make


@pytest.mark.parametrize("schema", ["ragbot", "Ragbot's books"])
@pytest.mark.parametrize("by_address", [True, False])
def test_schema_of_its_own_is_drilled_and_restored(
    in_schema: Callable[..., Service], schema: str, by_address: bool
) -> None:
    """The guide advises one, and no dump creates it."""
    service, other = (in_schema(schema, by_address=by_address) for _ in range(2))
    service.execute(f'CREATE SCHEMA "{schema}"')
    service.flask("db", "upgrade")
    fill(service)
    made = service.flask("backup", "create")
    assert made.exit_code == 0, made.stderr

    drilled = service.flask("backup", "drill")
    restored = other.flask("backup", "restore")

    assert (drilled.exit_code, restored.exit_code) == (0, 0), drilled.stderr + restored.stderr
    assert other.rows(*KEPT_TABLES) == service.rows(*KEPT_TABLES)
    assert other.flask("backup", "restore", "--yes").exit_code == 0
    assert other.ask() == "answered"


def test_address_that_leads_to_another_schema_is_one_sentence(
    on_postgres: Callable[..., Service], in_schema: Callable[..., Service]
) -> None:
    """The tables would be where the service does not look for them."""
    on_postgres(postgres_programs()).flask("backup", "create")
    other = in_schema("ragbot")

    refused = other.flask("backup", "restore")

    assert failed_in_one_sentence(refused)
    assert "of the schema public" in refused.stderr
    assert "search_path=public" in refused.stderr
