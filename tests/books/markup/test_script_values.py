"""Test the parser of literals: texts are read, code is not run and not taken for text."""

from __future__ import annotations

import pytest

from ragbot.books.markup.script_values import ScriptText, ScriptValue, parse_script_value


def plain(value: ScriptValue) -> object:
    """Return a value without its offsets."""
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value.text if isinstance(value, ScriptText) else None


@pytest.mark.parametrize(
    ("script", "value"),
    [
        (r"""'a' + "b\n" + `c\u00e9`""", "ab\ncé"),
        ("{a: 'x', 'b-c': [\"y\", /* no */ `z`,], // no\n}", {"a": "x", "b-c": ["y", "z"]}),
        ("[(<p>Don't {x ? '}' : 2}</p>), <>a <b c={d}/></>]",
         ["<p>Don't {x ? '}' : 2}</p>", "<>a <b c={d}/></>"]),
        ("{f() { return '}' }, ...other, g, a: 'x'}", {"a": "x"}),
        ("{a: `x ${y}`, b: t('z'), c: 'u'.trim(), d: (x) => ({e: 1}), f: 'v'}",
         {"a": None, "b": None, "c": None, "d": None, "f": "v"}),
        ("['a'].map((x) => x)", None),
    ],
)  # fmt: skip
def test_texts_are_read_and_code_is_not(script: str, value: object) -> None:
    """What is computed is not known; it must not hide its neighbours."""
    assert plain(parse_script_value(f"{script};\n", 0).value) == value


@pytest.mark.parametrize(
    "script",
    [sign * 30_000 for sign in ("[", "{a:", "<", "<a ", "'", "`", "<a>{", "('", "/*", "<a x='", "{a:[")]
    + ["{a: 'b'", "<a><b></a>", "[}"],
)
def test_what_is_not_closed_is_no_value(script: str) -> None:
    """A hostile page costs no more than its length."""
    assert not parse_script_value(script, 0).is_whole
