"""Record each backup and each restore drill, with its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Row, insert, select

from ragbot.storage.database import Database
from ragbot.storage.models import MaintenanceRunRow

upkeep_runs = MaintenanceRunRow.__table__

# Numbers and short names alone: never what readers wrote.
Facts = Mapping[str, str | int | float | bool | None]


class MaintenanceTask(StrEnum):
    """Name the kinds of runs."""

    BACKUP = "backup"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class MaintenanceRun:
    """Describe one run from its beginning to its end."""

    kind: MaintenanceTask
    started_at: datetime
    finished_at: datetime
    ok: bool
    facts: Facts = field(default_factory=dict)


class MaintenanceLog:
    """Store runs in the order in which they ended. Opens and commits its own transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, run: MaintenanceRun) -> None:
        """Store a run. Raises DatabaseUnavailable."""
        with self._database.writing() as connection:
            connection.execute(
                insert(upkeep_runs).values(
                    kind=str(run.kind),
                    started_at=run.started_at,
                    finished_at=run.finished_at,
                    ok=run.ok,
                    facts=dict(run.facts),
                )
            )

    def last(self, kind: MaintenanceTask, *, good: bool = False) -> MaintenanceRun | None:
        """Return the newest run of a kind, or the newest successful one. Raises DatabaseUnavailable."""
        newest = select(upkeep_runs).where(upkeep_runs.c.kind == str(kind))
        if good:
            newest = newest.where(upkeep_runs.c.ok)
        with self._database.reading() as connection:
            row = connection.execute(newest.order_by(upkeep_runs.c.id.desc()).limit(1)).first()
        return _run(row) if row else None


def _run(row: Row[tuple[object, ...]]) -> MaintenanceRun:
    return MaintenanceRun(MaintenanceTask(row.kind), row.started_at, row.finished_at, row.ok, row.facts)
