"""Copy and restore an SQLite database with SQLite's online backup API."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine, make_url
from sqlalchemy.exc import DatabaseError

from ragbot.backup.databases import MigrateUp, Snapshot
from ragbot.backup.manifest import DatabaseKind, Manifest
from ragbot.core.errors import BackupError, BackupUnreadable
from ragbot.storage.table_counts import NOT_BACKED_UP, TableCounts, contents

# A writer holds the lock for milliseconds; a writer that holds it for so long hangs.
LOCK_PATIENCE_S = 60.0
PAUSE_S = 0.1


class SqliteDatabase:
    """Dump and restore an SQLite file.

    It is never copied as a plain file, because committed rows may still be in its write-ahead log.
    """

    kind: DatabaseKind = "sqlite"

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = Path(make_url(url).database or "")

    def snapshot(self, dump: Path) -> Snapshot:
        if not self._path.is_file():
            raise BackupError(f"There is no database at {self._path}; run `flask db upgrade`.")
        with _map_errors(f"The database {self._path} cannot be read"):
            _copy(self._path, dump)
            _strip(dump)
            with _engine_on(dump) as connection:
                return Snapshot(contents(connection), sqlite3.sqlite_version)

    def contents(self) -> TableCounts | None:
        if not self._path.is_file() or not self._path.stat().st_size:
            return None
        with _map_errors(f"The database {self._path} cannot be read"), _engine_on(self._path) as connection:
            return contents(connection)

    def check(self, dump: Path, manifest: Manifest) -> None:
        try:
            with _engine_on(dump) as connection:
                verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
                rows = contents(connection).rows
        except DatabaseError as error:
            raise BackupUnreadable("Its database cannot be read.") from error
        if verdict != "ok":
            raise BackupUnreadable(f"Its database is damaged: {verdict}.")
        if rows != manifest.rows:
            raise BackupUnreadable("The rows of its database are not as many as its manifest states.")

    def restore(self, dump: Path, manifest: Manifest, migrate_up: MigrateUp) -> None:
        """Migrate the dump first, and replace the database only when that went well."""
        self.check(dump, manifest)
        migrate_up(f"sqlite:///{dump.absolute()}")
        with _map_errors(f"The database {self._path} cannot be written"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                # Programs that have the file open see the new rows at once, and a kill leaves the old ones.
                _copy(dump, self._path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._take_place(dump)

    @contextmanager
    def scratch(self, folder: Path) -> Iterator[SqliteDatabase]:
        path = folder / "scratch.db"
        try:
            yield SqliteDatabase(f"sqlite:///{path.absolute()}")
        finally:
            for left in (path, *_beside(path)):
                left.unlink(missing_ok=True)

    def _take_place(self, dump: Path) -> None:
        """Replace a file that is damaged or no database."""
        copy = self._path.with_name(f"{self._path.name}.restored")
        copy.unlink(missing_ok=True)
        _copy(dump, copy)
        # A log that belonged to the old file would be played into the new one.
        for left in _beside(self._path):
            left.unlink(missing_ok=True)
        os.replace(copy, self._path)


def _beside(path: Path) -> Iterator[Path]:
    for ending in ("-wal", "-shm", "-journal"):
        yield path.with_name(path.name + ending)


def _copy(source: Path, target: Path) -> None:
    """Copy a database in one transaction: the target has the old pages or the new ones."""
    gives_up_at = time.monotonic() + LOCK_PATIENCE_S

    def check_lock(status: int, _remaining: int, _total: int) -> None:
        # Without this check the copy would wait for a lock without end.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > gives_up_at:
            raise BackupError(f"The database {target} stays locked; stop the program that writes to it.")

    with closing(_opened(source)) as reader, closing(sqlite3.connect(target, timeout=PAUSE_S)) as writer:
        writer.execute("PRAGMA synchronous = FULL")
        reader.backup(writer, pages=-1, progress=check_lock, sleep=PAUSE_S)


def _strip(dump: Path) -> None:
    """Empty the tables of a copy that are not backed up, and merge its log into the file."""
    with closing(sqlite3.connect(dump, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        names = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        for table in names & set(NOT_BACKED_UP):
            connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - the names are ours
        # Deleted rows would still be in the file's free pages.
        connection.execute("VACUUM")


def _opened(path: Path) -> sqlite3.Connection:
    # Opened to write, though nothing is written: a log that a killed program left has to be read back.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCK_PATIENCE_S)


@contextmanager
def _engine_on(path: Path) -> Iterator[Connection]:
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _map_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, DatabaseError) as error:
        raise BackupError(f"{what}: {getattr(error, 'orig', None) or error}.") from error
    except OSError as error:
        raise BackupError(f"{what}: {error.strerror or error}.") from error
