"""Extract the lines of text of one PDF page, with position, type size and font width."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ragbot.books.formats.pdf_marks import MARK_BEGINS, MARK_ENDS, OpenMarks
from ragbot.books.formats.pdf_tags import Tag, TagRole
from ragbot.books.formats.pdf_text_by_place import FIXED_PITCH_FLAG, GAP, UNKNOWN_SIGN, scale_of
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import cleaned

# A page of 100,000 characters is no page.
MAX_PAGE_CHARACTERS = 100_000
PAGE_TIMEOUT_S = 30.0
_OPERATORS_BETWEEN_LOOKS = 1_000

_FIXED_WIDTH = re.compile(r"mono|courier|consol|typewriter|cmtt|sftt|ectt|txtt|menlo|fixed", re.IGNORECASE)
_FEWEST_WIDTHS = 5
_USUAL_ADVANCE = 600.0
_USUAL_SIZE = 10.0
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
# Signs of LaTeX's companion fonts, whose names pypdf writes for want of a letter: `/quotesingle.ts1`.
_NAMED_SIGN = re.compile(r"/(?P<name>[A-Za-z]{2,20})\.ts1")
_SIGNS = {
    "quotesingle": "'",
    "grave": "`",
    "asciigrave": "`",
    "quotesinglbase": "‚",
    "hyphen": "-",
    "bullet": "•",
    "degree": "°",
    "copyright": "©",
    "registered": "®",
    "trademark": "™",
    "section": "§",
    "paragraph": "¶",
    "Euro": "€",
    "sterling": "£",
    "yen": "¥",
    "cent": "¢",
    "mu": "µ",
    "plusminus": "±",
    "multiply": "×",
    "onehalf": "½",
    "onequarter": "¼",
    "threequarters": "¾",
    "arrowright": "→",
    "arrowleft": "←",
}
# Sphinx's signs of a line of code that goes on in the next one, and its lines between two pages.
_WRAPPED = "˓→"
_CONTINUED = frozenset({"(continues on next page)", "(continued from previous page)"})
# A number that leads to a footnote stands small behind a word or a stop; a power behind a unit or a number.
# A browser's is less small, and raised. Shares of the line's type size.
_SMALL = 0.8
_RAISED_SMALL = 0.92
_RAISED = 0.15
_NOTE_NUMBER = re.compile(r"\s*(?:\d{1,3}(?:\s*[,–-]\s*\d{1,3})*|,)\s*")
_NOTED = re.compile(r"(?:[^\W\d_]{4}|[.,;:!?)”’\"'])\Z")
# The frame around a word of code leaves a gap before the stop.
_BEFORE_STOP = re.compile(r"(?<=[\w>)\]}/]) (?=(?:[.,)]|’s)(?:\s|\Z))")
_UNPRINTABLE = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0x200B, 0xFEFF])


# As a share of a title's type size.
_TITLE_LEADING = 1.5
# Shares of a page's text; with more the tags are not to be trusted. Heads and feet of so many letters are
# usual on a page with few words.
_MOST_UNTAGGED = 0.2
_MOST_ARTIFACTS = 0.5
# With more signs that the file's fonts do not name, for each letter, a page cannot be read.
_MOST_UNKNOWN = 0.5
_USUAL_ARTIFACTS = 300


@dataclass(frozen=True, slots=True)
class PdfLine:
    """Describe a line of a page. `x` and `y` are its start from the page's lower left corner, in points.

    `size` is the type size in points, `advance` the width of one character in a fixed-width font; `tag` says
    which block the line belongs to, where the file has tags that can be trusted.
    """

    text: str
    x: float
    y: float
    size: float
    is_code: bool
    advance: float
    tag: Tag | None = None

    @property
    def role(self) -> TagRole | None:
        """Return what its tag says that the line is; None without a tag."""
        return self.tag.role if self.tag is not None else None


def is_close_below(line: PdfLine, above: PdfLine) -> bool:
    """Return whether a line is as close below another one as the next line of a title is."""
    return 0 < above.y - line.y <= _TITLE_LEADING * above.size


class _Run(NamedTuple):
    """Hold a piece of a line in one font."""

    text: str
    y: float
    size: float
    is_code: bool


class _LimitExceeded(BaseException):
    """End the extraction of a page that exceeds a limit.

    pypdf continues after an Exception in a form, so this is a BaseException.
    """


def extract_lines(
    reader: PdfReader, number: int, clock: Callable[[], float], tags: Mapping[int, Tag] | None = None
) -> list[PdfLine]:
    """Extract a page's lines in the file's order. `number` counts from 0, `clock` gives seconds.

    `tags` are the page's by MCID; lines have them unless they are too few, or mark most as no text. Raises
    FileUnreadable if the page is damaged or exceeds a limit.
    """
    if tags:
        properties = _properties(reader, number)
        collector = _read_page(reader, number, _Collector(clock, tags, properties))
        if collector.has_sound_tags():
            return collector.lines
    return _read_page(reader, number, _Collector(clock, {}, {})).lines


def _read_page(reader: PdfReader, number: int, collector: _Collector) -> _Collector:
    try:
        reader.pages[number].extract_text(
            visitor_operand_before=collector.look_at,
            visitor_operand_after=collector.look_behind,
            visitor_text=collector.add_text,
        )
    except _LimitExceeded as fault:
        raise FileUnreadable(str(fault)) from fault
    except (PyPdfError, ValueError, TypeError, AttributeError, KeyError, IndexError) as fault:
        raise FileUnreadable("The page is damaged, or drawn in a way that cannot be read.") from fault
    collector.end_line()
    if collector.is_unknown():
        raise FileUnreadable(
            "The page's fonts do not say which letters they show; it needs text recognition (OCR) first."
        )
    return collector


def _properties(reader: PdfReader, number: int) -> Mapping[Any, Any]:
    """Return a page's property lists, which its marks name."""
    try:
        return reader.pages[number]["/Resources"]["/Properties"]  # type: ignore[index, no-any-return]
    except Exception:
        return {}


