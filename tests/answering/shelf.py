"""What these tests answer from: chunks and editions made by hand, and a book that is taken in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ragbot.core.domain import Chunk, EditionFacts, Passage
from ragbot.core.text import count_tokens

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
    """A retrieved passage of the chapter on cheese."""
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
        search_text=f"Cheese > Ripening\n{text}",
        tokens=count_tokens(text),
    )
    return Passage(replace(chunk, **changed), score)
