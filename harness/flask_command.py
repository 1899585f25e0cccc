"""Run the app's flask commands as an operator does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

from harness.gunicorn_process import REPOSITORY, inherited_environment


class CommandFailed(Exception):
    """Report a command that ended with another status than 0."""


def flask_command(words: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a flask command and return its output. Raises CommandFailed with the end of its errors."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=REPOSITORY,
        env=inherited_environment() | {"FLASK_APP": "wsgi"} | dict(env),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise CommandFailed(f"`flask {' '.join(words)}` ended with {done.returncode}:\n{said}")
    return done.stdout
