"""Store backups in a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ragbot.backup.archive_storage import is_archive_name, staging_folder
from ragbot.core.errors import BackupError


class FolderStorage:
    """Store backups in a folder. Only its owner may read them, because they hold readers' questions."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder)
        self._folder = folder

    def names(self) -> list[str]:
        with self._map_errors("read"):
            if not self._folder.exists():
                return []
            return sorted(path.name for path in self._folder.iterdir() if is_archive_name(path.name))

    def size_bytes(self, name: str) -> int:
        with self._map_errors("read"):
            return (self._folder / name).stat().st_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self._map_errors("read"):
            stream = (self._folder / name).open("rb")
        with stream:
            yield stream

    @contextmanager
    def staging(self) -> Iterator[Path]:
        with self._map_errors("written"):
            self._folder.mkdir(parents=True, exist_ok=True)
            # Beside the others, so that the archive can take its name in one step.
            with staging_folder(self._folder) as folder:
                yield folder

    def put(self, archive: Path, name: str, sha256: str) -> None:  # noqa: ARG002 - no other medium lies between
        with self._map_errors("written"):
            _sync(archive)
            # The name appears only when every byte is on the disk.
            os.replace(archive, self._folder / name)
            _sync(self._folder)

    def remove(self, name: str) -> None:
        with self._map_errors("written"):
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def _map_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupError(
                f"The backups' folder {self.address} cannot be {what}: {error.strerror or error}."
            ) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
