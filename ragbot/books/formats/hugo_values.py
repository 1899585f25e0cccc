"""Look up what a page of Hugo says of itself, or a section around it hands down to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from posixpath import dirname

from ragbot.books.formats.hugo_addresses import parsed_date
from ragbot.books.markup.front_matter import FrontMatter

_NEVER = ("never", "link", "false")


@dataclass(frozen=True, slots=True)
class HugoValues:
    """Hold the front matter of pages, by path below the content's folder."""

    entries: Mapping[str, FrontMatter]

    def tables(self, inner: str) -> Iterator[object]:
        """Yield the front matter of a page, then what each section hands down, the innermost first."""
        own = self.entries.get(inner)
        if own is not None:
            yield own.values
        above = inner
        while above:
            above = dirname(above)
            section = self.entries.get(f"{above}/_index.md".lstrip("/"))
            cascade = section.values.get("cascade") if section is not None else None
            yield from cascade if isinstance(cascade, list) else [cascade]

    def is_rendered(self, inner: str) -> bool:
        """Return whether a page is written at all; it may be there for lists and other pages alone."""
        for table in self.tables(inner):
            for name in ("build", "_build"):
                render = member(member(table, name), "render")
                if render is not None:
                    return str(render).lower() not in _NEVER
        return True

    def is_published(self, inner: str, now: datetime, settings: Mapping[str, object]) -> bool:
        """Return whether a page's time has come and not gone. `settings` have names in small letters."""
        own = self.entries.get(inner, FrontMatter()).values
        expires, begins = (_first_date(own, names) for names in (("expirydate",), ("publishdate", "date")))
        is_over = expires is not None and expires < now and settings.get("buildexpired") is not True
        is_to_come = begins is not None and begins > now and settings.get("buildfuture") is not True
        return not (is_over or is_to_come)


def member(values: object, name: str) -> object:
    """Return a value of a table, or None; Hugo ignores the case of names."""
    if not isinstance(values, dict):
        return None
    return next((value for key, value in values.items() if str(key).lower() == name.lower()), None)


def _first_date(values: Mapping[str, object], names: tuple[str, ...]) -> datetime | None:
    found = (parsed_date(member(values, name)) for name in names)
    # A page without a zone has the site's, which is not known.
    return next((day.replace(tzinfo=None) for day in found if day is not None), None)
