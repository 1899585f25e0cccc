"""Test which part of a text is a formula."""

from __future__ import annotations

import re
import time

import pytest

from ragbot.core.formulas import FORMULA

_FORMULA = re.compile(FORMULA)


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        (r"$x$, $n$th and $[0, 1]$: $P(A|B)$", ["$x$", "$n$", "$[0, 1]$", "$P(A|B)$"]),
        ("其中$a + b$是", ["$a + b$"]),
        (r"$\text{for \$5}$", [r"$\text{for \$5}$"]),
        ("$a\n= b$", ["$a\n= b$"]),
        (r"$$\text{if $x$}$$ and $$ y $$", [r"$$\text{if $x$}$$", "$$ y $$"]),
        (r"\(x^2\) and \[ \frac{a}{b} \]", [r"\(x^2\)", r"\[ \frac{a}{b} \]"]),
        ("$i<j$", ["$i<j$"]),
    ],
)
def test_formulas_are_found(text: str, formulas: list[str]) -> None:
    """Dollars and escaped brackets, alone on their lines or in a sentence."""
    assert [found[0] for found in _FORMULA.finditer(text)] == formulas


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $6, $5-$6, and *$6*",
        r"\$5 and 6\$",
        "$HOME or **$PATH** or $USER",
        "$a\n\nb$",
        "$a\n- b$",
        r"\[optional\] and \[a\_b\] (\(see\))",
        "[$a](b) or [$c](d)",
        "$a or `$b`",
        "$<b>x</b>$",
        "|$a|$b|",
    ],
)
def test_dollars_and_escapes_of_words_are_none(text: str) -> None:
    """Prices, variables of a shell, and brackets that an author escaped."""
    assert _FORMULA.findall(text) == []


@pytest.mark.parametrize(
    "piece", ["$", "$$", "$a ", "$a\\", "$$a $", "\\(a", "\\[^", "\\(\\,", "$<a ", "\n$a"]
)
def test_open_formulas_take_time_in_proportion(piece: str) -> None:
    """Each is looked at up to the sign that may close it."""
    started = time.process_time()

    list(_FORMULA.finditer(piece * (200_000 // len(piece))))

    assert time.process_time() - started < 5
