"""Test which questions a book's own words suggest."""

from __future__ import annotations

import pytest

from ragbot.answering.example_candidates import example_candidates
from ragbot.storage.editions import SectionText


def questions(language: str, *sections: tuple[str, str]) -> list[str]:
    texts = [SectionText("page.md", tuple(path.split(" > ")), text) for path, text in sections]
    return [candidate.question for candidate in example_candidates(texts, language)]


def test_headings_that_ask_are_questions_without_their_labels() -> None:
    """The author wrote them for readers."""
    headings = ("FAQ > 3.2 How long is the cheddar ripened?", "FAQ > Q7: Who feeds the starter?")

    found = questions("english", *((heading, "") for heading in headings))

    assert found == ["How long is the cheddar ripened?", "Who feeds the starter?"]


@pytest.mark.parametrize(
    "heading",
    ["Found a mistake?", "Rib or hard boat?", "Is she in trouble?", "Why?", "Quiz: what is a starter?"],
)
def test_headings_that_mean_something_only_in_their_place_are_none(heading: str) -> None:
    """Beside an empty field nobody knows who she is."""
    assert questions("english", (heading, "")) == []


def test_questions_of_exercises_are_none() -> None:
    """The book leaves their answers to the reader."""
    assert questions("english", ("Cheese > Exercises > How is a cheddar made?", "")) == []


@pytest.mark.parametrize(
    ("language", "heading", "text", "question"),
    [
        ("english", "Sourdough", "A sourdough starter is a culture.", "What is a sourdough starter?"),
        (
            "english",
            "Launch Files",
            "# Launch Files\n\n**Launch files** are the way.",
            "What are Launch files?",
        ),
        ("english", "URDF", "URDF (Unified Format) is an XML format.", "What is URDF?"),
        ("english", "Vitamins", "Vitamin A is a vitamin.", "What is Vitamin A?"),
        ("german", "Sauerteig", "Ein Sauerteig ist eine Kultur.", "Was ist ein Sauerteig?"),
        ("french", "Levain", "Un levain est une culture.", "Qu’est-ce qu’un levain ?"),
        ("spanish", "La masa madre", "Una masa madre es un cultivo.", "¿Qué es una masa madre?"),
    ],
)
def test_definition_is_asked_for_in_the_language_of_the_book(
    language: str, heading: str, text: str, question: str
) -> None:
    """A question in another language would be refused."""
    assert questions(language, (heading, text)) == [question]


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("Tools", "The loaf is a test of patience."),
        ("Files", "Each file is a module."),
        ("The office", "The office is a hut."),
        ("Sourdough", "Sourdough is fed at seven."),
        ("Set the speed", "Sets a setting that is the limit of the lamp."),
        ("Set the lamp", "Sets if the lamp is a burner."),
        ("Setting", "Setting this is a risk."),
    ],
)
def test_sentence_that_defines_nothing_is_no_question(heading: str, text: str) -> None:
    """Its answer would be a sentence without its neighbours."""
    assert questions("english", (heading, text)) == []


def test_entries_of_a_glossary_are_asked_for_after_all_else() -> None:
    """There are many, and each is a small matter."""
    glossary = "## C\n\n**CapEx (Capital Expenditure)**\n: Costs.\n\n- **Colcon**: the build system.\n"

    assert questions("english", ("resources > Glossary > C", glossary)) == [
        "What does CapEx mean?",
        "What does Colcon mean?",
    ]


def test_bold_words_outside_of_a_glossary_are_none() -> None:
    """They are labels: usage, purpose, result."""
    assert questions("english", ("Messages", "**Purpose**: to send.")) == []


def test_each_question_comes_once() -> None:
    """A book defines its terms twice."""
    section = ("Sourdough", "A sourdough starter is a culture.")

    assert questions("english", section, section) == ["What is a sourdough starter?"]
