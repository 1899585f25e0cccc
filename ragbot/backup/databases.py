"""What every kind of database can do for a backup: show itself at one moment, and be put back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ragbot.backup.manifest import DatabaseKind, Manifest
from ragbot.storage.table_counts import TableCounts

# Brings the database at an address up to this program's tables.
MigrateUp = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was dumped, counted in the very moment that the dump shows."""

    contents: TableCounts
    database_version: str


class DumpableDatabase(Protocol):
    """One database. Each method raises BackupError or DatabaseUnavailable."""

    kind: DatabaseKind
    url: str

    def snapshot(self, dump: Path) -> Snapshot:
        """Write the database as it is at one moment into a new file; others go on reading and writing."""
        ...

    def contents(self) -> TableCounts | None:
        """What is in it now; None if there is no database yet. Raises BackupError if it cannot be read."""
        ...

    def check(self, dump: Path, manifest: Manifest) -> None:
        """Return if a dump can be read from its beginning to its end. Raises BackupUnreadable."""
        ...

    def restore(self, dump: Path, manifest: Manifest, migrate_up: MigrateUp) -> None:
        """Put a checked dump in the place of what is there, and bring it up to this program's tables.

        The rows are counted before anything that was there is given up.
        """
        ...

    def scratch(self, folder: Path) -> AbstractContextManager[DumpableDatabase]:
        """A database of the same kind that is empty, and gone after the block."""
        ...
