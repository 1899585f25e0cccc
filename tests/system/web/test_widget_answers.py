"""Test what the widget shows of answers: markup, links, troubles, and nothing that acts."""

from __future__ import annotations

import pytest

from tests.system.web.console_fake_api import hostile
from tests.system.web.script_payloads import SCRIPT_PAYLOADS
from tests.system.web.widget_site import BOOK_URL
from tests.system.web.widget_visit import Visit, answer_with, reply_of, reply_with

pytest.importorskip("playwright")
from playwright.sync_api import Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]


SOURCE = {
    "heading_path": ["Faults", "The motor"],
    "url": "https://lighthouse.example/mkdocs/faults/#motor",
    "quote_text": "The motor stands still.",
    "cited": True,
}
# An answer of sixty paragraphs, each of which comes when the one before has been drawn. After forty the
# reader scrolls by a line.
_GROWING_ANSWER = """() => {
  const fetched = window.fetch.bind(window);
  const told = {session_id: 's', message_id: 'm', sources: []};
  const event = (name, data) =>
    new TextEncoder().encode(`event: ${name}\\ndata: ${JSON.stringify(data)}\\n\\n`);
  const { shadowRoot } = document.querySelector('ragbot-widget');
  const body = () => shadowRoot.querySelector('.exchange:last-child .answer');
  const drawn = (count) => new Promise((resolve) => {
    const look = () => (body().children.length >= count ? resolve() : requestAnimationFrame(look));
    look();
  });
  const grow = async (stream) => {
    let answer = '';
    stream.enqueue(event('sources', told));
    for (let count = 1; count <= 60; count += 1) {
      const text = `Paragraph ${count}.\\n\\n`;
      answer += text;
      stream.enqueue(event('delta', {text}));
      await drawn(count);
      if (count === 40) shadowRoot.querySelector('.talk').scrollTop += 20;
    }
    stream.enqueue(event('done', {...told, answer, citations: [], status: 'answered'}));
    stream.close();
  };
  const growing = () => new ReadableStream({start: (stream) => { grow(stream); }});
  const headers = {'Content-Type': 'text/event-stream'};
  window.fetch = async (address, options) =>
    (String(address).endsWith('/query') ? new Response(growing(), {headers}) : fetched(address, options));
}"""


def test_refusal_offers_what_is_near(visit: Visit) -> None:
    """The headings that a refusal names are links to the book's pages; nothing else is one."""
    visit.go().open()
    answer = (
        "The book does not say.\n\nNearest in the book: "
        f"[Faults › \\[what\\] helps](<{BOOK_URL}faults/#fix>) · [Elsewhere](<https://evil.example/>)"
    )
    answer_with(visit.page, answer, sources=[], citations=[], status="refused")

    exchange = visit.ask()

    expect(exchange.locator(".answer a")).to_have_text("Faults › [what] helps")
    expect(exchange.locator(".answer a")).to_have_attribute("href", f"{visit.site.url}/mkdocs/faults/#fix")
    expect(exchange.locator(".answer")).to_contain_text("Elsewhere")


# Of each answer, what it has of elements that might act, and where its links lead. (From outside, a call for
# each of a hundred answers takes twice as long.)
ASK_ALL = """async ({times, strangers}) => {
  const root = document.querySelector('ragbot-widget').shadowRoot;
  const shown = [];
  while (shown.length < times) {
    await new Promise((resolve) => {
      root.querySelector('.head button').click();
      document.addEventListener('ragbot:answer', resolve, {once: true});
      Ragbot.ask('payload');
    });
    const exchange = [...root.querySelectorAll('.talk .exchange')].at(-1);
    [...exchange.querySelectorAll('.mark')].slice(0, 2).forEach((mark) => mark.focus());
    shown.push([root.querySelectorAll(`.talk :is(${strangers})`).length,
      [...exchange.querySelectorAll('a[href]')].map((link) => link.href)]);
  }
  return shown;
}"""


def test_no_script_in_an_answer_runs(visit: Visit) -> None:
    """What a model or a book writes is shown as text: nothing acts, and no link leads to a stranger."""
    visit.go().open()
    strangers = "script, img, iframe, input, style, object, embed, video, svg, math"
    asked = iter(SCRIPT_PAYLOADS)

    def answer(route: Route) -> None:
        written, sources, citations = hostile(next(asked))
        route.fulfill(**reply_of(written, sources=sources, citations=citations, status="answered"))

    visit.page.route("**/query", answer)
    shown = visit.page.evaluate(ASK_ALL, {"times": len(SCRIPT_PAYLOADS), "strangers": strangers})

    for payload, (found, links) in zip(SCRIPT_PAYLOADS, shown, strict=True):
        assert found == 0, payload
        assert [link for link in links if not link.startswith(f"{visit.site.url}/")] == [], payload
    assert list(asked) == []
    assert visit.page.evaluate("'pwned' in window") is False


