"""Test that what AsciiDoc lays out by tables is read as prose and lists, and that tables stay tables."""

from __future__ import annotations

import pytest

from ragbot.books.formats.html import read_html_page

CELL = '<td class="content"><div class="paragraph"><p>{}</p></div></td>'
NOTE = f'<div class="admonitionblock tip"><table><tr><td class="icon">{{}}</td>{CELL}</tr></table></div>'


def text_of(body: str, generator: str = "Asciidoctor 2.0.23") -> str:
    head = f'<head><meta name="generator" content="{generator}"><title>A</title></head>'
    return read_html_page("a.html", f"<html>{head}<body><h1>A</h1>{body}</body></html>").source.strip()


@pytest.mark.parametrize(
    "icon",
    [
        '<div class="title">Tip</div>',
        '<i class="fa icon-tip" title="Tip"></i>',
        '<img src="tip.png" alt="Tip">',
    ],
)
def test_note_is_its_label_and_its_words(icon: str) -> None:
    """As a table it had an empty head, and its sentences could not be quoted."""
    assert text_of(NOTE.format(icon, "Trim the wick.")) == "# A\n\nTip\n\nTrim the wick."


def test_note_within_a_note_is_read_once() -> None:
    """The outer one's words are those of the inner one, too."""
    inner = NOTE.format('<div class="title">Note</div>', "Cut it short.")
    outer = NOTE.format(
        '<div class="title">Tip</div>', f"Trim the wick.</p></div>{inner}<div><p>Then light it."
    )

    assert text_of(outer) == "# A\n\nTip\n\nTrim the wick.\n\nNote\n\nCut it short.\n\nThen light it."


def test_callouts_of_a_listing_are_a_numbered_list() -> None:
    """With icons, Asciidoctor writes them as a table."""
    row = '<tr><td><i class="conum" data-value="{0}"></i><b>{0}</b></td><td>{1}</td></tr>'
    rows = row.format(1, "Starts it.") + row.format(2, "Stops it.")

    shown = text_of(f'<div class="colist arabic"><table>{rows}</table></div>')

    assert shown == "# A\n\n1. Starts it.\n2. Stops it."


def test_terms_side_by_side_are_terms_with_their_meanings() -> None:
    """A horizontal list of terms is a table in HTML alone."""
    cells = '<tr><td class="hdlist1">Wick</td><td class="hdlist2"><p>What burns.</p></td></tr>'

    shown = text_of(f'<div class="hdlist"><table>{cells}</table></div>')

    assert shown == text_of("<dl><dt>Wick</dt><dd><p>What burns.</p></dd></dl>")
    assert "|" not in shown
    assert "What burns." in shown


def test_tables_of_the_author_stay_tables() -> None:
    """Also one inside of a note."""
    table = "<table><tr><th>Light</th></tr><tr><td>Red</td></tr></table>"

    for body in (table, NOTE.format('<div class="title">Tip</div>', f"See</p></div>{table}<div><p>Done.")):
        assert "| Light |\n| ----- |\n| Red   |" in text_of(body)


@pytest.mark.parametrize("generator", ["Asciidoctor 2.0.23", "Antora 3.1.15"])
def test_formulas_without_an_element_of_their_own_are_tex(generator: str) -> None:
    r"""The signs \( and \) were read as a backslash before a parenthesis."""
    words = r"<p>Where \(V\) is.</p><p>\[P = p \cdot V\]</p><p>and <code>\(a\)</code></p>"

    shown = text_of(f'<article class="doc">{words}</article>', generator)

    assert shown.endswith("Where $V$ is.\n\n$$P = p \\cdot V$$\n\nand `\\(a\\)`")


CODE = "<pre><span></span><code>apt update\napt install x\n</code></pre>"
NUMBERED = {
    "Material": '<div class="language-bash highlight"><table class="highlighttable">'
    '<tr><th colspan="2" class="filename"><span>run.sh</span></th></tr>'
    '<tr><td class="linenos"><div><pre><span></span><a href="#a">1</a>\n<span>2</span></pre></div></td>'
    f'<td class="code"><div>{CODE}</div></td></tr></table></div>',
    "Hugo's table": '<div class="highlight"><table class="lntable"><tr><td class="lntd"><pre class="chroma">'
    '<code><span class="lnt">1\n</span><span class="lnt">2\n</span></code></pre></td>\n<td class="lntd"><pre>'
    '<code class="language-bash"><span>apt update\n</span><span>apt install x\n</span></code></pre></td>'
    "</tr></table></div>",
    "Hugo in the line": '<pre class="chroma"><code class="language-bash"><span class="line">'
    '<span class="ln">1</span><span>apt update\n</span></span><span class="line"><span class="ln">2</span>'
    "<span>apt install x\n</span></span></code></pre>",
    "Rouge": '<pre><code class="language-bash"><table class="rouge-table"><tbody><tr><td class="gutter gl">'
    '<pre class="lineno">1\n2\n</pre></td><td class="code"><pre>apt update\napt install x\n</pre></td></tr>'
    "</tbody></table></code></pre>",
}


@pytest.mark.parametrize("kind", NUMBERED)
def test_numbers_of_lines_are_no_code(kind: str) -> None:
    """Two commands stood on one line of a table, or began with a number."""
    source = read_html_page("a.html", f"<main><h1>T</h1><p>Run:</p>{NUMBERED[kind]}</main>").source

    named = "run.sh\n\n" if kind == "Material" else ""
    assert source == f"# T\n\nRun:\n\n{named}```bash\napt update\napt install x\n```\n"


def test_table_with_code_in_a_cell_stays_one() -> None:
    """A name beside a listing is what the listing shows."""
    rows = f"<tr><td>Install</td><td>{CODE}</td></tr>"

    source = read_html_page("a.html", f"<main><h1>T</h1><table>{rows}</table></main>").source

    assert "| Install | `apt update apt install x` |" in source
