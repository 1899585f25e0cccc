"""Test the widget in a real browser, on built sites of another origin, with a real service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import RunningApp
from tests.system.web.console_fake_api import RICH, event
from tests.system.web.widget_site import BOOK_URL, WidgetSite
from tests.system.web.widget_visit import CLOTHS, MOTOR, PHONE, Visit, answer_with, visiting

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
COUNTED_READS = """window.reads = 0;
  const getItem = Storage.prototype.getItem;
  Storage.prototype.getItem = function (...key) { window.reads += 1; return getItem.apply(this, key); };
"""
# A site's policy may keep the address of a page from the next one.
LINK = '<a id="on" href="/mkdocs/lighting/" referrerpolicy="no-referrer">On</a>'


def test_reader_asks_and_sees_the_cited_words_on_the_page(visit: Visit) -> None:
    """The live site's address leads to the page of the preview, and the very words light up."""
    visit.go().open()

    exchange = visit.ask()

    expect(exchange.locator(".answer")).to_contain_text("fuse is blown")
    mark = exchange.locator("a.mark").first
    assert str(mark.get_attribute("href")).startswith(f"{visit.site.url}/mkdocs/faults/")
    mark.hover()
    expect(visit.page.locator(".quote mark")).not_to_be_empty()
    mark.click()
    visit.wait_until_lit("The fuse is blown")
    expect(visit.panel).to_be_visible()


def test_talk_survives_the_way_to_another_page(visit: Visit) -> None:
    """A citation of another page opens it, lights its words up, and the talk goes on there."""
    visit.go("/mkdocs/faults/").open()
    exchange = visit.ask(CLOTHS)

    exchange.locator("a.mark").first.click()

    visit.page.wait_for_url("**/mkdocs/lighting/**")
    visit.wait_until_lit("Cloths are kept in the drawer")
    expect(visit.panel).to_be_visible()
    expect(visit.page.locator(".exchange .asked")).to_contain_text(CLOTHS)
    mark = visit.page.locator(".exchange a.mark").first
    expect(mark).to_have_attribute("href", re.compile(re.escape(visit.site.url)))
    expect(mark).not_to_have_attribute("target", re.compile(""))
    visit.page.reload()
    expect(visit.page.locator(".exchange .asked")).to_contain_text(CLOTHS)
    visit.page.get_by_role("button", name="New talk").click()
    visit.page.reload()
    expect(visit.panel).to_be_visible()
    expect(visit.page.locator(".exchange")).to_have_count(0)


def test_router_of_the_site_is_used(visit: Visit) -> None:
    """A site that draws its pages itself is not loaded anew, and the words light up once they are there."""
    router = """<script>
      addEventListener('click', async (event) => {
        const link = event.target.closest?.('a[href]');
        if (!link || link.origin !== location.origin) return;
        event.preventDefault();
        history.pushState({}, '', link.href);
        const text = await (await fetch(link.href)).text();
        const drawn = new DOMParser().parseFromString(text, 'text/html');
        document.querySelector('main').replaceWith(drawn.querySelector('main'));
      });
      window.loadedOnce = true;
    </script>"""
    visit.go(head=router + visit.site.tag(visit.service.url)).open()
    visit.page.evaluate("window.stillHere = true")
    exchange = visit.ask(CLOTHS)

    exchange.locator("a.mark").first.click()

    visit.wait_until_lit("Cloths are kept in the drawer")
    assert visit.page.evaluate("window.stillHere") is True
    assert "/lighting/" in visit.page.url
    assert "#" in visit.page.url
    visit.page.go_back()
    assert visit.page.url == f"{visit.site.url}/mkdocs/faults/"


def test_selection_is_asked_about_once(visit: Visit) -> None:
    """The answer comes from the selected text alone; the next question goes to the book again."""
    visit.go()
    visit.page.evaluate(
        """() => {
          const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
          while (walker.nextNode() && !walker.currentNode.data.includes('The fuse is blown'));
          walker.currentNode.parentElement.scrollIntoView({block: 'center'});
          getSelection().selectAllChildren(walker.currentNode.parentElement);
        }"""
    )
    visit.page.get_by_role("button", name="Ask about this").click()
    expect(visit.page.locator(".chip")).to_contain_text("The fuse is blown")

    with visit.page.expect_request("**/query") as asked:
        visit.ask("What is blown?")
    with visit.page.expect_request("**/query") as asked_next:
        visit.ask("How much does the lamp weigh?")

    body = asked.value.post_data_json
    assert body["mode"] == "selected_text"
    assert "The fuse is blown" in body["selected_text"]
    assert "selected_text" not in asked_next.value.post_data_json
    assert asked_next.value.post_data_json["session_id"]


