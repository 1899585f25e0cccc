"""Parse the front matter of a page, in YAML or TOML."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from ragbot.books.formats.config_files import MAX_CHARACTERS, parse_toml_mapping, parse_yaml_mapping
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import cleaned

_BLOCK = re.compile(
    r"(?P<mark>---|\+\+\+)[ \t]*(?:\r\n?|\n)(?P<text>.*?)(?:^|(?<=\r|\n))(?P=mark)[ \t]*(?:\r\n?|\n|\Z)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """Hold a page's front matter; `end` is the offset at which the page's text begins."""

    values: dict[str, object] = field(default_factory=dict)
    end: int = 0

    def text(self, key: str) -> str:
        """Return a value as text, empty if there is none. Numbers count as text, as they do in Docusaurus."""
        value = self.values.get(key)
        if isinstance(value, str):
            return cleaned(value).strip()
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        try:
            return str(value)
        except ValueError:
            # Python writes no number of thousands of digits.
            return ""

    def number(self, key: str) -> float | None:
        """Return a value as a finite number, or None."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None

    def is_set(self, key: str) -> bool:
        """Return whether a value is true."""
        return self.values.get(key) is True


def parse_front_matter(source: str) -> FrontMatter:
    """Parse a page's front matter; a page without any gives an empty one.

    A block that is not valid YAML is read line by line, as `key: value`.
    """
    match = _BLOCK.match(source)
    if match is None:
        return FrontMatter()
    text = match["text"]
    if match["mark"] == "+++":
        return _toml_front_matter(text, match.end())
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        # (Comments alone, too.)
        return FrontMatter({}, match.end())
    values = _values(text)
    if values is None:
        # Thematic breaks around prose look like front matter; YAML of another kind than a mapping is prose.
        return FrontMatter()
    return FrontMatter(values, match.end())


def _toml_front_matter(text: str, end: int) -> FrontMatter:
    if len(text) > MAX_CHARACTERS:
        return FrontMatter()
    try:
        return FrontMatter(parse_toml_mapping(text.replace("\r\n", "\n")), end)
    except FileUnreadable:
        return FrontMatter({}, end)


@lru_cache(maxsize=256)
def _values(text: str) -> dict[str, object] | None:
    try:
        return parse_yaml_mapping(text)
    except FileUnreadable:
        return _rough_values(text)


def _rough_values(text: str) -> dict[str, object] | None:
    """Read `key: value` lines of a block that is not valid YAML; None if it has other lines."""
    lines = [
        line for line in text.splitlines() if line.strip() and not line.startswith((" ", "\t", "#", "-"))
    ]
    pairs = [re.fullmatch(r"([A-Za-z_][\w.-]*)[ \t]*:(?:[ \t]+(.*))?", line) for line in lines]
    if not pairs or any(pair is None for pair in pairs):
        return None
    return {pair[1]: (pair[2] or "").strip().strip("\"'") for pair in pairs if pair is not None}
