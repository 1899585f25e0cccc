"""Create, list, verify, restore and delete backups of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ragbot.backup.archive import describe_member, extract_backup, read_manifest, write_archive
from ragbot.backup.archive_storage import BackupStorage, new_archive_name, staging_folder
from ragbot.backup.databases import DumpableDatabase, MigrateUp
from ragbot.backup.manifest import DUMPS, Manifest
from ragbot.backup.retention import Retention, select_retained
from ragbot.core.errors import BackupError, BackupUnreadable
from ragbot.version import __version__


@dataclass(frozen=True, slots=True)
class Backup:
    """Describe a stored backup."""

    name: str
    size_bytes: int
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class BackupList:
    """List the backups of a storage, oldest first, and the names of files that cannot be read as one."""

    backups: tuple[Backup, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExtractedBackup:
    """Describe an extracted backup with a verified checksum; its folder is temporary."""

    name: str
    manifest: Manifest
    folder: Path

    @property
    def dump(self) -> Path:
        """Return the path of the database dump."""
        return self.folder / self.manifest.dump


def create_backup(database: DumpableDatabase, storage: BackupStorage) -> Backup:
    """Dump a database into a new archive. Raises BackupError; nothing is stored then."""
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
    """List the backups of a storage by their manifests. Raises BackupError if it cannot be read."""
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
    """Return the name of the newest backup. Raises BackupError if there is none."""
    # Names are times, so no manifest has to be read.
    for name in reversed(storage.names()):
        return name
    raise BackupError(f"There is no backup at {storage.address}; make one with `flask backup create`.")


def delete_expired(storage: BackupStorage, retention: Retention) -> list[str]:
    """Delete the backups that no retention rule names, and return their names.

    Files that cannot be read as a backup are never deleted; without any rule nothing is.
    """
    if not retention:
        return []
    backups = list_backups(storage).backups
    retained = select_retained([backup.manifest.created_at for backup in backups], retention)
    expired = [backup.name for backup in backups if backup.manifest.created_at not in retained]
    for name in expired:
        storage.remove(name)
    return expired


@contextmanager
def open_backup(storage: BackupStorage, name: str) -> Iterator[ExtractedBackup]:
    """Extract a backup into a temporary folder and verify its checksum. Raises BackupUnreadable."""
    with _map_disk_errors(), staging_folder() as folder:
        with storage.open(name) as stream:
            try:
                manifest = extract_backup(stream, folder)
            except BackupUnreadable as error:
                raise BackupUnreadable(f"The backup {name} cannot be used. {error}") from error
        yield ExtractedBackup(name, manifest, folder)


def verify_backup(backup: ExtractedBackup, database: DumpableDatabase) -> None:
    """Read a dump to its end. Raises BackupUnreadable that names the backup."""
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
    """Replace a database's tables by those of a backup, and migrate older ones to this program's revision.

    Raises BackupError, and changes nothing, if the backup is of a later program or another kind of database,
    or if the database has rows and `overwrite` is false.
    """
    _refuse_unfit(backup, database, known_revisions)
    existing = _existing_rows(database, known_revisions)
    if existing and not overwrite:
        raise BackupError(f"The database holds {existing}; pass --yes to replace it by the backup.")
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


def _existing_rows(database: DumpableDatabase, known_revisions: Collection[str]) -> str:
    """Describe the rows that would be lost; empty if there are none."""
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
