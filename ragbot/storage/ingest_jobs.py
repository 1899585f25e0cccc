"""Store ingestion jobs; one runs at a time over all hosts, and a heartbeat proves that it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ragbot.core.errors import IngestInProgress, JobNotFound
from ragbot.storage.database import Database
from ragbot.storage.models import IngestJobRow

jobs = IngestJobRow.__table__

JobStatus = Literal["queued", "running", "succeeded", "failed"]
STATUSES: tuple[JobStatus, ...] = ("queued", "running", "succeeded", "failed")

# A job sends a heartbeat every few seconds. Clocks of hosts differ a little, and a database that is
# unavailable for a moment, or a machine under load, must not make a living job look dead.
DEAD_AFTER_S = 30.0

DIED = "job_died"
DIED_MESSAGE = (
    "The process of the job has died; readers go on with the published edition. Send the book again."
)

# The slot's only value: the column is unique, so two rows cannot both have it.
_TAKEN = 1


@dataclass(frozen=True, slots=True)
class JobFacts:
    """Describe a job now. `done` of `total` counts within the stage; both are 0 if a stage counts nothing."""

    job_id: str
    status: JobStatus
    stage: str
    done: int
    total: int
    report: Mapping[str, Any] | None
    error_code: str | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobNumbers:
    """Hold the number of jobs by status, and the seconds that the last one took that has ended."""

    by_status: Mapping[JobStatus, int]
    last_took_s: float | None


def _now() -> datetime:
    return datetime.now(UTC)


class IngestJobStore:
    """Store jobs by their id, each change in a transaction of its own.

    Every method may raise DatabaseUnavailable.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._clock = clock

    def claim(self, job_id: str) -> JobFacts:
        """Create a job under this id; of concurrent callers one succeeds. A job whose process died is ended.

        Raises IngestInProgress if another job is under way.
        """
        now = self._clock()
        try:
            with self._database.writing() as connection:
                connection.execute(
                    update(jobs)
                    .where(jobs.c.slot == _TAKEN, _is_dead(now))
                    .values(**_ended("failed", jobs.c.heartbeat_at), error_code=DIED, error=DIED_MESSAGE)
                )
                connection.execute(
                    insert(jobs).values(
                        job_id=job_id,
                        slot=_TAKEN,
                        status="queued",
                        stage="queued",
                        done=0,
                        total=0,
                        created_at=now,
                        heartbeat_at=now,
                    )
                )
        except IntegrityError as error:
            raise IngestInProgress from error
        return self.job(job_id)

    def under_way(self) -> JobFacts | None:
        """Return the job that is queued or running, or None."""
        with self._database.reading() as connection:
            row = connection.execute(select(jobs).where(jobs.c.slot == _TAKEN)).first()
        facts = _facts(row, self._clock()) if row else None
        return facts if facts and facts.finished_at is None else None

    def begin(self, job_id: str, *, host: str, pid: int) -> bool:
        """Store the process that runs the job. Returns False if the job has ended."""
        now = self._clock()
        return self._change(
            job_id, status="running", host=host, pid=pid, started_at=now, heartbeat_at=now, stage="unpack"
        )

    def beat(self, job_id: str, *, stage: str, done: int, total: int) -> bool:
        """Store a heartbeat with the progress. Returns False if the job was ended meanwhile."""
        return self._change(job_id, heartbeat_at=self._clock(), stage=stage, done=done, total=total)

    def succeed(self, job_id: str, report: Mapping[str, Any]) -> bool:
        """End a job that published its edition. Returns False if the job was ended before."""
        whole = report["chunks"]
        return self._change(
            job_id,
            **_ended("succeeded", self._clock()),
            stage="published",
            done=whole,
            total=whole,
            report=report,
        )

    def fail(self, job_id: str, code: str, sentence: str) -> bool:
        """End a job with an error. Returns False, and changes nothing, if the job has ended before."""
        return self._change(job_id, **_ended("failed", self._clock()), error_code=code, error=sentence)

    def job(self, job_id: str) -> JobFacts:
        """Return a job; one without a recent heartbeat is returned as failed. Raises JobNotFound."""
        with self._database.reading() as connection:
            row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).first()
        if row is None:
            raise JobNotFound
        return _facts(row, self._clock())

    def numbers(self) -> JobNumbers:
        """Return the numbers for the metrics."""
        now = self._clock()
        with self._database.reading() as connection:
            counted = connection.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status)).all()
            active = connection.execute(select(jobs).where(jobs.c.slot == _TAKEN)).first()
            last = connection.execute(
                select(jobs.c.started_at, jobs.c.finished_at)
                .where(jobs.c.finished_at.is_not(None), jobs.c.started_at.is_not(None))
                .order_by(jobs.c.finished_at.desc())
                .limit(1)
            ).first()
        by_status: dict[JobStatus, int] = dict.fromkeys(STATUSES, 0)
        by_status.update({row[0]: row[1] for row in counted})
        if active is not None and (seen := _facts(active, now).status) != active.status:
            by_status[active.status] -= 1
            by_status[seen] += 1
        return JobNumbers(by_status, (last.finished_at - last.started_at).total_seconds() if last else None)

    def _change(self, job_id: str, **values: Any) -> bool:
        with self._database.writing() as connection:
            return bool(
                connection.execute(
                    update(jobs).where(jobs.c.job_id == job_id, jobs.c.slot == _TAKEN).values(**values)
                ).rowcount
            )


def _is_dead(now: datetime) -> ColumnElement[bool]:
    """Select jobs whose heartbeat is too old, or ahead, since the clock has been put back."""
    limit = timedelta(seconds=DEAD_AFTER_S)
    return or_(jobs.c.heartbeat_at < now - limit, jobs.c.heartbeat_at > now + limit)


def _ended(status: JobStatus, at: Any) -> dict[str, Any]:
    return {"status": status, "slot": None, "finished_at": at}


def _facts(row: Row[Any], now: datetime) -> JobFacts:
    facts = JobFacts(
        job_id=row.job_id,
        status=row.status,
        stage=row.stage,
        done=row.done,
        total=row.total,
        report=row.report,
        error_code=row.error_code,
        error=row.error,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
    if row.slot is None or abs(now - row.heartbeat_at) <= timedelta(seconds=DEAD_AFTER_S):
        return facts
    # The row is changed by the next job: reading changes nothing.
    return replace(facts, status="failed", error_code=DIED, error=DIED_MESSAGE, finished_at=row.heartbeat_at)
