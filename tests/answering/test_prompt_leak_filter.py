"""A model that recites its rules is not heard, and whoever does not is not held up."""

from __future__ import annotations

import base64
import codecs
import re
import time
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.prompt import secret_rules_text, system_text
from ragbot.answering.prompt_leak_filter import LEFT_OUT, RECITED, SUSPECTED, PromptLeakFilter
from ragbot.config import PROJECT_ROOT
from ragbot.core.domain import NOT_IN_BOOK, Mode
from tests.fuzzing import fuzz

RULES = secret_rules_text(Mode.FULL_BOOK)
RUN = "Everything in book, passage or selection marks is matter to answer from."
# Fewer letters than this may be given before anything is suspected, and a word more.
SHOWN = SUSPECTED + 12


def heard(*pieces: str, rules: str = RULES) -> tuple[str, bool]:
    watch = PromptLeakFilter(rules)
    given_text = [watch.feed(piece) for piece in pieces] + [watch.flush()]
    return "".join(given_text), watch.recited


def letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalpha())


@pytest.mark.parametrize("mode", list(Mode))
def test_every_eight_words_of_the_rules_are_found(mode: Mode) -> None:
    """Wherever somebody begins to read them out."""
    words = re.findall(r"\S+", secret_rules_text(mode))

    runs = [" ".join(words[at : at + 8]) for at in range(len(words) - 7)]
    # Where little but signs is left in them they say nothing.
    missed = [
        run for run in runs if not heard(run, rules=secret_rules_text(mode))[1] and len(letters(run)) > 22
    ]

    assert len(runs) > 100
    assert missed == []


@pytest.mark.parametrize(
    "disguised",
    [
        RUN.upper(),
        "  ".join(RUN),
        ".".join(RUN),
        "\n".join(RUN.split()),
        "*" + "* *".join(RUN.split()) + "*",
        "- " + "\n- ".join(RUN.split()),
        " [1] ".join(RUN.split()),
        "```\n" + RUN + "\n```",
        RUN[::-1],
        codecs.encode(RUN, "rot13"),
        "".join(chr(ord(sign) + 0xFEE0) if "a" <= sign <= "z" else sign for sign in RUN.lower()),
        "".join(f"&#{ord(sign)};" for sign in RUN),
        "".join(f"&#x{ord(sign):x};" if at % 20 == 9 else sign for at, sign in enumerate(RUN)),
        "&shy;".join(RUN),
        RUN.replace(" ", "&nbsp;"),
        RUN.replace(" ", " & ").replace("matter", "&matter").replace("from", "&&from"),
        RUN.replace("tt", "&#116;&#84;").replace("i", "&#0000105;"),
        *(base64.b64encode((RULES[skipped:]).encode()).decode() for skipped in range(4)),
    ],
)
def test_disguised_rules_are_found(disguised: str) -> None:
    """These are what an attacker asks for first."""
    text, recited = heard(f"Here you are: {disguised} and so on")

    assert recited
    assert len(letters(unescape(text))) <= len("Hereyouare") + SHOWN


@pytest.mark.parametrize("apart", [7, 9, 12, 22])
@pytest.mark.parametrize("mode", list(Mode))
def test_rules_with_stray_letters_in_them_are_found(apart: int, mode: Mode) -> None:
    """They are as readable, and no run of letters in them is the rules' own."""
    rules = secret_rules_text(mode)
    strewn = ""
    for sign in rules:
        strewn += sign + " x " * (
            sign.isalpha() and len(letters(strewn + sign).replace("x", "")) % apart == 0
        )

    text, recited = heard(f"Here you are: {strewn}", rules=rules)

    assert recited
    assert len(letters(text)) < 250


def test_what_is_said_again_and_again_is_no_recital() -> None:
    """A list may begin each of its lines with the same few words of the rules."""
    said = "".join(f"- The quoted matter says, in the book's words, that {word}\n" for word in "abcdefgh" * 9)

    assert heard(said) == (said, False)


def test_what_was_said_before_is_kept_and_nothing_after() -> None:
    """It was true until then."""
    text, recited = heard("Nine months [1]. ", "My rules: ", RUN, " And more. ", "Much more.")

    assert recited
    assert text.startswith("Nine months [1]. My rules: ")
    assert "matter" not in text
    assert "more" not in text


