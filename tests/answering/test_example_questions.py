"""Test that examples are chosen once, and that a book that cannot be searched has none for now."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask_openapi import OpenAPI

from ragbot.answering.example_questions import ExampleQuestions
from ragbot.core.answers import Question
from ragbot.core.errors import DeadlineExceeded, SearchUnavailable
from ragbot.core.single_flight import Flight
from tests.conftest import services_of


class Counting:
    """Passes questions on to an answerer, or fails as long as the test says so."""

    def __init__(self, app: OpenAPI) -> None:
        self._answerer = services_of(app).answerer
        self.asked: list[str] = []
        self.is_down = False
        self.questions_in_time = 1000
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def answer(self, question: Question, history, deadline, *, without_model: bool) -> Iterator[object]:
        assert without_model
        self.asked.append(question.text)
        if self.is_down:
            raise SearchUnavailable("The index is away.")
        if len(self.asked) > self.questions_in_time:
            self.may_go_on.wait(60)
            raise DeadlineExceeded
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


def test_examples_that_were_found_in_time_are_kept(app: OpenAPI) -> None:
    """On a slow machine a page has some of them, and the next page does not wait again."""
    services, answerer = services_of(app), Counting(app)
    examples = ExampleQuestions(services.editions, services.contents, answerer)
    edition = services.published.current()

    answerer.questions_in_time = 1
    found = examples.of_book(edition)
    tried = len(answerer.asked)

    assert tried == 2
    assert found == (answerer.asked[0],)
    assert examples.of_book(edition) == found
    assert len(answerer.asked) == tried


def test_whoever_waits_for_examples_of_a_hanging_index_waits_once(
    app: OpenAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in turn tried anew, and the pages filled the worker's threads."""
    services, answerer = services_of(app), Counting(app)
    examples = ExampleQuestions(services.editions, services.contents, answerer)
    edition = services.published.current()
    waiting = threading.Semaphore(0)
    wait = Flight.wait

    def counted(flight: Flight[object], *args: object, **more: object) -> None:
        waiting.release()
        wait(flight, *args, **more)

    monkeypatch.setattr(Flight, "wait", counted)
    answerer.questions_in_time = 0
    answerer.may_go_on.clear()
    found: list[tuple[str, ...]] = []
    pages = [threading.Thread(target=lambda: found.append(examples.of_book(edition))) for _ in range(5)]
    for page in pages:
        page.start()
    assert all(waiting.acquire(timeout=60) for _ in range(4))
    answerer.may_go_on.set()
    for page in pages:
        page.join(60)

    assert found == [()] * 5
    assert len(answerer.asked) == 1
