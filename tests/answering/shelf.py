"""Provide chunks and editions that are made by hand, and an ingested book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ragbot.answering.answerer import Answerer, AnswerLimits, BookContents
from ragbot.bootstrap import passage_reader
from ragbot.core.domain import Chunk, EditionFacts, Passage
from ragbot.core.ports import Generator
from ragbot.core.text import count_tokens
from ragbot.index.retriever import Retriever
from ragbot.storage.editions import PageRecord

EDITION = EditionFacts(
    key="first",
    name="first",
    title="Bread, Cheese and Tea",
    site_url="https://book.test/",
    language="english",
    average_terms=10.0,
    embedder=None,
    dimension=None,
    sections=9,
    chunks=9,
)
CHEDDAR = "Bob ripens the cheddar for nine months in a cool cellar."


def edition_at(site_url: str) -> EditionFacts:
    return replace(EDITION, site_url=site_url)


def passage(text: str = CHEDDAR, *, score: float = 1.0, **changed: Any) -> Passage:
    """Return a retrieved passage of the chapter on cheese."""
    chunk = Chunk(
        id="00000000-0000-5000-8000-000000000001",
        path="02-cheese.md",
        heading_path=("Cheese", "Ripening"),
        title="Cheese",
        address="02-cheese",
        anchor="ripening",
        start=0,
        end=len(text),
        text=text,
        search_text=f"Cheese > Ripening\n\n{text}",
        tokens=count_tokens(text),
    )
    return Passage(replace(chunk, **changed), score)


class NoContents:
    """A book of which no page is known beside its passages."""

    def outline(self, facts: EditionFacts) -> Sequence[PageRecord]:
        return ()

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> Sequence[Chunk]:
        return ()

    def page_source(self, facts: EditionFacts, path: str) -> str:
        return ""


def make_answerer(
    retriever: Retriever,
    generator: Generator,
    limits: AnswerLimits,
    *,
    embedding_cost: float | None = 0.0,
    book: BookContents | None = None,
    own_words: Generator | None = None,
) -> Answerer:
    """Return an answerer over a retriever's passages alone, or with a book's pages beside them."""
    return Answerer(
        retriever,
        generator,
        limits,
        lambda _tokens: embedding_cost,
        reader=passage_reader(),
        book=book or NoContents(),
        own_words=own_words,
    )
