"""Test what the console shows while answers arrive, when they fail, and when they come again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ragbot.core.answers import Degradation
from tests.system.web.console.console_page import ANSWERED, ask, has_focus, named, opened, send
from tests.system.web.console_fake_api import ANSWER, FakeApi, serving

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]


def test_sentences_that_were_not_found_in_the_book_are_counted(page: Page, fake: FakeApi) -> None:
    """A reader must know what to doubt."""
    exchange = ask(page, ANSWERED)

    expect(exchange.locator('[data-chip="unsupported"]')).to_have_text("1 of 3 sentences not found there")


@pytest.mark.parametrize("kind", Degradation)
def test_each_lack_of_an_answer_has_words(kind: Degradation) -> None:
    """A name of the code says nothing to who tries the book."""
    script = (Path(__file__).parents[4] / "static" / "console.js").read_text()

    assert f"  {kind}: '" in script.partition("DEGRADED_WORDS = {")[2].partition("}")[0]


def test_words_are_shown_while_they_arrive(page: Page, fake: FakeApi) -> None:
    """Half an answer now is worth more than a whole one later."""
    exchange = send(page, "wait What is a node?")

    expect(exchange.locator(".answer")).to_contain_text("A node is an independent program")
    expect(exchange).to_have_attribute("data-state", "running")

    fake.gate.set()
    expect(exchange).to_have_attribute("data-state", "answered")
    expect(exchange.locator(".cite")).to_have_text(["[1]", "[1]", "[2]"])
    assert page.locator("#announce").inner_text().startswith("Answer: A node is an independent program")


@pytest.mark.parametrize("by", ["button", "escape"])
def test_stopped_answer_stays_and_says_so(page: Page, fake: FakeApi, by: str) -> None:
    """Who stops has often read enough, and wants to keep what was read."""
    exchange = send(page, "wait What is a node?")
    expect(exchange.locator(".answer")).to_contain_text("A node is an independent program")

    if by == "button":
        page.click("#stop")
    else:
        page.keyboard.press("Escape")

    expect(exchange).to_have_attribute("data-state", "stopped")
    expect(exchange.locator('[data-chip="status"]')).to_have_text("Stopped")
    expect(exchange.locator(".answer")).to_contain_text("A node is an independent program")
    assert has_focus(page.locator("#question"))
    fake.gate.set()
    expect(ask(page, "What is a node?")).to_have_attribute("data-state", "answered")
    assert fake.asked[1]["session_id"] == "session-1"


def test_stream_that_ends_too_soon_is_told_as_broken(page: Page) -> None:
    """A partial answer must never pass for a whole one."""
    exchange = ask(page, "cut What is a node?")

    expect(exchange).to_have_attribute("data-state", "failed")
    expect(named(exchange, "problem-title")).to_have_text("The answer broke off")
    expect(exchange.locator(".answer")).to_contain_text("A node is an independent program")


def test_error_in_the_stream_is_told_in_its_own_words(page: Page) -> None:
    """The service knows best what went wrong and what to do about it."""
    exchange = ask(page, "break What is a node?")

    expect(named(exchange, "problem-title")).to_have_text("The deadline passed")
    expect(named(exchange, "problem-detail")).to_have_text("The model took too long. Ask again.")
    expect(named(exchange, "problem-code")).to_contain_text("deadline_exceeded")


def test_too_many_questions_says_when_to_try_again(page: Page) -> None:
    """A wait with a number on it is borne; a dead button is hammered."""
    exchange = ask(page, "limit What is a node?")

    again = named(exchange, "again")
    expect(again).to_have_text(re.compile(r"Try again in [1-7] s"))
    expect(again).to_be_disabled()
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 7000; }")
    expect(again).to_have_text("Ask again")
    expect(again).to_be_enabled()


def test_wrong_field_is_named_and_marked(page: Page, fake: FakeApi) -> None:
    """Who is told that something is invalid must be told what."""
    page.locator("#options summary").click()
    page.fill("#top_k", "40")

    exchange = ask(page, "reject What is a node?")

    expect(named(exchange, "problem-fields")).to_have_text("top_k: must be between 1 and 20")
    expect(page.locator("#top_k")).to_have_attribute("aria-invalid", "true")
    assert fake.asked[0]["top_k"] == 40


def test_proxy_page_in_place_of_an_answer_is_still_words(page: Page) -> None:
    """In front of the service stand others who do not speak its language of errors."""
    exchange = ask(page, "gateway What is a node?")

    expect(named(exchange, "problem-title")).to_have_text("The server answered 502")
    assert "<h1>" not in exchange.inner_text()


def test_unreachable_server_is_told_and_can_be_asked_again(page: Page) -> None:
    """A train goes through a tunnel; the question must survive it."""
    page.route("**/query", lambda route: route.abort())
    exchange = ask(page, "What is a node?")
    expect(named(exchange, "problem-title")).to_have_text("The server could not be reached")

    page.unroute("**/query")
    named(exchange, "again").click()

    expect(page.locator(".exchange")).to_have_count(1)
    expect(page.locator(".exchange")).to_have_attribute("data-state", "answered")


def test_stream_cut_anywhere_reads_the_same(page: Page) -> None:
    """Networks cut between the bytes of a letter and between CR and LF."""
    exchange = ask(page, "bytes What is a node?")

    expect(exchange).to_have_attribute("data-state", "answered")
    expect(exchange.locator(".cite")).to_have_count(3)


def test_session_that_is_gone_is_dropped_with_a_notice(page: Page, fake: FakeApi) -> None:
    """An expired session must not stand in the way of the next question."""
    ask(page, "What is a node?")
    fake.sessions.clear()

    page.reload()

    expect(page.locator("#notice")).to_contain_text("The earlier session has ended")
    expect(ask(page, "What is a node?")).to_have_attribute("data-state", "answered")
    assert "session_id" not in fake.asked[1]


def test_session_that_ends_meanwhile_is_replaced_by_the_next_question(page: Page, fake: FakeApi) -> None:
    """A page left open over night must work in the morning."""
    ask(page, "What is a node?")
    fake.sessions.clear()

    exchange = ask(page, "What is a topic?")

    expect(page.locator("#notice")).to_contain_text("That session has ended")
    named(exchange, "again").click()
    expect(page.locator(".exchange").last).to_have_attribute("data-state", "answered")


def test_long_history_is_turned_back_page_by_page(page: Page, fake: FakeApi) -> None:
    """A long talk must not make the page slow to open, nor lose its beginning."""
    ask(page, "What is a node?")
    kept = fake.sessions["session-1"][0]
    fake.sessions["session-1"] = [
        {**kept, "message_id": f"m{number}", "query": f"Question {number}"} for number in range(1, 46)
    ]

    page.reload()

    expect(page.locator(".exchange .question").first).to_have_text("Question 26")
    page.click("#earlier")
    expect(page.locator(".exchange .question").first).to_have_text("Question 6")
    page.click("#earlier")
    expect(page.locator(".exchange .question").first).to_have_text("Question 1")
    expect(page.locator(".exchange")).to_have_count(45)
    expect(page.locator("#earlier")).to_be_hidden()


def test_history_tells_which_answers_are_not_whole(page: Page, fake: FakeApi) -> None:
    """What broke off yesterday must not read as an answer today."""
    ask(page, "What is a node?")
    (kept,) = fake.sessions["session-1"]
    told = {"failed": "This question was not answered", "pending": "No answer yet", "stopped": "Stopped"}
    fake.sessions["session-1"] = [
        {**kept, "message_id": status, "status": status, "answer": "A node is"} for status in told
    ]

    page.reload()

    for exchange, (status, words) in enumerate(told.items()):
        expect(page.locator(".exchange").nth(exchange)).to_have_attribute("data-state", status)
        expect(page.locator(".exchange").nth(exchange)).to_contain_text(words)


def test_feedback_that_fails_is_not_shown_as_given(page: Page, fake: FakeApi) -> None:
    """A thumb that lights up and is lost is a small lie."""
    exchange = ask(page, "What is a node?")
    fake.ratings_fail = True

    exchange.locator('[data-rating="up"]').click()

    expect(named(exchange, "feedback-note")).to_contain_text(
        "Your rating was not saved. Too much is going on."
    )
    expect(exchange.locator('[data-rating="up"]')).to_have_attribute("aria-pressed", "false")


def test_refusal_links_to_what_is_nearest(page: Page) -> None:
    """Where the book does not say, it may still be worth a look."""
    exchange = ask(page, "refuse Who won the cup?")

    links = exchange.locator(".answer a")
    assert links.evaluate_all(
        "links => links.map(link => [link.textContent, link.getAttribute('href')])"
    ) == [
        ["Teams of robots › Robots [and] cups", "https://book.example/teams#cups"],
        ["Kitchens", "/kitchens"],
    ]
    for rel in links.evaluate_all("links => links.map(link => link.rel)"):
        assert rel == "noopener noreferrer"
    expect(exchange.locator(".answer")).to_contain_text("Elsewhere")


def test_raw_reply_and_times_are_there_on_demand(page: Page) -> None:
    """Who tries the service by hand wants to see what came over the wire."""
    exchange = ask(page, "What is a node?")

    exchange.locator(".inside summary").click()

    expect(named(exchange, "raw")).to_contain_text('"cache": "miss"')
    expect(named(exchange, "figures")).to_contain_text("Search")
    assert ANSWER.split(" [1]")[0] in named(exchange, "raw").inner_text()


def test_shift_enter_breaks_the_line(page: Page, fake: FakeApi) -> None:
    """A question may have two paragraphs."""
    page.focus("#question")
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")

    expect(page.locator(".exchange")).to_have_attribute("data-state", "answered")
    assert fake.asked[0]["query"] == "one\ntwo"


def test_example_is_asked_at_a_click(page: Page, fake: FakeApi) -> None:
    """The first question is the hardest to think of."""
    page.locator("[data-example]").first.click()

    expect(page.locator(".exchange")).to_have_attribute("data-state", "answered")
    assert fake.asked[0]["query"].startswith("What is a node in ROS 2")


def test_new_session_in_the_middle_of_an_answer_leaves_nothing_behind(page: Page, fake: FakeApi) -> None:
    """An answer that arrives after the talk was cleared must not bring its session back."""
    exchange = send(page, "wait What is a node?")
    expect(exchange.locator(".answer")).to_contain_text("A node is an independent program")

    page.click("#new-session")
    fake.gate.set()

    expect(page.locator(".exchange")).to_have_count(0)
    ask(page, "What is a topic?")
    assert "session_id" not in fake.asked[1]


def test_console_works_under_a_path_prefix(chromium: Browser) -> None:
    """Many will mount it beside other things on one host."""
    with (
        serving(FakeApi(), prefix="/book/chat") as api,
        opened(chromium, api.url) as (page, watch),
    ):
        exchange = ask(page, "What is a node?")
        exchange.locator('[data-rating="up"]').click()
        expect(named(exchange, "feedback-note")).to_have_text("Noted: helpful")
        page.reload()

        expect(page.locator(".exchange")).to_have_count(1)
        assert api.ratings == [("session-1-m1", "up")]
        assert watch.complaints == []


def test_console_says_so_when_there_is_no_book(chromium: Browser) -> None:
    """The first thing an author sees must tell what to do next."""
    with serving(FakeApi(book=None)) as api, opened(chromium, api.url) as (page, watch):
        expect(page.get_by_role("heading", level=1)).to_have_text("No book yet")
        expect(page.locator("#question")).to_be_visible()
        assert watch.complaints == []


def test_question_of_the_history_goes_to_its_own_book_again(chromium: Browser) -> None:
    """Whatever book is chosen meanwhile, and not to the service's first one."""
    books = tuple({"book": name, "title": name.title()} for name in ("main", "second"))
    with serving(FakeApi(books=books)) as api, opened(chromium, api.url) as (page, _):
        page.select_option("#book", "second")
        ask(page, "What is a node?")
        page.reload()
        page.select_option("#book", "main")

        named(page.locator(".exchange"), "repeat").click()

        expect(page.locator(".exchange").nth(1)).to_be_visible()
        assert [asked["book"] for asked in api.asked] == ["second", "second"]


