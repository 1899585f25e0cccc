"""Find the copies that a site holds of itself: old versions, the one in work, previews of pull requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

PREVIEW = "It is a copy of the site for a pull request."
IN_WORK = "It is a copy of the site in development."
OLD = "It is a copy of the site for another version."

# Of addresses alone, so many pages with the same names are needed before a folder is taken for a copy.
LEAST_SHARED_ADDRESSES = 5

# Among so many versions, all folders with the name of one are versions.
SEVERAL = 3

# Versions differ in some of their pages; sections with the name of a version share a few with the book.
_SHARED = 0.5
_NEARLY_ALL = 0.8
_NO_NAME = "index.html"

_PREVIEW_NAME = re.compile(r"(?:pull|pr|mr|preview|(?:deploy|pr)-preview|(?:pull|merge)-request)[-_]?\d+")
_NUMBER = re.compile(
    r"(?:v|ver|version|r|rel|release)?[-_.]?(?P<number>\d+(?:[._]\d+)*(?:[._]x)?)(?P<rest>[-_.+a-z].*)?"
)
_UNRELEASED = re.compile(
    r"[-_.+]?(?:a|b|c|alpha|beta|rc|pre|preview|dev|snapshot|nightly|next)(?:[-_.+\d].*)?"
)
# A chapter may have such a name; a version that does has others beside it.
_BARE_NUMBER = re.compile(r"\d+")
_LANGUAGE = re.compile(r"(?:[a-z]{2}(?:[-_]\w{2,4})?)?", re.ASCII | re.IGNORECASE)
_DIGITS = re.compile(r"[\d._]+")

_RELEASED_NAMES = ("stable", "current", "release", "released", "latest")
_NAMES_IN_WORK = frozenset(
    {
        *("dev", "devel", "develop", "development", "main", "master", "trunk", "head", "nightly", "next"),
        *("unstable", "edge", "snapshot", "canary", "alpha", "beta", "staging"),
    }
)
# The copies are in folders of these.
_PREVIEW_FOLDERS = frozenset(
    {
        *("preview", "previews", "pr", "prs", "pull", "pulls", "mr", "mrs", "pr-preview", "pr-previews"),
        *("pull-request", "pull-requests", "merge-request", "merge-requests", "deploy-previews"),
    }
)
_BRANCH_FOLDERS = frozenset({"branch", "branches"})
_VERSION_FOLDERS = frozenset({"version", "versions", "release", "releases", "archive", "archives", "v"})


class _Kind(IntEnum):
    """Order the kinds of copies: the first one that is there is the book."""

    NAMED_RELEASE = 0
    NUMBER = 1
    UNRELEASED_NUMBER = 2
    IN_WORK = 3
    PREVIEW = 4


_REASONS = {_Kind.UNRELEASED_NUMBER: IN_WORK, _Kind.IN_WORK: IN_WORK, _Kind.PREVIEW: PREVIEW}

Key = tuple[str, str]


@dataclass(slots=True)
class _Edition:
    """Hold a folder that may be a copy of what is in `parent`, with the key of each page."""

    folder: str
    parent: str
    kind: _Kind
    order: tuple[float, ...]
    pages: dict[str, Key] = field(default_factory=dict)


def copies_of_site(
    titles: Mapping[str, str],
    *,
    front: str = "",
    originals: Iterable[str] = (),
    least_shared: int = 1,
) -> dict[str, str]:
    """Return the pages that are copies of the released site's, with the reason for each.

    `titles` maps the path of each page to its title, empty where it is not known. `front` is the path that
    the site's front page redirects to, `originals` are the pages that others name as their originals, or that
    the front page links: of several copies, these tell which is the released one. A folder is a copy if at
    least `least_shared` of its pages are in another copy, too, or in the folder around it.
    """
    editions = _editions(titles)
    named = Counter(folder for path in originals for folder in editions if path.startswith(folder))
    left_out: dict[str, str] = {}
    by_parent: dict[str, list[_Edition]] = {}
    for edition in editions.values():
        by_parent.setdefault(edition.parent, []).append(edition)
    for parent, found in by_parent.items():
        around = _keys(titles, parent)
        copies = _copies(found, around, least_shared)
        if len(copies) >= SEVERAL:
            # An old version may share little with the others.
            known = {copy.folder for copy in copies}
            copies = [edition for edition in found if edition.folder in known or not _is_bare(edition)]
        has_released = any(_is_shared(copy, around, max(2, least_shared)) for copy in copies)
        if not has_released:
            copies = copies if len(copies) > 1 and not _are_parts(copies, parent, titles) else []
            released = min(copies, key=lambda copy: _rank(copy, front, named), default=None)
            copies = [copy for copy in copies if copy is not released]
        for copy in copies:
            left_out |= dict.fromkeys(copy.pages, _REASONS.get(copy.kind, OLD))
    return left_out


def _editions(titles: Mapping[str, str]) -> dict[str, _Edition]:
    """Return the folders that have the name of a version or of a preview."""
    editions: dict[str, _Edition] = {}
    for path, title in titles.items():
        for parent, folder, kind, order in _named_folders(path.split("/")[:-1]):
            edition = editions.setdefault(folder, _Edition(folder, parent, kind, order))
            edition.pages[path] = _key(path, folder, title)
    numbered = Counter(edition.parent for edition in editions.values() if not _is_bare(edition))
    return {folder: one for folder, one in editions.items() if numbered[one.parent] or not _is_bare(one)}


def _is_bare(edition: _Edition) -> bool:
    return _BARE_NUMBER.fullmatch(edition.folder.rstrip("/").rpartition("/")[2]) is not None


def _named_folders(names: list[str]) -> Iterator[tuple[str, str, _Kind, tuple[float, ...]]]:
    for depth, spelt in enumerate(names):
        parent, name = "".join(f"{above}/" for above in names[:depth]), spelt.lower()
        if (known := _kind(name)) is not None:
            yield parent, f"{parent}{spelt}/", *known
        if depth + 1 < len(names):
            inner, folder = names[depth + 1].lower(), f"{parent}{spelt}/{names[depth + 1]}/"
            if name in _PREVIEW_FOLDERS:
                yield parent, folder, _Kind.PREVIEW, ()
            elif name in _BRANCH_FOLDERS:
                yield parent, folder, _Kind.IN_WORK, ()
            elif name in _VERSION_FOLDERS and (known := _kind(inner)) is not None:
                yield parent, folder, *known


def below_editions(path: str) -> str:
    """Return a path without the folders of languages and versions that it begins with."""
    names = path.split("/")
    while len(names) > 1 and (_LANGUAGE.fullmatch(names[0]) or _kind(names[0].lower()) is not None):
        names.pop(0)
    return "/".join(names)


def _kind(name: str) -> tuple[_Kind, tuple[float, ...]] | None:
    """Return what a folder's name says, and a key that sorts the newest first; None if it says nothing."""
    if name in _RELEASED_NAMES:
        return _Kind.NAMED_RELEASE, (_RELEASED_NAMES.index(name),)
    if name in _NAMES_IN_WORK:
        return _Kind.IN_WORK, ()
    if name in ("preview", "_preview") or _PREVIEW_NAME.fullmatch(name):
        return _Kind.PREVIEW, ()
    found = _NUMBER.fullmatch(name)
    if found is None:
        return None
    rest = found["rest"] or ""
    if rest and not _UNRELEASED.fullmatch(rest):
        return None
    pieces = re.split(r"[._]", found["number"])
    # `1.x` is what comes after all of 1.
    order = tuple(-float("inf") if piece == "x" else -float(piece[:9]) for piece in pieces)
    return (_Kind.UNRELEASED_NUMBER if rest else _Kind.NUMBER), order


