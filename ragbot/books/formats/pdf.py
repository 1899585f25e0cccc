"""A PDF to a book: a page of ours for each page of its own, under the titles of its outline.

A page's address is `file.pdf#page=12`, at which every viewer opens the twelfth page; an address that
ends in a fragment takes no anchor, so nothing finer than a page of the file could be linked to. One
page of ours for each of the file's therefore makes every citation land where its words are; were a
chapter one page, all of it would lead to the chapter's first. The price is that no passage runs
across the end of a page. `path` is the same as the address, for paths are distinct in a book.

The outline's entries that begin on a page open sections there, without anchors. What holds for the
whole page gives its title and its parts: `("Part I", "2 Names", "2.1 Scope")` is the title "2.1 Scope"
under two parts, and a page on which 2.1 ends and 2.2 begins is one of "2 Names". A page without such a
common title is called "Page 12". Where a file has no outline all pages are.

`source` is the text after cleaning: lines joined to paragraphs, hyphens at line ends taken out, running
heads and feet and the dotted lines of a table of contents dropped, ligatures spelt out. Lines in a font
of fixed width are code and stand in a fence, so that Markdown's signs in them are signs.
"""

from __future__ import annotations

import logging
import math
import re
import time
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise, takewhile
from pathlib import PurePosixPath
from statistics import median
from typing import Any
from urllib.parse import quote

from pypdf import PasswordType, PdfReader, apply_configuration
from pypdf.errors import DependencyError, LimitReachedError, PyPdfError
from pypdf.generic import Destination

from ragbot.books.files import BookFolder
from ragbot.core.domain import Book, Dialect, Page, Section
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import cleaned


MAX_PAGES = 5_000
# Some forty thick novels; a page of 100,000 characters is no page.
MAX_CHARACTERS = 20_000_000
MAX_PAGE_CHARACTERS = 100_000
# A thousand pages take about a minute; what takes this long is made to take long.
FILE_TIMEOUT_S = 900.0
PAGE_TIMEOUT_S = 30.0
MAX_OUTLINE = 10_000
MAX_PARTS = 16
MAX_TITLE = 300

# pypdf's own limits let one page take minutes; no page that is read needs as much.
_LIMITS: dict[str, Any] = {
    "page_tree_maximum_entries": 2 * MAX_PAGES,
    "outline_maximum_entries": MAX_OUTLINE,
    "outline_maximum_depth": 2 * MAX_PARTS,
    "stream_parsing_work_maximum_count": 1_000_000,
    "xform_maximum_invocations_per_extraction": 500,
    "zlib_maximum_output_length": 30_000_000,
    "lzw_maximum_output_length": 30_000_000,
    "run_length_maximum_output_length": 30_000_000,
}
_OPERATORS_BETWEEN_LOOKS = 1_000

# A running head or foot is found again on this many of as many pages around; left and right differ often.
_WINDOW = 9
_REPEATED = 4
_FEWEST_REPEATED = 3
_EDGE_LINES = 2
_MAX_EDGE = 150

# As shares of the type size, or of the usual distance between lines.
_WIDER = 1.2
_INDENTED = 0.7
_ALIGNED = 0.3
_SIZE_DIFFERS = 0.1

# Covers and plates are pictures; where more pages are, the book was scanned in part.
_SCANNED_SHARE = 0.1

# Between a page's blocks, as between Markdown's.
_BETWEEN = "\n\n"

