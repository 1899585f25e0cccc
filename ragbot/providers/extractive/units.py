"""Split a passage into units: sentences, list items, table rows and listings, each linked to its lead-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ragbot.core.side_matter import (
    is_credit,
    is_date_of_text,
    is_due_date,
    is_link_alone,
    is_pointer,
    is_side_section,
    is_summary_heading,
    says_nothing,
)
from ragbot.core.text import STOPS, count_tokens
from ragbot.providers.extractive.nesting import nesting_of
from ragbot.providers.extractive.text_blocks import (
    BAR,
    TextBlock,
    find_question_items,
    is_caption,
    is_group_row,
    is_picture,
    pieces_of,
)

# Words of a keyword, such as `while` or `else if`.
LONGEST_KEYWORD = 2
# Characters, nearly all that a passage holds. A longer listing is not shown in an answer.
LONGEST_CODE = 1600
_DIAGRAM = re.compile(
    r"[ \t>]*(?:`{3,}|~{3,})[ \t]*\{?(?:mermaid|plantuml|dot|graphviz|d2|ditaa|nomnoml|vega(?:-lite)?)\b",
    re.I,
)
_DEFINES = re.compile(
    r"[^.:!?\n]{1,80}?(?=\s(?:is|are|was|were|means?|refers? to|stands? for|denotes?|describes?|provides?|enables?|allows?|lets?"
    r"|ist|sind|bedeutet|est|sont|es|son|è|sono|é|são|это)\b)"
    r"|[^.!?\n]{1,80}?(?=\s*(?::|\s[—–]|\s-\s|\s=\s))"
)
# "If your ISF is too low ..." and "Jukebox mode is enabled by ..." tell of a thing, and not what it is.
_SUBORDINATE = re.compile(
    r"(?:if|when|whenever|while|because|since|although|though|unless|once|until|after|before|whether|where|how|why)\b",
    re.IGNORECASE,
)
_TELLS_OF = re.compile(
    r"\s+(?:is|are|was|were)\s+(?:(?:currently|now|also|always|still|usually|often|already|automatically|then)\s+)*"
    r"(?:not\s+(?!an?\b|the\b|just\b|only\b|really\b)\w+"
    r"|set|enabled|disabled|supported|included|required|needed|available|installed|located|stored|shown|displayed|listed|allowed"
    r"|possible|used\s+in|turned|added|changed|removed|updated|applied|ignored|configured|activated|saved|sent|deleted|ready|missing)\b",
    re.IGNORECASE,
)
# "correspondent: Specify the ID of ..." tells what to do with it, and not what it is.
_INSTRUCTS = re.compile(
    r"\s*[:—–-]\s*(?:specify|set|filter|use|enter|select|choose|enable|disable|run|add|see|click|press|type|pass|give|put)\b",
    re.IGNORECASE,
)
_LEANS_BACK = re.compile(
    r"(?:it|its|this|that|these|those|they|their|he|she|such|however|but|also|then|instead|otherwise|therefore|thus|hence|both"
    r"|if\s+(?:so|not)|as\s+a\s+result|for\s+this\s+reason|in\s+(?:this|that|both|either|neither)\s+cases?"
    r"|the\s+(?:one|only|sole)\s+exceptions?|(?:if\s+)?the\s+(?:two|latter|former|same)|even\s+(?:so|then)"
    r"|likewise|similarly|conversely|(?:by|in)\s+contrast)\b"
    r"|[^.!?\n]{1,80}?\b(?:is|are|was|were)\s+(?:therefore|thus|hence)\b",
    re.IGNORECASE,
)
# "It means you have local interference": the sentence that explains the one before it.
_EXPLAINS = re.compile(
    r"(?:it|this|that)\s+(?:usually\s+|often\s+|probably\s+)?(?:means|is\s+because|happens\s+(?:when|if|because))\b",
    re.I,
)
# "The solution is to allow it": the sentence that mends what the one before it tells of.
_MENDS = re.compile(
    r"(?:the|a|one)\s+(?:\w+\s+)?(?:solution|fix|work-?around|remedy|cure)\s+(?:is|was)\b"
    r"|(?:to|you\s+can|you\s+must)\s+(?:fix|solve|resolve|work\s+around|prevent|avoid)\s+(?:this|it|that)\b",
    re.I,
)
_TREE = re.compile(r"├──|└──|\|-- |`-- ")  # of folders
# "Such a string is called a *docstring*."
_NAMES = re.compile(
    r"\b(?:called|named|termed|known\s+as|referred\s+to\s+as)\s+(?:an?\s+|the\s+)?[\"'“‘]?(?P<name>[^\s.,;:!?()\"'”’][^.,;:!?()\"”\n]{0,60}?)"
    r"[\"'”’]?(?=\s*[.,;:!?()]|\s*\Z|\s(?:and|because|if|in|that|when|where|which)\b)",
    re.IGNORECASE,
)
# A sentence that points to a list, table or listing below it. ("The following year" is a time, and what stands
# behind a colon is not below.)
_POINTS_BELOW = re.compile(
    r"\b(?:the\s+following(?!\s+(?:\w+\s+)?(?:days?|nights?|mornings?|afternoons?|evenings?|weeks?|months?|seasons?|springs?|summers?"
    r"|autumns?|winters?|years?|decades?|century|centuries)\b)|as\s+follows|below\s+(?:is|are)|(?<!,\sas\s)(?:shown|listed|given|see)\s+below)\b(?!.*[:：]\s*\S)",
    re.IGNORECASE,
)
# "A question mark says so:" rests on the sentence before it.
_LEANS_AT_END = re.compile(r"\b(?:so|this|that|these|those|it)\s*[:：]\W*\Z", re.IGNORECASE)
# What is bold from end to end, a paragraph or its first sentence, is a heading in all but name.
_BOLD = re.compile(r"\s*(?:\*\*[^*\n]{1,80}\*\*|\*\*\*[^*\n]{1,80}\*\*\*|__[^_\n]{1,80}__)\s*[:.]?\s*")
# The label on which a reader clicks to unfold a text.
_FOLD = re.compile(
    r"\s*(?:</?details[^<>]*>\s*)*<summary\b[^<>]*>.*?</summary>\s*", re.DOTALL | re.IGNORECASE
)
# Labels below which the text goes on with what the one above them began.
_GOES_ON = re.compile(
    r"(?:causes?|reasons?|solutions?|fix(?:es)?|workarounds?|resolutions?|remed(?:y|ies)|how\s+to\s+fix)\b"
    r"|why\b(?=\W*\Z|\s+(?:this|it|that|(?:does|did)\s+(?:this|it|that))\b)",
    re.I,
)
_SENTENCE_ENDS = (".", "!", "?", ":", *STOPS)
# A bold line with fewer blanks is a label also with a full stop: "Please note."
LEAST_BLANKS = 2
# Up to so many units between two items of one list.
MOST_BETWEEN = 4
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Unit:
    """Describe the smallest piece that an answer is made of, by its offsets in the passage.

    `kind` is sentence, list_item, table_row or code. `block` is the index of the unit's block, and `heading`
    that of the heading block above it, or -1. `lead` is the index of the unit that leads to this one ("You
    need:"), or -1. `words` is the text without markup. `is_side` marks text about the book rather than its
    subject (links, where to read on, objectives, due dates), `is_diagram` the source of a diagram. `is_label`
    marks a bold line, or a row of one cell, that heads what follows, `is_fold` the label of a text to unfold, `is_summary` a unit of
    a section that sums up its chapter, `is_tree` a drawing of folders, `in_item` a later block of a list item.
    `cells` are those of a table's row, in lower case. `shows_picture` marks a sentence that announces a picture,
    which no answer shows. `is_open` marks a sentence without a full stop before a list or a listing ("Then use").
    `item` is the index of the list item that the unit stands in, or -1.
    """

    start: int
    end: int
    kind: str
    block: int
    heading: int
    lead: int
    words: str
    tokens: int
    is_side: bool = False
    is_diagram: bool = False
    is_label: bool = False
    is_fold: bool = False
    is_summary: bool = False
    is_tree: bool = False
    in_item: bool = False
    cells: frozenset[str] = frozenset()
    shows_picture: bool = False
    is_open: bool = False
    item: int = -1

    @property
    def parts(self) -> bool:
        """Return whether the unit is a label that begins something else, as a heading does."""
        return self.is_label and _GOES_ON.match(self.words) is None

    @property
    def leads(self) -> bool:
        """Return whether the unit is a sentence that introduces the units after it."""
        return self.kind == "sentence" and self.announces

    @property
    def announces(self) -> bool:
        """Return whether the unit announces what follows: it ends in a colon, points below or is a label."""
        if self.kind not in ("sentence", "list_item") or self.shows_picture:
            return False
        points = self.kind == "sentence" and _POINTS_BELOW.search(self.words) is not None
        return self.is_label or self.is_open or points or self.words.rstrip("*_ ").endswith((":", "："))

    @property
    def leans_back(self) -> bool:
        """Return whether the unit needs the sentence before it to be understood ("It ...", "However ...")."""
        leans = _LEANS_BACK.match(self.words) or _LEANS_AT_END.search(self.words)
        return self.kind == "sentence" and leans is not None

    @property
    def explains(self) -> bool:
        """Return whether the unit says what the sentence before it means or comes from."""
        return self.kind == "sentence" and _EXPLAINS.match(self.words) is not None

    @property
    def mends(self) -> bool:
        """Return whether the unit says how to mend what the sentence before it tells of."""
        return self.kind == "sentence" and _MENDS.match(self.words) is not None

    @property
    def opening(self) -> str:
        """Return the term that the unit would define: the words before its verb, colon or dash, or ""."""
        match = _DEFINES.match(self.words)
        if match is None:
            return ""
        # (A keyword of a programming language may be a term: "while is ...".)
        if _SUBORDINATE.match(self.words) and len(match.group().split()) > LONGEST_KEYWORD:
            return ""
        if _INSTRUCTS.match(self.words, match.end()) or _TELLS_OF.match(self.words, match.end()):
            return ""
        return match.group().strip()

    @property
    def named(self) -> str:
        """Return the name that the unit gives to what it describes ("... is called a docstring"), or ""."""
        match = _NAMES.search(self.words) if self.kind in ("sentence", "list_item") else None
        return match["name"].strip() if match else ""


def units_of(
    text: str, blocks: Sequence[TextBlock], *, headings: Sequence[str], words: Callable[[str, str], str]
) -> list[Unit]:
    """Split a passage. `headings` is its heading path; `words(text, kind)` removes a piece's markup."""
    last = headings[-1] if headings else ""
    section = _section(last, text[: _next_heading(blocks, -1, text)], headings[:-1])
    units: list[Unit] = []
    heading = -1
    questions = find_question_items(text, blocks)
    for number, block in enumerate(blocks):
        if block.kind == "heading":
            heading = number
            name = words(text[block.start : block.end], "heading")
            section = _section(name, text[block.end : _next_heading(blocks, number, text)], headings[:-1])
            continue
        if units and units[-1].heading == heading and is_picture(text[block.start : block.end]):
            units[-1] = _before_picture(units[-1], text)
        for start, end, kind in pieces_of(text, block):
            raw = text[start:end]
            kind = "sentence" if number in questions else kind
            plain = words(raw, kind)
            if _WORD.search(plain) and not says_nothing(plain):
                if kind in ("list_item", "code"):
                    _open_last(units, number, heading)
                if kind == "list_item":
                    _take_into_list(units, heading)
                units.append(
                    Unit(
                        start=start,
                        end=end,
                        kind=kind,
                        block=number,
                        heading=heading,
                        lead=_lead(units, blocks, number, heading, kind),
                        words=plain,
                        tokens=count_tokens(plain),
                        is_side=section.is_side
                        or _is_side(raw, plain, kind)
                        or (kind == "sentence" and is_caption(text, block)),
                        is_diagram=kind == "code" and _DIAGRAM.match(raw) is not None,
                        is_label=number in questions or _is_label(raw, kind),
                        is_fold=kind == "sentence" and _FOLD.fullmatch(raw) is not None,
                        is_summary=section.is_summary,
                        is_tree=kind == "code" and _TREE.search(raw) is not None,
                        in_item=(block.in_item and not _replies(units, questions))
                        or _is_typed(units, heading, kind, plain),
                        cells=_cells(raw) if kind == "table_row" else frozenset(),
                    )
                )
    return _with_linked_items(_nested(_without_empty_labels(units), text), text)


def _nested(units: Sequence[Unit], text: str) -> list[Unit]:
    places = zip(units, nesting_of(units, text), strict=True)
    return [replace(unit, item=item, lead=lead) for unit, (item, lead) in places]


def _without_empty_labels(units: Sequence[Unit]) -> list[Unit]:
    """Return units where a bold sentence with its stop is text if nothing of its section follows it."""

    def is_text(index: int) -> bool:
        unit = units[index]
        ends = index + 1 == len(units) or units[index + 1].heading != unit.heading
        is_sentence = unit.words.rstrip('"”’)').endswith((".", "!")) and unit.words.count(" ") >= LEAST_BLANKS
        return ends and unit.is_label and unit.kind == "sentence" and is_sentence

    return [replace(unit, is_label=False) if is_text(index) else unit for index, unit in enumerate(units)]


def _with_linked_items(units: Sequence[Unit], text: str) -> list[Unit]:
    """Return units where an item that is a link alone is text if others of its announced list are."""
    # "It works with: [A](...), [B](...), C with an adapter" answers, and is no list of where to read on.
    told = {(unit.heading, unit.lead) for unit in units if unit.kind == "list_item" and not unit.is_side}

    def is_told(unit: Unit) -> bool:
        is_item = unit.kind == "list_item" and unit.is_side and unit.lead >= 0
        return is_item and (unit.heading, unit.lead) in told and is_link_alone(text[unit.start : unit.end])

    return [replace(unit, is_side=False) if is_told(unit) else unit for unit in units]


def _is_side(raw: str, plain: str, kind: str) -> bool:
    """Return whether a piece is about the text: a link, where to read on, a date of it, who said it."""
    if is_link_alone(raw) or (kind == "sentence" and (is_pointer(raw) or is_credit(plain))):
        return True
    return kind != "code" and (is_due_date(plain) or is_date_of_text(plain))


def _is_label(raw: str, kind: str) -> bool:
    """Return whether a piece heads what follows: a bold line, or a row that names a group of rows."""
    if kind == "table_row":
        return is_group_row(raw)
    return kind == "sentence" and _BOLD.fullmatch(raw) is not None


def _replies(units: Sequence[Unit], questions: frozenset[int]) -> bool:
    """Return whether a block of an item follows its question, with other such blocks between them."""
    for unit in reversed(units):
        if unit.block in questions:
            return True
        if unit.in_item or unit.kind not in ("sentence", "code"):
            return False
    return False


def _before_picture(unit: Unit, text: str) -> Unit:
    """Return a sentence that announces a picture without its colon; others as they are.

    "Choose the loop in the menu:" and a picture of the menu is a step, also where nobody sees the picture.
    """
    if unit.kind != "sentence" or not unit.announces or unit.is_label:
        return unit
    end = unit.end - text[unit.start : unit.end].endswith((":", "："))
    return replace(unit, words=unit.words.rstrip().rstrip(":："), end=end, shows_picture=True)


def _open_last(units: list[Unit], number: int, heading: int) -> None:
    """Mark the last unit if it is a sentence without a stop, right above a list or a listing."""
    if not units or units[-1].block != number - 1 or units[-1].heading != heading:
        return
    last = units[-1]
    if (
        last.kind == "sentence"
        and not last.in_item
        and not last.words.rstrip('*_`"”’) ').endswith((*_SENTENCE_ENDS, "…"))
    ):
        units[-1] = replace(last, is_open=True)


def _take_into_list(units: list[Unit], heading: int) -> None:
    """Mark the units since an item that announces them as parts of it: the list goes on behind them."""
    between: list[int] = []
    for index in range(len(units) - 1, max(len(units) - MOST_BETWEEN, 0) - 1, -1):
        unit = units[index]
        if unit.heading != heading or (unit.kind == "list_item" and not _points_on(unit)):
            return
        if unit.kind == "list_item":
            for other in between:
                units[other] = replace(units[other], in_item=True)
            return
        if unit.kind != "sentence":
            return
        between.append(index)


def _is_typed(units: Sequence[Unit], heading: int, kind: str, words: str) -> bool:
    """Return whether a paragraph is what the item above it tells readers to type or to open."""
    if kind != "sentence" or not units or units[-1].heading != heading or words.endswith(_SENTENCE_ENDS):
        return False
    above = units[-1]
    return (above.kind == "list_item" and _points_on(above)) or (above.in_item and above.kind == "sentence")


def _points_on(item: Unit) -> bool:
    return item.announces or _POINTS_BELOW.search(item.words) is not None


@dataclass(frozen=True, slots=True)
class _Section:
    is_side: bool
    is_summary: bool


def _section(heading: str, text: str, above: Sequence[str]) -> _Section:
    return _Section(is_side_section(heading, text, above), is_summary_heading(heading))


def _next_heading(blocks: Sequence[TextBlock], number: int, text: str) -> int:
    """Return the offset of the next heading after a block, or the end of the text."""
    return next((block.start for block in blocks[number + 1 :] if block.kind == "heading"), len(text))


def _cells(row: str) -> frozenset[str]:
    return frozenset(name for cell in BAR.split(row) if (name := cell.strip(" \t`*_").casefold()))


def _lead(units: Sequence[Unit], blocks: Sequence[TextBlock], block: int, heading: int, kind: str) -> int:
    """Return the index of the sentence that introduces a list, listing or table, or -1."""
    for index in range(len(units) - 1, -1, -1):
        before = units[index]
        if before.heading != heading:
            return -1
        if kind == "list_item" and before.in_item:
            # A paragraph or listing of an item above.
            continue
        if before.leads:
            # A sentence with a colon introduces the units after it, as long as they are of one kind.
            is_next = before.block == block or before.is_label or blocks[block].kind == "quote"
            return index if kind != "sentence" or is_next else -1
        if before.kind == "sentence":
            return -1
        if before.kind != kind:
            return -1 if kind == "sentence" else before.lead
    return -1
