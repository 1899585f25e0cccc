"""Test that the words of components stay where the page shows them."""

from __future__ import annotations

import pytest

from ragbot.books.markup.component_words import unwrap_components
from ragbot.books.markup.prose import prose_blocks

BADGE = '<Badge type="tip" text="1.2+" />'


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (f"| `size` {BADGE} | How large it is. |\n", "| `size` **1.2+** | How large it is. |\n"),
        ("| a | <Icon name='check' /> | b |\n", "| a |  | b |\n"),
        (f"- `keel` {BADGE}: the depth\n", "- `keel` **1.2+**: the depth\n"),
        ('1. <Card title="Oars">Push.</Card>\n', "1. **Oars** Push.\n"),
        (f"The option `trim` {BADGE} takes degrees.\n", "The option `trim` **1.2+** takes degrees.\n"),
        (f"{BADGE} The option takes degrees.\n", "**1.2+** The option takes degrees.\n"),
        (
            'A new<Badge text="beta"></Badge> thing, a<Oar label="b" />c.\n',
            "A new **beta** thing, a **b** c.\n",
        ),
        ('The <Tip text="A spar.">boom</Tip> swings.\n', "The boom swings.\n"),
        ('See <Oar\n  label="it"\n/> there.\n', "See **it** there.\n"),
        ("Step <Icon name='x' />\n", "Step \n"),
    ],
)
def test_component_among_other_words_stays_in_their_line(source: str, shown: str) -> None:
    """Rows of tables, list items and sentences were torn apart."""
    assert unwrap_components(source) == shown


@pytest.mark.parametrize(
    "source",
    [
        '<Card title="Oars">Push.</Card>',
        '<Card title="Oars">\nPush.\n</Card>',
        '<Cards><Card\n  title="Oars">Push.</Card></Cards>',
        '<Card title="Oars" description="Push." />',
    ],
)
def test_component_around_all_of_its_line_is_a_title_and_a_paragraph(source: str) -> None:
    """As a card or a tab is shown."""
    shown = unwrap_components(source)

    words = [shown[block.start : block.end] for block in prose_blocks(shown) if block.kind == "paragraph"]
    assert [paragraph for paragraph in words if paragraph[0] != "<"] == ["**Oars**", "Push."]


def test_two_tabs_in_one_line_are_apart() -> None:
    """Their words would be one sentence."""
    shown = unwrap_components('<TabItem label="A">One.</TabItem><TabItem label="B">Two.</TabItem>\n')

    words = [shown[block.start : block.end] for block in prose_blocks(shown)]
    assert words == ["**A**", "One.", "**B**", "Two."]


def test_badges_leave_a_table_its_rows() -> None:
    """The meaning of one option stood beside the name of the next."""
    table = (
        "| Option | Meaning |\n| --- | --- |\n"
        f"| `size` {BADGE} | The size of the sail. |\n"
        "| `name` <Badge text='old' /> | The name of the boat. |\n"
    )
    shown = unwrap_components(table)

    assert [shown[block.start : block.end] for block in prose_blocks(shown)] == [
        "| Option | Meaning |",
        "| `size` **1.2+** | The size of the sail. |",
        "| `name` **old** | The name of the boat. |",
    ]
