"""Define the commands of `flask`: parse the arguments, call a service, print the result."""

from __future__ import annotations

import click
from flask.cli import AppGroup


class LazyCommands(AppGroup):
    """Hold our commands, which are imported when one is looked for: a server needs none of them."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self._is_loaded = False
        if click.get_current_context(silent=True) is not None:
            # Before `flask db downgrade -1` is parsed.
            self._load()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None."""
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if not self._is_loaded:
            from ragbot.cli.commands import register_commands

            self._is_loaded = True
            register_commands(self)