def test_keyboard_alone_is_enough(visit: Visit) -> None:
    """Ctrl+I opens, Tab reaches the marks, which show their quotes; Esc closes, and the focus goes back."""
    visit.go()
    first_link = visit.page.locator("main a[href]").first
    first_link.focus()

    visit.page.keyboard.press("Control+i")
    expect(visit.field).to_be_focused()
    visit.ask()
    visit.page.locator("a.mark").first.focus()
    expect(visit.page.locator(".quote")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator(".quote")).to_be_hidden()
    expect(visit.panel).to_be_visible()
    visit.page.keyboard.press("Escape")

    expect(visit.panel).to_be_hidden()
    expect(first_link).to_be_focused()


def test_strict_policy_and_dark_site_are_followed(visit: Visit) -> None:
    """The documented line is enough for a site that allows nothing else; its own dark mode is taken."""
    source = visit.service.url
    visit.site.policy = f"default-src 'none'; script-src {source}; connect-src {source}"
    visit.go().open()

    exchange = visit.ask()
    exchange.locator("a.mark").first.click()
    visit.wait_until_lit("The fuse is blown")
    light = visit.panel.evaluate("panel => getComputedStyle(panel).backgroundColor")
    visit.page.evaluate("document.documentElement.setAttribute('data-md-color-scheme', 'slate')")

    expect(visit.page.locator("ragbot-widget")).to_have_attribute("data-theme", "dark")
    assert visit.panel.evaluate("panel => getComputedStyle(panel).backgroundColor") != light


def test_page_in_arabic_has_a_widget_in_arabic(visit: Visit) -> None:
    """The page's language is taken, from right to left; its words are loaded with the panel."""
    head = "<script>document.documentElement.lang = 'ar';</script>" + visit.site.tag(visit.service.url)
    visit.go(head=head)
    assert [url for url in visit.requests if "/assets/" in url] == []

    visit.page.get_by_role("button", name="اسأل الكتاب").click()

    expect(visit.page.get_by_label("سؤالك", exact=True)).to_be_focused()
    assert visit.panel.evaluate("panel => getComputedStyle(panel).direction") == "rtl"


def test_broken_stream_is_resumed(visit: Visit) -> None:
    """A phone that loses the stream gets the rest of the answer, and the model is not asked again."""
    visit.go().open()
    told = {"session_id": "s", "message_id": "m", "sources": []}
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream"}
    first = event("sources", told, 0) + event("delta", {"text": "One "}, 4)
    done = {**told, "answer": "One two.", "citations": [], "status": "answered"}
    rest = event("delta", {"text": "two."}, 8) + event("done", done, 8)
    visit.page.route("**/query", lambda route: route.fulfill(headers=headers, body=first))
    visit.page.route("**/stream", lambda route: route.fulfill(headers=headers, body=rest))

    with visit.page.expect_request(
        lambda request: request.url.endswith("/sessions/s/messages/m/stream") and request.method == "GET"
    ) as resumed:
        exchange = visit.ask()

    assert resumed.value.headers["last-event-id"] == "4"
    expect(exchange.locator(".answer")).to_have_text("One two.")


def test_stop_keeps_the_words_so_far(visit: Visit) -> None:
    """The service is told, so that no model writes on; the reader may ask again."""
    visit.go().open()
    told = {"session_id": "s", "message_id": "m", "sources": []}
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream"}
    first = event("sources", told, 0) + event("delta", {"text": "So far."}, 7)
    visit.page.route("**/query", lambda route: route.fulfill(headers=headers, body=first))
    # The rest never comes.
    visit.page.route("**/messages/m/stream", lambda route: None)
    visit.field.fill(MOTOR)
    visit.field.press("Enter")
    expect(visit.page.locator(".answer")).to_have_text("So far.")

    with visit.page.expect_request(lambda request: request.method in {"DELETE", "OPTIONS"}):
        visit.page.get_by_role("button", name="Stop").click()

    expect(visit.page.locator(".exchange .state")).to_have_text("Stopped.")
    expect(visit.page.locator(".answer")).to_have_text("So far.")
    expect(visit.field).to_be_focused()


