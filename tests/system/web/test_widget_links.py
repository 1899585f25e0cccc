"""Test the way from an answer to the place in the book that it names."""

from __future__ import annotations

import pytest

from tests.system.web.widget_site import BOOK_URL
from tests.system.web.widget_visit import Visit, answer_with

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

FOG = f"{BOOK_URL}lighting/#in-fog"


def answer_with_a_citation(visit: Visit, url: str, words: str) -> None:
    """Let every later question be answered by a sentence that rests on these words."""
    source = {"url": url, "heading_path": ["Lighting"], "quote_text": words, "cited": True}
    citation = {"source": 1, "start": 0, "end": 9, "text": words, "url": url}
    answer_with(visit.page, "It is so. [1]", sources=[source], citations=[citation], status="answered")


@pytest.mark.parametrize("kind", ["words that are not there", "link"])
def test_page_is_not_held_at_a_place_whose_words_are_not_there(visit: Visit, kind: str) -> None:
    """The page may have been edited since, and a plain link has no words: the reader scrolls on."""
    visit.go("/mkdocs/faults/").open()
    if kind == "link":
        answer_with(visit.page, f"See [fog]({FOG}).", sources=[], citations=[], status="answered")
    else:
        answer_with_a_citation(visit, FOG, "These words were on the page once.")
    visit.ask().locator(".answer a").click()
    visit.page.wait_for_url("**/mkdocs/lighting/**")
    visit.page.wait_for_function("scrollY > 0 && location.hash === '#in-fog'")
    visit.page.wait_for_timeout(1000)

    visit.page.evaluate("scrollTo(0, 0)")

    visit.page.wait_for_timeout(500)
    assert visit.page.evaluate("scrollY") == 0


def test_words_are_lit_up_on_a_page_whose_address_has_a_query(visit: Visit) -> None:
    """A site's own search and newsletters add one: it is the same page, and no link to be pressed."""
    visit.go("/mkdocs/faults/?h=fuse").open()

    visit.ask().locator("a.mark").first.click()

    visit.wait_until_lit("The fuse is blown")
    assert visit.page.evaluate("location.search") == "?h=fuse"


def test_front_page_of_another_site_leads_to_the_book(visit: Visit) -> None:
    """A company's `/` is not the `/` of the book on a host of its own: its pages are not there."""
    book = "https://docs.company.example"
    chapters = [{"title": "Welcome", "url": f"{book}/"}, {"title": "Guide", "url": f"{book}/guide/"}]
    told = {"title": "Guide", "site_url": f"{book}/", "chapters": chapters}
    allowed = {"Access-Control-Allow-Origin": "*"}
    visit.page.route("**/book?*", lambda route: route.fulfill(json=told, headers=allowed))
    visit.go()
    visit.page.evaluate("document.body.innerHTML = ''; history.replaceState({}, '', '/')")
    visit.open()
    answer_with_a_citation(visit, f"{book}/guide/#sec", "The words of the guide.")

    mark = visit.ask().locator("a.mark")

    expect(mark).to_have_attribute("href", f"{book}/guide/#sec")


@pytest.mark.parametrize(
    ("linked", "url"),
    [
        ('<a href="/mkdocs/book.pdf">The PDF</a>', f"{BOOK_URL}book.pdf#page=12"),
        ('<a href="/mkdocs/book.pdf" download>The PDF</a>', f"{BOOK_URL}book.pdf#page=12"),
        ('<a href="/mkdocs/lighting/">Lighting</a>', f"{BOOK_URL}lighting/#sec"),
    ],
    ids=["PDF", "download", "page without the widget"],
)
def test_place_is_reached_where_the_target_has_no_widget(visit: Visit, linked: str, url: str) -> None:
    """The site's own link is pressed for its router; without one the address of the citation counts."""
    target = f"**/mkdocs/{url.removeprefix(BOOK_URL).partition('#')[0]}"
    page = "<main>" + "<p>line</p>" * 300 + "<h2 id=sec>Section</h2>"
    visit.page.route(target, lambda route: route.fulfill(body=page, content_type="text/html"))
    visit.go()
    visit.page.evaluate("html => document.body.insertAdjacentHTML('afterbegin', html)", linked)
    visit.open()
    answer_with_a_citation(visit, url, "The words of the page.")

    visit.ask().locator("a.mark").click()

    visit.page.wait_for_url(url.replace(BOOK_URL, f"{visit.site.url}/mkdocs/"))
    if url.endswith("#sec"):
        visit.page.wait_for_function("scrollY > 1000")


