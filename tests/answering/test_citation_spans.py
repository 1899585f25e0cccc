"""Test which words of a passage support a marked piece of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.citation_spans import MOST_SENTENCES, cited_span, marked_texts, passage_words
from tests.fuzzing import fuzz

PASSAGE = """Bob ripens the **cheddar** for nine months, in a cool cellar. Alice salts the curd by hand. \
It is turned twice a week.

```sh
ls -l
cheddar --ripen
```

- Wash the rind in [brine](b.md) for a day
- Wait

| Tool | Use |
|---|---|
| Lame | Scoring |
"""


def cited(marked: str, passage: str = PASSAGE) -> str:
    """Return the words that the marked text rests on; empty where none are alike."""
    span = cited_span(marked, passage_words(passage))
    return passage[slice(*span)] if span else ""


# --- marks -------------------------------------------------------------------------------------


def marks_of(answer: str) -> list[tuple[int, str]]:
    return [(marked.number, marked.text.strip(" .\n")) for marked in marked_texts(answer)]


def test_mark_speaks_for_the_words_before_it() -> None:
    """From the last mark on."""
    assert marks_of("Bob ripens it [1]. Alice salts it [2].") == [(1, "Bob ripens it"), (2, "Alice salts it")]


def test_marks_side_by_side_speak_for_the_same_words() -> None:
    """A statement may rest on two passages."""
    assert marks_of("Bob ripens it [1][12].") == [(1, "Bob ripens it"), (12, "Bob ripens it")]


def test_mark_of_an_item_speaks_for_the_item() -> None:
    """Not for the list, and not for what leads to it."""
    assert marks_of("You need:\n\n- milk [1]\n- salt [1]") == [(1, "- milk"), (1, "- salt")]


def test_mark_alone_on_its_line_speaks_for_the_block_above() -> None:
    """A listing and a table cannot hold one."""
    assert marks_of("Run this:\n\n```sh\nls\n\npwd\n```\n\n[1]") == [(1, "```sh\nls\n\npwd\n```")]
    assert marks_of("See:\n\n| a |\n| --- |\n| 1 |\n\n[2]") == [(2, "| a |\n| --- |\n| 1 |")]


def test_index_in_code_is_no_mark() -> None:
    """A book on programming is full of them."""
    assert marks_of("Run:\n\n```py\nx = a[1]\n```\n\n[2]") == [(2, "```py\nx = a[1]\n```")]
    assert marks_of("`a[1]` is the first [2].") == [(2, "`a[1]` is the first")]


def test_answer_without_marks_rests_on_nothing() -> None:
    """A refusal is one."""
    assert marks_of("The book does not say.") == []


# --- spans -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("Alice salts the curd by hand.", "Alice salts the curd by hand."),
        ("salts the curd", "salts the curd"),
        ("Bob ripens the cheddar for nine months", "Bob ripens the **cheddar** for nine months,"),
        ("cellar. Alice salts", "cellar. Alice salts"),
        ("cheddar --ripen", "cheddar --ripen"),
        ("- Wash the rind in brine for a day", "Wash the rind in [brine](b.md) for a day"),
        ("| Lame | Scoring |", "Lame | Scoring"),
        ("**ALICE** salts the _curd_", "Alice salts the curd"),
    ],
)
def test_words_that_stand_there_are_found_as_they_stand(marked: str, words: str) -> None:
    """Whatever markup either has."""
    assert cited(marked) == words


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("The curd is salted by Alice, by hand.", "Alice salts the curd by hand."),
        ("Each week it is turned twice.", "It is turned twice a week."),
    ],
)
def test_words_of_a_model_rest_on_the_sentence_that_shares_most_of_them(marked: str, words: str) -> None:
    """It says the same in another way."""
    assert cited(marked) == words


CHINESE = "所有权是 Rust 的特性，它让 Rust 无需垃圾回收器即可保证内存安全。因此，理解所有权是重要的。"


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        (
            "所有权让 Rust 不需要垃圾回收器就能保证内存安全",
            "所有权是 Rust 的特性，它让 Rust 无需垃圾回收器即可保证内存安全。",
        ),
        ("垃圾回收器即可保证", "垃圾回收器即可保证"),
        ("理解所有权很重要", "因此，理解所有权是重要的。"),
        ("今天天气很好", ""),
    ],
)
def test_signs_of_a_script_without_spaces_are_its_words(marked: str, words: str) -> None:
    """A clause is no word: a model says it in another way."""
    assert cited(marked, CHINESE) == words


def test_statement_from_two_sentences_rests_on_both() -> None:
    """Where the second one adds something."""
    assert cited("It ripens nine months in a cool cellar; Alice salts curd by hand") == (
        "Bob ripens the **cheddar** for nine months, in a cool cellar. Alice salts the curd by hand."
    )


def test_statement_rests_on_a_few_sentences_at_most() -> None:
    """A span of a page points to nothing."""
    passage = " ".join(f"Cow{n} gives milk{n} at hour{n}." for n in range(9))

    words = cited(" ".join(f"hour{n} milk{n} cow{n}" for n in range(9)), passage)

    assert words.count(".") <= MOST_SENTENCES


@pytest.mark.parametrize(
    "marked", ["Penguins breed in winter", "the of and to", "", "…", "Bob flies to the moon at noon"]
)
def test_words_that_are_in_no_sentence_rest_on_nothing(marked: str) -> None:
    """A mark does not make them the book's."""
    assert cited(marked, "Bob ripens cheddar.") == ""


def test_passage_without_words_holds_nothing() -> None:
    """A page may be a picture."""
    assert cited("Bob", "![](x.png)") == ""


@fuzz(50)
@given(
    st.lists(
        st.sampled_from(
            [
                "Alice salts. ",
                "**Bob** waxes it. ",
                "- one\n",
                "\n\n",
                "`x = 1` ",
                "| a | b |\n",
                "```\nls\n```\n",
            ]
        ),
        max_size=10,
    ).map("".join),
    st.sampled_from(["Alice salts.", "Bob waxes it", "x = 1", "one", "a b", "ls"]),
)
def test_span_lies_within_the_passage_and_holds_the_words(passage: str, marked: str) -> None:
    """Verbatim words are cited to the letter."""
    span = cited_span(marked, passage_words(passage))

    if span is not None:
        start, end = span
        assert 0 <= start < end <= len(passage)
        assert passage[start:end] == passage[start:end].strip()
