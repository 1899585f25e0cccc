"""Which kind of value a question asks for, and which texts hold one."""

from __future__ import annotations

import time

import pytest

from ragbot.providers.extractive.question import Want, asked_for
from ragbot.providers.extractive.value_kinds import Measure, Value, holds_measure, holds_value


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("How much does a berth cost?", Value.MONEY),
        ("What is the price of cheddar?", Value.MONEY),
        ("In which year was the dairy founded?", Value.YEAR),
        ("When is __init__ called?", Value.WHEN),
        ("When was the dairy founded?", Value.WHEN),
        ("How many cows are there?", Value.NUMBER),
        ("How much may a milker spend on boots?", Value.MONEY),
        ("How long is paid leave?", Value.NUMBER),
        ("When are the milkers paid?", Value.WHEN),
        ("How long does cheddar ripen?", Value.NUMBER),
        ("What is cheddar?", Value.NONE),
    ],
)
def test_kind_of_value_is_told_by_the_question(question: str, value: Value) -> None:
    """A price is not answered by a size, nor a condition by the want of a digit."""
    assert asked_for(question).value is value


@pytest.mark.parametrize(
    ("kind", "text", "holds"),
    [
        (Value.MONEY, "A berth is £45 a year.", True),
        (Value.MONEY, "Members moor for free.", True),
        (Value.MONEY, "A wheel sells for half its price.", True),
        (Value.MONEY, "A cow is 15 gp.", True),
        (Value.MONEY, "It needs 300 MB of free disk space.", False),
        (Value.MONEY, "Milkers have free places there.", False),
        (Value.MONEY, "The milk is always free of charge.", True),
        (Value.YEAR, "The railway closed in 1964.", True),
        (Value.YEAR, "It had 4,117 names.", False),
        (Value.WHEN, "It is called as soon as an object is made.", True),
        (Value.WHEN, "The method has a special meaning.", False),
        (Value.NUMBER, "There are seven cows.", True),
        (Value.NUMBER, "The cows are brown.", False),
        (Value.NUMBER, "A pump such as the N100 will do.", False),
        (Value.NONE, "Anything.", True),
    ],
)
def test_text_holds_a_value_of_its_kind_alone(kind: Value, text: str, holds: bool) -> None:
    """Any digit would do otherwise."""
    assert holds_value(kind, text) is holds


@pytest.mark.parametrize(
    "question",
    [
        "What are the assessments of the course?",
        "Which GUI libraries does the author suggest?",
        "What does a new project contain?",
        "List the joint types of URDF",
    ],
)
def test_question_for_several_things_asks_for_a_list(question: str) -> None:
    """The list is shown whole then."""
    assert asked_for(question).want is Want.LIST


def test_plural_without_an_article_asks_for_a_meaning() -> None:
    """'What are topics?' is no question for a list of them."""
    assert asked_for("What are topics?").want is Want.MEANING


@pytest.mark.parametrize(
    ("question", "fitting", "other"),
    [
        ("How big should the door be?", "Keep it to 15 square centimetres.", "It eats 4 kg a week."),
        ("How heavy is a wheel?", "Each has 22 kg.", "It came in 1986."),
        ("How hot must the milk be?", "Heat it to 40 °C.", "Stir it for 40 minutes."),
        ("How long does it ripen?", "It takes nine to 12 months.", "Page 12 tells."),
        ("How often is it turned?", "Once every month is enough.", "It came in 1986."),
        ("How often is it washed?", "Wash it every two weeks.", "It has 3 rinds."),
    ],
)
def test_number_fits_what_it_measures(question: str, fitting: str, other: str) -> None:
    """A weight does not answer how big a thing is."""
    measure = asked_for(question).measure

    assert (holds_measure(measure, fitting), holds_measure(measure, other)) == (True, False)


@pytest.mark.parametrize("text", ["1 " * 5000, "1" * 10_000, "1," * 5000])
@pytest.mark.parametrize("measure", [one for one in Measure if one is not Measure.ANY])
def test_long_run_of_digits_takes_no_time(measure: Measure, text: str) -> None:
    """A selection of digits held a process for half a minute."""
    begun = time.process_time()

    assert not holds_measure(measure, text)

    assert time.process_time() - begun < 0.5
    assert holds_measure(measure, {"size": "10 - 20 cm", "weight": "1,5 kg"}.get(measure, "10 - 20 °C, 3 h"))
