"""Leave out sections that a question does not mean: the opposite's, another number's, how to undo it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from ragbot.core.domain import Passage
from ragbot.providers.extractive.question import AskedFor, Want, asks_negated, asks_to_make
from ragbot.providers.extractive.reading import Terms
from ragbot.providers.extractive.scoring import Candidate

# "level 2", "step 3": what it is the number of, and the number.
_NUMBERED = re.compile(r"\b(?P<what>[^\W\d_]+)\s+(?P<number>\d{1,4})\b(?!\.\d|\s*[%°])")


def without_other_sections(
    asked: AskedFor, passages: Sequence[Passage], found: list[Candidate], stems: Set[str]
) -> list[Candidate]:
    """Leave out units of sections that the question does not mean. `stems` are those of the question."""
    found = _without_opposites(asked, passages, found)
    if asked.want is Want.STEPS and asks_to_make(asked.text):
        # "Uninstalling unbound" has all words of "How do I use unbound?".
        found = [one for one in found if not one.read.removes]
    for named in _NUMBERED.finditer(asked.text):
        found = _without_other_numbers(named["what"], named["number"], stems, found)
    return found


def _without_other_numbers(
    what: str, number: str, stems: Set[str], found: list[Candidate]
) -> list[Candidate]:
    """Leave out sections of another number where one of the question's has it: "Level 0" for "level 2"."""
    # The word as the book's language has it stemmed.
    words = {stem for stem in stems if what.casefold().startswith(stem[:-1] or stem)}

    def is_of_kind(one: Candidate) -> bool:
        return any(not words.isdisjoint(names) and any(map(str.isdigit, names)) for names in one.read.names)

    def is_meant(one: Candidate) -> bool:
        return any(not words.isdisjoint(names) and number in names for names in one.read.names)

    if not any(map(is_meant, found)):
        return found
    return [one for one in found if is_meant(one) or not is_of_kind(one)]


def _without_opposites(
    asked: AskedFor, passages: Sequence[Passage], found: list[Candidate]
) -> list[Candidate]:
    """Leave out the section that says the opposite: of "Allowed" and "Not allowed" the one not asked for.

    A question whose answer is yes or no, a reason or a remedy may be answered by either.
    """
    if asked.is_trouble or asked.want in (Want.YES_NO, Want.CHOICE, Want.CAUSE):
        return found
    signs: dict[tuple[str, Terms], set[bool]] = {}
    for one in found:
        signs.setdefault(_section_of(one, passages), set()).add(one.read.is_negated)
    wanted = asks_negated(asked.text)
    return [
        one for one in found if len(signs[_section_of(one, passages)]) == 1 or one.read.is_negated == wanted
    ]


def _section_of(one: Candidate, passages: Sequence[Passage]) -> tuple[str, Terms]:
    return passages[one.passage].chunk.path, one.read.heading_terms
