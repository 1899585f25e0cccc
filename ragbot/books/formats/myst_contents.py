"""List the pages of a project of MyST 2 in the site's order, with the addresses that the site gives them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from posixpath import basename, dirname, normpath

from ragbot.books.files import GLOB_SIGNS, BookFolder
from ragbot.books.formats.config_files import as_mapping, as_text, as_texts
from ragbot.books.formats.jupyter_book import read_contents
from ragbot.books.formats.site_source import Listed

# In the order in which a name without a suffix is looked for.
SUFFIXES = (".md", ".ipynb", ".tex", ".myst.json")
PAGES = frozenset({".md", ".ipynb"})
INDEXES = ("index", "readme", "main")
FRONT = "index"
MAX_NAVIGATION_DEPTH = 16
MAX_SLUG = 50

_YEAR = re.compile(r"[12][0-9]{3}(?![0-9])|[0-9]{5}")
_CAPITALISED = re.compile(r"([A-Z][a-z0-9]+)")
_NUMBERS = re.compile(r"[0-9_.-]+")
_NOT_IN_SLUG = re.compile(r"[^a-z0-9-]+")
# (Between digits they part numbers.)
_SIGNS = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")
_WORDS = re.compile(r"\d{1,18}|[^\W\d_]+")
_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|!\((?P<not>[^()]*)\)|\{(?P<any>[^{}]*)\}|(?P<plain>[^*?!{]+|.)")


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold a line of the table of contents; without a path it is the title of a part, or a link elsewhere."""

    path: str
    title: str
    level: int
    parts: tuple[str, ...] = ()
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """Hold the table of contents, its pages in order, and each one's address without the slash at its end."""

    entries: tuple[Entry, ...]
    pages: tuple[Listed, ...]
    addresses: dict[str, str]

    def below(self, path: str, context: str, depth: int) -> list[Entry]:
        """Return the entries of the whole project, or with the context `children` those below a page."""
        entries = [entry for entry in self.entries if not entry.is_hidden]
        if context != "children":
            return [entry for entry in entries if entry.level <= depth]
        place = next((place for place, entry in enumerate(entries) if entry.path == path), None)
        if place is None:
            return []
        level = entries[place].level
        children = takewhile(lambda entry: entry.level > level, entries[place + 1 :])
        return [entry for entry in children if entry.level - level <= depth]


def read_contents_of_site(folder: BookFolder, project: dict[str, object], *, has_folders: bool) -> Contents:
    """Return what the configuration lists, else what `_toc.yml` does, else all pages of the folder.

    With `has_folders` addresses have the folders of the files.
    """
    exclude = as_texts(project.get("exclude")) or [as_text(project.get("exclude"))]
    toc = project.get("toc")
    if isinstance(toc, list):
        listed = [*_entries(folder, toc, (), 1, _Taken(exclude, _explicit(toc)))]
    elif folder.has("_toc.yml"):
        listed = [
            Entry(entry.path, entry.title, len(entry.parts) + 1, entry.parts)
            for entry in read_contents(folder)
        ]
    else:
        listed = [*_of_folder(folder, exclude)]
    pages: dict[str, Listed] = {}
    for entry in listed:
        if entry.path and folder.has(entry.path):
            pages.setdefault(entry.path, Listed(entry.path, entry.title, entry.parts))
    # (The front page of a list takes no address from another of its name.)
    front = FRONT if isinstance(toc, list) else ""
    return Contents(
        tuple(listed), tuple(pages.values()), _addresses([*pages], has_folders=has_folders, front=front)
    )


def slug(name: str) -> str:
    """Return the part of an address that a file's or a folder's name becomes: without numbers in front."""
    plain = _without_numbers(name).lower().replace("&", "-and-")
    return re.sub(r"-{2,}", "-", _NOT_IN_SLUG.sub("-", plain)).strip("-")[:MAX_SLUG]


def _addresses(paths: list[str], *, has_folders: bool, front: str) -> dict[str, str]:
    """Return the address of each page; the first is the front page, equal ones are numbered.

    `front` is the name that the front page counts as, if not its own.
    """
    counts: dict[str, int] = {}
    addresses: dict[str, str] = {}
    for path in paths:
        folders = [slug(part) for part in dirname(path).split("/") if part] if has_folders else []
        found = ".".join((*folders, slug(_stem(path))))
        if not addresses:
            counts[front or found] = 1
            addresses[path] = ""
            continue
        plain = found.removesuffix(".index")
        counts[plain] = counts.get(plain, 0) + 1
        numbered = plain if counts[plain] == 1 else f"{plain}-{counts[plain] - 1}"
        addresses[path] = numbered.replace(".", "/")
    return addresses


def _stem(path: str) -> str:
    name = basename(path)
    return next((name[: -len(suffix)] for suffix in SUFFIXES if name.endswith(suffix)), name)


@dataclass(slots=True)
class _Taken:
    """Hold the globs of what is left out, and the pages that are listed by their names."""

    exclude: list[str]
    explicit: set[str]

    def leaves(self, path: str) -> bool:
        """Return whether a page is in neither."""
        return path not in self.explicit and not any(
            glob and glob_matches(path, glob) for glob in self.exclude
        )


