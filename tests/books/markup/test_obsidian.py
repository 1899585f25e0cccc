"""Show pages of a vault as Obsidian does, in plain Markdown."""

from __future__ import annotations

import pytest

from ragbot.books.markup.obsidian import is_of_vault, shown_by_obsidian, with_callout_titles


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("See [[Oars]].", "See [Oars](Oars)."),
        ("See [[Gear/Old oars]].", "See [Old oars](Gear/Old%20oars)."),
        ("See [[Oars|the long ones]].", "See [the long ones](Oars)."),
        ("See [[Oars#Care]].", "See [Care](Oars)."),
        ("See [[#Care]].", "See [Care]()."),
        ("See [[Oars#^a1]].", "See [Oars](Oars)."),
        (r"| [[Oars\|long]] |", "| [long](Oars) |"),
        ("An oar ![[oar.png|400]].", "An oar ."),
        ("Row %%slowly%% home.", "Row  home."),
        ("Row %%not\n\nyet%%home.", "Row home."),
        ("Row ==home== now, a == b.", "Row home now, a == b."),
        ("Row home. ^a1", "Row home."),
        ("2^3 is eight.", "2^3 is eight."),
        ("`[[Oars]]` and `==` and %%`a`%%b", "`[[Oars]]` and `==` and b"),
        ("```\n[[Oars]]\n> [!tip] Dry\n```", "```\n[[Oars]]\n> [!tip] Dry\n```"),
        ("A list [[1, 2], [3]].", "A list [[1, 2], [3]]."),
        ("Empty [[]] and [[ | ]].", "Empty [[]] and [[ | ]]."),
    ],
)
def test_what_obsidian_adds_is_shown_as_its_reader_sees_it(source: str, shown: str) -> None:
    """Links have words, what is embedded or a comment has none; code stays."""
    assert shown_by_obsidian(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("> [!tip]- Dry *oars* first\n> They last.", "> **Dry oars first**\n>\n> They last."),
        ("> [!note]\n> They last.", ">\n> They last."),
        ("> > [!WARNING|wide]+ Wet\n> > Slippery.", "> > **Wet**\n> >\n> > Slippery."),
        ("> [!] no mark", "> [!] no mark"),
        ("A word [!tip] in a line.", "A word [!tip] in a line."),
    ],
)
def test_title_of_a_callout_stands_alone(source: str, shown: str) -> None:
    """Else it would be the beginning of its first sentence."""
    assert with_callout_titles(source) == shown


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("See [[Gear/Oars.md]].", True),
        ("![[boat.png]]", True),
        ("See [[Masts]].", False),
        ("`a[[0]]`", False),
    ],
)
def test_vault_is_told_by_names_of_its_files(source: str, is_one: bool) -> None:
    """Brackets alone are no links: other Markdown prints them."""
    assert is_of_vault(source, {"oars"}) == is_one
