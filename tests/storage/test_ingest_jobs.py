"""Test stored jobs: one at a time on both databases, and a dead one blocks nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from ragbot.core.errors import IngestInProgress, JobNotFound
from ragbot.storage.database import Database
from ragbot.storage.ingest_jobs import DEAD_AFTER_S, IngestJobStore

AT_ONCE = 8
REPORT = {"edition": "first", "chunks": 3, "skipped": []}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> IngestJobStore:
    return IngestJobStore(database, clock=clock)


def test_job_goes_from_queued_to_succeeded(jobs: IngestJobStore, clock: Clock) -> None:
    """What whoever waits for it is told at each step."""
    queued = jobs.claim("one")
    clock.move(2)
    jobs.begin("one", host="alice", pid=7)
    jobs.beat("one", stage="embed", done=2, total=3)
    running = jobs.job("one")
    clock.move(5)
    jobs.succeed("one", REPORT)
    succeeded = jobs.job("one")

    assert (queued.status, queued.stage, queued.started_at) == ("queued", "queued", None)
    assert (running.status, running.stage, running.done, running.total) == ("running", "embed", 2, 3)
    assert (succeeded.status, succeeded.stage, succeeded.report) == ("succeeded", "published", REPORT)
    assert succeeded.started_at == queued.created_at + timedelta(seconds=2)
    assert succeeded.finished_at == clock.now
    assert succeeded.error is None


def test_of_many_claims_at_once_one_is_granted(jobs: IngestJobStore) -> None:
    """Workers and replicas share nothing but the database."""
    together = Barrier(AT_ONCE)

    def claim(number: int) -> bool:
        together.wait()
        try:
            jobs.claim(f"job-{number}")
        except IngestInProgress:
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        granted = list(pool.map(claim, range(AT_ONCE)))

    assert sum(granted) == 1
    assert jobs.numbers().by_status["queued"] == 1


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_job_that_has_ended_makes_room(jobs: IngestJobStore, end: str) -> None:
    """The next build publishes, too."""
    jobs.claim("one")
    if end == "succeed":
        jobs.succeed("one", REPORT)
    else:
        jobs.fail("one", "unreadable_book", "There is nothing to read.")

    assert jobs.under_way() is None
    assert jobs.claim("two").status == "queued"


@pytest.mark.parametrize("jump_s", [DEAD_AFTER_S + 1, -DEAD_AFTER_S - 1])
def test_silent_job_is_told_as_died_and_makes_room(jobs: IngestJobStore, clock: Clock, jump_s: float) -> None:
    """Its process was killed, or the clock was put back since: neither may block for ever."""
    jobs.claim("one")
    jobs.begin("one", host="alice", pid=7)
    last_sign = clock.now
    clock.move(jump_s)

    told = jobs.job("one")
    blocking = jobs.under_way()
    jobs.claim("two")
    written_down = jobs.job("one")

    assert (told.status, told.error_code, told.finished_at) == ("failed", "job_died", last_sign)
    assert blocking is None
    assert written_down == told
    assert jobs.job("two").status == "queued"


def test_job_that_gives_signs_of_life_is_left_alone(jobs: IngestJobStore, clock: Clock) -> None:
    """However long the book is."""
    jobs.claim("one")
    for _ in range(5):
        clock.move(DEAD_AFTER_S - 1)
        jobs.beat("one", stage="embed", done=0, total=0)

    with pytest.raises(IngestInProgress):
        jobs.claim("two")
    assert jobs.job("one").status == "queued"


def test_job_that_was_given_up_is_told_so(jobs: IngestJobStore, clock: Clock) -> None:
    """A machine that slept wakes up beside its successor, and must not say that it lives."""
    jobs.claim("one")
    clock.move(DEAD_AFTER_S + 1)
    jobs.claim("two")

    heard = [
        jobs.begin("one", host="alice", pid=7),
        jobs.beat("one", stage="embed", done=0, total=0),
        jobs.succeed("one", REPORT),
        jobs.fail("one", "job_stopped", "Too late."),
    ]

    assert heard == [False] * 4
    assert jobs.job("one").error_code == "job_died"
    assert jobs.beat("two", stage="unpack", done=0, total=0)


def test_first_end_of_a_job_stays(jobs: IngestJobStore) -> None:
    """The worker that waits for the process says that it died, which may have said why."""
    jobs.claim("one")
    jobs.fail("one", "memory_limit_exceeded", "Too much.")

    assert not jobs.fail("one", "job_died", "It died.")
    assert jobs.job("one").error_code == "memory_limit_exceeded"


def test_unknown_job_is_not_found(jobs: IngestJobStore) -> None:
    """Nothing is made up."""
    with pytest.raises(JobNotFound):
        jobs.job("unknown")


def test_numbers_count_each_status_and_the_dead_as_failed(jobs: IngestJobStore, clock: Clock) -> None:
    """An alert must ring before anybody asks for the job."""
    jobs.claim("one")
    jobs.begin("one", host="alice", pid=7)
    clock.move(12)
    jobs.succeed("one", REPORT)
    jobs.claim("two")
    living = jobs.numbers()
    clock.move(DEAD_AFTER_S + 1)

    dead = jobs.numbers()

    assert living.by_status == {"queued": 1, "running": 0, "succeeded": 1, "failed": 0}
    assert dead.by_status == {"queued": 0, "running": 0, "succeeded": 1, "failed": 1}
    assert dead.last_took_s == 12
