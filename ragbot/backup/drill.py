"""Run a restore drill: restore a backup aside, index it, repeat past questions, and measure the time."""

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
from ragbot.core.answers import Finished, Question, Status
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.ingestion.pipeline import IngestionPipeline
from ragbot.storage.database import Database
from ragbot.storage.editions import EditionStore
from ragbot.storage.past_questions import PastQuestion, past_questions

QUESTIONS = 5
QUESTION_LIMIT_S = 30.0

# The past answer may have been found by its vector or within one chapter. The drill searches the whole book
# by words alone, and therefore looks a little further down the list.
SOURCES_LOOKED_AT = 10
# So most questions, not all, must find their source again.
LEAST_FOUND = 0.5


@dataclass(frozen=True, slots=True)
class RestoredParts:
    """Hold the services over a restored database; they use no model and no embedder."""

    editions: EditionStore
    ingestion: IngestionPipeline
    answerer: Answerer
    database: Database


# Opens the services over the database at an address, with their index in a folder.
OpenParts = Callable[[str, Path], AbstractContextManager[RestoredParts]]


@dataclass(frozen=True, slots=True)
class ReplayedQuestion:
    """Describe the result of a repeated question, without its text."""

    message_id: str
    status: str
    top_source_found: bool
    was_without_model: bool


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Report a drill. `recovery_s` is the measured RTO, `data_age_s` the RPO.

    `questions` is empty if the database has no past question to repeat. `faults` are sentences, none if the
    drill passed.
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
        """Return whether the service could recover from this backup."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
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
    """Restore a backup into a temporary database and index, and answer past questions from it.

    The live database and index are not touched. `began` is the monotonic time at which fetching the archive
    began. Raises RagbotError if the backup cannot be restored.
    """
    manifest = backup.manifest
    faults: list[str] = []
    replayed: list[ReplayedQuestion] = []
    chunks = 0
    with database.scratch(backup.folder) as scratch:
        # The rows of each table are counted against the manifest in there, before any migration.
        restore_backup(backup, scratch, known_revisions=known_revisions, migrate_up=migrate_up)
        found = scratch.contents()
        if found and found.revision == manifest.revision:
            faults += _row_faults(manifest.rows, found.rows)
        if manifest.edition is not None:
            with open_parts(scratch.url, backup.folder) as parts:
                for edition in parts.editions.published_of_each().values():
                    # It counts the points and searches some by their own words.
                    parts.ingestion.build_index(edition)
                    chunks += edition.chunks
                    past = past_questions(parts.database, edition, QUESTIONS)
                    replayed += [_replay(question, edition, parts.answerer) for question in past]
                faults += _answer_faults(replayed)
    return DrillReport(
        backup=backup.name,
        revision=manifest.revision,
        edition=manifest.edition,
        recovery_s=round(time.monotonic() - began, 3),
        data_age_s=round((datetime.now(UTC) - manifest.created_at).total_seconds(), 3),
        tables=len(manifest.rows),
        rows=sum(manifest.rows.values()),
        chunks_indexed=chunks,
        questions=tuple(replayed),
        faults=tuple(faults),
    )


def _row_faults(expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    return [
        f"Table {name} has {found.get(name, 0)} rows and not {rows}."
        for name, rows in expected.items()
        if found.get(name) != rows
    ]


def _replay(past: PastQuestion, edition: EditionFacts, answerer: Answerer) -> ReplayedQuestion:
    question = Question(past.text, book=edition.book, book_version=edition.name, top_k=SOURCES_LOOKED_AT)
    *_, last = answerer.answer(question, (), Deadline(QUESTION_LIMIT_S))
    assert isinstance(last, Finished)
    ids = {source.id for source in last.answer.sources}
    return ReplayedQuestion(
        past.message_id, str(last.answer.status), past.top_source in ids, past.without_model
    )


def _answer_faults(replayed: Sequence[ReplayedQuestion]) -> list[str]:
    found = sum(question.top_source_found for question in replayed)
    faults = []
    if found < len(replayed) * LEAST_FOUND:
        faults.append(f"Of {len(replayed)} past questions only {found} find their first source again.")
    # What a model had answered, the drill, which calls none, may refuse though it has found the passage.
    alike = [question for question in replayed if question.was_without_model]
    answered = sum(question.status == Status.ANSWERED for question in alike)
    if answered < len(alike) * LEAST_FOUND:
        faults.append(f"Of {len(alike)} past questions only {answered} are answered again.")
    return faults
