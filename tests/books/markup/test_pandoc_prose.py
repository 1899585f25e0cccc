"""Turn what Pandoc adds to prose into plain Markdown."""

from __future__ import annotations

import time

import pytest

from ragbot.books.markup.pandoc_prose import plain_pandoc_prose, with_plain_scripts
from ragbot.books.markup.readable import tidy_markdown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (": All oars {#tbl-oars .striped}", "\nTable: All oars"),
        ('Table: All oars {tbl-colwidths="[1,2]"}', "\nAll oars"),
        ("| a | b |\n\n: All oars", "| a | b |\n\n\nAll oars"),
        ("Oar\n\n: Of wood {.term}", "Oar\n\n: Of wood {.term}"),
        ("| Grey sea,\n|   white lamp.\n\nText.", "Grey sea,  \nwhite lamp.\n\nText."),
        ("| a | b |\n|---|---|\n| c | d |\n", "| a | b |\n|---|---|\n| c | d |\n"),
        ("| a\n|--\n| c\n", "| a\n|--\n| c\n"),
    ],
)  # fmt: skip
def test_words_are_those_of_the_site(written: str, shown: str) -> None:
    """Labels, bars and signs are the author's tools; tables, formulas and code stay."""
    assert plain_pandoc_prose(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("H~2~O on the 2^nd^ at 9 ^o^C", "H2O on the 2nd at 9 oC"),
        ("Planks ^1^", "Planks 1"),
        (
            "10^9^ bytes, 10^-3^ m^2^, 101~2~",
            "10<sup>9</sup> bytes, 10<sup>-3</sup> m<sup>2</sup>, 101<sub>2</sub>",
        ),
        ("$x~a~b^2^$, `H~2~O`, ~~a~b~c~~", "$x~a~b^2^$, `H~2~O`, ~~a~b~c~~"),
        ("a[^b][^c], [x](a~b~c)", "a[^b][^c], [x](a~b~c)"),
        ("$$F~a~b$$, \\text{a}~b~c", "$$F~a~b$$, \\text{a}~b~c"),
        ("about ~5 of ~6, 2^3", "about ~5 of ~6, 2^3"),
    ],
)
def test_letters_set_high_or_low_are_like_others(written: str, shown: str) -> None:
    """Readers ask for H2O; formulas, code, struck words, targets and notes stay."""
    assert with_plain_scripts(written) == shown


def test_power_is_told_as_one() -> None:
    """A gigabyte had 109 bytes."""
    assert tidy_markdown(with_plain_scripts("A gigabyte has 10^9^ bytes.")) == "A gigabyte has 10⁹ bytes."


@pytest.mark.parametrize("sign", ["|\n", "| a\n", "$$", "`", ": a {", "a~", "[^", "<", "](", "a^"])
def test_long_prose_takes_no_long_time(sign: str) -> None:
    """What is opened and never closed must not be looked for again and again."""
    started = time.process_time()
    plain_pandoc_prose(sign * 20_000)
    with_plain_scripts(sign.strip() * 20_000)

    assert time.process_time() - started < 2
