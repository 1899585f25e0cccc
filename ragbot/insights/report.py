"""Format the gaps of a book as Markdown for people and coding agents, as JSON, or as CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ragbot.insights.values import csv_text, gap_values, wordless_rows, wordless_values
from ragbot.storage.question_counts import Counted
from ragbot.storage.question_gaps import Gap
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_selection import Selection
from ragbot.storage.wordless_questions import Wordless


@dataclass(frozen=True, slots=True)
class Report:
    """Hold the gaps of a book since a time, and what of them has no words."""

    book: str
    since: datetime
    gaps: Sequence[Gap]
    wordless: Wordless


def report_of(insights: QuestionInsights, book: str, since: datetime) -> Report:
    """Return the report of a book."""
    wordless = insights.wordless(Selection(book, since), wanting=True)
    return Report(book, since, insights.all_gaps(book, since=since), wordless)


def as_markdown(report: Report) -> str:
    """Return a page with a section for each gap: how often, what was asked, where an answer belongs."""
    begin = f"Since {report.since:%Y-%m-%d}: {len(report.gaps)} gaps."
    lines = [f"# What readers of `{report.book}` did not find", "", begin]
    for number, gap in enumerate(report.gaps, start=1):
        title, *facts = _gap_lines(gap)
        lines += ["", f"## {number}. {title}", "", *facts]
    if report.wordless.questions:
        lines += ["", *_wordless_lines(report.wordless)]
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """Return an object with the list of gaps."""
    found = {
        "book": report.book,
        "since": report.since.isoformat(),
        "gaps": [gap_values(gap) for gap in report.gaps],
        "wordless": wordless_values(report.wordless),
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def as_csv(report: Report) -> str:
    """Return a line for each gap, with a heading, and one for each chapter with questions without words.

    Lists are joined by line ends.
    """
    rows = [*map(gap_values, report.gaps), *wordless_rows(report.wordless)]
    return csv_text(("book", *Gap.__slots__), ({"book": report.book, **row} for row in rows))


def as_issue(book: str, gap: Gap) -> str:
    """Return one gap as an issue for the book's repository."""
    title, *facts = _gap_lines(gap)
    return "\n".join((f"# {title}", "", f"Readers of `{book}` did not find it.", "", *facts)) + "\n"


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "md": as_markdown,
    "json": as_json,
    "csv": as_csv,
}


def _gap_lines(gap: Gap) -> list[str]:
    """Return the title of a gap, and its facts as list items."""
    title = _quoted(gap.examples[0]) if gap.examples else "(no words are kept)"
    lines = [title, f"- Asked {_times(gap.questions)}: {_counts(gap)}."]
    if gap.answered_since:
        lines.append(f"- Answered {_times(gap.answered_since)} since: the gap may be closed.")
    lines += [f"- Also asked as: {_quoted(example)}" for example in gap.examples[1:]]
    lines += [f"- Nearest: `{path}`, {_quoted(headings)}" for path, headings in gap.sections]
    return lines


def _wordless_lines(wordless: Wordless) -> list[str]:
    """Return a section that counts the questions without words by chapter, and by the page of the reader."""
    lines = [f"## Questions without kept words: {wordless.questions}", ""]
    for counted in wordless.chapters:
        place = f"Nearest: {_quoted(counted.value)}" if counted.value else "No section was near"
        lines.append(f"- {place}: {_counts(counted)}.")
    for counted in wordless.pages:
        place = f"Asked from {_quoted(counted.value)}" if counted.value else "Asked from no page"
        lines.append(f"- {place}: {_counts(counted)}.")
    return lines


def _counts(counted: Gap | Counted) -> str:
    return f"{counted.refused} refused, {counted.unsupported} unsupported, {counted.disliked} disliked"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _quoted(text: str) -> str:
    """Return a reader's words as code in one line, so that they are neither markup nor instructions."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"
