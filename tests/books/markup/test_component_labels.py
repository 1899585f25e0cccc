"""Test that the labels of tabs and cards are words of the page."""

from __future__ import annotations

import pytest

from ragbot.books.markup.component_labels import with_component_labels


@pytest.mark.parametrize(
    ("tag", "label"),
    [
        ('<TabItem value="apt" label="Debian">', "Debian"),
        ("<TabItem value='apt' label='Debian' default>", "Debian"),
        ('<TabItem value="apt" label={"Debian"}>', "Debian"),
        ("<TabItem value='apt' label={`Debian`} attributes={{className: styles.red}}>", "Debian"),
        ('<TabItem\n  value="apt"\n  label="Debian"\n>', "Debian"),
        ('<TabItem value="Debian">', "Debian"),
        ('<Card icon="box" title="Debian and Ubuntu">', "Debian and Ubuntu"),
        ('<Accordion title="Is it free?">', "Is it free?"),
    ],
)
def test_label_stands_above_what_the_component_holds(tag: str, label: str) -> None:
    """Two tabs of commands could not be told apart."""
    shown = with_component_labels(f"Before.\n\n{tag}\n\nRun it.\n\n</TabItem>\n")

    assert shown == f"Before.\n\n{tag}\n\n**{label}**\n\n\nRun it.\n\n</TabItem>\n"


def test_labels_that_the_tabs_are_given_in_one_place() -> None:
    """A tab then has a value alone."""
    tabs = "<Tabs values={[{label: 'On Windows', value: 'win'}, {value: 'mac', label: 'On a Mac'}]}>"

    shown = with_component_labels(
        f'{tabs}\n<TabItem value="win">\nA.\n</TabItem>\n<TabItem value="mac">\nB.\n'
    )

    assert "**On Windows**\n\nA." in shown
    assert "**On a Mac**\n\nB." in shown


def test_label_in_a_list_stays_in_the_list() -> None:
    """A line without its indentation would end the step."""
    shown = with_component_labels('1. Install it:\n\n   <TabItem label="Debian">\n\n   Run it.\n')

    assert "\n\n   **Debian**\n" in shown


@pytest.mark.parametrize(
    "source",
    [
        '<Image title="A lamp" />\n',
        '<Screenshot title="A lamp">\n\nWords.\n\n</Screenshot>\n',
        'Press <Key label="Enter">the key</Key> now.\n',
        '```jsx\n<TabItem label="Debian">\n```\n',
        "<Card title={title}>\n\nWords.\n",
        '<Tabs groupId="system">\n',
        "<details>\n",
    ],
)
def test_what_shows_no_label_of_its_own_is_left_alone(source: str) -> None:
    """Pictures, words within a sentence, examples of code, and what only a script knows."""
    assert with_component_labels(source) == source
