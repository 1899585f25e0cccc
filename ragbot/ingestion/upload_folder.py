"""Private folders for books that were sent: locked while a living process needs one, swept when none does."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PREFIX = "ragbot-book-"
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class UploadFolder:
    """A folder with a sent archive. Its lock goes over to whoever inherits the open file."""

    folder: Path
    lock: IO[str]

    @property
    def archive(self) -> Path:
        """Where the archive is, as it was sent."""
        return self.folder / "archive"

    @property
    def unpacked(self) -> Path:
        """Where it is unpacked to."""
        return self.folder / "book"

    def let_go(self) -> None:
        """Leave the folder to the process that inherited the lock."""
        self.lock.close()

    def throw_away(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()


def new_upload_folder(parent: Path) -> UploadFolder:
    """An empty folder that only this user may look into. What dead processes left goes. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    # It gets the name that is swept only when its lock is held: another worker that sweeps at this moment
    # would take the new folder for a dead process's.
    unlocked = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
    lock = (unlocked / _LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return UploadFolder(unlocked.rename(parent / unlocked.name.removeprefix(".")), lock)


def inherited_upload_folder(folder: Path, descriptor: int) -> UploadFolder:
    """A upload whose folder another process made, with the open file that its lock hangs on."""
    return UploadFolder(folder, open(descriptor, "w"))


def sweep(parent: Path) -> None:
    """Delete the folders of processes that were killed; nothing at all where there is no such place."""
    with suppress(OSError):
        _sweep(parent)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        # An error says that the folder is in use, gone meanwhile, or another user's.
        with suppress(OSError), (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
