"""Define `flask insights`: group new questions and report the gaps of a book, or those of a demo."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup

from ragbot.cli.errors import failing_in_one_sentence
from ragbot.core.domain import DEFAULT_BOOK
from ragbot.core.errors import RagbotError
from ragbot.insights.demo import demo as demo_of
from ragbot.insights.report import FORMATS, report_of
from ragbot.services import current_services

insights = AppGroup("insights", help="Read what readers asked.")

_AGE = re.compile(r"([1-9]\d{0,3})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


def _since(_context: click.Context, _option: click.Parameter, age: str) -> datetime:
    match = _AGE.fullmatch(age)
    if match is None:
        raise click.BadParameter("must be a number with h, d or w, such as 7d")
    return datetime.now(UTC) - timedelta(hours=int(match[1]) * _HOURS[match[2]])


@insights.command("report")
@click.option("--since", default="7d", show_default=True, callback=_since, help="As 24h, 7d or 4w.")
@click.option("--format", "shape", type=click.Choice(list(FORMATS)), default="md", show_default=True)
@click.option("--book", "slug", help="The book's slug; else the default one.")
@failing_in_one_sentence
def report(since: datetime, shape: str, slug: str | None) -> None:
    """Print what readers did not find: questions that were refused, not supported or disliked, in groups."""
    services = current_services()
    try:
        if services.group_questions() is None:
            click.echo(
                "The service is grouping new questions just now; the report is without the rest.", err=True
            )
    except RagbotError as error:
        click.echo(f"Some new questions could not be grouped: {error}", err=True)
    book = services.published.choose(slug, None)
    click.echo(FORMATS[shape](report_of(services.insights, book, since)), nl=False)


@insights.command("demo")
@click.option("--since", default="30d", show_default=True, callback=_since, help="As 24h, 7d or 4w.")
@click.option("--format", "shape", type=click.Choice(list(FORMATS)), default="md", show_default=True)
def demo(since: datetime, shape: str) -> None:
    """Print the report of made-up questions; `/insights?demo=1` shows them as pages."""
    with demo_of(datetime.now(UTC)) as made_up:
        found = report_of(made_up.insights, DEFAULT_BOOK, since)
    click.echo(FORMATS[shape](found), nl=False)
