"""Put the label of each tab above what the tab holds: a built page has all labels first, then all panels."""

from __future__ import annotations

from selectolax.lexbor import LexborNode

from ragbot.books.formats.html_tree import new_paragraph

# What holds the labels, a label, and a panel: of MkDocs Material, VitePress, Asciidoctor and MyST, and of all
# that keep to ARIA (Docusaurus, Starlight, Quarto, Docsy, VuePress, sphinx-tabs).
_KINDS = (
    (".tabbed-labels", "label", ".tabbed-block"),
    (".vp-code-group > .tabs", "label", ".blocks > div"),
    (".tabs .tablist", ".tab", ".tabpanel"),
    (".myst-tab-set-row", ".myst-tab-item-header", ".myst-tab-item-text > div"),
    ("[role=tablist]", "[role=tab]", "[role=tabpanel]"),
)
# Each before its panel already: of sphinx-design, sphinx-inline-tabs and Hugo Book.
_BEFORE_PANELS = "label.sd-tab-label, label.tab-label, .book-tabs > label"


def label_tab_panels(main: LexborNode) -> None:
    """Move the labels of tabs to their panels, in bold; without a panel for each, part them into paragraphs.

    Panels that are closed are opened: their words are the author's, too.
    """
    for closed in main.css("[role=tabpanel][hidden]"):
        del closed.attrs["hidden"]
    for holder, label, panel in _KINDS:
        holders = {node.mem_id for node in main.css(holder)}
        # From the end: the panels of a row of labels are the next ones behind it that no other row has taken,
        # also where tabs hold tabs.
        waiting: list[LexborNode] = []
        for node in reversed(main.css(f"{holder}, {panel}")):
            if node.mem_id in holders:
                _label(node, node.css(label), waiting)
            else:
                waiting.append(node)
    for node in main.css(_BEFORE_PANELS):
        node.replace_with(new_paragraph(node, bold=True))


def _label(holder: LexborNode, labels: list[LexborNode], waiting: list[LexborNode]) -> None:
    """Label the last panels in `waiting`, which are the next on the page, and take them from there."""
    panels = waiting[: -len(labels) - 1 : -1] if labels else []
    if len(panels) < len(labels) or len({_parent_id(panel) for panel in panels}) > 1:
        for label in labels:
            label.replace_with(new_paragraph(label))
        return
    del waiting[len(waiting) - len(panels) :]
    for label, panel in zip(labels, panels, strict=True):
        if panel.child is not None:
            panel.child.insert_before(new_paragraph(label, bold=True))
    # (It may hold panels that wait: it is taken out, and not destroyed.)
    holder.replace_with("\n")


def _parent_id(node: LexborNode) -> int:
    return node.parent.mem_id if node.parent is not None else 0
