"""Build the statements that more than one function on editions executes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Delete, Row, Select, Update, delete, func, select, update

from ragbot.core.domain import DEFAULT_BOOK, EditionFacts
from ragbot.core.errors import EditionNotFound
from ragbot.storage.edition_rows import chunks, editions, pages, publications, sections, vectors


def select_of_edition(facts: EditionFacts, query: Select[Any]) -> Select[Any]:
    """Keep, of a query of pages and what is on them, the rows of one edition."""
    return query.join(editions, editions.c.id == pages.c.edition_id).where(editions.c.key == facts.key)


def select_sections(page_id: int) -> Select[Any]:
    """Select the sections of a page in order."""
    return select(sections).where(sections.c.page_id == page_id).order_by(sections.c.position)


# All but the vocabulary: it is tens of kilobytes, and each worker reads the published editions once a second.
EDITION_FACTS = tuple(column for column in editions.c if column.name != "vocabulary")

_PUBLISHED = select(*EDITION_FACTS, publications.c.published_at).join(
    publications, publications.c.edition_id == editions.c.id
)


def select_published(book: str) -> Select[Any]:
    """Select the published edition of a book."""
    return _PUBLISHED.where(editions.c.book == book).order_by(publications.c.id.desc()).limit(1)


def select_published_of_each() -> Select[Any]:
    """Select the published edition of each book, the longest published book in front."""
    of_book = (
        select(func.max(publications.c.id).label("last"), func.min(publications.c.id).label("first"))
        .join(editions, editions.c.id == publications.c.edition_id)
        .group_by(editions.c.book)
        .subquery()
    )
    return _PUBLISHED.join(of_book, of_book.c.last == publications.c.id).order_by(of_book.c.first)


def hand_on_first_publication(book: str, *, removed_id: int, heir_id: int) -> Update:
    """Give a book's first publication to another edition before the one that it is of is removed.

    It tells since when the book is published, and so which book of several is the default.
    """
    first = (
        select(func.min(publications.c.id))
        .join(editions, editions.c.id == publications.c.edition_id)
        .where(editions.c.book == book)
        .scalar_subquery()
    )
    return (
        update(publications)
        .where(publications.c.id == first, publications.c.edition_id == removed_id)
        .values(edition_id=heir_id)
    )


def delete_unshared_vectors(edition_id: int) -> Delete:
    """Delete the vectors that this edition alone uses.

    Those without an edition stay: they may belong to a book that is being ingested.
    """
    shas = select(chunks.c.search_sha).join(pages, pages.c.id == chunks.c.page_id)
    of_others = shas.where(chunks.c.search_sha == vectors.c.search_sha, pages.c.edition_id != edition_id)
    return delete(vectors).where(
        vectors.c.search_sha.in_(shas.where(pages.c.edition_id == edition_id)),
        # With NOT IN, PostgreSQL goes through the chunks of all other editions for each vector.
        ~of_others.correlate(vectors).exists(),
    )


def row_named(connection: Connection, name: str, book: str) -> Row[Any]:
    """Return the row of an edition. Raises EditionNotFound."""
    named = (editions.c.name == name) & (editions.c.book == book)
    row = connection.execute(select(*EDITION_FACTS).where(named)).first()
    if row is None:
        of_book = "" if book == DEFAULT_BOOK else f" of the book {book!r}"
        raise EditionNotFound(f"There is no edition{of_book} called {name!r}.")
    return row
