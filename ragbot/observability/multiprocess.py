"""Manage the folder in which gunicorn's workers store their metrics (PROMETHEUS_MULTIPROC_DIR)."""

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

# This server's folder, with its lock, which its workers inherit: locked as long as one of them lives.
_locked_folders: list[LockedFolder] = []


def create_metrics_folder() -> Path:
    """Create an empty folder for this server, and delete those of killed servers.

    Call it before workers are forked, and set PROMETHEUS_MULTIPROC_DIR to it before prometheus_client is
    imported.
    """
    # Metrics are written with each request: in memory they never wait for a disk.
    parent = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())  # noqa: S108
    locked = LockedFolder.create(parent, PREFIX)
    (locked.folder / _READ).touch()
    _locked_folders.append(locked)
    return locked.folder


def leave_multiprocess_mode() -> None:
    """Let a process that a worker has started count for itself: its numbers would never be merged."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def remove_metrics_folder(folder: Path) -> None:
    """Delete the folder when the server has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def merge_dead_worker(folder: Path, pid: int) -> None:
    """Add the counters of a dead worker to those of earlier ones, and delete its gauges.

    Otherwise each dead worker would leave its files for ever, in memory.
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
                # It was not created, or the worker was killed while it created it.
                found = []
            total = MmapedDict(str(folder / f"{kind}_dead.db"))
            for key, value, _timestamp, _position in found:
                total.write_value(key, total.read_value(key)[0] + value, 0.0)
            total.close()
            left.unlink(missing_ok=True)


@contextmanager
def consistent_read() -> Iterator[None]:
    """Merge no worker's files within the block, so that nothing is read twice or missed."""
    if not _locked_folders:
        # A single process, without a folder.
        yield
        return
    with _locked(_locked_folders[-1].folder, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    with (folder / _READ).open() as lock:
        fcntl.flock(lock, kind)
        yield