def _key(path: str, folder: str, title: str) -> Key:
    # The number of a version stands in its titles.
    return path.removeprefix(folder), _DIGITS.sub("", title).strip().casefold()


def _keys(titles: Mapping[str, str], parent: str) -> set[Key]:
    return {_key(path, parent, title) for path, title in titles.items() if path.startswith(parent)}


def _copies(found: list[_Edition], around: set[Key], least_shared: int) -> list[_Edition]:
    """Return the folders whose pages are those of the others or of the folder around them."""
    counts = Counter(key for edition in found for key in set(edition.pages.values()))
    several = {key for key, count in counts.items() if count > 1}
    return [edition for edition in found if _is_shared(edition, several | around, least_shared)]


def _is_shared(edition: _Edition, others: set[Key], least_shared: int) -> bool:
    """Return whether most pages are among the others, with the front page if its title is known."""
    keys = set(edition.pages.values())
    shared = keys & others
    if len(shared) < max(least_shared, _SHARED * len(keys)):
        return False
    fronts = {key for key in keys if key[0] == _NO_NAME and key[1]}
    renamed = len(shared) >= max(LEAST_SHARED_ADDRESSES, _NEARLY_ALL * len(keys))
    return not fronts or not fronts.isdisjoint(others) or renamed


def _are_parts(copies: list[_Edition], parent: str, titles: Mapping[str, str]) -> bool:
    """Return whether folders with numbers are parts of one book, such as those of an interface's versions.

    The book around them is then larger than they are.
    """
    if any(copy.kind is not _Kind.NUMBER for copy in copies):
        return False
    inside = {path for copy in copies for path in copy.pages}
    whole = not _LANGUAGE.fullmatch(parent.rstrip("/"))
    rest = sum(path not in inside and (whole or path.startswith(parent)) for path in titles)
    return rest > max(len(copy.pages) for copy in copies)


def _rank(copy: _Edition, front: str, named: Mapping[str, int]) -> tuple[object, ...]:
    is_front = bool(front) and front.startswith(copy.folder) and copy.kind is not _Kind.PREVIEW
    # With a zero behind it `1.2` comes after `1.2.3`, which is newer.
    return (not is_front, -named.get(copy.folder, 0), copy.kind, (*copy.order, 0.0), copy.folder)
