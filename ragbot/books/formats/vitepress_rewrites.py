"""Read the rewrites of a VitePress site: which address a file has instead of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ragbot.books.markup.script_values import ScriptText, parse_script_value

UNREAD = (
    "Some addresses are made by `rewrites` that cannot be read from the configuration: "
    "check the links, or give the built HTML."
)

_REWRITES = re.compile(r"\brewrites['\"]?[ \t]*(?P<sign>[:(,}])\s*")
# `:rest*`, `:name`, `:name.md`, `(.*)`.
_MANY = re.compile(r":(?P<name>\w+)(?:\(\.\*\))?[*+]|:(?P<word>\w+)\(\.\*\)|\(\.\*\)")
_ONE = re.compile(r":(?P<name>\w+)(?P<end>[^:(){}*+?]*)")
_SPECIAL = re.compile(r"[:(){}*+?]")
_VALUE = re.compile(r":(?P<name>\w+)[*+?]?")


@dataclass(frozen=True, slots=True)
class Rewrites:
    """Hold the patterns with their targets, in order; `is_whole` is false where some cannot be read."""

    rules: tuple[tuple[tuple[str, ...], str], ...] = ()
    is_whole: bool = True

    def target(self, inner: str) -> str:
        """Return the path that a page is built at, from that of its file."""
        names = inner.split("/")
        for pattern, target in self.rules:
            values = _matched(pattern, names)
            if values is not None:
                return _VALUE.sub(partial(_value, values), target).strip("/")
        return inner


def parse_rewrites(script: str) -> Rewrites:
    """Read the literal `rewrites` of a configuration."""
    found = _REWRITES.search(script)
    if found is None:
        return Rewrites()
    value = parse_script_value(script, found.end()).value if found["sign"] == ":" else None
    if not isinstance(value, dict):
        return Rewrites(is_whole=False)
    rules = [
        (tuple(pattern.strip("/").split("/")), target.text.strip("/"))
        for pattern, target in value.items()
        if isinstance(target, ScriptText)
    ]
    read = tuple(rule for rule in rules if _is_read(rule[0]))
    return Rewrites(read, is_whole=len(read) == len(value))


def _value(values: Mapping[str, str], name: re.Match[str]) -> str:
    return values.get(name["name"], "")


def _is_read(pattern: tuple[str, ...]) -> bool:
    many = sum(_MANY.fullmatch(piece) is not None for piece in pattern)
    return many <= 1 and all(
        _MANY.fullmatch(piece) or _ONE.fullmatch(piece) or not _SPECIAL.search(piece) for piece in pattern
    )


def _matched(pattern: tuple[str, ...], names: list[str]) -> dict[str, str] | None:
    """Return the values of a pattern's parts for a path, None if the path is another."""
    place = next((at for at, piece in enumerate(pattern) if _MANY.fullmatch(piece)), None)
    if place is None:
        return _each_matched(pattern, names)
    behind = len(names) - (len(pattern) - place - 1)
    if behind < place:
        return None
    fixed = _each_matched((*pattern[:place], *pattern[place + 1 :]), [*names[:place], *names[behind:]])
    many = _MANY.fullmatch(pattern[place])
    name = (many["name"] or many["word"] or "") if many else ""
    return None if fixed is None else fixed | {name: "/".join(names[place:behind])}


def _each_matched(pattern: tuple[str, ...], names: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(names):
        return None
    values: dict[str, str] = {}
    for piece, name in zip(pattern, names, strict=True):
        part = _ONE.fullmatch(piece)
        if part is not None and name.endswith(part["end"]) and len(name) > len(part["end"]):
            values[part["name"]] = name.removesuffix(part["end"])
        elif part is not None or piece != name:
            return None
    return values
