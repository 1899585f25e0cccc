"""Run flask commands in forks of one process that has the app's modules imported.

`python -m tests.system.deploy.preloaded_flask SOCKET` listens on a UNIX socket. The program `flask` that
`preloaded_flask` writes hands it arguments, environment, folder and files; it exits as the command does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import flask.cli

# All that `wsgi` imports but itself, which reads the settings.
import ragbot  # noqa: F401

LENGTH_BYTES = 4
PATIENCE_S = 60

CLIENT = f"""#!{sys.executable} -IS
import json, os, socket, sys
asked = json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode()
with socket.socket(socket.AF_UNIX) as door:
    door.connect({{address!r}})
    socket.send_fds(door, [len(asked).to_bytes({LENGTH_BYTES}, "big")], [0, 1, 2])
    door.sendall(asked)
    status = door.recv(1)
sys.exit(status[0] if status else "the preloaded flask was lost")
"""


@contextmanager
def preloaded_flask(programs: Path, *, cwd: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Start a process that imports the project in `cwd`, and write a `flask` that asks it into `programs`."""
    address = programs / "flask.sock"
    command = [sys.executable, "-m", "tests.system.deploy.preloaded_flask", str(address)]
    with subprocess.Popen(command, cwd=cwd, env=env) as process:
        wait_for(address, process)
        (programs / "flask").write_text(CLIENT.format(address=str(address)))
        (programs / "flask").chmod(0o755)
        try:
            yield
        finally:
            process.terminate()


def wait_for(address: Path, process: subprocess.Popen[bytes]) -> None:
    """Return when the process listens."""
    until = time.monotonic() + PATIENCE_S
    while not address.exists():
        assert process.poll() is None, "it ended before it listened"
        assert time.monotonic() < until, "it does not listen"
        time.sleep(0.02)


def serve(address: str) -> None:
    """Answer one client after another, each from a fork of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        # Whoever sees the socket may connect.
        door.bind(f"{address}.new")
        door.listen()
        os.rename(f"{address}.new", address)
        while True:
            client, _ = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(client)
                os._exit(0)
            client.close()


def answer(client: socket.socket) -> None:
    """Run the command in another fork, and tell the client its exit status."""
    head, files, _, _ = socket.recv_fds(client, LENGTH_BYTES, 3)
    with client.makefile("rb") as rest:
        arguments, environment, folder = json.loads(rest.read(int.from_bytes(head, "big")))
    command = os.fork()
    if command == 0:
        client.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        flask.cli.main()
        sys.exit(0)
    for file in files:
        os.close(file)
    _, status = os.waitpid(command, 0)
    client.sendall(bytes([os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1]))


if __name__ == "__main__":
    serve(sys.argv[1])