HIDDEN = "<p>With pnpm the packages are kept in a store.</p>"
SHOWN = {
    "label": f"""<div role=tablist><b role=tab id=one>npm</b><b role=tab id=pnpm>pnpm</b></div>
        <div role=tabpanel aria-labelledby=pnpm hidden>{HIDDEN}</div>""",
    "controls": f"""<b role=tab>npm</b><b role=tab aria-controls=pnpm>pnpm</b>
        <div id=pnpm class=pane>{HIDDEN}</div>""",
    "folded": f"<b aria-expanded=false aria-controls=pnpm>pnpm</b><div id=pnpm class=pane>{HIDDEN}</div>",
    "Docusaurus": f"""<ul role=tablist><li role=tab>npm</li><li role=tab>pnpm</li></ul>
        <div><div role=tabpanel>npm</div><div role=tabpanel hidden>{HIDDEN}</div></div>""",
    "MkDocs": f"""<input type=radio name=t checked><input type=radio name=t><div><label>npm</label></div>
        <div><div class=block>npm</div><div class=block>{HIDDEN}</div></div>""",
    "Sphinx": f"""<input type=radio name=t checked><label>npm</label><div class=content>npm</div>
        <input type=radio name=t><label>pnpm</label><div class=content>{HIDDEN}</div>""",
}
NOT_SHOWN = f"<b role=tab>npm</b><b role=tab>pnpm</b><div class=pane>{HIDDEN}</div>"


@pytest.mark.parametrize("tabs", [*SHOWN.values(), NOT_SHOWN], ids=[*SHOWN, "none"])
def test_words_in_a_tab_that_is_not_shown_are_reached(visit: Visit, tabs: str) -> None:
    """The tab is pressed; where none can be told to be the panel's, the reader is led to the tabs."""
    visit.go().open()
    visit.page.evaluate(
        """(tabs) => {
          const [space, main] = ['<p style="height: 3000px"></p>', document.querySelector('main')];
          main.innerHTML = `<style>.pane, .block, .content { display: none; }
            input:nth-of-type(2):checked ~ div > .block:nth-child(2) { display: block; }
            :checked + label + .content { display: block; }
            </style>${space}<div id="tabs">${tabs}</div>${space}`;
          for (const tab of main.querySelectorAll('b, li')) {
            tab.addEventListener('click', () => {
              const panel = main.querySelector('[role=tabpanel][hidden], .pane');
              if (tab.textContent === 'pnpm') [panel.hidden, panel.className] = [false, ''];
            });
          }
        }""",
        tabs,
    )
    words = "With pnpm the packages are kept in a store."
    answer_with_a_citation(visit, f"{BOOK_URL}faults/", words)

    visit.ask().locator("a.mark").click()

    visit.wait_until_lit(words)
    expect(visit.page.locator("#tabs")).to_be_in_viewport()
    expect(visit.page.locator("main").get_by_text(words)).to_be_visible(visible=tabs != NOT_SHOWN)


@pytest.mark.parametrize("formula", ["$E = mc^2$", r"\(E = mc^2\)"])
def test_words_around_a_formula_are_lit_up(visit: Visit, formula: str) -> None:
    """KaTeX and MathJax show other signs than the source has."""
    visit.go()
    visit.page.evaluate(
        """document.querySelector('main').innerHTML =
        '<p>The energy at rest is <span>𝐸=𝑚𝑐2E=mc^2</span>, as every reader knows by now.</p>'"""
    )
    visit.open()
    words = f"The energy at rest is {formula}, as every reader knows by now."
    answer_with_a_citation(visit, f"{BOOK_URL}faults/", words)

    visit.ask().locator("a.mark").click()

    visit.wait_until_lit("The energy at rest is , as every reader knows by now.")


def test_router_that_listens_when_a_press_is_on_its_way_gets_it(visit: Visit) -> None:
    """Turbo does so to come after all others: the page is not loaded anew."""
    router = """<script>
      const go = (event) => {
        event.preventDefault();
        history.pushState({}, '', event.target.href);
        document.querySelector('main').innerHTML = '<p>The words of the page.</p>';
      };
      addEventListener('click', () => {
        removeEventListener('click', go);
        addEventListener('click', go);
      }, true);
    </script>"""
    visit.go(head=router + visit.site.tag(visit.service.url))
    visit.page.evaluate("Ragbot.open(); window.stillHere = true")
    answer_with_a_citation(visit, FOG, "The words of the page.")

    visit.ask().locator("a.mark").click()

    visit.wait_until_lit("The words of the page.")
    assert visit.page.evaluate("window.stillHere") is True


