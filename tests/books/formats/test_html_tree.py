"""Test how long the parser of HTML may take."""

from __future__ import annotations

import itertools

import pytest

from ragbot.books.formats.html_tree import parse_html
from ragbot.core.errors import FileUnreadable

# 1,100,000 characters, which are parsed in 17 prefixes.
PAGE = "<p>text</p>" * 100_000


def test_page_has_two_seconds_and_one_more_for_each_million_characters() -> None:
    """A reader's book must not wait for a page that is built to keep the parser busy."""
    parsed = itertools.count()

    with pytest.raises(FileUnreadable, match="takes much longer to parse"):
        parse_html(PAGE, clock=lambda: next(parsed) * 0.2)

    # After 3.2 seconds, the first time of these that is beyond 3.1.
    assert next(parsed) == 17


def test_page_that_takes_a_little_less_is_parsed() -> None:
    """A careful limit refuses no page of a slow machine."""
    parsed = itertools.count()

    assert parse_html(PAGE, clock=lambda: next(parsed) * 0.18).css("p")
    assert next(parsed) == 18
