"""Test that what a model, a book or a session writes stays text in the console."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from tests.system.web.console.console_page import Watch, in_one_line, named, opened
from tests.system.web.console_fake_api import FakeApi, serving
from tests.system.web.script_payloads import ADDRESSES, MARKDOWN, SCRIPT_PAYLOADS, TAGS

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

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
