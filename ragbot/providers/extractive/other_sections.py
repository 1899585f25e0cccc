"""Leave out sections that a question does not mean: the opposite's, another number's, how to undo it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ragbot.core.domain import Passage
from ragbot.providers.extractive.question import AskedFor, Want, asks_negated, asks_to_make
from ragbot.providers.extractive.reading import Terms
from ragbot.providers.extractive.scoring import Candidate

# "level 2", "step 3": what it is the number of, and the number.
_NUMBERED = re.compile(r"\b(?P<what>[^\W\d_]+)\s+(?P<number>\d{1,4})\b(?!\.\d|\s*[%°])")


def without_other_sections(
    asked: AskedFor, passages: Sequence[Passage], found: list[Candidate], terms: Callable[[str], Terms]
) -> list[Candidate]:
    """Leave out units of sections that the question does not mean. `terms` returns the stems of a text."""
    found = _without_opposites(asked, passages, found)
    if asked.want is Want.STEPS and asks_to_make(asked.text):
        # "Uninstalling unbound" has all words of "How do I use unbound?".
        found = [one for one in found if not one.read.removes]
    for named in _NUMBERED.finditer(asked.text):
        found = _without_other_numbers(terms(named["what"]), named["number"], found)
    return found


def _without_other_numbers(what: Terms, number: str, found: list[Candidate]) -> list[Candidate]:
    """Leave out sections of other numbers where one has the question's: "Level 0" for "level 2"."""

    def numbers(one: Candidate) -> set[str]:
        return {term for names in one.read.names if what & names for term in names if term.isdigit()}

    if not any(number in numbers(one) for one in found):
        return found
    return [one for one in found if number in (known := numbers(one)) or not known]


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
