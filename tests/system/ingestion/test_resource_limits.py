"""Test a process at its limits: asked to end first, then ended in any case."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from ragbot.config import PROJECT_ROOT

BEGIN = """
import os, sys, time, types
# The package without what its `__init__` imports, which takes a second.
package = types.ModuleType("ragbot")
package.__path__ = ["ragbot"]
sys.modules["ragbot"] = package
from ragbot.ingestion import resource_limits
from ragbot.ingestion.resource_limits import JobEnded, ResourceLimits
resource_limits.GRACE_S = 0.3
def for_certain(reason):
    print("for certain", reason, flush=True)
    os._exit(3)
limits = ResourceLimits(memory_bytes={memory}, time_s={time}, force_end=for_certain)
try:
    print("begun", flush=True)
    {work}
except MemoryError:
    print("no memory", flush=True)
except JobEnded as ended:
    print("told", ended.reason, flush=True)
    {tidy}
"""


def run(work: str, *, memory: int = 10**9, time: float = 60, tidy: str = "pass", told: int = 0) -> str:
    """Return what a process says that does this work, apart from that it has begun."""
    program = BEGIN.format(work=work, memory=memory, time=time, tidy=tidy)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT_ROOT,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        if told:
            process.send_signal(told)
        return process.stdout.read().strip()


def test_time_that_is_up_ends_the_work() -> None:
    """A page that is made to take for ever."""
    assert run("while True: pass", time=0.2) == "told time_limit_exceeded"


def test_memory_that_grows_ends_the_work() -> None:
    """Before the kernel ends somebody else."""
    work = "held = []\n    while True:\n        held.append(b'x' * 5_000_000)\n        time.sleep(0.005)"

    assert run(work, memory=300_000_000) == "told memory_limit_exceeded"


def test_one_absurd_allocation_fails_at_once() -> None:
    """No watching is quick enough for it."""
    assert run("bytearray(5 * 10**9)", memory=100_000_000) == "no memory"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_work_kindly(told: int) -> None:
    """A host that shuts down."""
    assert run("time.sleep(60)", told=told) == "told job_stopped"


def test_work_that_skips_every_exception_is_ended_all_the_same() -> None:
    """A reader of files goes on with the next one, whatever happens."""
    work = "while True:\n        try: time.sleep(1)\n        except Exception: pass"

    assert run(work, time=0.2) == "told time_limit_exceeded"


def test_tidying_up_that_hangs_is_ended_for_certain() -> None:
    """Threads of a pool may wait for a provider that never answers."""
    said = run("time.sleep(60)", time=0.2, tidy="time.sleep(60)")

    assert said.splitlines() == ["told time_limit_exceeded", "for certain time_limit_exceeded"]


def test_call_that_no_signal_ends_is_ended_for_certain() -> None:
    """Code that is not Python's looks at no signal."""
    work = "import threading; signal = __import__('signal')"
    work += "\n    signal.signal(signal.SIGTERM, lambda *_: None)\n    time.sleep(60)"

    assert run(work, time=0.2) == "for certain time_limit_exceeded"


def test_work_that_is_done_is_not_ended_any_more() -> None:
    """The report is being written down just when the time is up."""
    assert run("limits.finished(); time.sleep(0.6); print('done')", time=0.3) == "done"
