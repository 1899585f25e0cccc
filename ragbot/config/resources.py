"""Find the cores and the memory that this process may use, and how many workers they carry."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MEGABYTE = 1024 * 1024

# A warm worker, rounded up from docs/performance.md: 201 MB, and 368 MB with the local model in it.
WORKER_MB = 220
WORKER_WITH_MODEL_MB = 400
# gunicorn's master, and a command such as `flask book ingest` that runs beside the workers.
RESERVED_MB = 128

# While one worker is replaced, another must take requests; so two even on one core, where they fit.
FEWEST = 2
MOST = 256

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class MachineResources:
    """Hold the cores and the memory that this process may use. A quota of one and a half cores is 1.5."""

    cores: float
    memory_bytes: int


def spare_waiting_threads(threads: int) -> None:
    """Limit OpenMP's threads and let them sleep while they wait: processes that spin slow each other down.

    It must be set before the library that uses OpenMP is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def workers_for(given: MachineResources, *, model_inside: bool) -> int:
    """Return the number of workers: one per core as far as memory allows, at least one."""
    worker = WORKER_WITH_MODEL_MB if model_inside else WORKER_MB
    carried = (given.memory_bytes // MEGABYTE - RESERVED_MB) // worker
    return max(1, min(carried, max(FEWEST, math.ceil(given.cores)), MOST))


def machine_resources(root: Path = Path("/")) -> MachineResources:
    """Return the least of what the machine has and what each control group of this process allows.

    A container sees its host's cores and memory; only its control group says what it may use of them.
    Without one, as on macOS, the machine's count.
    """
    folders = tuple(_group_folders(root))
    return MachineResources(
        cores=min([_cores_of_machine(), *_core_limits(folders)]),
        memory_bytes=min([_memory_of_machine(root), *_memory_limits(folders)]),
    )


def resident_bytes() -> int | None:
    """Return the memory that this process has in use, or None where only Linux could tell."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except FileNotFoundError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cores_of_machine() -> float:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_of_machine(root: Path) -> int:
    for line in _text(root / "proc" / "meminfo").splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return int(amount.split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _group_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups and their parents, in version 2 and version 1.

    Inside a container the path is often the host's, which is not there; then the folder's top is our own
    group, and it is always among these.
    """
    top = root / "sys" / "fs" / "cgroup"
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", maxsplit=2)
        # Version 2 names no controllers; version 1 mounts each set of them under its name.
        mounts = {top / name for name in controllers.split(",")} | {top / controllers}
        for mount in sorted(mounts):
            group = PurePosixPath(path)
            for parent in (group, *group.parents):
                yield mount / str(parent).lstrip("/")


def _core_limits(folders: tuple[Path, ...]) -> Iterator[float]:
    for folder in folders:
        quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
        if not quota:
            quota = _text(folder / "cpu.cfs_quota_us").strip()
            period = _text(folder / "cpu.cfs_period_us").strip()
        # "max" in version 2 and -1 in version 1 set no limit.
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _memory_limits(folders: tuple[Path, ...]) -> Iterator[int]:
    for folder in folders:
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _text(folder / name).strip()
            if limit.isdecimal():
                yield int(limit)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
