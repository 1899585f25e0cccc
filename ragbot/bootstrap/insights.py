"""Build what groups the questions that readers asked, and what lays them over the book."""

from __future__ import annotations

from collections.abc import Callable

from ragbot.bootstrap.extractive import question_similarity, understood_texts
from ragbot.bootstrap.providers import Providers
from ragbot.bootstrap.storage import Storage
from ragbot.config import Settings
from ragbot.core.errors import NoBook
from ragbot.index.published_books import PublishedBooks
from ragbot.insights.book_map import BookMap, book_map
from ragbot.insights.grouping_runs import GroupingRuns
from ragbot.storage.book_outlines import outlined_pages
from ragbot.storage.question_groups import QuestionGroupStore
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_selection import Selection


def build_grouping(settings: Settings, storage: Storage, providers: Providers) -> GroupingRuns:
    """Return what gives groups to new questions, in one process at a time."""

    def group_new_questions(goes_on: Callable[[], bool]) -> int:
        # It brings numpy, which a service without a local model does not need before.
        from ragbot.insights.groups import QuestionGrouper

        return QuestionGrouper(
            QuestionGroupStore(storage.database),
            providers.query_embedder,
            understands=understood_texts(settings),
            similarity=question_similarity(settings),
        ).group_new(goes_on)

    return GroupingRuns(storage.shared_state, group_new_questions)


def build_book_map(
    insights: QuestionInsights, storage: Storage, published: PublishedBooks
) -> Callable[[Selection], BookMap]:
    """Return a function that lays the selected questions over the published edition of their book."""

    def map_questions(selection: Selection) -> BookMap:
        try:
            edition = published.known(selection.book)
        except NoBook:
            edition = None
        return book_map(
            outlined_pages(storage.database, edition) if edition else [],
            edition.site_url if edition else "",
            insights.places(selection),
            insights.pages(selection),
        )

    return map_questions
