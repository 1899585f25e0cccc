"""Find the series and labels that a PromQL expression asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(rf"({_NAME})\s*\{{([^}}]*)\}}")
_MATCHER = re.compile(rf"({_NAME})\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_WINDOW = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_WORD = re.compile(rf"(?<![\w.$])({_NAME})\b(?!\s*\()")
_OPERATORS = {"and", "or", "unless", "bool"}


@dataclass(frozen=True)
class Asked:
    """Names of series, each with the labels that it is chosen by; and the labels that are grouped by."""

    series: dict[str, set[str]]
    grouped_by: set[str]


@dataclass(frozen=True)
class Selector:
    """Hold the name of a series and the matchers by which it is chosen: label, operator, text."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        """Return whether it chooses a series. A label that the series lacks is empty, as in Prometheus."""
        return name == self.name and all(
            _MATCHES[operator](labels.get(label, ""), text) for label, operator, text in self.matchers
        )


_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda value, text: value == text,
    "!=": lambda value, text: value != text,
    "=~": lambda value, text: re.fullmatch(text, value) is not None,
    "!~": lambda value, text: re.fullmatch(text, value) is None,
}
_WHOLE_MATCHER = re.compile(rf'({_NAME})\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_WHOLE_SELECTOR = re.compile(rf'({_NAME})\s*\{{((?:[^"}}]|"(?:[^"\\]|\\.)*")*)\}}')


def selectors_of(expression: str) -> set[Selector]:
    """Return every selector of an expression."""
    chosen = {
        Selector(name, tuple(_WHOLE_MATCHER.findall(matchers)))
        for name, matchers in _WHOLE_SELECTOR.findall(expression)
    }
    with_matchers = {selector.name for selector in chosen}
    return chosen | {Selector(name) for name in asked_by(expression).series if name not in with_matchers}


def asked_by(expression: str) -> Asked:
    """Return what an expression asks for."""
    rest = _TEXT.sub('""', expression)
    series: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(rest):
        series.setdefault(name, set()).update(_MATCHER.findall(matchers))
    rest = _SELECTOR.sub(r"\1 ", rest)
    grouped_by = {label.strip() for found in _GROUPING.findall(rest) for label in found.split(",")} - {""}
    rest = _WINDOW.sub(" ", _GROUPING.sub(" ", rest))
    for name in _WORD.findall(rest):
        if name not in _OPERATORS:
            series.setdefault(name, set())
    return Asked(series, grouped_by)