def reply_with(page: Page, **response: Any) -> None:
    """Let every later question be answered by just this."""
    page.unroute("**/query")
    page.route("**/query", lambda route: route.fulfill(**response))


def test_reply_of_the_wrong_shape_does_not_break_the_page(chromium: Browser) -> None:
    """A proxy, an older server or a bug may send anything at all."""
    shapes = [
        "[]",
        "null",
        '{"sources": 7, "answer": {"a": 1}, "latency_ms": "x", "degraded": null}',
        '{"sources": [{"quote_text": {"a": 1}, "quote": 7}, null], "answer": "So [1] [2]", "citations": 7}',
        '{"sources": [{"quote_text": "So"}], "answer": "So [1]", "citations": [null, 7, {"source": 1},'
        ' {"source": "1", "start": "x", "end": {}, "text": {"a": 1}, "url": 7},'
        ' {"source": {}, "text": "So"}]}',
        "{",
    ]
    with serving(FakeApi()) as api, opened(chromium, api.url) as (page, watch):
        for shape in shapes:
            reply_with(page, body=f"event: done\ndata: {shape}\n\n", content_type="text/event-stream")

            exchange = ask(page, "What is a node?")

            assert exchange.get_attribute("data-state") in {"answered", "failed"}
            if exchange.locator(".cite").count():
                exchange.locator(".cite").first.click()
        assert watch.complaints == []
