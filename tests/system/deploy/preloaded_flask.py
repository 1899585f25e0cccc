"""Write a program `flask` whose commands are forked from one process that has the app imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from harness.preloaded import NUMBER_BYTES, Preloaded

# It says what `Preloaded.start` says, without the time that importing that would take.
CLIENT = f"""#!{sys.executable} -IS
import json, os, socket, sys
asked = json.dumps([["flask", *sys.argv[1:]], dict(os.environ), os.getcwd()]).encode()
with socket.socket(socket.AF_UNIX) as door:
    door.connect({{address!r}})
    socket.send_fds(door, [len(asked).to_bytes({NUMBER_BYTES}, "big", signed=True)], [0, 1, 2])
    door.sendall(asked)
    pid, status = (door.recv({NUMBER_BYTES}, socket.MSG_WAITALL) for _ in range(2))
if len(status) < {NUMBER_BYTES}:
    sys.exit("the preloaded flask was lost")
status = int.from_bytes(status, "big", signed=True)
sys.exit(status if status >= 0 else 1)
"""


@contextmanager
def preloaded_flask(programs: Path, *, cwd: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Start a process that imports the project in `cwd`, and write a `flask` that asks it into `programs`."""
    with closing(Preloaded(cwd, env)) as preloaded:
        preloaded.serve()
        (programs / "flask").write_text(CLIENT.format(address=str(preloaded.address)))
        (programs / "flask").chmod(0o755)
        yield
