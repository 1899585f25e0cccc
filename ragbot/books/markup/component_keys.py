"""Write the keys that a component shows from its attributes into the text: `<Key mod="cmd" k="z" />`."""

from __future__ import annotations

import re
from functools import partial

from ragbot.books.markup.code_spans import rewrite_around_code
from ragbot.books.markup.rewriting import rewrite_prose

# What authors call their components for keys. None has content: that would be shown anyway.
_KEYS = re.compile(
    r"<(?:Keys?|Kbd|KBD|KeyCap|KeyCombo|Keystroke|Hotkey|(?:Keyboard)?Shortcut)"
    r"(?P<attributes>(?:\s++[A-Za-z][\w-]*+(?:\s*+=\s*+(?:\"[^\"<>]{0,100}\"|'[^'<>]{0,100}'|\{[^{}<>]{0,200}\}))?+)++)"
    r"\s*+(?:/>|></\w+>)"
)
_WORDS = re.compile(r"\"(?P<double>[^\"]+)\"|'(?P<single>[^']+)'")
# Switches of a component's looks are no keys.
_UNSEEN = re.compile(
    r"\s(?:class(?:Name)?|style|size|variant|theme|id)\s*=\s*(?:\"[^\"]*\"|'[^']*'|\{[^{}]*\})"
)
_MODIFIERS = ("mod", "ctrl", "control", "cmd", "command", "meta", "super", "win", "alt", "option", "shift")


def with_component_keys(source: str) -> str:
    """Replace each component of keys by the keys, as code: `Cmd+Shift+Z`, those that are held down first."""
    if not _KEYS.search(source):
        return source
    return rewrite_prose(source, lambda prose: rewrite_around_code(prose, partial(_KEYS.sub, _shown)))


def _shown(component: re.Match[str]) -> str:
    attributes = _UNSEEN.sub("", component["attributes"])
    given = " ".join(found["double"] or found["single"] for found in _WORDS.finditer(attributes))
    names = [name for name in re.split(r"\s+|(?<=\w)\+(?=\w)", given) if name and "`" not in name]
    names.sort(key=lambda name: name.lower() not in _MODIFIERS)
    return f"`{'+'.join(map(_named, names))}`" if names else component[0]


def _named(key: str) -> str:
    """Return a key's name as it stands on keyboards: a letter is a capital, "enter" begins with one."""
    return key[:1].upper() + key[1:]