def test_two_tags_are_one_widget_and_options_come_from_the_page(visit: Visit) -> None:
    """MkDocs cannot set attributes; a page may have the tag twice; an author brings her own button."""
    tag = visit.site.tag(visit.service.url)
    config = (
        "<script>window.RagbotConfig = "
        "{trigger: '.mine', shortcut: 'off', privacy: 'Kept for 30 days.'};</script>"
    )
    visit.go(head=config + tag + tag)
    visit.page.evaluate(
        "document.body.insertAdjacentHTML('afterbegin', '<button class=mine>Help me</button>')"
    )

    expect(visit.page.locator("ragbot-widget")).to_have_count(1)
    expect(visit.page.locator("ragbot-widget .launch")).to_be_hidden()
    visit.page.keyboard.press("Control+i")
    visit.page.get_by_role("button", name="Help me").click()

    expect(visit.panel).to_contain_text("Kept for 30 days.")
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("button", name="Help me")).to_be_focused()


def test_page_may_open_and_listen(visit: Visit) -> None:
    """An author's own scripts ask, and count what was asked."""
    visit.go()
    visit.page.evaluate(
        "() => { window.heard = []; for (const name of ['open', 'ask', 'answer', 'feedback', 'close'])"
        " document.addEventListener('ragbot:' + name, e => heard.push([name, e.detail])); }"
    )

    visit.page.evaluate(f"Ragbot.ask({MOTOR!r})")
    visit.page.get_by_role("button", name="Not helpful").click()
    visit.page.get_by_label("What was wrong? (optional)").fill("Too short.")
    with visit.page.expect_response("**/feedback") as rated:
        visit.page.get_by_role("button", name="Send", exact=True).click()
    expect(visit.panel).to_contain_text("Thank you.")
    visit.page.evaluate("Ragbot.close()")
    expect(visit.panel).to_be_hidden()

    heard = visit.page.evaluate("heard")
    assert [name for name, _ in heard] == ["ask", "open", "answer", "feedback", "feedback", "close"]
    assert heard[2][1]["status"] == "answered"
    assert rated.value.request.post_data_json == {"rating": "down", "comment": "Too short."}
    assert rated.value.ok


def test_phone_has_a_sheet_that_fits(chromium: Browser, site: WidgetSite, service: RunningApp) -> None:
    """Nothing is wider than the phone, and following a mark shows the page behind the sheet."""
    with visiting(chromium, site, service, viewport=PHONE, has_touch=True) as visit:
        visit.go().open()
        box = visit.panel.bounding_box()
        assert box is not None
        assert (box["x"], box["width"]) == (0, 360)

        exchange = visit.ask()
        small = visit.page.evaluate(
            "() => [...document.querySelector('ragbot-widget').shadowRoot.querySelectorAll('button, a.mark')]"
            ".filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect())"
            ".filter(box => box.width < 24 || box.height < 24).length"
        )
        assert small == 0
        exchange.locator("a.mark").first.click()

        visit.wait_until_lit("The fuse is blown")
        expect(visit.panel).to_be_hidden()

        visit.open().ask(CLOTHS).locator("a.mark").first.click()
        visit.page.wait_for_url("**/mkdocs/lighting/**")
        visit.wait_until_lit("Cloths are kept in the drawer")
        expect(visit.page.locator("ragbot-widget .launch")).to_be_visible()
        expect(visit.panel).to_be_hidden()


