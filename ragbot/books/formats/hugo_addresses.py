"""Make the addresses of Hugo's pages from its settings and the pages' front matter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import PurePosixPath
from posixpath import normpath

from ragbot.books.markup.front_matter import FrontMatter

# What stays of a path besides letters and digits; a space becomes a hyphen, and all else is dropped.
_KEPT = frozenset("./\\_#+~-@%")
_TOKEN = re.compile(r"(?P<escaped>\\:)|:(?P<name>\w+)(?:\[(?P<cut>[^\]]+)\])?")
_DATED = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})[-_ ]?(?P<rest>.*)")

# Where a page's date stands, unless the configuration says otherwise.
_DATES = ("date", "publishdate", "pubdate", "published", "lastmod", "modified")
# More of them in one glob would keep the matching busy.
MAX_WILDCARDS = 12
# A page without a date has Go's first day.
_NO_DATE = datetime(1, 1, 1)

_NAMED_DATES: Mapping[str, Callable[[datetime], str]] = {
    "year": lambda day: str(day.year),
    "month": lambda day: f"{day.month:02}",
    "monthname": lambda day: f"{day:%B}",
    "day": lambda day: f"{day.day:02}",
    "weekday": lambda day: str(day.isoweekday() % 7),
    "weekdayname": lambda day: f"{day:%A}",
    "yearday": lambda day: str(day.timetuple().tm_yday),
}
# Go writes a format as a certain moment: the second of January 2006, a Monday, at 15:04:05.
_GO_FORMAT = re.compile("January|Jan|Monday|Mon|2006|002|01|02|06|15|04|05|1|2")
_GO_PIECES: Mapping[str, Callable[[datetime], str]] = {
    "January": lambda day: f"{day:%B}",
    "Jan": lambda day: f"{day:%b}",
    "Monday": lambda day: f"{day:%A}",
    "Mon": lambda day: f"{day:%a}",
    "2006": lambda day: f"{day.year:04}",
    "06": lambda day: f"{day.year % 100:02}",
    "002": lambda day: f"{day.timetuple().tm_yday:03}",
    "01": lambda day: f"{day.month:02}",
    "1": lambda day: str(day.month),
    "02": lambda day: f"{day.day:02}",
    "2": lambda day: str(day.day),
    "15": lambda day: f"{day.hour:02}",
    "04": lambda day: f"{day.minute:02}",
    "05": lambda day: f"{day.second:02}",
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """Hold a pattern for the addresses of pages or sections whose path matches."""

    kind: str
    path: re.Pattern[str]
    pattern: str


@dataclass(frozen=True, slots=True)
class HugoAddresses:
    """Make addresses by the settings of a language. `entries` are the front matters by path below `content`.

    `settings` have names in small letters, `prefix` is the language's folder or empty.
    """

    settings: Mapping[str, object]
    entries: Mapping[str, FrontMatter]
    language: str
    prefix: str = ""
    _rules: tuple[_Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the rules of the setting `permalinks`."""
        object.__setattr__(self, "_rules", tuple(_rules(self.settings.get("permalinks"))))

    def address(self, inner: str, values: FrontMatter) -> str:
        """Return the address of a page, relative to the site's root."""
        page = self._page(inner, values)
        if page.kind != "home" and (url := values.text("url")):
            return self._address_of_url(page, url)
        pattern = self._pattern(page)
        if pattern:
            path = self._expanded(page, pattern)
        else:
            slug = page.slug if page.kind == "page" else ""
            names = self._section_names(page.folders)
            path = "/".join([*names, slug or page.basename] if page.kind == "page" else names)
        path = self._sanitized(_joined(self.prefix, path), is_name=not pattern)
        if page.kind == "page" and self._is_ugly(page):
            return f"{path}.html"
        return f"{path}/" if path else ""

    def _page(self, inner: str, values: FrontMatter) -> _Page:
        pure = PurePosixPath(inner)
        stem = pure.name.rpartition(".")[0].removesuffix(f".{self.language}")
        folders = () if pure.parent.as_posix() == "." else pure.parent.parts
        if stem == "_index" or (stem == "index" and not folders):
            kind = "section" if folders else "home"
            return _Page(kind, folders, folders[-1] if folders else "", "", values, _date(values, _DATES))
        dated = _DATED.fullmatch(folders[-1] if stem == "index" else stem)
        day, slug = self._date_and_slug(values, dated)
        if stem == "index":
            return _Page("page", folders[:-1], folders[-1], slug, values, day)
        return _Page("page", folders, stem, slug, values, day)

    def _date_and_slug(self, values: FrontMatter, dated: re.Match[str] | None) -> tuple[datetime, str]:
        """Return a page's date and slug, which the name of its file may give if the settings say so."""
        own = self.settings.get("frontmatter")
        named = {str(key).lower(): value for key, value in own.items()} if isinstance(own, dict) else {}
        wanted = named.get("date")
        slug = values.text("slug")
        for name in wanted if isinstance(wanted, list) else [":default"]:
            if name == ":filename":
                if dated is not None and (day := parsed_date(dated["date"])) is not None:
                    return day, slug or dated["rest"]
                continue
            day = _date(values, _DATES if name == ":default" else (str(name).lower(),))
            if day != _NO_DATE:
                return day, slug
        return _NO_DATE, slug

    def _address_of_url(self, page: _Page, url: str) -> str:
        """Return the address that the front matter names, which is kept as it is spelt."""
        path = self._expanded(page, url) if ":" in url else url
        if not url.startswith("/"):
            path = _joined(self.prefix, path)
        own = _joined(path)
        if own.endswith("/index.html"):
            return own.removesuffix("index.html")
        return own if "." in path and not path.endswith("/") else f"{own}/" if own else ""

    def _pattern(self, page: _Page) -> str:
        last = () if page.kind == "section" else (page.basename,)
        path = "/" + "/".join((*page.folders, *last)).lower().replace(" ", "-")
        rules = (rule for rule in self._rules if rule.kind == page.kind and rule.path.fullmatch(path))
        return next((rule.pattern for rule in rules), "")

    def _expanded(self, page: _Page, pattern: str) -> str:
        def value(token: re.Match[str]) -> str:
            if token["escaped"]:
                return ":"
            found = self._token(page, token["name"], token["cut"] or "")
            return token[0] if found is None else found

        return _TOKEN.sub(value, pattern)

    def _token(self, page: _Page, name: str, cut: str) -> str | None:
        """Return what a token of a pattern stands for on a page; None if Hugo knows none of this name."""
        title, base = partial(self._title, page.values, page.basename), page.basename
        filename = "" if page.kind == "section" else base
        sections = list(self._section(page.folders))
        known: dict[str, Callable[[], str]] = {
            "section": lambda: page.folders[0] if page.folders else "",
            "sections": lambda: "/".join(_cut(sections, cut)),
            "sectionslug": lambda: "/".join(self._section_slugs(page.folders)[:1]),
            "sectionslugs": lambda: "/".join(_cut(self._section_slugs(page.folders), cut)),
            "title": lambda: self._named(title()),
            "slug": lambda: self._named(page.own_slug or title()),
            "filename": lambda: self._named(filename),
            "slugorfilename": lambda: self._named(page.own_slug or filename),
            "contentbasename": lambda: self._named(base),
            "slugorcontentbasename": lambda: self._named(page.own_slug or base),
        }
        if name in known:
            return known[name]()
        if name in _NAMED_DATES:
            return _NAMED_DATES[name](page.day)
        formatted = _GO_FORMAT.sub(lambda piece: _GO_PIECES[piece[0]](page.day), name)
        return formatted if _GO_FORMAT.search(name) else None

    def _section(self, folders: tuple[str, ...]) -> tuple[str, ...]:
        """Return the folders of the section that a page is in: the innermost with a page of its own."""
        for depth in range(len(folders), 1, -1):
            if self._section_values(folders[:depth]) is not None:
                return folders[:depth]
        return folders[:1]

    def _section_values(self, folders: tuple[str, ...]) -> FrontMatter | None:
        names = (f"_index.{self.language}.md", "_index.md", "_index.markdown")
        paths = ("/".join((*folders, name)) for name in names)
        return next((self.entries[path] for path in paths if path in self.entries), None)

    def _section_names(self, folders: tuple[str, ...]) -> list[str]:
        """Return the names of the folders in addresses: a section's slug replaces its own."""
        found = (self._section_values(folders[: depth + 1]) for depth in range(len(folders)))
        return [
            (values.text("slug") if values is not None else "") or name
            for name, values in zip(folders, found, strict=True)
        ]

    def _section_slugs(self, folders: tuple[str, ...]) -> list[str]:
        slugs: list[str] = []
        for depth, name in enumerate(self._section(folders)):
            values = self._section_values(folders[: depth + 1])
            if values is not None or depth == 0:
                values = values or FrontMatter()
                slugs.append(self._named(values.text("slug") or self._title(values, name)))
        return slugs

    def _title(self, values: FrontMatter, name: str) -> str:
        return values.text("title") or name

    def _named(self, text: str) -> str:
        """Return a title, slug or name as a part of an address."""
        return self._sanitized(text.replace("+", " "), is_name=False)

    def _sanitized(self, path: str, *, is_name: bool) -> str:
        """Return a path without what Hugo drops. Of names of files every space becomes a hyphen."""
        keeps_case = self.settings.get("disablepathtolower") is True
        if self.settings.get("removepathaccents") is True:
            plain = unicodedata.normalize("NFD", path)
            path = unicodedata.normalize("NFC", "".join(c for c in plain if unicodedata.category(c) != "Mn"))
        if is_name and not keeps_case:
            path = path.replace(" ", "-")
        kept: list[str] = []
        has_gap = False
        for character in path:
            if character in _KEPT or unicodedata.category(character)[0] in "LM" or character.isdecimal():
                kept.append(f"-{character}" if has_gap and character != "-" else character)
                has_gap = False
            elif character.isspace():
                has_gap = bool(kept) and not kept[-1].endswith("-")
        sanitized = "".join(kept)
        return sanitized if keeps_case else sanitized.lower()

    def _is_ugly(self, page: _Page) -> bool:
        wanted = self.settings.get("uglyurls")
        if isinstance(wanted, dict):
            section = page.folders[0] if page.folders else ""
            return any(str(name).lower() == section.lower() and on is True for name, on in wanted.items())
        return wanted is True


