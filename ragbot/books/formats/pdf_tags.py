"""Read the tags of a PDF: which pieces of its pages are one heading, list item, table cell or paragraph.

Word, Google Docs, InDesign, LibreOffice and Chrome write them for screen readers. The structure tree
(ISO 32000-2, 14.7) holds elements with roles such as `H2`, `LI` and `TD`; its leaves are the numbers of
marked content (MCIDs), which are unique on a page. In a page's content such a piece stands between the
operator `BDC`, which names the number, and `EMC`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pypdf import PdfReader
from pypdf.generic import DictionaryObject

# Some three thousand pages by Word.
MAX_ELEMENTS = 100_000
_MOST_ROLE_NAMES = 10
_MOST_COLUMNS = 100


class TagRole(StrEnum):
    """Name what a piece of a page is.

    The parts of a region have no tags: of a figure, or of a cell that is there for the layout. An
    artifact is no part of the text: a running head, a page number.
    """

    TEXT = "text"
    REGION = "region"
    HEADING = "heading"
    ITEM = "item"
    CELL = "cell"
    CODE = "code"
    CONTENTS = "contents"
    ARTIFACT = "artifact"


@dataclass(frozen=True, slots=True)
class Tag:
    """Describe the block of text that a piece belongs to. `block` is its number in the file.

    `level` is a heading's, from 1; `table` and `row` are the numbers of a cell's, -1 without one.
    """

    role: TagRole
    block: int
    level: int = 0
    table: int = -1
    row: int = -1


ARTIFACT = Tag(TagRole.ARTIFACT, -1)


@dataclass(frozen=True, slots=True)
class TaggedTable:
    """Hold the blocks of a table's cells, row by row; -1 where another cell reaches over.

    All rows are of one length. `has_head` tells whether the first is the head, None where the tags do not.
    """

    rows: tuple[tuple[int, ...], ...]
    has_head: bool | None


@dataclass(frozen=True, slots=True)
class PdfTags:
    """Hold a file's tags by page (from 0) and MCID, and its tables by number. Without tags both are empty."""

    pages: Mapping[int, Mapping[int, Tag]] = field(default_factory=dict)
    tables: Mapping[int, TaggedTable] = field(default_factory=dict)


_HEADINGS = {"/H": 1, "/Title": 1, **{f"/H{level}": level for level in range(1, 7)}}
_PARAGRAPHS = frozenset({"/P", "/Formula", "/BibEntry", "/Index"})
# Blocks of their own within a paragraph, too; they may hold paragraphs.
_APART = {
    "/LI": TagRole.ITEM,
    "/TOC": TagRole.CONTENTS,
    "/TOCI": TagRole.CONTENTS,
    "/BlockQuote": TagRole.TEXT,
    "/Caption": TagRole.TEXT,
    "/FENote": TagRole.TEXT,
    "/Figure": TagRole.REGION,
    "/Note": TagRole.TEXT,
    "/TD": TagRole.REGION,
    "/TH": TagRole.REGION,
}
# Pieces of the text around them. A browser gives each run of text an element, too: `NonStruct`.
_INLINE = frozenset({"/Code", "/Em", "/Link", "/Quote", "/Reference", "/Span", "/Strong"})
# All within is the same.
_WHOLE = frozenset({TagRole.CELL, TagRole.CONTENTS, TagRole.ARTIFACT})
# A table that holds them is there for the layout, as is one with a single row or column.
_LAID_OUT = frozenset({"/Table", *_HEADINGS})


def read_tags(reader: PdfReader) -> PdfTags:
    """Read a file's tags. One whose tree is damaged, or larger than a book's, counts as one without tags."""
    try:
        root = _resolved(reader.root_object.get("/StructTreeRoot"))
        if not isinstance(root, DictionaryObject):
            return PdfTags()
        walk = _Walk(reader, root)
        walk.read()
    except Exception:
        # The tree is as wild as the file is, and the pages say the same without it.
        return PdfTags()
    return PdfTags(walk.pages, walk.tables)


@dataclass(frozen=True, slots=True)
class _Place:
    """Hold what an element has from those above it."""

    page: int | None = None
    tag: Tag | None = None
    holds_paragraphs: bool = True
    is_label: bool = False
    # The element whose text it is where no block is around, and whether it is all that this one holds.
    holder: int = 0
    is_alone: bool = True


