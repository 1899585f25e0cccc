"""Lay what was asked over the book: each page and section in reading order, with its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ragbot.storage.asked_questions import place
from ragbot.storage.book_outlines import OutlinedPage
from ragbot.storage.question_counts import Counted, PlaceCounts
from ragbot.storage.question_samples import split_place


@dataclass(frozen=True, slots=True)
class MappedSection:
    """Count the answers that cited a section, those of them that were disliked, and what failed near it."""

    headings: str
    cited: int
    disliked: int
    near: int


@dataclass(frozen=True, slots=True)
class MappedPage:
    """Count for a page what its sections count, and the questions that were asked from it."""

    path: str
    title: str
    asked: int
    cited: int
    disliked: int
    near: int
    sections: tuple[MappedSection, ...]


@dataclass(frozen=True, slots=True)
class BookMap:
    """Hold the pages in reading order. `elsewhere` are pages that this edition does not have, any more."""

    pages: tuple[MappedPage, ...]
    elsewhere: tuple[MappedPage, ...]


def book_map(
    outline: Sequence[OutlinedPage], site_url: str, places: Iterable[PlaceCounts], asked: Iterable[Counted]
) -> BookMap:
    """Return the map of a book. `asked` counts questions by the path of the address they came from."""
    by_page: dict[str, dict[str, PlaceCounts]] = {}
    for one in places:
        by_page.setdefault(one.path, {})[one.headings] = one
    askers = Counter[str]()
    for counted in asked:
        askers[_address(counted.value)] += counted.questions
    base = urlsplit(site_url).path.strip("/")
    pages = []
    for page in outline:
        address = _address(f"{base}/{page.address}")
        stored = split_place(place(page.path, ()))[0]
        pages.append(_page(page, askers[address], by_page.pop(stored, {})))
    gone = [_page(OutlinedPage(path, path, "", ()), 0, found) for path, found in sorted(by_page.items())]
    return BookMap(tuple(pages), tuple(gone))


def _page(page: OutlinedPage, asked: int, counts: dict[str, PlaceCounts]) -> MappedPage:
    """Count a page. Sections that only an earlier edition has stand behind those of this one."""
    order = [split_place(place(page.path, headings))[1] for headings in page.sections]
    sections = tuple(
        MappedSection(headings, one.cited, one.disliked, one.near)
        if (one := counts.get(headings))
        else MappedSection(headings, 0, 0, 0)
        for headings in dict.fromkeys((*order, *counts))
    )
    return MappedPage(
        path=page.path,
        title=page.title,
        asked=asked,
        cited=sum(section.cited for section in sections),
        disliked=sum(section.disliked for section in sections),
        near=sum(section.near for section in sections),
        sections=sections,
    )


def _address(path: str) -> str:
    """Return a page's path as it is compared: generators, servers and browsers spell it differently."""
    bare = unquote(path).strip("/").casefold()
    for end in (".html", "/index", ".htm"):
        bare = bare.removesuffix(end)
    return "" if bare == "index" else bare
