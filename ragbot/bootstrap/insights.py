"""Build what groups the questions that readers asked, and what lays them over the book."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from ragbot.bootstrap.extractive import question_similarity, understood_texts
from ragbot.bootstrap.providers import Providers
from ragbot.bootstrap.storage import Storage
from ragbot.config import Settings
from ragbot.core.errors import NoBook
from ragbot.core.ports import State
from ragbot.index.published_books import PublishedBooks
from ragbot.insights.book_map import BookMap, book_map
from ragbot.storage.book_outlines import BookOutlines
from ragbot.storage.question_groups import QuestionGroupStore
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_selection import Selection

# The shared state by which the workers agree who groups, and how often.
STATE = "question_grouping"
EVERY_S = 24 * 3600.0


def build_grouping(settings: Settings, storage: Storage, providers: Providers) -> Callable[[], int]:
    """Return a function that gives groups to new questions, and returns how many it has grouped."""

    def group_new_questions() -> int:
        # It brings numpy, which a service without a local model does not need before.
        from ragbot.insights.groups import QuestionGrouper

        return QuestionGrouper(
            QuestionGroupStore(storage.database),
            providers.query_embedder,
            understands=understood_texts(settings),
            similarity=question_similarity(settings),
        ).group_new()

    return group_new_questions


def build_book_map(
    insights: QuestionInsights, storage: Storage, published: PublishedBooks
) -> Callable[[Selection], BookMap]:
    """Return a function that lays the selected questions over the published edition of their book."""
    outlines = BookOutlines(storage.database)

    def map_questions(selection: Selection) -> BookMap:
        try:
            edition = published.known(selection.book)
        except NoBook:
            edition = None
        return book_map(
            outlines.outline(edition) if edition else [],
            edition.site_url if edition else "",
            insights.places(selection),
            insights.pages(selection),
        )

    return map_questions


def once_a_day(storage: Storage, group_new: Callable[[], int]) -> Callable[[], None]:
    """Return a periodic task that groups once a day over all workers."""

    def group_questions() -> None:
        token = secrets.token_hex(8)

        def claimed(state: State | None) -> State:
            return state or {"by": token}

        state = storage.shared_state.change(STATE, claimed, EVERY_S)
        if state is not None and state.get("by") == token:
            group_new()

    return group_questions
