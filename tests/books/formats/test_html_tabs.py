"""Test that what a tab holds stands below its label."""

from __future__ import annotations

import random

import pytest

from ragbot.books.formats.html import read_html_page

READ = "**On Linux**\n\nRun apt.\n\n**On Windows**\n\nClick twice."


def text_of(body: str) -> str:
    return read_html_page(
        "a.html", f"<html><head><title>A</title></head><body>{body}</body></html>"
    ).source.strip()


@pytest.mark.parametrize(
    "tabs",
    [
        '<div class="tabbed-set"><div class="tabbed-labels">'
        "<label>On Linux</label><label>On Windows</label></div>"
        '<div class="tabbed-content"><div class="tabbed-block"><p>Run apt.</p></div>'
        '<div class="tabbed-block"><p>Click twice.</p></div></div></div>',
        '<div class="vp-code-group"><div class="tabs"><input>'
        "<label>On Linux</label><label>On Windows</label></div>"
        '<div class="blocks"><div><p>Run apt.</p></div><div><p>Click twice.</p></div></div></div>',
        '<div class="tabs-container"><ul role="tablist">'
        '<li role="tab">On Linux</li><li role="tab">On Windows</li></ul>'
        '<div class="margin-top--md"><div role="tabpanel"><p>Run apt.</p></div>'
        '<div role="tabpanel" hidden><p>Click twice.</p></div></div></div>',
        '<ul class="nav" role="tablist">'
        '<li><a role="tab">On Linux</a></li><li><a role="tab">On Windows</a></li></ul>'
        '<div class="tab-content"><div role="tabpanel"><p>Run apt.</p></div>'
        '<div role="tabpanel"><p>Click twice.</p></div></div>',
        '<div class="openblock tabs is-loading"><div class="content"><div class="ulist tablist"><ul>'
        '<li class="tab"><p>On Linux</p></li><li class="tab"><p>On Windows</p></li></ul></div>'
        '<div class="tabpanel"><p>Run apt.</p></div>'
        '<div class="tabpanel"><p>Click twice.</p></div></div></div>',
        '<div class="vp-tabs"><div class="vp-tabs-nav" role="tablist">'
        '<button role="tab">On Linux</button><button role="tab">On Windows</button></div>'
        '<div class="vp-tab" role="tabpanel"><p>Run apt.</p></div>'
        '<div class="vp-tab" role="tabpanel" hidden><p>Click twice.</p></div></div>',
        '<div class="sd-tab-set"><input><label class="sd-tab-label">On Linux</label>'
        '<div class="sd-tab-content"><p>Run apt.</p></div>'
        '<input><label class="sd-tab-label">On Windows</label>'
        '<div class="sd-tab-content"><p>Click twice.</p></div></div>',
        '<div class="book-tabs"><input><label>On Linux</label>'
        '<div class="book-tabs-content"><p>Run apt.</p></div><input><label>On Windows</label>'
        '<div class="book-tabs-content"><p>Click twice.</p></div></div>',
        '<div class="myst-tab-set"><div class="myst-tab-set-row">'
        '<div class="myst-tab-item-header">On Linux</div><div class="myst-tab-item-header">On Windows</div>'
        '</div><div class="myst-tab-item-body"><div class="myst-tab-item-text"><div><p>Run apt.</p></div>'
        '<div class="hidden"><p>Click twice.</p></div></div></div></div>',
    ],
    ids=[
        "mkdocs",
        "vitepress",
        "docusaurus",
        "quarto",
        "asciidoctor",
        "vuepress",
        "sphinx-design",
        "hugo-book",
        "myst",
    ],
)
def test_label_stands_above_its_panel(tabs: str) -> None:
    """All labels stood on one line, and two panels of commands could not be told apart."""
    assert text_of(f"<main><div>{tabs}</div><p>The end.</p></main>") == f"{READ}\n\nThe end."


def test_tabs_within_a_tab_have_labels_of_their_own() -> None:
    """The outer ones do not count the panels of the inner ones."""
    inner = (
        '<div><ul role="tablist"><li role="tab">Deb</li><li role="tab">Rpm</li></ul>'
        '<div role="tabpanel"><p>Run apt.</p></div><div role="tabpanel"><p>Run dnf.</p></div></div>'
    )
    outer = (
        '<div><ul role="tablist"><li role="tab">Linux</li><li role="tab">Windows</li></ul>'
        f'<div role="tabpanel">{inner}</div><div role="tabpanel"><p>Click twice.</p></div></div>'
    )

    shown = "**Linux**\n\n**Deb**\n\nRun apt.\n\n**Rpm**\n\nRun dnf.\n\n**Windows**\n\nClick twice."
    assert text_of(f"<main>{outer}</main>") == shown


def test_labels_whose_panels_a_script_makes_are_paragraphs() -> None:
    """Docusaurus can leave all but the first for later."""
    tabs = (
        '<ul role="tablist"><li role="tab">On Linux</li><li role="tab">On Windows</li></ul>'
        '<div role="tabpanel"><p>Run apt.</p></div>'
    )

    shown = text_of(f"<main><div>{tabs}</div></main>")

    assert [line.strip("- ") for line in shown.split("\n") if line.strip("- ")] == [
        "On Linux",
        "On Windows",
        "Run apt.",
    ]


TAGS = (
    "<ul role=tablist>",
    "<li role=tab>",
    "<div role=tabpanel hidden>",
    "<div class=tabbed-labels><label>",
    "<div class=tabbed-block>",
    "<div class=vp-code-group><div class=tabs>",
    "<div class=blocks><div>",
    "<div class=admonitionblock><table><tr><td class=icon>",
    "<td class=content>",
    "<div class=colist><table><tr><td>",
    "<div class=hdlist><table><tr><td class=hdlist1>",
    "<div class=tablist><div class=tab>",
    "<label class=sd-tab-label>",
    "<article><h3 class=heading>",
    "<h2>",
    *("</h2>", "</h3>", "</ul>", "</div>", "</div></div>", "</table>", "</label>"),
    *(r"\(a\)", r"\[b", "words"),
)


@pytest.mark.parametrize("generator", ["Antora 3.1", "PreTeXt"])
def test_tags_in_any_order_are_read(generator: str) -> None:
    """Nodes that were moved or taken out must not be touched again: the parser ends the process then."""
    choose = random.Random(7)

    for _ in range(150):
        body = "".join(choose.choices(TAGS, k=choose.randrange(5, 90)))
        head = f'<head><meta name="generator" content="{generator}"><title>A</title></head>'
        text = f'<div id="ptx-content"><article class="doc"><h1>Oars</h1>{body}</article></div>'
        assert "Oars" in read_html_page("a.html", f"<html>{head}<body>{text}</body></html>").source
