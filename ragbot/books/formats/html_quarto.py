"""Show the pages of Quarto as their author wrote them: titles without marks, and keys without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

_TITLE = "#title-block-header h1.title"
# The page's own entry in the menus.
_ENTRIES = ".quarto-page-breadcrumbs li:last-child, .sidebar-item-container:has(> .sidebar-link.active)"
_SITE = ".sidebar-title > a, .navbar-title"
# By which a key to be pressed is named, the most used first.
_SYSTEMS = ("data-windows", "data-linux", "data-mac")


def prepare_quarto_page(tree: LexborHTMLParser, main: LexborNode) -> None:
    """Take the generator's marks out of titles, and show keys that a script would write."""
    _plain_titles(tree, main)
    for key in main.css("kbd[data-windows], kbd[data-linux], kbd[data-mac]"):
        keys, mac = (next(_values(key, names), "") for names in (_SYSTEMS, ("data-mac",)))
        if not key.text(strip=True) and keys:
            key.insert_child(keys)
            if mac and mac != keys:
                key.insert_after(f" (Mac: {mac})")


def _values(node: LexborNode, names: tuple[str, ...]) -> Iterator[str]:
    yield from filter(None, (node.attributes.get(name) for name in names))


def _plain_titles(tree: LexborHTMLParser, main: LexborNode) -> None:
    """Drop the mark of an appendix before its title, and the book's name above the title of the first page.

    "Appendix" is written in the book's language; the letter behind it stands in the menu, too. A website's
    page may have a title and chapters below it: that title is no name of the site.
    """
    letters = [node.text(strip=True) for node in tree.css(_ENTRIES) for node in node.css(".chapter-number")]
    names = {" ".join(node.text().split()) for node in tree.css(_SITE)}
    has_own = main.css_first("section.level1 > h1") is not None
    for title in main.css(_TITLE):
        if has_own and " ".join(title.text().split()) in names:
            title.decompose()
        elif letters and letters[0].isalpha():
            _drop_mark(title, letters[0])


def _drop_mark(title: LexborNode, letter: str) -> None:
    for node in title.traverse(include_text=True):
        if node.is_text_node and node.text().strip():
            mark = re.match(rf"\s*(?:[^\W\d_]+\s)?{re.escape(letter)}(?:\s*\W)?\s+", node.text())
            if mark is not None:
                node.replace_with(node.text()[mark.end() :])
            return