def readable_text(text: str) -> str:
    """Remove control and other characters that databases refuse, and spell ligatures and named signs out."""
    plain = cleaned(text).translate(_UNPRINTABLE).translate(_LIGATURES)
    return _NAMED_SIGN.sub(lambda sign: _SIGNS.get(sign["name"], ""), plain) if ".ts1" in plain else plain


class _Collector:
    """Collect the text runs that pypdf finds on a page into lines, within time and size limits."""

    def __init__(
        self, clock: Callable[[], float], tags: Mapping[int, Tag], properties: Mapping[Any, Any]
    ) -> None:
        self._clock = clock
        self._end = clock() + PAGE_TIMEOUT_S
        self._operators = self._characters = 0
        self._fonts: dict[int, tuple[bool, float]] = {}
        self._runs: list[_Run] = []
        self._start: tuple[float, float] | None = None
        self._advance = _USUAL_ADVANCE
        # Where the code ends that the line has so far.
        self._code_end = -math.inf
        self._marks = OpenMarks(tags, properties)
        self._line_tag: Tag | None = None
        # Letters and digits by the role of their tag.
        self._roles = Counter[TagRole | None]()
        self.lines: list[PdfLine] = []
        # Signs that no font names.
        self._unknown = 0

    def look_at(self, operator: bytes, *_: object) -> None:
        """Check the time limit, and follow forms; pypdf calls it before each operator."""
        self._operators += 1
        if self._operators % _OPERATORS_BETWEEN_LOOKS == 0 and self._clock() > self._end:
            raise _LimitExceeded(f"The page takes more than {PAGE_TIMEOUT_S:.0f} seconds to read.")
        if operator == b"Do":
            self._marks.enter_form()

    def look_behind(self, operator: bytes, operands: Sequence[Any], *_: object) -> None:
        """Follow the marks of the file's tags; pypdf calls it after each operator."""
        if operator in MARK_BEGINS:
            self._marks.begin(operands)
        elif operator == MARK_ENDS:
            self._marks.end()
        elif operator == b"Do":
            self._marks.leave_form()

    def add_text(self, text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        """Add a text run; pypdf calls it with the matrices that place the run on the page."""
        self._characters += len(text)
        if self._characters > MAX_PAGE_CHARACTERS:
            raise _LimitExceeded(f"The page holds more than {MAX_PAGE_CHARACTERS:,} characters.")
        for position, run in enumerate(readable_text(text).split("\n")):
            if position:
                self.end_line()
            if not run.strip():
                self._runs += [self._runs[-1]._replace(text=run)] if self._runs else []
                continue
            self._unknown += run.count(UNKNOWN_SIGN)
            self._look_at_tag(run)
            is_code, advance = self._font(font)
            start, shown_size = _position(cm, tm), _scaled(size, cm, tm)
            x, width = start[0], advance * shown_size / 1000
            if self._start is None:
                self._start = start
                self._advance = advance
            elif is_code and x - self._code_end < width / 2:
                # The widths of the font were not told right where the colour changes.
                run = run.removeprefix(GAP)
            self._code_end = x + len(run.removeprefix(GAP)) * width if is_code else -math.inf
            self._runs.append(_Run(run.replace(GAP, " "), start[1], shown_size, is_code))

    def end_line(self) -> None:
        """Close the current line; call it after the last run, too."""
        if self._runs and self._start is not None:
            size = max(run.size for run in self._runs)
            text = "".join(_shown_runs(self._runs, size))
            is_code = all(run.is_code for run in self._runs) or text.startswith(_WRAPPED)
            if self._line_tag is not None and self._line_tag.role in (TagRole.CODE, TagRole.HEADING):
                is_code = self._line_tag.role is TagRole.CODE
            text = text.rstrip() if is_code else _BEFORE_STOP.sub("", " ".join(text.split()))
            if text.strip() and text not in _CONTINUED:
                width = self._advance * size / 1000
                self.lines.append(PdfLine(text, *self._start, size, is_code, width, self._line_tag))
        self._runs, self._start, self._line_tag = [], None, None

    def is_unknown(self) -> bool:
        """Return whether the fonts do not say what most of the page's signs are."""
        return self._unknown > _MOST_UNKNOWN * self._roles.total()

    def has_sound_tags(self) -> bool:
        """Return whether most of the page's text has tags, and is no artifact."""
        total, artifacts = self._roles.total(), self._roles[TagRole.ARTIFACT]
        most = max(_MOST_ARTIFACTS * total, _USUAL_ARTIFACTS)
        return artifacts <= most and self._roles[None] <= _MOST_UNTAGGED * (total - artifacts)

    def _look_at_tag(self, run: str) -> None:
        """Count a run's letters by its tag, and end the line where another block begins."""
        tag = self._marks.tag
        # (The dots of a table of contents often have none.)
        self._roles[tag.role if tag else None] += sum(map(str.isalnum, run))
        if tag is not None and self._line_tag is not None and tag.block != self._line_tag.block:
            self.end_line()
        self._line_tag = self._line_tag or tag

    def _font(self, font: Any) -> tuple[bool, float]:
        if id(font) not in self._fonts:
            self._fonts[id(font)] = _font_facts(font)
        return self._fonts[id(font)]


def _shown_runs(runs: Sequence[_Run], size: float) -> Iterator[str]:
    """Yield the texts of a line's runs without the small numbers that lead to footnotes."""
    before = ""
    baseline = runs[0].y
    for run in runs:
        smallest = _RAISED_SMALL if run.y - baseline >= _RAISED * size else _SMALL
        is_small = run.size <= smallest * size and not run.is_code
        if is_small and _NOTE_NUMBER.fullmatch(run.text) and _NOTED.search(before.rstrip()):
            continue
        yield run.text
        before = run.text if run.text.strip() else before + run.text
        baseline = run.y


def _position(cm: list[float], tm: list[float]) -> tuple[float, float]:
    x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    return (x, y) if math.isfinite(x) and math.isfinite(y) else (0.0, 0.0)


def _scaled(size: float, cm: list[float], tm: list[float]) -> float:
    """Return the type size on the page; the usual one where the file's numbers make no sense."""
    height = abs(size) * scale_of(cm, tm)
    return height if 1 <= height <= 1_000 else _USUAL_SIZE


def _font_facts(font: Any) -> tuple[bool, float]:
    """Return whether a font has a fixed width, and that width in thousandths of its size."""
    try:
        if font is None:
            return False, _USUAL_ADVANCE
        name = str(font.get("/BaseFont", ""))
        descriptor = font.get("/FontDescriptor")
        flags = descriptor.get_object().get("/Flags", 0) if descriptor is not None else 0
        is_fixed = bool(_FIXED_WIDTH.search(name)) or bool(int(flags) & FIXED_PITCH_FLAG)
        widths = font.get("/Widths")
        used = [float(width) for width in widths.get_object() if float(width) > 0] if widths else []
        is_fixed = is_fixed or (len(used) >= _FEWEST_WIDTHS and len(set(used)) == 1)
        return is_fixed, used[0] if used and 300 < used[0] < 1000 else _USUAL_ADVANCE
    except Exception:
        # The file describes its fonts as it likes; where that fails, prose is assumed.
        return False, _USUAL_ADVANCE
