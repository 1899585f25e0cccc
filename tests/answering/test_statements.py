"""Test statements: where a sentence, a table and a listing end, and which marks belong to them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.statements import Kind, Piece, StatementSplitter
from tests.fuzzing import fuzz

ANSWER = """In short, nodes talk. [1] They do so by topics [2]. Done.[3] Next one, e.g. this.

## Head

- First item [1]
- Second item without
1. Step one. More. [2]

| a | b |
| --- | --- |
| 1 | 2 |

[2]

Run this:

```sh
ls -la

pwd
```

After code.
**Bold line**

Last sentence is [1] here"""


def pieces_of(*texts: str) -> list[Piece]:
    splitter = StatementSplitter()
    pieces = [piece for text in texts for piece in splitter.feed(text)]
    return pieces + splitter.flush()


def statements(*texts: str) -> list[tuple[Kind, str, tuple[int, ...]]]:
    return [
        (piece.kind, piece.body, piece.marks) for piece in pieces_of(*texts) if piece.kind is not Kind.FILLER
    ]


def sentences(text: str) -> list[str]:
    return [body for _, body, _ in statements(text)]


def test_answer_is_cut_into_sentences_tables_and_listings_with_their_marks() -> None:
    """A heading, a bold line and a bullet claim nothing."""
    assert statements(ANSWER) == [
        (Kind.SENTENCE, "In short, nodes talk. [1]", (1,)),
        (Kind.SENTENCE, "They do so by topics [2].", (2,)),
        (Kind.SENTENCE, "Done.[3]", (3,)),
        (Kind.SENTENCE, "Next one, e.g. this.", ()),
        (Kind.SENTENCE, "First item [1]", (1,)),
        (Kind.SENTENCE, "Second item without", ()),
        (Kind.SENTENCE, "Step one.", ()),
        (Kind.SENTENCE, "More. [2]", (2,)),
        (Kind.BLOCK, "| a | b |\n| --- | --- |\n| 1 | 2 |\n", (2,)),
        (Kind.SENTENCE, "Run this:", ()),
        (Kind.BLOCK, "```sh\nls -la\n\npwd\n```\n", ()),
        (Kind.SENTENCE, "After code.", ()),
        (Kind.SENTENCE, "Last sentence is [1] here", (1,)),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_statements_are_the_same_wherever_the_text_is_cut(seed: int) -> None:
    """A model's tokens end anywhere."""
    chance = random.Random(seed)
    cuts, rest = [], ANSWER
    while rest:
        length = chance.randint(1, 9)
        cuts.append(rest[:length])
        rest = rest[length:]

    assert statements(*cuts) == statements(ANSWER)
    assert "".join(piece.text for piece in pieces_of(*cuts)) == ANSWER


@pytest.mark.parametrize("cut", range(1, 30))
def test_index_in_a_code_span_is_no_mark(cut: int) -> None:
    """The span may be cut where its bracket opens."""
    text = "Read `argv[1]` of it [2]."

    (sentence,) = [piece for piece in pieces_of(text[:cut], text[cut:]) if piece.kind is Kind.SENTENCE]

    assert sentence.marks == (2,)
    assert sentence.body[: sentence.given] + sentence.text_with([]) == "Read `argv[1]` of it."


def test_words_are_given_as_they_come_and_marks_at_the_end_of_their_sentence() -> None:
    """The reader must not wait for a sentence, and a mark may still be moved."""
    splitter = StatementSplitter()

    given = [
        "".join(piece.text for piece in splitter.feed(word))
        for word in ("Nodes ", "talk ", "[1", "]. ", "By")
    ]

    assert given == ["Nodes", " talk", "", "", " [1]. By"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.\nTwo.", ["One.", "Two."]),
        ("One and\nstill one. Two", ["One and\nstill one.", "Two"]),
        ("Dr. Bob ripens it. Alice eats.", ["Dr. Bob ripens it.", "Alice eats."]),
        ("> Quoted. More.\n> Again.", ["Quoted.", "More.", "Again."]),
        ("~~~\ncode\n~~~", ["~~~\ncode\n~~~"]),
        ("```\nnever closed", ["```\nnever closed"]),
        ("```a``` is code. More.", ["```a``` is code.", "More."]),
        ("- ```\n  code. More.\n  ```\n- Next.", ["- ```\n  code. More.\n  ```\n", "Next."]),
        ("- ```\n  code. More.\nText. More.", ["- ```\n  code. More.\n", "Text.", "More."]),
        ("- ```\n  code\n  ```\n| a |\n", ["- ```\n  code\n  ```\n", "| a |\n"]),
        ("- **All of the item is bold**\n- next", ["**All of the item is bold**", "next"]),
        ("**All of it is bold.** Then more.", ["**All of it is bold.**", "Then more."]),
        ("今日は。明日も。[1]", ["今日は。", "明日も。[1]"]),
        ("यह पकता है। [1] फिर बिकता है।", ["यह पकता है। [1]", "फिर बिकता है।"]),
        ("| a |\n|---|\nText behind.", ["| a |\n|---|\n", "Text behind."]),
        ("", []),
        ("\n\n", []),
    ],
)
def test_sentence_ends_where_a_reader_ends_it(text: str, expected: list[str]) -> None:
    """In lists, quotations, listings and other scripts, too."""
    assert sentences(text) == expected


@fuzz(50)
@given(
    st.lists(
        st.sampled_from(
            [
                "Word ",
                "end. ",
                "[1]",
                " [2]",
                "\n",
                "\n\n",
                "- ",
                "1. ",
                "| a |\n",
                "```\n",
                "```a``` ",
                "~~~\n",
                "  ",
                "**b**",
                "# h\n",
                "> ",
                "x",
            ]
        ),
        max_size=25,
    )
)
def test_nothing_is_lost_and_cuts_change_nothing(parts: list[str]) -> None:
    """Whatever a model writes."""
    text = "".join(parts)

    assert "".join(piece.text for piece in pieces_of(*parts)) == text
    assert statements(*parts) == statements(text) == statements(*text)
