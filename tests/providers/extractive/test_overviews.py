"""Test what an overview shows: the beginnings of passages, or the author's own summary."""

from __future__ import annotations

from ragbot.providers.extractive.overviews import overview_windows
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.windows import Window
from tests.providers.extractive.passages import FILLER, read


def words_of(window: Window, passage: ReadPassage) -> list[str]:
    return [passage.units[index].unit.words for index in window.units]


def tokens_of(window: Window, passage: ReadPassage) -> int:
    return sum(passage.units[index].unit.tokens for index in window.units)


def test_overview_opens_with_the_beginning_of_each_passage_in_order() -> None:
    """A summary goes through the chapter."""
    passages = [read(f"This chapter is about cheese {n}. {FILLER}", f"Chapter {n}") for n in "123"]

    windows = overview_windows(passages, tokens=90)

    assert [one.passage for one in windows] == [0, 1, 2]
    shown = list(zip(windows, passages, strict=True))
    assert [words_of(*one)[0] for one in shown] == [f"This chapter is about cheese {n}." for n in "123"]
    assert sum(tokens_of(*one) for one in shown) <= 90


def test_overview_passes_over_what_opens_badly() -> None:
    """Titles, lists and objectives are no summary."""
    passage = read(
        "**Time**\n\n- [Home](x.md)\n\nYou will need:\n\n- milk\n\nCheese is made from milk and rennet here."
    )

    (window,) = overview_windows([passage], tokens=90)

    assert words_of(window, passage) == ["Cheese is made from milk and rennet here."]


def test_overview_of_passages_without_sentences_is_empty() -> None:
    """It is refused then."""
    assert overview_windows([read("- milk\n- salt"), read("![](x.png)")], tokens=90) == []
    assert overview_windows([], tokens=90) == []


def test_summary_of_a_chapter_is_the_authors_own() -> None:
    """It is better than the beginnings of sections."""
    passage = read("Milk comes from many brown cows.\n\n## Summary\n\n- Cheese ripens.\n- Cows eat.", "Dairy")

    (window,) = overview_windows([passage], tokens=200)

    assert words_of(window, passage) == ["Cheese ripens.", "Cows eat."]
