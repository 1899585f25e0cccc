"""What the service may use is the narrowest limit above it, in both versions of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ragbot.allowance import Allowance, allowance

MIB = 1024 * 1024
MACHINE_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
MACHINE_CORES = float(len(os.sched_getaffinity(0)))


@pytest.fixture
def system(tmp_path: Path):
    """Write a machine's files, by their paths, and return their root."""

    def written(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return written


@pytest.mark.parametrize(
    ("files", "memory_bytes", "cpu_cores"),
    [
        ({}, MACHINE_MEMORY, MACHINE_CORES),
        (
            {
                "proc/self/cgroup": "0::/",
                "sys/fs/cgroup/memory.max": str(512 * MIB),
                "sys/fs/cgroup/cpu.max": "50000 100000",
            },
            512 * MIB,
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "0::/",
                "sys/fs/cgroup/memory.max": "max",
                "sys/fs/cgroup/cpu.max": "max 100000",
            },
            MACHINE_MEMORY,
            MACHINE_CORES,
        ),
        (
            # A service of its own, in a slice that is narrower.
            {
                "proc/self/cgroup": "0::/books.slice/ragbot.service",
                "sys/fs/cgroup/books.slice/memory.max": str(256 * MIB),
                "sys/fs/cgroup/books.slice/ragbot.service/memory.max": str(512 * MIB),
                "sys/fs/cgroup/books.slice/ragbot.service/cpu.max": "25000 100000",
            },
            256 * MIB,
            0.25,
        ),
        (
            # Version 1, in a container that sees its own group as the root and the host's path.
            {
                "proc/self/cgroup": "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(300 * MIB),
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "75000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            300 * MIB,
            0.75,
        ),
        (
            {
                "proc/self/cgroup": "9:memory:/\n4:cpu,cpuacct:/",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            MACHINE_MEMORY,
            MACHINE_CORES,
        ),
    ],
    ids=["no-groups", "v2", "v2-unlimited", "v2-nested", "v1", "v1-unlimited"],
)
def test_narrowest_limit_holds(system, files, memory_bytes: int, cpu_cores: float) -> None:
    """An alert on 85 % of the machine's memory would come after the container was killed."""
    found = allowance(system(files))

    assert found == Allowance(memory_bytes, cpu_cores)


def test_limits_of_this_machine_are_known() -> None:
    """Whatever it is, it has some."""
    found = allowance()

    assert 0 < found.memory_bytes <= MACHINE_MEMORY
    assert 0 < found.cpu_cores <= MACHINE_CORES
