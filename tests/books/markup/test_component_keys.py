"""Test that keys which a component shows from its attributes are words of the page."""

from __future__ import annotations

import pytest

from ragbot.books.markup.component_keys import with_component_keys


@pytest.mark.parametrize(
    ("component", "shown"),
    [
        ('<Key k="enter" />', "`Enter`"),
        ('<Key mod="cmd" fixed k="z" />', "`Cmd+Z`"),
        ('<Key mod= "ctrl" k= "c"/>', "`Ctrl+C`"),
        ('<Key k="z" mod="cmd shift" />', "`Cmd+Shift+Z`"),
        ("<Key mods={['ctrl', 'alt']} k='Del'></Key>", "`Ctrl+Alt+Del`"),
        ('<Kbd keys="Ctrl+K" className="small" />', "`Ctrl+K`"),
        ('<KeyboardShortcut\n  shortcut="F5"\n/>', "`F5`"),
    ],
)
def test_keys_are_shown_as_they_are_pressed(component: str, shown: str) -> None:
    """ "Press to save" helps nobody."""
    assert with_component_keys(f"Press {component} to save.") == f"Press {shown} to save."


@pytest.mark.parametrize(
    "source",
    [
        "Press <Kbd>Ctrl</Kbd> and <Key /> here.",
        'Write `<Key k="z" />` for a key.',
        '```jsx\n<Key k="z" />\n```\n',
        'A <KeyFigure value="3" /> and a <Key className="x" />.',
    ],
)
def test_what_shows_no_keys_is_left(source: str) -> None:
    """Content is shown anyway, and code is code."""
    assert with_component_keys(source) == source
