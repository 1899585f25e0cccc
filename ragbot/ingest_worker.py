"""Run one ingestion job, which is read from standard input (`python -m ragbot.ingest_worker`)."""

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
from ragbot.books.files import Choice
from ragbot.books.read_options import ReadOptions
from ragbot.core.errors import DatabaseUnavailable, RagbotError
from ragbot.ingestion.jobs import JobRequest
from ragbot.ingestion.pipeline import IngestReport
from ragbot.ingestion.resource_limits import OUT_OF_MEMORY, OUT_OF_TIME, STOPPED, JobEnded, ResourceLimits
from ragbot.ingestion.upload_folder import UploadFolder, inherited_upload_folder
from ragbot.observability.multiprocess import leave_multiprocess_mode
from ragbot.services import EXTENSION, Services
from ragbot.storage.ingest_jobs import IngestJobStore

log = structlog.get_logger("ragbot.ingest_worker")

# Text, its markup and some pictures, well compressed.
MAX_UNPACK_RATIO = 5

# Answers have priority: readers wait for them.
NICENESS = 5
# Where memory is short the kernel should kill the job and not a worker.
OOM_SCORE = "500"

REPORT_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 3.0

# The database may be unavailable just when the job ends.
REPORT_END_FOR_S = 20.0

# A report is for people: a folder of pictures with the wrong suffix would fill it.
MAX_SKIPPED = 200

# Enough to find the job, as in the lines of requests.
ID_PREFIX_LENGTH = 8

STILL_PUBLISHED = "readers still get the published edition."
_MESSAGES = {
    STOPPED: f"The job was stopped before it was done; {STILL_PUBLISHED}",
    OUT_OF_MEMORY: f"The book takes more memory than INGEST_MEMORY_MB allows; {STILL_PUBLISHED}",
    OUT_OF_TIME: f"The book takes longer than INGEST_TIME_LIMIT_S allows; {STILL_PUBLISHED}",
    "disk_full": f"The disk is too full to unpack the book; {STILL_PUBLISHED}",
    RagbotError.code: "An unexpected error ended the job; the log has its cause.",
}


