"""Test the console in a real browser, with the shipped app (`live_console`) and with a fake that fails."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.system.web.console_fake_api import (
    ANSWER,
    CITED,
    FAR_SENTENCE,
    FAR_SENTENCES,
    SOURCES,
    FakeApi,
    citation,
    serving,
    source_of,
)
from tests.system.web.fresh_pages import fresh_page
from tests.system.web.script_payloads import ADDRESSES, MARKDOWN, SCRIPT_PAYLOADS, TAGS

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Locator, Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

DESK = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}
ANSWERED = "What is a node in ROS 2?"
FOLLOW_UP = "How do nodes use topics to talk to each other?"
UNANSWERABLE = "Who painted the ceiling of the Sistine Chapel?"
SELECTION = (
    "Nodes are independent programs that communicate by publishing messages to topics and subscribing "
    "to topics to receive messages. Publishers don't need to know who's listening."
)


@dataclass
class Watch:
    """What a page must never do: call another host, complain in its console, break its own policy."""

    origin: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    posted: list[Any] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("popup", lambda popup: self.foreign.append(popup.url))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => "
            "console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))"
        )

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.foreign.append(request.url)
        if request.method == "POST":
            self.posted.append(request.post_data_json)

    def _console(self, said: Any) -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def opened(browser: Browser, url: str, **context: Any) -> Iterator[tuple[Page, Watch]]:
    parts = urlsplit(url)
    watch = Watch(origin=f"{parts.scheme}://{parts.netloc}/")
    settings = {"viewport": DESK, "reduced_motion": "reduce"} | context
    with fresh_page(browser, **settings) as page:
        page.set_default_timeout(10_000)
        watch.on(page)
        page.goto(url)
        yield page, watch


@pytest.fixture
def live(chromium: Browser, live_console: Any) -> Iterator[Page]:
    """Yield the shipped console on a desk; whatever a test does there, the page must behave."""
    with opened(chromium, live_console.url) as (page, watch):
        yield page

        assert watch.foreign == []
        assert watch.complaints == []


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with serving(FakeApi()) as api:
        yield api


@pytest.fixture
def page(chromium: Browser, fake: FakeApi) -> Iterator[Page]:
    with opened(chromium, fake.url) as (page, watch):
        yield page

        # The browser itself reports each status of 400 and above; that is no fault of the page.
        assert [text for text in watch.complaints if "Failed to load resource" not in text] == []
        assert watch.foreign == []


def send(page: Page, question: str) -> Locator:
    """Ask, and give the exchange as it begins."""
    before = page.locator(".exchange").count()
    page.fill("#question", question)
    page.press("#question", "Enter")
    exchange = page.locator(".exchange").nth(before)
    expect(exchange).to_be_visible()
    return exchange


def ask(page: Page, question: str) -> Locator:
    """Ask, and give the exchange when it is over."""
    exchange = send(page, question)
    expect(exchange).not_to_have_attribute("data-state", "running", timeout=60_000)
    return exchange


def reply_with(page: Page, **response: Any) -> None:
    """Let every later question be answered by just this."""
    page.unroute("**/query")
    page.route("**/query", lambda route: route.fulfill(**response))


def named(exchange: Locator, part: str) -> Locator:
    return exchange.locator(f'[data-part="{part}"]')


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def is_in_view(inner: Locator, outer: Locator) -> bool:
    """Whether the upper part of an element lies within another, which may hide what lies beyond its edges."""
    words, window = inner.bounding_box(), outer.bounding_box()
    assert words
    assert window
    return bool(window["y"] <= words["y"] + 4 and words["y"] + 12 <= window["y"] + window["height"])


def has_focus(locator: Locator) -> bool:
    return bool(locator.evaluate("node => node === document.activeElement"))


def press_until(page: Page, key: str, selector: str, *, at_most: int = 120) -> None:
    """Press a key until the focus is on what the selector names, which must then be seen to have it."""
    for _ in range(at_most):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"no visible focus on {selector}"
            return
    pytest.fail(f"{key} never reaches {selector}")


# ---- With the shipped book ----


def test_answer_comes_with_marks_that_open_their_quotes(live: Page) -> None:
    """The citation is the promise of the product: one click from a claim to the book's own words."""
    exchange = ask(live, ANSWERED)

    expect(exchange).to_have_attribute("data-state", "answered")
    mark = exchange.locator(".cite").first
    mark.click()

    source = exchange.locator(f'.source[data-source="{mark.get_attribute("data-cite")}"]')
    expect(source).to_have_class(re.compile(r"\blit\b"))
    expect(named(source, "quote")).to_be_in_viewport()
    assert named(source, "quote").inner_text().strip()
    assert has_focus(source)
    cited = source.locator("mark.lit").first
    expect(cited).to_be_in_viewport()
    assert is_in_view(cited, named(source, "quote"))


