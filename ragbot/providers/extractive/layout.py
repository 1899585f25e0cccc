"""Format the chosen windows as Markdown, word for word, with a citation mark after each run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import chain, groupby, pairwise

from ragbot.core.domain import Chunk
from ragbot.core.markdown_escaping import escape_words
from ragbot.providers.extractive.lists import list_extent
from ragbot.providers.extractive.nesting import LEAST_INDENT, column_of, margin_of
from ragbot.providers.extractive.reading import ReadPassage, ReadUnit
from ragbot.providers.extractive.text_blocks import BAR, TextBlock
from ragbot.providers.extractive.windows import Window

# Characters. The letters that head the parts of a glossary are not shown.
SHORTEST_HEADING = 3
# The indent of a nested item. Under "- " and under "10. " alike, four blanks do not make it code.
NESTED = "    "
DEEPEST = 3

# Stands for what is not shown of a list or of a listing.
CUT = "…"
CUT_BEFORE, CUT_BEHIND = f"{CUT}\n\n", f"\n\n{CUT}"

# "**Due Date:** ...", on a line of its own.
_LABELLED_LINE = re.compile(
    r"(?<=\S)[ \t]*\n(?=[ \t>]*(?:\*\*|__)[^*_\n]{1,60}(?::(?:\*\*|__)|(?:\*\*|__):))"
)
# A line that the author ended so that the page ends it there, too, as of a poem or an address.
_HARD_BREAK = re.compile(
    r"(?P<ticks>`{1,3})(?!`)[^\n`]{1,400}(?<!`)(?P=ticks)(?!`)"
    r"|(?P<break>(?:\\|(?<![ ])[ ]{2,}+)\r?\n|(?<![ \t])[ \t]*+<br[ \t]*/?>\s*)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\s*(\*\*|__)[^*_\n]{1,80}\1\s*")
# Characters between two sentences of one line; further on there are a line's end and its indent.
_GAP = 3
_BLANKS = " \t\r\n>"
_NUMBER = re.compile(r"[ \t>]*(\d{1,9})[.)][ \t]+(?:\[[ xX]\][ \t]+)?\Z")
# A line that is no part of the paragraph above it.
_NO_PARAGRAPH = re.compile(r"[ \t>]*(?:#|`{3}|~{3}|[-*+][ \t]|(?:[-*_][ \t]*){3,}\Z)")
_NUMBERED = re.compile(r"(?P<indent>[ \t>]*)(?P<number>\d{1,9})[.)][ \t]")
_FENCE = re.compile(r"(?P<margin>[ \t>]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)\n?")
_CLOSING = re.compile(r"\n?[ \t>]*(?:`{3,}|~{3,})[ \t]*\Z")
_LANGUAGE = re.compile(r"[{.]*\s*(?:code-block|code-cell|code|literalinclude)?[}]?\s*([A-Za-z][\w+#-]*)?")
# In titles that an author gives as plain text.
_EMPHASIS = re.compile(r"(?P<stars>\*{1,3})(?=\S)(?P<words>[^*\n]{1,300})(?<=\S)(?P=stars)")
_TITLE = re.compile(r"^\s*(?:title[: ]+|---\s*\n\s*title:\s*)(.+?)\s*$|%%\s*(.+?)\s*$", re.MULTILINE)


def paragraphs_of(
    text: str,
    blocks: Sequence[TextBlock],
    passage: ReadPassage,
    window: Window,
    *,
    mark: str,
    tidy: Callable[[str], str],
    heading: Callable[[int], str],
    table_head: str = "",
    code_fence: str = "",
    above: int = -1,
) -> Iterator[str]:
    """Yield paragraphs, lists, code and tables of one window in the book's order, each run with its mark.

    `tidy` cleans a run of prose; `heading(block)` returns the words of a heading inside the passage.
    `table_head` is the head of the table in whose middle the passage begins, `code_fence` the first line of
    such a listing. `above` is the block of the heading that what stands before is under, or -1.
    """
    for indexes in _runs(text, blocks, passage, window.units):
        run = [passage.units[index] for index in indexes]
        first = run[0].unit
        if first.heading not in (-1, above) and len(name := heading(first.heading)) >= SHORTEST_HEADING:
            yield f"**{escape_words(name)}**"
        above = first.heading
        if first.kind == "list_item":
            items = _list(text, run, mark, tidy)
            # One step by itself has its number; several look whole, and so does what a sentence leads to.
            is_led = first.lead in window.units
            if window.is_run or is_led or (items[0].isdigit() and len(items.splitlines()) > 1):
                items = _with_cuts(items, passage, indexes, frozenset(window.units))
            yield items
        elif first.kind == "table_row":
            table = _table(text, blocks, run, tidy, table_head)
            yield f"{_with_cut_rows(table, passage, indexes) if window.is_run else table}\n\n{mark}"
        elif first.is_diagram:
            yield f"{_diagram(text[first.start : first.end])} {mark}"
        elif first.kind == "code":
            yield _listing(text[first.start : first.end], margin_of(text, first.start), code_fence, mark)
        else:
            # A sentence that introduces the list after it needs no mark of its own.
            is_lead = run[-1].unit.leads and run[-1].unit is not passage.units[window.units[-1]].unit
            yield _prose(text[first.start : run[-1].unit.end], "" if is_lead else f" {mark}", tidy)


def _runs(
    text: str, blocks: Sequence[TextBlock], passage: ReadPassage, indexes: Sequence[int]
) -> list[list[int]]:
    """Group the indexes of neighbouring units of one paragraph, one list or one table."""
    runs = [[indexes[0]]]
    for before, index in pairwise(indexes):
        one, last = passage.units[index].unit, passage.units[before].unit
        together = one.kind == last.kind and one.heading == last.heading
        if one.kind == "sentence" and one.in_item and passage.units[runs[-1][0]].unit.kind == "list_item":
            together = index == before + 1 or one.item in runs[-1]
        elif one.kind == "list_item" and passage.units[runs[-1][0]].unit.kind == "list_item":
            together = one.heading == last.heading
        elif one.kind == "sentence":
            is_next = one.start - last.end < _GAP or not text[last.end : one.start].strip(_BLANKS)
            together = together and one.block == last.block and is_next
        elif one.kind == "table_row":
            together = together and not _begins_table(blocks, one.block)
        elif one.kind == "code":
            together = False
        if together:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _begins_table(blocks: Sequence[TextBlock], row: int) -> bool:
    """Return whether a row is the first one below a table's head."""
    return row > 0 and blocks[row - 1].kind == "table_head"