@dataclass(frozen=True, slots=True)
class _Page:
    """Hold what a page's address is made of. `slug` may be from the name of its file."""

    kind: str
    folders: tuple[str, ...]
    basename: str
    slug: str
    values: FrontMatter
    day: datetime

    @property
    def own_slug(self) -> str:
        return self.slug or self.values.text("slug")


def _rules(setting: object) -> Iterator[_Rule]:
    """Read the setting `permalinks`: patterns by section, by kind and section, or a list with targets."""
    if isinstance(setting, list):
        for entry in setting:
            yield from _rules_of_target(entry)
        return
    if not isinstance(setting, dict):
        return
    # The pattern of an inner section comes before that of the section around it.
    for name, value in sorted(setting.items(), key=lambda entry: -len(str(entry[0]))):
        if isinstance(value, dict):
            inner = sorted(value.items(), key=lambda entry: -len(str(entry[0])))
            for section, pattern in inner:
                yield _Rule(str(name).lower(), _below(str(section)), str(pattern))
        else:
            yield _Rule("page", _below(str(name)), str(value))


def _rules_of_target(entry: object) -> Iterator[_Rule]:
    if not isinstance(entry, dict):
        return
    own = {str(key).lower(): value for key, value in entry.items()}
    target = own.get("target")
    target = (
        {str(key).lower(): str(value) for key, value in target.items()} if isinstance(target, dict) else {}
    )
    glob = target.get("path", "**").lower()
    for kind in ("page", "section"):
        if target.get("kind", kind) == kind:
            yield _Rule(kind, _glob(glob), str(own.get("pattern") or ""))


