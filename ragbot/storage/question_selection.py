"""Select questions by book, time, outcome, rating, chapter, page, language, edition and words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Case, ColumnElement, Function, Integer, and_, case, func, not_, or_

from ragbot.storage.asked_questions import asked_questions

row = asked_questions.c


def _unsupported(columns: Any) -> ColumnElement[bool]:
    return and_(columns.sentences > 0, columns.supported == 0)


def _disliked(columns: Any) -> ColumnElement[bool]:
    # A rating that is null is no dislike, also where the condition is negated.
    return and_(columns.rating == "down", columns.rating.is_not(None))


def is_fine(columns: Any) -> ColumnElement[bool]:
    """Return the condition that a question was answered, from the book and without a complaint."""
    return and_(columns.outcome == "answered", not_(or_(_unsupported(columns), _disliked(columns))))


UNSUPPORTED = _unsupported(row)
REFUSED = row.outcome == "refused"
DISLIKED = _disliked(row)
LIKED = and_(row.rating == "up", row.rating.is_not(None))
WANTS_ANSWER = or_(REFUSED, UNSUPPORTED, DISLIKED)
IS_FINE = is_fine(row)
# With INSIGHTS_WORDS=false. They have no group either, and nothing that could be read.
WORDLESS = row.words.is_(None)

# The sections of a question, as lines: those that were nearest, or of one that was answered, those cited.
SECTION_LINES = case((row.nearest != "", row.nearest), else_=row.cited)

# A question without a group stands for itself.
GROUP_KEY = func.coalesce(row.group_id, -row.id)

_OF_OUTCOME: dict[str, ColumnElement[bool]] = {
    "answered": row.outcome == "answered",
    "refused": REFUSED,
    "unsupported": UNSUPPORTED,
    "degraded": row.degraded.is_(True),
    "stopped": row.outcome == "stopped",
    "failed": row.outcome == "failed",
}
OUTCOMES = tuple(_OF_OUTCOME)
_OF_RATING: dict[str, ColumnElement[bool]] = {"up": LIKED, "down": DISLIKED, "none": row.rating.is_(None)}
RATINGS = tuple(_OF_RATING)


@dataclass(frozen=True, slots=True)
class Selection:
    """Select questions of one book that were asked from `since` on and before `until`; None selects all.

    `outcome` is one of OUTCOMES, `rating` one of RATINGS. `chapter` is the path of a page of the book that
    was cited or nearest, `page` the path of the address that the reader was on. Of `words` each must occur.
    """

    book: str
    since: datetime
    until: datetime | None = None
    outcome: str | None = None
    rating: str | None = None
    chapter: str | None = None
    page: str | None = None
    language: str | None = None
    edition: str | None = None
    words: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what a question must fulfil. Raises KeyError for an unknown outcome or rating."""
        return [row.book == self.book, *self.conditions_within_groups()]

    def conditions_within_groups(self) -> list[ColumnElement[bool]]:
        """Return what a question of some groups of the book must fulfil.

        Without the book, which a group has one of: SQLite would rather read all questions of the book, by the
        index of book and time, than those of the groups by theirs.
        """
        found = [row.asked_at >= self.since]
        if self.until is not None:
            found.append(row.asked_at < self.until)
        if self.outcome is not None:
            found.append(_OF_OUTCOME[self.outcome])
        if self.rating is not None:
            found.append(_OF_RATING[self.rating])
        if self.chapter is not None:
            lines = "\n" + row.cited + "\n" + row.nearest
            found.append(lines.contains(f"\n{self.chapter}\t", autoescape=True))
        equal = ((row.page, self.page), (row.language, self.language), (row.book_version, self.edition))
        found += [column == value for column, value in equal if value is not None]
        return found + [_has_word(word) for word in (self.words or "").split()]


def number_of(condition: ColumnElement[bool]) -> Function[int]:
    """Return how many rows of a group fulfil a condition."""
    counted: Case[Any] = case((condition, 1), else_=0)
    return func.sum(counted, type_=Integer)


def _has_word(word: str) -> ColumnElement[bool]:
    """Compare without case. SQLite knows the case of ASCII alone, so other letters are tried in both."""
    spellings = dict.fromkeys((word, word.lower(), word.upper(), word.title()))
    return or_(*(row.words.icontains(spelling, autoescape=True) for spelling in spellings))
