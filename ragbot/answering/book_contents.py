"""Cache what answers need of an edition's pages: the table of contents and the sources of some pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cachetools import LRUCache, cachedmethod

from ragbot.core.domain import Chunk, EditionFacts
from ragbot.core.errors import RagbotError
from ragbot.storage.editions import EditionStore, PageRecord

OUTLINES_REMEMBERED = 4
PAGES_REMEMBERED = 256


class CachedContents:
    """Read an edition's pages once; an edition never changes. Safe between threads.

    Where the database cannot be reached it gives nothing, and remembers nothing: an answer goes without.
    """

    def __init__(self, editions: EditionStore) -> None:
        self._editions = editions
        self._lock = threading.Lock()
        self._outlines: LRUCache[str, Sequence[PageRecord]] = LRUCache(OUTLINES_REMEMBERED)
        self._sources: LRUCache[tuple[str, str], str] = LRUCache(PAGES_REMEMBERED)

    def outline(self, facts: EditionFacts) -> Sequence[PageRecord]:
        """Give an edition's pages in the order of the book."""
        try:
            return self._outline(facts)
        except RagbotError:
            return ()

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> Sequence[Chunk]:
        """Give the first few chunks of each of some pages, in order."""
        try:
            return self._editions.first_chunks(facts, paths, each=each)
        except RagbotError:
            return ()

    def page_source(self, facts: EditionFacts, path: str) -> str:
        """Give the source of one page."""
        try:
            return self._page_source(facts, path)
        except RagbotError:
            return ""

    @cachedmethod(
        lambda self: self._outlines, key=lambda _self, facts: facts.key, lock=lambda self: self._lock
    )
    def _outline(self, facts: EditionFacts) -> Sequence[PageRecord]:
        return self._editions.outline(facts)

    @cachedmethod(
        lambda self: self._sources,
        key=lambda _self, facts, path: (facts.key, path),
        lock=lambda self: self._lock,
    )
    def _page_source(self, facts: EditionFacts, path: str) -> str:
        return self._editions.page_source(facts, path)
