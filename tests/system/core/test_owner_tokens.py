"""Test that the death of a token's process is detected."""

from __future__ import annotations

from ragbot.core.owner_tokens import is_owner_alive
from tests.system.scripts import run_script


def test_process_that_ended_is_dead() -> None:
    """Its locks and trials would be waited for until their time is over."""
    made = "from ragbot.core.owner_tokens import new_token; print(new_token())"

    token = run_script(made).strip()

    assert token
    assert not is_owner_alive(token)