class _Walk:
    """Walk a structure tree in reading order, and note the tag of each piece."""

    def __init__(self, reader: PdfReader, root: DictionaryObject) -> None:
        self.pages: dict[int, dict[int, Tag]] = {}
        self.tables: dict[int, TaggedTable] = {}
        self._root = root
        roles = _resolved(root.get("/RoleMap"))
        self._role_map: Mapping[Any, Any] = roles if isinstance(roles, DictionaryObject) else {}
        self._numbers = {
            page.indirect_reference.idnum: number
            for number, page in enumerate(reader.pages)
            if page.indirect_reference is not None
        }
        self._seen: set[int] = set()
        self._elements = self._blocks = 0
        # The page on which an item begins, and the items that have words besides their label.
        self._began: dict[int, int] = {}
        self._filled: set[int] = set()
        # The last text outside of all blocks, and its holder.
        self._loose: tuple[int, Tag] | None = None

    def read(self) -> None:
        """Walk the whole tree. Raises ValueError if it is too large."""
        stack: list[tuple[Any, _Place]] = [(self._root.get("/K"), _Place())]
        while stack:
            stack.extend(reversed(self._visit(*stack.pop())))

    def _visit(self, kid: Any, place: _Place) -> Sequence[tuple[Any, _Place]]:
        """Note a piece, or return what is below an element, in reading order."""
        node = _resolved(kid)
        if isinstance(node, int):
            self._note(place.page, node, place)
            return ()
        if not isinstance(node, list | DictionaryObject) or not self._is_new(node):
            return ()
        if isinstance(node, list):
            place = replace(place, is_alone=place.is_alone and len(node) == 1)
            return [(one, place) for one in node]
        place = replace(place, page=self._page_of(node, place.page))
        if node.get("/Type") == "/MCR":
            # Content of a form has numbers of its own.
            if "/Stm" not in node:
                self._note(place.page, _resolved(node.get("/MCID")), place)
            return ()
        role = self._role(node)
        is_whole = place.tag is not None and place.tag.role in _WHOLE
        if role == "/Table" and not is_whole and (rows := self._table_rows(node)):
            return self._cells(rows, place)
        below = place if is_whole else self._place_in(role, place)
        is_run = role in _INLINE or (role == "/NonStruct" and _has_pieces(node))
        return [(node.get("/K"), replace(below, holder=place.holder if is_run else id(node), is_alone=True))]

    def _place_in(self, role: str, place: _Place) -> _Place:
        """Return the place of what an element holds: in a block of its own, or in that around it."""
        if role == "/Artifact":
            return replace(place, tag=ARTIFACT)
        if role in _APART:
            return replace(place, tag=self._new(_APART[role]), holds_paragraphs=True)
        if role == "/Lbl":
            return replace(place, is_label=True)
        if place.is_label or not place.holds_paragraphs:
            return place
        if role in _HEADINGS:
            return replace(
                place, tag=self._new(TagRole.HEADING, level=_HEADINGS[role]), holds_paragraphs=False
            )
        if role in _PARAGRAPHS:
            tag = place.tag
            if tag is None or tag.role is not TagRole.ITEM or tag.block in self._filled:
                tag = self._new(TagRole.TEXT)
            self._filled.add(tag.block)
            return replace(place, tag=tag, holds_paragraphs=False)
        if role == "/Code" and place.tag is None and place.is_alone:
            return replace(place, tag=self._new(TagRole.CODE), holds_paragraphs=False)
        return place

    def _new(self, role: TagRole, *, level: int = 0, table: int = -1, row: int = -1) -> Tag:
        self._blocks += 1
        return Tag(role, self._blocks, level, table, row)

    def _note(self, page: int | None, mcid: Any, place: _Place) -> None:
        if page is None or not isinstance(mcid, int):
            return
        tag = place.tag or self._loose_tag(place.holder)
        if tag.role is TagRole.ITEM:
            if not place.is_label:
                self._filled.add(tag.block)
            if self._began.setdefault(tag.block, page) != page:
                # The rest of an item, on the page behind.
                tag = replace(tag, role=TagRole.TEXT)
        self.pages.setdefault(page, {}).setdefault(mcid, tag)

    def _loose_tag(self, holder: int) -> Tag:
        """Return the tag of text outside of all blocks: one for the pieces of an element in a row."""
        if self._loose is None or self._loose[0] != holder or self._loose[1].block != self._blocks:
            self._loose = holder, self._new(TagRole.REGION)
        return self._loose[1]

    # --- tables --------------------------------------------------------------------------------

    def _table_rows(self, table: DictionaryObject) -> list[list[DictionaryObject]]:
        """Return the cells of a table row by row; no rows if it is there for the layout."""
        rows: list[list[DictionaryObject]] = []
        seen: set[int] = set()
        stack: list[Any] = [table.get("/K")]
        while stack:
            node = _resolved(stack.pop())
            if not isinstance(node, list | DictionaryObject) or id(node) in seen:
                continue
            seen.add(id(node))
            self._count()
            if isinstance(node, list):
                stack.extend(reversed(node))
                continue
            role = self._role(node)
            if role in _LAID_OUT:
                return []
            if role == "/TR":
                rows.append([])
            elif role in ("/TH", "/TD") and rows:
                rows[-1].append(node)
            stack.append(node.get("/K"))
        is_table = len(rows) > 1 and 1 < max(map(len, rows)) <= _MOST_COLUMNS
        return rows if is_table else []

    def _cells(
        self, rows: Sequence[Sequence[DictionaryObject]], place: _Place
    ) -> Sequence[tuple[Any, _Place]]:
        """Number a table's cells, and return what they hold."""
        number = len(self.tables)
        tags = [
            [self._new(TagRole.CELL, table=number, row=position) for _ in row]
            for position, row in enumerate(rows)
        ]
        roles = [[self._role(cell) for cell in row] for row in rows]
        # Word marks a head only where it repeats on each page.
        has_marks = any("/TH" in row for row in roles)
        has_head = set(roles[0]) == {"/TH"} if has_marks else None
        grid = list(_grid(rows, tags))
        columns = max(map(len, grid))
        full = (line + (-1,) * (columns - len(line)) for line in grid)
        self.tables[number] = TaggedTable(tuple(full), has_head)
        return [
            (cell.get("/K"), replace(place, page=self._page_of(cell, place.page), tag=tag))
            for row, row_tags in zip(rows, tags, strict=True)
            for cell, tag in zip(row, row_tags, strict=True)
        ]

    # --- the file ------------------------------------------------------------------------------

    def _is_new(self, node: object) -> bool:
        self._count()
        is_new = id(node) not in self._seen
        self._seen.add(id(node))
        return is_new

    def _count(self) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ValueError("The structure tree has too many elements.")

    def _role(self, node: DictionaryObject) -> str:
        """Return the standard name of an element's role."""
        role = _resolved(node.get("/S"))
        for _ in range(_MOST_ROLE_NAMES):
            # Word calls running heads so, and maps them to sections.
            if role == "/Artifact" or role not in self._role_map:
                break
            role = _resolved(self._role_map[role])
        return str(role)

    def _page_of(self, node: DictionaryObject, above: int | None) -> int | None:
        page = node.raw_get("/Pg") if "/Pg" in node else None
        return self._numbers.get(getattr(page, "idnum", -1), above)


