"""Show how far a long command is: a moving bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

import click

WIDTH = 24
# Elsewhere than on a terminal, a line for each stage, and one in so many seconds of a long one.
LINE_EVERY_S = 10.0
REDRAW_EVERY_S = 0.5

# What the stages do, for somebody who runs the command for the first time.
WORDS = {
    "download": "Downloading pages",
    "read": "Reading pages",
    "context": "Describing passages",
    "weigh": "Counting words",
    "embed": "Computing vectors",
    "index": "Building the search index",
    "links": "Checking links",
}


class ProgressBar:
    """Print the progress on standard error; a context manager that leaves the terminal's line empty.

    Call it with a stage, what is done, and the total (0 if that is not known). On a terminal the line is
    drawn anew twice a second, so that it moves while a slow step is under way.
    """

    def __init__(
        self, *, on_terminal: bool | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_terminal = sys.stderr.isatty() if on_terminal is None else on_terminal
        self._clock = clock
        self._lock = Lock()
        self._ended = Event()
        self._stage, self._done, self._total = "", 0, 0
        self._begun_at = self._line_at = clock()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if self._on_terminal:
            self._thread = Thread(target=self._redraw, daemon=True, name="progress")
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            click.echo("\r\x1b[K", nl=False, err=True)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show a new state."""
        with self._lock:
            is_new = stage != self._stage
            if is_new:
                self._begun_at = self._clock()
            self._stage, self._done, self._total = stage, done, total
            if self._on_terminal:
                self._draw()
            elif is_new or (total and done == total) or self._clock() - self._line_at >= LINE_EVERY_S:
                self._line_at = self._clock()
                click.echo(f"{stage} {done}/{total}" if total else f"{stage} {done or ''}".rstrip(), err=True)

    def _redraw(self) -> None:
        while not self._ended.wait(REDRAW_EVERY_S):
            with self._lock:
                if self._stage:
                    self._draw()

    def _draw(self) -> None:
        seconds = self._clock() - self._begun_at
        click.echo(f"\r\x1b[K{bar(self._stage, self._done, self._total, seconds)}", nl=False, err=True)


def bar(stage: str, done: int, total: int, seconds: float) -> str:
    """Return a stage's line: what it does, a bar or a count, and the time passed and left."""
    words = WORDS.get(stage, stage)
    passed = f"{seconds:.0f} s"
    if not total:
        return f"{words} ... {done or ''}".rstrip() + f" ({passed})"
    filled = WIDTH * min(done, total) // total
    left = f", some {seconds * (total - done) / done:.0f} s left" if done and seconds >= 2 else ""
    return f"{words} [{'#' * filled}{'.' * (WIDTH - filled)}] {done} of {total} ({passed}{left})"
