"""Define the queries and replies of the calls that tell what readers asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ragbot.core.answers import Mode
from ragbot.storage.question_selection import Selection
from ragbot.web.schemas import Slug, Storable

# No question is kept for longer.
MOST_DAYS = 3650
MOST_OFFSET = 1_000_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _written_day(given: object) -> object:
    # The library would take a number for a time in seconds.
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueError("must be a day such as 2026-01-31")
    return given


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


Day = Annotated[date, BeforeValidator(_written_day), Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500), Storable]
Count = Annotated[int, Field(ge=0)]

T = TypeVar("T")


class TimeSelection(BaseModel):
    """Select the questions of one book and time."""

    model_config = ConfigDict(extra="forbid")

    book: Slug | None = Field(None, description="The book's slug; without one, the default book.")
    days: int = Field(30, ge=1, le=MOST_DAYS, description="Questions of so many days count.")
    since: Day | None = Field(None, description="The first day (UTC), instead of `days`.")
    until: Day | None = Field(None, description="The last day (UTC); without one, today.")

    def selection(self, book: str, now: datetime) -> Selection:
        """Return the selection of a book that was chosen."""
        end = None if self.until is None else _midnight(self.until) + timedelta(days=1)
        begin = _midnight(self.since) if self.since else (end or now) - timedelta(days=self.days)
        return Selection(book, max(begin, now - timedelta(days=MOST_DAYS)), end)


class QuestionFilters(TimeSelection):
    """Select questions by what they are."""

    outcome: Literal["answered", "refused", "unsupported", "degraded", "stopped", "failed"] | None = None
    rating: Literal["up", "down", "none"] | None = None
    chapter: Text | None = Field(None, description="The path of a page of the book, as in the map.")
    page: Text | None = Field(None, description="The path of the address that readers asked from.")
    language: Annotated[str, StringConstraints(max_length=20), Storable] | None = None
    edition: Annotated[str, StringConstraints(max_length=100), Storable] | None = None
    words: Annotated[str, StringConstraints(max_length=200), Storable] | None = Field(
        None, description="Words that all occur, in any order."
    )

    def selection(self, book: str, now: datetime) -> Selection:
        """Return the selection with the filters."""
        filters = ("outcome", "rating", "chapter", "page", "language", "edition", "words")
        return replace(super().selection(book, now), **{name: getattr(self, name) for name in filters})


class TimeQuery(TimeSelection):
    """Choose the form of a reply, too."""

    format: Literal["json", "csv"] = Field("json", description="`csv` for a spreadsheet.")


class PagedQuery(TimeQuery):
    """Select a part of a list."""

    limit: int = Field(50, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=MOST_OFFSET, description="How many to leave out.")


class FilteredQuery(QuestionFilters, PagedQuery):
    """Select a part of the questions that fulfil the filters."""


class PageQuery(QuestionFilters):
    """Read the address of a page, or of the file with all that the page lists.

    `sections` opens the map's chapters, `demo` shows made-up questions.
    """

    offset: int = Field(0, ge=0, le=MOST_OFFSET)
    sections: Literal["1"] | None = None
    demo: Literal["1"] | None = None
    format: Literal["html", "csv"] = "html"


def page_of(found: Sequence[T], *, limit: int, offset: int) -> tuple[Sequence[T], int | None]:
    """Return at most `limit` of what was found, and the offset of the next if there is one more."""
    return (found[:limit], offset + limit) if len(found) > limit else (found, None)


class GroupPath(BaseModel):
    """Name a group in a path."""

    group: int = Field(ge=1, le=2**31 - 1)


class PlaceReply(BaseModel):
    """Name a section of the book."""

    path: str
    headings: str


class GapReply(BaseModel):
    """Describe questions that ask the same and were refused, not supported or disliked."""

    group: int | None
    questions: int
    refused: int
    unsupported: int
    disliked: int
    answered_since: int
    first_asked_at: datetime
    last_asked_at: datetime
    examples: list[str]
    sections: list[PlaceReply]
    trend: list[int] = Field(description="Questions in equal parts of the time, oldest first.")


class CountedReply(BaseModel):
    """Count the questions with one value."""

    value: str
    questions: int
    answered: int
    refused: int
    unsupported: int
    disliked: int


class WordlessReply(BaseModel):
    """Count questions whose words are not kept, each once in both lists.

    `chapters` are paths of pages of the book, `pages` of those that readers asked from; an empty value stands
    for none.
    """

    chapters: list[CountedReply]
    pages: list[CountedReply]


class GapsReply(BaseModel):
    """List gaps, those with most questions first. Questions without words are not among them."""

    book: str
    gaps: list[GapReply]
    wordless: WordlessReply
    next_offset: int | None


class QuestionReply(BaseModel):
    """Describe a question as it is kept."""

    id: int
    asked_at: datetime
    group: int | None
    words: str | None
    language: str
    page: str
    edition: str | None
    mode: Mode
    outcome: str
    unsupported: bool
    degraded: bool
    model: str
    rating: Literal["up", "down"] | None
    reason: str | None
    cited: list[PlaceReply]
    nearest: list[PlaceReply]
    cost_usd: float | None
    first_word_ms: float | None


class QuestionsReply(BaseModel):
    """List questions, newest first."""

    book: str
    questions: list[QuestionReply]
    next_offset: int | None


class GroupReply(BaseModel):
    """Describe questions that ask the same."""

    group: int | None
    questions: int
    answered: int
    refused: int
    unsupported: int
    disliked: int
    liked: int
    first_asked_at: datetime
    last_asked_at: datetime
    examples: list[str]
    sections: list[PlaceReply]
    trend: list[int]


class GroupsReply(BaseModel):
    """List groups, those with most questions first. Questions without words are not among them."""

    book: str
    groups: list[GroupReply]
    wordless: WordlessReply
    next_offset: int | None


class ShownSourceReply(BaseModel):
    """Name a source of an answer."""

    path: str
    headings: str
    url: str
    cited: bool


class AnsweredReply(QuestionReply):
    """Describe a question with its answer, masked; null once the reader's session is gone."""

    answer: str | None
    sources: list[ShownSourceReply] | None


