"""Test that the death of a token's process is detected."""

from __future__ import annotations

import subprocess
import sys

from ragbot.core.owner_tokens import is_owner_alive


def test_process_that_ended_is_dead() -> None:
    """Its locks and trials would be waited for until their time is over."""
    made = "from ragbot.core.owner_tokens import new_token; print(new_token())"

    ended = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True)

    assert not is_owner_alive(ended.stdout.strip())
