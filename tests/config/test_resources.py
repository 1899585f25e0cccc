"""Test how many workers a container can run, by the limits of its control group."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ragbot.config import load_settings
from ragbot.config.resources import MEGABYTE, MachineResources, machine_resources, resident_bytes, workers_for

HOST_MEMORY = 64 * 1024 * MEGABYTE


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a host with 16 cores and 64 GB, without control groups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)), raising=False)
    write(tmp_path / "proc/meminfo", f"MemTotal:       {HOST_MEMORY // 1024} kB\nMemFree: 12 kB\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- what is given ----------------------------------------------------------------------------


def test_machine_without_control_groups_gives_all_it_has(machine: Path) -> None:
    """As on a plain server."""
    assert machine_resources(machine) == MachineResources(16, HOST_MEMORY)


def test_container_gets_its_limits_and_not_its_hosts(machine: Path) -> None:
    """Sixteen workers in half a gigabyte would be killed one after another."""
    write(machine / "proc/self/cgroup", "0::/\n")
    write(machine / "sys/fs/cgroup/cpu.max", "150000 100000\n")
    write(machine / "sys/fs/cgroup/memory.max", "536870912\n")

    assert machine_resources(machine) == MachineResources(1.5, 512 * MEGABYTE)


def test_group_without_a_limit_leaves_the_machines(machine: Path) -> None:
    """`max` is not a number."""
    write(machine / "proc/self/cgroup", "0::/\n")
    write(machine / "sys/fs/cgroup/cpu.max", "max 100000\n")
    write(machine / "sys/fs/cgroup/memory.max", "max\n")

    assert machine_resources(machine) == MachineResources(16, HOST_MEMORY)


def test_limit_of_a_group_above_counts_too(machine: Path) -> None:
    """systemd puts it on a slice, Kubernetes on the pod."""
    write(machine / "proc/self/cgroup", "0::/system.slice/ragbot.service\n")
    write(machine / "sys/fs/cgroup/system.slice/cpu.max", "200000 100000\n")
    write(machine / "sys/fs/cgroup/system.slice/ragbot.service/cpu.max", "max 100000\n")
    write(machine / "sys/fs/cgroup/system.slice/ragbot.service/memory.max", "1073741824\n")

    assert machine_resources(machine) == MachineResources(2, 1024 * MEGABYTE)


def test_path_of_the_host_that_a_container_cannot_see_does_no_harm(machine: Path) -> None:
    """Without a namespace of its own a container is told its host's path."""
    write(machine / "proc/self/cgroup", "0::/kubepods/burstable/pod1/abc\n")
    write(machine / "sys/fs/cgroup/memory.max", "536870912\n")

    assert machine_resources(machine).memory_bytes == 512 * MEGABYTE


def test_first_version_of_control_groups_is_read(machine: Path) -> None:
    """Older hosts still have it; its sign of no limit is a number near the largest there is."""
    write(machine / "proc/self/cgroup", "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n")
    write(machine / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(machine / "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "268435456\n")
    write(machine / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    write(machine / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    write(machine / "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "400000\n")
    write(machine / "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n")

    assert machine_resources(machine) == MachineResources(4, 256 * MEGABYTE)


def test_this_machine_gives_something() -> None:
    """Whatever it is, it is read without an error."""
    given = machine_resources()

    assert given.cores > 0
    assert given.memory_bytes > 64 * MEGABYTE


# --- how many workers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "memory_mb", "with_key", "without"),
    [
        (0.5, 512, 1, 1),  # the smallest that hosts sell
        (1, 1024, 2, 2),
        (2, 2048, 2, 2),
        (3.5, 2048, 4, 4),
        (4, 1024, 4, 2),  # memory is scarcer than cores
        (8, 16384, 8, 8),
        (1, 64, 1, 1),  # one must run, whatever happens to it
    ],
)
def test_workers_follow_cores_as_far_as_memory_carries(
    cores: float, memory_mb: int, with_key: int, without: int
) -> None:
    """The local model makes a worker nearly twice as large."""
    given = MachineResources(cores, memory_mb * MEGABYTE)

    assert workers_for(given, model_inside=False) == with_key
    assert workers_for(given, model_inside=True) == without


def test_number_that_is_set_wins_over_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets it knows the machine better; unset, a key makes workers smaller and so more."""
    machine = MachineResources(8, 2048 * MEGABYTE)
    monkeypatch.setattr("ragbot.config.settings.machine_resources", lambda: machine)

    assert load_settings({"WEB_CONCURRENCY": 3}).chosen_web_concurrency == 3
    assert load_settings({"OPENAI_API_KEY": "sk-x"}).chosen_web_concurrency == 8
    assert load_settings().chosen_web_concurrency == 4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux alone tells it.")
def test_resident_memory_grows_with_what_is_used() -> None:
    """A job that takes too much is ended by this number."""
    before = resident_bytes() or 0

    used = bytearray(b"x") * (50 * MEGABYTE)

    assert (resident_bytes() or 0) - before > len(used) / 2
