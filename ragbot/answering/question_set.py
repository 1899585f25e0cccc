"""Read a set of questions with known answers from a JSON Lines file."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ragbot.core.answers import Exchange
from ragbot.core.errors import ConfigurationError

SMALL_TALK = "smalltalk"
DEFINITION = "definition"


@dataclass(frozen=True, slots=True)
class Gold:
    """Describe a place that answers a question: a section of a file, and words in it."""

    path: str
    heading: str
    quote: str


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a question of a set. Without gold places the book does not answer it.

    `evidence` are the pieces of text that a right answer must contain. `subject` is the term whose definition
    is asked for.
    """

    id: str
    kind: str
    question: str
    gold: tuple[Gold, ...]
    history: tuple[Exchange, ...] = ()
    evidence: tuple[str, ...] = ()
    subject: str = ""


def load_rows(path: Path) -> list[Row]:
    """Read the questions of a JSON Lines file. Raises ConfigurationError that names the line at fault."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The question set {path.name} cannot be read.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append(_row(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ConfigurationError(
                    f"{path.name}, line {number}, is not a question: it needs id, type, question and gold."
                ) from error
    if not rows:
        raise ConfigurationError(f"The question set {path.name} is empty.")
    return rows


def sample_of(rows: Sequence[Row], size: int, *, seed: int = 0) -> list[Row]:
    """Return `size` of the rows in their order, from each type its share; the same ones for a seed."""
    shuffled = random.Random(seed).sample(rows, len(rows))  # noqa: S311 - a sample keeps no secret
    of_kind: defaultdict[str, list[Row]] = defaultdict(list)
    for row in shuffled:
        of_kind[row.kind].append(row)
    # How much of its type has been drawn when a row is: the lowest come first, so all types keep in step.
    depths = {
        row.id: (place + 0.5) / len(same) for same in of_kind.values() for place, row in enumerate(same)
    }
    drawn = {row.id for row in sorted(shuffled, key=lambda row: depths[row.id])[:size]}
    return [row for row in rows if row.id in drawn]


def _row(row: dict[str, Any]) -> Row:
    talk = row.get("history") or []
    exchanges = tuple(
        Exchange(asked["content"], said["content"])
        for asked, said in pairwise(talk)
        if (asked["role"], said["role"]) == ("user", "assistant")
    )
    gold = tuple(Gold(place["path"], place.get("heading", ""), place["quote"]) for place in row["gold"])
    return Row(
        id=str(row["id"]),
        kind=str(row["type"]),
        question=str(row["question"]),
        gold=gold,
        history=exchanges,
        evidence=tuple(map(str, row.get("evidence") or ())),
        subject=str(row.get("subject") or ""),
    )
