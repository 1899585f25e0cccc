"""Turn what was found about questions into values of JSON, and into rows of a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ragbot.core.answers import Source
from ragbot.core.timestamps import timestamp
from ragbot.insights.book_map import BookMap, MappedPage
from ragbot.insights.masking import mask_personal_data
from ragbot.insights.trends import Numbers, Trends
from ragbot.storage.question_gaps import Gap
from ragbot.storage.question_lists import AskedFacts, GroupFacts
from ragbot.storage.wordless_questions import Wordless

# Spreadsheets take what begins with these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def gap_values(gap: Gap) -> dict[str, Any]:
    """Return a gap as JSON has it."""
    return _group_values(asdict(gap))


def wordless_values(wordless: Wordless) -> dict[str, Any]:
    """Return the counts of questions without words as JSON has them."""
    return {
        "chapters": [asdict(counted) for counted in wordless.chapters],
        "pages": [asdict(counted) for counted in wordless.pages],
    }


def wordless_rows(wordless: Wordless) -> list[dict[str, Any]]:
    """Return for each chapter with questions without words a row as that of a gap, without examples."""
    return [
        {**asdict(counted), "sections": [{"path": counted.value, "headings": ""}] if counted.value else []}
        for counted in wordless.chapters
    ]


def group_values(group: GroupFacts) -> dict[str, Any]:
    """Return a group as JSON has it."""
    return _group_values(asdict(group))


def question_values(asked: AskedFacts) -> dict[str, Any]:
    """Return a question as JSON has it, without the answer."""
    values = {name: getattr(asked, name) for name in AskedFacts.__slots__}
    del values["answer"], values["sources"]
    values["unsupported"] = values.pop("is_unsupported")
    return {
        **values,
        "asked_at": timestamp(asked.asked_at),
        "cited": _sections(asked.cited),
        "nearest": _sections(asked.nearest),
    }


def answered_values(asked: AskedFacts) -> dict[str, Any]:
    """Return a question with its answer, masked as its words are; both are null if there is none any more."""
    sources = None if asked.sources is None else [_source(source) for source in asked.sources]
    answer = None if asked.answer is None else mask_personal_data(asked.answer)
    return {**question_values(asked), "answer": answer, "sources": sources}


def trend_values(trends: Trends) -> dict[str, Any]:
    """Return the course of a time as JSON has it."""
    return {
        "total": _numbers(trends.total),
        "before": _numbers(trends.before) if trends.before else None,
        "first_word": asdict(trends.first_word),
        "days": [{"day": day.day.isoformat(), **_numbers(day.numbers)} for day in trends.days],
        "languages": [asdict(counted) for counted in trends.kinds.languages],
        "editions": [asdict(counted) for counted in trends.kinds.editions],
        "pages": [asdict(counted) for counted in trends.pages],
        "change": asdict(trends.change) if trends.change else None,
    }


def map_values(page: MappedPage) -> dict[str, Any]:
    """Return a page of the map as JSON has it."""
    return {**asdict(page), "sections": [asdict(section) for section in page.sections]}


def map_rows(found: BookMap) -> list[dict[str, Any]]:
    """Return a row for each page of a map, with empty headings, and below it one for each of its sections."""
    rows = []
    for page in (*found.pages, *found.elsewhere):
        values = map_values(page)
        for section in ({**values, "headings": ""}, *values.pop("sections")):
            whole = {"path": page.path, "title": page.title, **section}
            rows.append({name: whole.get(name, "") for name in MAP_COLUMNS})
    return rows


MAP_COLUMNS = ("path", "title", "headings", "asked", "cited", "disliked", "near")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV with a heading. Lists become lines of a cell, and no cell is a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: _cell(row.get(name)) for name in columns} for row in rows)
    return text.getvalue()


def _group_values(values: dict[str, Any]) -> dict[str, Any]:
    for name in ("first_asked_at", "last_asked_at"):
        values[name] = timestamp(values[name])
    values["examples"] = list(values["examples"])
    values["sections"] = _sections(values["sections"])
    values["trend"] = list(values["trend"])
    return values


def _numbers(numbers: Numbers) -> dict[str, Any]:
    return {**asdict(numbers), "cost_usd": round(numbers.cost_usd, 6)}


def _source(source: Source) -> dict[str, Any]:
    return {
        "path": source.path,
        "headings": " > ".join(source.heading_path),
        "url": source.url,
        "cited": source.cited,
    }


def _sections(places: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    return [{"path": path, "headings": headings} for path, headings in places]


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = "\n".join(
            f"{one['path']}: {one['headings']}" if isinstance(one, dict) else str(one) for one in value
        )
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
