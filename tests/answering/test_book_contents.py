"""Test what is cached of an edition's pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragbot.answering.book_contents import CachedContents
from ragbot.core.domain import Chunk, EditionFacts
from ragbot.core.errors import DatabaseUnavailable
from ragbot.storage.editions import PageRecord
from tests.answering.shelf import EDITION, passage

CHEESE = PageRecord("02-cheese.md", "Cheese", "02-cheese", ())
OTHER = replace(EDITION, key="second")


class Editions:
    """The rows of two editions; counts how often they are read."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.is_down = False

    def outline(self, facts: EditionFacts) -> list[PageRecord]:
        self._reading("outline")
        return [CHEESE, PageRecord(f"{facts.key}.md", facts.key, facts.key, ())]

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> list[Chunk]:
        self._reading("chunks")
        return [passage(path=path).chunk for path in paths for _ in range(each)]

    def page_source(self, facts: EditionFacts, path: str) -> str:
        self._reading("source")
        return f"{facts.key} {path}"

    def _reading(self, what: str) -> None:
        if self.is_down:
            raise DatabaseUnavailable("down")
        self.read.append(what)


@pytest.fixture
def editions() -> Editions:
    return Editions()


@pytest.fixture
def contents(editions: Editions) -> CachedContents:
    return CachedContents(editions)  # type: ignore[arg-type]


def test_outline_is_read_once(contents: CachedContents, editions: Editions) -> None:
    """Each question looks at it."""
    first, second = contents.outline(EDITION), contents.outline(EDITION)

    assert first == second == [CHEESE, PageRecord("first.md", "first", "first", ())]
    assert editions.read == ["outline"]


def test_source_of_a_page_is_read_once(contents: CachedContents, editions: Editions) -> None:
    """Each citation of the page needs it."""
    assert contents.page_source(EDITION, "a.md") == contents.page_source(EDITION, "a.md") == "first a.md"
    assert contents.page_source(EDITION, "b.md") == "first b.md"
    assert editions.read == ["source", "source"]


def test_editions_are_not_mixed_up(contents: CachedContents) -> None:
    """A reader may ask for an old one."""
    assert contents.outline(EDITION) != contents.outline(OTHER)
    assert contents.page_source(OTHER, "a.md") == "second a.md"


def test_chunks_are_read_as_they_are_asked_for(contents: CachedContents) -> None:
    """Page after page."""
    found = contents.first_chunks(EDITION, ["b.md", "a.md"], each=2)

    assert [chunk.path for chunk in found] == ["b.md", "b.md", "a.md", "a.md"]


def test_answer_goes_without_where_the_database_is_down(contents: CachedContents, editions: Editions) -> None:
    """The index answers all the same; nothing of the outage is remembered."""
    editions.is_down = True
    during = (
        contents.outline(EDITION),
        contents.page_source(EDITION, "a.md"),
        contents.first_chunks(EDITION, ["a.md"], each=1),
    )
    editions.is_down = False

    assert [len(nothing) for nothing in during] == [0, 0, 0]
    assert contents.outline(EDITION)
    assert contents.page_source(EDITION, "a.md")
