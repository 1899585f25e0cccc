"""Run the app's flask commands as an operator does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from harness.gunicorn_process import Starts, inherited_environment
from harness.preloaded import REPOSITORY, ForkedProcess

LIMIT_S = 600


class CommandFailed(Exception):
    """Report a command that ended with another status than 0."""


def flask_command(words: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a flask command and return its output. Raises CommandFailed with the end of its errors."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        status = start_flask_command(words, env, output, errors).wait(LIMIT_S)
        said, complained = _text_of(output), _text_of(errors)
    if status:
        end = (complained or said).strip()[-1500:]
        raise CommandFailed(f"`flask {' '.join(words)}` ended with {status}:\n{end}")
    return said


def start_flask_command(
    words: Sequence[str], env: Mapping[str, str], output: IO[bytes], errors: IO[bytes]
) -> subprocess.Popen[bytes] | ForkedProcess:
    """Start a flask command: forked where `Starts.preloaded` is set, and anew where it is not."""
    environment = inherited_environment() | {"FLASK_APP": "wsgi"} | dict(env)
    if Starts.preloaded:
        return Starts.preloaded.start(
            ["flask", *words], env=environment, cwd=REPOSITORY, output=output, errors=errors
        )
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *words],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
    )


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
