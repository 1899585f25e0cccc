"""Judge what a command of the program printed."""

from __future__ import annotations

from click.testing import Result


def failed_in_one_sentence(result: Result) -> bool:
    """Return whether a command ended with 1 and said one thing on standard error, without a stack trace."""
    said = result.stderr.strip().splitlines()
    return (
        result.exit_code == 1
        and isinstance(result.exception, SystemExit)
        and [line for line in said if line.startswith("Error: ")] == said[-1:]
    )
