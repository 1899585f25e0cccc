"""Test the console's sources: which words of the book an answer rests on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.system.web.console.console_page import DESK, PHONE, ask, has_focus, is_in_view, named, send
from tests.system.web.console_fake_api import (
    CITED,
    FAR_SENTENCE,
    FAR_SENTENCES,
    SOURCES,
    FakeApi,
    citation,
    source_of,
)

pytest.importorskip("playwright")
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]


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


def test_quote_is_text_with_the_cited_words_marked(page: Page) -> None:
    """What proves the answer must be seen at once, and as it stands on the page."""
    exchange = ask(page, "What is a node?")

    quote = named(exchange.locator('.source[data-source="1"]'), "quote")
    assert quote.text_content() == SOURCES[0]["quote_text"]
    assert quote.locator("mark").all_text_contents() == [text for number, _, _, text in CITED if number == 1]


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


# A quote, the words that are cited from it, and those that are marked if they are others.
FOUND = [
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
]


def test_cited_words_are_found_whatever_stands_between_them(page: Page, fake: FakeApi) -> None:
    """The text of a citation and that of its quote are made apart: white space and signs may differ."""
    letters = re.compile(r"[^\w]")
    for quote_text, cited, marked in FOUND:
        source = source_of(quote_text)
        given = {"source": 1, "start": 0, "end": len(quote_text), "text": cited, "url": source["url"]}
        fake.made_up = ("So it is. [1]", [source], [given])

        quote = named(ask(page, "made-up How is it?"), "quote")

        assert quote.text_content() == quote_text
        found = "".join(quote.locator("mark").all_text_contents())
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
