"""Define `flask book`, `session`, `cache`, `ask`, `eval`, `settings`, `metrics` and `openapi`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from flask_openapi import OpenAPI

from ragbot.answering.evaluation import Evaluation
from ragbot.answering.evaluation_report import report_on
from ragbot.answering.question_set import load_rows
from ragbot.config import env_example, settings_table
from ragbot.core.domain import Answer, Delta, Finished, Question
from ragbot.core.errors import RagbotError
from ragbot.core.text import has_forbidden_characters
from ragbot.ingestion.pipeline import IngestReport
from ragbot.observability.metrics import metrics_table
from ragbot.services import current_services
from ragbot.web.pages.api_docs import api_document

MAX_NAME_LENGTH = 100
MAX_QUESTION_LENGTH = 2000

P = ParamSpec("P")
R = TypeVar("R")

book = AppGroup("book", help="Ingest books, and publish, index or remove their editions.")
session = AppGroup("session", help="Maintain sessions.")
cache = AppGroup("cache", help="Maintain the cache.")


def register_commands(app: Flask) -> None:
    """Add the commands to `flask`."""
    app.cli.add_command(book)
    app.cli.add_command(session)
    app.cli.add_command(cache)
    app.cli.add_command(ask)
    app.cli.add_command(evaluate)
    app.cli.add_command(settings)
    app.cli.add_command(metrics)
    # Replaces flask-openapi's own command, whose document lacks our events and problems.
    app.cli.add_command(openapi)


def failing_in_one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error of ours as one sentence on standard error, and exit with code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except RagbotError as error:
            raise click.ClickException(str(error)) from error

    return run


def plain_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Check that callers of the API can write an edition's name, and that every database can store it."""
    if name is None:
        return None
    if not 1 <= len(name.strip()) <= MAX_NAME_LENGTH or not name.isprintable():
        raise click.BadParameter(f"must have 1 to {MAX_NAME_LENGTH} printable characters")
    return name.strip()


@book.command("ingest")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--edition", callback=plain_name, help="The edition's name; else it is derived from the content."
)
@click.option("--site-url", default="", help="The address of the book's site, where its pages are.")
@click.option("--title", default="", help="The book's title, if the book does not name it.")
@click.option("--strict", is_flag=True, help="Fail, and publish nothing, if a file is skipped.")
@click.option("--if-none", is_flag=True, help="Do nothing if an edition is published already.")
@failing_in_one_sentence
def ingest(
    path: Path, edition: str | None, site_url: str, title: str, *, strict: bool, if_none: bool
) -> None:
    """Ingest the book at PATH and publish it."""
    services = current_services()
    if if_none and services.editions.published():
        return
    progress = _Progress(sys.stderr.isatty())
    report = services.ingestion.ingest_book(
        path, edition=edition, site_url=site_url, title=title, strict=strict, progress=progress
    )
    progress.end()
    _print_report(report)


@book.command("list")
@failing_in_one_sentence
def list_editions() -> None:
    """List the editions, newest first; the published one has a star."""
    rows = current_services().editions.editions()
    if not rows:
        click.echo("No editions. Ingest a book with: flask book ingest PATH", err=True)
    for row in rows:
        facts = row.facts
        click.echo(
            f"{'*' if row.published else ' '} {facts.name:<40} {row.created_at:%Y-%m-%d %H:%M} UTC  "
            f"{row.pages} pages, {facts.sections} sections, {facts.chunks} chunks, "
            f"{facts.embedder or 'no vectors'}"
        )


@book.command("publish")
@click.argument("edition")
@failing_in_one_sentence
def publish(edition: str) -> None:
    """Make EDITION the one that readers get. An earlier edition can be published again in the same way."""
    click.echo(f"Published {current_services().ingestion.publish(edition).name}.")


@book.command("remove")
@click.argument("edition")
@failing_in_one_sentence
def remove(edition: str) -> None:
    """Delete EDITION with its chunks and vectors. The published one cannot be removed."""
    current_services().ingestion.remove(edition)
    click.echo(f"Removed {edition}.")


@book.command("reindex")
@click.argument("edition", required=False)
@failing_in_one_sentence
def reindex(edition: str | None) -> None:
    """Build the index of EDITION (else of the published one) again from the database; embeds nothing."""
    services = current_services()
    facts = services.editions.edition(edition) if edition else services.published.known()
    services.ingestion.rebuild_index(facts)
    click.echo(f"Rebuilt the index of {facts.name}: {facts.chunks} chunks.")


