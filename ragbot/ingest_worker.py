"""`python -m ragbot.ingest_worker`: the process that does one job, told on standard input which."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from ragbot.app import create_app
from ragbot.books.archive_extraction import ExtractionLimits, extract_book_archive
from ragbot.core.errors import DatabaseUnavailable, RagbotError
from ragbot.ingestion.jobs import JobRequest
from ragbot.ingestion.pipeline import IngestReport
from ragbot.ingestion.resource_limits import OUT_OF_MEMORY, OUT_OF_TIME, STOPPED, JobEnded, ResourceLimits
from ragbot.ingestion.upload_folder import UploadFolder, inherited_upload_folder
from ragbot.observability.multiprocess import stay_out
from ragbot.services import EXTENSION, Services
from ragbot.storage.ingest_jobs import IngestJobStore

log = structlog.get_logger("ragbot.ingest_worker")

# Text, its markup and some pictures: a book that was packed well.
UNPACKED_TIMES = 5

# Answers come first: readers wait for them.
NICENESS = 5
# And where memory is short the kernel is to take the job and not a worker.
OOM_SCORE = "500"

TELL_EVERY_S = 1.0
BEAT_EVERY_S = 3.0

# The database may be away just when the job ends.
TELL_END_FOR_S = 20.0

# A report is for reading: a folder of pictures with the wrong suffix would fill it.
MOST_SKIPPED = 200

# Enough to find the job by, as in the lines of requests.
SHOWN_OF_ID = 8

GO_ON = "readers go on with the published edition."
_SAID = {
    STOPPED: f"The job was told to end before it was done; {GO_ON}",
    OUT_OF_MEMORY: f"The book takes more memory than INGEST_MEMORY_MB allows; {GO_ON}",
    OUT_OF_TIME: f"The book takes longer than INGEST_TIME_LIMIT_S allows; {GO_ON}",
    "disk_full": f"There is no room on the disk to unpack the book; {GO_ON}",
    RagbotError.code: "Something went wrong here; it has been written down.",
}


class Progress:
    """How far a job is, told to the database at most once a second, and its signs of life."""

    def __init__(self, records: IngestJobStore, job_id: str, when_lost: Callable[[], None]) -> None:
        self._records = records
        self._job_id = job_id
        self._when_lost = when_lost
        self._now: tuple[str, int, int] = ("unpack", 0, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True, name="progress")
        self._thread.start()

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._now = (stage, done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Bytes unpacked, of how many."""
        self("unpack", done, total)

    def end(self) -> None:
        """Say nothing more: after its end a job gives no sign of life."""
        self._ended.set()

    def _tell(self) -> None:
        told: tuple[str, int, int] | None = None
        told_at = float("-inf")
        while not self._ended.wait(TELL_EVERY_S):
            now = self._now
            if now == told and time.monotonic() - told_at < BEAT_EVERY_S:
                continue
            stage, done, total = now
            # A database that is away for a moment hears the next one.
            with suppress(DatabaseUnavailable):
                if not self._records.beat(self._job_id, stage=stage, done=done, total=total):
                    if not self._ended.is_set():
                        self._when_lost()
                    return
                told, told_at = now, time.monotonic()


class Job:
    """One job from the archive to its end on record."""

    def __init__(self, handover: JobRequest, services: Services) -> None:
        self._handover = handover
        self._services = services
        self._records = services.ingest_jobs.records
        self._parcel = inherited_upload_folder(Path(handover.folder), handover.lock)

    def run(self) -> int:
        """Do it and write down how it ended. Returns the exit code."""
        settings = self._services.settings
        limits = ResourceLimits(
            memory_bytes=settings.ingest_memory_mb * 1_000_000,
            time_s=settings.ingest_time_limit_s,
            for_certain=self._end_for_certain,
        )
        progress = Progress(self._records, self._handover.job_id, lambda: limits.end(STOPPED))
        try:
            report = self._taken_in(progress)
        except BaseException as error:
            # The rim of this process: whatever it is, the job says so.
            limits.finished()
            progress.end()
            code, sentence = _reason(error, self._parcel)
            if code == RagbotError.code:
                log.error("ingest_job_broke", exc_info=error)
            log.warning("ingest_job_failed", code=code)
            self._tell_end(lambda: self._records.fail(self._handover.job_id, code, sentence))
            return 1
        else:
            limits.finished()
            progress.end()
            log.info("ingest_job_succeeded", chunks=report.chunks, seconds=round(report.seconds, 1))
            self._tell_end(lambda: self._records.succeed(self._handover.job_id, as_told(report)))
            return 0
        finally:
            self._parcel.delete()

    def _taken_in(self, progress: Progress) -> IngestReport:
        order = self._handover.order
        if not self._records.begin(self._handover.job_id, host=socket.gethostname(), pid=os.getpid()):
            # It was given up before this process had its first moment.
            raise JobEnded(STOPPED)
        most = ExtractionLimits(round(self._services.settings.max_book_mb * 1_000_000 * UNPACKED_TIMES))
        self._parcel.unpacked.mkdir()
        book = extract_book_archive(self._parcel.archive, self._parcel.unpacked, most, progress.unpacking)
        self._parcel.archive.unlink()
        return self._services.ingestion.ingest_book(
            book,
            edition=order.edition,
            site_url=order.site_url,
            title=order.title,
            strict=order.strict,
            progress=progress,
        )

    def _tell_end(self, tell: Callable[[], bool]) -> None:
        until = time.monotonic() + TELL_END_FOR_S
        while True:
            try:
                tell()
                return
            except DatabaseUnavailable:
                if time.monotonic() > until:
                    # Its silence will tell that it has ended, though not how.
                    log.error("ingest_job_end_not_told")
                    return
                time.sleep(TELL_EVERY_S)

    def _end_for_certain(self, reason: str) -> None:
        with suppress(DatabaseUnavailable):
            self._records.fail(self._handover.job_id, reason, _SAID[reason])
        self._parcel.delete()
        os._exit(1)


def as_told(report: IngestReport) -> dict[str, Any]:
    """A report as it is kept; of very many skipped files the first ones, and how many there were."""
    told = asdict(report)
    told["skipped"] = told["skipped"][:MOST_SKIPPED]
    return {**told, "skipped_count": len(report.skipped), "seconds": round(report.seconds, 1)}


def _reason(error: BaseException, upload: UploadFolder) -> tuple[str, str]:
    """Code and sentence of whatever ended a job."""
    match error:
        case JobEnded(reason=code):
            pass
        case RagbotError():
            return error.code, _without_places(str(error), upload)
        case MemoryError():
            code = OUT_OF_MEMORY
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            code = "disk_full"
        case _:
            code = RagbotError.code
    return code, _SAID[code]


def _without_places(sentence: str, upload: UploadFolder) -> str:
    # Whoever sent the book knows nothing of the folder that it was unpacked into.
    return sentence.replace(f"{upload.unpacked}/", "").replace(str(upload.unpacked), "the archive")


def main() -> int:
    """Read the handover and do the job."""
    handover = JobRequest.from_json(sys.stdin.read())
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    # Before anything counts.
    stay_out()
    structlog.contextvars.bind_contextvars(job=handover.job_id[:SHOWN_OF_ID])
    services: Services = create_app(handover.settings).extensions[EXTENSION]
    return Job(handover, services).run()


if __name__ == "__main__":
    sys.exit(main())
