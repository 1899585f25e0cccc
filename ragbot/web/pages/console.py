"""Serve the console (`GET /`), a page to ask questions by hand."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from ragbot.core.errors import DatabaseUnavailable
from ragbot.services import current_services
from ragbot.version import __version__
from ragbot.web.middleware.authentication import require_console_password
from ragbot.web.middleware.widget_tokens import admit_console

console = Blueprint("console", __name__)
console.before_request(require_console_password)

EXAMPLES = 4

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@console.get("/")
def page() -> Response:
    """Serve the page, with the default book's title if the database can be read."""
    services = current_services()
    try:
        books = list(services.published.books())
        default = services.published.choose(None, None)
    except DatabaseUnavailable:
        books, default = [], ""
    # The default one in front: it is asked unless another is chosen.
    books.sort(key=lambda one: one.book != default)
    facts = books[0] if books else None
    # The page does not wait for the index.
    served = services.published.served()
    examples = services.examples.of_book(served)[:EXAMPLES] if facts and served else ()
    book = {"title": facts.title, "edition": facts.name, "chunks": facts.chunks} if facts else None
    html = render_template("console.html", version=__version__, book=book, books=books, examples=examples)
    response = Response(html, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})
    admit_console(response)
    return response