def test_marked_words_are_those_that_the_reply_cites(live: Page) -> None:
    """A reader sees at a glance which of the book's words an answer rests on."""
    exchange = ask(live, ANSWERED)

    exchange.locator(".inside summary").click()
    raw = named(exchange, "raw")
    # It is written when the browser has opened its place.
    expect(raw).not_to_be_empty()
    reply = json.loads(raw.inner_text())
    assert reply["citations"]
    for number in {given["source"] for given in reply["citations"]}:
        source = exchange.locator(f'.source[data-source="{number}"]')
        cited = [in_one_line(given["text"]) for given in reply["citations"] if given["source"] == number]
        marked = [in_one_line(text) for text in source.locator("mark").all_text_contents()]
        assert marked == cited
        assert "**" not in named(source, "quote").inner_text()


def test_sentences_that_were_not_found_in_the_book_are_counted(page: Page, fake: FakeApi) -> None:
    """A reader must know what to doubt."""
    exchange = ask(page, ANSWERED)

    expect(exchange.locator('[data-chip="unsupported"]')).to_have_text("1 of 3 sentences not found there")


def test_follow_up_stays_in_the_session(live: Page) -> None:
    """A second question is understood by the first only if both are in one session."""
    ask(live, ANSWERED)
    session = live.locator("#export").get_attribute("href")

    second = ask(live, FOLLOW_UP)

    expect(second).to_have_attribute("data-state", "answered")
    assert live.locator("#export").get_attribute("href") == session
    expect(live.locator(".exchange")).to_have_count(2)


def test_reload_shows_the_history(live: Page) -> None:
    """Who closes the page by mistake finds the talk again, word for word."""
    ask(live, ANSWERED)
    ask(live, FOLLOW_UP)
    said = live.locator(".exchange .answer").all_inner_texts()

    live.reload()

    expect(live.locator(".exchange")).to_have_count(2)
    assert live.locator(".exchange .question").all_inner_texts() == [ANSWERED, FOLLOW_UP]
    assert live.locator(".exchange .answer").all_inner_texts() == said
    expect(live.locator(".exchange").last.locator(".cite").first).to_be_visible()


def test_new_session_clears_the_talk(live: Page) -> None:
    """A fresh start must not carry the old questions along, not even after a reload."""
    ask(live, ANSWERED)
    session = live.locator("#export").get_attribute("href")

    live.click("#new-session")

    expect(live.locator(".exchange")).to_have_count(0)
    live.reload()
    expect(live.locator("#title-page")).to_be_visible()
    expect(live.locator(".exchange")).to_have_count(0)
    ask(live, ANSWERED)
    assert live.locator("#export").get_attribute("href") != session


def test_selected_text_is_what_the_answer_is_made_of(live: Page) -> None:
    """In this mode nothing but the reader's own selection may be told."""
    live.get_by_role("radio", name="Selected text").check()
    live.fill("#selection", SELECTION)

    exchange = ask(live, "What do nodes publish messages to?")

    expect(exchange).to_have_attribute("data-state", "answered")
    expect(named(exchange, "about")).to_be_visible()
    assert re.sub(r"\s*\[\d+\]", "", exchange.locator(".answer").inner_text()).strip() in SELECTION


def test_refusal_is_calm_and_in_words(live: Page) -> None:
    """That the book does not say is an answer and not an error."""
    exchange = ask(live, UNANSWERABLE)

    expect(exchange).to_have_attribute("data-state", "refused")
    expect(exchange.locator('[data-chip="status"]')).to_have_text("Not in the book")
    expect(named(exchange, "problem")).to_be_hidden()
    assert len(exchange.locator(".answer").inner_text()) > 20