def faults_of(page: Page) -> list[str]:
    """Return what axe finds in the widget, by the rules of WCAG 2.2 AA and axe's best practices."""
    found = page.evaluate(
        "async () => (await axe.run('ragbot-widget', {resultTypes: ['violations']})).violations"
    )
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(visit: Visit, theme: str) -> None:
    """Closed, open, asked, with a quote, with a rich answer, rated down, with a selection, in trouble."""
    visit.go(attributes=f'data-theme="{theme}" data-privacy="Kept for 30 days." data-privacy-url="/p"')
    visit.page.evaluate(AXE.read_text())
    page, states = visit.page, {}
    states["closed"] = faults_of(page)
    visit.open()
    states["open"] = faults_of(page)
    visit.ask().locator("a.mark").first.focus()
    states["quote"] = faults_of(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Not helpful").click()
    expect(page.get_by_label("What was wrong? (optional)")).to_be_visible()
    states["rated down"] = faults_of(page)
    page.evaluate("Ragbot.open({selection: 'The fuse is blown, or the belt has slipped.'})")
    states["selection"] = faults_of(page)
    answer_with(page, RICH, sources=[], citations=[], status="answered")
    visit.ask("rich")
    states["rich"] = faults_of(page)
    page.unroute("**/query")
    page.route("**/query", lambda route: route.abort())
    visit.ask("trouble")
    states["trouble"] = faults_of(page)

    assert {state: faults for state, faults in states.items() if faults} == {}


def test_service_that_cannot_be_reached_leaves_a_link(visit: Visit) -> None:
    """Where the panel cannot be loaded there is a plain link; where the API is away, too."""
    visit.page.route("**/query", lambda route: route.abort())
    visit.go().open()
    exchange = visit.ask()
    expect(exchange.locator(".state")).to_contain_text("cannot be reached")
    expect(exchange.get_by_role("link")).to_have_attribute("href", f"{visit.service.url}/ask")

    visit.page.evaluate("sessionStorage.clear()")
    visit.page.route("**/widget/assets/**", lambda route: route.abort())
    visit.go()
    visit.page.locator("ragbot-widget .launch").click()

    expect(visit.page.locator("ragbot-widget a.launch")).to_have_attribute("href", f"{visit.service.url}/ask")


def test_page_to_ask_on_is_the_widget(visit: Visit) -> None:
    """`/ask?q=` is answered at once; the form gives way, and the address can be shared."""
    visit.page.goto(f"{visit.service.url}/ask?q=Is+the+fuse+blown%3F")

    expect(visit.page.locator("ragbot-widget .answer")).to_contain_text("fuse is blown")
    expect(visit.page.locator("#ragbot-page > form")).to_have_count(0)
    assert visit.page.url.endswith("#q=Is+the+fuse+blown%3F")
    href = visit.page.locator("ragbot-widget a.mark").first.get_attribute("href")
    assert re.match(re.escape(BOOK_URL) + "faults/", str(href))
    expect(visit.page.locator("ragbot-widget h2 a")).to_have_attribute("href", BOOK_URL)
    visit.page.keyboard.press("Control+i")
    expect(visit.field).to_be_focused()
    visit.page.evaluate("Ragbot.open()")
    assert visit.page.evaluate("new Promise((done) => setTimeout(done, 200))") is None
    expect(visit.page.locator(".exchange")).to_have_count(1)


def test_talk_on_the_page_to_ask_on_outlasts_a_reload_and_the_way_back(visit: Visit) -> None:
    """A citation leads away from the page: a reader comes back to go on, and not to ask all again."""
    visit.page.goto(f"{visit.service.url}/ask?q=Is+the+fuse+blown%3F")
    expect(visit.page.locator(".tools button").first).to_be_visible()
    visit.ask(CLOTHS)

    visit.page.goto(f"{visit.site.url}/mkdocs/faults/")
    visit.page.go_back()
    expect(visit.page.locator(".exchange")).to_have_count(2)
    visit.page.reload()
    expect(visit.page.locator(".exchange")).to_have_count(2)
    expect(visit.page.locator(".exchange").last.locator(".answer")).to_contain_text("drawer")
    assert len([url for url in visit.requests if url.endswith("/query")]) == 2

    visit.page.get_by_role("button", name="New talk").click()
    assert visit.page.url == f"{visit.service.url}/ask"
    visit.page.reload()
    expect(visit.field).to_be_visible()
    expect(visit.page.locator(".exchange")).to_have_count(0)


def test_first_page_of_a_visit_does_not_read_the_tabs_storage(visit: Visit) -> None:
    """Most readers never ask, and the page would wait until another process has sent what is stored."""
    visit.page.add_init_script(COUNTED_READS)
    visit.go()
    expect(visit.page.locator("ragbot-widget .launch")).to_be_visible()
    assert visit.page.evaluate("reads") == 0
    visit.open().ask()

    visit.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", LINK)
    visit.page.locator("#on").evaluate("link => link.click()")

    visit.page.wait_for_url("**/mkdocs/lighting/")
    expect(visit.panel).to_be_visible()
    expect(visit.page.locator(".exchange")).to_have_count(1)
    assert visit.page.evaluate("[document.referrer, reads > 0]") == ["", True]
