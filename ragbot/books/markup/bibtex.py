"""Parse BibTeX files into the works that a book cites."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

# The largest bibliographies of books have fewer.
MAX_CHARACTERS = 5_000_000
MAX_WORKS = 10_000
MAX_VALUE_CHARACTERS = 20_000

_ENTRY = re.compile(r"^[ \t]*@(?P<kind>[A-Za-z]+)[ \t]*\{[ \t\n]*(?P<key>[^\s,{}]+)[ \t\n]*,", re.MULTILINE)
_FIELD = re.compile(r"[\s,]*(?P<name>[A-Za-z][\w-]*)\s*=\s*")
_BARE = re.compile(r"[^\s,{}\"]+")
# `{\"u}`, `\'e`, `\v{c}`.
_ACCENT = re.compile(
    r"\\(?P<sign>[`'^\"~=.]|[cvuHkr](?![A-Za-z]))[ \t]*(?:\{\\?(?P<inner>[A-Za-z])\}|\\?(?P<letter>[A-Za-z]))"
)
_MARKS = dict(
    zip(
        "`'^\"~=.cvuHkr",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0327\u030c\u0306\u030b\u0328\u030a",
        strict=True,
    )
)
_LETTERS = {
    "ss": "ß",
    "o": "ø",
    "O": "Ø",
    "l": "ł",
    "L": "Ł",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "aa": "å",
    "AA": "Å",
    "i": "i",
}
_LETTER = re.compile(r"\\(?P<name>ss|ae|AE|oe|aa|AA|[oOlLi])(?![A-Za-z])[ \t]*")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?[ \t]*")
_AND = re.compile(r"\s+and\s+")


@dataclass(frozen=True, slots=True)
class Work:
    """Hold one cited work. `names` are the families of its authors or editors, `people` their whole names.

    `editors` are those of the book that it is a part of.
    """

    key: str
    kind: str
    names: tuple[str, ...]
    people: tuple[str, ...]
    editors: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def year(self) -> str:
        """Return the year of the work, or "n.d." if none is given."""
        found = re.search(r"\d{4}", self.fields.get("year") or self.fields.get("date", ""))
        return found[0] if found else "n.d."


def parse_bibtex(text: str) -> dict[str, Work]:
    """Return the works of a bibliography by their keys. What cannot be parsed is passed over."""
    works: dict[str, Work] = {}
    for entry in _ENTRY.finditer(text[:MAX_CHARACTERS]):
        kind = entry["kind"].lower()
        if kind not in ("comment", "preamble", "string") and len(works) < MAX_WORKS:
            works[entry["key"]] = _work(entry["key"], kind, _fields(text, entry.end()))
    return works


def _fields(text: str, position: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while (match := _FIELD.match(text, position)) is not None:
        value, position = _value(text, match.end())
        found.setdefault(match["name"].lower(), value)
    return found


def _value(text: str, start: int) -> tuple[str, int]:
    """Return a field's value without its braces or quotes, and the offset behind it."""
    if text[start : start + 1] in ("{", '"'):
        is_quoted = text[start] == '"'
        depth = 0
        for position in range(start, min(len(text), start + MAX_VALUE_CHARACTERS)):
            sign = text[position]
            is_escaped = text[position - 1] == "\\"
            depth += (sign == "{" and not is_escaped) - (sign == "}" and not is_escaped)
            is_closed = depth == 0 and position > start and (sign == '"' if is_quoted else sign == "}")
            if is_closed and not is_escaped:
                return text[start + 1 : position], position + 1
        return "", len(text)
    bare = _BARE.match(text, start)
    return (bare[0], bare.end()) if bare is not None else ("", len(text))


def _work(key: str, kind: str, fields: dict[str, str]) -> Work:
    people = _people(fields.get("author") or fields.get("editor") or "")
    editors = _people(fields["editor"]) if fields.get("author") and fields.get("editor") else []
    return Work(
        key,
        kind,
        names=tuple(family for family, _ in people),
        people=tuple(whole for _, whole in people),
        editors=tuple(whole for _, whole in editors),
        fields={name: plain_value(value) for name, value in fields.items()},
    )


def _people(value: str) -> list[tuple[str, str]]:
    return [_name(person) for person in _AND.split(_outside_braces(value)) if person.strip()]


def _outside_braces(text: str) -> str:
    """Keep blanks inside of braces from parting names: `{R Core Team}` is one."""
    return re.sub(r"\{[^{}\\]*\s[^{}\\]*\}", lambda found: found[0].replace(" ", "\u00a0"), text)


def _name(person: str) -> tuple[str, str]:
    """Return a person's family name, and the whole name with the given one first."""
    family, comma, given = plain_value(person).partition(",")
    if not comma:
        # The particle of a name belongs to the family: `Ludwig van Beethoven`.
        parts = [part for part in family.split(" ") if part]
        first = next(
            (place for place, part in enumerate(parts[:-1]) if place and part[0].islower()), len(parts) - 1
        )
        family, given = " ".join(parts[first:]), " ".join(parts[:first])
    given = " ".join(reversed([part.strip() for part in given.split(",") if part.strip()]))
    family = " ".join(family.split())
    return family, f"{given} {family}".strip()


def plain_value(value: str) -> str:
    """Return a value of BibTeX with its accents as letters and without braces and commands."""
    text = _ACCENT.sub(
        lambda found: unicodedata.normalize(
            "NFC", (found["inner"] or found["letter"]) + _MARKS[found["sign"]]
        ),
        value,
    )
    text = _LETTER.sub(lambda found: _LETTERS[found["name"]], text)
    text = re.sub(r"\\([&%$#_{}])", r"\1", text).replace("---", "—").replace("--", "–")
    text = _COMMAND.sub("", text).replace("``", "“").replace("''", "”").replace("~", " ")
    return (
        " ".join(text.translate({ord("{"): None, ord("}"): None, ord("\\"): None}).split(" "))
        .replace("\n", " ")
        .strip()
    )
