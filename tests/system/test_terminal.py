"""Start the service at a terminal, as somebody does who tries it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

from harness.gunicorn_process import COMMAND, REPOSITORY, free_port, inherited_environment
from tests.databases import migrate


def test_address_is_the_last_line_on_a_terminal(tmp_path: Path) -> None:
    """A newcomer looks for it at the end, and not among the logs of workers that start."""
    url, port = f"sqlite:///{tmp_path / 'ragbot.db'}", free_port()
    migrate(url)
    environment = {"DATABASE_URL": url, "INDEX_DIR": str(tmp_path / "index"), "PORT": str(port)}
    # (A second worker would say meanwhile that there is no book.)
    environment |= {"WEB_CONCURRENCY": "1"}
    terminal, shown = pty.openpty()
    process = subprocess.Popen(
        COMMAND,
        cwd=REPOSITORY,
        env=inherited_environment() | environment,
        stdin=shown,
        stdout=shown,
        stderr=shown,
        start_new_session=True,
    )
    os.close(shown)
    try:
        said = _read_until(terminal, f"    http://localhost:{port}\r\n".encode(), seconds=120)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        os.close(terminal)

    lines = [line.strip() for line in said.decode().splitlines() if line.strip()]
    assert lines[-1] == f"http://localhost:{port}"


def _read_until(terminal: int, wanted: bytes, *, seconds: float) -> bytes:
    """Read what is shown on a terminal until something is there, or the time is over."""
    said = b""
    end = time.monotonic() + seconds
    while wanted not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                said += os.read(terminal, 65_536)
            except OSError:
                # The other side is closed.
                break
    return said
