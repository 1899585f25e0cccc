"""Run `python -m MODULE` in forks of one process that has the app's modules imported.

`python -m harness.preloaded SOCKET` listens on a UNIX socket until its standard input ends. A client sends
arguments, environment, folder and the three standard files, and is told the process id and at last the exit
status. A fork is what a new process is when it has imported `ragbot`, which takes most of a start: in a
session of its own, and nothing is read from the environment yet.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

NUMBER_BYTES = 4
PATIENCE_S = 60
REPOSITORY = Path(__file__).resolve().parents[1]


class ForkedProcess:
    """Signal a process that the server forked, and wait for its end, as subprocess.Popen does."""

    def __init__(self, connection: socket.socket, words: Sequence[str]) -> None:
        self._connection = connection
        self._words = list(words)
        self.returncode: int | None = None
        self.pid = told_number(connection)

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, minus the signal that ended it. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._words, timeout or 0)
            self.returncode = told_number(self._connection)
            self._connection.close()
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM, if it still runs."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, if it still runs."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Preloaded:
    """Start the server when it is first needed, and end it with `close`.

    It imports the `ragbot` of `project`, with the environment `env` (None: this process's own).
    """

    def __init__(self, project: Path = REPOSITORY, env: Mapping[str, str] | None = None) -> None:
        self._project = project
        self._env = env
        self._folder = tempfile.TemporaryDirectory(prefix="preloaded-")
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Path:
        """Return where the server listens."""
        return Path(self._folder.name, "socket")

    def start(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | str,
        output: IO[bytes],
        errors: IO[bytes] | None = None,
    ) -> ForkedProcess:
        """Run `python -m WORDS`, with nothing to read; errors go to the output unless told."""
        self.serve()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.address))
        with open(os.devnull, "rb") as nothing:
            files = [nothing.fileno(), output.fileno(), (errors or output).fileno()]
            request = json.dumps([list(words), dict(env), str(cwd)]).encode()
            socket.send_fds(connection, [number_bytes(len(request))], files)
            connection.sendall(request)
            return ForkedProcess(connection, words)

    def close(self) -> None:
        """End the server; processes that it forked go on."""
        if self._server:
            self._server.communicate()
        self._folder.cleanup()

    def serve(self) -> None:
        """Start the server, if it is not there, and wait until it listens."""
        if self._server:
            return
        command = [sys.executable, "-m", "harness.preloaded", str(self.address)]
        self._server = subprocess.Popen(
            command, cwd=self._project, env=self._env, stdin=subprocess.PIPE, start_new_session=True
        )
        until = time.monotonic() + PATIENCE_S
        while not self.address.exists():
            assert self._server.poll() is None, "the preloaded process ended before it listened"
            assert time.monotonic() < until, "the preloaded process does not listen"
            time.sleep(0.02)


def number_bytes(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big", signed=True)


def told_number(connection: socket.socket) -> int:
    told = connection.recv(NUMBER_BYTES, socket.MSG_WAITALL)
    assert len(told) == NUMBER_BYTES, "the preloaded process was lost"
    return int.from_bytes(told, "big", signed=True)


def serve(address: str) -> None:
    """Answer one client after another, each from a fork of its own, until nothing can come from stdin."""
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    with socket.socket(socket.AF_UNIX) as door:
        # Whoever sees the socket may connect.
        door.bind(f"{address}.new")
        door.listen()
        os.rename(f"{address}.new", address)
        while door in select.select([door, sys.stdin], [], [])[0]:
            client, _ = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(client)
                os._exit(0)
            client.close()


def reap() -> None:
    """Wait for the forks that have ended, which also adds their time to this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def answer(client: socket.socket) -> None:
    """Run the command in another fork, and tell the client its process id and exit status."""
    head, files, _, _ = socket.recv_fds(client, NUMBER_BYTES, 3)
    length = int.from_bytes(head, "big")
    words, environment, folder = json.loads(client.recv(length, socket.MSG_WAITALL))
    command = os.fork()
    if command == 0:
        client.close()
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        sys.path[0] = folder
        sys.argv = ["", *words[1:]]
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        sys.exit(0)
    for file in files:
        os.close(file)
    # Who does not want to know the end has left.
    with contextlib.suppress(BrokenPipeError):
        client.sendall(number_bytes(command))
        _, status = os.waitpid(command, 0)
        client.sendall(number_bytes(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    import ragbot  # noqa: F401

    gc.freeze()
    serve(sys.argv[1])
