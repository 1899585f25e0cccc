"""What a place for archives must do, how they are called in it, and where one is put together."""

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

# Where an archive is put together. What a killed run left is removed when no run could still be under way.
_WORK = ".ragbot-backup-"
_LEFT_S = 24 * 3600


class BackupStorage(Protocol):
    """Archives by name. Each method raises BackupError with the place's address."""

    address: str

    def names(self) -> list[str]:
        """The names of the archives, oldest first; a place that is not there yet has none."""
        ...

    def size_bytes(self, name: str) -> int:
        """How large an archive is."""
        ...

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """An archive as a stream of bytes, read once from its beginning."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A private folder in which an archive is put together; it is gone after the block."""
        ...

    def put(self, archive: Path, name: str, sha256: str) -> None:
        """Keep an archive under a name, whole or not at all; what is kept was read again and has the sum."""
        ...

    def remove(self, name: str) -> None:
        """Delete an archive."""
        ...


def new_archive_name(moment: datetime) -> str:
    """A new archive's name: names in order are moments in order; the letters keep two of one moment apart."""
    at = moment.astimezone(UTC)
    thousandths = at.microsecond // 1000
    return f"ragbot-{at:%Y%m%dT%H%M%S}.{thousandths:03d}Z-{secrets.token_hex(2)}{SUFFIX}"


def is_archive_name(name: str) -> bool:
    """Whether a file may be an archive of ours, by its name."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def staging_folder(parent: Path | None = None) -> Iterator[Path]:
    """A private folder, below the system's temporary one unless told; gone after the block."""
    parent = parent or Path(tempfile.gettempdir())
    for left in parent.glob(f"{_WORK}*"):
        # An error says that it is gone meanwhile.
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=parent) as folder:
        yield Path(folder)
