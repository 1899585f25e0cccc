"""Tell what the configuration of a generator says of sources that are read as plain files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import parse_tolerant_yaml
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import cleaned

NOT_PUBLISHED = "Jekyll does not publish it."

_PYTHON_TITLE = re.compile(r"^(?:html_title|project)\s*=\s*(['\"])(?P<title>[^'\"\n]+)\1", re.MULTILINE)
# What Jekyll leaves out; posts are published all the same.
_MARKS = ("_", ".", "#", "~")
_POSTS = "_posts"
_PAGES = (".md", ".markdown")


@dataclass(frozen=True, slots=True)
class ForcedSite:
    """Hold a site's title, and the test whether it publishes a file."""

    title: str = ""
    publishes: Callable[[str], bool] = lambda _path: True


def read_forced_site(folder: BookFolder, config: str, *, is_jekyll: bool) -> ForcedSite:
    """Read a configuration, whose path is seen from the book's folder.

    One that cannot be read says nothing.
    """
    try:
        text = folder.read_text(config)
        values = {} if config.endswith(".py") else parse_tolerant_yaml(text)
    except FileUnreadable as fault:
        folder.skip(config, f"The configuration is ignored: {fault}")
        return ForcedSite()
    title = _python_title(text) if config.endswith(".py") else _title(values)
    return ForcedSite(title, _jekyll_rule(folder, config, values)) if is_jekyll else ForcedSite(title)


def _title(values: dict[str, object]) -> str:
    tables = (values, values.get("site"))
    found = (table.get("title") for table in tables if isinstance(table, dict))
    return next((cleaned(title).strip() for title in found if isinstance(title, str)), "")


def _python_title(text: str) -> str:
    match = _PYTHON_TITLE.search(text)
    return cleaned(match["title"]).strip() if match else ""


def _jekyll_rule(folder: BookFolder, config: str, values: dict[str, object]) -> Callable[[str], bool]:
    """Return the test whether Jekyll publishes a file: none below names with certain first signs."""
    base = PurePosixPath(config).parent.as_posix()
    inside = "" if base == "." else f"{base}/"
    collections = values.get("collections")
    named = [str(name) for name in collections] if isinstance(collections, dict | list) else []
    published = {_POSTS, *(f"_{name}" for name in named)}
    included, excluded = _globs(values.get("include")), _globs(values.get("exclude"))

    def publishes(path: str) -> bool:
        if not path.startswith(inside):
            return True
        inner = path[len(inside) :]
        if _matches(inner, excluded):
            return False
        hidden = [name for name in inner.split("/") if name.startswith(_MARKS) and name not in published]
        if hidden and not any(_matches(name, included) for name in hidden) and not _matches(inner, included):
            return False
        return not path.endswith(_PAGES) or _is_published(folder, path)

    return publishes


def _is_published(folder: BookFolder, path: str) -> bool:
    try:
        return parse_front_matter(folder.read_text(path)).values.get("published") is not False
    except FileUnreadable:
        # Its reader tells.
        return True


def _globs(value: object) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [value]
    return tuple(name.strip("/") for name in found if isinstance(name, str) and name.strip("/"))


def _matches(path: str, globs: tuple[str, ...]) -> bool:
    """Return whether a glob names the path, or a folder above it."""
    parts = path.split("/")
    above = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    return any(fnmatchcase(name, glob) for name in above for glob in globs)
