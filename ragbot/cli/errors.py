"""Turn errors of ours into one line on standard error."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from ragbot.core.errors import RagbotError

P = ParamSpec("P")
R = TypeVar("R")


def failing_in_one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error of ours as one sentence on standard error, and exit with code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except RagbotError as error:
            raise click.ClickException(str(error)) from error

    return run
