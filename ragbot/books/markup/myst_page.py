"""Hold a page of MyST 2 while its blocks are read: its labels, numbers, title and what it takes over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ragbot.books.markup.myst_inline import InlinePage, plain_inline
from ragbot.books.markup.myst_references import EQUATION, HEADING, Target
from ragbot.books.markup.titles import without_closing_marks

# Of what a page includes, embeds and lists.
MAX_CHARACTERS = 1_000_000

_PLAIN_EQUATION = re.compile(r"[ \t]*\\(?:begin|end)\{equation\*?\}[ \t]*")
_EQUATION_LABEL = re.compile(r"\\label\{(?P<label>[^{}\n]+)\}")


@dataclass(slots=True)
class MystPage:
    """Hold what the blocks of one page need.

    `included` returns the text of a file that the page names; `contents` lists what a table of contents shows
    of a context (`project`, `children`), down to a depth. With `has_title` the first heading is the page's
    title; `shift` is by how much headings are lowered, because the title stands above them. `below_title`
    returns what follows the title. `is_notebook` tells whether
    plain fences are cells. `pending` are labels whose target follows, `open_files` the files that are being
    included, `taken_over` the characters from elsewhere so far.
    """

    inline: InlinePage
    included: Callable[[str], str]
    contents: Callable[[str, int], Iterable[str]]
    has_title: bool = False
    shift: int = 0
    below_title: Callable[[], Iterable[str]] = tuple
    is_notebook: bool = False
    unrun_cells: int = 0
    pending: list[str] = field(default_factory=list)
    open_files: list[str] = field(default_factory=list)
    taken_over: int = 0

    def words(self, text: str) -> str:
        """Return text within a line as a reader sees it."""
        return plain_inline(text, self.inline)

    def is_full(self) -> bool:
        """Return whether the page has taken over as much as it may."""
        return self.taken_over > MAX_CHARACTERS

    def from_elsewhere(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield lines of another place, until the page has too many of such."""
        for line in lines:
            self.taken_over += len(line) + 1
            if self.is_full():
                return
            yield line

    def labels(self, *own: str) -> list[str]:
        """Return the labels that stand in front of what follows, and its own."""
        found = [label for label in (*self.pending, *own) if label]
        self.pending.clear()
        return found

    def label(self, target: Target, *own: str) -> str:
        """Give a target the labels in front of it and its own; return its id, if it has any."""
        anchor = ""
        for label in self.labels(*own):
            anchor = self.inline.targets.add(label, target)
        return anchor


def number_equation(label: str, body: Iterable[str], page: MystPage) -> None:
    """Number an equation, by its label, or by those within it."""
    inner = [found["label"] for line in body for found in _EQUATION_LABEL.finditer(line)]
    page.label(Target(EQUATION, page.inline.targets.number(EQUATION)), label, *inner)


def math_lines(lines: Iterable[str], label: str, page: MystPage) -> Iterator[str]:
    """Yield an equation between double dollars, and number it."""
    body = [*lines]
    number_equation(label, body, page)
    shown = (_EQUATION_LABEL.sub("", line) for line in body if not _PLAIN_EQUATION.fullmatch(line))
    yield from ("$$", *(line for line in shown if line.strip()), "$$")


def heading_lines(level: int, written: str, page: MystPage) -> Iterator[str]:
    """Yield a heading, with its id where the author gave it one; the page's title, with what follows it."""
    title = page.words(without_closing_marks(written))
    if page.has_title and not page.inline.targets.headings and not page.inline.targets.taken:
        page.has_title = False
        page.pending.clear()
        yield f"# {title}"
        yield from page.below_title()
        return
    marks = "#" * min(level + page.shift, 6)
    if not page.pending:
        page.inline.targets.add_heading(title)
        yield f"{marks} {title}"
    else:
        anchor = page.label(Target(HEADING, title=title))
        yield f"{marks} {title} {{#{anchor}}}"


def embedded_lines(name: str, page: MystPage, otherwise: str = "") -> Iterator[str]:
    """Yield what another place of the project shows."""
    page.pending.clear()
    found = page.inline.target(name.lstrip("#"))
    yield from page.from_elsewhere(found.shown) if found is not None else (otherwise,)
