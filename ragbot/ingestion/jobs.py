"""Run each ingestion job in a process of its own, which survives the worker that started it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from ragbot.config import PROJECT_ROOT, Settings, settings_as_json
from ragbot.core.domain import DEFAULT_BOOK
from ragbot.core.errors import DatabaseUnavailable, IngestInProgress, JobNotStarted
from ragbot.ingestion.upload_folder import UploadFolder, new_upload_folder, sweep
from ragbot.storage.ingest_jobs import DIED, DIED_MESSAGE, IngestJobStore, JobFacts

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "ragbot.ingest_worker")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """Hold what the uploader specified about the book; empty values are taken from the book itself."""

    book: str = DEFAULT_BOOK
    edition: str | None = None
    site_url: str = ""
    title: str = ""
    strict: bool = False
    built: bool = False
    force: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Hold all that the process needs. It is sent through a pipe: other programs can read an environment."""

    job_id: str
    folder: str
    lock: int
    options: IngestOptions
    settings: dict[str, Any]

    def as_json(self) -> str:
        """Encode it for the pipe."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JobRequest:
        """Decode it from the pipe."""
        fields = json.loads(text)
        return cls(**{**fields, "options": IngestOptions(**fields["options"])})


class IngestJobRunner:
    """Start jobs and report their state. `command` starts the process of a job."""

    def __init__(
        self, settings: Settings, records: IngestJobStore, *, command: tuple[str, ...] = COMMAND
    ) -> None:
        self._settings = settings
        self._command = command
        self.records = records

    def refuse_if_busy(self) -> None:
        """Raise IngestInProgress while a job is running, before the caller uploads megabytes in vain."""
        if (running := self.records.under_way()) is not None:
            raise IngestInProgress(
                f"A book is being ingested already, at the stage {running.stage}; send this one again when "
                "it has ended."
            )

    def new_upload_folder(self) -> UploadFolder:
        """Create a private folder for an archive. Raises JobNotStarted where that is not possible."""
        try:
            return new_upload_folder(self._settings.ingest_dir)
        except OSError as error:
            raise JobNotStarted("The book cannot be saved now; try again later.") from error

    def start(self, upload: UploadFolder, options: IngestOptions) -> JobFacts:
        """Start a job for an upload, whose folder belongs to the job's process from now on.

        Raises IngestInProgress, JobNotStarted or DatabaseUnavailable; then the folder stays the caller's.
        """
        job = self.records.claim(secrets.token_urlsafe(24))
        job_request = JobRequest(
            job.job_id, str(upload.folder), upload.lock.fileno(), options, settings_as_json(self._settings)
        )
        try:
            process = subprocess.Popen(  # noqa: S603 - a module of ours, with no argument from outside
                self._command,
                cwd=PROJECT_ROOT,
                stdin=subprocess.PIPE,
                # A session of its own: a signal to this server's process group does not reach the job.
                start_new_session=True,
                # The upload's lock and nothing else: no socket and no database connection of this process.
                pass_fds=(upload.lock.fileno(),),
            )
        except OSError as error:
            self.records.fail(job.job_id, JobNotStarted.code, "The job's process could not be started.")
            raise JobNotStarted from error
        threading.Thread(
            target=self._wait_for_end, args=(process, job_request), daemon=True, name="ingest-job"
        ).start()
        upload.release()
        return job

    def sweep(self) -> None:
        """Delete the folders of jobs that were killed."""
        sweep(self._settings.ingest_dir)

    def _wait_for_end(self, process: subprocess.Popen[bytes], job_request: JobRequest) -> None:
        """Send the job to its process and wait; if the process dies, record that at once.

        If this worker ends before, the missing heartbeat of the job shows that it has died.
        """
        assert process.stdin is not None
        # The process may have died before it read anything, which is detected below.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(job_request.as_json().encode())
        code = process.wait()
        sweep(self._settings.ingest_dir)
        with suppress(DatabaseUnavailable):
            if self.records.fail(job_request.job_id, DIED, DIED_MESSAGE):
                log.error("ingest_job_crashed", returncode=code)
