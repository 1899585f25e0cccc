"""Put the label of each tab above what the tab holds: a built page has all labels first, then all panels."""

from __future__ import annotations

from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

# What holds the labels, a label, and a panel: of MkDocs Material, of VitePress, and of whoever keeps to ARIA
# (Docusaurus, Starlight, Quarto, Docsy).
_KINDS = (
    (".tabbed-labels", "label", ".tabbed-block"),
    (".vp-code-group > .tabs", "label", ".blocks > div"),
    ("[role=tablist]", "[role=tab]", "[role=tabpanel]"),
)
# The panels stand this many elements above the labels at most.
_HIGHEST = 3


def label_tab_panels(main: LexborNode) -> None:
    """Move the labels of tabs to their panels, in bold; without a panel for each, part them into paragraphs.

    Panels that are closed are opened: their words are the author's, too.
    """
    for closed in main.css("[role=tabpanel][hidden]"):
        del closed.attrs["hidden"]
    for holder, label, panel in _KINDS:
        # From the end: tabs within a tab come before it.
        for labels in reversed(main.css(holder)):
            _label(labels, labels.css(label), panel)


def _label(holder: LexborNode, labels: list[LexborNode], panel: str) -> None:
    panels = _panels(holder, len(labels), panel)
    for number, label in enumerate(labels):
        words = escape(" ".join(label.text().split()))
        first = panels[number].child if panels else None
        if first is None:
            label.replace_with(_paragraph(words))
        elif words:
            first.insert_before(_paragraph(f"<strong>{words}</strong>"))
    for labelled in panels:
        # So that the tabs around it do not count it as one of theirs.
        labelled.attrs["role"] = "group"
        labelled.attrs["class"] = ""
    if panels:
        holder.decompose()


def _panels(holder: LexborNode, count: int, panel: str) -> list[LexborNode]:
    """Return the panels of a row of labels: those of the nearest element above that has as many as labels."""
    above = holder.parent
    for _ in range(_HIGHEST):
        if above is None:
            break
        panels = above.css(panel)
        if len(panels) == count and all(found.child is not None for found in panels):
            return panels
        above = above.parent
    return []


def _paragraph(source: str) -> LexborNode:
    return LexborHTMLParser(f"<p>{source}</p>").css("p")[0]
