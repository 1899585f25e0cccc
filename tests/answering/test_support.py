"""Test which passage supports what a sentence claims."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragbot.answering.support import SupportFinder, says_silence
from ragbot.bootstrap import passage_reader
from ragbot.core.domain import Passage
from tests.answering.shelf import passage

CHEESE = passage(
    "Bob ripens the cheddar for nine months in a cool cellar. It is turned every week.\n\n"
    "```python\ndef ripen(cheese):\n    return cheese.wait(months=9)\n```",
)
BYTES = passage("A gigabyte has 10<sup>9</sup> bytes in the archive of the harbour.")
TEA = passage(
    "Green tea is brewed at 80 degrees for two minutes. Black tea takes 1,000 ml of water.",
    id="00000000-0000-5000-8000-000000000002",
    heading_path=("Tea",),
)


def finder(question: str = "How is it made?", language: str = "english") -> SupportFinder:
    passages: list[Passage] = [CHEESE, TEA]
    return SupportFinder(passages, question, language=language, reader=passage_reader())


def best(sentence: str, question: str = "How is it made?") -> int | None:
    found = finder(question)
    claim = found.claim_of(sentence)
    assert claim is not None
    return found.best(claim, [1, 2])


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("The cheddar ripens for nine months in a cool cellar [2].", 1),
        ("It is turned each week.", 1),
        ("Brew green tea at 80 degrees for two minutes.", 2),
        ("Call `cheese.wait(months=9)` to ripen the cheese.", 1),
        ("Black tea takes 1000 ml of water.", 2),
        ("Black tea takes 1,000ml of water.", 2),
        # What models join their claims with, and a number that is code.
        ("It typically takes approximately 80 degrees to provide green tea.", 2),
        ("The function includes several steps: it ripens the cheese and returns `months=9`.", 1),
    ],
)
def test_sentence_in_the_passages_words_is_supported_by_it(sentence: str, passage: int) -> None:
    """In other forms and another order, too."""
    assert best(sentence) == passage


@pytest.mark.parametrize("power", ["10⁹", "109", "10^9", "10⁸"])
def test_power_is_a_number_of_the_passage(power: str) -> None:
    """A model writes it with the small sign; the passage's words have its digits alone."""
    found = SupportFinder([BYTES], "How large is it?", language="english", reader=passage_reader())
    claim = found.claim_of(f"A gigabyte has {power} bytes in the archive.")

    assert claim is not None
    assert found.best(claim, [1]) == (None if power == "10⁸" else 1)


@pytest.mark.parametrize(
    "sentence",
    [
        "The cheddar ripens for 12 months in a cool cellar.",
        "Alice's friend Carol ripens the cheddar for nine months in a cool cellar.",
        "Call `cheese.age(months=9)` to ripen the cheese.",
        "Green tea is brewed at 8 degrees for two minutes.",
        "Black tea is brewed at 9 degrees.",
        "The stock market fell sharply on Monday.",
        "Cheddar was first sold to sailors who needed food on long voyages.",
    ],
)
def test_number_name_code_or_claim_that_no_passage_holds_is_unsupported(sentence: str) -> None:
    """Whatever the rest of the sentence says."""
    assert best(sentence) is None


def test_words_that_join_are_no_claim_of_their_own() -> None:
    """Two words of the book among them are few; without them there is nothing to prove."""
    assert best("Various factors help to ensure that it generally involves sailors and ropes.") is None
    claim = finder().claim_of("It helps in several ways.")
    assert claim is not None
    assert claim.terms


def test_number_counts_only_where_the_rest_of_the_sentence_stands() -> None:
    """A long passage holds many numbers."""
    filler = "Salt keeps it fresh and dry in a closed tin on the shelf. " * 6
    far = passage(f"Bob ripens the cheddar in a cool cellar.\n\n{filler}\n\nThe shop opens at 9.")
    found = SupportFinder([far], "How long?", language="english", reader=passage_reader())
    wrong, right = (
        found.claim_of("Bob ripens the cheddar for 9 weeks."),
        found.claim_of("The shop opens at 9."),
    )

    assert wrong is not None
    assert right is not None
    assert found.best(wrong, [1]) is None
    assert found.best(right, [1]) == 1


@pytest.mark.parametrize(
    ("language", "text", "right", "wrong"),
    [
        ("chinese", "电池的电压为12伏，充电时间为3小时。", "电池的电压为12伏。", "电池的电压为24伏。"),
        (
            "japanese",
            "電圧は12ボルトで、充電時間は3時間です。",
            "充電時間は3時間です。",
            "充電時間は8時間です。",
        ),
        ("thai", "แรงดันแบตเตอรี่คือ12โวลต์", "แรงดันแบตเตอรี่คือ12โวลต์", "แรงดันแบตเตอรี่คือ24โวลต์"),
        ("russian", "Напряжение равно 12 вольт.", "Напряжение равно 12 вольт.", "Напряжение равно 24 вольт."),
    ],
)
def test_number_is_checked_in_scripts_without_spaces(
    language: str, text: str, right: str, wrong: str
) -> None:
    """It follows a letter there."""
    found = SupportFinder([passage(text)], "?", language=language, reader=passage_reader())

    claims = [found.claim_of(sentence) for sentence in (right, wrong)]

    assert [claim and found.best(claim, [1]) for claim in claims] == [1, None]