def _resolved(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _has_pieces(node: DictionaryObject) -> bool:
    kids = _resolved(node.get("/K"))
    return isinstance(_resolved(kids[0]) if isinstance(kids, list) and kids else kids, int)


def _grid(
    rows: Sequence[Sequence[DictionaryObject]], tags: Sequence[Sequence[Tag]]
) -> Iterable[tuple[int, ...]]:
    """Yield the blocks of each row's columns, -1 in those that a cell beside or above reaches over."""
    taken: dict[int, int] = {}
    for row, row_tags in zip(rows, tags, strict=True):
        line: list[int] = []
        reached: dict[int, int] = {}
        for cell, tag in zip(row, row_tags, strict=True):
            while taken.get(len(line), 0):
                line.append(-1)
            columns = min(_span(cell, "/ColSpan"), max(_MOST_COLUMNS - len(line), 1))
            reached.update(dict.fromkeys(range(len(line), len(line) + columns), _span(cell, "/RowSpan")))
            line += [tag.block, *[-1] * (columns - 1)]
        taken = {column: rows_left - 1 for column, rows_left in {**taken, **reached}.items() if rows_left > 1}
        yield tuple(line)


def _span(cell: DictionaryObject, key: str) -> int:
    """Return over how many columns or rows a cell reaches."""
    attributes = _resolved(cell.get("/A"))
    for one in attributes if isinstance(attributes, list) else [attributes]:
        found = _resolved(one)
        span = _resolved(found.get(key)) if isinstance(found, DictionaryObject) else None
        if isinstance(span, int):
            return min(max(span, 1), _MOST_COLUMNS)
    return 1
