"""Test which sections a question does not mean: another number's, and how to undo what it asks for."""

from __future__ import annotations

from functools import partial

import pytest

from ragbot.core.domain import Passage
from ragbot.providers.extractive.other_sections import without_other_sections
from ragbot.providers.extractive.question import asked_for
from tests.providers.extractive.passages import READER, candidates_of, chunk_of, read

LEVELS = (
    "## Level 0 - show all\n\nNothing is hidden.\n\n## Level 2 - hide cows\n\nCows are hidden.\n\n"
    "## Levels\n\nA level says what is hidden.\n"
)
CHURN = "## Set up\n\nUse the churn with cream.\n\n## {heading}\n\nTo remove the churn, use a lever.\n"


def left_of(question: str, text: str) -> list[str]:
    """Return the words of the units that are left."""
    passage, place = read(text), Passage(chunk_of(text), 1.0)
    found = candidates_of(question, passage)
    left = without_other_sections(asked_for(question), [place], found, partial(READER.terms, "english"))
    return sorted(one.read.unit.words for one in left)


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("What does privacy level 2 hide?", ["A level says what is hidden.", "Cows are hidden."]),
        ("what is hidden on Level 0", ["A level says what is hidden.", "Nothing is hidden."]),
        # No section has it, or it is the number of something else.
        (
            "What does level 7 hide?",
            ["A level says what is hidden.", "Cows are hidden.", "Nothing is hidden."],
        ),
        (
            "What is hidden of 2 cows?",
            ["A level says what is hidden.", "Cows are hidden.", "Nothing is hidden."],
        ),
    ],
)
def test_section_of_another_number_is_left_out(question: str, left: list[str]) -> None:
    """ "Level 0" answered whoever asked for level 2."""
    assert left_of(question, LEVELS) == left


@pytest.mark.parametrize("heading", ["Uninstalling", "3. Removing the churn", "Delete it"])
@pytest.mark.parametrize(
    ("question", "is_left"),
    [
        ("How do I use the churn?", False),
        ("How do I set up the churn?", False),
        ("How do I remove the churn?", True),
        ("How do I use the lever to remove the churn?", True),
        ("How do I take the churn away?", True),
        ("What is the churn used for?", True),
    ],
)
def test_how_to_remove_something_does_not_say_how_to_use_it(
    heading: str, question: str, is_left: bool
) -> None:
    """It has all words of the question."""
    left = left_of(question, CHURN.format(heading=heading))

    assert "Use the churn with cream." in left
    assert ("To remove the churn, use a lever." in left) is is_left
