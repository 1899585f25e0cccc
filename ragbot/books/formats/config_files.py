"""Read YAML, TOML and JSON from a book safely: short, without aliases of lists, and only mappings."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence

import yaml

from ragbot.books.files import BookFolder
from ragbot.core.errors import BookError, FileUnreadable

# Longer text describes no page and no folder; YAML aliases of lists could make a short text very large.
MAX_CHARACTERS = 20_000

# The largest configurations, with thousands of redirects or a long navigation, have fewer. The time and
# memory of TOML's parser grow with the square of a dotted key's parts.
MAX_CONFIG_CHARACTERS = 200_000
MAX_DOTS = 100

# The same safe loader, ten times as quick where libyaml is at hand.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])[*&][\w-]")

_SCRIPT_PIECE = re.compile(
    r"'(?:[^'\\\n]|\\.)*'(?!\s*:)|\"(?:[^\"\\\n]|\\.)*\"(?!\s*:)|['\"]?(?P<key>(?:(?<=['\"])[^'\"\n]+(?=['\"])|(?<!\w)\w++))['\"]?\s*:\s*"
)

# PyYAML converts tagged values without checking them: an empty `!!int` is an IndexError, other words after
# `!!bool` or `!!timestamp` are a KeyError or an AttributeError, and a number of base sixty an OverflowError.
_FAULTS = (
    yaml.YAMLError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def read_config(folder: BookFolder, names: Sequence[str], *, generator: str = "") -> dict[str, object]:
    """Read the first configuration that is there and readable, in TOML or YAML; empty if none is.

    One that cannot be read is skipped with a note, which names the `generator` whose defaults are used then.
    """
    for name in names:
        if folder.has(name):
            try:
                return _parsed(name, folder.read_text(name))
            except FileUnreadable as fault:
                defaults = f" and {generator}'s defaults used instead" if generator else ""
                folder.skip(name, f"The configuration is ignored{defaults}: {fault}")
    return {}


def read_required_config(folder: BookFolder, names: Sequence[str]) -> dict[str, object]:
    """Read the first configuration that is there, as `read_config` does. Raises BookError if that fails."""
    name = next(name for name in names if folder.has(name))
    try:
        return _parsed(name, folder.read_text(name))
    except FileUnreadable as fault:
        raise BookError(f"{name} cannot be read: {fault}") from fault


def as_mapping(value: object) -> dict[str, object]:
    """Return a part of a configuration with its keys as texts; empty for what is no mapping."""
    return _mapping(value) or {}


def as_text(value: object) -> str:
    """Return a text of a configuration without blanks around it; empty for what is none."""
    return value.strip() if isinstance(value, str) else ""


def as_list(value: object) -> list[object]:
    """Return a list of a configuration; an empty one for what is none."""
    return value if isinstance(value, list) else []


def as_texts(value: object) -> list[str]:
    """Return the texts of a list; none for what is no list."""
    return [each for each in as_list(value) if isinstance(each, str)]


def _parsed(name: str, text: str) -> dict[str, object]:
    return parse_toml_mapping(text) if name.endswith(".toml") else parse_tolerant_yaml(text)


class _PlainLoader(yaml.SafeLoader):
    """Load YAML whose aliases stand for single values."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node; an alias of a list, by which a short text could grow very large, is an error."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # (PyYAML has no types for it.)
            anchored = self.anchors.get(event.anchor)
            if not isinstance(anchored, yaml.ScalarNode):
                raise yaml.YAMLError("alias")
        return super().compose_node(parent, index)


def parse_yaml_mapping(text: str) -> dict[str, object] | None:
    """Parse YAML; None if it holds something else than a mapping.

    Raises FileUnreadable if it is invalid, too long, or has aliases of lists.
    """
    _check_length(text)
    loader = _PlainLoader if _ALIAS.search(text) else _LOADER
    try:
        return _mapping(yaml.load(text, loader))  # noqa: S506 (all loaders are safe ones)
    except _FAULTS as fault:
        raise FileUnreadable("The text is not valid YAML, or it has aliases of lists.") from fault


def parse_toml_mapping(text: str) -> dict[str, object]:
    """Parse TOML. Raises FileUnreadable if it is invalid or too long."""
    if len(text) > MAX_CONFIG_CHARACTERS:
        raise FileUnreadable(f"The text has more than {MAX_CONFIG_CHARACTERS:,} characters.")
    if any(line.count(".") > MAX_DOTS for line in text.split("\n")):
        raise FileUnreadable(f"A line has more than {MAX_DOTS} dots.")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        # (An integer of thousands of digits is a ValueError that is no TOMLDecodeError.)
        raise FileUnreadable("The text is not valid TOML.") from fault


class _TolerantLoader(_PlainLoader):
    """Load YAML whose tags name code (`!!python/name:...`, `!ENV`): each gives None, and nothing is run."""


_TolerantLoader.add_multi_constructor("", lambda _loader, _tag, _node: None)


def parse_tolerant_yaml(text: str) -> dict[str, object]:
    """Parse the YAML of a program's configuration, with tags of its own; other than a mapping is empty.

    Raises FileUnreadable if it is invalid, too long, or has aliases of lists.
    """
    if len(text) > MAX_CONFIG_CHARACTERS:
        raise FileUnreadable(f"The text has more than {MAX_CONFIG_CHARACTERS:,} characters.")
    try:
        return _mapping(yaml.load(text, _TolerantLoader)) or {}  # noqa: S506 (it makes no objects)
    except _FAULTS as fault:
        raise FileUnreadable("The text is not valid YAML, or it has aliases of lists.") from fault


def parse_literal(text: str) -> object:
    """Parse a literal of JavaScript made of lists, objects and texts; None if it is anything more."""
    if len(text) > MAX_CONFIG_CHARACTERS:
        return None
    # With quoted keys and a blank behind each it is YAML.
    quoted = _SCRIPT_PIECE.sub(lambda piece: f'"{piece["key"]}": ' if piece["key"] else piece[0], text)
    try:
        return yaml.load(quoted.replace("\t", " "), _TolerantLoader)  # noqa: S506 (it makes no objects)
    except _FAULTS:
        return None


def parse_json_mapping(text: str) -> dict[str, object] | None:
    """Parse JSON; None if it holds something else than an object.

    Raises FileUnreadable if it is invalid or too long.
    """
    _check_length(text)
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError) as fault:
        raise FileUnreadable("The text is not valid JSON.") from fault


def _check_length(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise FileUnreadable(f"The text has more than {MAX_CHARACTERS:,} characters.")


def _mapping(loaded: object) -> dict[str, object] | None:
    return {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else None
