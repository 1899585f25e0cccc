"""Test that no invisible character remains in a text, and that no script loses what it needs."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.core.invisible_characters import without_invisible
from tests.fuzzing import fuzz

SIGNS = st.text(
    st.sampled_from("ab ی👩❤1\u200b\u200c\u200d\ufe0f\u202e\u00ad\ufeff\U000e0041\u2028\x85\t\n"), max_size=12
)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain, with\ttabs and\nlines", "plain, with\ttabs and\nlines"),
        ("ze\u200bro\u2060 wi\ufeffdth", "zero width"),
        ("run\u202egnikam\u202c \u2066back\u2069wards\u200f", "rungnikam backwards"),
        ("soft\u00adhyphen", "softhyphen"),
        ("tags\U000e0041\U000e0042\U000e007f", "tags"),
        ("bytes\U000e0100\U000e01ef\ufe00\ufe0e", "bytes"),
        ("fillers\u3164\u115f\uffa0\u2800\u180e", "fillers"),
        ("joined\u200din Latin\u200c", "joinedin Latin"),
        ("one\u2028two\u2029three\x85four", "one\ntwo\nthree\nfour"),
        ("nul\x00, bell\x07, escape\x1b[31m", "nul, bell, escape[31m"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        (
            "👩\u200d💻 ❤\ufe0f 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3",
            "👩\u200d💻 ❤\ufe0f 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3",
        ),
        ("ی\u200d\u200c\u200d\ufe0fx", "ی\u200dx"),
        ("é ﷺ ﬁ Ω 𝒜 \u00a0\u3000", "é ﷺ ﬁ Ω 𝒜 \u00a0\u3000"),
    ],
)
def test_unseen_is_left_out_and_writing_stays(given_text: str, shown: str) -> None:
    """Emoji and Persian are joined by what hides orders elsewhere."""
    assert without_invisible(given_text) == shown


def test_every_format_character_is_left_out_but_those_that_are_seen() -> None:
    """Unicode has a category for them; a few draw a sign (the end of an ayah, the sign of a number)."""
    signs = (chr(code) for code in range(0x110000))
    kept = {
        sign for sign in signs if unicodedata.category(sign) == "Cf" and without_invisible(f"a{sign}") != "a"
    }

    assert all(unicodedata.name(sign).startswith(("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN")) for sign in kept)


@fuzz(50)
@given(st.lists(SIGNS, max_size=5))
def test_pieces_give_what_the_whole_gives_and_twice_is_once(pieces: list[str]) -> None:
    """A stream and its sum must be one text."""
    shown = ""
    for piece in pieces:
        shown += without_invisible(piece, shown)

    assert shown == without_invisible("".join(pieces))
    assert without_invisible(shown) == shown