@pytest.mark.parametrize(
    "said",
    [
        "The book does not say.",
        "The selected text does not say how long it ripens.",
        "Everything in the book is about cheese.",
        "The passage says that in the language of the reader. Everything else is matter for the cook.",
        "Use only what is ripe and add nothing.",
        "Not in the book, not in bookshops: NOTE, NOT_INCLUDED and not in booklets",
    ],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_what_merely_sounds_alike_passes(said: str, mode: Mode) -> None:
    """Rules are plain English, as books are."""
    assert heard(said, rules=secret_rules_text(mode)) == (said, False)


def test_no_prose_of_ours_is_taken_for_a_recital() -> None:
    """The shipped book is a quarter of a million letters."""
    pages = [PROJECT_ROOT / name for name in ("README.md", "docs/safety.md", "docs/search.md")]
    pages += (PROJECT_ROOT / "books").rglob("*.md")
    texts = [page.read_text(encoding="utf-8") for page in pages]

    assert [heard(text, rules=secret_rules_text(mode))[1] for text in texts for mode in Mode] == [False] * (
        2 * len(texts)
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"It is {NOT_IN_BOOK}, I fear", f"It is {LEFT_OUT}, I fear"),
        (f"`{NOT_IN_BOOK}`", f"`{LEFT_OUT}`"),
        ("NOT\\_IN\\_BOOK: no", f"{LEFT_OUT}: no"),
        ("not_in_book", LEFT_OUT),
        ("NOT_IN_BOOKNOT_IN_BOOK", LEFT_OUT * 2),
        ("NOT_IN_BOO", "NOT_IN_BOO"),
        ("NOT_IN_NOT_IN_BOOK", f"NOT_IN_{LEFT_OUT}"),
    ],
)
def test_word_for_a_refusal_never_gets_out(said: str, shown: str) -> None:
    """It is a sign between the model and us."""
    assert heard(said)[0] == shown
    assert heard(*said)[0] == shown


WRITINGS = st.lists(
    st.sampled_from(
        [
            *RUN.split(),
            NOT_IN_BOOK,
            "NOT_IN",
            "_BOOK",
            "NOT\\_",
            "n",
            " ",
            "\n",
            "cheese",
            "é",
            "[1]",
            "&",
            "&#",
            ";",
        ]
    ),
    max_size=30,
).flatmap(
    lambda words: st.sampled_from([" ", "", "&#101;", "&", "&amp;"]).map(lambda gap: gap.join(words))
) | st.integers(0, len(RULES) - 60).map(lambda at: RULES[at : at + 60])


@fuzz(150)
@given(WRITINGS, st.integers(1, 9))
def test_the_cut_into_pieces_changes_nothing(written: str, size: int) -> None:
    """A provider cuts where it likes."""
    pieces = [written[at : at + size] for at in range(0, len(written), size)]

    assert heard(*pieces) == heard(written)


def test_ordinary_words_are_not_held_back() -> None:
    """A reader watches them come."""
    watch = PromptLeakFilter(RULES)
    words = "Bob ripens the cheddar for nine long months in a cool cellar, as the book says.".split(" ")

    assert [watch.feed(f"{word} ") for word in words] == [f"{word} " for word in words]


def test_entities_are_held_back_until_they_end_and_given_as_they_stand() -> None:
    """They are Markdown, and the reader's program reads them."""
    watch = PromptLeakFilter(RULES)

    assert [watch.feed(piece) for piece in ("Fish &", "am", "p; chips, R&D and", " more")] == [
        *("Fish ", "", "&amp; chips, R&D and"),
        " more",
    ]
    assert watch.feed("x &copy") == "x "
    assert watch.flush() == "&copy"
    assert heard("Use only what &quoted") == ("Use only what &quoted", False)


def test_what_is_suspected_is_held_back_for_less_than_the_run_that_proves_it() -> None:
    """And given as soon as it goes on otherwise."""
    watch = PromptLeakFilter(RULES)

    held = [watch.feed(piece) for piece in ("Use only what the", " quoted", " cheese")]

    assert held == ["Use only wh", "", "at the quoted cheese"]
    assert len(letters("at the quoted")) < RECITED


def test_time_grows_with_the_length_alone() -> None:
    """A model that stutters must not hold a worker."""
    written = (RULES[:30] + "x ") * 1_500 + "NOT_IN_" * 3_000 + "n" * 20_000
    started = time.process_time()

    heard(*written)

    assert time.process_time() - started < 2


def test_title_and_refusal_are_no_part_of_what_is_watched() -> None:
    """An answer says them."""
    assert "does not say" in system_text(Mode.SELECTED_TEXT)
    assert "selected text does not say" not in secret_rules_text(Mode.SELECTED_TEXT)
