"""Find a text fragment on a built page as a browser does (https://wicg.github.io/scroll-to-text-fragment/).

Stricter than browsers where they do more than the specification asks for: Chromium takes straight quotes for
typographic ones, this does not.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html label legend li main nav ol p pre search "
    "section summary table tbody td tfoot th thead tr ul".split()
)
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_NOT_TEXT = frozenset(("head", "script", "style", "template", "noscript", "title"))
# What stands in a line and is no text parts the words around it.
_ATOMIC = frozenset(("img", "input", "svg", "button", "video", "select"))
_ATOM = "\ufffc"
# The end of a line is white space between terms, and no blank within one.
_LINE_END = "\u2028"
_BLANKS = re.compile(r"[ \t\n\r\f\xa0]+")
_IGNORED = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Match:
    """A range of the page's blocks, with its words."""

    start: Place
    end: Place
    text: str


@dataclass(slots=True)
class BuiltPage:
    """The blocks of a page's text in order, and where its ids, headings and footnotes stand (by block)."""

    blocks: list[str] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    headings: list[int] = field(default_factory=list)
    heading_texts: list[str] = field(default_factory=list)
    notes: set[int] = field(default_factory=set)

    def section(self, anchor: str) -> tuple[int, int] | None:
        """Return the blocks from an anchor's heading up to the next; None where the page lacks the anchor."""
        if anchor and anchor not in self.ids:
            return None
        first = self.ids[anchor] if anchor else 0
        at = next((i for i, block in enumerate(self.headings) if block >= first), len(self.headings))
        after = self.headings[at + 1] if at + 1 < len(self.headings) else len(self.blocks)
        return first, after

    def find(self, directive: str) -> Match | None:
        """Return the first match of `[prefix-,]start[,end][,-suffix]`, percent-encoded."""
        terms = directive.split(",")
        prefix = terms.pop(0)[:-1] if terms[0].endswith("-") and len(terms) > 1 else ""
        suffix = terms.pop()[1:] if terms[-1].startswith("-") else ""
        start, *rest = terms
        words = [normal(unquote(term)) for term in (prefix, start, rest[0] if rest else "", suffix)]
        return self._find(*words)

    def _find(self, prefix: str, start: str, end: str, suffix: str) -> Match | None:
        position: Place | None = (0, 0)
        while position is not None:
            if prefix:
                before = self._term(prefix, position, ends=False)
                if before is None:
                    return None
                position = self._next(before[0])
                place = self._after_blanks(before[1])
                found = (
                    self._term(start, place, begins=False, ends=bool(end) or not suffix) if place else None
                )
                if found is None:
                    return None
                if found[0] != place:
                    continue
            else:
                found = self._term(start, position, ends=bool(end) or not suffix)
                if found is None:
                    return None
                position = self._next(found[0])
            if (stop := self._stop(found[1], end, suffix)) is not None:
                return Match(found[0], stop, self._between(found[0], stop))
            if end and not suffix:
                return None
        return None

    def _stop(self, begun: Place, end: str, suffix: str) -> Place | None:
        """Where the range ends that began with the start's words, or None where what must follow does not."""
        stop = begun
        while True:
            if end:
                found = self._term(end, stop, ends=not suffix)
                if found is None:
                    return None
                stop = found[1]
            if not suffix:
                return stop
            place = self._after_blanks(stop)
            after = self._term(suffix, place, begins=False) if place else None
            if after is not None and after[0] == place:
                return stop
            if not end or after is None:
                return None

    def _term(
        self, term: str, place: Place, *, begins: bool = True, ends: bool = True
    ) -> tuple[Place, Place] | None:
        """The first place from one on at which a block holds the term, at word boundaries where asked for."""
        for number in range(place[0], len(self.blocks)):
            text = self.blocks[number]
            at = place[1] if number == place[0] else 0
            while (at := text.find(term, at)) >= 0:
                stop = at + len(term)
                if (not begins or _is_boundary(text, at)) and (not ends or _is_boundary(text, stop)):
                    return (number, at), (number, stop)
                at += 1
        return None

    def _next(self, place: Place) -> Place:
        return place[0], place[1] + 1

    def _after_blanks(self, place: Place) -> Place | None:
        number, at = place
        while number < len(self.blocks):
            text = self.blocks[number]
            while at < len(text) and text[at].isspace():
                at += 1
            if at < len(text):
                return number, at
            number, at = number + 1, 0
        return None

    def _between(self, start: Place, stop: Place) -> str:
        if start[0] == stop[0]:
            return self.blocks[start[0]][start[1] : stop[1]]
        inner = self.blocks[start[0] + 1 : stop[0]]
        return "\n".join((self.blocks[start[0]][start[1] :], *inner, self.blocks[stop[0]][: stop[1]]))


