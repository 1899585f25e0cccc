"""Read what Quarto alone knows: shortcodes that show words, and blocks that only some builds show."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ragbot.books.markup.code_spans import find_code_spans

# What shortcodes and conditions look up, by their names: `var`, `meta`, `profile`.
Values = Mapping[str, Mapping[str, object]]

# `{{< kbd Ctrl-C mac=Cmd-C >}}`, `{{< var version >}}`; with one more brace it is shown as it is written.
_SHORTCODE = re.compile(
    r"(?<!\{)\{\{<[ \t]*(?P<name>kbd|var|meta)[ \t]+(?P<words>[^\n<>]{1,300}?)[ \t]*>\}\}(?!\})"
)
_ESCAPED = re.compile(r"\{(?P<shown>\{\{<[^\n<>]{1,300}>\}\})\}")
_CONDITION = re.compile(
    r"(?<![\w-])(?P<sense>when|unless)-(?P<kind>format|meta|profile)=(?P<quote>[\"']?)(?P<value>[\w.:-]+)(?P=quote)"
)


def with_shortcodes(line: str, values: Values) -> str:
    """Return a line with the keys and the values that shortcodes show, in code too; unknown ones stay."""
    if "{{<" not in line:
        return line
    pieces: list[str] = []
    position = 0
    for start, end in find_code_spans(line):
        pieces.append(_SHORTCODE.sub(lambda found: _shown(found, values), line[position:start]))
        pieces.append(shortcodes_in_code(line[start:end], values))
        position = end
    pieces.append(_SHORTCODE.sub(lambda found: _shown(found, values), line[position:]))
    return "".join(pieces)


def shortcodes_in_code(code: str, values: Values) -> str:
    """Return code with the values that shortcodes show, and those that it shows as they are written."""

    def shown(found: re.Match[str]) -> str:
        return found[0] if found["name"] == "kbd" else _shown(found, values)

    return _ESCAPED.sub(r"\g<shown>", _SHORTCODE.sub(shown, code)) if "{{<" in code else code


def is_hidden(attributes: str, values: Values) -> bool:
    """Return whether the site leaves a block out: it is for another format, profile or page."""
    hides = ".content-hidden" in attributes
    if not hides and ".content-visible" not in attributes:
        return False
    return hides is all(_holds(condition, values) for condition in _CONDITION.finditer(attributes))


def _holds(condition: re.Match[str], values: Values) -> bool:
    if condition["kind"] == "format":
        holds = condition["value"].startswith("html")
    else:
        holds = _looked_up(condition["kind"], condition["value"], values) is True
    return holds is (condition["sense"] == "when")


def _shown(found: re.Match[str], values: Values) -> str:
    if found["name"] == "kbd":
        return shown_keys(found["words"].split())
    value = _looked_up(found["name"], found["words"], values)
    return found[0] if value is None or isinstance(value, Mapping | list) else str(value)


def shown_keys(words: list[str]) -> str:
    """Return the keys to be pressed: those of all systems, or of each where they are not the same."""
    plain = next((word for word in words if "=" not in word), "")
    by_system = {name: keys.strip("\"'") for name, _, keys in (word.partition("=") for word in words)}
    keys = plain or by_system.get("win") or by_system.get("linux") or by_system.get("mac") or ""
    mac = "" if plain else by_system.get("mac") or ""
    return f"`{keys}`" + (f" (Mac: `{mac}`)" if mac and mac != keys else "") if keys else ""


def _looked_up(name: str, key: str, values: Values) -> object:
    value: object = values.get(name)
    for part in key.strip("\"'").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
