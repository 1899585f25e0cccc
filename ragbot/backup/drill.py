"""The newest backup to proof that it can be lived from: restored aside, indexed, asked, compared, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ragbot.answering.answerer import Answerer
from ragbot.backup.backups import ExtractedBackup, restore_backup
from ragbot.backup.databases import DumpableDatabase, MigrateUp
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, Finished, Question, Status
from ragbot.ingestion.pipeline import IngestionPipeline
from ragbot.storage.editions import EditionStore
from ragbot.storage.past_questions import PastQuestion, PastQuestions

QUESTIONS = 5
QUESTION_LIMIT_S = 30.0

# A kept answer may have been found by its meaning or within one chapter, which the drill does without: it
# searches the whole book by words alone, and looks a little further down the list.
SOURCES_LOOKED_AT = 10
# So most questions must find again what they found, not all.
LEAST_FOUND = 0.5


@dataclass(frozen=True, slots=True)
class RestoredParts:
    """What answers from a restored database: no model and no embedder among it."""

    editions: EditionStore
    ingestion: IngestionPipeline
    answerer: Answerer
    past_questions: PastQuestions


# Parts over the database at an address, with their index in a folder.
OpenParts = Callable[[str, Path], AbstractContextManager[RestoredParts]]


@dataclass(frozen=True, slots=True)
class ReplayedQuestion:
    """How a kept question went; its words stay in the database."""

    message_id: str
    status: str
    top_source_found: bool


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What came of a drill. `recovery_s` is the RTO as measured, `data_age_s` the RPO.

    `questions` is empty where no kept question could be asked. `faults` are sentences, none where it went
    well.
    """

    backup: str
    revision: str | None
    edition: str | None
    recovery_s: float
    data_age_s: float
    tables: int
    rows: int
    chunks_indexed: int
    questions: tuple[ReplayedQuestion, ...]
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the service could live from this backup."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"ok": self.ok, **asdict(self)}


def run_drill(
    backup: ExtractedBackup,
    database: DumpableDatabase,
    *,
    began: float,
    known_revisions: Collection[str],
    migrate_up: MigrateUp,
    open_parts: OpenParts,
) -> DrillReport:
    """Live from a backup for a moment, in a database and an index of its own; the live ones are not touched.

    `began` is the monotonic time at which the archive began to be fetched. Raises RagbotError if it cannot
    even be restored.
    """
    manifest = backup.manifest
    faults: list[str] = []
    asked: list[ReplayedQuestion] = []
    chunks = 0
    with database.scratch(backup.folder) as scratch:
        # The rows of each table are counted against the manifest in there, before any migration.
        restore_backup(backup, scratch, known_revisions=known_revisions, migrate_up=migrate_up)
        found = scratch.contents()
        if found and found.revision == manifest.revision:
            faults += _row_faults(manifest.rows, found.rows)
        if manifest.edition is not None:
            with open_parts(scratch.url, backup.folder) as parts:
                edition = parts.editions.edition(manifest.edition)
                # It counts the points and finds some by their own words.
                parts.ingestion.build_index(edition)
                chunks = edition.chunks
                kept = parts.past_questions.questions(edition.name, QUESTIONS)
                asked = [_asked_again(question, edition, parts.answerer) for question in kept]
                faults += _answer_faults(asked)
    return DrillReport(
        backup=backup.name,
        revision=manifest.revision,
        edition=manifest.edition,
        recovery_s=round(time.monotonic() - began, 3),
        data_age_s=round((datetime.now(UTC) - manifest.created_at).total_seconds(), 3),
        tables=len(manifest.rows),
        rows=sum(manifest.rows.values()),
        chunks_indexed=chunks,
        questions=tuple(asked),
        faults=tuple(faults),
    )


def _row_faults(expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    return [
        f"Table {name} has {found.get(name, 0)} rows and not {rows}."
        for name, rows in expected.items()
        if found.get(name) != rows
    ]


def _asked_again(kept: PastQuestion, edition: EditionFacts, answerer: Answerer) -> ReplayedQuestion:
    question = Question(kept.text, book_version=edition.name, top_k=SOURCES_LOOKED_AT)
    *_, last = answerer.answer(question, (), Deadline(QUESTION_LIMIT_S))
    assert isinstance(last, Finished)
    ids = {source.id for source in last.answer.sources}
    return ReplayedQuestion(kept.message_id, str(last.answer.status), kept.top_source in ids)


def _answer_faults(asked: Sequence[ReplayedQuestion]) -> list[str]:
    found = sum(question.top_source_found for question in asked)
    answered = sum(question.status == Status.ANSWERED for question in asked)
    enough = len(asked) * LEAST_FOUND
    faults = []
    if found < enough:
        faults.append(f"Of {len(asked)} kept questions only {found} find their first source again.")
    if answered < enough:
        faults.append(f"Of {len(asked)} kept questions only {answered} are answered again.")
    return faults
