"""Test which list item each unit of a passage stands in."""

from __future__ import annotations

import pytest

from tests.providers.extractive.passages import read

TIERS = """
The timeline is expected:

- As of November:

  Apple:
  - Tier 1: Tahoe
  - Tier 3: Big Sur

  Intel:
  - Tier 1: Sonoma

- Expected in September:
  - Tier 1: macOS 27

Everything else is unsupported.
"""


def items_of(text: str) -> dict[str, str]:
    """Return the words of the item around each unit, "" where there is none."""
    units = [one.unit for one in read(text).units]
    return {unit.words: units[unit.item].words if unit.item >= 0 else "" for unit in units}


def leads_of(text: str) -> dict[str, str]:
    """Return the words of what introduces each unit, "" where nothing does."""
    units = [one.unit for one in read(text).units]
    return {unit.words: units[unit.lead].words if unit.lead >= 0 else "" for unit in units}


def test_paragraphs_and_lists_stand_in_the_item_that_they_are_indented_under() -> None:
    items = items_of(TIERS)

    assert items["As of November:"] == items["Everything else is unsupported."] == ""
    assert items["Apple:"] == items["Tier 3: Big Sur"] == items["Tier 1: Sonoma"] == "As of November:"
    assert items["Tier 1: macOS 27"] == "Expected in September:"


def test_sentence_in_an_item_introduces_the_list_below_it_alone() -> None:
    leads = leads_of(TIERS)

    assert leads["Tier 1: Tahoe"] == leads["Tier 3: Big Sur"] == "Apple:"
    assert leads["Tier 1: Sonoma"] == "Intel:"
    assert leads["As of November:"] == leads["Expected in September:"] == "The timeline is expected:"


def test_last_paragraph_of_an_item_does_not_introduce_the_next_item() -> None:
    leads = leads_of("Do this:\n\n1. Start it.\n\n   It says:\n\n2. Stop it.\n")

    assert leads["Stop it."] == "Do this:"


@pytest.mark.parametrize(
    ("text", "around"),
    [
        ("- Cheese\n  - Gouda\n", "Cheese"),
        ("- Cheese\n    - Gouda\n", "Cheese"),
        ("- Cheese\n\t- Gouda\n", "Cheese"),
        ("10. Cheese\n    - Gouda\n", "Cheese"),
        ("> - Cheese\n>   - Gouda\n", "Cheese"),
        ("- Cheese\n- Gouda\n", ""),
        (" 9. Cheese\n10. Gouda\n", ""),
        ("- Cheese\n\nThen:\n\n  - Gouda\n", ""),
    ],
)
def test_item_is_nested_if_it_is_indented_by_two_blanks_more(text: str, around: str) -> None:
    assert items_of(text)["Gouda"] == around
