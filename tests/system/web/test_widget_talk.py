"""Test how the widget keeps up a talk: while an answer arrives, when something fails, and afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.system.web.console_fake_api import event
from tests.system.web.widget_site import BOOK_URL
from tests.system.web.widget_visit import MOTOR, Visit, answer_with

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

TOLD: dict[str, Any] = {"session_id": "s", "message_id": "m", "sources": []}
# Answers that the test sends by hand: `feed(name, payload)` sends an event of the last one.
FED_ANSWERS = """() => {
  const fetched = window.fetch.bind(window);
  const encoder = new TextEncoder();
  window.asked = [];
  window.fetch = async (address, options = {}) => {
    const isAnswered = /(query|stream)$/.test(String(address)) && options.method !== 'DELETE';
    if (!isAnswered) return fetched(address, options);
    const answer = new ReadableStream({
      start: (stream) => {
        window.feed = (event, payload) =>
          stream.enqueue(encoder.encode(`event: ${event}\\nid: 1\\ndata: ${JSON.stringify(payload)}\\n\\n`));
        const abort = () => stream.error(new DOMException('stopped', 'AbortError'));
        options.signal?.addEventListener('abort', abort);
      },
    });
    window.asked.push(String(address));
    return new Response(answer, {headers: {'Content-Type': 'text/event-stream'}});
  };
}"""


def begin_to_ask(visit: Visit, question: str = MOTOR) -> None:
    """Ask a question that is answered by hand."""
    visit.page.evaluate(FED_ANSWERS)
    visit.open()
    visit.field.fill(question)
    visit.field.press("Enter")
    visit.page.wait_for_function("asked.length === 1")


def feed(visit: Visit, event: str, payload: dict[str, Any]) -> None:
    visit.page.evaluate("([event, payload]) => feed(event, payload)", [event, payload])


def test_service_that_has_begun_is_not_said_to_wake_up(visit: Visit) -> None:
    """A model may think for long before its first word; the reader is told so only of a silent service."""
    visit.page.clock.install()
    visit.go()
    begin_to_ask(visit)
    state = visit.page.locator(".exchange .state")

    feed(visit, "sources", TOLD)
    expect(visit.panel).to_be_visible()
    visit.page.clock.run_for(7000)

    expect(state).to_have_text("Looking it up …")


def test_reason_that_was_not_taken_is_kept(visit: Visit) -> None:
    """What a reader has written about an answer is sent again by one press, and the trouble goes then."""
    visit.go().open()
    exchange = visit.ask()
    exchange.get_by_role("button", name="Not helpful").click()
    reason = exchange.get_by_label("What was wrong? (optional)")
    reason.fill("The belt is not named.")
    send = exchange.get_by_role("button", name="Send", exact=True)
    allowed = {"Access-Control-Allow-Origin": "*"}
    busy = {"status": 503, "json": {"code": "overloaded"}, "headers": allowed}
    visit.page.route("**/feedback", lambda route: route.fulfill(**busy))

    send.click()

    expect(exchange.locator(".state")).to_contain_text("Too many people")
    expect(visit.page.locator("ragbot-widget [role=status]")).to_contain_text("Too many people")
    expect(reason).to_have_value("The belt is not named.")
    visit.page.unroute("**/feedback")
    send.click()
    expect(exchange).to_contain_text("Thank you.")
    expect(exchange.locator(".state")).to_be_hidden()


def test_new_talk_forgets_the_question_that_is_being_answered(visit: Visit) -> None:
    """The talk before it ends: nothing of it is kept in the tab, and the next page does not show it."""
    visit.go()
    begin_to_ask(visit)
    feed(visit, "sources", TOLD)
    visit.page.wait_for_function("Object.values(sessionStorage).some(kept => kept.includes('fuse'))")

    visit.page.get_by_role("button", name="New talk").click()

    assert visit.page.evaluate("Object.values(sessionStorage).some(kept => kept.includes('fuse'))") is False
    expect(visit.page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    visit.page.reload()
    expect(visit.panel).to_be_visible()
    expect(visit.page.locator(".exchange")).to_have_count(0)


def test_answer_outlasts_a_service_that_restarts(visit: Visit) -> None:
    """The proxy in front answers for it meanwhile: the answer goes on where it broke off."""
    visit.go().open()
    headers = {"Access-Control-Allow-Origin": "*"}
    stream = headers | {"Content-Type": "text/event-stream"}
    first = event("sources", TOLD, 0) + event("delta", {"text": "One "}, 4)
    done = TOLD | {"answer": "One two.", "citations": [], "status": "answered"}
    replies: list[dict[str, Any]] = [
        {"status": 502, "body": "Bad Gateway", "headers": headers},
        {"status": 200, "body": event("done", done, 8), "headers": stream},
    ]
    visit.page.route("**/query", lambda route: route.fulfill(headers=stream, body=first))
    visit.page.route("**/stream", lambda route: route.fulfill(**replies.pop(0)))

    exchange = visit.ask()

    expect(exchange.locator(".answer")).to_have_text("One two.")
    assert replies == []


@pytest.mark.parametrize("code", ["overloaded", "session_expired"])
def test_question_that_is_being_typed_stays_when_another_is_asked_again(visit: Visit, code: str) -> None:
    """The field is open while an answer arrives; one whose session has ended is asked again by itself."""
    visit.go()
    begin_to_ask(visit)
    visit.field.fill("A second question")
    visit.page.evaluate("Ragbot.open({selection: 'The fuse is blown, or the belt has slipped.'})")

    feed(visit, "error", {"code": code, "status": 503})
    if code == "overloaded":
        visit.page.get_by_role("button", name="Ask again").click()
    visit.page.wait_for_function("asked.length === 2")

    expect(visit.field).to_have_value("A second question")
    expect(visit.page.locator(".chip")).to_contain_text("The fuse is blown")


def test_talk_stays_where_it_is_when_the_site_puts_another_body_in_place(visit: Visit) -> None:
    """Some routers do so for each page; an element that is moved loses its scroll and its focus."""
    visit.go().open()
    paragraphs = "\n\n".join(f"Paragraph {number}." for number in range(60))
    answer_with(visit.page, paragraphs, sources=[], citations=[], status="answered")
    visit.ask()
    talk = visit.page.locator("ragbot-widget .talk")
    talk.evaluate(
        "one => new Promise((done) => { one.addEventListener('scroll', done); one.scrollTop = 1000; })"
    )
    visit.field.focus()

    visit.page.evaluate(
        "document.body.replaceWith(document.createElement('body')); new Promise((done) => setTimeout(done))"
    )

    assert talk.evaluate("one => one.scrollTop") == 1000
    expect(visit.field).to_be_focused()


def test_mark_keeps_the_focus_while_its_answer_grows_and_ends(visit: Visit) -> None:
    """Its block is made anew then: a reader with a keyboard goes on from the mark, and Esc closes."""
    visit.go()
    begin_to_ask(visit)
    told = TOLD | {"sources": [{"url": f"{BOOK_URL}faults/", "heading_path": ["Faults"], "quote_text": "Q"}]}
    feed(visit, "sources", told)
    feed(visit, "delta", {"text": "It is so. [1]"})
    mark = visit.page.locator(".answer a.mark")
    mark.focus()

    feed(visit, "delta", {"text": " And more."})
    expect(visit.page.locator(".answer")).to_contain_text("And more.")
    expect(mark).to_be_focused()
    done = told | {"answer": "It is so. [1] And more.", "citations": [], "status": "answered"}
    feed(visit, "done", done)

    expect(visit.page.get_by_role("button", name="Helpful", exact=True)).to_be_visible()
    expect(mark).to_be_focused()
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("Escape")
    expect(visit.panel).to_be_hidden()


def test_screen_readers_hear_how_a_question_stands(visit: Visit) -> None:
    """The talk itself is silent, as it grows word by word: one place tells beginning, stop and end."""
    visit.go()
    begin_to_ask(visit)
    live = visit.page.locator("ragbot-widget .panel > [role=status]")
    expect(live).to_have_text("Looking it up …")

    visit.field.press("Escape")

    expect(live).to_have_text("Stopped.")


def test_failed_question_is_not_lost_while_another_one_runs(visit: Visit) -> None:
    """It cannot be asked again before the other one is answered; then it can."""
    visit.go()
    begin_to_ask(visit, "What has failed?")
    feed(visit, "error", {"code": "deadline_exceeded"})
    again = visit.page.get_by_role("button", name="Ask again")
    expect(again).to_be_enabled()

    visit.field.fill(MOTOR)
    visit.field.press("Enter")

    expect(again).to_be_disabled()
    visit.page.wait_for_function("asked.length === 2")
    feed(visit, "done", TOLD | {"answer": "It is.", "citations": [], "status": "answered"})
    again.click()
    visit.page.wait_for_function("asked.length === 3")
    expect(visit.page.locator(".exchange .asked").last).to_contain_text("What has failed?")


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("Stop", "Stopped."),
        ("error", "The answer took too long. Try again, or ask a shorter question."),
    ],
)
def test_part_of_an_answer_is_kept_for_the_next_page(visit: Visit, end: str, told: str) -> None:
    """Who stops has often read enough; a mark of the answer, or any link, must not take it away."""
    visit.go()
    begin_to_ask(visit)
    feed(visit, "sources", TOLD)
    feed(visit, "delta", {"text": "Half an answer"})
    expect(visit.page.locator(".answer")).to_have_text("Half an answer")
    if end == "error":
        feed(visit, "error", {"code": "deadline_exceeded"})
    else:
        visit.page.get_by_role("button", name=end).click()
    expect(visit.page.locator(".exchange .state")).to_have_text(told)

    visit.page.goto(f"{visit.site.url}/mkdocs/lighting/")

    expect(visit.page.locator(".exchange .asked")).to_contain_text(MOTOR)
    expect(visit.page.locator(".answer")).to_have_text("Half an answer")
    expect(visit.page.locator(".exchange .state")).to_have_text(told)
    visit.page.get_by_role("button", name="Ask again").click()
    expect(visit.page.locator(".answer")).to_contain_text("The fuse is blown")


def test_question_that_the_service_has_not_taken_yet_is_kept_for_the_next_page(visit: Visit) -> None:
    """A host that sleeps takes its time; the reader goes on reading meanwhile."""
    visit.go().open()
    visit.page.route("**/query", lambda route: None)
    visit.field.fill(MOTOR)
    with visit.page.expect_request("**/query"):
        visit.field.press("Enter")

    visit.page.goto(f"{visit.site.url}/mkdocs/lighting/")

    expect(visit.page.locator(".exchange .asked")).to_contain_text(MOTOR)
    visit.page.unroute("**/query")
    visit.page.get_by_role("button", name="Ask again").click()
    expect(visit.page.locator(".answer")).to_contain_text("The fuse is blown")


def test_question_that_is_being_typed_is_there_on_the_next_page(visit: Visit) -> None:
    """A reader looks a word up on another page, and goes on typing; with the text that was selected."""
    visit.go().open()
    visit.page.evaluate("Ragbot.open({ selection: 'The words that the reader has selected.' })")
    visit.field.fill("And what about")

    visit.page.goto(f"{visit.site.url}/mkdocs/lighting/")

    expect(visit.field).to_have_value("And what about")
    expect(visit.page.locator(".chip")).to_contain_text("The words that the reader has selected.")


def test_question_can_be_stopped_before_the_service_has_said_anything(visit: Visit) -> None:
    """A host that sleeps keeps the widget waiting for the book; nothing is asked afterwards."""
    asked: list[Any] = []
    visit.page.route("**/book?*", lambda route: asked.append(route))
    visit.go().open()
    visit.field.fill(MOTOR)
    visit.field.press("Enter")

    visit.page.get_by_role("button", name="Stop").click()

    expect(visit.page.locator(".exchange .state")).to_have_text("Stopped.")
    asked[0].fulfill(json={}, headers={"Access-Control-Allow-Origin": "*"})
    visit.page.wait_for_timeout(300)
    assert [url for url in visit.requests if url.endswith("/query")] == []


def test_mark_of_a_stopped_answer_lights_up_its_passage(visit: Visit) -> None:
    """Which of its words the sentence rests on is known at the end alone."""
    words = "The fuse is blown, or the belt has slipped."
    source = {"url": f"{BOOK_URL}faults/#cause", "heading_path": ["Faults"], "quote_text": words}
    visit.go()
    begin_to_ask(visit)
    feed(visit, "sources", TOLD | {"sources": [source]})
    feed(visit, "delta", {"text": "It is blown. [1] And"})
    mark = visit.page.locator(".answer a.mark")
    expect(mark).to_be_visible()
    visit.page.get_by_role("button", name="Stop").click()

    mark.click()

    visit.wait_until_lit(words)


def test_answer_that_ends_at_the_limit_of_the_model_is_not_taken_for_a_whole_one(visit: Visit) -> None:
    """Its last sentence is often cut; on the next page, too."""
    told = "The answer broke off. What came so far stays here."
    reply = TOLD | {"answer": "It is blown, and", "citations": [], "status": "answered"}
    visit.go()
    begin_to_ask(visit)

    feed(visit, "done", reply | {"degraded": ["llm_length"]})

    state = visit.page.locator(".exchange .state")
    expect(state).to_have_text(told)
    visit.page.goto(f"{visit.site.url}/mkdocs/lighting/")
    expect(state).to_have_text(told)
