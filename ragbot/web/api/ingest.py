"""Start and report ingestion jobs (`/admin/ingest`) for books that are uploaded as archives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from flask import Response, request, url_for
from flask_openapi import APIBlueprint, Tag
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ragbot.core.domain import DEFAULT_BOOK
from ragbot.core.timestamps import timestamp
from ragbot.ingestion.jobs import IngestOptions
from ragbot.services import current_services
from ragbot.storage.ingest_jobs import JobFacts
from ragbot.web.schemas import Id, Nothing, Slug, Storable, json_reply
from ragbot.web.uploads import check_headers, save_archive

ingest = APIBlueprint(
    "ingest",
    __name__,
    url_prefix="/admin/ingest",
    abp_tags=[Tag(name="Admin", description="For the operator, with `X-API-Key`.")],
    abp_security=[{"adminKey": []}],
)


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must have printable characters alone")
    return name


def _site_address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError("must be an address") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must begin with https:// or http:// and a host")
    return url


Glob = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]


class IngestQuery(BaseModel):
    """Describe the book besides its files."""

    model_config = ConfigDict(extra="forbid")

    book: Slug = Field(DEFAULT_BOOK, description="The book's slug, for a service that has several.")
    edition: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
            AfterValidator(_printable),
        ]
        | None
    ) = Field(None, description="The edition's name; else it is derived from the content.", examples=["v2"])
    site_url: (
        Annotated[str, StringConstraints(max_length=2000), AfterValidator(_site_address), Storable] | None
    ) = Field(
        None,
        description="The address of the book's site; citations link below it.",
        examples=["https://book.example/"],
    )
    title: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Storable]
        | None
    ) = Field(None, description="The book's title, if the book does not name it.")
    strict: bool = Field(False, description="Fail, and publish nothing, if a file is skipped.")

    built: bool = Field(
        False, description="Read the output that the site's generator has left in the archive."
    )
    force: bool = Field(
        False,
        description="Publish all the same what would be refused: sources of a generator that are not "
        "understood, a folder whose prose is mostly in formats that are not read, or less than half of the "
        "published edition's text.",
    )
    include: list[Glob] = Field([], max_length=50, description="Read only files that match one of the globs.")
    exclude: list[Glob] = Field([], max_length=50, description="Leave out files that match one of the globs.")

    def options(self) -> IngestOptions:
        """Return them as the job takes them."""
        return IngestOptions(
            self.book,
            self.edition,
            self.site_url or "",
            self.title or "",
            strict=self.strict,
            built=self.built,
            force=self.force,
            include=tuple(self.include),
            exclude=tuple(self.exclude),
        )


class JobPath(BaseModel):
    """Name a job in a path."""

    job_id: Id


class SkippedReply(BaseModel):
    """Name a skipped file and the reason."""

    path: str
    reason: str


class LeftOutReply(BaseModel):
    """Count files of one suffix that are no part of the book."""

    reason: str
    suffix: str
    files: int


class BookSummaryReply(BaseModel):
    """Describe what was read, so that a wrong folder shows at once."""

    layout: str = Field(examples=["a project of mdBook (book.toml)"])
    link_rule: str = Field(description="How the links to pages are made.", examples=["as mdBook makes them"])
    language: str = Field(examples=["english"])
    characters: int = Field(description="The text without white space.")
    links: list[str] = Field(description="Those of the first and of a middle section.")
    left_out: list[LeftOutReply]
    warnings: list[str]


class ReportReply(BaseModel):
    """Report on an ingested book. `new`, `unchanged` and `removed` compare chunks with the last edition."""

    edition: str
    title: str
    pages: int
    sections: int
    chunks: int
    new: int
    unchanged: int
    removed: int
    embedded: int
    skipped: list[SkippedReply] = Field(description="The first 200.")
    skipped_count: int
    shortened: list[str] = Field(
        description="Chunks too long for the embedder, whose beginnings were embedded; the first 200."
    )
    published: bool
    seconds: float
    book: BookSummaryReply | None = Field(None, description="Missing in reports of earlier versions.")


class JobErrorReply(BaseModel):
    """Report why a job failed. Readers still get the published edition."""

    code: str = Field(examples=["unreadable_book", "unreadable_archive", "job_died"])
    detail: str


class JobReply(BaseModel):
    """Report the state of a job; `done` of `total` counts within the stage."""

    job_id: str
    status: Literal["queued", "running", "succeeded", "failed"]
    stage: str = Field(description="queued, unpack, read, weigh, embed, index or published.")
    done: int
    total: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    report: ReportReply | None
    error: JobErrorReply | None


@ingest.post(
    "",
    responses={"202": JobReply},
    summary="Upload a book and publish it",
)
def send(query: IngestQuery) -> Response:
    """Start a job that unpacks the archive, ingests the book and publishes it, in a process of its own.

    One job runs at a time. Until its last step readers get the edition before.
    """
    jobs = current_services().ingest_jobs
    max_bytes = round(current_services().settings.max_book_mb * 1_000_000)
    check_headers(request, max_bytes)
    jobs.refuse_if_busy()
    upload = jobs.new_upload_folder()
    try:
        save_archive(request, upload.archive, max_bytes)
        job = jobs.start(upload, query.options())
    except BaseException:
        # Also when the sender leaves: no file stays behind.
        upload.delete()
        raise
    reply = json_reply(_job_reply(job), 202)
    reply.headers["Location"] = url_for("ingest.show", job_id=job.job_id)
    return reply


@ingest.get(
    "/<job_id>",
    responses={"200": JobReply},
    summary="Read the state of a job",
)
def show(path: JobPath, query: Nothing) -> Response:  # noqa: ARG001
    """Return status, stage and counts, the report of a job that succeeded or the error of one that failed."""
    return json_reply(_job_reply(current_services().ingest_jobs.records.job(path.job_id)))


def _job_reply(job: JobFacts) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "status": job.status,
        "stage": job.stage,
        "done": job.done,
        "total": job.total,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at) if job.started_at else None,
        "finished_at": timestamp(job.finished_at) if job.finished_at else None,
        "report": job.report,
        "error": {"code": job.error_code, "detail": job.error} if job.error_code else None,
    }
