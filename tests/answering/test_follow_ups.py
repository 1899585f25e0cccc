"""Test which questions are follow-ups of the previous one."""

from __future__ import annotations

import pytest

from ragbot.answering.follow_ups import search_context
from ragbot.core.answers import Exchange

TALK = (Exchange("How much RAM does the workstation need?", "64 GB [1]."),)


@pytest.mark.parametrize(
    "question",
    [
        "And how fast must it be?",
        "Can they be rented?",
        "What about the GPU?",
        "Is that enough for Isaac Sim?",
        "How do I install this?",
        "Which one is cheaper?",
        "How do I rename one?",
        "Why is its price so high?",
        "What else do I need?",
        "and the disk?",
        "How does the latter work?",
        "How do I set that in the BIOS of a new machine?",
        "AND HOW FAST MUST IT BE?",
        "And if I only want to run the simulation on it from time to time?",
    ],
)
def test_question_that_leans_is_searched_with_the_one_before(question: str) -> None:
    """It names nothing itself that could be found."""
    assert search_context(question, TALK, has_own_words=True) == TALK[0].question


@pytest.mark.parametrize(
    "question",
    [
        "What is a ROS 2 package?",
        "What is Colcon?",
        "Is it possible to run Gazebo without a GPU?",
        "How long does it take to charge the battery?",
        "What does this book say about sensors?",
        "What is the tool that builds packages?",
        "And what is the difference between a topic and a service in ROS 2 when both are used?",
        "How do nodes find each other?",
        "How do I build one package?",
        "What is IT governance?",
        "How does the IT department order laptops?",
        "What does HIS stand for?",
        "OR operator precedence",
        "AND operator",
        "What is `this` in JavaScript?",
        'What does the keyword "it" mean?',
        "E ink displays: which are supported?",
        "Y axis labels",
    ],
)
def test_question_that_stands_alone_is_searched_alone(question: str) -> None:
    """The words of the subject before would lead the search astray."""
    assert search_context(question, TALK, has_own_words=True) == ""


@pytest.mark.parametrize(
    ("language", "question", "leans"),
    [
        ("spanish", "¿Qué pasa si he olvidado la contraseña?", False),
        ("spanish", "¿En qué puerto escucha el servidor?", False),
        ("spanish", "¿Y el disco?", True),
        ("french", "Y a-t-il un mode sombre ?", False),
        ("french", "Et le disque ?", True),
        ("german", "Und die Platte?", True),
        ("ukrainian", "А диск?", True),
    ],
)
def test_question_leans_by_the_words_of_its_language(language: str, question: str, leans: bool) -> None:
    """ "He" is a verb in Spanish."""
    context = search_context(question, TALK, has_own_words=True, language=language)

    assert context == (TALK[0].question if leans else "")


def test_question_without_words_of_its_own_leans() -> None:
    """'Why?' says nothing by itself."""
    assert search_context("Why?", TALK, has_own_words=False) == TALK[0].question


def test_first_question_of_a_talk_leans_on_nothing() -> None:
    """There is none before it."""
    assert search_context("And it?", (), has_own_words=False) == ""


def test_verb_of_the_question_before_gives_way_to_a_new_one() -> None:
    """Restoring was answered with how to create."""
    talk = (Exchange("How do I create a built-in backup?", "..."),)

    assert (
        search_context("And how do I restore it?", talk, has_own_words=True) == "How do I  a built-in backup?"
    )
    assert search_context("Can it be encrypted?", talk, has_own_words=True) == talk[0].question


def test_number_of_a_thing_replaces_the_one_of_the_question_before() -> None:
    """'What about module 2?' is not about module 1 any more."""
    talk = (Exchange("How much does the project of Module 1 count?", "15 % [1]."),)

    context = search_context("What about module 2?", talk, has_own_words=True)

    assert context == "How much does the project of Module 2 count?"


def test_number_of_another_kind_of_thing_replaces_nothing() -> None:
    """Week 3 is not module 3."""
    talk = (Exchange("What is in module 1?", "ROS [1]."),)

    assert search_context("And in week 3?", talk, has_own_words=True) == "What is in module 1?"
