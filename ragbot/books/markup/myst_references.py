"""Number and name what pages of MyST 2 refer to, and make the anchors of their headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ragbot.books.markup.slugs import NumberedSlugger

_QUOTES = re.compile(r"['‘’\"“”]+")
_NOT_IN_ID = re.compile(r"[^a-z0-9-]")
_MATH = re.compile(r"\$([^$\n]+)\$")
_NAME_IN_TEXT = re.compile(r"%s|\{(?:number|name)\}")

# A longer title is a paragraph by mistake.
MAX_TITLE = 1_000

HEADING = "heading"
EQUATION = "equation"
# Without a number these are called by their kind, with the title behind it; others by the title alone.
_CALLED_BY_KIND = frozenset({"proof", "exercise"})


def normal_label(label: str) -> str:
    """Return a label as references to it are compared: in lower case, without quotes."""
    return _QUOTES.sub("", " ".join(label.split())).strip().lower()


def html_id(label: str) -> str:
    """Return the id that a label, or the words of a heading, have on the page."""
    plain = _NOT_IN_ID.sub("-", normal_label(label))
    # (It begins with a letter.)
    plain = f"id-{plain}" if plain[:1].isdigit() or plain[:1] == "-" else plain
    return re.sub(r"-{2,}", "-", plain).strip("-")


def heading_id(title: str) -> str:
    """Return the id of a heading without a label; formulas in it count without their dollars."""
    return html_id(_MATH.sub(r"\1", title))


@dataclass(frozen=True, slots=True)
class Target:
    """Hold what can be referred to: its kind (`figure`, `lemma`), its number and title, what it shows."""

    kind: str
    number: str = ""
    title: str = ""
    shown: tuple[str, ...] = ()

    def named(self) -> str:
        """Return what a reference without words of its own shows."""
        if self.kind == EQUATION and self.number:
            return f"({self.number})"
        kind = "Section" if self.kind == HEADING else "Program" if self.kind == "code" else self.kind
        kind = kind[:1].upper() + kind[1:]
        if self.number:
            return f"{kind} {self.number}"
        if self.kind in _CALLED_BY_KIND and self.title:
            return f"{kind} ({self.title})"
        return self.title or kind

    def filled(self, text: str) -> str:
        """Return the words of a reference with their placeholders filled: `%s`, `{number}` and `{name}`."""
        return _NAME_IN_TEXT.sub(
            lambda found: self.title if found[0] == "{name}" else self.number or "??", text
        )


@dataclass(slots=True)
class References:
    """Hold what the pages of a project can refer to: targets by their labels, pages by their paths.

    `unnumbered` are the kinds that the configuration numbers nowhere, `continued` those that it numbers
    through all pages; `all` stands for every kind.
    """

    targets: dict[str, Target] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    unnumbered: frozenset[str] = frozenset()
    continued: frozenset[str] = frozenset()

    def target(self, label: str) -> Target | None:
        """Return what a label stands for, or None."""
        return self.targets.get(normal_label(label)) or self.targets.get(html_id(label))


class PageTargets:
    """Count what one page numbers, and the ids that its headings find taken.

    `own` are the page's targets by their labels, `counts` the numbers that the page in front ended with.
    """

    def __init__(
        self, unnumbered: frozenset[str] = frozenset(), counts: Mapping[str, int] | None = None
    ) -> None:
        self.own: dict[str, Target] = {}
        self.taken: list[tuple[int, str]] = []
        self.headings = 0
        self.counts = dict(counts or {})
        self._unnumbered = unnumbered

    def number(self, kind: str) -> str:
        """Return the next number of a kind; empty if it has none."""
        if kind in self._unnumbered or "all" in self._unnumbered:
            return ""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return str(self.counts[kind])

    def add(self, label: str, target: Target) -> str:
        """Add a target with a label, and return its id."""
        anchor = html_id(label)
        short = target if len(target.title) <= MAX_TITLE else replace(target, title="")
        self.own.setdefault(normal_label(label), short)
        self.taken.append((self.headings, anchor))
        return anchor

    def add_heading(self, title: str) -> None:
        """Add a heading that has no label."""
        if len(title) <= MAX_TITLE:
            self.own.setdefault(heading_id(title), Target(HEADING, title=title))
        self.headings += 1


class MystSlugger:
    """Make the anchors of one page's headings: of their words, numbered where an id is taken above.

    With `skips_title` the first heading is the page's title, which has no anchor.
    """

    def __init__(self, page: PageTargets, *, skips_title: bool) -> None:
        self._slug = NumberedSlugger(heading_id)
        self._taken = list(reversed(page.taken))
        self._count = -1 if skips_title else 0

    def __call__(self, text: str) -> str:
        if self._count < 0:
            self._count = 0
            return html_id(text)
        while self._taken and self._taken[-1][0] <= self._count:
            self._slug.take(self._taken.pop()[1])
        self._count += 1
        return self._slug(text)


def unnumbered_kinds(numbering: Mapping[str, object]) -> frozenset[str]:
    """Return the kinds whose numbers a configuration turns off (`figure: false`)."""
    return frozenset(kind for kind, value in numbering.items() if _setting(value, "enabled") is False)


def continued_kinds(numbering: Mapping[str, object]) -> frozenset[str]:
    """Return the kinds that a configuration numbers through all pages (`figure: continue`)."""
    return frozenset(
        kind.removeprefix("proof:")
        for kind, value in numbering.items()
        if _setting(value, "continue") is True or _setting(value, "start") in ("continue", "next")
    )


def _setting(value: object, name: str) -> object:
    """Return a setting of a kind, which may be written without its name."""
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, bool):
        return value if name == "enabled" else None
    return value if name == "start" else None
