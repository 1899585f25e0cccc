"""Read what was asked of a book: its gaps, the questions alone and in groups, and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ragbot.storage import question_counts, question_gaps, question_lists
from ragbot.storage.database import Database
from ragbot.storage.question_counts import (
    Counted,
    EditionChange,
    FirstWord,
    Hour,
    Kinds,
    PlaceCounts,
)
from ragbot.storage.question_gaps import Gap
from ragbot.storage.question_lists import AskedFacts, GroupFacts
from ragbot.storage.question_selection import Selection
from ragbot.storage.wordless_questions import Wordless, wordless

_REPORTED_AT_ONCE = 5_000


class QuestionInsights:
    """Read what was asked. No reader waits for these calls, so that the database may take its time.

    `editions_of` returns the names of a book's editions, newest first.
    """

    def __init__(
        self, database: Database, editions_of: Callable[[str], Sequence[str]] = lambda _book: ()
    ) -> None:
        self._database = database
        self._editions_of = editions_of

    def all_gaps(self, book: str, *, since: datetime) -> list[Gap]:
        """Return the gaps since a time, those with most questions first."""
        selection, found = Selection(book, since), list[Gap]()
        while True:
            gaps = self.gaps(selection, limit=_REPORTED_AT_ONCE, offset=len(found))
            found += gaps
            if len(gaps) < _REPORTED_AT_ONCE:
                return found

    def gaps(self, selection: Selection, *, limit: int, offset: int = 0) -> list[Gap]:
        """Return some of the gaps among the selected questions, those with most questions first."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_gaps.gaps(connection, selection, limit=limit, offset=offset)

    def gap_of(self, group: int, selection: Selection) -> Gap | None:
        """Return the gap of one group; None if no selected question of it wants an answer."""
        with self._database.reading(no_time_limit=True) as connection:
            found = question_gaps.gaps(connection, selection, limit=1, offset=0, group=group)
        return found[0] if found else None

    def open_gaps(self, since: datetime) -> dict[str, int]:
        """Count, for each book, the gaps since a time that no later answer has closed."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_gaps.open_gaps(connection, since)

    def questions(self, selection: Selection, *, limit: int, offset: int = 0) -> list[AskedFacts]:
        """Return some of the selected questions, newest first."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_lists.questions(connection, selection, limit=limit, offset=offset)

    def groups(self, selection: Selection, *, limit: int, offset: int = 0) -> list[GroupFacts]:
        """Return some groups of the selected questions, those with most questions first."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_lists.groups(connection, selection, limit=limit, offset=offset)

    def group(self, group: int, selection: Selection) -> GroupFacts | None:
        """Return the selected questions of one group in numbers; None if there are none."""
        with self._database.reading(no_time_limit=True) as connection:
            found = question_lists.groups(connection, selection, limit=1, offset=0, group=group)
        return found[0] if found else None

    def questions_of(
        self, group: int, selection: Selection, *, limit: int, offset: int = 0
    ) -> list[AskedFacts]:
        """Return some of a group's selected questions, newest first, with the answers that still exist."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_lists.questions(connection, selection, limit=limit, offset=offset, group=group)

    def hours(self, selection: Selection) -> list[Hour]:
        """Return the numbers of each hour in which something was asked, oldest first."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_counts.hours(connection, selection)

    def pages(self, selection: Selection, *, limit: int | None = None) -> list[Counted]:
        """Return the pages that readers ask from, the busiest first."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_counts.pages(connection, selection, limit=limit)

    def kinds(self, selection: Selection) -> Kinds:
        """Return the languages and editions of the selected questions."""
        newest = self._editions_of(selection.book)
        with self._database.reading(no_time_limit=True) as connection:
            return question_counts.kinds(connection, selection, newest)

    def first_word(self, selection: Selection) -> FirstWord:
        """Return how long readers waited for the first word."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_counts.first_word(connection, selection)

    def places(self, selection: Selection) -> Sequence[PlaceCounts]:
        """Return how often each section was cited, disliked, and near a question without an answer."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_counts.places_of(connection, selection)

    def wordless(self, selection: Selection, *, wanting: bool) -> Wordless:
        """Count the questions without words; with `wanting`, those alone that want an answer."""
        with self._database.reading(no_time_limit=True) as connection:
            return wordless(connection, selection, wanting=wanting)

    def change(self, selection: Selection, *, newer: str, older: str) -> EditionChange:
        """Return what became of the gaps of one edition in a newer one."""
        with self._database.reading(no_time_limit=True) as connection:
            return question_counts.change(connection, selection, newer=newer, older=older)
