"""Make the text fragment by which a browser finds and highlights words on a page.

See https://wicg.github.io/scroll-to-text-fragment/: `[prefix-,]start[,end][,-suffix]`. A browser takes the
first match on the page, whatever the anchor says. A term must be within one block, and begin and end with a
whole word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from ragbot.answering.page_words import LONGEST_PAGE, PageWords, on_one_line, page_words
from ragbot.answering.printed_words import PrintedRun, printed_runs

# Words at each end of the cited text that the fragment names; more if these occur earlier on the page.
END_WORDS = 6
MOST_WORDS = 14
# A shorter run is used as the beginning or end only if there is no longer one.
FEWEST_WORDS = 3
# Runs of words that are tried as the beginning.
OPENINGS_TRIED = 3
CACHED_DIRECTIVES = 4096

# Front matter that only Docusaurus reads.
_DOCUSAURUS = re.compile(
    r"---\r?\n(?:(?!---)[^\n]*\n){0,40}?(?:sidebar_\w+|pagination_\w+|displayed_sidebar):"
)


@dataclass(frozen=True, slots=True)
class _Cited:
    """Describe the cited words of a run, from the word `first` up to, but not including, the word `after`."""

    run: PrintedRun
    first: int
    after: int

    @property
    def count(self) -> int:
        return self.after - self.first

    @property
    def shortness(self) -> tuple[int, int]:
        """Return a sort key for beginnings, best first: the first run of some words, else the longest run."""
        if self.count >= FEWEST_WORDS:
            return 0, 0
        start, end = self.run.span(self.first, self.after)
        return 1, start - end

    def opening(self, count: int) -> _Term:
        return _Term(self.run, *self.run.span(self.first, min(self.first + count, self.after)))

    def closing(self, count: int) -> _Term:
        return _Term(self.run, *self.run.span(max(self.after - count, self.first), self.after))


@dataclass(frozen=True, slots=True)
class _Term:
    """Describe a term of a fragment: a span of a run's text."""

    run: PrintedRun
    start: int
    end: int

    @property
    def words(self) -> str:
        return " ".join(self.run.text[self.start : self.end].split())


@lru_cache(maxsize=CACHED_DIRECTIVES)
def text_directive(
    source: str, start: int, end: int, *, page: str = "", place: int = 0, in_code: bool = False
) -> str:
    """Return the part after `:~:text=` for the words of a passage from start to end; "" if none can be found.

    `page` is the source of the whole page and `place` the passage's offset in it; with `in_code` the passage
    begins within fenced code. If the words occur earlier on the page, more of them are named, then some words
    before or after them. If that is still ambiguous, the result is empty.
    """
    if _is_closed(page, place + start):
        return ""
    runs = printed_runs(source, in_code)
    cited = list(_cited(runs, start, end))
    search = _Search(source, runs, page, place)
    best_first = sorted(range(len(cited)), key=lambda i: (cited[i].shortness, i))
    for index in best_first[:OPENINGS_TRIED]:
        if directive := search.directive(cited[index], cited[index:]):
            return directive
    return ""


def _is_closed(page: str, offset: int) -> bool:
    """Return whether Docusaurus hides the words in a closed tab or details: browsers do not search there.

    Other generators use the browser's own details element, which the browser opens itself.
    """
    tab = _around(page, offset, "TabItem")
    if tab >= 0 and " default" not in page[tab : page.find(">", tab)]:
        return page.find("<TabItem", page.rfind("<Tabs", 0, tab)) < tab
    details = _around(page, offset, "details")
    return details >= 0 and page.find("</summary>", details, offset) >= 0 and bool(_DOCUSAURUS.match(page))


def _around(page: str, offset: int, tag: str) -> int:
    """Return where the element around an offset begins, or -1."""
    start = page.rfind(f"<{tag}", 0, offset)
    return start if page.find(f"</{tag}>", max(start, 0), offset) < 0 else -1


def _cited(runs: Sequence[PrintedRun], start: int, end: int) -> Iterator[_Cited]:
    """Yield the cited words of each run; a word counts if its first letter is cited."""
    for run in runs:
        inside = [i for i, (begin, _) in enumerate(run.words) if start <= run.source_offset(begin) < end]
        if inside:
            first, last = run.span(inside[0], inside[-1] + 1)
            if first < last:
                yield _Cited(run, inside[0], inside[-1] + 1)


