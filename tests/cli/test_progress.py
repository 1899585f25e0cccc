"""Show a moving bar on a terminal, and few lines elsewhere."""

from __future__ import annotations

import time

import pytest

from ragbot.cli.progress import WIDTH, ProgressBar, bar


def test_bar_tells_what_is_done_and_what_may_be_left() -> None:
    """A newcomer sees what happens, and whether a coffee is due."""
    assert bar("embed", 0, 500, 0.4) == f"Computing vectors [{'.' * WIDTH}] 0 of 500 (0 s)"
    assert bar("embed", 250, 500, 60) == (
        f"Computing vectors [{'#' * (WIDTH // 2)}{'.' * (WIDTH // 2)}] 250 of 500 (60 s, some 60 s left)"
    )
    assert bar("embed", 500, 500, 9) == f"Computing vectors [{'#' * WIDTH}] 500 of 500 (9 s, some 0 s left)"


def test_stage_without_a_total_counts() -> None:
    """How many files a book has is known when they are read."""
    assert bar("read", 0, 0, 0) == "Reading pages ... (0 s)"
    assert bar("read", 12, 0, 3) == "Reading pages ... 12 (3 s)"


def test_log_has_a_line_for_each_stage_and_one_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """A log of a thousand lines is read by nobody, and a silent one makes people stop the command."""
    now = [0.0]
    with ProgressBar(on_terminal=False, clock=lambda: now[0]) as progress:
        progress("read", 0, 0)
        for done in range(1, 101):
            now[0] += 1
            progress("embed", done, 100)

    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["read", "embed 1/100", "embed 11/100"]
    assert lines[-1] == "embed 100/100"
    assert len(lines) == 12


def test_line_on_a_terminal_moves_during_a_slow_step(capsys: pytest.CaptureFixture[str]) -> None:
    """The first vectors may take a minute on a busy machine."""
    now = [0.0]
    shown = ""
    with ProgressBar(on_terminal=True, clock=lambda: now[0]) as progress:
        progress("embed", 0, 500)
        now[0] = 30.0
        deadline = time.monotonic() + 60
        while "(30 s)" not in shown and time.monotonic() < deadline:
            shown += capsys.readouterr().err
            time.sleep(0.01)

    assert "Computing vectors" in shown
    assert "(30 s)" in shown
    assert capsys.readouterr().err.endswith("\r")
