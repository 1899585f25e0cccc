"""Serve what readers asked (`/admin/insights`), as JSON and as CSV. The calls need ADMIN_API_KEY."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel
from werkzeug.exceptions import NotFound

from ragbot.insights.report import as_issue
from ragbot.insights.trends import trends as trends_of
from ragbot.insights.values import (
    MAP_COLUMNS,
    answered_values,
    gap_values,
    group_values,
    map_rows,
    map_values,
    question_values,
    trend_values,
    wordless_rows,
    wordless_values,
)
from ragbot.services import current_services
from ragbot.storage.question_selection import Selection
from ragbot.web.insight_csv import DAY_COLUMNS, csv_reply
from ragbot.web.insight_schemas import (
    AnsweredReply,
    FilteredQuery,
    GapReply,
    GapsReply,
    GroupPath,
    GroupReply,
    GroupsReply,
    MapReply,
    OneGroupReply,
    PagedQuery,
    QuestionReply,
    QuestionsReply,
    TimeQuery,
    TrendsReply,
    page_of,
)
from ragbot.web.schemas import json_reply

insights = APIBlueprint(
    "insights",
    __name__,
    url_prefix="/admin/insights",
    abp_tags=[Tag(name="Insights", description="What readers asked, for the operator, with `X-API-Key`.")],
    abp_security=[{"adminKey": []}],
)

T = TypeVar("T")


@insights.get("/gaps", responses={"200": GapsReply}, summary="List what readers did not find")
def gaps(query: PagedQuery) -> Response:
    """List questions that were refused, not supported or disliked, in groups that ask the same."""
    read = current_services().insights
    return _listed("gaps", query, read.gaps, gap_values, GapReply, wanting=True)


@insights.get("/questions", responses={"200": QuestionsReply}, summary="List questions")
def questions(query: FilteredQuery) -> Response:
    """List questions as they are kept, newest first."""
    return _listed("questions", query, current_services().insights.questions, question_values, QuestionReply)


@insights.get("/groups", responses={"200": GroupsReply}, summary="List groups of questions")
def groups(query: FilteredQuery) -> Response:
    """List questions in groups that ask the same, those with most questions first."""
    read = current_services().insights
    return _listed("groups", query, read.groups, group_values, GroupReply, wanting=False)


@insights.get("/groups/<group>", responses={"200": OneGroupReply}, summary="Open a group of questions")
def group(path: GroupPath, query: PagedQuery) -> Response:
    """Return a group with its questions, newest first, and the answers that are still stored."""
    selection, read = _selection(query), current_services().insights
    facts = read.group(path.group, selection)
    if facts is None:
        raise NotFound
    found = read.questions_of(path.group, selection, limit=query.limit + 1, offset=query.offset)
    page, next_offset = page_of(found, limit=query.limit, offset=query.offset)
    values = [answered_values(asked) for asked in page]
    if query.format == "csv":
        return csv_reply("questions", AnsweredReply.model_fields, values)
    gap = read.gap_of(path.group, selection)
    return json_reply(
        {
            "book": selection.book,
            "group": group_values(facts),
            "gap": gap_values(gap) if gap else None,
            "issue": as_issue(selection.book, gap) if gap else None,
            "questions": values,
            "next_offset": next_offset,
        }
    )


@insights.get("/map", responses={"200": MapReply}, summary="Lay the questions over the book")
def book_map(query: PagedQuery) -> Response:
    """List the book's pages and sections in reading order, with how often each was cited and failed."""
    selection = _selection(query)
    found = current_services().map_questions(selection)
    if query.format == "csv":
        return csv_reply("map", MAP_COLUMNS, map_rows(found))
    end = query.offset + query.limit
    pages = [*found.pages, *found.elsewhere]
    page, next_offset = page_of(pages[query.offset : end + 1], limit=query.limit, offset=query.offset)
    values = [map_values(one) for one in page]
    return json_reply({"book": selection.book, "pages": values, "next_offset": next_offset})


@insights.get("/trends", responses={"200": TrendsReply}, summary="Follow the questions from day to day")
def trends(query: TimeQuery) -> Response:
    """Return the numbers of each day, language, edition and busy page. CSV has the days."""
    selection = _selection(query)
    services = current_services()
    kept = timedelta(days=services.settings.insights_days)
    values = trend_values(trends_of(services.insights, selection, datetime.now(UTC), kept=kept))
    if query.format == "csv":
        return csv_reply("days", DAY_COLUMNS, values["days"])
    return json_reply({"book": selection.book, **values})


def _selection(query: TimeQuery) -> Selection:
    """Return the selection of a query. Raises BookNotFound."""
    book = current_services().published.choose(query.book, None)
    return query.selection(book, datetime.now(UTC))


def _listed(
    name: str,
    query: PagedQuery,
    read: Callable[..., Sequence[T]],
    values_of: Callable[[T], dict[str, Any]],
    columns: type[BaseModel],
    *,
    wanting: bool | None = None,
) -> Response:
    """Return a part of a list, `name`, in the form that the query wants; CSV has the reply's fields.

    Unless `wanting` is None, questions without words are counted with it: those that want an answer, or all.
    In CSV they are behind the last part.
    """
    selection = _selection(query)
    found = read(selection, limit=query.limit + 1, offset=query.offset)
    page, next_offset = page_of(found, limit=query.limit, offset=query.offset)
    reply: dict[str, Any] = {"book": selection.book, name: [values_of(one) for one in page]}
    if wanting is not None:
        wordless = current_services().insights.wordless(selection, wanting=wanting)
        reply["wordless"] = wordless_values(wordless)
        reply[name] += wordless_rows(wordless) if query.format == "csv" and next_offset is None else []
    if query.format == "csv":
        return csv_reply(name, columns.model_fields, reply[name])
    return json_reply({**reply, "next_offset": next_offset})
