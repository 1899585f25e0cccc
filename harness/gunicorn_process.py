"""Run the app under gunicorn as a process group, and signal, kill and observe it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from harness.preloaded import REPOSITORY, ForkedProcess, Preloaded

COMMAND = (sys.executable, "-m", "gunicorn", "-c", "python:ragbot.serving", "wsgi:app")
READY_LIMIT_S = 90
POLL_S = 0.02

# Nothing else of the developer's environment reaches the app: no key, no address, no quota.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")


class ProcessState(NamedTuple):
    pid: int
    parent: int
    group: int


class NotReady(AssertionError):
    """Report a server that ended or did not answer /health in time; the message has its logs."""


class Starts:
    """Hold the process that forks the servers whose command is `COMMAND`; with None, each is started anew."""

    preloaded: Preloaded | None = None


class GunicornProcess:
    """Run the app on a free loopback port: `with GunicornProcess({...}) as server:` waits for /health.

    `workers` and `threads` become gunicorn's flags, which win over its configuration; the port is given by
    PORT alone. A `command` of one's own may contain `{port}`. Leaving the block ends every process of it.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        workers: int = 1,
        threads: int | None = None,
        cwd: Path | str = REPOSITORY,
        command: Sequence[str] = COMMAND,
        ready_limit_s: float = READY_LIMIT_S,
    ) -> None:
        self.port = free_port()
        self.startup_s = 0.0
        own = {"PORT": str(self.port), "RATE_LIMIT_ENABLED": "false"}
        self._env = inherited_environment() | own | dict(env or {})
        flags = ["--workers", str(workers), *(["--threads", str(threads)] if threads else [])]
        self._command = [part.replace("{port}", str(self.port)) for part in command] + flags
        self._cwd = cwd
        self._workers = workers
        self._ready_limit_s = ready_limit_s
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._log = tempfile.NamedTemporaryFile(prefix="gunicorn-", suffix=".log", delete=False)  # noqa: SIM115

    @property
    def url(self) -> str:
        """Return the address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return the master's process id."""
        return self._running().pid

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers that are alive."""
        return sorted(process.pid for process in living_processes() if process.parent == self.pid)

    def start(self) -> None:
        """Start and wait until GET /health says 200 and all workers live. Raises NotReady with the logs."""
        started = time.monotonic()
        self._process = self._launched()
        # One worker answers before the last one is forked, so both are waited for.
        while not (is_healthy(self.port) and len(self.worker_pids()) >= self._workers):
            if self._process.poll() is not None:
                raise NotReady(f"gunicorn ended with {self._process.returncode}:\n{self.logs()}")
            if time.monotonic() - started > self._ready_limit_s:
                raise NotReady(f"no /health within {self._ready_limit_s} s:\n{self.logs()}")
            time.sleep(POLL_S)
        self.startup_s = time.monotonic() - started

    def terminate(self, timeout: float = 60) -> int:
        """Send SIGTERM, as a host does, and return the exit code.

        Raises subprocess.TimeoutExpired, after a kill, when it does not end in time.
        """
        process = self._running()
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Send SIGKILL to master and workers at once, as the kernel does when memory runs out."""
        process = self._running()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        until = time.monotonic() + 60
        while any(other.group == process.pid for other in living_processes()) and time.monotonic() < until:
            time.sleep(POLL_S)

    def kill_master(self) -> None:
        """Send SIGKILL to the master alone; its workers notice within a second and exit."""
        process = self._running()
        process.kill()
        process.wait(60)

    def logs(self) -> str:
        """Return what it has written to stdout and stderr."""
        return Path(self._log.name).read_text(errors="replace")

    def close(self) -> None:
        """End every process that is left, and delete the log file."""
        if self._process:
            self._end_group()
        self._log.close()
        Path(self._log.name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _launched(self) -> subprocess.Popen[bytes] | ForkedProcess:
        """Start it in a session of its own, so that `kill` reaches master and workers, and nobody else."""
        here = Path(self._cwd) == REPOSITORY
        if Starts.preloaded and here and tuple(self._command[: len(COMMAND)]) == COMMAND:
            return Starts.preloaded.start(self._command[2:], env=self._env, cwd=REPOSITORY, output=self._log)
        return subprocess.Popen(
            self._command,
            env=self._env,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _running(self) -> subprocess.Popen[bytes] | ForkedProcess:
        if not self._process:
            raise RuntimeError("not started: use it as a context manager, or call start()")
        return self._process

    def _end_group(self) -> None:
        if self._running().poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.terminate(timeout=3)
        self.kill()  # also the workers of a master that is already gone


def inherited_environment() -> dict[str, str]:
    """Return the environment variables that a started process may inherit."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def free_port() -> int:
    """Return a port of 127.0.0.1 on which no process listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def is_healthy(port: int) -> bool:
    """Return whether GET /health on the loopback answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def open_files(pid: int) -> set[str]:
    """List what a process has open, by the kernel's names (Linux); files closed meanwhile are left out."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held.add(os.readlink(link))
    return held


def living_processes() -> Iterator[ProcessState]:
    """Yield every process that is not a zombie, from /proc (Linux).

    A killed worker whose master is gone may stay a zombie where process 1 reaps none, as in many containers.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, group, *_ = stat.read_text().rpartition(")")[2].split()
            if state not in "ZX":
                yield ProcessState(int(stat.parent.name), int(parent), int(group))
