"""Count questions whose words are not kept: they can be told apart by where they failed alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ragbot.storage.question_counts import Counted, added, outcomes
from ragbot.storage.question_samples import split_place
from ragbot.storage.question_selection import SECTION_LINES, WANTS_ANSWER, WORDLESS, Selection, row


@dataclass(frozen=True, slots=True)
class Wordless:
    """Count questions without words by the chapter of the book, and by the page that they were asked from.

    The chapter is the path of the section that was nearest or, of a question that was answered, cited first;
    it is empty where no section was found, as is the page of a question that came without one. In both lists
    each question counts once, and those with most questions come first.
    """

    chapters: tuple[Counted, ...] = ()
    pages: tuple[Counted, ...] = ()

    @property
    def questions(self) -> int:
        """Return how many questions there are."""
        return sum(counted.questions for counted in self.chapters)


def wordless(connection: Connection, selection: Selection, *, wanting: bool) -> Wordless:
    """Count the selected questions without words; of those, `wanting` counts the ones that want an answer."""
    # They have no group. Where all words are kept few questions have none, and SQLite finds these by the
    # index of groups, unless it may take that of books.
    of_book = func.coalesce(row.book, "") == selection.book
    conditions = [of_book, row.group_id.is_(None), WORDLESS, *selection.conditions_within_groups()]
    conditions += [WANTS_ANSWER] if wanting else []
    query = select(SECTION_LINES.label("lines"), row.page, *outcomes()).where(*conditions)
    chapters, pages = dict[str, Counted](), dict[str, Counted]()
    for one in connection.execute(query.group_by(SECTION_LINES, row.page)):
        chapter, _ = split_place(one.lines.partition("\n")[0])
        chapters[chapter] = added(chapters.get(chapter), chapter, one)
        pages[one.page] = added(pages.get(one.page), one.page, one)
    return Wordless(_most_first(chapters.values()), _most_first(pages.values()))


def _most_first(counted: Iterable[Counted]) -> tuple[Counted, ...]:
    return tuple(sorted(counted, key=lambda one: (-one.questions, one.value)))
