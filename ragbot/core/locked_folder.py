"""Make private folders that are locked while a living process needs them, and delete the others."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

LOCK = "lock"


@dataclass(frozen=True, slots=True)
class LockedFolder:
    """Hold a private folder and the open file whose lock shows that a process needs it.

    The kernel drops the lock when the last process that has the file open closes it or dies. A child that
    inherits the file has the lock too.
    """

    folder: Path
    lock: IO[str]

    @classmethod
    def create(cls, parent: Path, prefix: str) -> Self:
        """Make an empty folder that only this user may read, named by the prefix and random letters.

        Deletes what dead processes left under the prefix. Makes `parent` if it is missing. Raises OSError.
        """
        parent.mkdir(parents=True, exist_ok=True)
        delete_unlocked_folders(parent, prefix)
        # It gets the name that is looked for only when its lock is held: another process that deletes
        # unlocked folders at this moment would take the new one for a dead process's.
        unlocked = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=parent))
        lock = (unlocked / LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(unlocked.rename(parent / unlocked.name.removeprefix(".")), lock)

    def release(self) -> None:
        """Close the lock's file; the folder stays while another process has the file open."""
        self.lock.close()

    def delete(self) -> None:
        """Delete the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()


def delete_unlocked_folders(parent: Path, prefix: str) -> None:
    """Delete the folders of processes that have died. Does nothing if `parent` is missing."""
    with suppress(OSError):
        for folder in parent.glob(f"{prefix}*"):
            # An error means that the folder is in use, deleted meanwhile, or another user's.
            with suppress(OSError), (folder / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
