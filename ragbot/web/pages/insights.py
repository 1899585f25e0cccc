"""Serve the pages that tell an author what readers asked (`/insights`), behind the console's password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, render_template, request, url_for
from pydantic import ValidationError

from ragbot.config import Settings
from ragbot.core.domain import DEFAULT_BOOK
from ragbot.core.errors import RagbotError
from ragbot.insights.book_map import BookMap
from ragbot.insights.demo import SPREAD, demo
from ragbot.insights.masking import mask_personal_data
from ragbot.insights.report import as_issue
from ragbot.insights.trends import trends
from ragbot.insights.values import (
    MAP_COLUMNS,
    answered_values,
    gap_values,
    group_values,
    map_rows,
    trend_values,
    wordless_rows,
)
from ragbot.services import current_services
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_lists import AskedFacts
from ragbot.storage.question_selection import OUTCOMES, RATINGS, Selection
from ragbot.version import __version__
from ragbot.web.answer_html import answer_html
from ragbot.web.errors import problem_of
from ragbot.web.insight_csv import DAY_COLUMNS, csv_reply
from ragbot.web.insight_schemas import AnsweredReply, GapReply, GroupReply, PageQuery, page_of
from ragbot.web.middleware.authentication import require_console_password
from ragbot.web.pages import insight_charts

insights_page = Blueprint("insights_page", __name__)
insights_page.before_request(require_console_password)

RANGES = (7, 30, 90)
SHOWN_GAPS = 5
LISTED = 25
# Of a file, which is made in memory.
MOST_ROWS = 10_000

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SHARES = ("refused", "unsupported", "disliked")
# What the links of a page keep of its address.
_KEPT = ("book", "days", "since", "until", "demo")


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what a page shows: the reader of its questions, what is selected, and the book's map."""

    insights: QuestionInsights
    selection: Selection
    query: PageQuery
    map_questions: Callable[[Selection], BookMap]
    title: str
    now: datetime
    kept: timedelta


@insights_page.get("/insights")
def overview() -> Response:
    """Show the course of a time, and the largest gaps."""
    return _shown(_overview, _days_file)


@insights_page.get("/insights/gaps")
def gaps() -> Response:
    """Show the gaps, each with its issue to copy."""
    return _shown(_gaps, _gaps_file)


@insights_page.get("/insights/questions")
def questions() -> Response:
    """Show the questions in groups, with search and filters."""
    return _shown(_questions, _groups_file)


@insights_page.get("/insights/map")
def book_map() -> Response:
    """Show the book in reading order as a heat strip and a table."""
    return _shown(_map, _map_file)


@insights_page.get("/insights/groups/<int(max=2147483647):group>")
def one_group(group: int) -> Response:
    """Show the questions of a group, with their answers while they are stored."""
    return _shown(lambda asked: _group(asked, group), lambda asked: _group_file(asked, group))


@insights_page.errorhandler(RagbotError)
def _tell(error: RagbotError) -> Response:
    problem = problem_of(error)
    g.problem_code = problem["code"]
    return _page("trouble.html", {"trouble": str(error) or problem["detail"]}, status=problem["status"])


def _shown(page: Callable[[Asked], Response], file: Callable[[Asked], Response]) -> Response:
    """Read the address and show a page of what it selects, or send its file; or say what is wrong with it."""
    given = {name: value for name, value in request.args.items() if value}
    try:
        query = PageQuery.model_validate(given)
    except ValidationError as error:
        faults = ", ".join(str(one["loc"][0]) if one["loc"] else one["msg"] for one in error.errors())
        return _page(
            "trouble.html", {"trouble": f"The address of this page is wrong in: {faults}."}, status=422
        )
    view = file if query.format == "csv" else page
    if query.demo:
        return _of_demo(view, query)
    services, now = current_services(), datetime.now(UTC)
    book = services.published.choose(query.book, None)
    return view(
        Asked(
            insights=services.insights,
            selection=query.selection(book, now),
            query=query,
            map_questions=services.map_questions,
            title=dict(_books()).get(book, book),
            now=now,
            kept=timedelta(days=services.settings.insights_days),
        )
    )


def _of_demo(view: Callable[[Asked], Response], query: PageQuery) -> Response:
    """Show a view of made-up questions; a book that the address names is not asked for."""
    now = datetime.now(UTC)
    with demo(now) as made_up:
        return view(
            Asked(
                insights=made_up.insights,
                selection=query.selection(DEFAULT_BOOK, now),
                query=query,
                map_questions=made_up.map_questions,
                title=made_up.title,
                now=now,
                kept=SPREAD,
            )
        )


def _days_file(asked: Asked) -> Response:
    found = trends(asked.insights, asked.selection, asked.now, kept=asked.kept)
    return csv_reply("days", DAY_COLUMNS, trend_values(found)["days"])


def _gaps_file(asked: Asked) -> Response:
    found = asked.insights.gaps(asked.selection, limit=MOST_ROWS)
    rows = [*map(gap_values, found), *wordless_rows(asked.insights.wordless(asked.selection, wanting=True))]
    return csv_reply("gaps", GapReply.model_fields, rows)


