"""Format the gaps of a book as Markdown for people and coding agents, as JSON, or as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ragbot.storage.question_gaps import Gap

# Spreadsheets take what begins with these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_markdown(book: str, since: datetime, gaps: Sequence[Gap]) -> str:
    """Return a page with a section for each gap: how often, what was asked, where an answer belongs."""
    lines = [f"# What readers of `{book}` did not find", "", f"Since {since:%Y-%m-%d}: {len(gaps)} gaps."]
    for number, gap in enumerate(gaps, start=1):
        lines += ["", *_gap_lines(number, gap)]
    return "\n".join(lines) + "\n"


def as_json(book: str, since: datetime, gaps: Sequence[Gap]) -> str:
    """Return an object with the list of gaps."""
    found = {"book": book, "since": since.isoformat(), "gaps": [gap_values(gap) for gap in gaps]}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def as_csv(book: str, since: datetime, gaps: Sequence[Gap]) -> str:  # noqa: ARG001
    """Return a line for each gap, with a heading. Lists are joined by line ends."""
    text = io.StringIO()
    names = [*Gap.__slots__]
    writer = csv.DictWriter(text, ["book", *names], lineterminator="\n")
    writer.writeheader()
    for gap in gaps:
        values = gap_values(gap)
        sections = "\n".join(f"{one['path']}: {one['headings']}" for one in values["sections"])
        flat = {**values, "examples": "\n".join(values["examples"]), "sections": sections}
        flat["trend"] = " ".join(map(str, gap.trend))
        writer.writerow({"book": book, **{name: _cell(value) for name, value in flat.items()}})
    return text.getvalue()


FORMATS: Mapping[str, Callable[[str, datetime, Sequence[Gap]], str]] = {
    "md": as_markdown,
    "json": as_json,
    "csv": as_csv,
}


def gap_values(gap: Gap) -> dict[str, Any]:
    """Return a gap as JSON has it."""
    return {
        "group": gap.group,
        "questions": gap.questions,
        "refused": gap.refused,
        "unsupported": gap.unsupported,
        "disliked": gap.disliked,
        "answered_since": gap.answered_since,
        "first_asked_at": gap.first_asked_at.isoformat(),
        "last_asked_at": gap.last_asked_at.isoformat(),
        "examples": list(gap.examples),
        "sections": [{"path": path, "headings": headings} for path, headings in gap.sections],
        "trend": list(gap.trend),
    }


def _gap_lines(number: int, gap: Gap) -> list[str]:
    title = _quoted(gap.examples[0]) if gap.examples else "(no words are kept)"
    counts = f"{gap.refused} refused, {gap.unsupported} unsupported, {gap.disliked} disliked"
    lines = [f"## {number}. {title}", "", f"- Asked {gap.questions} times: {counts}."]
    if gap.answered_since:
        lines.append(f"- Answered {gap.answered_since} times since: the gap may be closed.")
    lines += [f"- Also asked as: {_quoted(example)}" for example in gap.examples[1:]]
    lines += [f"- Nearest: `{path}`, {_quoted(headings)}" for path, headings in gap.sections]
    return lines


def _quoted(text: str) -> str:
    """Return a reader's words as code in one line, so that they are neither markup nor instructions."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
