"""Text fragments: the words by which a browser finds what is cited."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.text_fragments import END_WORDS, MOST_WORDS, text_directive
from tests.fuzzing import fuzz

LONG = "Bob ripens the old cheddar for nine months in a cool cellar below the house of Alice and her sister."


def directive(cited: str, passage: str = "", page: str = "") -> str:
    """The directive for words of a passage, which stands on the page once."""
    passage = passage or cited
    start = passage.index(cited)
    place = page.index(passage) if page else 0
    return unquote(text_directive(passage, start, start + len(cited), page=page, place=place))


def test_few_words_are_named_whole() -> None:
    """Nothing is shorter."""
    assert directive("Bob ripens the cheddar.") == "Bob ripens the cheddar"


def test_many_words_are_named_by_their_ends() -> None:
    """A link must not be a page long."""
    assert directive(LONG) == "Bob ripens the old cheddar for,house of Alice and her sister"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("The **rind** of [Bob's](x.md) *cheddar*", "The rind of"),
        ("- Wash the rind twice", "Wash the rind twice"),
        ("> Wash the rind twice", "Wash the rind twice"),
        ("| Lame | Scoring the crust |\n", "Scoring the crust"),
        ("```sh\nripen cheddar now\n```", "ripen cheddar now"),
        ("Wash &amp; dry the rind", "Wash & dry the rind"),
        ("# A heading alone", ""),
        ("---", ""),
        ("![a picture](x.png)", ""),
    ],
)
def test_words_are_those_that_the_page_prints(source: str, words: str) -> None:
    """Markup is not on it, and a heading has links in it."""
    assert directive(source).startswith(words) if words else directive(source) == ""


@pytest.mark.parametrize(
    "sign", ['"quoted"', "'quoted'", "it's", "a -- b", "and ...", "$x^2$", "(c)", "{name}"]
)
def test_word_that_a_page_may_print_otherwise_is_not_named(sign: str) -> None:
    """A browser that does not find every letter finds nothing."""
    found = directive(f"Wash the rind of {sign} cheddar twice a week")

    assert found
    assert sign not in found


def test_commas_and_hyphens_are_spelt() -> None:
    """They are syntax in a directive."""
    passage = "The so-called rind, of course"

    assert text_directive(passage, 0, len(passage)) == "The%20so%2Dcalled%20rind%2C%20of%20course"


def test_end_of_a_cited_part_is_no_other_words_beginning() -> None:
    """A browser looks for whole words; the part may begin and end within one."""
    assert directive("ipens the ched", "Bob ripens the cheddar now") in ("the cheddar", "the")


# --- words that stand on the page twice --------------------------------------------------------


def test_more_words_are_named_where_fewer_stand_on_the_page_before() -> None:
    """A browser lights up the first place."""
    page = f"Bob ripens the old cheddar for Alice.\n\n{LONG}"

    opening, _, _ = directive(LONG, page=page).partition(",")

    assert len(opening.split()) > END_WORDS
    assert page.count(opening) == 1


def test_words_before_are_named_where_the_cited_ones_stand_elsewhere_too() -> None:
    """A short sentence is soon said again."""
    page = "Tea is steeped. Stir it well.\n\nMilk is warmed. Stir it well."

    found = directive("Stir it well.", "Milk is warmed. Stir it well.", page)

    prefix, _, words = found.partition("-,")
    assert words == "Stir it well"
    assert prefix
    assert f"{prefix} {words}" in page.partition("\n\n")[2]


def test_words_that_nothing_tells_apart_are_not_named() -> None:
    """To land on the wrong ones is worse than to land on the section."""
    page = "Stir it well.\n\n# Two\n\nStir it well."
    passage = "# Two\n\nStir it well."
    start = passage.index("Stir")

    assert text_directive(passage, start, len(passage), page=page, place=page.index(passage)) == ""


def test_number_of_words_is_bounded() -> None:
    """However often they stand there."""
    sentence = " ".join(f"word{n}" for n in range(40))
    page = f"{' '.join(sentence.split()[:30])}.\n\n{sentence}"

    found = directive(sentence, page=page)

    assert all(len(term.split()) <= MOST_WORDS for term in found.replace("-,", ",").split(","))


@fuzz(150)
@given(
    st.lists(
        st.sampled_from(
            [
                "Bob ripens it well. ",
                "**Stir** it. ",
                "- one two\n",
                "\n\n",
                "`x = 1` ",
                "| a | b |\n",
                "# H\n",
                'Say "no". ',
            ]
        ),
        min_size=1,
        max_size=10,
    ).map("".join),
    st.integers(0, 80),
    st.integers(1, 80),
)
def test_directive_never_fails_and_stays_in_one_address(source: str, start: int, length: int) -> None:
    """Whatever is cited."""
    found = text_directive(source, min(start, len(source)), min(start + length, len(source)), page=source)

    assert not set(found) & set(' "<>&#\n')
