"""Tell a reader's page about the book and what the service can do (`GET /book`)."""

from __future__ import annotations

from typing import Literal

import orjson
from flask import Response, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from ragbot.answering.evidence import page_link
from ragbot.config import Settings
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DatabaseUnavailable
from ragbot.core.languages import language_tag
from ragbot.services import Services, current_services
from ragbot.web.schemas import MAX_QUESTION_CHARS, MAX_SELECTION_CHARS, PageUrl, Slug

book = APIBlueprint("book", __name__, abp_tags=[Tag(name="Book", description="The book that is asked.")])

# A page asks once a visit; a new edition is seen after a minute.
CACHE_CONTROL = "public, max-age=60"
# A longer table of contents is cut: it is for links beside the question, not for reading.
MOST_CHAPTERS = 200


class DescriptionQuery(BaseModel):
    """Select the book and the examples."""

    model_config = ConfigDict(extra="forbid")

    book: Slug | None = Field(
        None, description="Null is the book of the reader's page, else the default one."
    )

    page_url: PageUrl | None = Field(None, description="The reader's page, whose examples come first.")


class Chapter(BaseModel):
    """Name a page of the book."""

    title: str
    url: str


class Capabilities(BaseModel):
    """Say what a client may offer."""

    model: bool = Field(description="Whether a model answers; else the book's own sentences do.")
    stream: Literal[True] = True
    selection: Literal[True] = True
    max_question_chars: int = MAX_QUESTION_CHARS
    max_selection_chars: int = MAX_SELECTION_CHARS


class Limits(BaseModel):
    """Say how many questions one caller may ask; null is no limit."""

    per_minute: int | None
    per_day: int | None


class WidgetToken(BaseModel):
    """Say whether a question needs a token of `POST /widget/token`."""

    required: bool


class BookReply(BaseModel):
    """Describe a book by its published edition."""

    book: str
    title: str
    language: str = Field(description="A BCP 47 tag; `und` if it is not known.")
    site_url: str
    edition: str
    editions: list[str] = Field(description="Those that are or were published, newest first.")
    chapters: list[Chapter] = Field(description="The pages in reading order, at most 200.")
    examples: list[str] = Field(description="Questions that the book answers, at most 6.")
    capabilities: Capabilities
    limits: Limits
    widget_token: WidgetToken


@book.get("/book", responses={"200": BookReply}, summary="Describe the book")
def describe(query: DescriptionQuery) -> Response:
    """Return the book's title, chapters and example questions, and what the service can do.

    The reply has an ETag; a request with `If-None-Match` gets 304 while nothing has changed.
    """
    services = current_services()
    slug = services.published.choose(query.book, query.page_url)
    edition = services.published.current(slug, Deadline(services.settings.query_deadline_s))
    if query.page_url:
        examples = services.examples.of_page(edition, query.page_url)
    else:
        examples = services.examples.of_book(edition)
    reply = _reply(services, edition, examples)
    response = Response(orjson.dumps(reply.model_dump()), mimetype="application/json")
    response.headers["Cache-Control"] = CACHE_CONTROL
    # Whether a page of another origin may read it is told to those alone that name their origin.
    response.vary.add("Origin")
    response.add_etag()
    response.make_conditional(request)
    return response


def _reply(services: Services, edition: EditionFacts, examples: tuple[str, ...]) -> BookReply:
    settings = services.settings
    url = page_link(edition)
    pages = services.contents.outline(edition)[:MOST_CHAPTERS]
    return BookReply(
        book=edition.book,
        title=edition.title,
        language=language_tag(edition.language),
        site_url=edition.site_url,
        edition=edition.name,
        editions=_editions(services, edition),
        chapters=[Chapter(title=page.title, url=url(page)) for page in pages],
        examples=list(examples),
        capabilities=Capabilities(model=settings.openai_api_key is not None),
        limits=_limits(settings),
        widget_token=WidgetToken(required=settings.widget_token_minutes > 0),
    )


def _editions(services: Services, edition: EditionFacts) -> list[str]:
    try:
        return services.editions.once_published(edition.book)
    except DatabaseUnavailable:
        # The index answers on, and so does this.
        return [edition.name]


def _limits(settings: Settings) -> Limits:
    if not settings.rate_limit_enabled:
        return Limits(per_minute=None, per_day=None)
    return Limits(
        per_minute=settings.rate_limit_queries_per_minute, per_day=settings.rate_limit_queries_per_day_per_ip
    )
