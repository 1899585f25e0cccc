"""Select the pages of a built site that are the book: one language, the released version, no lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

from ragbot.books.formats.html_themes import theme_of
from ragbot.books.formats.html_versions import below_editions, copies_of_site

TOOL = "It searches, lists or repeats the site's pages."
LIST = "It is a page of the site's blog, or a list of pages."
OTHER_LANGUAGE = "It is in another language than the book."
OTHER_VERSION = "It is of another version than the released one."
COPY = "It is a copy of another page, which it names as the original."

# If more pages than these, or than this share of all, name one original, the site's configuration is wrong,
# and they are no copies.
MAX_COPIES = 20
MAX_COPIES_SHARE = 0.5

# At the root, or below a language: a chapter may be about blogs.
BLOG = re.compile(r"(?:[a-z]{2}(?:-\w+)?/)?blog/")
# Likewise: deeper in the site chapters have these names.
_LIST = re.compile(r"(?:tags|tags/[^/]+|categories|archives?|authors)(?:/index)?\.html?")
_PART_OF_LIST = re.compile(r"(?:^|/)page/\d+(?:/index)?\.html?$")
_TOOL = re.compile(r"(?:404|print|search|toc)(?:/index)?\.x?html?", re.IGNORECASE)
# No chapter has the names of Sphinx's indexes, and none lies in the folders in which Sphinx, PreTeXt and
# Quarto keep sources, listings and pieces of their pages.
_OWN_TOOL = re.compile(
    r"(?:^|/)(?:(?:genindex|(?:py-)?modindex)(?:/index)?\.html?$|(?:_static|_sources|_modules|knowl|site_libs)/)"
)
_NAMED_SO = re.compile(rf"(?:.*/)?(?:{_LIST.pattern}|{_TOOL.pattern})", re.IGNORECASE)
# mdBook keeps its contents in this page, which tells the order of the others.
CONTENTS_FILE = "toc.html"
_NOT_INDEXED = "meta[name=robots i][content*=noindex i]"
_VERSION_METAS = "meta[name=docusaurus_version], meta[name='docsearch:version']"
_VERSION = re.compile(r"(?P<tag>.*)-(?P<version>[^-]+)$")


@dataclass(frozen=True, slots=True)
class HtmlPageFacts:
    """Hold what a page says of itself. `plugin` and `version` are of Docusaurus's, empty elsewhere."""

    title: str
    language: str
    plugin: str
    version: str
    canonical: str
    is_list: bool


def is_tool(path: str) -> bool:
    """Return whether a generator keeps a page there by which it searches, lists or repeats the others.

    The path is that from the site's root.
    """
    return bool(_TOOL.fullmatch(below_editions(path)) or _OWN_TOOL.search(path))


def facts_of(path: str, tree: LexborHTMLParser) -> HtmlPageFacts:
    """Return what a page says of itself, but for the title of its text. The path is from the site's root."""
    root = tree.css_first("html")
    theme = theme_of(tree)
    tag = _content(tree, "meta[name=docusaurus_tag], meta[name='docsearch:docusaurus_tag']")
    named = _VERSION.fullmatch(tag)
    canonical = tree.css_first("link[rel=canonical]")
    return HtmlPageFacts(
        title="",
        language=((root.attributes.get("lang") or "") if root else "").lower().partition("-")[0],
        plugin=named["tag"] if named else "",
        version=_content(tree, _VERSION_METAS) if named else "",
        canonical=(canonical.attributes.get("href") or "") if canonical else "",
        is_list=_is_list(path, tree) or bool(theme.lists and tree.css_first(theme.lists)),
    )


def _is_list(path: str, tree: LexborHTMLParser) -> bool:
    if _LIST.fullmatch(below_editions(path)) or _PART_OF_LIST.search(path):
        return True
    return _NAMED_SO.fullmatch(path) is not None and tree.css_first(_NOT_INDEXED) is not None


def _content(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get("content") or "") if node else ""


def pages_left_out(
    found: Mapping[str, HtmlPageFacts],
    resolve: Callable[[str, str], str | None],
    *,
    front: str = "",
    linked: Collection[str] = (),
) -> dict[str, str]:
    """Return the pages that are not the book's, with the reason for each.

    `resolve` returns the page that a link on a page leads to, `front` is the page that the site's front page
    redirects to, `linked` are those that it links. A site of lists or a blog alone is left whole.
    """

    def copies_of_whole(kept: Mapping[str, HtmlPageFacts]) -> dict[str, str]:
        titles = {path: facts.title for path, facts in kept.items()}
        originals = [*_originals(kept, resolve).values(), *linked]
        return copies_of_site(titles, front=front, originals=originals)

    left_out: dict[str, str] = {}
    for choose in (
        _lists,
        _other_languages,
        _other_versions,
        copies_of_whole,
        lambda kept: _copies(kept, resolve),
    ):
        kept = {path: facts for path, facts in found.items() if path not in left_out}
        chosen = choose(kept)
        if len(chosen) < len(kept):
            left_out |= chosen
    return left_out


def _lists(found: Mapping[str, HtmlPageFacts]) -> dict[str, str]:
    return {path: LIST for path, facts in found.items() if facts.is_list or BLOG.match(path)}


def _other_languages(found: Mapping[str, HtmlPageFacts]) -> dict[str, str]:
    """Choose by the language of the site's root, else by that of most pages."""
    counts = Counter(facts.language for facts in found.values() if facts.language)
    root = found.get("index.html")
    own = root.language if root is not None and root.language else next(iter(dict(counts.most_common(1))), "")
    return {path: OTHER_LANGUAGE for path, facts in found.items() if facts.language not in (own, "")}


def _other_versions(found: Mapping[str, HtmlPageFacts]) -> dict[str, str]:
    """Choose the version whose pages have the shortest addresses: others stand in a folder of their own."""
    depths: dict[tuple[str, str], int] = {}
    for path, facts in found.items():
        key = (facts.plugin, facts.version)
        depths[key] = min(depths.get(key, 99), path.count("/") - path.endswith("/index.html"))
    released: dict[str, str] = {}
    for (plugin, version), depth in depths.items():
        known = released.get(plugin)
        if known is None or depth < depths[plugin, known]:
            released[plugin] = version
    return {path: OTHER_VERSION for path, facts in found.items() if facts.version != released[facts.plugin]}


def _copies(found: Mapping[str, HtmlPageFacts], resolve: Callable[[str, str], str | None]) -> dict[str, str]:
    originals = _originals(found, resolve)
    named = Counter(originals.values())
    most = min(MAX_COPIES, MAX_COPIES_SHARE * len(found))
    return {path: COPY for path, original in originals.items() if named[original] <= most}


def _originals(
    found: Mapping[str, HtmlPageFacts], resolve: Callable[[str, str], str | None]
) -> dict[str, str]:
    """Return the other page that each page names as its original."""
    return {
        path: original
        for path, facts in found.items()
        if facts.canonical and (original := resolve(path, facts.canonical)) is not None and original != path
    }