class Progress:
    """Write the progress of a job to the database, at most once a second, and its heartbeats."""

    def __init__(self, records: IngestJobStore, job_id: str, when_lost: Callable[[], None]) -> None:
        self._records = records
        self._job_id = job_id
        self._when_lost = when_lost
        self._now: tuple[str, int, int] = ("unpack", 0, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True, name="progress")
        self._thread.start()

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._now = (stage, done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Note how many bytes are unpacked."""
        self("unpack", done, total)

    def end(self) -> None:
        """Stop: a job that has ended sends no heartbeat."""
        self._ended.set()

    def _report(self) -> None:
        reported: tuple[str, int, int] | None = None
        reported_at = float("-inf")
        while not self._ended.wait(REPORT_EVERY_S):
            now = self._now
            if now == reported and time.monotonic() - reported_at < HEARTBEAT_EVERY_S:
                continue
            stage, done, total = now
            # If the database is unavailable for a moment, the next report reaches it.
            with suppress(DatabaseUnavailable):
                if not self._records.beat(self._job_id, stage=stage, done=done, total=total):
                    if not self._ended.is_set():
                        self._when_lost()
                    return
                reported, reported_at = now, time.monotonic()


class Job:
    """Run one job, from the archive to its recorded end."""

    def __init__(self, request: JobRequest, services: Services) -> None:
        self._request = request
        self._services = services
        self._records = services.ingest_jobs.records
        self._upload = inherited_upload_folder(Path(request.folder), request.lock)

    def run(self) -> int:
        """Run the job and record how it ended. Returns the exit code."""
        settings = self._services.settings
        limits = ResourceLimits(
            memory_bytes=settings.ingest_memory_mb * 1_000_000,
            time_s=settings.ingest_time_limit_s,
            force_end=self._force_end,
        )
        progress = Progress(self._records, self._request.job_id, lambda: limits.end(STOPPED))
        try:
            report = self._ingest(progress)
        except BaseException as error:
            # The outermost frame of this process: whatever it is, the job reports it.
            limits.finished()
            progress.end()
            code, sentence = _reason(error, self._upload)
            if code == RagbotError.code:
                log.error("ingest_job_error", exc_info=error)
            log.warning("ingest_job_failed", code=code)
            self._record_end(lambda: self._records.fail(self._request.job_id, code, sentence))
            return 1
        else:
            limits.finished()
            progress.end()
            log.info("ingest_job_succeeded", chunks=report.chunks, seconds=round(report.seconds, 1))
            self._record_end(lambda: self._records.succeed(self._request.job_id, report_as_json(report)))
            return 0
        finally:
            self._upload.delete()

    def _ingest(self, progress: Progress) -> IngestReport:
        options = self._request.options
        if not self._records.begin(self._request.job_id, host=socket.gethostname(), pid=os.getpid()):
            # The job was given up before this process started.
            raise JobEnded(STOPPED)
        limits = ExtractionLimits(round(self._services.settings.max_book_mb * 1_000_000 * MAX_UNPACK_RATIO))
        self._upload.unpacked.mkdir()
        book = extract_book_archive(self._upload.archive, self._upload.unpacked, limits, progress.unpacking)
        self._upload.archive.unlink()
        return self._services.ingestion.ingest_book(
            book,
            slug=options.book,
            edition=options.edition,
            site_url=options.site_url,
            title=options.title,
            strict=options.strict,
            options=ReadOptions(
                options.built, options.force, Choice(tuple(options.include), tuple(options.exclude))
            ),
            progress=progress,
        )

    def _record_end(self, record: Callable[[], bool]) -> None:
        # The charges of the last seconds, which are most of a book's.
        self._services.budget.write_waiting()
        until = time.monotonic() + REPORT_END_FOR_S
        while True:
            try:
                record()
                return
            except DatabaseUnavailable:
                if time.monotonic() > until:
                    # Its missing heartbeat will show that it has ended, though not how.
                    log.error("ingest_job_result_not_saved")
                    return
                time.sleep(REPORT_EVERY_S)

    def _force_end(self, reason: str) -> None:
        with suppress(DatabaseUnavailable):
            self._records.fail(self._request.job_id, reason, _MESSAGES[reason])
        self._services.budget.write_waiting()
        self._upload.delete()
        os._exit(1)


def report_as_json(report: IngestReport) -> dict[str, Any]:
    """Return a report as it is stored; of very many skipped files the first ones, and their number."""
    fields = asdict(report)
    fields["skipped"] = fields["skipped"][:MAX_SKIPPED]
    fields["shortened"] = fields["shortened"][:MAX_SKIPPED]
    return {**fields, "skipped_count": len(report.skipped), "seconds": round(report.seconds, 1)}


def _reason(error: BaseException, upload: UploadFolder) -> tuple[str, str]:
    """Return the code and the sentence of what ended a job."""
    match error:
        case JobEnded(reason=code):
            pass
        case RagbotError():
            return error.code, _without_paths(str(error), upload)
        case MemoryError():
            code = OUT_OF_MEMORY
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            code = "disk_full"
        case _:
            code = RagbotError.code
    return code, _MESSAGES[code]


def _without_paths(sentence: str, upload: UploadFolder) -> str:
    # The uploader does not know the folder that the book was unpacked into.
    return sentence.replace(f"{upload.unpacked}/", "").replace(str(upload.unpacked), "the archive")


def main() -> int:
    """Read the request and run the job."""
    request = JobRequest.from_json(sys.stdin.read())
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    # Before anything is counted.
    leave_multiprocess_mode()
    structlog.contextvars.bind_contextvars(job=request.job_id[:ID_PREFIX_LENGTH])
    services: Services = create_app(request.settings).extensions[EXTENSION]
    return Job(request, services).run()


if __name__ == "__main__":
    sys.exit(main())
