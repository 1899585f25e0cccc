"""Test the backup commands: their output and exit codes."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from ragbot.backup.archive import extract_backup, write_archive
from ragbot.backup.archive_storage import new_archive_name
from ragbot.config import PROJECT_ROOT
from ragbot.extensions import db
from tests.backup.conftest import OpenService, Service
from tests.commands import failed_in_one_sentence
from tests.conftest import THREE_CHAPTERS
from tests.fakes.qdrant_server import QdrantServer

NEWEST_REVISION = ScriptDirectory(str(PROJECT_ROOT / "migrations")).get_current_head()
# Alembic keeps one of its own.
TABLES = len(db.metadata.tables) + 1


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_create_says_where_and_what(sqlite_service: Service) -> None:
    """It comes by mail from a timer."""
    result = sqlite_service.flask("backup", "create")

    assert result.exit_code == 0
    (said,) = lines(result.stdout)
    assert said.startswith(f"Created {sqlite_service.archive()}: ")
    assert f"sqlite, revision {NEWEST_REVISION}, 2 messages, edition first" in said


def test_create_takes_another_storage(sqlite_service: Service, tmp_path: Path) -> None:
    """Before a migration, beside the nightly ones."""
    sqlite_service.flask("backup", "create", tmp_path / "before")

    (archive,) = (tmp_path / "before").glob("*.tar.gz")
    for given in (archive, tmp_path / "before"):
        assert sqlite_service.flask("backup", "verify", given).stdout.startswith(f"{archive.name} is whole")
    assert not sqlite_service.backups.exists()


def test_archive_can_be_named_alone(sqlite_service: Service) -> None:
    """As `list` prints it."""
    sqlite_service.flask("backup", "create")
    older = sqlite_service.archive().name
    sqlite_service.flask("backup", "create")

    result = sqlite_service.flask("backup", "verify", older)

    assert result.stdout == f"{older} is whole: {rows_in(sqlite_service)} rows in {TABLES} tables.\n"


def rows_in(service: Service) -> int:
    (run, *_) = service.rows("upkeep_runs")["upkeep_runs"]
    return int(run[5].partition('"rows": ')[2].rstrip("}"))


def test_list_is_oldest_first_and_names_unreadable_files(sqlite_service: Service) -> None:
    """A file that only looks like a backup is worse than none."""
    for _ in range(2):
        sqlite_service.flask("backup", "create")
    bad = sqlite_service.backups / new_archive_name(datetime(2026, 1, 1, tzinfo=UTC))
    bad.write_bytes(b"rubbish")
    (sqlite_service.backups / "notes.txt").touch()

    result = sqlite_service.flask("backup", "list")

    names = [line.split()[0] for line in lines(result.stdout)]
    assert result.exit_code == 0
    assert len(names) == 2
    assert names == sorted(names)
    assert result.stderr == f"{bad.name} cannot be read as a backup\n"


def test_list_of_nothing_says_how_to_get_something(sqlite_service: Service) -> None:
    """Standard output stays empty for scripts."""
    result = sqlite_service.flask("backup", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "flask backup create" in result.stderr


def test_archive_that_is_not_there_is_one_sentence(sqlite_service: Service) -> None:
    """A mistyped name."""
    for command in ("verify", "restore", "drill"):
        result = sqlite_service.flask("backup", command, new_archive_name(datetime(2026, 1, 1, tzinfo=UTC)))

        assert failed_in_one_sentence(result)


def backdated(service: Service, days: range) -> list[str]:
    """Copy the only archive as if made on days before this one; return the names from the newest."""
    archive = service.archive()
    folder = archive.parent / "unpacked"
    folder.mkdir()
    with archive.open("rb") as stream:
        manifest = extract_backup(stream, folder)
    names = []
    for day in days:
        moment = manifest.created_at - timedelta(days=day)
        names.append(new_archive_name(moment))
        write_archive(replace(manifest, created_at=moment), folder, archive.parent / names[-1])
    shutil.rmtree(folder)
    return names


def test_retention_deletes_what_no_option_names(sqlite_service: Service) -> None:
    """A disk that is full of backups makes none."""
    sqlite_service.flask("backup", "create")
    old = backdated(sqlite_service, range(1, 100))
    foreign = sqlite_service.backups / new_archive_name(datetime(2020, 1, 1, tzinfo=UTC))
    foreign.write_bytes(b"of another program, or damaged")
    foreign.with_name("notes.tar.gz").touch()

    result = sqlite_service.flask(
        "backup", "create", "--keep-daily", 7, "--keep-weekly", 4, "--keep-monthly", 3
    )

    made, *deleted = (line.split()[1] for line in lines(result.stdout))
    left = {path.name for path in sqlite_service.backups.iterdir()}
    assert result.exit_code == 0
    assert {made.removesuffix(":").rpartition("/")[2], foreign.name, "notes.tar.gz", *old[:6]} <= left
    # A week's or a month's newest may be a day's too.
    assert 2 + 7 + 2 <= len(left) <= 2 + 7 + 4 + 3
    assert not left & {*deleted}


def test_without_an_option_nothing_is_ever_deleted(sqlite_service: Service) -> None:
    """A backup by hand must not cost another one."""
    sqlite_service.flask("backup", "create")
    old = backdated(sqlite_service, range(1, 5))

    sqlite_service.flask("backup", "create")

    assert {*old} < {path.name for path in sqlite_service.backups.iterdir()}


@pytest.mark.parametrize("place", ["ftp://books", "s3:///kept"])
def test_storage_of_another_kind_is_one_sentence(sqlite_service: Service, place: str) -> None:
    """And no folder is made of it."""
    assert failed_in_one_sentence(sqlite_service.flask("backup", "create", place))


def test_folder_that_cannot_be_written_is_one_sentence(sqlite_service: Service, tmp_path: Path) -> None:
    """The commonest fault of a first try in a container."""
    (tmp_path / "file").touch()

    result = sqlite_service.flask("backup", "create", tmp_path / "file" / "below")

    assert failed_in_one_sentence(result)
    assert str(tmp_path / "file" / "below") in result.stderr


def published(service: Service) -> list[tuple[str, str]]:
    """Return the published edition of each book."""
    with service.app.app_context():
        return [(facts.book, facts.name) for facts in service.parts.editions.published_of_each().values()]


@pytest.mark.parametrize("books", [["handbook-en", "handbook-de"], ["default", "handbook-en"]])
def test_restore_builds_the_index_of_each_book_and_publishes_nothing(
    migrated_database: Path, open_anywhere: OpenService, tmp_path: Path, books: list[str]
) -> None:
    """A book that was rolled back stays so, though another one has a later edition of the same name."""
    url = f"sqlite:///{shutil.copy(migrated_database, tmp_path / 'ragbot.db')}"
    with QdrantServer() as lost, QdrantServer() as empty:
        service = open_anywhere(url, tmp_path, {"QDRANT_URL": lost.url})
        with service.app.app_context():
            for number, book in enumerate(books):
                service.parts.ingestion.ingest_book(THREE_CHAPTERS, slug=book, edition="v1")
                if number == 0:
                    service.parts.ingestion.ingest_book(THREE_CHAPTERS, slug=book, edition="v2", title="Two")
                    service.parts.ingestion.publish("v1", book)
            service.parts.ingestion.ingest_book(THREE_CHAPTERS, slug=books[-1], edition="v2", title="Two")
        service.flask("backup", "create")
        service = open_anywhere(url, tmp_path, {"QDRANT_URL": empty.url})
        before = published(service), service.rows("publications")

        restored = service.flask("backup", "restore", "--yes")

        names = ["v1" if books[0] == "default" else f"{books[0]}:v1", f"{books[-1]}:v2"]
        assert restored.exit_code == 0, restored.stderr
        assert lines(restored.stdout)[1:] == [f"The index of {name} is there." for name in names]
        assert (published(service), service.rows("publications")) == before
        aliases = {alias.alias_name for alias in empty.local.get_aliases().aliases}
        assert len(aliases) == len(empty.local.get_collections().collections) == 2


def test_everything_works_in_a_bucket_too(
    filled_sqlite: Path,
    open_anywhere: OpenService,
    s3_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """BACKUP_URL and S3_ENDPOINT_URL are all that changes."""
    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "alice")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wonderland")
    boto3.session.Session().client("s3", endpoint_url=s3_url, region_name="us-east-1").create_bucket(
        Bucket="nightly"
    )
    shutil.copy(filled_sqlite, tmp_path / "ragbot.db")
    settings = {"BACKUP_URL": "s3://nightly/ragbot/", "S3_ENDPOINT_URL": s3_url}
    service = open_anywhere(f"sqlite:///{tmp_path / 'ragbot.db'}", tmp_path, settings)
    kept = service.rows("messages", "sessions")

    made = service.flask("backup", "create", "--keep-daily", 7)
    listed = service.flask("backup", "list")
    verified = service.flask("backup", "verify")
    drilled = service.flask("backup", "drill")
    service.execute("DELETE FROM sessions")
    restored = service.flask("backup", "restore", "--yes")

    assert made.stdout.startswith("Created s3://nightly/ragbot/ragbot-"), made.stderr
    assert len(lines(listed.stdout)) == 1
    assert (verified.exit_code, drilled.exit_code, restored.exit_code) == (0, 0, 0)
    assert service.rows("messages", "sessions") == kept
