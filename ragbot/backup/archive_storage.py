"""Define the contract of a backup storage, the names of archives and their staging folder."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

SUFFIX = ".tar.gz"

_NAME = re.compile(r"ragbot-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{4}\.tar\.gz")

# Staging folders. Those of a killed run are removed when no run could still be under way.
_WORK = ".ragbot-backup-"
_LEFT_S = 24 * 3600


class BackupStorage(Protocol):
    """Store archives by name. Each method may raise BackupError with the storage's address."""

    address: str

    def names(self) -> list[str]:
        """Return the names of the archives, oldest first; a folder that does not exist yet has none."""
        ...

    def size_bytes(self, name: str) -> int:
        """Return the size of an archive."""
        ...

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open an archive as a stream of bytes that is read once from its beginning."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """Create a private folder in which to build an archive, and remove it after the block."""
        ...

    def put(self, archive: Path, name: str, sha256: str) -> None:
        """Store an archive under a name, whole or not at all, and verify its checksum."""
        ...

    def remove(self, name: str) -> None:
        """Delete an archive; a missing one is no error."""
        ...


def new_archive_name(moment: datetime) -> str:
    """Return a new archive's name, which sorts by time; a random suffix separates two of one moment."""
    at = moment.astimezone(UTC)
    thousandths = at.microsecond // 1000
    return f"ragbot-{at:%Y%m%dT%H%M%S}.{thousandths:03d}Z-{secrets.token_hex(2)}{SUFFIX}"


def is_archive_name(name: str) -> bool:
    """Return whether a file name has the form of an archive's."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def staging_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a private folder below `parent` (else the system's temporary folder), for one block."""
    parent = parent or Path(tempfile.gettempdir())
    for left in parent.glob(f"{_WORK}*"):
        # An error means that another run has removed it.
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=parent) as folder:
        yield Path(folder)
