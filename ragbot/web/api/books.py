"""List the books of the service (`GET /books`)."""

from __future__ import annotations

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from ragbot.services import current_services
from ragbot.web.schemas import Nothing, json_reply

books = APIBlueprint("books", __name__, abp_tags=[Tag(name="Questions", description="Ask the book.")])


class ListedBook(BaseModel):
    """Describe a book by its published edition; `default` is asked where a question names no book."""

    book: str
    title: str
    language: str
    site_url: str
    edition: str
    default: bool


class BooksReply(BaseModel):
    """List the books, the one that was published first in front."""

    books: list[ListedBook]


@books.get("/books", responses={"200": BooksReply}, summary="List the books")
def list_books(query: Nothing) -> Response:  # noqa: ARG001
    """List the books that can be asked, each by the edition that its readers get."""
    published = current_services().published
    default = published.choose(None, None)
    listed = [
        {
            "book": facts.book,
            "title": facts.title,
            "language": facts.language,
            "site_url": facts.site_url,
            "edition": facts.name,
            "default": facts.book == default,
        }
        for facts in published.books()
    ]
    return json_reply({"books": listed})
