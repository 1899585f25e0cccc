"""Test that examples are chosen once, and that a book that cannot be searched has none for now."""

from __future__ import annotations

from collections.abc import Iterator

from flask_openapi import OpenAPI

from ragbot.answering.example_questions import ExampleQuestions
from ragbot.core.answers import Question
from ragbot.core.errors import SearchUnavailable
from tests.conftest import services_of


class Counting:
    """Passes questions on to an answerer, or fails as long as the test says so."""

    def __init__(self, app: OpenAPI) -> None:
        self._answerer = services_of(app).answerer
        self.asked: list[str] = []
        self.is_down = False

    def answer(self, question: Question, history, deadline, *, without_model: bool) -> Iterator[object]:
        assert without_model
        self.asked.append(question.text)
        if self.is_down:
            raise SearchUnavailable("The index is away.")
        return self._answerer.answer(question, history, deadline, without_model=True)


def test_examples_are_tried_once(app: OpenAPI) -> None:
    """Every page of the book asks for them."""
    services, answerer = services_of(app), Counting(app)
    examples = ExampleQuestions(services.editions, services.contents, answerer)
    edition = services.published.current()

    first = examples.of_book(edition)
    tried = len(answerer.asked)

    assert examples.of_book(edition) == first != ()
    assert len(answerer.asked) == tried


def test_book_that_cannot_be_searched_has_examples_later(app: OpenAPI) -> None:
    """An outage of a second must not empty every page until the worker's end."""
    services, answerer = services_of(app), Counting(app)
    examples = ExampleQuestions(services.editions, services.contents, answerer)
    edition = services.published.current()

    answerer.is_down = True
    during = examples.of_book(edition)
    answerer.is_down = False

    assert during == ()
    assert examples.of_book(edition) != ()
