"""Test that every command in docs/backup.md can be typed as it is printed."""

from __future__ import annotations

import re

import click
import pytest

from ragbot.config import PROJECT_ROOT
from ragbot.observability.metrics import METRICS
from tests.conftest import AppMaker

pytestmark = pytest.mark.sqlite_is_enough

GUIDE = (PROJECT_ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"flask --app wsgi ([^`#\n]+)", GUIDE)))


@pytest.mark.parametrize("typed", COMMANDS)
def test_command_of_the_guide_can_be_typed(make_app: AppMaker, typed: str) -> None:
    """An operator who reads it has no time to find out."""
    command: click.Command = make_app().cli
    words = typed.split()

    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found
        command = found

    # Parses what is left as the command would; fails over an option that is none.
    command.make_context("typed", words).close()


def test_guide_names_the_metrics_that_there_are() -> None:
    """An alert on another name never fires."""
    named = set(re.findall(r"`((?:backup|drill)_[a-z_]+)`", GUIDE))

    assert named == {name for name in METRICS if name.startswith(("backup_", "drill_"))}
