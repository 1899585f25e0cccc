"""Describe the sources of Quartz, which publishes vaults of Obsidian."""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import partial
from itertools import takewhile

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_list, as_mapping, read_config
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.script_config import keyed_texts, literal, read_script
from ragbot.books.formats.site_source import NOT_BUILT, SiteSource, folder_address, read_site_source
from ragbot.books.markup.code_spans import rewrite_around_code
from ragbot.books.markup.front_matter import FrontMatter
from ragbot.books.markup.obsidian import shown_by_obsidian
from ragbot.books.markup.rewriting import rewrite_prose, without_comments
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.books.site_generators import QUARTZ_CONFIGS, QUARTZ_SCRIPTS
from ragbot.core.domain import Book

CONTENT = "content"

_EXPLICIT = re.compile(r"\bExplicitPublish\(")
_BLANK = re.compile(r"\s")
_SIGNS = str.maketrans({"&": "-and-", "%": "-percent", "?": "", "#": ""})
_ARROW = re.compile(r"(?<![-=<>|])(?:-{1,2}>|={1,2}>|<-{1,2}|<={1,2})(?![-=<>|])")
_ARROWS = {"->": "→", "-->": "⇒", "=>": "⇒", "==>": "⇒", "<-": "←", "<--": "⇐", "<=": "⇐", "<==": "⇐"}


def read_quartz(folder: BookFolder) -> Book:
    """Read a project of Quartz in natural order, without drafts and the folders that it ignores."""
    config = as_mapping(read_config(folder, QUARTZ_CONFIGS).get("configuration"))
    # A project that was brought to version 5 may have kept the old script.
    script = "" if config else read_script(folder, QUARTZ_SCRIPTS)
    patterns = [
        *(text for _, text in takewhile(lambda pair: not pair[0], keyed_texts(script, "ignorePatterns"))),
        *map(str, as_list(config.get("ignorePatterns"))),
    ]
    # (`**/` stands for no folder, too.)
    globs = {
        glob.removesuffix("/**") for pattern in patterns for glob in (pattern, pattern.removeprefix("**/"))
    }
    is_explicit = _EXPLICIT.search(script) is not None

    def omitted(inner: str, values: FrontMatter) -> str:
        is_draft = _is_true(values, "draft") or (is_explicit and not _is_true(values, "publish"))
        return NOT_BUILT if is_draft or _is_ignored(inner, globs) else ""

    def address(inner: str, _values: FrontMatter) -> str:
        found = folder_address(quartz_slug(inner), "index", "_index", suffix="")
        return found.lower() if config else found

    site = SiteSource(
        title=literal(script, "pageTitle") or str(config.get("pageTitle") or ""),
        content=CONTENT,
        anchors=AnchorRules(partial(NumberedSlugger, github_slug)),
        address=address,
        text=lambda _path, body: _plain(body),
        suffixes=frozenset({".md"}),
        omitted=omitted,
    )
    return read_site_source(folder, site)


def quartz_slug(path: str) -> str:
    """Return a file's path as Quartz has it in addresses: "A & B.md" is "A--and--B.md"."""
    return _BLANK.sub("-", path).translate(_SIGNS)


def _is_true(values: FrontMatter, key: str) -> bool:
    return values.is_set(key) or values.text(key).lower() == "true"


def _is_ignored(inner: str, globs: Collection[str]) -> bool:
    """Return whether a glob names a page, or a folder that it lies in."""
    names = inner.split("/")
    above = ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]
    return any(fnmatchcase(path, glob) for path in above for glob in globs)


def _plain(body: str) -> str:
    shown = shown_by_obsidian(without_comments(body))
    return rewrite_prose(shown, lambda prose: rewrite_around_code(prose, _with_arrows))


def _with_arrows(prose: str) -> str:
    return _ARROW.sub(lambda arrow: _ARROWS[arrow[0]], prose) if ">" in prose or "<" in prose else prose