MARKDOWN = (
    ("a *b* **c** `d*e*`", "<p>a <em>b</em> <strong>c</strong> <code>d*e*</code></p>"),
    ("- a\n- b\n  - c\n\nd", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>d</p>"),
    (
        "1. a\n   - b\n   - c\n\n2. d\n   > e",
        "<ol><li>a<ul><li>b</li><li>c</li></ul></li><li>d<blockquote><p>e</p></blockquote></li></ol>",
    ),
    ("- a\n  1. b\n\n     c\n- d", "<ul><li>a<ol><li>b<p>c</p></li></ol></li><li>d</li></ul>"),
    ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    ("10&deg; C&#44; &lt;b&gt; &nope; `&deg;`", "<p>10° C, &lt;b&gt; &amp;nope; <code>&amp;deg;</code></p>"),
    ("a crock of s\\*\\*t", "<p>a crock of s**t</p>"),
    ("> a\n> b", "<blockquote><p>a\nb</p></blockquote>"),
    ("snake_case_name and 2*3*4", "<p>snake_case_name and 2<em>3</em>4</p>"),
    (r"$\pi^*$ maximizes $V^*(s)$", r"<p>$\pi^*$ maximizes $V^*(s)$</p>"),
    (r"$\mathbf{x}_{i}$ and $\mathbf{y}_{j}$", r"<p>$\mathbf{x}_{i}$ and $\mathbf{y}_{j}$</p>"),
    (r"$\{a, b\}$, \(x\,y\), \[x^2\] and $|x\|$", r"<p>$\{a, b\}$, \(x\,y\), \[x^2\] and $|x\|$</p>"),
    ("$$\n1 & 2 \\\\\n3 & 4\n$$", "<p>$$\n1 &amp; 2 \\\\\n3 &amp; 4\n$$</p>"),
    ("$x_{i}&lt;y_{i}$ *b*", "<p>$x_{i}&lt;y_{i}$ <em>b</em></p>"),
    ("$5 and *$6*, $A or **$B**", "<p>$5 and <em>$6</em>, $A or <strong>$B</strong></p>"),
    (r"\[optional\] and \$5 *b* 6\$ `$a$`", "<p>[optional] and $5 <em>b</em> 6$ <code>$a$</code></p>"),
    (
        "***a:*** *b **c** d* *e **f***",
        "<p><em><strong>a:</strong></em> <em>b <strong>c</strong> d</em> <em>e <strong>f</strong></em></p>",
    ),
    (
        "my__dunder__name, __init__, __a_b__",
        "<p>my__dunder__name, <strong>init</strong>, <strong>a_b</strong></p>",
    ),
    ("**a *b* c** and **d*", "<p><strong>a <em>b</em> c</strong> and *<em>d</em></p>"),
    ("# a #\ntext", "<h4>a</h4><p>text</p>"),
    ("a [9] <b>", "<p>a [9] &lt;b&gt;</p>"),
    ("![pic](http://x/y.png)", "<p><em>pic</em></p>"),
    ("- [x] a\n- [ ] b", "<ul><li>☑ a</li><li>☐ b</li></ul>"),
    ("<kbd>Esc</kbd> <sub><b></sub>", "<p><kbd>Esc</kbd> &lt;sub&gt;&lt;b&gt;&lt;/sub&gt;</p>"),
    (
        "| a | b |\n|---|--:|\n| c | d |",
        '<div class="scroller" tabindex="0"><table><thead><tr><th>a</th><th style="text-align: right;">b</th>'
        '</tr></thead><tbody><tr><td>c</td><td style="text-align: right;">d</td></tr></tbody></table></div>',
    ),
    (
        "So:\n| a |\n|---|\n\nb | c\nd",
        '<p>So:</p><div class="scroller" tabindex="0"><table><thead><tr><th>a</th></tr></thead>'
        "<tbody></tbody></table></div><p>b | c\nd</p>",
    ),
)


def test_markdown_is_shown(visit: Visit) -> None:
    """Answers of models and the book's own words have lists, emphasis, code and quotes."""
    visit.go().open()

    for written, shown in MARKDOWN:
        answer_with(visit.page, written, sources=[], citations=[], status="answered")
        assert visit.show("show").locator(".answer").inner_html() == shown


def test_blocks_of_an_answer_are_read_aloud_apart(visit: Visit) -> None:
    """Words of two items or cells were one word to a screen reader."""
    visit.go().open()
    fruit = "Fruit:\n- **apples**\n- pears [1]\n  - small ones\n\n"
    written = f"{fruit}| a | b |\n|---|---|\n| c | d |\n\nThe end!\n\nOver"
    answer_with(visit.page, written, sources=[SOURCE], citations=[], status="answered")

    visit.show("show")

    expect(visit.page.locator("ragbot-widget .panel > [role=status]")).to_have_text(
        "The answer is there. Fruit: apples. pears small ones. a. b. c. d. The end! Over."
    )


def test_copied_answer_says_where_its_marks_lead(visit: Visit) -> None:
    """In the reader's own notes there is no widget that knows what `[1]` is."""
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.go().open()
    other = SOURCE | {"heading_path": ["Not cited"]}
    answer_with(visit.page, "Yes. [1]", sources=[SOURCE, other], citations=[], status="answered")

    visit.show("show").get_by_role("button", name="Copy").click()

    expect(visit.page.get_by_role("button", name="Copied")).to_be_visible()
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert copied == "Yes. [1]\n\n[1] Faults > The motor <https://lighthouse.example/mkdocs/faults/#motor>"


def test_reader_of_a_growing_answer_is_not_carried_away(visit: Visit) -> None:
    """The answer is followed until its question is on top; then each scroll is the reader's own."""
    visit.go().open()
    answer_with(visit.page, "One.", sources=[], citations=[], status="answered")
    visit.ask("First?")
    visit.page.evaluate(_GROWING_ANSWER)

    visit.field.fill("And all the rest?")
    visit.field.press("Enter")
    expect(visit.page.locator(".exchange").last.locator(".tools button").first).to_be_visible()

    below, is_long = visit.page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector('ragbot-widget');
          const talk = shadowRoot.querySelector('.talk');
          const asked = shadowRoot.querySelector('.exchange:last-child .asked');
          return [asked.getBoundingClientRect().top - talk.getBoundingClientRect().top,
            talk.scrollHeight > 2 * talk.clientHeight];
        }"""
    )
    assert is_long
    assert round(below) == -20


def test_words_of_a_wide_table_are_whole(visit: Visit) -> None:
    """The table scrolls within itself; a column of two letters a line cannot be read."""
    row = "| Parameter | Description | Temperature | Measurement | Configuration |\n"
    visit.go().open()
    answer_with(visit.page, f"{row}{'|---' * 5}|\n{row}", sources=[], citations=[], status="answered")

    table = visit.ask().locator("table")

    lines = "table => [...table.querySelectorAll('td')].map(cell => { const range = document.createRange();"
    assert (
        table.evaluate(f"{lines} range.selectNodeContents(cell); return range.getClientRects().length; }})")
        == [1] * 5
    )
    assert visit.page.locator(".talk").evaluate("talk => talk.scrollWidth <= talk.clientWidth")


def test_quote_does_not_cover_what_closes_the_panel(visit: Visit) -> None:
    """The way from a mark to the button would end in the quote, which stays while the mouse is in it."""
    source = {
        "url": f"{BOOK_URL}faults/",
        "heading_path": ["Faults"],
        "quote_text": "A word. " * 12,
        "cited": True,
    }
    visit.go().open()
    answer_with(visit.page, "It is so. [1]\n\n" * 6, sources=[source], citations=[], status="answered")
    head = visit.panel.locator(".head").bounding_box()
    assert head is not None

    for mark in visit.ask().locator("a.mark").all():
        mark.focus()

        quote = visit.page.locator(".quote").bounding_box()
        assert quote is not None
        assert quote["y"] >= head["y"] + head["height"]


TROUBLES = (
    (429, {"code": "rate_limited"}, "You have asked a lot. Try again in 60 s."),
    (503, {"code": "overloaded"}, "Too many people are asking at the moment."),
    (503, {"code": "no_book"}, "The book is not ready yet."),
    (504, {"code": "deadline_exceeded"}, "The answer took too long."),
    (422, {"code": "content_filtered"}, "This question cannot be answered."),
    (502, "bad gateway", "Too many people are asking at the moment."),
)


def test_trouble_is_told_in_a_sentence(visit: Visit) -> None:
    """A reader is told what to do, can ask again, and gets an answer once the trouble is over."""
    visit.go().open()
    headers = {"Access-Control-Allow-Origin": "*"}
    for number, (status, body, sentence) in enumerate(TROUBLES, start=1):
        reply_with(visit.page, status=status, headers=headers, json=body)

        exchange = visit.ask()
        expect(exchange.locator(".state")).to_contain_text(sentence)
        visit.page.unroute("**/query")
        exchange.get_by_role("button", name="Ask again").click()

        expect(visit.page.locator(".exchange").last.locator(".answer")).to_contain_text("fuse is blown")
        expect(visit.page.locator(".exchange")).to_have_count(number)


WAITS = [(120, "120 s"), (121, "3 min"), (7200, "120 min"), (71000, "20 h")]


@pytest.mark.parametrize(("seconds", "wait"), WAITS)
def test_wait_is_told_in_a_unit_that_fits(visit: Visit, seconds: int, wait: str) -> None:
    """The quota of a day may be used up for most of it."""
    visit.go().open()
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
        "Retry-After": str(seconds),
    }
    reply_with(visit.page, status=429, headers=headers, json={"code": "rate_limited"})

    exchange = visit.ask()

    expect(exchange.locator(".state")).to_have_text(f"You have asked a lot. Try again in {wait}.")