def _below(section: str) -> re.Pattern[str]:
    name = section.strip(" /").lower()
    return re.compile(f"/{re.escape(name)}(?:/.*)?" if name else "/[^/]*")


def _glob(glob: str) -> re.Pattern[str]:
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    pieces = re.split(r"(\*\*|[*?{},])", glob)
    plain = re.compile(re.escape(glob))
    if len(pieces) > 2 * MAX_WILDCARDS:
        return plain
    try:
        return re.compile("".join(wild.get(piece) or re.escape(piece) for piece in pieces))
    except re.error:
        # Braces that do not match stand for themselves.
        return plain


def _cut(names: list[str], cut: str) -> list[str]:
    """Return the part of the names that `1:`, `:last`, `0` and the like stand for."""
    if not cut:
        return names

    def number(text: str, default: int) -> int:
        return len(names) - 1 if text == "last" else int(text) if text.isdecimal() else default

    first, colon, last = cut.lower().partition(":")
    start = number(first, 0)
    return names[start : number(last, len(names))] if colon else names[start : start + 1]


def _date(values: FrontMatter, names: tuple[str, ...]) -> datetime:
    own = {key.lower(): value for key, value in values.values.items()}
    return next((day for name in names if (day := parsed_date(own.get(name))) is not None), _NO_DATE)


def parsed_date(value: object) -> datetime | None:
    """Return a date of the front matter, or None if the value is none."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    try:
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None


def _joined(*paths: str) -> str:
    path = normpath("/" + "/".join(path for path in paths if path)).strip("/")
    return "" if path == "." else path