def test_thumb_is_kept_and_shown_again(live: Page) -> None:
    """Feedback that a reload forgets was never given."""
    exchange = ask(live, ANSWERED)

    exchange.locator('[data-rating="down"]').click()

    expect(named(exchange, "feedback-note")).to_have_text("Noted: not helpful")
    live.reload()
    expect(live.locator('.exchange [data-rating="down"]')).to_have_attribute("aria-pressed", "true")
    expect(live.locator('.exchange [data-rating="up"]')).to_have_attribute("aria-pressed", "false")


def test_keyboard_alone_asks_opens_a_quote_and_comes_back(live: Page) -> None:
    """Whoever uses no mouse must reach every step, and see where they are."""
    assert has_focus(live.locator("#question"))
    press_until(live, "Shift+Tab", ".skip")
    live.keyboard.press("Enter")
    assert has_focus(live.locator("#question"))
    live.keyboard.type(ANSWERED)
    live.keyboard.press("Enter")
    expect(live.locator(".exchange")).to_have_attribute("data-state", "answered", timeout=60_000)

    press_until(live, "Shift+Tab", ".thumb")
    press_until(live, "Shift+Tab", ".cite")
    live.keyboard.press("Enter")

    assert live.evaluate("document.activeElement.matches('.source.lit')")
    press_until(live, "Tab", '[data-part="back"]')
    live.keyboard.press("Enter")
    assert live.evaluate("document.activeElement.matches('.cite')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_never_scrolls_sideways(chromium: Browser, live_console: Any, scheme: str) -> None:
    """On 360 pixels a page that slides sideways cannot be read with one hand."""
    with opened(chromium, live_console.url, viewport=PHONE, color_scheme=scheme) as (page, watch):
        ask(page, ANSWERED)
        for summary in page.locator(".exchange summary:visible").all():
            summary.click()
        for more in page.locator('[data-part="more"]:visible').all():
            more.click()
        page.locator("#options summary").click()

        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert watch.foreign == []
        assert watch.complaints == []


def test_dark_mode_is_dark(chromium: Browser, live_console: Any) -> None:
    """Who reads at night asked their system for dark, and text must still stand out from it."""
    colours = {}
    for scheme in ("light", "dark"):
        with opened(chromium, live_console.url, color_scheme=scheme) as (page, _):
            colours[scheme] = page.evaluate(
                "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
                ".map(rgb => rgb.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3)"
            )

    assert colours["light"][0] > 200 > 80 > colours["light"][1]
    assert colours["dark"][0] < 60 < 200 < colours["dark"][1]


# ---- With a fake that does what a real service rarely does ----


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


@pytest.mark.parametrize(
    ("status", "words"),
    [("failed", "This question was not answered"), ("pending", "No answer yet"), ("stopped", "Stopped")],
)
def test_history_tells_which_answers_are_not_whole(
    page: Page, fake: FakeApi, status: str, words: str
) -> None:
    """What broke off yesterday must not read as an answer today."""
    ask(page, "What is a node?")
    fake.sessions["session-1"][0] |= {"status": status, "answer": "A node is"}

    page.reload()

    expect(page.locator(".exchange")).to_have_attribute("data-state", status)
    expect(page.locator(".exchange")).to_contain_text(words)


def test_feedback_that_fails_is_not_shown_as_given(page: Page, fake: FakeApi) -> None:
    """A thumb that lights up and is lost is a small lie."""
    exchange = ask(page, "What is a node?")
    fake.ratings_fail = True

    exchange.locator('[data-rating="up"]').click()

    expect(named(exchange, "feedback-note")).to_contain_text(
        "Your rating was not saved. Too much is going on."
    )
    expect(exchange.locator('[data-rating="up"]')).to_have_attribute("aria-pressed", "false")


def use_as_selection(page: Page) -> Locator:
    """Ask, use the first quote as the selection, and give the chip."""
    ask(page, "What is a node?").locator('.source[data-source="1"] [data-part="use"]').click()
    chip = page.locator("#selection-chip")
    expect(chip).to_be_visible()
    return chip


def test_quote_is_the_selection_of_the_next_question_only(page: Page, fake: FakeApi) -> None:
    """The next question is often about the lines just read, and the one after it about the book again."""
    use_as_selection(page)
    assert has_focus(page.locator("#question"))

    second = ask(page, "What does it mean?")
    third = ask(page, "What is a topic?")

    expect(named(second, "about")).to_be_visible()
    expect(named(third, "about")).to_be_hidden()
    expect(page.locator("#selection-field")).to_be_hidden()
    expect(page.get_by_role("radio", name="Whole book")).to_be_checked()
    assert [asked["mode"] for asked in fake.asked] == ["full_book", "selected_text", "full_book"]
    assert fake.asked[1]["selected_text"] == SOURCES[0]["quote_text"]
    assert "selected_text" not in fake.asked[2]


@pytest.mark.parametrize("by", ["button", "enter", "delete"])
def test_selection_can_be_taken_away(page: Page, fake: FakeApi, by: str) -> None:
    """A reader who changed their mind goes back to the book, with the mouse or the keyboard."""
    use_as_selection(page)
    remove = page.get_by_role("button", name="Remove the selected text")

    if by == "button":
        remove.click()
    else:
        press_until(page, "Shift+Tab", "#selection-remove", at_most=3)
        page.keyboard.press(by.capitalize())

    expect(page.locator("#selection-chip")).to_be_hidden()
    assert has_focus(page.locator("#question"))
    expect(page.locator("#announce")).to_have_text(
        "The selected text is removed. Questions go to the whole book."
    )
    ask(page, "What is a topic?")
    assert fake.asked[1]["mode"] == "full_book"


def test_text_of_the_selection_can_be_seen_and_changed(page: Page, fake: FakeApi) -> None:
    """One must be able to read what an answer will be made from."""
    chip = use_as_selection(page)
    toggle = chip.get_by_role("button", name="Selected text: Nodes are independent programs")
    expect(page.locator("#selection")).to_be_hidden()

    toggle.click()

    expect(toggle).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#selection")).to_have_value(SOURCES[0]["quote_text"])
    page.fill("#selection", "Messages have a type.")
    expect(page.locator("#selection-words")).to_have_text("Messages have a type.")
    ask(page, "What has a message?")
    assert fake.asked[1]["selected_text"] == "Messages have a type."


def test_selection_of_an_earlier_question_can_be_used_again(page: Page, fake: FakeApi) -> None:
    """Two questions about the same lines must not mean to copy them twice, not even after a reload."""
    use_as_selection(page)
    ask(page, "What does it mean?")
    page.reload()

    page.locator(".about summary:visible").click()
    page.locator('[data-part="use-again"]:visible').click()
    ask(page, "And what else?")

    assert fake.asked[2]["selected_text"] == SOURCES[0]["quote_text"]


def test_selection_of_a_question_that_was_not_taken_comes_back(page: Page, fake: FakeApi) -> None:
    """A wrong option beside it must not cost the reader the text they chose."""
    use_as_selection(page)

    exchange = ask(page, "reject What does it mean?")

    expect(page.locator("#selection-chip")).to_be_visible()
    named(exchange, "again").click()
    expect(page.locator(".exchange")).to_have_count(2)
    expect(page.locator(".exchange").last).to_have_attribute("data-state", "failed")
    assert [asked.get("selected_text") for asked in fake.asked[1:]] == [SOURCES[0]["quote_text"]] * 2


def test_selection_chosen_while_an_answer_arrives_is_for_the_next_question(page: Page, fake: FakeApi) -> None:
    """Only the selection that was sent is used up."""
    send(page, "wait What is a node?")
    page.get_by_role("radio", name="Selected text").check()
    page.fill("#selection", SELECTION)

    fake.gate.set()
    expect(page.locator(".exchange")).to_have_attribute("data-state", "answered")

    expect(page.locator("#selection")).to_have_value(SELECTION)
    ask(page, "What do nodes publish?")
    assert fake.asked[1]["selected_text"] == SELECTION


def test_selection_that_is_too_short_is_told_before_it_is_sent(page: Page, fake: FakeApi) -> None:
    """A rule known to the page need not cost a round trip."""
    page.get_by_role("radio", name="Selected text").check()
    page.fill("#selection", "too short")
    page.click("#selection-toggle")
    expect(page.locator("#selection")).to_be_hidden()
    page.fill("#question", "What does it mean?")
    page.press("#question", "Enter")

    expect(page.locator("#ask-problem")).to_have_text(re.compile("9 characters; it must have 10 to 10,000"))
    assert has_focus(page.locator("#selection"))
    assert fake.asked == []


def test_cited_sources_stand_apart_from_the_merely_near(page: Page) -> None:
    """A passage that was found but not used proves nothing."""
    exchange = ask(page, "What is a node?")

    expect(named(exchange, "cited").locator(".source")).to_have_count(2)
    expect(named(exchange, "near").locator('.source[data-cited="false"]')).to_have_count(1)
    expect(named(exchange, "near").locator(".source")).to_be_hidden()
    expect(named(exchange, "nearest-summary")).to_have_text("Also found: 1 passage")


def test_long_quote_is_folded_until_it_is_wanted(page: Page) -> None:
    """Five sources of a page each would bury the answer."""
    source = ask(page, "What is a node?").locator('.source[data-source="1"]')
    folded = source.bounding_box()

    named(source, "more").click()

    expect(named(source, "more")).to_have_attribute("aria-expanded", "true")
    expect(named(source, "more")).to_have_text("Show less")
    unfolded = source.bounding_box()
    assert folded
    assert unfolded
    assert unfolded["height"] > folded["height"] + 60
    named(source, "more").click()
    refolded = source.bounding_box()
    assert refolded
    assert refolded["height"] == folded["height"]


# ---- The cited words ----


def test_quote_is_text_with_the_cited_words_marked(page: Page) -> None:
    """What proves the answer must be seen at once, and as it stands on the page."""
    exchange = ask(page, "What is a node?")

    quote = named(exchange.locator('.source[data-source="1"]'), "quote")
    assert quote.text_content() == SOURCES[0]["quote_text"]
    assert quote.locator("mark").all_text_contents() == [text for number, _, _, text in CITED if number == 1]


@pytest.mark.parametrize("width", [360, 447, 600])
def test_bar_fits_with_wide_letters(chromium: Browser, live_console: Any, width: int) -> None:
    """Another system has a wider font: the bar takes a second line, and the page does not scroll sideways."""
    with opened(chromium, live_console.url, viewport=PHONE | {"width": width}) as (page, _):
        ask(page, ANSWERED)
        page.evaluate("document.querySelector('.bar').style.letterSpacing = '0.15em'")

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for button in ("#export", "#talks-button", "#new-session"):
            box = page.locator(button).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_folded_quote_shows_the_cited_words(page: Page, viewport: Any) -> None:
    """They often stand in the middle of a long passage."""
    page.set_viewport_size(viewport)

    exchange = ask(page, "far How far does joint 25 turn?")

    quote = named(exchange, "quote")
    assert quote.locator("mark").text_content() == FAR_SENTENCE
    assert quote.evaluate("node => node.scrollHeight > 2 * node.clientHeight")
    assert is_in_view(quote.locator("mark"), quote)
    page.set_viewport_size({"width": 600, "height": 800})
    expect(quote.locator("mark")).to_be_visible()
    page.wait_for_function("() => document.querySelector('.quote').scrollTop > 0")
    assert is_in_view(quote.locator("mark"), quote)


def test_mark_leads_to_the_words_that_its_claim_rests_on(page: Page, fake: FakeApi) -> None:
    """Where a source is cited for several claims, the reader must not search for the right one."""
    quote = " ".join(FAR_SENTENCES)
    places = (1, 14, 29)
    answer = "\n".join(f"- {FAR_SENTENCES[i]} [1]" for i in places)
    fake.made_up = (answer, [source_of(quote)], [citation(1, quote, FAR_SENTENCES[i]) for i in places])
    exchange = ask(page, "made-up How far do the joints turn?")
    quoted = named(exchange, "quote")

    for number, place in [(2, 29), (0, 1), (1, 14)]:
        exchange.locator(".cite").nth(number).click()

        expect(quoted.locator("mark.lit")).to_have_text(FAR_SENTENCES[place])
        expect(quoted.locator("mark.lit")).to_be_in_viewport()
        assert is_in_view(quoted.locator("mark.lit"), quoted)
        expect(named(exchange, "more")).to_have_text("Show all")
    named(exchange, "more").click()
    exchange.locator(".cite").nth(2).click()
    expect(quoted.locator("mark.lit")).to_be_in_viewport()


def test_each_of_several_citations_has_its_own_link(page: Page) -> None:
    """The page's address leads to the first of the cited words; the others may stand far below them."""
    exchange = ask(page, "What is a node?")

    first, second = (exchange.locator(f'.source[data-source="{number}"]') for number in (1, 2))
    links = first.locator(".citation-link")
    assert links.evaluate_all("links => links.map(link => link.getAttribute('href'))") == [
        citation(1, SOURCES[0]["quote"], words)["url"] for number, words, _, _ in CITED if number == 1
    ]
    expect(
        first.get_by_role("link", name=re.compile("^Open the page at “Publishers don't need to know"))
    ).to_have_attribute("rel", "noopener noreferrer")
    expect(named(first, "link")).to_have_attribute("href", SOURCES[0]["url"])
    expect(second.locator(".citation-link")).to_have_count(0)
    expect(named(second, "link")).to_have_attribute("href", SOURCES[1]["url"])


def test_citation_without_a_safe_address_has_no_link(page: Page, fake: FakeApi) -> None:
    """A link that leads nowhere, or worse, helps no reader."""
    quote = "Look at the joint. Look at the motor. Look at the light."
    unsafe = {"Look at the joint.": "javascript:window.pwned=1", "Look at the motor.": ""}
    cited = [citation(1, quote, words, url=url) for words, url in unsafe.items()]
    last = citation(1, quote, "Look at the light.")
    fake.made_up = ("Look. [1]", [source_of(quote)], [*cited, last])

    exchange = ask(page, "made-up Where?")

    expect(exchange.locator("mark")).to_have_count(3)
    expect(exchange.locator(".citation-link")).to_have_count(1)
    expect(exchange.locator(".citation-link")).to_have_attribute("href", last["url"])


@pytest.mark.parametrize(
    ("quote_text", "cited", "marked"),
    [
        ("Run it.\n\u00a0 Then\twait  for\nthe light.", "Then wait for the light.", None),
        ("Runit. Then wait.", "Run it.", "Runit."),
        (
            "```bash Add the key sudo add key tee /dev/null ```",
            "# Add the key\nsudo add key | tee /dev/null",
            None,
        ),
        ("机器人先看，再走，然后停。", "再走，", None),
        ("𝒜𝓁𝒾𝒸𝑒 and 👩‍🚀 Bob meet.", "👩‍🚀 Bob", None),
        ("A quote that lacks them.", "Words of another page", ""),
        ("A quote.", " \n ", ""),
    ],
)
def test_cited_words_are_found_whatever_stands_between_them(
    page: Page, fake: FakeApi, quote_text: str, cited: str, marked: str | None
) -> None:
    """The text of a citation and that of its quote are made apart: white space and signs may differ."""
    source = source_of(quote_text)
    given = {"source": 1, "start": 0, "end": len(quote_text), "text": cited, "url": source["url"]}
    fake.made_up = ("So it is. [1]", [source], [given])

    quote = named(ask(page, "made-up How is it?"), "quote")

    assert quote.text_content() == quote_text
    found = "".join(quote.locator("mark").all_text_contents())
    letters = re.compile(r"[^\w]")
    assert letters.sub("", found) == letters.sub("", cited if marked is None else marked)


def test_words_that_stand_twice_are_marked_where_they_are_cited(page: Page, fake: FakeApi) -> None:
    """The offsets of a citation count in the quote with its markup, and still tell the one from the other."""
    quote = "**Stop.** Look at the joint. **Stop.** Look at the motor. **Stop.** Look at the light."
    text = quote.replace("**", "")
    given = citation(1, quote, "Stop.", start=quote.index("Stop.", 30), end=quote.index("Stop.", 30) + 5)
    fake.made_up = ("Stop. [1]", [source_of(quote, quote_text=text)], [given])

    mark = ask(page, "made-up What then?").locator("mark")

    assert mark.text_content() == "Stop."
    assert mark.evaluate("node => node.nextSibling.data").startswith(" Look at the motor")


def test_citations_that_overlap_leave_the_quote_whole(page: Page, fake: FakeApi) -> None:
    """Two claims may rest on one sentence, or the one on a part of what the other rests on."""
    quote = "Nodes publish messages to topics and receive them from topics."
    spans = ["Nodes publish messages to topics", "messages to topics and receive them", "topics and"]
    fake.made_up = ("So it is. [1]", [source_of(quote)], [citation(1, quote, span) for span in spans])

    quoted = named(ask(page, "made-up How is it?"), "quote")

    assert quoted.text_content() == quote
    assert (
        "".join(quoted.locator("mark").all_text_contents())
        == "Nodes publish messages to topics and receive them"
    )
    expect(quoted.locator(".citation-link")).to_have_count(3)


def test_reply_without_readable_quotes_shows_them_verbatim(page: Page, fake: FakeApi) -> None:
    """Answers from before an update are still in the sessions."""
    ask(page, "What is a node?")
    message = fake.sessions["session-1"][0]
    message["sources"] = [{**source, "quote_text": ""} for source in SOURCES]
    del message["citations"]

    page.reload()

    quote = named(page.locator('.source[data-source="1"]'), "quote")
    assert quote.text_content() == SOURCES[0]["quote"]
    page.locator(".cite").first.click()
    expect(named(page.locator('.source[data-source="1"]'), "more")).to_have_text("Show less")


def test_later_sources_replace_the_first(page: Page, fake: FakeApi) -> None:
    """The service may learn while it writes that other passages are needed; marks count in the last list."""
    exchange = send(page, "later What is a node?")
    expect(exchange.locator(".cite")).to_have_text(["[1]"])
    expect(named(exchange, "nearest-summary")).to_have_text("4 passages found")
    named(exchange, "nearest-summary").click()
    first = exchange.locator('.source[data-source="1"]')
    named(first, "use").focus()

    fake.gate.set()

    expect(named(exchange, "nearest-summary")).to_have_text("3 passages found")
    assert "First found" not in (exchange.text_content() or "")
    expect(exchange.locator('.source[data-source="2"] [data-part="path"] b')).to_have_text("What is ROS 2?")
    expect(exchange).to_have_attribute("data-state", "running")
    expect(named(exchange, "nearest")).to_have_attribute("open", "")
    assert has_focus(named(first, "use"))
    fake.second_gate.set()
    expect(exchange).to_have_attribute("data-state", "answered")
    expect(exchange.locator(".cite").last).to_have_attribute("title", "What is ROS 2?")
    expect(exchange.locator(".source")).to_have_count(3)
    expect(exchange.locator(".cite")).to_have_text(["[1]", "[1]", "[2]"])


def test_sources_keep_the_numbers_of_their_marks(page: Page, fake: FakeApi) -> None:
    """The cited ones come first, and [3] is still [3]."""
    sources = [{**SOURCES[i % 3], "cited": i in {1, 3}} for i in range(4)]
    cited = [citation(4, sources[3]["quote"], "independent programs")]
    fake.made_up = ("Nodes are programs [4], not a system [2].", sources, cited)

    exchange = ask(page, "made-up What is a node?")

    assert named(named(exchange, "cited"), "number").all_text_contents() == ["2", "4"]
    assert named(named(exchange, "near"), "number").all_text_contents() == ["1", "3"]
    exchange.locator(".cite").first.click()
    expect(exchange.locator(".source.lit mark.lit")).to_have_text("independent programs")


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


# ---- What a model, a book or a session writes stays text ----


# A hundred questions that are asked within the page take a tenth of the time that they take from outside.
ASK_ALL = """(questions) => {
  const field = document.querySelector('#question');
  const shown = [];
  const askNext = async () => {
    const asked = document.querySelectorAll('.exchange').length;
    const exchange = () => document.querySelectorAll('.exchange')[asked];
    field.value = questions[shown.length];
    field.form.requestSubmit();
    while (!exchange() || exchange().dataset.state === 'running') {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const mark = exchange().querySelector('.cite');
    mark?.click();
    exchange().querySelector('.inside summary').click();
    shown.push({
      state: exchange().dataset.state,
      quote: exchange().querySelector('.quote')?.textContent,
      lit: exchange().querySelectorAll('.quote mark.lit').length,
      cited: Boolean(mark),
    });
    if (shown.length < questions.length) askNext();
    else window.allShown = shown;
  };
  askNext();
}"""


def ask_all(page: Page, questions: Iterable[str]) -> list[dict[str, Any]]:
    """Ask one after another, open what each answer hides, and return what is shown then."""
    page.evaluate(ASK_ALL, list(questions))
    page.wait_for_function("() => window.allShown", timeout=60_000)
    shown: list[dict[str, Any]] = page.evaluate("window.allShown")
    return shown


def assert_nothing_ran(page: Page, watch: Watch) -> None:
    assert page.evaluate("'pwned' in window") is False
    assert watch.foreign == []
    assert watch.complaints == []
    strangers = "script, img, iframe, form, input, style, object, embed, video"
    found = page.locator(f".exchange :is({strangers})")
    assert found.evaluate_all("nodes => nodes.map(node => node.outerHTML)") == []
    for address in page.eval_on_selector_all(".exchange a[href]", "links => links.map(link => link.href)"):
        assert re.match(r"https?://", address), address
    for rel in page.eval_on_selector_all(".exchange a[target]", "links => links.map(link => link.rel)"):
        assert rel == "noopener noreferrer"
    handlers = page.evaluate(
        "[...document.querySelectorAll('.exchange *')].flatMap(node => node.getAttributeNames())"
        ".filter(name => name.startsWith('on') || ['style', 'srcdoc', 'formaction', 'ping'].includes(name))"
    )
    assert handlers == []


@pytest.mark.parametrize("payloads", [TAGS, ADDRESSES, MARKDOWN], ids=["tags", "addresses", "markdown"])
def test_no_script_in_an_answer_or_a_source_runs(chromium: Browser, payloads: tuple[str, ...]) -> None:
    """One page shows what models and books write beside a session's id: nothing of theirs may act."""
    with serving(FakeApi(payloads=payloads)) as api, opened(chromium, api.url) as (page, watch):
        shown = ask_all(page, (f"payload {number}" for number in range(len(payloads))))

        assert_nothing_ran(page, watch)
    assert [one["state"] for one in shown] == ["answered"] * len(payloads)
    for payload, one in zip(payloads, shown, strict=True):
        assert in_one_line(payload.strip().split("\n")[0]) in in_one_line(one["quote"])
        assert one["lit"] == int(one["cited"]), payload


def test_no_script_in_the_history_runs(chromium: Browser) -> None:
    """What was kept comes back by another road, and past the same guard."""
    # A page of the history has twenty.
    payloads = SCRIPT_PAYLOADS[::6]
    with serving(FakeApi(payloads=payloads)) as api, opened(chromium, api.url) as (page, watch):
        ask_all(page, (f"payload {number}" for number in range(len(payloads))))
        for message in api.sessions["session-1"]:
            message |= {
                "query": message["answer"],
                "mode": "selected_text",
                "selected_text": message["answer"],
            }

        page.reload()

        expect(page.locator(".exchange")).to_have_count(len(payloads))
        assert_nothing_ran(page, watch)


def test_no_script_in_an_error_runs(chromium: Browser) -> None:
    """An error quotes what it was given, and proxies write errors too."""

    def refuse(route: Route) -> None:
        said = route.request.post_data_json["query"]
        told = dict.fromkeys(("title", "detail", "code", "request_id"), said)
        route.fulfill(status=422, json=told | {"errors": [{"field": said, "message": said}]})

    with serving(FakeApi()) as api, opened(chromium, api.url) as (page, watch):
        page.route("**/query", refuse)

        ask_all(page, SCRIPT_PAYLOADS[::10])

        watch.complaints = [text for text in watch.complaints if "Failed to load resource" not in text]
        assert_nothing_ran(page, watch)
        expect(named(page.locator(".exchange"), "problem-title").last).to_have_text(SCRIPT_PAYLOADS[110])
