"""Describe the sources of Hugo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import read_config
from ragbot.books.formats.emoji_lines import without_emoji_in_text
from ragbot.books.formats.html_selection import OTHER_LANGUAGE
from ragbot.books.formats.hugo_addresses import HugoAddresses
from ragbot.books.formats.hugo_headings import HugoHeadings
from ragbot.books.formats.hugo_shortcodes import HugoShortcodes
from ragbot.books.formats.hugo_values import HugoValues
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.page_names import language_suffix
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, read_site_source
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.rewriting import rewrite_lines
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.core.domain import Book
from ragbot.core.errors import FileUnreadable

PAGES = frozenset({".md", ".markdown"})

_SUFFIXES = ("toml", "yaml", "yml", "json")
_KEYS_WITH_FILES = ("languages", "params", "module", "markup", "permalinks", "frontmatter", "uglyURLs")
_CONFIG_NAMES = tuple(
    f"{folder}{name}.{suffix}"
    for folder in ("", "config/_default/")
    for name in ("hugo", "config")
    for suffix in _SUFFIXES
)
_NOT_LAST = float("inf")


@dataclass(frozen=True, slots=True)
class _Entry:
    inner: str
    values: FrontMatter

    @property
    def key(self) -> tuple[float, str, str]:
        weight = self.values.number("weight") or _NOT_LAST
        return weight, (self.values.text("linkTitle") or self.values.text("title")).casefold(), self.inner


def read_hugo(folder: BookFolder) -> Book:
    """Read a project of Hugo, each section in the order of its weights, in its default language."""
    config = _config(folder)
    language = str(config.get("defaultcontentlanguage") or "en").lower()
    languages = _mapping(config.get("languages"))
    own = _mapping(languages.get(language))
    settings = {**config, **own}
    content = str(settings.get("contentdir") or _mounted(config, language) or "content").strip("/")
    entries = dict(_entries(folder, content))
    values_by_path = {inner: entry.values for inner, entry in entries.items()}
    prefix = language if config.get("defaultcontentlanguageinsubdir") is True else ""
    addresses = HugoAddresses(settings, values_by_path, language, prefix)
    values = HugoValues(values_by_path)
    now = datetime.now()
    goldmark = _mapping(_mapping(_mapping(config.get("markup")).get("goldmark")).get("extensions"))
    headings = HugoHeadings(goldmark.get("typographer"))
    shortcodes = HugoShortcodes(
        folder, content, values, {**_mapping(config.get("params")), **_mapping(own.get("params"))}
    )

    def plain(path: str, body: str) -> str:
        body = shortcodes.plain(path, body)
        return rewrite_lines(body, without_emoji_in_text) if settings.get("enableemoji") is True else body

    def omitted(inner: str, front: FrontMatter) -> str:
        if language_suffix(inner) in languages.keys() - {language}:
            return OTHER_LANGUAGE
        is_built = values.is_rendered(inner) and values.is_published(inner, now, config)
        return "" if is_built and not (front.is_set("draft") or front.is_set("headless")) else NOT_BUILT

    site = SiteSource(
        title=str(config.get("title") or own.get("title") or ""),
        content=content,
        anchors=AnchorRules(partial(NumberedSlugger, github_slug), slug_text=headings.slug_text),
        address=addresses.address,
        text=plain,
        suffixes=PAGES,
        navigation=tuple(_section(entries, content, "", ())),
        omitted=omitted,
        has_copies=True,
        released=_released(config),
    )
    return read_site_source(folder, site)


def _mounted(config: dict[str, object], language: str) -> str:
    """Return the folder that is mounted as the content of a language, or an empty text."""
    mounts = _mapping(config.get("module")).get("mounts")
    for mount in map(_mapping, mounts if isinstance(mounts, list) else ()):
        own = {str(mount.get("lang") or language).lower(), *_languages_of(mount)}
        if mount.get("target") == "content" and (language in own or "**" in own):
            return str(mount.get("source") or "")
    return ""


def _languages_of(mount: dict[str, object]) -> Iterator[str]:
    found = _mapping(_mapping(mount.get("sites")).get("matrix")).get("languages")
    yield from (str(name).lower() for name in found) if isinstance(found, list) else ()


def _released(config: dict[str, object]) -> str:
    """Return the released version as themes are told it, or an empty text."""
    params = _mapping(config.get("params"))
    names = ("latest_stable_version", "latest_version", "latest", "version")
    return next((found for name in names if isinstance(found := params.get(name), str)), "")


def _mapping(value: object) -> dict[str, object]:
    """Return a part of the configuration; Hugo ignores the case of its keys."""
    return {str(key).lower(): inner for key, inner in value.items()} if isinstance(value, dict) else {}


def _config(folder: BookFolder) -> dict[str, object]:
    """Read the configuration, of which some keys may have files of their own."""
    config = _mapping(read_config(folder, _CONFIG_NAMES, generator="Hugo"))
    for key in _KEYS_WITH_FILES:
        names = [f"config/_default/{key}.{suffix}" for suffix in _SUFFIXES]
        if own := _mapping(read_config(folder, names, generator="Hugo")):
            config[key.lower()] = own
    return config


def _entries(folder: BookFolder, content: str) -> Iterator[tuple[str, _Entry]]:
    for path in folder.files(PAGES, content):
        inner = path.removeprefix(f"{content}/")
        try:
            yield inner, _Entry(inner, parse_front_matter(folder.read_text(path)))
        except FileUnreadable:
            # It is reported when it is read as a page.
            continue


def _section(
    entries: dict[str, _Entry], content: str, under: str, parts: tuple[str, ...]
) -> Iterator[Listed]:
    """Yield a section's own page, then its pages and sections by weight."""
    index = next((name for name in (f"{under}_index.md", f"{under}index.md") if name in entries), None)
    if index is not None:
        yield Listed(f"{content}/{index}", "", parts)
    own = entries[index].values.text("title") if index else ""
    inner_parts = (*parts, own or under.rstrip("/").rpartition("/")[2]) if under else ()
    children: dict[str, _Entry] = {}
    for inner, entry in entries.items():
        if not inner.startswith(under) or inner == index:
            continue
        first, slash, _ = inner[len(under) :].partition("/")
        name = f"{under}{first}{slash}"
        children.setdefault(name, entries.get(f"{name}_index.md", entries.get(f"{name}index.md", entry)))
    for name, _ in sorted(children.items(), key=lambda child: child[1].key):
        if name.endswith("/"):
            yield from _section(entries, content, name, inner_parts)
        else:
            yield Listed(f"{content}/{name}", "", inner_parts)
