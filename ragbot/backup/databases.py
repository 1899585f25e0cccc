"""Define the contract of a database that can be dumped and restored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ragbot.backup.manifest import DatabaseKind, Manifest
from ragbot.storage.table_counts import TableCounts

# Migrates the database at an address to this program's revision.
MigrateUp = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Describe a dump; the rows are counted in the same snapshot of the database."""

    contents: TableCounts
    database_version: str


class DumpableDatabase(Protocol):
    """Dump and restore one database. Each method may raise BackupError or DatabaseUnavailable."""

    kind: DatabaseKind
    url: str

    def snapshot(self, dump: Path) -> Snapshot:
        """Dump a consistent snapshot into a new file, while others go on reading and writing."""
        ...

    def contents(self) -> TableCounts | None:
        """Count the rows of each table; None if there is no database yet. Raises BackupError."""
        ...

    def check(self, dump: Path, manifest: Manifest) -> None:
        """Read a dump to its end. Raises BackupUnreadable if that fails."""
        ...

    def restore(self, dump: Path, manifest: Manifest, migrate_up: MigrateUp) -> None:
        """Replace the tables by those of a checked dump, and migrate them to this program's revision.

        The restored rows are counted before the old ones are given up.
        """
        ...

    def scratch(self, folder: Path) -> AbstractContextManager[DumpableDatabase]:
        """Create an empty database of the same kind, and drop it after the block."""
        ...
