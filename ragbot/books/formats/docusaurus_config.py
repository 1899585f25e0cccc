"""Find in a docusaurus.config file the literals that page addresses depend on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from ragbot.books.formats.config_globs import listed_texts
from ragbot.books.formats.script_config import braced, literal, own_keys, without_script_comments

# No site has more blocks.
MAX_BLOCKS = 50

_DOCS_BLOCK = re.compile(r"\bdocs['\"]?\s*:\s*\{")
_PLUGIN_BLOCK = re.compile(r"plugin-content-docs['\"]\s*+\)?\s*+,\s*+\{")
_DOCS_OFF = re.compile(r"\bdocs['\"]?\s*:\s*false\b")
_TRAILING_SLASH = re.compile(r"\btrailingSlash['\"]?\s*:\s*(true|false)\b")
# What the preset's block says of its files.
_ABOUT_FILES = re.compile(
    r"\b(?:path|routeBasePath|sidebarPath|versions|lastVersion|numberPrefixParser|exclude)\b"
)
_VERSIONS = re.compile(r"\bversions['\"]?\s*:\s*\{")
_VERSION = re.compile(r"(?:'(?P<single>[^'\n]+)'|\"(?P<double>[^\"\n]+)\"|(?P<word>[\w$]+))\s*:\s*\{")
_PREFIXES_OFF = re.compile(r"\bnumberPrefixParser['\"]?\s*:\s*false\b")
_PATH = re.compile(r"\bpath['\"]?\s*:\s*['\"`]")
_SIDEBARS = re.compile(r"\bsidebarPath['\"]?\s*:\s*(?:require\.resolve\(\s*)?['\"](?P<path>[^'\"\n]+)['\"]")


@dataclass(frozen=True, slots=True)
class DocsFolder:
    """Hold a folder of pages, its route on the site, and the file of its sidebars.

    `id` is empty for the docs of the preset, `last_version` where the configuration does not name it.
    `version` is the one that is read, and `version_paths` has the routes of those that are given one.
    `excluded` are globs of pages that are not built. With `has_prefixes` a number in front of a name gives
    its place, and is no part of its address.
    """

    path: str
    route: str
    sidebars: str = ""
    id: str = ""
    last_version: str = ""
    version: str = "current"
    version_paths: dict[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    has_prefixes: bool = True

    def translated(self, locale: str) -> str:
        """Return the folder, below that of the site, in which a language has its own pages."""
        plugin = f"docusaurus-plugin-content-docs{f'-{self.id}' if self.id else ''}"
        name = self.version if self.version == "current" else f"version-{self.version}"
        return f"i18n/{locale}/{plugin}/{name}"


def _default_docs() -> list[DocsFolder]:
    return [DocsFolder("docs", "docs")]


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """Hold a site's configuration; the defaults are Docusaurus's own."""

    title: str = ""
    base_url: str = "/"
    trailing_slash: bool | None = None
    locale: str = "en"
    docs: list[DocsFolder] = field(default_factory=_default_docs)


def parse_site_config(text: str) -> SiteConfig:
    """Read the literals. Code is not run, so a computed value is replaced by the default."""
    text = without_script_comments(text)
    trailing = _TRAILING_SLASH.search(text)
    return SiteConfig(
        title=literal(text, "title"),
        base_url=literal(text, "baseUrl") or "/",
        trailing_slash=trailing[1] == "true" if trailing else None,
        locale=literal(text, "defaultLocale") or "en",
        docs=_docs_folders(text),
    )


def _docs_folders(text: str) -> list[DocsFolder]:
    plugins = [_docs_folder(block, is_plugin=True) for block in _blocks(text, _PLUGIN_BLOCK)]
    blocks: list[str] = []
    if not _DOCS_OFF.search(text):
        preset = _blocks(text, _DOCS_BLOCK)
        # A theme's settings have a `docs` block too; the preset's is the one that is about files.
        about_files = [block for block in preset if _ABOUT_FILES.search(block)]
        # The preset reads the folder `docs` if nothing is said, unless the plugin's own first instance does.
        has_first = any(not plugin.id for plugin in plugins)
        blocks = about_files[:1] or ([] if has_first else [""])
    return [*(_docs_folder(block) for block in blocks), *plugins]


def _docs_folder(block: str, *, is_plugin: bool = False) -> DocsFolder:
    own = own_keys(block)
    sidebars = _SIDEBARS.search(own)
    own_id = literal(own, "id") if is_plugin else ""
    return DocsFolder(
        path=literal(own, "path").removeprefix("./").strip("/") or "docs",
        route=literal(own, "routeBasePath", "docs").strip("/"),
        sidebars=sidebars["path"].removeprefix("./") if sidebars else "",
        id="" if own_id == "default" else own_id,
        last_version=literal(own, "lastVersion"),
        version_paths=dict(_version_paths(block)),
        excluded=tuple(listed_texts(own, "exclude")),
        has_prefixes=_PREFIXES_OFF.search(own) is None,
    )


def _version_paths(block: str) -> Iterator[tuple[str, str]]:
    """Yield each version that is given a route of its own, with the route."""
    opening = _VERSIONS.search(block)
    versions = braced(block, opening.end() - 1) if opening else ""
    position = 1
    for _ in range(MAX_BLOCKS):
        if (version := _VERSION.search(versions, position)) is None:
            return
        settings = braced(versions, version.end() - 1)
        position = version.end() - 1 + len(settings)
        if _PATH.search(settings):
            name = version["single"] or version["double"] or version["word"]
            yield name, literal(own_keys(settings), "path").strip("/")


def _blocks(text: str, opening: re.Pattern[str]) -> list[str]:
    return [braced(text, match.end() - 1) for match in islice(opening.finditer(text), MAX_BLOCKS)]
