"""Describe the sources of Zola."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import PurePosixPath

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_mapping, read_config
from ragbot.books.formats.emoji_lines import without_emoji_in_text
from ragbot.books.formats.html_selection import OTHER_LANGUAGE
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.page_names import language_suffix
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, read_site_source
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.rewriting import rewrite_lines, without_comments
from ragbot.books.markup.slugs import NumberedSlugger
from ragbot.core.domain import Book
from ragbot.core.errors import FileUnreadable

CONTENT = "content"
PAGES = frozenset({".md"})
CONFIG_NAMES = ("zola.toml", "config.toml")

# `2026-11-28-oars.md` is the page `oars`.
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-][\d:]+))?\s?[_-](?=.)")
# What names of files must not hold on some systems is removed by the setting `safe`.
_UNSAFE = str.maketrans("", "", '<>:"/\\|?*')
# `{{ figure(src="a.png", title="Oar") }}` is drawn by the site; `{% note() %} ... {% end %}` holds Markdown.
_SHORTCODE = re.compile(r"\{[{%][ \t]*(?P<code>(?:\w+\([^{}\n]*\)|end))[ \t]*[%}]\}")
_WORDS = re.compile(r"\b(?:title|caption|alt|label)=(?P<quote>[\"'])(?P<words>[^\"'\n]*)(?P=quote)")
# Zola writes other letters in ASCII by a table of its own (北 is "bei"). These have no plain form in Unicode.
_LETTERS = str.maketrans(
    dict(
        zip(
            "ßæœøđłþıðħŧĸŋŉ×°™€£®©§",
            "ss ae oe o d l th i d h t k ng -n x deg tm eur ps -r- -c- ss".split(),
            strict=True,
        )
    )
)
_PUNCTUATION = frozenset("‘’‚‛“”„‟«»‹›–—―‐‑‒…·•′″\u00a0\u2009\u202f→←¿¡±÷")
_UNKNOWN = "\0"
_LAST = float("inf")
UNKNOWN_ANCHORS = (
    "{} headings have letters that Zola writes in ASCII by a table of its own: "
    "links to them lead to the page alone."
)


def zola_slug(text: str) -> str:
    """Leave ASCII letters and digits in lower case, joined by hyphens.

    Returns an empty text if it has a letter or a sign whose spelling in ASCII is not known.
    """
    plain = "".join(_ascii(character) for character in text.lower().translate(_LETTERS))
    return "" if _UNKNOWN in plain else re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    if character in _PUNCTUATION:
        return "-"
    if "\u0300" <= character < "\u0363":
        # The accent of the letter before.
        return ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    is_latin = character < "\u2000" or "\uff00" <= character < "\uff60"
    is_letter = is_latin and unicodedata.category(character) == "Ll"
    return plain if is_letter and plain.isalnum() else _UNKNOWN


class ZolaSlugger:
    """Make the anchors of one page by a rule for a heading; number repeated ones, and give unknown ones none.

    `unknown` are the headings of the whole book that have none.
    """

    def __init__(self, slug: Callable[[str], str], unknown: list[str]) -> None:
        self._slug = slug
        self._numbered = NumberedSlugger(slug)
        self._unknown = unknown

    def __call__(self, text: str) -> str:
        if self._slug(text):
            return self._numbered(text)
        self._unknown.append(text)
        return ""


def _safe_path(text: str) -> str:
    return text.rstrip(" .").translate(_UNSAFE)


def _safe_anchor(text: str) -> str:
    return re.sub(r"[ \t\n\f\r]", "_", text)


# What the settings below `slugify` make of a name, and of a heading.
_PATHS: dict[str, Callable[[str], str]] = {"on": zola_slug, "safe": _safe_path, "off": str}
_ANCHORS: dict[str, Callable[[str], str]] = {"on": zola_slug, "safe": _safe_anchor, "off": _safe_anchor}


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold a page or a section with its front matter; a section's `path` ends in `_index.md`."""

    path: str
    values: FrontMatter


