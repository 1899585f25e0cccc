"""Read a model's words some at a time, where they come one by one and fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

# Words that come within this time are read together. A screen shows a new picture every 16 ms.
TOGETHER_S = 0.02
# Words that come later than this are read as they come: there is nothing to wait for.
SOON_S = 3 * TOGETHER_S
# Larger reads bring several words anyway: an event of a word takes 150 to 400 bytes.
SMALL_BYTES = 1_200
# The first words are given on as they come, and so is an answer that comes in a few reads.
READS_BEFORE = 3


class ReadPace:
    """Wait between reads of a stream whose words come faster than a reader sees them.

    What one read brings passes all filters once, is checked once and is sent once, so that two words together
    cost what one does. For one stream, in one thread.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._read_at = clock()
        self._small_reads = 0

    def note_read(self, size: int) -> None:
        """Note that a read brought so many bytes."""
        now = self._clock()
        if now - self._read_at > SOON_S:
            self._small_reads = 0
        elif size <= SMALL_BYTES:
            self._small_reads += 1
        self._read_at = now

    def wait(self) -> None:
        """Wait until `TOGETHER_S` after the last read, if words come one by one and fast."""
        if self._small_reads < READS_BEFORE:
            return
        left_s = self._read_at + TOGETHER_S - self._clock()
        if left_s > 0:
            self._sleep(left_s)


def paced(reads: Iterable[bytes], goes_on: Callable[[], bool]) -> Iterator[bytes]:
    """Yield what the reads of a stream bring, and wait between them as long as it goes on."""
    pace = ReadPace()
    for data in reads:
        pace.note_read(len(data))
        yield data
        if goes_on():
            pace.wait()
