"""Test grounding: which marks remain or are added, and how unsupported sentences are reported."""

from __future__ import annotations

import random

import pytest

from ragbot.answering.grounding import Grounder, verbatim_grounding
from ragbot.answering.source_slots import SourceSlots
from ragbot.answering.support import SupportFinder
from ragbot.bootstrap import passage_reader
from ragbot.core.answers import Grounding
from tests.answering.test_support import CHEESE, TEA

RIPENS = "Bob ripens the cheddar for nine months"
BREWED = "Green tea is brewed at 80 degrees"
INVENTED = "Cheddar was first sold to sailors on long voyages"


def grounded(*texts: str, shown: int = 2, read: tuple[int, ...] = (1, 2)) -> tuple[str, Grounder]:
    """Return the text of an answer that came in pieces, and the grounder that made it."""
    slots = SourceSlots(2, shown)
    slots.number_of(1)
    support = SupportFinder([CHEESE, TEA], "How is it made?", language="english", reader=passage_reader())
    grounder = Grounder(support, passage_of=slots.passage_of, mark_of=slots.number_of, read=read)
    text = "".join(map(grounder.feed, texts)) + grounder.flush()
    return text, grounder


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(f"{RIPENS} [1].", f"{RIPENS} [1].", id="right"),
        pytest.param(f"{RIPENS}.", f"{RIPENS}. [1]", id="missing"),
        pytest.param(f"{RIPENS} [2].", f"{RIPENS}. [1]", id="another's"),
        pytest.param(f"{RIPENS} [1][2].", f"{RIPENS} [1].", id="one of two"),
        pytest.param(f"{RIPENS}. [2]", f"{RIPENS}. [1]", id="behind the stop"),
        pytest.param(f"{INVENTED} [1].", f"{INVENTED}.", id="of nothing"),
        pytest.param(
            "Cheddar waits for `months[2]` in the cave [1].",
            "Cheddar waits for `months[2]` in the cave.",
            id="an index in code",
        ),
        pytest.param(f"- {RIPENS}\n- {BREWED}", f"- {RIPENS} [1]\n- {BREWED} [2]", id="items"),
        pytest.param(
            "To ripen it:\n\n- cheddar, nine months [1]",
            "To ripen it:\n\n- cheddar, nine months [1]",
            id="lead",
        ),
        pytest.param(
            "| green tea | 80 degrees |\n|---|---|\n\nMore of it",
            "| green tea | 80 degrees |\n|---|---|\n\n[2]\n\nMore of it",
            id="table",
        ),
        pytest.param(
            "```\ncheese.wait(months=9)\n```", "```\ncheese.wait(months=9)\n```\n\n[1]\n", id="listing"
        ),
        pytest.param(
            "```\ncheese.wait(months=9)\n```\n\n[2]",
            "```\ncheese.wait(months=9)\n```\n\n[1]",
            id="listing with a mark",
        ),
    ],
)
def test_marks_are_moved_to_what_supports_the_sentence(written: str, expected: str) -> None:
    """Or dropped, or added."""
    assert grounded(written)[0] == expected


def test_counts_say_how_the_sentences_stand_and_where_the_unsupported_ones_are() -> None:
    """A page can show them in grey."""
    text, grounder = grounded(f"You see: {RIPENS} [2]. {INVENTED} [1]. {BREWED}.")

    grounding = grounder.grounding

    assert (grounding.sentences, grounding.cited, grounding.supported) == (3, 2, 2)
    assert [text[start:end] for start, end in grounding.unsupported] == [f"{INVENTED}."]
    assert not grounder.is_unsupported


@pytest.mark.parametrize("behind", ["", "\n", "\n\nIt is done:", " \n\n[1]\n\nIt is done:", "\n[1]"])
def test_unsupported_listings_and_tables_are_told_whole(behind: str) -> None:
    """The reply named an empty piece of the answer."""
    for block in ("```sh\nchurn --record /topic\n```", "| ships | 1804 |\n|---|---|\n| guns | 74 |"):
        text, grounder = grounded(f"Record it:\n\n{block}{behind}")

        assert [text[start:end] for start, end in grounder.grounding.unsupported] == [block]


@pytest.mark.parametrize("seed", range(20))
def test_result_does_not_depend_on_where_the_text_was_cut(seed: int) -> None:
    """A model's tokens end anywhere."""
    written = (
        f"{RIPENS} [2]. {INVENTED} [1].\n\n- {BREWED}\n\n| green tea | 80 degrees |\n|---|---|\n\nTea [1]."
    )
    chance = random.Random(seed)
    cuts, rest = [], written
    while rest:
        length = chance.randint(1, 12)
        cuts.append(rest[:length])
        rest = rest[length:]
    whole, by_one = grounded(written), grounded(*cuts)

    assert by_one[0] == whole[0]
    assert by_one[1].grounding == whole[1].grounding


def test_answer_of_which_nothing_is_supported_is_known() -> None:
    """It is no answer from the book."""
    assert grounded(f"{INVENTED} [1].")[1].is_unsupported
    assert grounded("Shall I go on? Or shall I not?")[1].is_unsupported
    assert not grounded("Shall I go on? These are the steps:")[1].is_unsupported


def test_answer_that_only_says_that_the_book_is_silent_is_known() -> None:
    """Some models refuse in their own words."""
    assert grounded("The book does not mention sailors.")[1].only_says_silence
    assert not grounded(f"The book does not mention sailors. {RIPENS} [1].")[1].only_says_silence


def test_only_passages_that_the_model_was_shown_are_cited() -> None:
    """What it did not read it did not answer from."""
    text, grounder = grounded(f"{BREWED}.", read=(1,))

    assert text == f"{BREWED}."
    assert grounder.is_unsupported


def test_supported_sentence_without_a_free_source_has_no_mark() -> None:
    """The reader's list is full; the sentence stands in the book all the same."""
    text, grounder = grounded(f"{RIPENS} [1]. {BREWED}.", shown=1)

    assert text == f"{RIPENS} [1]. {BREWED}."
    assert grounder.grounding == Grounding(sentences=2, cited=1, supported=2)


def test_books_own_sentences_are_counted_without_being_checked() -> None:
    """They are verbatim."""
    answer = f"In the book's own words:\n\n{RIPENS}. {BREWED}. [1]\n\n```\ncode\n```\n\n[2]"

    assert verbatim_grounding(answer) == Grounding(3, 3, 3)
