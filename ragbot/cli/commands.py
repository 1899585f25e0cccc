"""Define `flask session`, `cache`, `ask`, `eval`, `settings`, `metrics` and `openapi`."""

from __future__ import annotations

import json
from contextlib import closing
from typing import cast

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from flask_migrate.cli import db as migrations
from flask_openapi import OpenAPI

from ragbot.cli.backup import backup
from ragbot.cli.book import book
from ragbot.cli.doctor import doctor
from ragbot.cli.errors import failing_in_one_sentence
from ragbot.cli.evaluation import evaluate
from ragbot.cli.insights import insights
from ragbot.cli.notify import notify
from ragbot.config import env_example, settings_table
from ragbot.core.answers import Answer, Delta, Finished, Question
from ragbot.core.text import has_forbidden_characters
from ragbot.observability.metrics import metrics_table
from ragbot.services import current_services
from ragbot.web.pages.api_docs import api_document
from ragbot.web.schemas import MAX_QUESTION_CHARS

session = AppGroup("session", help="Maintain sessions.")
cache = AppGroup("cache", help="Maintain the cache.")


def register_commands(group: AppGroup) -> None:
    """Add the commands to `flask`."""
    for command in (
        *(book, session, cache, insights, ask, evaluate, doctor, settings, metrics, notify),
        # Has events and problems, which flask-openapi's own lacks.
        openapi,
        *(backup, migrations),
    ):
        group.add_command(command)
    # Click would read the steps of `flask db downgrade -1` as an option. (The group loads the app first.)
    migrations.commands["downgrade"].context_settings["ignore_unknown_options"] = True


@click.command("ask")
@click.argument("question")
@click.option("--session", "session_id", help="Continue this session.")
@click.option("--book", "slug", help="Ask this book of several; else the default one.")
@click.option("--edition", help="Ask this edition; else the published one.")
@click.option("--sources/--no-sources", default=True, help="Show the cited passages.")
@with_appcontext
@failing_in_one_sentence
def ask(question: str, session_id: str | None, slug: str | None, edition: str | None, sources: bool) -> None:
    """Ask the book QUESTION. Exit code 3 means that the book does not answer it."""
    text = question.strip()
    if not 1 <= len(text) <= MAX_QUESTION_CHARS or has_forbidden_characters(text):
        raise click.BadParameter(f"must have 1 to {MAX_QUESTION_CHARS:,} characters", param_hint="QUESTION")
    services = current_services()
    book = services.published.choose(slug, None)
    running = services.turns.begin(Question(text, book=book, book_version=edition), session_id)
    refused = False
    try:
        with closing(running.events) as events:
            for event in events:
                match event:
                    case Delta(piece):
                        click.echo(piece, nl=False)
                    case Finished(answer):
                        refused = answer.status == "refused"
                        _print_end(answer, running.turn.session_id, with_sources=sources)
    finally:
        services.budget.write_waiting()
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
    """Mark turns that a crash left open as failed, and delete expired sessions. Safe to run at any time.

    Expired counts of calls and cached answers are deleted, too.
    """
    services = current_services()
    pruned = services.conversations.prune()
    services.expired_rows.delete_expired()
    click.echo(f"Marked {pruned.messages_settled} messages as failed, deleted {pruned.sessions} sessions.")


@cache.command("clear")
@failing_in_one_sentence
def clear_cache() -> None:
    """Delete cached answers and vectors of questions. Safe to run at any time.

    Workers keep the vectors that they have in memory.
    """
    click.echo(f"Deleted {current_services().cache.clear()} cache entries.")


def _print_end(answer: Answer, session_id: str | None, *, with_sources: bool) -> None:
    click.echo()
    for number, source in enumerate(answer.sources, start=1):
        if with_sources and source.cited:
            click.echo(f"\n[{number}] {' > '.join(source.heading_path)}\n    {source.url}")
    kept = f"session {session_id}" if session_id else "not stored"
    click.echo(f"\n({kept}, {answer.model})", err=True)
