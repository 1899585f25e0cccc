"""Format the gaps of a book as Markdown for people and coding agents, as JSON, or as CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ragbot.insights.values import csv_text, gap_values
from ragbot.storage.question_gaps import Gap


def as_markdown(book: str, since: datetime, gaps: Sequence[Gap]) -> str:
    """Return a page with a section for each gap: how often, what was asked, where an answer belongs."""
    lines = [f"# What readers of `{book}` did not find", "", f"Since {since:%Y-%m-%d}: {len(gaps)} gaps."]
    for number, gap in enumerate(gaps, start=1):
        title, *facts = _gap_lines(gap)
        lines += ["", f"## {number}. {title}", "", *facts]
    return "\n".join(lines) + "\n"


def as_json(book: str, since: datetime, gaps: Sequence[Gap]) -> str:
    """Return an object with the list of gaps."""
    found = {"book": book, "since": since.isoformat(), "gaps": [gap_values(gap) for gap in gaps]}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def as_csv(book: str, since: datetime, gaps: Sequence[Gap]) -> str:  # noqa: ARG001
    """Return a line for each gap, with a heading. Lists are joined by line ends."""
    return csv_text(("book", *Gap.__slots__), ({"book": book, **gap_values(gap)} for gap in gaps))


def as_issue(book: str, gap: Gap) -> str:
    """Return one gap as an issue for the book's repository."""
    title, *facts = _gap_lines(gap)
    return "\n".join((f"# {title}", "", f"Readers of `{book}` did not find it.", "", *facts)) + "\n"


FORMATS: Mapping[str, Callable[[str, datetime, Sequence[Gap]], str]] = {
    "md": as_markdown,
    "json": as_json,
    "csv": as_csv,
}


def _gap_lines(gap: Gap) -> list[str]:
    """Return the title of a gap, and its facts as list items."""
    title = _quoted(gap.examples[0]) if gap.examples else "(no words are kept)"
    counts = f"{gap.refused} refused, {gap.unsupported} unsupported, {gap.disliked} disliked"
    lines = [title, f"- Asked {_times(gap.questions)}: {counts}."]
    if gap.answered_since:
        lines.append(f"- Answered {_times(gap.answered_since)} since: the gap may be closed.")
    lines += [f"- Also asked as: {_quoted(example)}" for example in gap.examples[1:]]
    lines += [f"- Nearest: `{path}`, {_quoted(headings)}" for path, headings in gap.sections]
    return lines


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _quoted(text: str) -> str:
    """Return a reader's words as code in one line, so that they are neither markup nor instructions."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"
