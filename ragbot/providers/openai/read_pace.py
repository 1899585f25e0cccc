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


def paced(
    reads: Iterable[bytes],
    goes_on: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """Yield what the reads of a stream bring, and wait between them where words come fast.

    What one read brings passes all filters once, is checked once and is sent once, so that two words together
    cost what one does. Between two reads at least `TOGETHER_S` go by then, as long as the stream `goes_on`.
    """
    read_at, small_reads = clock(), 0
    for data in reads:
        now = clock()
        if now - read_at > SOON_S:
            small_reads = 0
        elif len(data) <= SMALL_BYTES:
            small_reads += 1
        read_at = now
        yield data
        if small_reads >= READS_BEFORE and goes_on() and (left_s := read_at + TOGETHER_S - clock()) > 0:
            sleep(left_s)