class _Search:
    """Look for terms on a page as a browser does. Without the page's source, any term counts as unique."""

    def __init__(self, source: str, runs: Sequence[PrintedRun], page: str, place: int) -> None:
        is_part = 0 < len(page) <= LONGEST_PAGE and page.startswith(source, place)
        self.page: PageWords | None = page_words(page) if is_part else None
        self.place = place
        self.runs = runs

    def directive(self, opening: _Cited, cited: Sequence[_Cited]) -> str:
        """Name the words from an opening to the last run that is long enough; "" if they are ambiguous."""
        closing = next((run for run in reversed(cited) if run.count >= FEWEST_WORDS), opening)
        if closing is opening and opening.count <= 2 * END_WORDS:
            return self._whole(opening)
        fewest = min(END_WORDS, opening.count)
        for count in range(fewest, min(MOST_WORDS, opening.count) + 1):
            start = opening.opening(count)
            if self._is_first(start):
                return _spelt(start.words) + self._end(start, closing)
        start = opening.opening(fewest)
        prefix, start = self._with_prefix(opening, start)
        return f"{prefix}{_spelt(start.words)}{self._end(start, closing)}" if prefix else ""

    def _whole(self, cited: _Cited) -> str:
        term = cited.opening(cited.count)
        if self._is_first(term):
            return _spelt(term.words)
        prefix, longer = self._with_prefix(cited, term)
        if prefix:
            return prefix + _spelt(longer.words)
        longer, suffix = self._with_suffix(cited, term)
        return _spelt(longer.words) + suffix if suffix else ""

    def _is_first(self, term: _Term) -> bool:
        if self.page is None:
            return True
        words = on_one_line(term.words)
        return self.page.first(words) == self._offset(term) and not self.page.is_heading(words)

    def _end(self, start: _Term, closing: _Cited) -> str:
        """Name the last cited words; more of them if these occur earlier within the cited text."""
        most = closing.count
        if closing.run is start.run:
            most = sum(begin >= start.end for begin, _ in closing.run.words[closing.first : closing.after])
        ends = [closing.closing(count) for count in range(1, min(MOST_WORDS, most) + 1)]
        if not ends or ends[-1].start >= ends[-1].end:
            return ""
        fewest = min(END_WORDS, len(ends))
        after = self._offset(start) + len(on_one_line(start.words))
        for term in ends[fewest - 1 :]:
            if self.page is None or self.page.first(on_one_line(term.words), after) == self._offset(term):
                return f",{_spelt(term.words)}"
        return f",{_spelt(ends[fewest - 1].words)}"

    def _with_prefix(self, cited: _Cited, term: _Term) -> tuple[str, _Term]:
        """Name the fewest words before a term that make it unambiguous; "" if none do."""
        run, after = cited.run, cited.first
        if after == 0 and (before := self._neighbour(run, -1)) is not None:
            term = _Term(run, run.words[0][0], term.end)
            run, after = before, len(before.words)
        for count in range(1, min(MOST_WORDS, after) + 1):
            start, end = run.span(after - count, after)
            prefix = _Term(run, start, term.start if run is term.run else run.words[after - 1][1])
            if start < end and self._is_first_pair(prefix, term):
                return f"{_spelt(prefix.words)}-,", term
        return "", term

    def _with_suffix(self, cited: _Cited, term: _Term) -> tuple[_Term, str]:
        """Name the fewest words after a term that make it unambiguous; "" if none do."""
        run, first = cited.run, cited.after
        if first == len(run.words) and (behind := self._neighbour(run, 1)) is not None:
            term = _Term(run, term.start, run.words[-1][1])
            run, first = behind, 0
        for count in range(1, min(MOST_WORDS, len(run.words) - first) + 1):
            start, end = run.span(first, first + count)
            suffix = _Term(run, term.end if run is term.run else run.words[first][0], end)
            if start < end and self._is_first_pair(term, suffix):
                return term, f",-{_spelt(suffix.words)}"
        return term, ""

    def _neighbour(self, run: PrintedRun, step: int) -> PrintedRun | None:
        """Return the run before (-1) or after (1) another, or None if the page prints text between them."""
        index = self.runs.index(run) + step
        if not 0 <= index < len(self.runs):
            return None
        first, second = sorted((run, self.runs[index]), key=lambda one: (one.block, one.words))
        if first.block == second.block:
            is_next = not first.text[first.words[-1][1] : second.words[0][0]].strip()
        else:
            is_next = first.block + 1 == second.block and first.closes and second.opens
        return self.runs[index] if is_next else None

    def _is_first_pair(self, first: _Term, second: _Term) -> bool:
        """Return whether this is the first occurrence on the page of these two terms in a row."""
        if first.run is second.run:
            words = on_one_line(first.run.text[first.start : second.end])
        else:
            words = f"{on_one_line(first.words)} {on_one_line(second.words)}"
        return self.page is not None and self.page.first(words) == self._offset(first)

    def _offset(self, term: _Term) -> int:
        return self.page.offset(self.place + term.run.source_offset(term.start)) if self.page else 0


def _spelt(words: str) -> str:
    """Encode words for a directive, in which hyphens, commas and ampersands are syntax."""
    return quote(words, safe="").replace("-", "%2D")