@click.command("ask")
@click.argument("question")
@click.option("--session", "session_id", help="Continue this session.")
@click.option("--edition", help="Ask this edition; else the published one.")
@click.option("--sources/--no-sources", default=True, help="Show the cited passages.")
@with_appcontext
@failing_in_one_sentence
def ask(question: str, session_id: str | None, edition: str | None, sources: bool) -> None:
    """Ask the book QUESTION. Exit code 3 means that the book does not answer it."""
    text = question.strip()
    if not 1 <= len(text) <= MAX_QUESTION_LENGTH or has_forbidden_characters(text):
        raise click.BadParameter("must have 1 to 2,000 characters", param_hint="QUESTION")
    running = current_services().turns.begin(Question(text, book_version=edition), session_id)
    refused = False
    with closing(running.events) as events:
        for event in events:
            match event:
                case Delta(piece):
                    click.echo(piece, nl=False)
                case Finished(answer):
                    refused = answer.status == "refused"
                    _print_end(answer, running.turn.session_id, with_sources=sources)
    if refused:
        raise SystemExit(3)


@click.command("settings")
@click.option("--as", "shape", type=click.Choice(["env", "markdown"]), default="env", show_default=True)
def settings(shape: str) -> None:
    """Print every setting with its default and its meaning, as a .env file or a Markdown table."""
    click.echo(env_example() if shape == "env" else settings_table(), nl=False)


@click.command("metrics")
def metrics() -> None:
    """Print every metric of /metrics with its meaning, as a Markdown table."""
    click.echo(metrics_table(), nl=False)


@click.command("openapi")
@with_appcontext
def openapi() -> None:
    """Print the API's OpenAPI document, as /openapi.json serves it."""
    document = api_document(cast(OpenAPI, current_app))
    click.echo(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False))


@session.command("prune")
@failing_in_one_sentence
def prune() -> None:
    """Mark turns that a crash left open as failed, and delete expired sessions. Safe to run at any time."""
    pruned = current_services().conversations.prune()
    click.echo(f"Settled {pruned.messages_settled} messages, deleted {pruned.sessions} sessions.")


@cache.command("clear")
@failing_in_one_sentence
def clear_cache() -> None:
    """Delete cached answers and vectors of questions. Safe to run at any time.

    Workers keep the vectors that they have in memory.
    """
    click.echo(f"Forgot {current_services().cache.clear()} entries.")


@click.command("eval")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--edition", help="Ask this edition; else the published one.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Also write the figures to this file."
)
@click.option("--verdicts", is_flag=True, help="Print the verdict on each question.")
@with_appcontext
@failing_in_one_sentence
def evaluate(path: Path, edition: str | None, json_path: Path | None, verdicts: bool) -> None:
    """Ask every question of the JSON Lines file PATH, and print how well they were answered."""
    services = current_services()
    rows = load_rows(path)
    facts = services.editions.edition(edition) if edition else services.published.current()
    evaluation = Evaluation(services.answerer, facts, services.editions.pages(facts))
    with click.progressbar(length=len(rows), label="asking", file=sys.stderr) as bar:
        found = evaluation.verdicts(rows, lambda _row, _answer: bar.update(1))
    if verdicts:
        for verdict in found:
            click.echo(f"{verdict.id}  {verdict.kind:<13} {verdict.status:<9} rank {verdict.rank or '-'}")
    report = report_on(found).as_json()
    for name, value in report.items():
        click.echo(f"{name:<22} {value}")
    if json_path:
        try:
            json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{json_path} cannot be written: {error.strerror}.") from error


def _print_end(answer: Answer, session_id: str | None, *, with_sources: bool) -> None:
    click.echo()
    for number, source in enumerate(answer.sources, start=1):
        if with_sources and source.cited:
            click.echo(f"\n[{number}] {' > '.join(source.heading_path)}\n    {source.url}")
    kept = f"session {session_id}" if session_id else "not kept"
    click.echo(f"\n({kept}, {answer.model})", err=True)


class _Progress:
    """Print the progress: on a terminal in one line that is rewritten, elsewhere one line for each stage."""

    def __init__(self, on_terminal: bool) -> None:
        self._on_terminal = on_terminal
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._on_terminal:
            count = f" {done}/{total}" if total else ""
            click.echo(f"\r\x1b[K{stage}{count}", nl=False, err=True)
        elif stage != self._stage or (total and done == total):
            click.echo(f"{stage} {done}/{total}" if total else stage, err=True)
        self._stage = stage

    def end(self) -> None:
        """Clear the terminal's line."""
        if self._on_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)


def _print_report(report: IngestReport) -> None:
    click.echo(f"Published edition {report.edition} of “{report.title}” in {report.seconds:.1f} s:")
    click.echo(f"  {report.pages} pages, {report.sections} sections, {report.chunks} chunks")
    click.echo(
        f"  {report.new} new, {report.unchanged} unchanged, {report.removed} removed, "
        f"{report.embedded} embedded"
    )
    if report.skipped:
        click.echo(f"  {len(report.skipped)} files skipped:")
        for file in report.skipped:
            click.echo(f"    {file.path}: {file.reason}")
