"""Find the sources of pages that repeat the book: in another language, or for another version."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ragbot.books.formats.html_selection import OTHER_LANGUAGE
from ragbot.books.formats.html_versions import LEAST_SHARED_ADDRESSES, copies_of_site

# So many pages of a translation are in the original, too; others were removed there, or are older.
_SHARED = 1 / 3
# Interfaces for programming languages have such folders.
_NO_LANGUAGES = frozenset({"go", "js", "py", "rs", "ts"})
_LANGUAGE = re.compile(r"[a-z]{2}(?:[-_][A-Za-z]{2,4})?")
# The languages of most sites (ISO 639-1): a folder for each, and none of its own for the original.
_COMMON_LANGUAGES = frozenset(
    "ar bg bn ca cs da de el en es et fa fi fr gl he hi hr hu id it ja ko lt lv ms nb nl no pl pt ro ru sk sl"
    " sq sr sv ta th tr uk ur vi zh".split()
)
# So many of all pages may stand outside of the folders, such as a page to choose a language on.
_OUTSIDE = 1 / 20


@dataclass(frozen=True, slots=True)
class PlacedSource:
    """Hold a page's address and the title that its front matter has, or an empty one."""

    address: str
    title: str


def find_copies(pages: Mapping[str, PlacedSource], released: str = "") -> dict[str, str]:
    """Return the paths of pages that repeat others, with the reason for each.

    A folder with the name of a language is a translation if many of its pages stand beside it, too. Where
    each language has a folder, the one with most pages is the book. Of several versions the last released one
    is the book: that is `released`, if a folder has this name.
    """
    left_out = dict.fromkeys(_translated(pages), OTHER_LANGUAGE)
    files = {_file(page.address): path for path, page in pages.items() if path not in left_out}
    titles = {file: pages[path].title for file, path in files.items()}
    front = next((file for file in files if released and released in file.split("/")[:-1]), "")
    copies = copies_of_site(titles, front=front, least_shared=LEAST_SHARED_ADDRESSES)
    return left_out | {files[file]: reason for file, reason in copies.items()}


def _translated(pages: Mapping[str, PlacedSource]) -> list[str]:
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for path, page in pages.items():
        first, slash, rest = page.address.partition("/")
        if slash and _LANGUAGE.fullmatch(first) and first not in _NO_LANGUAGES:
            folders[first][path] = rest
    inside = {path for folder in folders.values() for path in folder}
    original = {page.address for path, page in pages.items() if path not in inside}
    if (
        len(original) <= max(1, _OUTSIDE * len(pages))
        and len(folders) > 1
        and all(map(_is_site, folders.items()))
    ):
        released = max(folders, key=lambda name: (len(folders[name]), name.startswith("en")))
        return [path for name, folder in folders.items() if name != released for path in folder]
    return [
        path
        for folder in folders.values()
        if sum(rest in original for rest in folder.values()) > _SHARED * len(folder)
        for path in folder
    ]


def _is_site(folder: tuple[str, Mapping[str, str]]) -> bool:
    """Return whether a folder, with the addresses of its pages below it, is the site in one language."""
    name, pages = folder
    return name[:2] in _COMMON_LANGUAGES and not {"", "index.html", "README.html"}.isdisjoint(pages.values())


def _file(address: str) -> str:
    return f"{address}index.html" if not address or address.endswith("/") else address