def _explicit(entries: object) -> set[str]:
    found: set[str] = set()
    stack = [entries]
    while stack:
        value = stack.pop()
        for entry in value if isinstance(value, list) else ():
            mapping = as_mapping(entry)
            if name := as_text(mapping.get("file")):
                found.add(normpath(name))
            stack.append(mapping.get("children"))
    return found


def _entries(
    folder: BookFolder, entries: object, parts: tuple[str, ...], level: int, taken: _Taken
) -> Iterator[Entry]:
    """Yield the lines of a list: files, what patterns match, titles, and what stands below."""
    for each in entries if isinstance(entries, list) and level < MAX_NAVIGATION_DEPTH else ():
        entry = as_mapping(each)
        title, name = as_text(entry.get("title")), as_text(entry.get("file"))
        pattern, is_hidden = as_text(entry.get("pattern")), entry.get("hidden") is True
        if name:
            yield Entry(_file(folder, name), title, level, parts, is_hidden)
        elif pattern:
            matched = [path for path in _paths(folder) if glob_matches(path, pattern) and taken.leaves(path)]
            matched.sort(key=_order, reverse=entry.get("sort") == "descending")
            taken.explicit.update(matched)
            yield from (Entry(path, title, level, parts, is_hidden) for path in matched)
        elif title or entry.get("url"):
            yield Entry("", title or as_text(entry.get("url")), level, parts)
        inner = (*parts, title) if title and not name and not pattern else parts
        yield from _entries(folder, entry.get("children"), inner, level + 1, taken)


def _file(folder: BookFolder, name: str) -> str:
    path = normpath(name).lstrip("/")
    return next((path + suffix for suffix in ("", *SUFFIXES) if folder.has(path + suffix)), path)


def _paths(folder: BookFolder) -> list[str]:
    return [path for path in folder.files(frozenset(SUFFIXES)) if not path.startswith("_build/")]


def _order(path: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key: pages by their paths, a folder's index in front of what lies in it."""
    return _collated(path if _is_no_index(basename(path)) else dirname(path))


def _is_no_index(name: str) -> bool:
    return _stem(name) not in INDEXES


def _collated(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key: without signs and accents, numbers by their values and before letters."""
    plain = _SIGNS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    words = _WORDS.findall(plain)
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words)


def _of_folder(folder: BookFolder, exclude: list[str]) -> Iterator[Entry]:
    """Yield all pages: the front page, then of each folder its files and after them its folders."""
    taken = _Taken(exclude, set())
    # Another project's pages are its own.
    others = [dirname(path) for path in folder.files(frozenset({".yml"})) if basename(path) == "myst.yml"]
    paths = [
        path
        for path in _paths(folder)
        if taken.leaves(path) and not any(other and path.startswith(f"{other}/") for other in others)
    ]
    paths.sort(key=_place)
    front = _front(paths)
    for path in (front, *(path for path in paths if path != front)) if paths else ():
        parts = tuple(file_title(part) for part in dirname(path).split("/") if part)
        yield Entry(path, "", len(parts) + 1, parts)


def _place(path: str) -> tuple[object, ...]:
    *folders, name = path.split("/")
    keys: list[object] = [(1, _collated(folder)) for folder in folders]
    return (*keys, (0, _is_no_index(name), _collated(name)))


def _front(paths: list[str]) -> str:
    for suffix in SUFFIXES:
        for index in INDEXES:
            found = next((path for path in paths if path.lower() == f"{index}{suffix}"), "")
            if found:
                return found
    for suffix in SUFFIXES:
        found = next((path for path in paths if path.endswith(suffix)), "")
        if found:
            return found
    return ""


def file_title(path: str) -> str:
    """Return the title that a file or a folder has by its name alone: in words with capitals."""
    words = _CAPITALISED.sub(r" \1 ", _without_numbers(_stem(path)))
    return " ".join(word[:1].upper() + word[1:] for word in words.replace("_", " ").replace("-", " ").split())


def _without_numbers(name: str) -> str:
    return (
        name
        if _YEAR.match(name)
        else name[len(found[0]) :] or name
        if (found := _NUMBERS.match(name))
        else name
    )


def glob_matches(path: str, glob: str) -> bool:
    """Return whether a path matches a glob, in which `**` goes through folders."""
    return _compiled(normpath(glob)).fullmatch(path) is not None


@lru_cache(maxsize=64)
def _compiled(glob: str) -> re.Pattern[str]:
    pieces: list[str] = []
    for piece in _GLOB.finditer(glob):
        if (sign := GLOB_SIGNS.get(piece[0])) is not None:
            pieces.append(sign)
        elif piece["not"] is not None:
            pieces.append(f"(?!(?:{_alternatives(piece['not'], '|')})(?:\\.|$|/))[^/]*")
        elif piece["any"] is not None:
            pieces.append(f"(?:{_alternatives(piece['any'], ',')})")
        else:
            pieces.append(re.escape(piece[0]))
    return re.compile("".join(pieces))


def _alternatives(text: str, sign: str) -> str:
    return "|".join(re.escape(word).replace(r"\*", GLOB_SIGNS["*"]) for word in text.split(sign))
