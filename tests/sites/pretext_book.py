"""Write the book as PreTeXt, from pandoc's reading of its Markdown. Used by more_generators.py."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Node = dict[str, Any]

_DIVISIONS = ("chapter", "section", "subsection", "subsubsection")


def chapter_of(markdown: str) -> str:
    """Return a page as a chapter: each heading becomes a division with its title."""
    read = subprocess.run(
        ["pandoc", "--from", "markdown-citations-smart", "--to", "json"],
        input=markdown, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return _divisions(json.loads(read.stdout)["blocks"])


def _divisions(blocks: Sequence[Node]) -> str:
    written: list[str] = []
    open_levels: list[int] = []
    has_parts = [False]
    for number, block in enumerate(blocks):
        if block["t"] != "Header":
            written.append(_block(block))
            continue
        level, (name, *_), words = block["c"]
        while open_levels and open_levels[-1] >= level:
            written.append(f"</{_DIVISIONS[open_levels.pop() - 1]}>")
            has_parts.pop()
        if open_levels and not has_parts[-1] and blocks[number - 1]["t"] != "Header":
            # What stands above the first part of a division is its introduction.
            opened = max(i for i, text in enumerate(written) if text.startswith("<title>"))
            written[opened + 1 : opened + 1] = ["<introduction>"]
            written.append("</introduction>")
        has_parts[-1] = True
        has_parts.append(False)
        open_levels.append(level)
        written += [
            f"<{_DIVISIONS[level - 1]} xml:id={quoteattr(_id(name))}>",
            f"<title>{_text(words)}</title>",
        ]
    written += [f"</{_DIVISIONS[level - 1]}>" for level in reversed(open_levels)]
    return "\n".join(written)


def _id(name: str) -> str:
    """Return an id in the letters that PreTeXt takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "", name) or f"part-{len(name)}"


def _text(inlines: Sequence[Node]) -> str:
    return "".join(_inline(node) for node in inlines)


def _inline(node: Node) -> str:
    kind, inner = node["t"], node.get("c")
    tags = {"Emph": "em", "Strong": "alert", "Strikeout": "delete", "Underline": "em"}
    if kind in tags:
        return f"<{tags[kind]}>{_text(inner)}</{tags[kind]}>"
    if kind == "Str":
        return escape(inner)
    if kind in ("Space", "SoftBreak", "LineBreak"):
        return " "
    if kind == "Code":
        return f"<c>{escape(inner[1])}</c>"
    if kind == "Math":
        return f"<m>{escape(inner[1])}</m>"
    if kind == "Link":
        _, words, (target, _title) = inner
        shown = _text(words)
        return f"<url href={quoteattr(target)}>{shown}</url>" if ":" in target else shown
    if kind == "Note":
        return f"<fn>{' '.join(_text(block['c']) for block in inner)}</fn>"
    if kind == "Image":
        return ""
    return _text(inner[-1]) if kind in ("Quoted", "Span") else ""


def _block(node: Node) -> str:
    kind, inner = node["t"], node.get("c")
    writers: dict[str, Callable[[Any], str]] = {
        "Para": _paragraph,
        "Plain": _paragraph,
        "CodeBlock": _listing,
        "BulletList": lambda items: _list("ul", items),
        "OrderedList": lambda found: _list("ol", found[1]),
        "DefinitionList": _terms,
        "BlockQuote": lambda blocks: f"<blockquote>{_blocks(blocks)}</blockquote>",
        "Div": lambda found: _note(found[0][1][0], found[1]),
        "Figure": lambda found: _picture(found[2][0]["c"][0]),
        "Table": _table,
    }
    return writers[kind](inner) if kind in writers else ""


def _blocks(blocks: Sequence[Node]) -> str:
    return "\n".join(_block(block) for block in blocks)


def _paragraph(inlines: Sequence[Node]) -> str:
    if len(inlines) == 1 and inlines[0]["t"] == "Image":
        return _picture(inlines[0])
    if len(inlines) == 1 and inlines[0]["t"] == "Math" and inlines[0]["c"][0]["t"] == "DisplayMath":
        return f"<p><md>{escape(inlines[0]['c'][1])}</md></p>"
    return f"<p>{_text(inlines)}</p>"


def _picture(image: Node) -> str:
    words = _text(image["c"][1])
    return (
        f'<figure><caption>{words}</caption><image source="tower.png">'
        f"<shortdescription>{words}</shortdescription></image></figure>"
    )


def _listing(found: Any) -> str:
    (_, classes, _), code = found
    language = quoteattr(classes[0] if classes else "none")
    return f"<program language={language}><code>\n{escape(code)}\n</code></program>"


def _list(tag: str, items: Sequence[Sequence[Node]]) -> str:
    return f"<p><{tag}>{''.join(f'<li>{_blocks(item)}</li>' for item in items)}</{tag}></p>"


def _terms(entries: Any) -> str:
    written = (
        f"<li><title>{_text(term)}</title>{''.join(_blocks(blocks) for blocks in meanings)}</li>"
        for term, meanings in entries
    )
    return f"<p><dl>{''.join(written)}</dl></p>"


def _note(kind: str, blocks: Sequence[Node]) -> str:
    tag = {"tip": "note", "warning": "warning"}.get(kind, "remark")
    title = ""
    if blocks and blocks[0]["t"] == "Para" and [node["t"] for node in blocks[0]["c"]] == ["Strong"]:
        title, blocks = f"<title>{_text(blocks[0]['c'][0]['c'])}</title>", blocks[1:]
    return f"<{tag}>{title}{_blocks(blocks)}</{tag}>"


def _table(found: Any) -> str:
    head, (body,) = found[3], found[4]
    rows = [(row, ' header="yes"') for row in head[1]] + [(row, "") for row in body[3]]
    written = (
        f"<row{header}>{''.join(f'<cell>{_cell(cell)}</cell>' for cell in row[1])}</row>"
        for row, header in rows
    )
    return f"<tabular>{''.join(written)}</tabular>"


def _cell(cell: Any) -> str:
    return " ".join(_text(block["c"]) for block in cell[4])
