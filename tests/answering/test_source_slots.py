"""Test the numbers by which a reader finds cited passages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.source_slots import SourceSlots
from tests.fuzzing import fuzz


def test_passages_that_are_shown_keep_their_numbers() -> None:
    """They are the best ones, in order."""
    slots = SourceSlots(9, 3)

    assert [slots.number_of(passage) for passage in (2, 1, 2)] == [2, 1, 2]
    assert slots.passages == (1, 2, 3)
    assert slots.cited == {1, 2}


def test_cited_passage_beyond_them_takes_the_last_free_place() -> None:
    """What is cited must be among the sources."""
    slots = SourceSlots(9, 3)

    assert slots.number_of(7) == 3
    assert slots.passages == (1, 2, 7)


def test_number_that_was_given_stays() -> None:
    """The reader has seen it already."""
    slots = SourceSlots(9, 3)
    slots.number_of(3)

    numbers = [slots.number_of(passage) for passage in (8, 9, 3, 8)]

    assert numbers == [2, 1, 3, 2]
    assert slots.passages == (9, 8, 3)


def test_passage_without_a_free_place_has_no_number() -> None:
    """Its mark is dropped."""
    slots = SourceSlots(9, 2)
    slots.number_of(1)
    slots.number_of(2)

    assert slots.number_of(5) is None
    assert slots.passages == (1, 2)


def test_passage_that_was_not_retrieved_has_no_number() -> None:
    """Models make numbers up."""
    slots = SourceSlots(2, 5)

    assert [slots.number_of(passage) for passage in (0, 3, -1)] == [None, None, None]
    assert (slots.passages, slots.cited) == ((1, 2), set())


def test_change_of_the_list_is_told_once() -> None:
    """A stream tells its reader of the new source before the mark."""
    slots = SourceSlots(9, 3)
    slots.number_of(1)
    before = slots.take_change()
    slots.number_of(7)

    assert (before, slots.take_change(), slots.take_change()) == (False, True, False)


@fuzz(50)
@given(st.integers(0, 14), st.integers(0, 8), st.lists(st.integers(-1, 16), max_size=20))
def test_each_number_leads_to_its_passage_to_the_end(passages: int, shown: int, cited: list[int]) -> None:
    """Whatever is cited after it."""
    slots = SourceSlots(passages, shown)

    numbers = [(slots.number_of(passage), passage) for passage in cited]

    assert all(slots.passages[number - 1] == passage for number, passage in numbers if number)
    assert len(set(slots.passages)) == len(slots.passages) == min(passages, shown)
    assert slots.cited == {number for number, _ in numbers if number}
