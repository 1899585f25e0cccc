"""Serve the public page to ask on (`/ask`): the widget as a page, and a plain form where it cannot run."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, render_template, request
from pydantic import TypeAdapter, ValidationError
from werkzeug.exceptions import HTTPException

from ragbot.config import Settings
from ragbot.core.answers import Answer, Question
from ragbot.core.domain import DEFAULT_BOOK, EditionFacts
from ragbot.core.errors import BookNotFound, DatabaseUnavailable, RagbotError
from ragbot.core.languages import language_tag
from ragbot.services import Services, current_services
from ragbot.version import __version__
from ragbot.web.answer_html import answer_html
from ragbot.web.errors import WidgetTokenRequired, problem_of, shape_of
from ragbot.web.middleware.access_log import log_turn
from ragbot.web.middleware.load_shedding import reserved_slot
from ragbot.web.middleware.requests import BODY_TIMEOUT_S, body_timeout
from ragbot.web.middleware.widget_tokens import FIELD, FORM, widget_tokens
from ragbot.web.schemas import MAX_QUESTION_CHARS, QuestionText
from ragbot.web.turn_events import first_event, whole_answer

ask_page = Blueprint("ask_page", __name__)
# Its calls are questions, and limited as such.
ask_form = Blueprint("ask_form", __name__)

_QUESTION: TypeAdapter[str] = TypeAdapter(QuestionText)
NO_QUESTION = f"Write a question of at most {MAX_QUESTION_CHARS:,} characters."
OLD_FORM = "This form is too old; press Ask once more."

# The body of a refused form comes with its head as a rule; who sends it slowly may hold no thread.
REFUSED_BODY_TIMEOUT_S = 1.0


@ask_page.get("/ask")
def show() -> Response:
    """Serve the page. `?q=` fills in the question; the widget asks it, the form waits to be sent.

    `?book=` names one of several books.
    """
    return _page(
        _chosen_book(request.args.get("book")), question=request.args.get("q", "")[:MAX_QUESTION_CHARS]
    )


@ask_form.post("/ask")
def answer() -> Response:
    """Answer the form's question on the page."""
    question, named = _sent()
    book = _chosen_book(named)
    try:
        text = _QUESTION.validate_python(question)
    except ValidationError:
        return _page(book, question=question[:MAX_QUESTION_CHARS], trouble=NO_QUESTION, status=422)
    turns = current_services().turns
    running = turns.begin(Question(text, book=book), None, slot=reserved_slot(), whole=True)
    log_turn(running)
    return _page(book, question=text, answer=whole_answer(running, first_event(running)))


@ask_page.errorhandler(BookNotFound)
@ask_page.errorhandler(DatabaseUnavailable)
@ask_form.errorhandler(RagbotError)
@ask_form.errorhandler(HTTPException)
def _tell(error: RagbotError | HTTPException) -> Response:
    """Say on the page what went wrong, with the status that a call of the API has."""
    problem = problem_of(error)
    g.problem_code = problem["code"]
    question, book = _kept()
    trouble = OLD_FORM if isinstance(error, WidgetTokenRequired) else problem["detail"]
    response = _page(book, question=question, trouble=trouble, status=problem["status"])
    shape = shape_of(error) if isinstance(error, RagbotError) else None
    if shape is not None and shape.retry_after_s is not None:
        response.headers["Retry-After"] = str(shape.retry_after_s)
    return response


def _sent(timeout_s: float = BODY_TIMEOUT_S) -> tuple[str, str | None]:
    """Return the form's question and the book that it names."""
    with body_timeout(request.environ, timeout_s):
        return request.form.get("query", ""), request.form.get("book")


def _kept() -> tuple[str, str | None]:
    """Return the question and the book of a form that is not answered, to be sent again."""
    if request.method != "POST":
        return "", None
    try:
        question, named = _sent(REFUSED_BODY_TIMEOUT_S)
    except (HTTPException, OSError):
        # Its body is too large, or has not come.
        return "", None
    try:
        return question[:MAX_QUESTION_CHARS], _chosen_book(named)
    except RagbotError:
        return question[:MAX_QUESTION_CHARS], None


def _chosen_book(named: str | None) -> str:
    """Return the named book or the default one. Raises BookNotFound."""
    return current_services().published.choose(named or None, None)


def _page(
    book: str | None, *, question: str, answer: Answer | None = None, trouble: str = "", status: int = 200
) -> Response:
    services = current_services()
    # The page does not wait for the index.
    served = services.published.served(book)
    edition = served or _published(services, book)
    page = render_template(
        "ask.html",
        version=__version__,
        book=book if edition and book != DEFAULT_BOOK else "",
        title=edition.title if edition else "",
        site_url=edition.site_url if edition else "",
        language=_language(edition),
        question=question,
        trouble=trouble,
        answer=_shown(answer) if answer else None,
        examples=services.examples.of_book(served) if served and not (question or trouble) else (),
        most_chars=MAX_QUESTION_CHARS,
        token=_token(services.settings),
        token_field=FIELD,
    )
    policy = content_security_policy(services.settings.allowed_origins)
    return Response(page, status, {"Content-Security-Policy": policy})


def content_security_policy(origins: tuple[str, ...]) -> str:
    """Return the page's policy, which lets pages of these origins show it in a frame."""
    frames = " ".join(("'self'", *origins))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'self'; "
        f"frame-ancestors {frames}"
    )


def _published(services: Services, book: str | None) -> EditionFacts | None:
    try:
        return services.published.known(book)
    except RagbotError:
        return None


def _language(edition: EditionFacts | None) -> str:
    tag = language_tag(edition.language) if edition else "und"
    return "en" if tag == "und" else tag


def _shown(answer: Answer) -> dict[str, Any]:
    cited = [(number, source) for number, source in enumerate(answer.sources, 1) if source.cited]
    return {"html": answer_html(answer.text, {number for number, _ in cited}), "sources": cited}


def _token(settings: Settings) -> str:
    tokens = widget_tokens(settings)
    return tokens.issue(FORM) if tokens else ""
