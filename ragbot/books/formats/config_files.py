"""Parse YAML and JSON from a book safely: short, without aliases, and only mappings."""

from __future__ import annotations

import json
import re

import yaml

from ragbot.core.errors import FileUnreadable

# Longer text describes no page and no folder; YAML aliases could make a short text very large.
MAX_CHARACTERS = 20_000

# The same safe loader, ten times as quick where libyaml is at hand.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])[*&][\w-]")

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


def parse_yaml_mapping(text: str) -> dict[str, object] | None:
    """Parse YAML; None if it holds something else than a mapping.

    Raises FileUnreadable if it is invalid, too long, or has aliases.
    """
    _check_length(text)
    if _ALIAS.search(text):
        raise FileUnreadable("The YAML has aliases, which are not read.")
    try:
        return _mapping(yaml.load(text, _LOADER))  # noqa: S506 (both loaders are safe ones)
    except _FAULTS as fault:
        raise FileUnreadable("The text is not valid YAML.") from fault


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
