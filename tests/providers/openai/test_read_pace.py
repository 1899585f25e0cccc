"""Wait between reads only where words come one by one and fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ragbot.providers.openai.read_pace import READS_BEFORE, SMALL_BYTES, SOON_S, TOGETHER_S, paced

# A read's bytes, and the seconds until it comes.
FAST = (200, 0.01)


def slept_s(reads: Sequence[tuple[int, float]], *, looked_at_s: float = 0.0) -> float:
    """Return how long was waited for reads and behind the last; each is looked at for so long."""
    now, slept = 100.0, 0.0

    def read() -> Iterator[bytes]:
        nonlocal now
        for size, after_s in reads:
            now += after_s
            yield bytes(size)

    def sleep(seconds: float) -> None:
        nonlocal now, slept
        now += seconds
        slept += seconds

    def clock() -> float:
        return now

    given = 0
    for _ in paced(read(), lambda: True, clock=clock, sleep=sleep):
        now += looked_at_s
        given += 1
    assert given == len(reads)
    return slept


def test_the_first_words_are_given_on_as_they_come() -> None:
    assert slept_s([FAST] * (READS_BEFORE - 1)) == 0


def test_words_that_come_fast_are_waited_for_until_a_reader_could_see_them() -> None:
    assert slept_s([FAST] * READS_BEFORE) == pytest.approx(TOGETHER_S)


def test_time_that_went_by_since_the_read_is_not_waited_for_again() -> None:
    assert slept_s([FAST] * READS_BEFORE, looked_at_s=TOGETHER_S / 4) == pytest.approx(TOGETHER_S * 3 / 4)


def test_slow_words_are_given_on_as_they_come() -> None:
    assert slept_s([(200, SOON_S + 0.001)] * 20) == 0


def test_answer_that_comes_in_large_reads_is_not_slowed_down() -> None:
    assert slept_s([FAST, *[(SMALL_BYTES + 1, 0.0)] * 20, FAST]) == 0


def test_pause_of_the_model_ends_the_waiting() -> None:
    fast = [FAST] * READS_BEFORE

    assert slept_s([*fast, (200, 1.0)]) == slept_s(fast)


def test_stream_that_is_over_is_read_to_its_end_at_once() -> None:
    slept: list[float] = []
    reads = [bytes(200)] * 20

    assert [*paced(reads, lambda: False, clock=lambda: 0.0, sleep=slept.append)] == reads
    assert slept == []
