"""An archive that was sent to a job in a process of its own, which outlives whoever started it."""

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
from ragbot.core.errors import DatabaseUnavailable, IngestInProgress, JobNotStarted
from ragbot.ingestion.upload_folder import UploadFolder, new_upload_folder, sweep
from ragbot.storage.ingest_jobs import DIED, DIED_MESSAGE, IngestJobStore, JobFacts

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "ragbot.ingest_worker")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What the sender said about the book; empty is what the book says itself."""

    edition: str | None = None
    site_url: str = ""
    title: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class JobRequest:
    """All that the process needs. It goes through a pipe: an environment is shown to other programs."""

    job_id: str
    folder: str
    lock: int
    order: IngestOptions
    settings: dict[str, Any]

    def as_json(self) -> str:
        """For the pipe."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JobRequest:
        """Out of the pipe."""
        read = json.loads(text)
        return cls(**{**read, "order": IngestOptions(**read["order"])})


class IngestJobRunner:
    """Starts jobs, and knows how they stand. `command` is the process that does one."""

    def __init__(
        self, settings: Settings, records: IngestJobStore, *, command: tuple[str, ...] = COMMAND
    ) -> None:
        self._settings = settings
        self._command = command
        self.records = records

    def refuse_if_busy(self) -> None:
        """Raise IngestInProgress while a job is under way: before the caller sends megabytes in vain."""
        if (running := self.records.under_way()) is not None:
            raise IngestInProgress(
                f"A book is being taken in already, at the stage {running.stage}; send this one again when "
                "it has ended."
            )

    def new_upload_folder(self) -> UploadFolder:
        """A private folder for an archive. Raises JobNotStarted where there is no place for one."""
        try:
            return new_upload_folder(self._settings.ingest_dir)
        except OSError as error:
            raise JobNotStarted("There is no place to put a book now; try again later.") from error

    def start(self, upload: UploadFolder, order: IngestOptions) -> JobFacts:
        """Begin a job for a upload, which belongs to its process from now on.

        Raises IngestInProgress, JobNotStarted or DatabaseUnavailable; the upload stays the caller's then.
        """
        job = self.records.claim(secrets.token_urlsafe(24))
        handover = JobRequest(
            job.job_id, str(upload.folder), upload.lock.fileno(), order, settings_as_json(self._settings)
        )
        try:
            process = subprocess.Popen(  # noqa: S603 - a module of ours, with no argument from outside
                self._command,
                cwd=PROJECT_ROOT,
                stdin=subprocess.PIPE,
                # A session of its own: what ends this server's group leaves the job alone.
                start_new_session=True,
                # The upload's lock and nothing else: no socket and no database of this process.
                pass_fds=(upload.lock.fileno(),),
            )
        except OSError as error:
            self.records.fail(job.job_id, JobNotStarted.code, "The job's process could not be started.")
            raise JobNotStarted("The job's process cannot be started now; try again later.") from error
        threading.Thread(
            target=self._see_to_its_end, args=(process, handover), daemon=True, name="ingest-job"
        ).start()
        upload.release()
        return job

    def sweep(self) -> None:
        """Delete what jobs left behind that were killed."""
        sweep(self._settings.ingest_dir)

    def _see_to_its_end(self, process: subprocess.Popen[bytes], handover: JobRequest) -> None:
        """Hand the job over and wait for its process; should it die, say so at once.

        If this worker ends before, nobody waits: then the job's silence tells.
        """
        assert process.stdin is not None
        # It may have died before it read a word, which is found out below.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(handover.as_json().encode())
        code = process.wait()
        sweep(self._settings.ingest_dir)
        with suppress(DatabaseUnavailable):
            if self.records.fail(handover.job_id, DIED, DIED_MESSAGE):
                log.error("ingest_job_died", returncode=code)
