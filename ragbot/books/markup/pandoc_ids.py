"""Know the anchors that Pandoc gives to headings where others, which open no section, have taken them."""

from __future__ import annotations

from ragbot.books.markup.slugs import NumberedSlugger, pandoc_slug


class HeadingIds:
    """Hold the anchors of one page's headings in order, also of those that are labels or are not shown."""

    def __init__(self) -> None:
        self._slug = NumberedSlugger(pandoc_slug)
        self._unseen: set[str] = set()

    def hide(self, words: str) -> None:
        """Count a heading that names a tab or a box, or stands in a block that is left out."""
        self._unseen.add(pandoc_slug(words))
        self._slug(words)

    def of(self, words: str) -> str:
        """Return a heading's anchor if one that is not seen has its words, or an empty text."""
        slug = self._slug(words)
        return slug if pandoc_slug(words) in self._unseen else ""