def directive_of(url: str) -> tuple[str, str]:
    """Return a URL's anchor, and its text directive or nothing."""
    fragment = urlsplit(url).fragment
    anchor, _, words = fragment.partition(":~:text=")
    return unquote(anchor), words


def built_page(html: str) -> BuiltPage:
    """Render a page's text as a browser lays it out, as far as that can be told without its styles."""
    page = BuiltPage()
    tree = LexborHTMLParser(html)
    main = next((node for tag in ("article", "main", "[role=main]") if (node := tree.css_first(tag))), None)
    assert tree.body is not None
    _Walk(page, main).walk(tree.body)
    return page


class _Walk:
    """Collect a page's blocks."""

    def __init__(self, page: BuiltPage, main: LexborNode | None) -> None:
        self.page, self.main = page, main
        self.pieces: list[str] = []
        self.is_main = main is None

    def walk(self, node: LexborNode, *, is_listing: bool = False) -> None:
        for child in node.iter(include_text=True):
            tag = child.tag or ""
            if tag == "-text":
                self.pieces.append(child.text_content or "")
            elif tag in _ATOMIC:
                self.pieces.append(_ATOM)
            elif tag == "br":
                self.pieces.append(_LINE_END)
            elif tag in _BLOCKS:
                self.block(child, tag, is_listing=is_listing)
            elif tag not in _NOT_TEXT and "hidden" not in child.attributes:
                self.name(child)
                self.walk(child, is_listing=is_listing)

    def block(self, node: LexborNode, tag: str, *, is_listing: bool) -> None:
        self.flush(is_listing=is_listing)
        if _is_hidden(node):
            return
        self.name(node)
        is_main = self.main is not None and node == self.main
        self.is_main = self.is_main or is_main
        is_heading = self.is_main and tag in _HEADINGS
        if is_heading:
            self.page.headings.append(len(self.page.blocks))
        first = len(self.page.blocks)
        self.walk(node, is_listing=is_listing or tag == "pre")
        self.flush(is_listing=is_listing or tag == "pre")
        if is_heading:
            self.page.heading_texts.append(" ".join((node.text() or "").split()))
        if "footnote" in (node.attributes.get("class") or ""):
            self.page.notes.update(range(first, len(self.page.blocks)))
        if is_main:
            self.is_main = False

    def name(self, node: LexborNode) -> None:
        for attribute in ("id", "name"):
            if name := node.attributes.get(attribute):
                self.page.ids.setdefault(name, len(self.page.blocks))

    def flush(self, *, is_listing: bool) -> None:
        text = _IGNORED.sub("", "".join(self.pieces))
        self.pieces = []
        if text.strip():
            self.page.blocks.append(normal(text if is_listing else _BLANKS.sub(" ", text).strip()))


def _is_hidden(node: LexborNode) -> bool:
    """Return whether a browser shows nothing of a block: Chromium found no words in these."""
    name = node.attributes.get("class") or ""
    if "hidden" in node.attributes or name.startswith("collapsibleContent_"):
        # (Docusaurus's script closes its details; those of other generators a browser opens itself.)
        return True
    if name != "tabbed-block":
        return False
    # Material's style shows the first of its tabs.
    before = node.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    return before is not None


def normal(text: str) -> str:
    """Text for a comparison that goes by base letters: no case, no accents."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold()


def _is_boundary(text: str, at: int) -> bool:
    """Return whether a word begins or ends here as Unicode has it; inside of a run of ideographs, never."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if _is_word(before) and _is_word(after):
        return False
    if after in ".'’:" and at + 1 < len(text):
        return not (_is_word(before) and _is_word(text[at + 1]))
    if before in ".'’:" and at > 1:
        return not (_is_word(text[at - 2]) and _is_word(after))
    return True


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"