def test_number_with_its_word_may_stand_in_the_heading() -> None:
    """So do points of a rubric; the number of a chapter is no value."""
    chunk = replace(CHEESE.chunk, heading_path=("Chapter 9", "5. Ripening the cheddar (20 points)"))
    found = SupportFinder(
        [Passage(chunk, 1.0)],
        "How many points is it?",
        language="english",
        reader=passage_reader(),
    )

    points, weeks = found.claim_of("20 points."), found.claim_of("The cheddar ripens for 5 weeks.")

    assert points is not None
    assert weeks is not None
    assert (found.best(points, [1]), found.best(weeks, [1])) == (1, None)


def test_year_may_stand_in_the_heading() -> None:
    """ "Old cheddar (sold until 2022)" says it; no heading is numbered so high."""
    chunk = replace(CHEESE.chunk, heading_path=("Cheese", "Old cheddar, sold until December 2022"))
    found = SupportFinder(
        [Passage(chunk, 1.0)],
        "When was the old cheddar last sold?",
        language="english",
        reader=passage_reader(),
    )

    right, wrong = (
        found.claim_of(f"The old cheddar was sold until {when}.") for when in ("December 2022", "May 2023")
    )

    assert right is not None
    assert wrong is not None
    assert (found.best(right, [1]), found.best(wrong, [1])) == (1, None)


def test_date_counts_though_the_question_is_in_other_words() -> None:
    """The book says "EOL", the reader "reach its end of life"; what the answer adds is all there."""
    found = SupportFinder(
        [passage("Galactic (EOL December 2022) is replaced by Humble. It came in May.")],
        "When did Galactic reach its end of life?",
        language="english",
        reader=passage_reader(),
    )

    right, wrong = (
        found.claim_of(f"Galactic reached its end of life in {when}.")
        for when in ("December 2022", "March 2023")
    )

    assert right is not None
    assert wrong is not None
    assert (found.best(right, [1]), found.best(wrong, [1])) == (1, None)


def test_sentence_that_sums_up_a_list_is_supported() -> None:
    """Its words stand further apart than those of other claims, and nowhere else."""
    kept = ("Alpine", "Bluish", "Crumbly", "Dusty", "Earthy", "Fatty", "Grassy", "Hazelnut", "Icy")
    text = "\n".join(f"- **{word}**: that is so since Alice took over the dairy." for word in kept)
    found = SupportFinder([passage(text)], "What about it?", language="english", reader=passage_reader())

    claim = found.claim_of("It is alpine, crumbly, earthy, grassy and icy.")

    assert claim is not None
    assert found.best(claim, [1]) == 1


def test_repeating_the_question_proves_nothing() -> None:
    """A model often says the question once more and something else behind it."""
    question = "How long is the cheddar ripened in the cool cellar?"

    assert best("The cheddar is ripened in the cool cellar for nine months.", question) == 1
    assert best("The cheddar is ripened in the cool cellar because of bacteria and moulds.", question) is None


def test_short_answer_is_read_together_with_its_question() -> None:
    """A mere yes claims what was asked."""
    assert best("Yes.", "Is the cheddar ripened in a cellar?") == 1
    assert best("Yes.", "Is the brandy distilled in copper kettles?") is None


@pytest.mark.parametrize(
    "sentence",
    [
        "You need the following:",
        "Shall I explain?",
        "The book does not say how long that takes.",
        "The passages don't mention any brandy.",
        "**[5]**",
    ],
)
def test_some_sentences_claim_nothing_that_a_book_could_hold(sentence: str) -> None:
    """They count neither for the answer nor against it."""
    assert finder().claim_of(sentence) is None


def test_only_what_speaks_of_the_book_says_that_it_is_silent() -> None:
    """A negation is a claim like others."""
    assert says_silence("That is not mentioned.")
    assert not says_silence("Green tea is not brewed with boiling water.")


def test_sentence_in_another_language_rests_on_what_is_written_alike() -> None:
    """Its words are not the passage's, but numbers and names are."""
    found = finder("Wie lange zieht grüner Tee?")
    brewed = found.claim_of("Grüner Tee wird bei 80 Grad für eine kurze Zeit gebrüht, und das ist alles.")
    wrong = found.claim_of("Grüner Tee wird bei 95 Grad für eine kurze Zeit gebrüht, und das ist alles.")
    bare = found.claim_of("Das ist der Tee, und er wird mit dem Wasser gebrüht.")

    assert brewed is not None
    assert wrong is not None
    assert bare is not None
    assert found.best(brewed, [1, 2]) == 2
    assert found.best(wrong, [1, 2]) is None
    assert found.best(bare, [1, 2]) is None