_FIXED_WIDTH = re.compile(r"mono|courier|consol|typewriter|cmtt|sftt|ectt|txtt|menlo|fixed", re.IGNORECASE)
_FIXED_PITCH_FLAG = 1
_FEWEST_WIDTHS = 5
_USUAL_ADVANCE = 600.0
_USUAL_SIZE = 10.0
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_UNPRINTABLE = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0x200B, 0xFEFF])
_BULLET = re.compile(r"[•‣▪●○◦–—∙·]\s|[-*+]\s|\(?(?:\d{1,3}|[a-z])[.)]\s|\[\d{1,4}\]\s")
_ATX = re.compile(r"#{1,6}(?:\s|\Z)")
_HYPHENATED = re.compile(r"(?P<start>[^\W\d_]+)[-\u00ad\u2010]\Z")
_GOES_ON = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff60]")
_DOTTED = re.compile(r"(?:\s?[.…·]){4,}\s*(?:\d{1,4}|[ivxlc]{1,7})\Z")
_FEWEST_DOTTED = 3
_PAGE_NUMBER = re.compile(
    r"\A[-–—]?\s?(?:\d{1,5}|[ivxlc]{1,7})(?=\s|\Z)|(?:(?<=\s)|\A)(?:\d{1,5}|[ivxlc]{1,7})\s?[-–—|]?\Z",
    re.IGNORECASE,
)
_NUMBERING = re.compile(r"\A(?:[^\W\d_]?\d+(?:\.\d+)*|[^\W\d_]|[ivxlc]+)[.:)]?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the outline: where it begins (a page from 0, the height on it), and its titles."""

    page: int
    top: float | None
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page. `x` and `y` are where it begins, from the page's lower left, in points."""

    text: str
    x: float
    y: float
    size: float
    is_code: bool
    advance: float


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that read as one thing, and the outline's titles that they stand under."""

    text: str
    titles: tuple[str, ...]


class _Stopped(BaseException):
    """A page goes beyond a limit. pypdf goes on after an Exception in a form, so this is none."""


def read_pdf(
    folder: BookFolder,
    path: str,
    *,
    content: bytes,
    is_among_others: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Book:
    """The book in a PDF's bytes. Pages that cannot be read are named in the folder's `skipped`.

    A book that does not tell its title has its file's name. With `is_among_others` the title is the
    outermost part of every page. Raises FileUnreadable where the file is encrypted or damaged, holds
    no text or goes beyond the limits.
    """
    # What is wrong with a file is said once, by `skipped`; pypdf would say it for each object.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with apply_configuration(**_LIMITS):
        reader = _opened(content)
        count = _page_count(reader)
        # A book that is called after its file is better than one called after its first page.
        title = _title(reader) or PurePosixPath(path).stem
        entries = _outline(folder, reader, path)
        skipped = len(folder.skipped)
        pages = _extracted(folder, reader, path, count=count, clock=clock)
        _tell_of_scans(folder, reader, path, pages=pages, has_failed=len(folder.skipped) > skipped)
    outermost = (title,) if is_among_others else ()
    bodies = _without_edges(pages)
    # Slides may say the same on every page, and nothing else.
    bodies = bodies if any(bodies) else pages
    vocabulary = Counter(
        word.lower() for lines in bodies for line in lines for word in _WORD.findall(line.text)
    )
    made = (
        _page(path, number, _blocks(bodies[number], *_entries_on(entries, number), vocabulary), outermost)
        for number in range(count)
    )
    return Book(title, tuple(page for page in made if page is not None))


# --- the file ----------------------------------------------------------------------------------


def _opened(content: bytes) -> PdfReader:
    if b"%PDF-" not in content[:1024]:
        raise FileUnreadable("The file is no PDF: it does not begin with %PDF-.")
    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise FileUnreadable("The PDF is encrypted; save a copy of it without a password.")
    except DependencyError as fault:
        raise FileUnreadable("The PDF is encrypted; save a copy of it without encryption.") from fault
    except FileUnreadable:
        raise
    except Exception as fault:
        # A damaged file makes pypdf raise whatever its parts raise.
        raise FileUnreadable(
            "The PDF is damaged and cannot be opened; open it in a viewer and save it anew."
        ) from fault
    return reader


def _page_count(reader: PdfReader) -> int:
    try:
        count = len(reader.pages)
    except LimitReachedError as fault:
        raise FileUnreadable(f"The PDF has more than {MAX_PAGES:,} pages, or claims to.") from fault
    except DependencyError as fault:
        raise FileUnreadable("The PDF is encrypted; save a copy of it without encryption.") from fault
    except Exception as fault:
        raise FileUnreadable(
            "The PDF is damaged: its pages cannot be found; open it in a viewer and save it anew."
        ) from fault
    if count > MAX_PAGES:
        raise FileUnreadable(f"The PDF has {count:,} pages; the limit is {MAX_PAGES:,}.")
    return count


def _title(reader: PdfReader) -> str:
    try:
        title = reader.metadata.title if reader.metadata else ""
    except (PyPdfError, ValueError, TypeError, AttributeError, KeyError):
        return ""
    return _plain(title)


def _outline(folder: BookFolder, reader: PdfReader, path: str) -> list[_Entry]:
    try:
        entries = list(_entries(reader, reader.outline))
    except Exception:
        # Its objects are as wild as the file is; the text is worth more than its titles.
        folder.skip(path, "The PDF's outline is damaged or endless; its pages are named by their numbers.")
        return []
    return sorted(entries, key=lambda entry: entry.page)


def _entries(reader: PdfReader, outline: Iterable[Any]) -> Iterator[_Entry]:
    """The outline's entries in reading order; those without a page lend their titles to what is below."""
    stack: list[tuple[Iterator[Any], tuple[str, ...]]] = [(iter(outline), ())]
    titles: tuple[str, ...] = ()
    while stack:
        nodes, above = stack[-1]
        node = next(nodes, None)
        if node is None:
            stack.pop()
        elif isinstance(node, list):
            stack.append((iter(node), titles))
        elif isinstance(node, Destination):
            title = _plain(node.title)
            titles = (*above, title)[:MAX_PARTS] if title else above
            page = reader.get_destination_page_number(node)
            if page is not None and page >= 0 and titles:
                yield _Entry(page, _number(node.get("/Top")), titles)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _plain(title: object) -> str:
    return " ".join(_readable(title).split())[:MAX_TITLE] if isinstance(title, str) else ""


def _readable(text: str) -> str:
    """The text as databases take it, without control signs, its ligatures spelt out."""
    return cleaned(text).translate(_UNPRINTABLE).translate(_LIGATURES)


def _extracted(
    folder: BookFolder, reader: PdfReader, path: str, *, count: int, clock: Callable[[], float]
) -> list[list[_Line]]:
    """Each page's lines; a page that cannot be read is skipped and has none."""
    started, total = clock(), 0
    pages: list[list[_Line]] = []
    for number in range(count):
        if clock() - started > FILE_TIMEOUT_S:
            raise FileUnreadable(
                f"The PDF takes more than {FILE_TIMEOUT_S / 60:.0f} minutes to read; split it into parts."
            )

        def read(_: str, number: int = number) -> list[_Line]:
            return _lines(reader, number, clock)

        found = folder.read_each([_place(path, number)], read)
        pages.append(found[0] if found else [])
        total += sum(len(line.text) for line in pages[-1])
        if total > MAX_CHARACTERS:
            raise FileUnreadable(f"The PDF holds more than {MAX_CHARACTERS:,} characters.")
    return pages


def _tell_of_scans(
    folder: BookFolder, reader: PdfReader, path: str, *, pages: Sequence[list[_Line]], has_failed: bool
) -> None:
    silent = [number for number, lines in enumerate(pages) if not lines]
    if len(silent) == len(pages) and has_failed:
        raise FileUnreadable("None of the PDF's pages could be read.")
    if len(silent) == len(pages):
        raise FileUnreadable(
            "The PDF holds no text: its pages are empty or pictures, and need text recognition (OCR) first."
        )
    if len(silent) > 1 and len(silent) > _SCANNED_SHARE * len(pages):
        pictures = [number for number in silent if _has_picture(reader, number)]
        if len(pictures) > _SCANNED_SHARE * len(pages):
            folder.skip(
                path,
                f"{len(pictures)} of the PDF's {len(pages)} pages, the first of them {pictures[0] + 1}, "
                "are pictures without text; they need text recognition (OCR) first.",
            )


def _has_picture(reader: PdfReader, number: int) -> bool:
    try:
        return bool(reader.pages[number]["/Resources"]["/XObject"])  # type: ignore[index]
    except Exception:
        return False


# --- a page's lines ----------------------------------------------------------------------------


class _Collector:
    """Gathers the pieces of text that pypdf finds on a page into lines, and watches the clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + PAGE_TIMEOUT_S
        self._operators = self._characters = 0
        self._fonts: dict[int, tuple[bool, float]] = {}
        self._pieces: list[tuple[str, float, bool]] = []
        self._place: tuple[float, float] | None = None
        self._advance = _USUAL_ADVANCE
        self.lines: list[_Line] = []

    def watch(self, *_: object) -> None:
        """Called for each operator."""
        self._operators += 1
        if self._operators % _OPERATORS_BETWEEN_LOOKS == 0 and self._clock() > self._end:
            raise _Stopped(f"The page takes more than {PAGE_TIMEOUT_S:.0f} seconds to read.")

    def take(self, text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        """Called for each piece of text, with where it begins."""
        self._characters += len(text)
        if self._characters > MAX_PAGE_CHARACTERS:
            raise _Stopped(f"The page holds more than {MAX_PAGE_CHARACTERS:,} characters.")
        for position, piece in enumerate(_readable(text).split("\n")):
            if position:
                self.end_line()
            if not piece.strip():
                self._pieces += [(piece, 0.0, True)] if self._pieces else []
                continue
            is_code, advance = self._facts(font)
            if self._place is None:
                self._place = _position(cm, tm)
                self._advance = advance
            self._pieces.append((piece, _scaled(size, cm, tm), is_code))

    def end_line(self) -> None:
        """Called after the last piece, too."""
        text = "".join(piece for piece, _, _ in self._pieces)
        if text.strip() and self._place is not None:
            size = max(size for _, size, _ in self._pieces)
            is_code = all(is_code for _, _, is_code in self._pieces)
            text = text.rstrip() if is_code else " ".join(text.split())
            self.lines.append(_Line(text, *self._place, size, is_code, self._advance * size / 1000))
        self._pieces, self._place = [], None

    def _facts(self, font: Any) -> tuple[bool, float]:
        if id(font) not in self._fonts:
            self._fonts[id(font)] = _font_facts(font)
        return self._fonts[id(font)]


def _lines(reader: PdfReader, number: int, clock: Callable[[], float]) -> list[_Line]:
    collector = _Collector(clock)
    try:
        reader.pages[number].extract_text(visitor_operand_before=collector.watch, visitor_text=collector.take)
    except _Stopped as fault:
        raise FileUnreadable(str(fault)) from fault
    except (PyPdfError, ValueError, TypeError, AttributeError, KeyError, IndexError) as fault:
        raise FileUnreadable("The page is damaged, or drawn in a way that cannot be read.") from fault
    collector.end_line()
    return collector.lines


def _position(cm: list[float], tm: list[float]) -> tuple[float, float]:
    x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    return (x, y) if math.isfinite(x) and math.isfinite(y) else (0.0, 0.0)


def _scaled(size: float, cm: list[float], tm: list[float]) -> float:
    """The type size on the page; the usual one where the file's numbers make no sense."""
    height = abs(size * (math.hypot(tm[2], tm[3]) or 1.0) * (math.hypot(cm[2], cm[3]) or 1.0))
    return height if 1 <= height <= 1_000 else _USUAL_SIZE


def _font_facts(font: Any) -> tuple[bool, float]:
    """Whether a font's letters are all of one width, and that width in thousandths of its size."""
    try:
        if font is None:
            return False, _USUAL_ADVANCE
        name = str(font.get("/BaseFont", ""))
        descriptor = font.get("/FontDescriptor")
        flags = descriptor.get_object().get("/Flags", 0) if descriptor is not None else 0
        is_fixed = bool(_FIXED_WIDTH.search(name)) or bool(int(flags) & _FIXED_PITCH_FLAG)
        widths = font.get("/Widths")
        used = [float(width) for width in widths.get_object() if float(width) > 0] if widths else []
        is_fixed = is_fixed or (len(used) >= _FEWEST_WIDTHS and len(set(used)) == 1)
        return is_fixed, used[0] if used and 300 < used[0] < 1000 else _USUAL_ADVANCE
    except Exception:
        # Fonts are described by whoever made the file; without their word prose is assumed.
        return False, _USUAL_ADVANCE


# --- running heads and feet --------------------------------------------------------------------


def _without_edges(pages: Sequence[list[_Line]]) -> list[list[_Line]]:
    """The pages without the lines at their top and bottom that come again on the pages around."""
    edges = [_edge_lines(lines) for lines in pages]
    keys = [{_edge_key(line.text) for line in found} for found in edges]
    window = min(_WINDOW, len(pages))
    needed = _REPEATED if window >= 2 * _REPEATED else max(_FEWEST_REPEATED, window // 2 + 1)
    offset = _printed_offset(edges)
    bodies: list[list[_Line]] = []
    for number, lines in enumerate(pages):
        first = min(max(number - window // 2, 0), len(pages) - window)
        around = Counter(key for found in keys[first : first + window] for key in found)
        dropped = {
            id(line)
            for line in edges[number]
            if around[_edge_key(line.text)] >= needed or (offset in _offsets(line.text, number))
        }
        kept = [line for line in lines if id(line) not in dropped]
        bodies.append(_without_contents(kept))
    return bodies


def _edge_lines(lines: Sequence[_Line]) -> list[_Line]:
    ordered = sorted(lines, key=lambda line: -line.y)
    edges = [*ordered[:_EDGE_LINES], *ordered[_EDGE_LINES:][-_EDGE_LINES:]]
    return [line for line in edges if len(line.text) <= _MAX_EDGE]


def _edge_key(text: str) -> str:
    """What a running head has in common from page to page: its words without the page's number."""
    return _PAGE_NUMBER.sub("", " ".join(text.split())).strip(" |-–—·•").casefold() or "#"


def _printed_offset(edges: Sequence[list[_Line]]) -> int | None:
    """What is added to a page's place in the file to give the number printed on most pages."""
    counts = Counter(
        offset
        for number, lines in enumerate(edges)
        for offset in {offset for line in lines for offset in _offsets(line.text, number)}
    )
    offset, count = max(counts.items(), key=lambda pair: pair[1], default=(0, 0))
    return offset if count >= max(_FEWEST_REPEATED, len(edges) / 2) else None


def _offsets(text: str, number: int) -> set[int]:
    found = (re.search(r"\d+", match.group()) for match in _PAGE_NUMBER.finditer(text))
    return {int(digits.group()) - number for digits in found if digits is not None}


def _without_contents(lines: list[_Line]) -> list[_Line]:
    """A table of contents says what the outline says, and answers nothing."""
    dotted = {id(line) for line in lines if _DOTTED.search(line.text[-_MAX_EDGE:])}
    if len(dotted) < _FEWEST_DOTTED:
        return lines
    kept = [line for line in lines if id(line) not in dotted]
    return kept if len(kept) > len(dotted) / 4 else []


# --- paragraphs --------------------------------------------------------------------------------


def _entries_on(entries: Sequence[_Entry], number: int) -> tuple[list[_Entry], tuple[str, ...]]:
    """The entries that begin on a page, and the titles that hold at its top."""
    first = bisect_left(entries, number, key=lambda entry: entry.page)
    after = bisect_right(entries, number, key=lambda entry: entry.page)
    return list(entries[first:after]), entries[first - 1].titles if first else ()


def _blocks(
    lines: Sequence[_Line], entries: Sequence[_Entry], titles: tuple[str, ...], vocabulary: Counter[str]
) -> list[_Block]:
    """A page's paragraphs and its code, each under the outline's titles that hold there."""
    words: dict[str, int] = {}
    for position, line in enumerate(lines if entries else ()):
        words.setdefault(_bare(line.text), position)
    opened = {_line_of(entry, lines, words): entry.titles for entry in entries}
    leading = _leading(lines)
    widest = max((len(line.text) for line in lines), default=0)
    blocks: list[_Block] = []
    group: list[_Line] = []
    for position, line in enumerate(lines):
        following = lines[position + 1] if position + 1 < len(lines) else None
        if group and (
            position in opened or _begins_block(group, line, following, leading=leading, widest=widest)
        ):
            blocks.append(_Block(_joined(group, vocabulary), titles))
            group = []
        titles = opened.get(position, titles)
        group.append(line)
    return [*blocks, _Block(_joined(group, vocabulary), titles)] if group else blocks


def _line_of(entry: _Entry, lines: Sequence[_Line], words: dict[str, int]) -> int:
    """Where an entry begins: at its own words, else at the height that it names, else at the top."""
    position = words.get(_bare(entry.titles[-1]))
    if position is not None or entry.top is None:
        return position or 0
    return next((position for position, line in enumerate(lines) if line.y <= entry.top), 0)


def _bare(title: str) -> str:
    return _NUMBERING.sub("", " ".join(title.split()).casefold())


def _leading(lines: Sequence[_Line]) -> float:
    """The page's usual distance between lines; nought where it cannot be told."""
    gaps = [a.y - b.y for a, b in pairwise(lines) if 0 < a.y - b.y < 3 * a.size]
    return median(gaps) if gaps else 0.0


def _begins_block(
    group: Sequence[_Line], line: _Line, following: _Line | None, *, leading: float, widest: int
) -> bool:
    """Whether a new block begins with the line."""
    last = group[-1]
    gap = last.y - line.y
    if _is_code(line) != _is_code(last):
        return True
    if _is_code(line):
        return False
    if abs(line.size - last.size) > _SIZE_DIFFERS * last.size or _BULLET.match(line.text):
        return True
    if gap < -leading:
        # The next column goes on with the sentence, or does not.
        return _ends_sentence(last) or not line.text[:1].islower()
    if leading and gap > _WIDER * leading:
        return True
    if _ends_sentence(last) and len(last.text) < 0.6 * widest and not line.text[:1].islower():
        return True
    return _is_indented_anew(group, line, following)


def _is_code(line: _Line) -> bool:
    # Markdown would take such a line for a heading; in print it is a comment.
    return line.is_code or bool(_ATX.match(line.text))


def _ends_sentence(line: _Line) -> bool:
    return line.text.rstrip("\"'”’)]").endswith((".", "!", "?", ":", "…", "。"))


def _is_indented_anew(group: Sequence[_Line], line: _Line, following: _Line | None) -> bool:
    """Whether the line begins a paragraph by its indent, or an entry of a list by having none."""
    step, near = _INDENTED * line.size, _ALIGNED * line.size
    if line.x > group[-1].x + step:
        return following is not None and following.x < line.x - near and _ends_sentence(group[-1])
    if line.x < group[-1].x - step:
        return len(group) > 1 and group[-1].x > group[0].x + near
    return False


def _joined(group: Sequence[_Line], vocabulary: Counter[str]) -> str:
    if _is_code(group[0]):
        return _code(group)
    pieces = [group[0].text]
    for last, line in pairwise(group):
        text, between = _line_end(last.text, line.text, vocabulary)
        pieces[-1:] = [text, between, line.text]
    return "".join(pieces).replace("\u00ad", "")


def _line_end(text: str, line: str, vocabulary: Counter[str]) -> tuple[str, str]:
    """A line as it is when the next is joined to it, and what stands between them."""
    start, end = _HYPHENATED.search(text[-_MAX_EDGE:]), _GOES_ON.match(line)
    if start is not None and end is not None and end.group()[0].islower():
        whole, halves = f"{start['start']}{end.group()}", f"{start['start']}-{end.group()}"
        # A hyphen at a line's end may be the word's own: the book tells by how it writes it elsewhere.
        is_own = text[-1] != "\u00ad" and vocabulary[halves.lower()] > vocabulary[whole.lower()]
        return (text if is_own else text[:-1]), ""
    return text, "" if _IDEOGRAPH.match(text[-1:]) and _IDEOGRAPH.match(line) else " "


def _code(group: Sequence[_Line]) -> str:
    """Lines of code in a fence, indented as they stand on the page."""
    left = min(line.x for line in group)
    lines = [f"{' ' * min(round((line.x - left) / line.advance), 80)}{line.text}" for line in group]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *lines, fence])


# --- pages -------------------------------------------------------------------------------------


def _page(path: str, number: int, blocks: Sequence[_Block], outermost: tuple[str, ...]) -> Page | None:
    if not blocks:
        return None
    shared = _shared([block.titles for block in blocks])
    *parts, title = (*outermost, *(shared or (f"Page {number + 1}",)))
    sections: list[Section] = []
    length = 0
    for block in blocks:
        heading_path = (*parts, title, *block.titles[len(shared) :])
        start, length = length, length + len(block.text) + len(_BETWEEN)
        if sections and sections[-1].heading_path == heading_path:
            start = sections.pop().start
        sections.append(Section(heading_path, "", start, length))
    source = "".join(f"{block.text}{_BETWEEN}" for block in blocks)
    place = _place(path, number)
    address = f"{quote(path)}#page={number + 1}"
    return Page(place, title, address, source, tuple(sections), Dialect.CONVERTED, tuple(parts))


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The titles that all paths begin with."""
    pairs = zip(min(paths), max(paths), strict=False)
    return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _place(path: str, number: int) -> str:
    return f"{path}#page={number + 1}"
