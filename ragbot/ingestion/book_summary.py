"""Summarise a book that was read, so that an operator sees at once whether it is the right one."""

from __future__ import annotations

from dataclasses import dataclass

from ragbot.core.domain import Book, LeftOut
from ragbot.core.page_links import page_url, section_url
from ragbot.core.text import text_length

NO_SITE_URL = (
    "No address of the book's site is set (--site-url), so the links of sources lead nowhere outside of it."
)


@dataclass(frozen=True, slots=True)
class BookSummary:
    """Describe what was read: the layout, how links are made, the language, and two of the links.

    `characters` counts the text without white space. `links` are those of the first and of a middle section.
    """

    layout: str
    link_rule: str
    language: str
    characters: int
    links: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]


def summarise_book(book: Book, *, language: str, site_url: str) -> BookSummary:
    """Summarise a book with the links that its sections will have."""
    return BookSummary(
        layout=book.layout.name,
        link_rule=book.layout.links,
        language=language,
        characters=sum(text_length(page.source) for page in book.pages),
        links=_sample_links(book, site_url),
        left_out=book.left_out,
        warnings=book.notes if site_url else (*book.notes, NO_SITE_URL),
    )


def _sample_links(book: Book, site_url: str) -> tuple[str, ...]:
    links = [
        section_url(page_url(site_url, page.address), section.anchor)
        for page in book.pages
        for section in page.sections
    ]
    return tuple(dict.fromkeys((links[0], links[len(links) // 2]))) if links else ()