def test_words_that_a_router_draws_for_the_new_anchor_are_lit_up(visit: Visit) -> None:
    """Sites such as those of docsify have one page, and name the place in the fragment."""
    words = "The words of the second chapter."
    draw = "document.querySelector('main').innerHTML = '<p>The words of the second chapter.</p>'"
    router = f"<script>addEventListener('hashchange', () => setTimeout(() => {{ {draw} }}, 300))</script>"
    visit.go(head=router + visit.site.tag(visit.service.url)).open()
    answer_with_a_citation(visit, f"{BOOK_URL}faults/#/two", words)

    visit.ask().locator("a.mark").click()

    visit.wait_until_lit(words)


@pytest.mark.parametrize("words", ["Line 3 of the listing.", "Line 290 of the listing.", "Cell 7 is far."])
def test_words_in_an_element_larger_than_the_window_are_seen(visit: Visit, words: str) -> None:
    """The words are put into the middle of the window, and not the middle of their element."""
    visit.go("/mkdocs/faults/")
    visit.page.evaluate(
        """() => {
          const lines = Array.from({length: 300}, (_, number) => `Line ${number} of the listing.`);
          const near = '<td><div style="width: 500px">Near</div></td>'.repeat(3);
          document.querySelector('main').innerHTML = `<pre>${lines.join('\\n')}</pre>
            <div style="overflow: auto; width: 300px"><table>${near}<td>Cell 7 is far.</td></table></div>`;
        }"""
    )
    visit.open()
    answer_with_a_citation(visit, f"{BOOK_URL}faults/", words)

    visit.ask().locator("a.mark").click()

    visit.wait_until_lit(words)
    assert visit.page.evaluate(
        """() => {
          const [range] = CSS.highlights.get('ragbot');
          const box = range.getBoundingClientRect();
          const there = document.elementFromPoint(box.left + 5, box.top + 5);
          return Boolean(there?.contains(range.startContainer));
        }"""
    )


def follow_a_mark_far_down(visit: Visit, **page: str) -> None:
    """Follow a mark on a page whose words begin 3,000 pixels from its top, until they are lit up."""
    visit.go("/mkdocs/faults/", **page)
    visit.page.evaluate("document.querySelector('main').style.marginTop = '3000px'")
    visit.open()
    visit.ask().locator("a.mark").first.click()
    visit.wait_until_lit("The fuse is blown")


def test_site_that_scrolls_to_each_new_anchor_does_not_take_the_words_away(visit: Visit) -> None:
    """Docusaurus does so a moment after the address got one; the section may be longer than the window."""
    router = "<script>addEventListener('hashchange', () => setTimeout(() => scrollTo(0, 0), 20))</script>"

    follow_a_mark_far_down(visit, head=router + visit.site.tag(visit.service.url))

    visit.page.wait_for_function("scrollY === 0")
    visit.page.wait_for_function("scrollY > 2000")
    visit.page.get_by_role("button", name="New talk").click()
    visit.page.wait_for_timeout(400)
    assert visit.lit() == ""


def test_book_of_one_page_is_gone_through_once_for_all_sentences(visit: Visit) -> None:
    """Else the tab stands still for half a minute where a citation is not there as a whole."""
    visit.go()
    visit.page.evaluate(
        """() => {
          const section = (_, at) => `<h2 id="s${at}">Part ${at}</h2><p>The keeper of lamp ${at} sleeps.</p>`;
          document.querySelector('main').innerHTML = Array.from({length: 2000}, section).join('');
          window.calls = 0;
          for (const [kind, name] of [[String, 'normalize'], [Node, 'compareDocumentPosition']]) {
            const called = kind.prototype[name];
            kind.prototype[name] = function (...given) {
              window.calls += 1;
              return called.apply(this, given);
            };
          }
        }"""
    )
    visit.open()
    there = "The keeper of lamp 1500 sleeps."
    answer_with_a_citation(visit, f"{BOOK_URL}faults/#s1500", f"This is not there at all. {there}")

    visit.ask().locator("a.mark").click()

    visit.wait_until_lit(there)
    assert visit.page.evaluate("calls") < 1000


def test_words_are_scrolled_back_to_once(visit: Visit) -> None:
    """A reader who drags the scroll bar, which not each browser tells of, goes where he wants to."""
    follow_a_mark_far_down(visit)
    visit.page.evaluate("scrollTo(0, 0)")
    visit.page.wait_for_function("scrollY > 2000")

    visit.page.evaluate("scrollTo(0, 0)")

    visit.page.wait_for_timeout(600)
    assert visit.page.evaluate("scrollY") == 0
