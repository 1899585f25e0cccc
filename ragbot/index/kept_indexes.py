"""Keep built indexes in folders, so that each is built once a machine and not once a process.

A folder is whole or absent: it is built elsewhere and renamed. Processes open it at the same time, and none
writes to it. Deleting it costs a build and nothing else.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ragbot.core.errors import SearchUnavailable

PREFIX = "ragbot-edition-"
MANIFEST = "manifest.json"
LOCKS_PREFIX = ".ragbot-edition-lock-"
# The engine maps files into memory: a write that finds no space kills the process. So much stays free.
RESERVE_BYTES = 24 * 1024 * 1024
# Another service may share the folder: an edition that our database does not know may be its.
FORGOTTEN_AFTER_S = 24 * 3600
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """Name the folder in which the index of one edition is kept. `version` is that of its files' format."""

    parent: Path
    key: str
    version: str

    @property
    def folder(self) -> Path:
        """Return the folder, which may not exist."""
        return self.parent / f"{PREFIX}{self.key}.{self.version}"

    def is_whole(self) -> bool:
        """Return whether the folder is there, this user's, and as it was when it was built.

        After a reboot files may be damaged that no one has synchronised to the disk, so the index of an
        earlier boot is not used.
        """
        with suppress(OSError, ValueError):
            manifest = json.loads((self.folder / MANIFEST).read_text())
            return bool(
                self.folder.stat().st_uid == os.getuid()
                and manifest["boot"] == _boot_id()
                and manifest["sizes"] == _sizes(self.folder)
            )
        return False

    def keep(self, built: Path) -> bool:
        """Move a built index here; return False if that is not possible. The caller holds the lock."""
        try:
            (built / MANIFEST).write_text(json.dumps({"boot": _boot_id(), "sizes": _sizes(built)}))
            self.delete()
            built.rename(self.folder)
        except OSError:
            return False
        return True

    def note_use(self) -> None:
        """Record that it was opened now: what nobody opens is deleted some day."""
        with suppress(OSError):
            os.utime(self.folder / MANIFEST)

    def delete(self) -> None:
        """Delete the folder; a process that has it open goes on with it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time build this index. Does nothing where the folder cannot be written."""
        try:
            self.parent.mkdir(parents=True, exist_ok=True)
            # Opened without following a link: the parent may be a temporary folder that others write to.
            lock = os.open(
                self.parent / f"{LOCKS_PREFIX}{os.getuid()}",
                os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
        except OSError:
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def require_space(folder: Path, needed_bytes: int, name: str) -> None:
    """Raise SearchUnavailable if a folder has no space for so much more of the index of an edition."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed_bytes + RESERVE_BYTES:
        raise SearchUnavailable(
            f"No space for the index of edition {name}: {folder.parent} has {free // 1_000_000} MB free, "
            f"and {(needed_bytes + RESERVE_BYTES) // 1_000_000} MB are needed at this point."
        )


def delete_forgotten(parent: Path, known_keys: Set[str], version: str) -> None:
    """Delete the kept indexes of unknown editions and of other versions that nobody opened for a day."""
    with suppress(OSError):
        for folder in parent.glob(f"{PREFIX}*"):
            key, _, made_by = folder.name.removeprefix(PREFIX).partition(".")
            if key in known_keys and made_by == version:
                continue
            with suppress(OSError):
                used = (folder / MANIFEST).stat().st_mtime
                if time.time() - used > FORGOTTEN_AFTER_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _sizes(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_size
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
