"""Define `flask doctor`: look at each part of the installation, and say what to do about what is wrong."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy.engine import make_url

from ragbot.config import Settings, settings_notes
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import RagbotError, StoreUnavailable
from ragbot.core.findings import Finding
from ragbot.core.languages import language_of
from ragbot.health.checks import CACHED_ANSWERS, DATABASE_STORE, EMBEDDED_INDEX, INDEX_IN_THE_MAKING
from ragbot.health.readiness import CANNOT_WRITE, CLOCK_JUMPED, INGEST_AGAIN, MIGRATE, ReadinessReport
from ragbot.health.runner import CACHE_S, NO_ANSWER, CheckResult
from ragbot.services import Services, current_services

LEAST_FREE_MB = 500
# Chunks that are looked at for the vectors of their sentences: an ingestion stores those of all.
SAMPLED_CHUNKS = 20
# Chunks from the book's beginning in which its language shows.
READ_CHUNKS = 200
SEARCH_S = 30.0
# How often a part that is slow to answer is looked at, about once a second.
MOST_LOOKS = 10

# What an operator does about the state of a part, by its detail.
_ADVICE = {
    MIGRATE: "its tables are not those of this version: run flask db upgrade",
    CANNOT_WRITE: "it cannot be written: look at the disk's free space and the file's rights",
    CLOCK_JUMPED: "the machine's clock has jumped: set up time synchronisation",
    INGEST_AGAIN: "the book was embedded by another model: run flask book ingest again",
    StoreUnavailable.code: "its store does not answer: see the line of the database",
    DATABASE_STORE.detail: "Redis does not answer: look at REDIS_URL; the database is used meanwhile",
    INDEX_IN_THE_MAKING.detail: "the index is still being built: run this again in a minute",
    EMBEDDED_INDEX.detail: "Qdrant does not answer: look at QDRANT_URL; the embedded index is used meanwhile",
    CACHED_ANSWERS.detail: "Qdrant does not answer, and only cached answers are given: look at QDRANT_URL",
}


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """Check settings, database, Redis, Qdrant, index, book, model provider, disk and proxy.

    Prints a line for each; the exit code is 1 where something is wrong. The provider is asked for a few
    tokens.
    """
    is_well = True
    for finding in diagnose(current_services()):
        is_well = is_well and finding.is_ok
        click.echo(f"{'ok   ' if finding.is_ok else 'WRONG'}  {finding.name:<34} {finding.says}")
    if not is_well:
        raise SystemExit(1)


def diagnose(services: Services) -> Iterator[Finding]:
    """Yield a finding for each part, the cheap ones first."""
    settings = services.settings
    yield _settings(settings)
    report = _report(services)
    book = _published(services)
    yield _part("database", report.components["database"], make_url(settings.database_url).get_backend_name())
    yield _part("redis" if settings.redis_url else "cache", report.components["cache"])
    yield _part("qdrant" if settings.qdrant_url else "embedded index", report.components["vector_store"])
    yield _book(book)
    if book is not None:
        yield _search(services, book)
        yield _language(services, book)
        yield _part("vectors", report.components["embeddings"])
        if settings.chosen_embedder == "local" and settings.local_embedder == "english":
            yield _sentences(services, book)
    llm = report.components["llm"]
    if llm.status == "degraded" and llm.detail != NO_ANSWER:
        # (Whether a model answers now, and in time, the provider's own lines say.)
        yield Finding("answers of late", False, llm.detail)
    yield from services.probe_provider()
    yield from _disks(settings)
    yield _proxy(settings)


def _report(services: Services) -> ReadinessReport:
    """Return the state of the parts. Unlike a load balancer, an operator can wait for a slow one."""
    for _ in range(MOST_LOOKS):
        report = services.readiness.report()
        # (A model is asked below.)
        details = {part.detail for name, part in report.components.items() if name != "llm"}
        if not details & {NO_ANSWER, INDEX_IN_THE_MAKING.detail}:
            break
        time.sleep(CACHE_S)
    return report


def _settings(settings: Settings) -> Finding:
    told = settings_notes(settings)
    return Finding("settings", not told, " ".join(told) or f"ENVIRONMENT is {settings.environment}")


def _published(services: Services) -> EditionFacts | None:
    try:
        return services.published.look_up()
    except RagbotError:
        # The database's own line says so.
        return None


def _part(name: str, result: CheckResult, detail: str = "") -> Finding:
    if result.status == "ok":
        return Finding(name, True, result.detail or detail or "answers")
    return Finding(name, False, _ADVICE.get(result.detail, result.detail))


def _book(book: EditionFacts | None) -> Finding:
    if book is None:
        return Finding("book", False, "none is published: run flask book ingest PATH")
    return Finding("book", True, f"“{book.title}”, {book.sections} sections, {book.chunks} chunks")


def _search(services: Services, book: EditionFacts) -> Finding:
    try:
        services.retriever.retrieve(book.title, edition=book, limit=1, deadline=Deadline(SEARCH_S))
    except RagbotError as error:
        return Finding("search", False, f"{error} Run flask book reindex.")
    return Finding("search", True, "the published edition can be searched")


def _language(services: Services, book: EditionFacts) -> Finding:
    """Say which language the book is taken for; an older version may have seen another one in it."""
    first = itertools.islice(services.editions.stored_chunks(book), READ_CHUNKS)
    read = language_of(stored.chunk.text for stored in first)
    again = f", but it begins in {read}: run flask book ingest again" if read != book.language else ""
    return Finding("language", True, f"{book.language}{again}")


def _sentences(services: Services, book: EditionFacts) -> Finding:
    """Say whether the book was ingested since vectors of sentences are stored; without them it works, too."""
    first = itertools.islice(services.editions.stored_chunks(book), SAMPLED_CHUNKS)
    stored = services.editions.sentence_vectors(
        book.embedder or "", [chunk.chunk.search_text for chunk in first]
    )
    missing = "not stored yet: run flask book ingest again, for questions in other words than the book's"
    return Finding("vectors of sentences", True, "stored" if stored else missing)


def _disks(settings: Settings) -> Iterator[Finding]:
    url = make_url(settings.database_url)
    folders = {"index": settings.index_dir, "uploads": settings.ingest_dir, "sites": settings.sites_dir}
    if url.get_backend_name() == "sqlite" and url.database:
        folders["database"] = Path(url.database).parent
    if "://" not in settings.backup_url:
        folders["backups"] = Path(settings.backup_url)
    for name, folder in folders.items():
        yield _disk(f"disk: {name}", folder)


def _disk(name: str, folder: Path) -> Finding:
    there = next((parent for parent in (folder, *folder.absolute().parents) if parent.exists()), Path("/"))
    free_mb = shutil.disk_usage(there).free // 1_000_000
    if free_mb < LEAST_FREE_MB:
        return Finding(name, False, f"{free_mb} MB are free in {folder}: make room, or name another folder")
    return Finding(name, True, f"{free_mb:,} MB are free in {folder}")


def _proxy(settings: Settings) -> Finding:
    """Say whose addresses quotas count; what a proxy really sends is seen in the access log alone."""
    if settings.trusted_proxies:
        said = f"readers' addresses are read from X-Forwarded-For behind {settings.trusted_proxies} proxies"
        return Finding("proxy", True, f"{said}; no port of this service may be reached past them")
    said = "readers' addresses are those of the connections"
    return Finding("proxy", True, f"{said}; behind a proxy set TRUSTED_PROXIES, else all share one quota")
