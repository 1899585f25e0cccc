"""Test chapters of EPUBs whose style sheets alone tell headings, code and lists apart."""

import time

import pytest

from ragbot.books.formats.epub_styles import Style, read_styles
from tests.books.formats.test_epub import book, load, xhtml

SHEET = """
@font-face { font-family: "Source Code Pro"; src: url(a.ttf); }
/* .text { font-size: 9rem } */
.chapter { font-size: 2.5rem; } div.section, .other { font-size: 1.2rem; font-weight: bold }
.text { font-size: 1.0rem; line-height: 1.2em } .small { font-size: 0.6em }
.code { font-family: "Source Code Pro", monospace } .inner { font-family: Courier; text-indent: 1.2em }
@media print { .large { font-size: 150% } }
"""


def chapter(body):
    return xhtml(body).replace("</head>", '<link href="../css/a.css" rel="stylesheet"/></head>')


def loaded(tmp_path, body, sheet=SHEET):
    content = book({"x/a.xhtml": chapter(body)}, others={"OEBPS/css/a.css": sheet})
    return load(tmp_path, content).pages[0]


def div(name, inner):
    return f'<div class="{name}">{inner}</div>'


TEXT = div("text", "The sheet trims the sail, and the halyard hoists it.")


def test_larger_type_is_a_heading(tmp_path):
    """Kindle Create has no other ones. What is large within a paragraph is none."""
    inside = div("text", 'A <span class="large">large</span> word in a sentence of the usual size.')
    page = loaded(
        tmp_path,
        div("chapter", "Sails") + TEXT + div("section", "<span>The <b>jib</b></span>") + TEXT + inside,
    )

    assert page.title == "Sails"
    assert [section.heading_path for section in page.sections] == [("Sails",), ("Sails", "The jib")]
    assert "## The jib\n\nThe sheet trims" in page.source
    assert "A large word in a sentence" in page.source


def test_lines_in_a_fixed_width_are_a_listing(tmp_path):
    """Each is a paragraph of its own, with its indent in the style sheet."""
    lines = div("code", "if wind:") + div("inner", "<span>sail()</span>") + div("code", "x &lt; 1")
    page = loaded(
        tmp_path, TEXT + lines + div("text", 'Call <span class="code">sail</span> when there is wind.')
    )

    assert "```\nif wind:\n  sail()\nx < 1\n```" in page.source
    assert "Call sail when there is wind." in page.source


def test_typed_bullets_are_a_list(tmp_path):
    """Word pastes them with blanks in a smaller type."""
    items = "".join(
        div("text", f'<span>●</span><span class="small">&nbsp;&nbsp; </span><span>The <b>{name}</b>.</span>')
        for name in ("sheet", "halyard")
    )

    assert "- The **sheet**.\n- The **halyard**.\n" in loaded(tmp_path, TEXT + items + TEXT).source


def test_cells_stay_cells(tmp_path):
    row = '<tr><td class="section">Sheet</td><td class="code">10 mm</td></tr>'

    assert "| Sheet | 10 mm |" in loaded(tmp_path, TEXT * 3 + f"<table>{row}{row}</table>").source


def test_chapter_with_headings_stays_as_it_is(tmp_path):
    page = loaded(tmp_path, "<h1>Sails</h1>" + TEXT + div("section", "Not a title") + div("text", "● bullet"))

    assert "# Not a title" not in page.source
    assert "● bullet" in page.source


@pytest.mark.parametrize(
    "body",
    [
        div("chapter", "All is large here.") * 5 + TEXT,
        div("chapter", "A sentence in large type that goes on and on. " * 9) + TEXT * 3,
        div("chapter", "* * *") + TEXT * 3,
    ],
)
def test_large_text_that_is_no_title_is_none(tmp_path, body):
    """A poster, a motto, an ornament."""
    assert "#" not in loaded(tmp_path, body).source


@pytest.mark.parametrize("sheet", ["", "{{{ .chapter } font-size: 1..5rem; }}", ".chapter { font-size: -rem"])
def test_chapter_without_a_sound_sheet_is_read(tmp_path, sheet):
    page = loaded(tmp_path, div("chapter", "Sails") + TEXT, sheet)

    assert page.source.strip().startswith("Sails\n\nThe sheet trims")


def test_style_sheet_that_the_book_does_not_hold_is_borne(tmp_path):
    assert "Sails" in load(tmp_path, book({"x/a.xhtml": chapter(div("chapter", "Sails"))})).pages[0].source


def test_units_and_conditions_of_style_sheets_are_read():
    styles = read_styles(SHEET + ".p { font-size: 12pt } .q { font-size: 24px }")

    assert styles["section"] == styles["other"] == Style(size=1.2)
    assert styles["text"] == Style(size=1.0)
    assert styles["large"] == Style(size=1.5, is_relative=True)
    assert styles["inner"] == Style(is_fixed=True, indent=1.2)
    assert (styles["p"].size, styles["q"].size) == (1.0, 1.5)


@pytest.mark.parametrize("piece", ["/*", "{", "}", ".a{", "a ", ".a,", "font-size:", ";"])
def test_hostile_style_sheet_takes_linear_time(piece):
    started = time.process_time()

    read_styles(piece * 400_000)

    assert time.process_time() - started < 5