class OneGroupReply(BaseModel):
    """Open a group. `issue` is Markdown for the book's repository; null if nothing is missing."""

    book: str
    group: GroupReply
    gap: GapReply | None
    issue: str | None
    questions: list[AnsweredReply]
    next_offset: int | None


class MappedSectionReply(BaseModel):
    """Count for a section the answers that cited it, those disliked, and what failed near it."""

    headings: str
    cited: int
    disliked: int
    near: int


class MappedPageReply(BaseModel):
    """Count for a page what its sections count, and the questions that were asked from it."""

    path: str
    title: str
    asked: int
    cited: int
    disliked: int
    near: int
    sections: list[MappedSectionReply]


class MapReply(BaseModel):
    """List the pages of the published edition in reading order; last those that it does not have any more."""

    book: str
    pages: list[MappedPageReply]
    next_offset: int | None


class NumbersReply(BaseModel):
    """Count questions. `answered` are those that the book supports and nobody disliked."""

    questions: Count
    answered: Count
    refused: Count
    unsupported: Count
    disliked: Count
    cached: Count
    cost_usd: float


class DayReply(NumbersReply):
    """Count the questions of one day (UTC)."""

    day: date


class FirstWordReply(BaseModel):
    """Hold how long half of the readers, and 19 of 20, waited at most for the first word."""

    median_ms: float | None
    p95_ms: float | None


class ChangeReply(BaseModel):
    """Count the gaps of the older of two editions by what the newer one does with their questions."""

    newer: str
    older: str
    closed: int
    open: int
    silent: int
    new: int
    examples: list[str]


class TrendsReply(BaseModel):
    """Follow the questions of a time; `before` is as long a time before it, if that is still kept."""

    book: str
    total: NumbersReply
    before: NumbersReply | None
    first_word: FirstWordReply
    days: list[DayReply]
    languages: list[CountedReply]
    editions: list[CountedReply]
    pages: list[CountedReply]
    change: ChangeReply | None
