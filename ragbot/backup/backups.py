"""A database to archives in a place and back: make one, list them, verify one, restore one, thin them out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ragbot.backup.archive import describe_member, extract_backup, read_manifest, write_archive
from ragbot.backup.databases import DumpableDatabase, MigrateUp
from ragbot.backup.manifest import DUMPS, Manifest
from ragbot.backup.retention import Retention, select_retained
from ragbot.backup.storage import BackupStorage, new_archive_name, staging_folder
from ragbot.core.errors import BackupError, BackupUnreadable
from ragbot.version import __version__


@dataclass(frozen=True, slots=True)
class Backup:
    """An archive in its place."""

    name: str
    size_bytes: int
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class BackupList:
    """The archives of a place, oldest first, and those names whose files are no archives of ours."""

    backups: tuple[Backup, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExtractedBackup:
    """An archive whose sums were right, with its dump in a folder that is soon gone."""

    name: str
    manifest: Manifest
    folder: Path

    @property
    def dump(self) -> Path:
        """The database's own file."""
        return self.folder / self.manifest.dump


def create_backup(database: DumpableDatabase, storage: BackupStorage) -> Backup:
    """Dump a database into a new archive. Raises BackupError; the place then has nothing new."""
    with _map_disk_errors(), storage.staging() as folder:
        dump = folder / DUMPS[database.kind]
        started_at = datetime.now(UTC)
        snapshot = database.snapshot(dump)
        found = snapshot.contents
        if found.revision is None:
            raise BackupError("The database has no tables yet; run `flask db upgrade`.")
        manifest = Manifest(
            ragbot_version=__version__,
            revision=found.revision,
            created_at=started_at,
            database=database.kind,
            database_version=snapshot.database_version,
            edition=found.edition,
            newest_at=found.newest_at,
            rows=found.rows,
            members={dump.name: describe_member(dump)},
        )
        name = new_archive_name(started_at)
        archive = folder / name
        write_archive(manifest, folder, archive)
        packed = describe_member(archive)
        storage.put(archive, name, packed.sha256)
    return Backup(name, packed.size_bytes, manifest)


def list_backups(storage: BackupStorage) -> BackupList:
    """What is kept in a place, by the manifests. Raises BackupError if the place cannot be read."""
    backups, unreadable = [], []
    for name in storage.names():
        try:
            with storage.open(name) as stream:
                manifest = read_manifest(stream)
        except BackupUnreadable:
            unreadable.append(name)
        else:
            backups.append(Backup(name, storage.size_bytes(name), manifest))
    backups.sort(key=lambda backup: backup.manifest.created_at)
    return BackupList(tuple(backups), tuple(unreadable))


def newest_backup(storage: BackupStorage) -> str:
    """The name of the newest archive. Raises BackupError if there is none."""
    # Names are times, so that one look at the names is enough.
    for name in reversed(storage.names()):
        return name
    raise BackupError(f"There is no backup at {storage.address}; make one with `flask backup create`.")


def delete_expired(storage: BackupStorage, retention: Retention) -> list[str]:
    """Delete what need not be kept any more and return the names. What is not read as ours always stays."""
    if not retention:
        return []
    backups = list_backups(storage).backups
    stay = select_retained([backup.manifest.created_at for backup in backups], retention)
    gone = [backup.name for backup in backups if backup.manifest.created_at not in stay]
    for name in gone:
        storage.remove(name)
    return gone


@contextmanager
def open_backup(storage: BackupStorage, name: str) -> Iterator[ExtractedBackup]:
    """An archive with its dump in a folder, sums checked. Raises BackupUnreadable that names it."""
    with _map_disk_errors(), staging_folder() as folder:
        with storage.open(name) as stream:
            try:
                manifest = extract_backup(stream, folder)
            except BackupUnreadable as error:
                raise BackupUnreadable(f"The backup {name} cannot be used. {error}") from error
        yield ExtractedBackup(name, manifest, folder)


def verify_backup(backup: ExtractedBackup, database: DumpableDatabase) -> None:
    """Read a dump from its beginning to its end. Raises BackupUnreadable that names the archive."""
    try:
        database.check(backup.dump, backup.manifest)
    except BackupUnreadable as error:
        raise BackupUnreadable(f"The backup {backup.name} cannot be used. {error}") from error


def restore_backup(
    backup: ExtractedBackup,
    database: DumpableDatabase,
    *,
    known_revisions: Collection[str],
    migrate_up: MigrateUp,
    overwrite: bool = False,
) -> None:
    """Put a backup in the place of a database's tables, and bring older ones up to this program's.

    Raises BackupError, and leaves what is there, if the backup is of a later program or another kind of
    database, or if there are rows and `overwrite` was not said.
    """
    _refuse_unfit(backup, database, known_revisions)
    held = _held(database, known_revisions)
    if held and not overwrite:
        raise BackupError(f"The database holds {held}; say --yes to put the backup in its place.")
    verify_backup(backup, database)
    database.restore(backup.dump, backup.manifest, migrate_up)


def _refuse_unfit(
    backup: ExtractedBackup, database: DumpableDatabase, known_revisions: Collection[str]
) -> None:
    manifest = backup.manifest
    if manifest.database != database.kind:
        raise BackupError(
            f"The backup {backup.name} is of {manifest.database}, and DATABASE_URL names {database.kind}; "
            "restore it into a database of its own kind."
        )
    if manifest.revision not in known_revisions:
        raise BackupError(
            f"The backup {backup.name} has the tables of a later program (revision {manifest.revision}, "
            f"ragbot {manifest.ragbot_version}); restore it with that program."
        )


def _held(database: DumpableDatabase, known_revisions: Collection[str]) -> str:
    """What would be lost, in words; nothing if that is nothing."""
    try:
        there = database.contents()
    except BackupError as error:
        return f"something that cannot be read ({error})"
    if there is None:
        return ""
    if there.revision is not None and there.revision not in known_revisions:
        raise BackupError(
            f"The database has the tables of a later program (revision {there.revision}), which this one "
            "does not know and could not replace; restore with that program, or into an empty database."
        )
    return ", ".join(f"{count} {name}" for name, count in there.worth_keeping.items())


@contextmanager
def _map_disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(f"The disk failed the backup: {error.strerror or error}.") from error
