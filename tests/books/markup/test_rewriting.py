"""Test that what rewrites prose leaves fenced code alone, wherever it stands."""

from __future__ import annotations

import pytest

from ragbot.books.markup.jekyll import shown_by_jekyll
from ragbot.books.markup.myst import plain_myst
from ragbot.books.markup.rewriting import rewrite_lines, rewrite_prose, without_comments
from ragbot.books.markup.rmarkdown import plain_rmarkdown

LISTINGS = {
    "in a list item": "- ```md\n  as it is <!-- a --> {:.b}\n  ```\n- prose",
    "in a numbered item": "1. ~~~\n   as it is <!-- a --> {:.b}\n   ~~~\n2. prose",
    "in a quote": "> ```md\n> as it is <!-- a --> {:.b}\n> ```\n\nprose",
    "with a quoted fence inside": "```md\n> ```\nas it is <!-- a --> {:.b}\n```\nprose",
    "with a shorter fence inside": "````md\n```\nas it is <!-- a --> {:.b}\n```\n````\nprose",
    "with an indented fence inside": "```md\n    ```\nas it is <!-- a --> {:.b}\n```\nprose",
}
REWRITERS = {
    "lines": lambda text: rewrite_lines(text, str.upper),
    "prose": lambda text: rewrite_prose(text, str.upper),
    "comments": without_comments,
    "MyST": lambda text: plain_myst(text, lambda _path: ""),
    "R Markdown": lambda text: plain_rmarkdown(text, lambda _path: ""),
    "Jekyll": lambda text: shown_by_jekyll(f"---\ntitle: A\n---\n{text}"),
}


@pytest.mark.parametrize("rewriter", REWRITERS)
@pytest.mark.parametrize("listing", LISTINGS)
def test_fenced_code_stays_as_it_is(rewriter: str, listing: str) -> None:
    """A listing whose fence stands behind a bullet was rewritten, and the page behind it was not."""
    shown = REWRITERS[rewriter](LISTINGS[listing])

    assert "as it is <!-- a --> {:.b}" in shown
    assert shown.rstrip().endswith(("prose", "PROSE"))


@pytest.mark.parametrize("listing", LISTINGS)
def test_prose_behind_fenced_code_is_rewritten(listing: str) -> None:
    """It was taken for the rest of the listing."""
    text = f"{LISTINGS[listing]}\n\n<!-- a -->"

    assert rewrite_lines(text, str.upper).endswith("<!-- A -->")
    assert "<!-- a -->\n" not in without_comments(text) + "\n"


def test_code_within_a_line_opens_no_fence() -> None:
    """What follows was taken for code, and its comments were shown."""
    assert without_comments("```a``` is one\n\n<!-- note -->\nb") == "```a``` is one\n\n\nb"