def read_zola(folder: BookFolder) -> Book:
    """Read a project of Zola, each section in the order that it says, in its default language."""
    config = read_config(folder, CONFIG_NAMES, generator="Zola")
    others = {name.lower() for name in as_mapping(config.get("languages"))}
    others.discard(str(config.get("default_language") or "en").lower())

    def omitted(inner: str, values: FrontMatter) -> str:
        if language_suffix(inner) in others:
            return OTHER_LANGUAGE
        return NOT_BUILT if values.is_set("draft") or values.values.get("render") is False else ""

    slugs = as_mapping(config.get("slugify"))
    path_slug = _PATHS.get(str(slugs.get("paths")), zola_slug)
    anchor_slug = _ANCHORS.get(str(slugs.get("anchors")), zola_slug)
    keeps_dates = slugs.get("paths_keep_dates") is True
    has_emoji = as_mapping(config.get("markdown")).get("render_emoji") is True
    unknown: list[str] = []
    site = SiteSource(
        title=str(config.get("title") or ""),
        content=CONTENT,
        anchors=AnchorRules(partial(ZolaSlugger, anchor_slug, unknown)),
        address=lambda inner, values: _address(inner, values, slug=path_slug, keeps_dates=keeps_dates),
        text=lambda _path, body: _plain(body, has_emoji=has_emoji),
        suffixes=PAGES,
        navigation=tuple(_section(_entries(folder), "", ())),
        omitted=omitted,
        has_copies=True,
    )
    book = read_site_source(folder, site)
    return replace(book, notes=(UNKNOWN_ANCHORS.format(len(unknown)),) if unknown else ())


def _plain(body: str, *, has_emoji: bool) -> str:
    def words(code: re.Match[str]) -> str:
        found = " ".join(each["words"] for each in _WORDS.finditer(code["code"]))
        return bold(found)

    def shown(line: str) -> str:
        line = _SHORTCODE.sub(words, line)
        return without_emoji_in_text(line) if has_emoji else line

    return rewrite_lines(without_comments(body), shown)


def _address(inner: str, values: FrontMatter, *, slug: Callable[[str], str], keeps_dates: bool) -> str:
    """Return a page's address. Names of folders stay as they are, but for that of a page in a folder.

    A page whose name Zola spells in a way that is not known has the address of its folder.
    """
    pure = PurePosixPath(inner)
    folders, stem = list(pure.parent.parts), pure.stem
    if stem.split(".")[0] == "_index":
        return "".join(f"{name}/" for name in folders)
    if own := values.text("path").strip("/"):
        return f"{own}/"
    if stem.split(".")[0] == "index":
        if not folders:
            return ""
        stem = folders.pop()
    last = values.text("slug") or (stem if keeps_dates else _without_date(stem))
    return "".join(f"{name}/" for name in (*folders, slug(last)) if name)


def _without_date(name: str) -> str:
    date_in_front = _DATE.match(name)
    return name[date_in_front.end() :] if date_in_front is not None else name


def _entries(folder: BookFolder) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for path in folder.files(PAGES, CONTENT):
        try:
            inner = path.removeprefix(f"{CONTENT}/")
            entries[inner] = _Entry(path, parse_front_matter(folder.read_text(path)))
        except FileUnreadable:
            # It is reported when it is read as a page.
            continue
    return entries


def _section(entries: dict[str, _Entry], under: str, parts: tuple[str, ...]) -> Iterator[Listed]:
    """Yield a section's own page, its pages in the order that it says, and its sections by weight."""
    own = entries.get(f"{under}_index.md")
    title = own.values.text("title") if own else ""
    if own is not None:
        yield Listed(own.path, title, parts)
    inner_parts = (*parts, title or under.rstrip("/").rpartition("/")[2]) if under else ()
    order = own.values.text("sort_by") if own else ""
    pages: list[_Entry] = []
    sections: set[str] = set()
    for inner, entry in entries.items():
        if not inner.startswith(under) or entry is own:
            continue
        first, slash, rest = inner[len(under) :].partition("/")
        if not slash or rest == "index.md":
            pages.append(entry)
        else:
            sections.add(f"{under}{first}/")
    yield from (
        Listed(entry.path, entry.values.text("title"), inner_parts)
        for entry in sorted(pages, key=lambda entry: _key(entry, order), reverse=order == "date")
    )
    for name in sorted(sections, key=lambda name: (_weight(entries.get(f"{name}_index.md")), name)):
        yield from _section(entries, name, inner_parts)


def _weight(entry: _Entry | None) -> float:
    weight = entry.values.number("weight") if entry is not None else None
    return _LAST if weight is None else weight


def _key(entry: _Entry, order: str) -> tuple[float, str, str]:
    """Return a sort key: pages without a weight are last, others have the order of their dates or titles."""
    title = entry.values.text("title").casefold()
    if order == "weight":
        return _weight(entry), title, entry.path
    if order == "date":
        value = entry.values.values.get("date")
        return 0, value.isoformat() if isinstance(value, date) else str(value or ""), entry.path
    return 0, title if order.startswith("title") else "", entry.path
