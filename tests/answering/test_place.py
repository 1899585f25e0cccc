"""Test that citations lead to their words on pages that the site generators built (tests/sites)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from ragbot.answering.citations import source_of, with_citations
from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import readable_words, tidy_markdown
from ragbot.core.domain import Book, Chunk, Passage
from ragbot.core.text import sentence_spans
from tests.answering.fragment_matcher import BuiltPage, Match, built_page, directive_of, normal
from tests.answering.shelf import EDITION

SITES = Path(__file__).parent.parent / "sites"

WITH_FRAGMENT = 0.90
FOUND_IN_SECTION = 0.98
# They stand in closed tabs, and in details that Docusaurus's script closes. No browser searches there, and
# what was read of a built page does not tell; their links lead to the section.
CLOSED = {
    "Look to the north-west.",
    "The lamp is before you.",
    "They used whale oil until 1880.",
    "The smell, they wrote, was worse than the storms.",
}

_WORD = re.compile(r"[^\W_]+")
_MARK = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Citation:
    """A piece of a chunk that an answer repeated, its link, and what the link finds."""

    cited: str
    url: str
    has_fragment: bool
    match: Match | None
    is_in_section: bool

    @property
    def is_exact(self) -> bool:
        """Return whether what lights up is cited, word for word."""
        found = " ".join(_WORD.findall(self.match.text)) if self.match else ""
        return bool(found) and f" {found} " in f" {' '.join(_WORD.findall(normal(self.cited)))} "


@dataclass(frozen=True, slots=True)
class Site:
    """A built site, and the folder from which its book is read."""

    generator: str
    read: str

    @property
    def root(self) -> Path:
        return SITES / self.generator

    @property
    def folder(self) -> Path:
        return self.root / self.read

    def file_of(self, chunk: Chunk) -> Path:
        name = chunk.address
        for candidate in (name, f"{name}.html", f"{name}/index.html"):
            if (path := self.root / "built" / candidate.lstrip("/")).is_file():
                return path
        raise AssertionError(f"No page was built for {chunk.address}.")

    def page_of(self, chunk: Chunk) -> BuiltPage:
        return _page(self.file_of(chunk))


ALL = [
    Site("docusaurus", "source"),
    Site("docusaurus", "built"),
    Site("mdbook", "source"),
    Site("mdbook", "built"),
    Site("mkdocs", "source"),
    Site("mkdocs", "built"),
    Site("sphinx", "built"),
]


@cache
def _page(path: Path) -> BuiltPage:
    return built_page(path.read_text())


@cache
def book_of(site: Site) -> Book:
    return load_book(site.folder)


def pieces_of(text: str) -> Iterator[str]:
    """Yield every sentence, list item, row and line of code of a passage as an answer repeats it."""
    for block in prose_blocks(text):
        source = text[block.start : block.end]
        if block.kind in ("heading", "other"):
            continue
        if block.kind == "code":
            lines = readable_words(source, kind="code").split("\n")
            yield from (f"```\n{line}\n```\n\n" for line in lines if _WORD.search(line))
        elif block.kind == "table_row":
            yield f"{source}\n\n"
        elif block.kind == "table_head":
            continue
        elif block.kind == "list_item":
            yield f"- {tidy_markdown(source)} "
        else:
            for start, end in sentence_spans(source):
                piece = tidy_markdown(source[start:end])
                if _WORD.search(piece) and not _MARK.fullmatch(piece):
                    yield f"{piece} "


def citations_of(site: Site) -> Iterator[Citation]:
    book = book_of(site)
    pages = {page.path: page.source for page in book.pages}
    for chunk in chunk_book(book):
        passage = Passage(chunk, 1.0)
        sources = [source_of(passage, EDITION, len)]
        for piece in pieces_of(chunk.text):
            cited = with_citations(
                sources, [passage], f"{piece}[1]", EDITION, relevance=len, page_source=pages.__getitem__
            )[0]
            for citation in cited.citations:
                yield _checked(site, chunk, citation.text, citation.url)
            if not cited.citations:
                yield Citation(piece, cited.url, False, None, False)


def _checked(site: Site, chunk: Chunk, text: str, url: str) -> Citation:
    anchor, directive = directive_of(url)
    page = site.page_of(chunk)
    match = page.find(directive) if directive else None
    section = page.section(anchor)
    # (Footnotes are printed at the end of the page, wherever they are written.)
    is_in_section = match is not None and (
        (section is not None and section[0] <= match.start[0] < section[1]) or match.start[0] in page.notes
    )
    return Citation(text, url, bool(directive), match, is_in_section)


@pytest.mark.parametrize("site", ALL, ids=lambda site: f"{site.generator} from {site.read}")
def test_citation_leads_to_its_words(site: Site) -> None:
    """A reader who follows a citation should see the sentence lit up, and no other."""
    citations = [citation for citation in citations_of(site) if citation.cited not in CLOSED]

    with_fragment = [citation for citation in citations if citation.has_fragment]
    found = [citation for citation in with_fragment if citation.is_in_section]
    assert len(citations) > 100
    assert len(with_fragment) / len(citations) >= WITH_FRAGMENT
    assert len(found) / len(with_fragment) >= FOUND_IN_SECTION
