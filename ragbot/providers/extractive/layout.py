"""Chosen pieces of a passage to paragraphs that read well: with what leads to them, and what they lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ragbot.providers.extractive.spans import TextBlock, TextSpan, spans_of

# Items or rows that may follow a sentence that ends in a colon.
MOST_FOLLOWERS = 8
# Characters of a listing that may follow; a longer one is for the page, not for an answer.
LONGEST_CODE = 1200

SHORTEST_HEADING = 3

# A sentence that begins so says little without the one before it.
_LEANS_BACK = re.compile(
    r"(?:it|its|this|that|these|those|they|their|he|she|such|however|but|also|then|instead|otherwise)\b",
    re.IGNORECASE,
)


def paragraphs_of(
    text: str, blocks: Sequence[TextBlock], chosen: Sequence[TextSpan], *, mark: str
) -> Iterator[str]:
    """Yield paragraphs, lists, code and tables, word for word, in order; each run of words has the mark."""
    pieces = list(spans_of(text, blocks))
    kept = sorted({span for one in chosen for span in _with_company(text, pieces, one)})
    yield from _rendered(text, blocks, pieces, kept, mark)


def _with_company(text: str, pieces: Sequence[TextSpan], chosen: TextSpan) -> Iterator[TextSpan]:
    """A piece with the ones without which it cannot be understood."""
    if chosen not in pieces:
        return
    yield chosen
    place = pieces.index(chosen)
    if chosen.kind == "list_item":
        yield from _lead_in(text, pieces, place)
    elif chosen.kind == "code":
        if place and _leads_on(text, pieces[place - 1]):
            yield pieces[place - 1]
    elif chosen.kind in ("paragraph", "quote"):
        if place and pieces[place - 1].block == chosen.block and _LEANS_BACK.match(_said(text, chosen)):
            yield pieces[place - 1]
        if _leads_on(text, chosen):
            yield from _followers(pieces, place)


def _lead_in(text: str, pieces: Sequence[TextSpan], place: int) -> Iterator[TextSpan]:
    """The sentence before an item's list, if it leads to it."""
    while place and pieces[place].kind == "list_item":
        place -= 1
    if _leads_on(text, pieces[place]):
        yield pieces[place]


def _followers(pieces: Sequence[TextSpan], place: int) -> Iterator[TextSpan]:
    following = pieces[place + 1 : place + 1 + MOST_FOLLOWERS]
    if not following:
        return
    kind = following[0].kind
    if kind == "code":
        if following[0].end - following[0].start <= LONGEST_CODE:
            yield following[0]
    elif kind in ("list_item", "table_row"):
        for piece in following:
            if piece.kind != kind:
                break
            yield piece


def _leads_on(text: str, piece: TextSpan) -> bool:
    return piece.kind in ("paragraph", "quote") and _said(text, piece).rstrip("*_ ").endswith(":")


def _rendered(
    text: str, blocks: Sequence[TextBlock], pieces: Sequence[TextSpan], kept: Sequence[TextSpan], mark: str
) -> Iterator[str]:
    runs = _runs(pieces, kept)
    under = -1
    for number, run in enumerate(runs):
        said = text[run[0].start : run[-1].end]
        if run[0].under not in (-1, under):
            heading = text[blocks[run[0].under].start : blocks[run[0].under].end].strip("*# ")
            # A glossary's letters tell nothing.
            if len(heading) >= SHORTEST_HEADING:
                yield f"**{heading}**"
        under = run[0].under
        match run[0].kind:
            case "list_item":
                yield "\n".join(f"- {_said(text, item)} {mark}" for item in run)
            case "table_row":
                yield f"{_table(text, blocks, run)}\n\n{mark}"
            case "code":
                yield f"{said}\n\n{mark}"
            case _:
                # A sentence that leads to the list behind it needs no mark of its own.
                leads = _leads_on(text, run[-1]) and number + 1 < len(runs)
                yield said if leads else f"{said} {mark}"


def _runs(pieces: Sequence[TextSpan], kept: Sequence[TextSpan]) -> list[list[TextSpan]]:
    """Neighbouring pieces of one paragraph, one list or one table together."""
    runs: list[list[TextSpan]] = []
    for span in kept:
        last = runs[-1][-1] if runs else None
        neighbours = last is not None and pieces.index(span) == pieces.index(last) + 1
        sentence = span.kind in ("paragraph", "quote")
        if last is None or last.kind != span.kind or last.under != span.under:
            runs.append([span])
        elif span.kind == "list_item" or (neighbours and (not sentence or last.block == span.block)):
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _table(text: str, blocks: Sequence[TextBlock], rows: Sequence[TextSpan]) -> str:
    """Rows under their table's head, if the passage holds it."""
    body = "\n".join(_said(text, row) for row in rows)
    first = rows[0].block
    while first and blocks[first - 1].kind == "table_row":
        first -= 1
    if first == 0 or blocks[first - 1].kind != "table_head":
        return body
    # From the head to the first row: the line that makes it a table is between them.
    head = text[blocks[first - 1].start : blocks[first].start].rstrip()
    return f"{head}\n{body}"


def _said(text: str, span: TextSpan) -> str:
    return text[span.start : span.end]
