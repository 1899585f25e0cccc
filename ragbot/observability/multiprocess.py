"""The folder in which gunicorn's workers leave their numbers: made fresh, folded together, removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragbot.core.locked_folder import LockedFolder

PREFIX = "ragbot-metrics-"

_READ = "read.lock"

# This server's folder, with its lock: held open as long as this process and its workers live, which
# inherit both.
_held: list[LockedFolder] = []


def open_folder() -> Path:
    """Make an empty folder for this server; what killed servers left goes.

    To be called before workers are forked, and named in PROMETHEUS_MULTIPROC_DIR before the library is
    imported.
    """
    # Numbers are written with each request: in memory they never wait for a disk.
    parent = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())  # noqa: S108
    locked = LockedFolder.create(parent, PREFIX)
    (locked.folder / _READ).touch()
    _held.append(locked)
    return locked.folder


def stay_out() -> None:
    """Let a process that a worker has started count for itself: nobody would fold its numbers in."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def remove_folder(folder: Path) -> None:
    """Forget everything, once the server has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def fold_in(folder: Path, pid: int) -> None:
    """Add what a dead worker counted to what others before it did, and forget its levels.

    Without it each death would leave its files for ever, in memory.
    """
    from prometheus_client.mmap_dict import MmapedDict
    from prometheus_client.multiprocess import mark_process_dead

    with _locked(folder, fcntl.LOCK_EX):
        mark_process_dead(pid, str(folder))
        for kind in ("counter", "histogram"):
            left = folder / f"{kind}_{pid}.db"
            try:
                found = list(MmapedDict.read_all_values_from_file(str(left)))
            except (OSError, struct.error, RuntimeError, UnicodeDecodeError):
                # None was made, or the worker was killed while it made it.
                found = []
            total = MmapedDict(str(folder / f"{kind}_dead.db"))
            for key, value, _timestamp, _position in found:
                total.write_value(key, total.read_value(key)[0] + value, 0.0)
            total.close()
            left.unlink(missing_ok=True)


@contextmanager
def reading() -> Iterator[None]:
    """No worker's files are folded within the block, so that nothing is read twice or missed."""
    if not _held:
        # One process, whose numbers are its own.
        yield
        return
    with _locked(_held[-1].folder, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    with (folder / _READ).open() as lock:
        fcntl.flock(lock, kind)
        yield
