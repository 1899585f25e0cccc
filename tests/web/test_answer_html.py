"""Test that an answer's Markdown becomes HTML that can do nothing."""

from __future__ import annotations

import pytest

from ragbot.web.answer_html import answer_html


def test_marks_lead_to_their_sources() -> None:
    """The reader checks each sentence."""
    html = answer_html("Nine months [1][2]. See [7] and `a[1]`.", {1, 2})

    assert html == (
        '<p>Nine months <a class="mark" href="#source-1">[1]</a><a class="mark" href="#source-2">[2]</a>. '
        "See [7] and <code>a[1]</code>.</p>\n"
    )


def test_lists_tables_and_code_are_laid_out() -> None:
    """Answers are full of them."""
    html = answer_html("- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx < 1\n```\n", set())

    assert all(tag in html for tag in ("<li>one</li>", "<td>2</td>", "<code>x &lt; 1\n</code>"))


def test_links_leave_the_frame() -> None:
    """The page may stand in one."""
    assert answer_html("[Cheese](<https://book.test/02>)", set()) == (
        '<p><a href="https://book.test/02" target="_top">Cheese</a></p>\n'
    )


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (r"$\pi^*$ maximizes $V^*(s)$", None),
        (r"$\mathbf{x}_{i}$ and $\mathbf{y}_{j}$", None),
        (r"$\{a, b\}$ and \(x\,y\) and $|x\|$", None),
        ("$$\n1 & 2 \\\\\n3 & 4\n$$", "$$\n1 &amp; 2 \\\\\n3 &amp; 4\n$$"),
        ("$a[1]$ and $x_{i}&lt;y_{i}$", "$a[1]$ and $x_{i}&lt;y_{i}$"),
        ("$5 and *$6*", "$5 and <em>$6</em>"),
    ],
)
def test_formulas_are_shown_as_they_are_written(formula: str, shown: str | None) -> None:
    """Stars and lines of TeX were taken for emphasis, and its backslashes for escapes."""
    assert answer_html(formula, {1}) == f"<p>{shown or formula}</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.test/x.png)",
        "[x](javascript:alert(1))",
        "[x](<java\nscript:alert(1)>)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](//evil.test/x)",
        '<https://evil.test/"onclick=alert(1)>',
        "<javascript:alert(1)>",
        "[1]: javascript:alert(1)\n\n[1]",
        "`<svg onload=alert(1)>`",
        "$<img src=x onerror=alert(1)>$",
        "$$x &lt;img src=x onerror=alert(1)> [x](javascript:alert(1)) $$",
    ],
)
def test_hostile_text_stays_text(text: str) -> None:
    """The page has a policy besides, and should not need it."""
    html = answer_html(text, {1})

    assert "<img" not in html
    assert "<script" not in html
    assert "<svg" not in html
    assert 'href="java' not in html
    assert 'href="data' not in html
    assert 'href="//' not in html
    assert '"onclick' not in html
