"""Read the pages and sections of an edition in reading order, without their texts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from ragbot.core.domain import EditionFacts
from ragbot.storage.database import Database
from ragbot.storage.models import EditionRow, PageRow, SectionRow

editions, pages, sections = (row.__table__ for row in (EditionRow, PageRow, SectionRow))


@dataclass(frozen=True, slots=True)
class OutlinedPage:
    """Hold a page of a book with the heading paths of its sections, in reading order."""

    path: str
    title: str
    address: str
    sections: tuple[tuple[str, ...], ...]


def outlined_pages(database: Database, facts: EditionFacts) -> list[OutlinedPage]:
    """Return the pages of an edition in the order of the book. An edition that is gone has none."""
    query = (
        select(pages.c.path, pages.c.title, pages.c.address, sections.c.heading_path)
        .join(editions, editions.c.id == pages.c.edition_id)
        .outerjoin(sections, sections.c.page_id == pages.c.id)
        .where(editions.c.key == facts.key)
        .order_by(pages.c.position, sections.c.position)
    )
    found: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
    with database.reading() as connection:
        for path, title, address, headings in connection.execute(query):
            page = found.setdefault((path, title, address), [])
            if headings:
                page.append(tuple(headings))
    return [OutlinedPage(*page, tuple(headings)) for page, headings in found.items()]
