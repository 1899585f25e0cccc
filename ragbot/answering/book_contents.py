"""Cache an edition's table of contents, and the sources of its last used pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cachetools import LRUCache, cachedmethod

from ragbot.core.domain import Chunk, EditionFacts
from ragbot.core.errors import RagbotError
from ragbot.storage.editions import EditionStore, PageRecord

CACHED_OUTLINES = 4
CACHED_PAGES = 256


class CachedContents:
    """Read an edition's pages once: an edition never changes. Safe to call from several threads.

    If the database is unavailable, the methods return empty values and cache nothing: the answer does
    without.
    """

    def __init__(self, editions: EditionStore) -> None:
        self._editions = editions
        self._lock = threading.Lock()
        self._outlines: LRUCache[str, Sequence[PageRecord]] = LRUCache(CACHED_OUTLINES)
        self._sources: LRUCache[tuple[str, str], str] = LRUCache(CACHED_PAGES)

    def outline(self, facts: EditionFacts) -> Sequence[PageRecord]:
        """Return an edition's pages in the order of the book."""
        try:
            return self._outline(facts)
        except RagbotError:
            return ()

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> Sequence[Chunk]:
        """Return the first `each` chunks of each page, in order."""
        try:
            return self._editions.first_chunks(facts, paths, each=each)
        except RagbotError:
            return ()

    def page_source(self, facts: EditionFacts, path: str) -> str:
        """Return the source of one page."""
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
