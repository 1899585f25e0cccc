"""The kernel's files to what the service may use: memory and processor cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the container may use; where nothing limits it, what the machine has."""

    memory_bytes: int
    cpu_cores: float


def allowance(root: Path = Path("/")) -> Allowance:
    """The limits in force, by control groups of version 2 or 1. `root` is where the system's files are."""
    memory = [int(limit) for limit in _memory_limits(root)]
    return Allowance(
        memory_bytes=min([_machine_memory(), *memory]), cpu_cores=min([_machine_cores(), *_cpu_limits(root)])
    )


def _memory_limits(root: Path) -> Iterator[str]:
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            # Version 2 says `max` where there is no limit; version 1 says a number that no machine has.
            if (said := _said(group / name)).isdecimal():
                yield said


def _cpu_limits(root: Path) -> Iterator[float]:
    for group in _groups(root, "cpu"):
        version_1 = f"{_said(group / 'cpu.cfs_quota_us')} {_said(group / 'cpu.cfs_period_us')}"
        for said in (_said(group / "cpu.max"), version_1):
            match said.split():
                case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period):
                    yield int(quota) / int(period)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and of those above it, whose limits hold too."""
    mounted = root / "sys/fs/cgroup"
    for line in _said(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = mounted / controller if controllers else mounted
        # In a container the path may be one of the host's, which is not there.
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts), -1, -1):
            yield base.joinpath(*parts[:depth])


def _said(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _machine_cores() -> float:
    # Linux alone tells which cores a process may run on.
    if hasattr(os, "sched_getaffinity"):
        return float(len(os.sched_getaffinity(0)))
    return float(os.cpu_count() or 1)
