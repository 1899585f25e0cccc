"""Test that components whose words stand in their attributes alone are counted, and no others."""

from __future__ import annotations

import pytest

from ragbot.books.markup.unread_components import UnreadComponents


def notes_of(*pages: str, shows_spoken: bool = False) -> tuple[str, ...]:
    """Return the notes on some pages."""
    components = UnreadComponents(shows_spoken=shows_spoken)
    for page in pages:
        components.count(page)
    return components.notes()


@pytest.mark.parametrize(
    "text",
    [
        'pressing <Key mod="cmd" k="z" /> will undo',
        "press <Key k='z'></Key> twice",
        '<Key k="?" /> shows help',
        "<Method args={[{ a: [{ type: 'Promise<void>' }] }]} />",
        "<Struct fields={objects.oar} />",
        'a <my-key k="z" /> b',
        '<Key\n  k="z"\n/>',
        '<Figure src="a.png" caption="An oar" />',
        '<OarImage caption="An oar" />',
        '<Oar :parts="names" />',
    ],
)
def test_component_with_words_in_its_attributes_alone_is_counted(text: str) -> None:
    """ "Pressing will undo": the sentence does not tell that something is missing."""
    (note,) = notes_of(text)

    assert "a component" in note
    assert "give the built HTML" in note


@pytest.mark.parametrize(
    "text",
    [
        '<Oar kind="ash">Push it.</Oar>',
        '<Image src="a.png" alt="An oar" width="20" />',
        '<AshIcon name="oar" />',
        '<Oar href="/a" file="./a.png" site="https://a.test/b" id="x" size="small" />',
        "<Oar large={true} count={3} onClick={() => row('now')} style={{ top: 1 }} />",
        '<Oar @click="row" v-if="is" :wide="true" />',
        "<Oar />",
        '<br class="x" />',
        '```jsx\n<Key k="z" />\n```',
        '`<Key k="z" />`',
        '{/* <Key k="z" /> */}',
    ],
)
def test_component_without_words_of_its_own_is_not_counted(text: str) -> None:
    """Pictures, switches and listings lack nothing."""
    assert notes_of(f"Row.\n\n{text}\n\nOn.\n") == ()


def test_note_names_the_most_frequent_first() -> None:
    """An operator sees at once what kind of words is missing."""
    pages = ['<Key k="a" /> <Key k="b" /> <Row as="x" w="y" />', '<Key k="c" />'] + [
        f'<C{letter} k="a" />' for letter in "defg"
    ]

    (note,) = notes_of(*pages)

    assert note.startswith("The words of 8 components are made by the site from attributes")
    assert "(<Key> 3, <Row> 1, <Cd> 1, <Ce> 1, <Cf> 1, ...)" in note


def test_what_the_reader_shows_is_not_counted() -> None:
    """Titles and labels of cards are read for some generators."""
    text = '<Card title="Oars" more="x" /> <Key k="z" />'

    assert "<Key> 1)" in notes_of(text, shows_spoken=True)[0]
    assert "<Card> 1" in notes_of(text)[0]