def _groups_file(asked: Asked) -> Response:
    found = asked.insights.groups(asked.selection, limit=MOST_ROWS)
    rows = [
        *map(group_values, found),
        *wordless_rows(asked.insights.wordless(asked.selection, wanting=False)),
    ]
    return csv_reply("groups", GroupReply.model_fields, rows)


def _map_file(asked: Asked) -> Response:
    return csv_reply("map", MAP_COLUMNS, map_rows(asked.map_questions(asked.selection)))


def _group_file(asked: Asked, group: int) -> Response:
    found = asked.insights.questions_of(group, asked.selection, limit=MOST_ROWS)
    return csv_reply("questions", AnsweredReply.model_fields, map(answered_values, found))


def _overview(asked: Asked) -> Response:
    found = trends(asked.insights, asked.selection, asked.now, kept=asked.kept)
    parts = insight_charts.periods(found.days, insight_charts.MOST_BARS)
    return _page(
        "overview.html",
        {
            "trends": found,
            "periods": parts,
            "chart": insight_charts.bar_chart(parts),
            "shares": insight_charts.share_lines(
                insight_charts.periods(found.days, insight_charts.MOST_SHARES), _SHARES
            ),
            "gaps": asked.insights.gaps(asked.selection, limit=SHOWN_GAPS),
            "wordless": asked.insights.wordless(asked.selection, wanting=True),
        },
        asked,
    )


def _gaps(asked: Asked) -> Response:
    offset = asked.query.offset
    listed = asked.insights.gaps(asked.selection, limit=LISTED + 1, offset=offset)
    found, following = page_of(listed, limit=LISTED, offset=offset)
    issues = [as_issue(asked.selection.book, gap) for gap in found]
    return _page(
        "gaps.html",
        {
            "gaps": list(zip(found, issues, strict=True)),
            "wordless": asked.insights.wordless(asked.selection, wanting=True),
            "asked_any": bool(listed or asked.insights.questions(asked.selection, limit=1)),
            "first": offset + 1,
            "following": following,
        },
        asked,
    )


def _questions(asked: Asked) -> Response:
    offset = asked.query.offset
    listed = asked.insights.groups(asked.selection, limit=LISTED + 1, offset=offset)
    found, following = page_of(listed, limit=LISTED, offset=offset)
    whole = Selection(asked.selection.book, asked.selection.since, asked.selection.until)
    return _page(
        "questions.html",
        {
            "groups": found,
            "wordless": asked.insights.wordless(asked.selection, wanting=False),
            "following": following,
            "kinds": asked.insights.kinds(whole),
            "outcomes": OUTCOMES,
            "ratings": RATINGS,
        },
        asked,
    )


def _map(asked: Asked) -> Response:
    found = asked.map_questions(asked.selection)
    return _page("map.html", {"map": found, "strip": insight_charts.heat_strip(found.pages)}, asked)


def _group(asked: Asked, group: int) -> Response:
    facts = asked.insights.group(group, asked.selection)
    if facts is None:
        trouble = "No question of this group was asked in this time."
        return _page("trouble.html", {"trouble": trouble}, asked, status=404)
    offset = asked.query.offset
    listed = asked.insights.questions_of(group, asked.selection, limit=LISTED + 1, offset=offset)
    found, following = page_of(listed, limit=LISTED, offset=offset)
    gap = asked.insights.gap_of(group, asked.selection)
    return _page(
        "group.html",
        {
            "group": facts,
            "gap": gap,
            "issue": as_issue(asked.selection.book, gap) if gap else "",
            "questions": [(one, _answer_html(one)) for one in found],
            "following": following,
        },
        asked,
    )


def _answer_html(asked: AskedFacts) -> str:
    # No mark is a link: the sources of several answers stand on one page.
    return answer_html(mask_personal_data(asked.answer), frozenset()) if asked.answer else ""


def _page(
    template: str, values: Mapping[str, Any], asked: Asked | None = None, *, status: int = 200
) -> Response:
    given = asked.query.model_dump(mode="json", exclude_unset=True) if asked else {}
    kept = {name: value for name, value in given.items() if name in _KEPT}

    def link(view: str, **changes: Any) -> str:
        return url_for(f"insights_page.{view}", **{**kept, **changes})

    def here(**changes: Any) -> str:
        return url_for(str(request.endpoint), **{**(request.view_args or {}), **given, **changes})

    page = render_template(
        f"insights/{template}",
        version=__version__,
        asked=asked,
        kept=kept,
        link=link,
        here=here,
        view=(request.endpoint or "").rpartition(".")[2],
        status=status,
        books=_books(),
        ranges=RANGES,
        settings=_kept_by(current_services().settings),
        charts=insight_charts,
        listed=LISTED,
        **values,
    )
    return Response(page, status, {"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def _books() -> list[tuple[str, str]]:
    try:
        return [(one.book, one.title or one.book) for one in current_services().published.books()]
    except RagbotError:
        return []


def _kept_by(settings: Settings) -> dict[str, Any]:
    return {"days": settings.insights_days, "words": settings.insights_words}
