"""Define `flask backup`: create, list, verify, restore and try out backups."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from flask.cli import AppGroup

from ragbot.backup import backups
from ragbot.backup.archive_storage import SUFFIX, BackupStorage
from ragbot.backup.databases import DumpableDatabase
from ragbot.backup.drill import DrillReport, RestoredParts, run_drill
from ragbot.backup.manifest import DatabaseKind
from ragbot.backup.postgres import PostgresDatabase
from ragbot.backup.retention import Retention
from ragbot.backup.sqlite import SqliteDatabase
from ragbot.backup.storage_url import open_storage
from ragbot.bootstrap import isolated_services
from ragbot.cli.book import full_name
from ragbot.cli.errors import failing_in_one_sentence
from ragbot.config import PROJECT_ROOT, Settings
from ragbot.core.answers import Status
from ragbot.core.errors import BackupError, RagbotError
from ragbot.extensions import db
from ragbot.services import current_services
from ragbot.storage.database import Database
from ragbot.storage.maintenance_log import Facts, MaintenanceLog, MaintenanceRun, MaintenanceTask
from ragbot.storage.migrations import known_revisions, migrate_up

MIGRATIONS = PROJECT_ROOT / "migrations"
_TO_HEAD = partial(migrate_up, migrations=MIGRATIONS)

backup = AppGroup("backup", help="Make, check and restore backups of the database.")


@backup.command("create")
@click.argument("place", required=False)
@click.option(
    "--keep-daily", type=click.IntRange(0), default=0, help="Keep the newest backup of so many days."
)
@click.option(
    "--keep-weekly", type=click.IntRange(0), default=0, help="Keep the newest backup of so many weeks."
)
@click.option(
    "--keep-monthly", type=click.IntRange(0), default=0, help="Keep the newest backup of so many months."
)
@failing_in_one_sentence
def create(place: str | None, keep_daily: int, keep_weekly: int, keep_monthly: int) -> None:
    """Create a backup in PLACE, a folder or s3://bucket/prefix, else in BACKUP_URL.

    With any --keep option, the backups in PLACE that no such option keeps are deleted afterwards.
    """
    settings = current_services().settings
    storage = _storage(settings, place)
    with _recorded(MaintenanceTask.BACKUP) as run:
        made = backups.create_backup(_database(settings), storage)
        run.facts = {
            "name": made.name,
            "size_bytes": made.size_bytes,
            "rows": sum(made.manifest.rows.values()),
        }
    click.echo(f"Created {storage.address}/{made.name}: {_described(made)}")
    for name in backups.delete_expired(storage, Retention(keep_daily, keep_weekly, keep_monthly)):
        click.echo(f"Deleted {name}")


@backup.command("list")
@click.argument("place", required=False)
@failing_in_one_sentence
def list_backups(place: str | None) -> None:
    """List the backups in PLACE, else in BACKUP_URL, oldest first."""
    storage = _storage(current_services().settings, place)
    listed = backups.list_backups(storage)
    for one in listed.backups:
        click.echo(f"{one.name}  {_described(one)}")
    for name in listed.unreadable:
        click.echo(f"{name} cannot be read as a backup", err=True)
    if not listed.backups:
        click.echo(f"No backups at {storage.address}. Make one with: flask backup create", err=True)


@backup.command("verify")
@click.argument("archive", required=False)
@failing_in_one_sentence
def verify(archive: str | None) -> None:
    """Check the checksums of ARCHIVE and read its database from beginning to end.

    ARCHIVE is a name in BACKUP_URL, a path or an s3:// address; else the newest backup is checked.
    """
    settings = current_services().settings
    storage, name = _archive(settings, archive)
    with backups.open_backup(storage, name) as extracted:
        backups.verify_backup(extracted, _reader_of(settings, extracted.manifest.database))
        manifest = extracted.manifest
    click.echo(f"{name} is whole: {sum(manifest.rows.values())} rows in {len(manifest.rows)} tables.")


@backup.command("restore")
@click.argument("archive", required=False)
@click.option("--yes", is_flag=True, help="Replace the rows that are there.")
@failing_in_one_sentence
def restore(archive: str | None, *, yes: bool) -> None:
    """Replace the database that DATABASE_URL names with ARCHIVE.

    ARCHIVE is a name in BACKUP_URL, a path or an s3:// address; else the newest backup is restored. Stop the
    service first, or its readers may lose what they write meanwhile.
    """
    services = current_services()
    settings = services.settings
    storage, name = _archive(settings, archive)
    # The restore waits for other connections to end; this process's own would be among them.
    db.engine.dispose()
    with backups.open_backup(storage, name) as extracted:
        backups.restore_backup(
            extracted,
            _database(settings),
            known_revisions=known_revisions(MIGRATIONS),
            migrate_up=_TO_HEAD,
            overwrite=yes,
        )
        manifest = extracted.manifest
    click.echo(
        f"Restored {name} of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{sum(manifest.rows.values())} rows in {len(manifest.rows)} tables."
    )
    if settings.qdrant_url:
        for facts in services.ingestion.index_published():
            click.echo(f"The index of {full_name(facts)} is there.")


@backup.command("drill")
@click.argument("archive", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@failing_in_one_sentence
def drill(archive: str | None, *, as_json: bool) -> None:
    """Restore the newest backup (or ARCHIVE) into a temporary database, index it and ask stored questions.

    The service and its database are not changed. Exit code 1 means that the backup cannot replace them.
    """
    settings = current_services().settings
    with _recorded(MaintenanceTask.DRILL) as run:
        began = time.monotonic()
        storage, name = _archive(settings, archive)
        with backups.open_backup(storage, name) as extracted:
            report = run_drill(
                extracted,
                _drilled(settings, extracted.manifest.database),
                began=began,
                known_revisions=known_revisions(MIGRATIONS),
                migrate_up=_TO_HEAD,
                open_parts=partial(_open_parts, settings),
            )
        run.ok = report.ok
        run.facts = {
            "name": name,
            "recovery_s": report.recovery_s,
            "data_age_s": report.data_age_s,
            "rows": report.rows,
            "questions": len(report.questions),
            "faults": " ".join(report.faults),
        }
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _print_drill(report)
    if not report.ok:
        raise SystemExit(1)


def _storage(settings: Settings, address: str | None) -> BackupStorage:
    return open_storage(address or settings.backup_url, s3_endpoint_url=settings.s3_endpoint_url)


def _archive(settings: Settings, given: str | None) -> tuple[BackupStorage, str]:
    """Return the storage and the name of an archive; the newest where only a storage is given."""
    if given is None or not given.endswith(SUFFIX):
        storage = _storage(settings, given)
        return storage, backups.newest_backup(storage)
    folder, separator, name = given.rpartition("/")
    if not separator:
        return _storage(settings, None), name
    return _storage(settings, folder or "/"), name


def _database(settings: Settings) -> DumpableDatabase:
    if settings.database_url.startswith("sqlite:"):
        return SqliteDatabase(settings.database_url)
    direct = settings.database_direct_url
    return PostgresDatabase(
        direct or settings.database_url, settings.pg_bin_dir, is_direct=direct is not None
    )


def _reader_of(settings: Settings, kind: DatabaseKind) -> DumpableDatabase:
    """Return a reader of dumps of this kind, whatever DATABASE_URL names."""
    if kind == "sqlite":
        return SqliteDatabase("sqlite:///")
    return PostgresDatabase("postgresql+psycopg2://", settings.pg_bin_dir)


def _drilled(settings: Settings, kind: DatabaseKind) -> DumpableDatabase:
    """Return where a dump can be restored for a drill: a file, or the server that DATABASE_URL names."""
    here = _database(settings)
    if kind == "postgresql" and here.kind != kind:
        raise BackupError("The backup is of postgresql: for a drill DATABASE_URL must name such a server.")
    return here if here.kind == kind else _reader_of(settings, kind)


@contextmanager
def _open_parts(settings: Settings, url: str, folder: Path) -> Iterator[RestoredParts]:
    with isolated_services(settings, url, folder / "index") as aside:
        services = aside.services
        yield RestoredParts(services.editions, services.ingestion, services.answerer, aside.database)


@dataclass(slots=True)
class _RecordedRun:
    """Collect what is recorded about a run."""

    ok: bool = True
    facts: Facts = field(default_factory=dict)


@contextmanager
def _recorded(kind: MaintenanceTask) -> Iterator[_RecordedRun]:
    """Record the outcome of the block for the metrics; an error in recording does not end the command."""
    started_at = datetime.now(UTC)
    noted = _RecordedRun()
    try:
        yield noted
    except BaseException as error:
        # Also when it was interrupted, or failed by a bug.
        noted.ok, noted.facts = False, {"error": getattr(error, "code", RagbotError.code)}
        raise
    finally:
        _record(MaintenanceRun(kind, started_at, datetime.now(UTC), noted.ok, noted.facts))


def _record(run: MaintenanceRun) -> None:
    try:
        MaintenanceLog(Database(db.engine)).record(run)
    except RagbotError as error:
        click.echo(f"The run could not be recorded for the metrics: {error}", err=True)


def _described(made: backups.Backup) -> str:
    manifest = made.manifest
    return (
        f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, {made.size_bytes / 1_000_000:.1f} MB, "
        f"{manifest.database}, revision {manifest.revision}, {manifest.rows.get('messages', 0)} messages, "
        f"edition {manifest.edition or 'none'}"
    )


def _print_drill(report: DrillReport) -> None:
    found = sum(question.top_source_found for question in report.questions)
    answered = sum(question.status == Status.ANSWERED for question in report.questions)
    click.echo(f"{'Passed' if report.ok else 'FAILED'}: {report.backup}")
    click.echo(f"  {report.rows} rows in {report.tables} tables, as many as the manifest states")
    click.echo(f"  {report.chunks_indexed} chunks of edition {report.edition or 'none'} indexed")
    asked = f"{len(report.questions)} stored questions asked"
    click.echo(f"  {asked}: {answered} answered, {found} with their first source again")
    click.echo(f"  recovery took {report.recovery_s:.1f} s (RTO)")
    click.echo(f"  the data was {_age(report.data_age_s)} old (RPO)")
    for fault in report.faults:
        click.echo(f"  {fault}", err=True)


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"
