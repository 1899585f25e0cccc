"""Wait between reads only where words come one by one and fast."""

from __future__ import annotations

import pytest

from ragbot.providers.openai.read_pace import READS_BEFORE, SMALL_BYTES, SOON_S, TOGETHER_S, ReadPace


class Stream:
    """A stream's reads on a clock that the test moves; `slept` is how long the pace has waited in all."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0
        self.pace = ReadPace(clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def read(self, size: int = 200, *, after_s: float = 0.01) -> None:
        self.now += after_s
        self.pace.note_read(size)
        self.pace.wait()


def test_the_first_words_are_given_on_as_they_come() -> None:
    stream = Stream()
    for _ in range(READS_BEFORE - 1):
        stream.read()

    assert stream.slept == 0


def test_words_that_come_fast_are_waited_for_until_a_reader_could_see_them() -> None:
    stream = Stream()
    for _ in range(READS_BEFORE):
        stream.read()

    assert stream.slept == pytest.approx(TOGETHER_S)


def test_time_that_went_by_since_the_read_is_not_waited_for_again() -> None:
    stream = Stream()
    for _ in range(READS_BEFORE - 1):
        stream.read()
    stream.pace.note_read(200)
    stream.now += TOGETHER_S / 4
    stream.pace.wait()

    assert stream.slept == pytest.approx(TOGETHER_S * 3 / 4)


def test_slow_words_are_given_on_as_they_come() -> None:
    stream = Stream()
    for _ in range(20):
        stream.read(after_s=SOON_S + 0.001)

    assert stream.slept == 0


def test_answer_that_comes_in_large_reads_is_not_slowed_down() -> None:
    stream = Stream()
    stream.read()
    for _ in range(20):
        stream.read(SMALL_BYTES + 1, after_s=0.0)
    stream.read()

    assert stream.slept == 0


def test_pause_of_the_model_ends_the_waiting() -> None:
    stream = Stream()
    for _ in range(READS_BEFORE):
        stream.read()
    slept = stream.slept
    stream.read(after_s=1.0)

    assert stream.slept == slept
