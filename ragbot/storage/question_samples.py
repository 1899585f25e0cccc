"""Describe groups of questions: their commonest wordings, their nearest sections, their course in time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from ragbot.storage.question_selection import GROUP_KEY, SECTION_LINES, Selection, number_of, row

EXAMPLES = 5
SECTIONS = 3
# The time of a selection is cut into so many parts.
BUCKETS = 8
# Of a group with many wordings or lists of sections, so many of the commonest are looked at.
_LISTS = 50


@dataclass(frozen=True, slots=True)
class Samples:
    """Hold a group's commonest wordings, its sections as (path, headings), and its questions by time."""

    examples: tuple[str, ...]
    sections: tuple[tuple[str, str], ...]
    trend: tuple[int, ...]


def samples_of(
    connection: Connection,
    selection: Selection,
    keys: Sequence[int],
    *conditions: ColumnElement[bool],
) -> Mapping[int, Samples]:
    """Return what describes each of some groups of the selection's book, by its key.

    Only questions count that fulfil the conditions, too.
    """
    sampled = [*selection.conditions_within_groups(), *conditions, of_keys(keys)]
    examples = wordings(connection, sampled, EXAMPLES)
    sections = section_samples(connection, sampled, SECTIONS)
    trends = time_buckets(connection, sampled, selection)
    return {
        key: Samples(tuple(examples.get(key, ())), tuple(sections.get(key, ())), trends[key]) for key in keys
    }


def of_keys(keys: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a question is in one of these groups; a negative key is a question alone."""
    groups, alone = [key for key in keys if key > 0], [-key for key in keys if key < 0]
    # An empty list would keep SQLite from using the index for the other one.
    found = [row.group_id.in_(groups)] if groups else []
    return or_(false(), *found, *([row.group_id.is_(None) & row.id.in_(alone)] if alone else []))


def wordings(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], limit: int
) -> Mapping[int, list[str]]:
    """Return the commonest wordings of each group, by its key."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for key, words, _ in _commonest(connection, [*conditions, row.words.is_not(None)], row.words, limit):
        found[key].append(words)
    return found


def section_samples(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], limit: int
) -> Mapping[int, list[tuple[str, str]]]:
    """Return the commonest sections of each group as (path, headings), by its key.

    They are those that were nearest, or of a question that was answered, those that were cited.
    """
    counted: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for key, sections, count in _commonest(
        connection, [*conditions, SECTION_LINES != ""], SECTION_LINES, _LISTS
    ):
        for line in sections.splitlines():
            counted[key][line] += count
    return {
        key: [split_place(line) for line, _ in sections.most_common(limit)]
        for key, sections in counted.items()
    }


def split_place(line: str) -> tuple[str, str]:
    """Return the path and the headings of a section as it is stored."""
    path, _, headings = line.partition("\t")
    return path, headings


def time_buckets(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], selection: Selection
) -> Mapping[int, tuple[int, ...]]:
    """Count the questions of each group, by its key, in equal parts of the selection's time."""
    length = ((selection.until or datetime.now(UTC)) - selection.since) / BUCKETS
    ends = [selection.since + number * length for number in range(1, BUCKETS)]
    passed = [number_of(row.asked_at < end) for end in ends]
    query = select(GROUP_KEY.label("key"), *passed, func.count()).where(*conditions).group_by(GROUP_KEY)
    return {
        key: tuple(end - begin for begin, end in pairwise((0, *counts)))
        for key, *counts in connection.execute(query)
    }


def _commonest(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], column: ColumnElement[str], limit: int
) -> list[tuple[int, str, int]]:
    """Return for each group the commonest values of a column, with their number, the commonest first."""
    value = column.label("value")
    counted = (
        select(GROUP_KEY.label("key"), value, func.count().label("number"), func.max(row.id).label("last"))
        .where(*conditions)
        .group_by(GROUP_KEY, value.element)
        .subquery()
    )
    place = func.row_number().over(
        partition_by=counted.c.key, order_by=(counted.c.number.desc(), counted.c.last.desc())
    )
    ranked = select(counted, place.label("place")).subquery()
    query = select(ranked).where(ranked.c.place <= limit).order_by(ranked.c.key, ranked.c.place)
    return [(found.key, found.value, found.number) for found in connection.execute(query)]