def _prose(raw: str, mark: str, tidy: Callable[[str], str]) -> str:
    """Return a run of sentences on one line; lines that the author ended by hand stay lines.

    Of lines that each begin with a bold label each has its mark.
    """
    return "  \n".join(
        f"{lines}{mark}" for line in _LABELLED_LINE.split(raw) if (lines := _lines(line, tidy))
    )


def _lines(raw: str, tidy: Callable[[str], str]) -> str:
    breaks = [found.span() for found in _HARD_BREAK.finditer(raw) if found["break"]]
    edges = [0, *chain.from_iterable(breaks), len(raw)]
    pieces = [raw[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    if len(pieces) > 1 and _LABEL.fullmatch(pieces[0]):
        # `tidy` joins a label to its text.
        return tidy(raw)
    return "  \n".join(line for line in map(tidy, pieces) if line)


def _with_cuts(items: str, passage: ReadPassage, indexes: Sequence[int], shown: Set[int]) -> str:
    """Add a line of dots where items of the list before or after the shown ones are left out.

    `shown` are the indexes of all units that are shown: the list goes on behind its listings.
    """
    earlier = range(list_extent(passage, indexes[0]).start, indexes[0])
    later = range(indexes[-1] + 1, list_extent(passage, indexes[-1]).stop)
    before = [CUT, ""] if earlier and shown.isdisjoint(earlier) else []
    after = ["", CUT] if later and indexes[-1] + 1 not in shown else []
    return "\n".join((*before, items, *after))


def _with_cut_rows(table: str, passage: ReadPassage, indexes: Sequence[int]) -> str:
    """Add a row of dots where rows of the table before or after the shown ones are left out."""
    head, rule, *rows = table.split("\n")
    extent = list_extent(passage, indexes[0])
    dots = _row([CUT], head.count("|") - head.count("\\|") - 1)
    before = [dots] if indexes[0] > extent.start else []
    after = [dots] if indexes[-1] < extent.stop - 1 else []
    return "\n".join((head, rule, *before, *rows, *after))


def _list(text: str, run: Sequence[ReadUnit], mark: str, tidy: Callable[[str], str]) -> str:
    lines: list[str] = []
    outer: list[int] = []
    for paragraph in _paragraphs(run):
        first, end = paragraph[0].unit, paragraph[-1].unit.end
        words = _lines(text[first.start : end], tidy)
        if first.kind != "list_item":
            # A later paragraph of the item.
            parted = [] if lines and not lines[-1] else [""]
            lines += [*parted, f"{_indent(len(outer))}{_inside(words, len(outer))} {mark}", ""]
            continue
        indent = column_of(text, first.start)
        while outer and indent < outer[-1] + LEAST_INDENT:
            outer.pop()
        number = _NUMBER.match(margin_of(text, first.start).expandtabs(4))
        bullet = f"{_ordinal(text, first.start, number)}." if number else "-"
        lines.append(f"{_indent(len(outer))}{bullet} {_inside(words, len(outer) + 1)} {mark}")
        outer.append(indent)
    return "\n".join(lines).strip("\n")


def _ordinal(text: str, start: int, match: re.Match[str]) -> int:
    """Return the number that a page shows for an item. Many authors write "1." before each."""
    found = int(match[1])
    indent = match[0][: match.start(1)]
    lines = text[: text.rfind("\n", 0, start) + 1].splitlines()
    for number, line in reversed(list(enumerate(lines))):
        other = _NUMBERED.match(line)
        if other is not None and other["indent"] == indent:
            if int(other["number"]) != int(match[1]):
                break
            found += 1
        elif not line.strip(" \t>") or len(line) - len(line.lstrip(" \t>")) > len(indent):
            continue
        elif number == 0 or not lines[number - 1].strip(" \t>") or _NO_PARAGRAPH.match(line):
            break
    return found


def _inside(words: str, depth: int) -> str:
    """Indent the later lines of an item's paragraph as the item is."""
    return words.replace("\n", f"\n{_indent(depth)}")


def _indent(depth: int) -> str:
    return NESTED * min(depth, DEEPEST)


def _paragraphs(run: Sequence[ReadUnit]) -> Iterator[list[ReadUnit]]:
    """Yield an item at a time, and the sentences of each later paragraph together."""
    for _, units in groupby(run, key=lambda read: read.unit.block):
        yield list(units)


def _table(
    text: str,
    blocks: Sequence[TextBlock],
    run: Sequence[ReadUnit],
    tidy: Callable[[str], str],
    head_above: str,
) -> str:
    rows = [_cells(text[read.unit.start : read.unit.end], tidy) for read in run]
    first = run[0].unit.block
    while first and blocks[first - 1].kind == "table_row":
        first -= 1
    if first and blocks[first - 1].kind == "table_head":
        head = _cells(text[blocks[first - 1].start : blocks[first - 1].end], tidy)
    elif first == 0 and head_above:
        head = _cells(head_above, tidy)
    else:
        head = [""] * len(rows[0])
    width = max(len(row) for row in (head, *rows))
    lines = [_row(head, width), _row(["---"] * width, width), *(_row(row, width) for row in rows)]
    return "\n".join(lines)


def _cells(row: str, tidy: Callable[[str], str]) -> list[str]:
    return [
        tidy(cell.replace("\\|", "|")).replace("|", "\\|")
        for cell in BAR.split(row.strip().removeprefix("|").removesuffix("|"))
    ]


def _row(cells: Sequence[str], width: int) -> str:
    return f"| {' | '.join((*cells, *[''] * (width - len(cells))))} |"


def _listing(block: str, margin_before: str, code_fence: str, mark: str) -> str:
    """Return a listing with its mark, and dots where the passage has not its beginning or its end.

    `code_fence` is its first line where the passage begins in its middle.
    """
    has_end = not (code_fence or _FENCE.match(block)) or _CLOSING.search(block) is not None
    before = CUT_BEFORE if code_fence else ""
    return f"{before}{_code(block, margin_before, code_fence)}\n\n{mark}{'' if has_end else CUT_BEHIND}"


def _code(block: str, margin_before: str, code_fence: str) -> str:
    """Return a listing in new fences, with its language and without a site generator's own options.

    `margin_before` is what stands before it on its line, `code_fence` its first line where it is cut off. The
    marks of a quotation around it are left out.
    """
    opening = _FENCE.match(code_fence or block)
    language = ""
    quoted = f"{margin_before}{opening['margin'] if opening else ''}".count(">")
    if opening is not None:
        found = _LANGUAGE.match(opening["info"])
        language = (found[1] or "") if found else ""
        block = block if code_fence else block[opening.end() :]
    block = _CLOSING.sub("", block).strip("\n")
    marks_of_quote = re.compile(rf"(?:[ \t]*> ?){{0,{quoted}}}")
    lines = [marks_of_quote.sub("", line, count=1) for line in block.split("\n")]
    margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    marks = "````" if "```" in block else "```"
    return "\n".join((f"{marks}{language}", *(line[margin:].rstrip() for line in lines), marks))


def _diagram(block: str) -> str:
    """Return a sentence to show in place of a diagram's source."""
    title = _TITLE.search(block)
    name = (title[1] or title[2]).strip("*_`\"' ") if title else ""
    return f"(A diagram: *{name}*.)" if name else "(A diagram on this page.)"


def place_of(chunk: Chunk, shown: Sequence[Chunk]) -> tuple[str, ...]:
    """Return a page's title and a section's heading, with the headings above it that tell it from others.

    A heading of one word ("Steps") says nothing without the one above it.
    """
    below = _below_title(chunk)
    depth = 1 if below and " " in below[-1] else 2
    others = [_below_title(one) for one in shown if one.title == chunk.title]
    while depth < len(below) and any(one != below and one[-depth:] == below[-depth:] for one in others):
        depth += 1
    return (chunk.title, *below[-depth:])


def _below_title(chunk: Chunk) -> tuple[str, ...]:
    """Return the headings of a chunk below its page's title."""
    path = chunk.heading_path
    return path[path.index(chunk.title) + 1 :] if chunk.title in path else path


def introduction(place: Sequence[str], shown: Sequence[str] | None, *, is_further: bool) -> str:
    """Return one line that names the page and section that the following words come from.

    `shown` is the place of the words before; None at the answer's beginning.
    """
    names = dict.fromkeys(_EMPHASIS.sub(r"\g<words>", name).strip() for name in place if name.strip())
    where = f"*{escape_words(' › '.join(names))}*"
    if shown is None:
        return f"In the book's own words, from {where}:"
    if is_further:
        return f"See also, from {'the same section' if place == shown else where}:"
    return f"From {where}:"
