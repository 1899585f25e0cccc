"""Run Python code in a process of its own that has the app imported.

`python -m tests.system.scripts CODE ARGUMENT ...` does what `python -c CODE ARGUMENT ...` does. As a module
it can be forked from the process that the tests' servers are forked from.
"""

from __future__ import annotations

import sys
import tempfile

from harness.gunicorn_process import Starts, inherited_environment
from harness.preloaded import REPOSITORY

LIMIT_S = 300


def run_script(code: str, *arguments: str) -> str:
    """Run code and return what it printed. Raises AssertionError with its errors if it fails."""
    assert Starts.preloaded, "the fixture preloaded_servers starts the process to fork from"
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        status = Starts.preloaded.start(
            ["tests.system.scripts", code, *arguments],
            env=inherited_environment(),
            cwd=REPOSITORY,
            output=output,
            errors=errors,
        ).wait(LIMIT_S)
        for file in (output, errors):
            file.seek(0)
        said, complained = output.read().decode(), errors.read().decode()
    assert status == 0, complained or said
    # Shown if the test fails: the complaints of children for which the code waited.
    sys.stderr.write(complained)
    return said


if __name__ == "__main__":
    program = sys.argv.pop(1)
    exec(compile(program, "<script>", "exec"), {"__name__": "__main__"})
