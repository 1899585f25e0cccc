"""Define `flask book`: ingest, check, publish, index and remove editions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import click
from flask.cli import AppGroup

from ragbot.books.files import Choice
from ragbot.books.read_options import ReadOptions
from ragbot.cli.book_source import OpenedSource, SiteOptions, is_site, opened_source, site_options
from ragbot.cli.errors import failing_in_one_sentence
from ragbot.cli.progress import ProgressBar
from ragbot.core.domain import DEFAULT_BOOK, SLUG, Book, EditionFacts, SkippedFile
from ragbot.ingestion.book_summary import BookSummary
from ragbot.ingestion.link_check import (
    LinkReport,
    ReadPage,
    built_site_reader,
    check_links,
    live_site_reader,
)
from ragbot.ingestion.pipeline import IngestReport
from ragbot.ingestion.site_download.site_client import SiteClient
from ragbot.services import current_services

MAX_NAME_LENGTH = 100
DEAD_LINKS_SHOWN = 10
SITE_URL_HELP = "The address of the book's site, or of its only file: links of sources lead there."

R = TypeVar("R")

book = AppGroup("book", help="Ingest and check books, and publish, index or remove their editions.")


def plain_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Check that callers of the API can write an edition's name, and that every database can store it."""
    if name is None:
        return None
    if not 1 <= len(name.strip()) <= MAX_NAME_LENGTH or not name.isprintable():
        raise click.BadParameter(f"must have 1 to {MAX_NAME_LENGTH} printable characters")
    return name.strip()


def http_address(_context: click.Context, _option: click.Parameter, address: str) -> str:
    """Check that an address is one that readers' browsers can open; "" is none."""
    if not address:
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise click.BadParameter("must begin with https:// or http:// and a host")
    return address


def plain_slug(_context: click.Context, _option: click.Parameter, slug: str | None) -> str | None:
    """Check that a book's slug, if one is given, can stand in addresses and file names."""
    if slug is not None and not re.fullmatch(SLUG, slug):
        raise click.BadParameter("must have lower-case letters, digits and hyphens, at most 60")
    return slug


book_option = click.option(
    "--book",
    "slug",
    default=DEFAULT_BOOK,
    show_default=True,
    callback=plain_slug,
    help="The book's slug, for a service that has several books.",
)


def reading_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options that say how a book is read, and hand them over as `options`."""

    @click.option("--built", is_flag=True, help="Read the output that the site's generator has left there.")
    @click.option("--force", is_flag=True, help="Take what would be refused as the wrong book.")
    @click.option(
        "--include", multiple=True, metavar="GLOB", help="Read only these files, such as 'guide/**'."
    )
    @click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out these files.")
    @click.option("--version", default="", help="Read this version of a Docusaurus project; else the last.")
    @wraps(command)
    def run(
        *args: object,
        built: bool,
        force: bool,
        version: str,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        **kwargs: object,
    ) -> R:
        chosen = Choice(include, exclude)
        options = ReadOptions(built, force, chosen, version, reads_repository=True)
        return command(*args, options=options, **kwargs)

    return run


@book.command("ingest")
@click.argument("source")
@book_option
@click.option(
    "--edition", callback=plain_name, help="The edition's name; else it is derived from the content."
)
@click.option("--site-url", default="", callback=http_address, help=SITE_URL_HELP)
@click.option("--title", default="", help="The book's title, if the book does not name it.")
@click.option("--strict", is_flag=True, help="Fail, and publish nothing, if a file is skipped.")
@click.option("--if-none", is_flag=True, help="Do nothing if the book has a published edition.")
@reading_options
@site_options
@failing_in_one_sentence
def ingest(
    source: str,
    slug: str,
    edition: str | None,
    site_url: str,
    title: str,
    *,
    strict: bool,
    if_none: bool,
    options: ReadOptions,
    site: SiteOptions,
) -> None:
    """Ingest the book at SOURCE, a path or the address of a live site, and publish it."""
    services = current_services()
    if if_none and services.editions.published(slug):
        return
    with (
        ExitStack() as at_the_end,
        ProgressBar() as progress,
        opened_source(
            source, options, site_url=site_url, site=site, settings=services.settings, progress=progress
        ) as opened,
    ):
        at_the_end.callback(services.budget.write_waiting)
        report = services.ingestion.ingest_book(
            opened.path,
            slug=slug,
            edition=edition,
            site_url=opened.site_url,
            title=title,
            strict=strict,
            options=opened.options,
            progress=progress,
        )
    _print_report(report)
    _print_note(opened)


@book.command("check")
@click.argument("source")
@click.option("--site-url", default="", callback=http_address, help=SITE_URL_HELP)
@click.option("--links", is_flag=True, help="Ask the site whether each page and anchor is there.")
@click.option(
    "--built-site",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look for each page and anchor in this folder of built HTML.",
)
@reading_options
@site_options
@failing_in_one_sentence
def check(
    source: str,
    site_url: str,
    *,
    links: bool,
    built_site: Path | None,
    options: ReadOptions,
    site: SiteOptions,
) -> None:
    """Read the book at SOURCE, a path or the address of a live site, and report on it; publish nothing.

    Exit code 1 if a link is dead.
    """
    if links and not site_url and built_site is None and not is_site(source):
        raise click.UsageError("--links needs the site's address: add --site-url, or --built-site.")
    services = current_services()
    with (
        ProgressBar() as progress,
        opened_source(
            source, options, site_url=site_url, site=site, settings=services.settings, progress=progress
        ) as opened,
    ):
        found = services.ingestion.check_book(
            opened.path, site_url=opened.site_url, options=opened.options, progress=progress
        )
    click.echo(f"“{found.title}”:")
    click.echo(f"  {found.pages} pages, {found.sections} sections, {found.chunks} chunks")
    _print_summary(found.book)
    _print_skipped(found.skipped)
    _print_note(opened)
    if built_site is not None:
        _print_links(_checked(found.read, opened.site_url, built_site_reader(built_site)))
    elif links:
        # The site of a folder may be one that is not public yet.
        allow_private = site.allow_private or not is_site(source)
        client = SiteClient(pause_s=opened.pause_s, allow_private=allow_private)
        with client.opened(float("inf")):
            _print_links(_checked(found.read, opened.site_url, live_site_reader(opened.site_url, client)))


def _checked(read: Book, site_url: str, read_page: ReadPage) -> LinkReport:
    with ProgressBar() as progress:
        return check_links(read, site_url, read_page, progress)


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
            f"{'*' if row.published else ' '} {full_name(facts):<40} {row.created_at:%Y-%m-%d %H:%M} UTC  "
            f"{row.pages} pages, {facts.sections} sections, {facts.chunks} chunks, "
            f"{facts.embedder or 'no vectors'}"
        )


@book.command("publish")
@click.argument("edition")
@book_option
@failing_in_one_sentence
def publish(edition: str, slug: str) -> None:
    """Make EDITION the one that readers get. An earlier edition can be published again in the same way."""
    click.echo(f"Published {current_services().ingestion.publish(edition, slug).name}.")


@book.command("remove")
@click.argument("edition")
@book_option
@failing_in_one_sentence
def remove(edition: str, slug: str) -> None:
    """Delete EDITION with its chunks and vectors. The published one cannot be removed."""
    current_services().ingestion.remove(edition, slug)
    click.echo(f"Removed {edition}.")


@book.command("reindex")
@click.argument("edition", required=False)
@click.option(
    "--book", "slug", callback=plain_slug, help="The book's slug; without it and EDITION all books."
)
@failing_in_one_sentence
def reindex(edition: str | None, slug: str | None) -> None:
    """Build the index of EDITION (else of the published ones) again from the database; embeds nothing."""
    services = current_services()
    if edition:
        found = [services.editions.edition(edition, slug or DEFAULT_BOOK)]
    elif slug:
        found = [services.published.known(slug)]
    else:
        found = [*services.published.books()] or [services.published.known()]
    for facts in found:
        services.ingestion.rebuild_index(facts)
        click.echo(f"Rebuilt the index of {full_name(facts)}: {facts.chunks} chunks.")


def full_name(facts: EditionFacts) -> str:
    """Return an edition's name, behind that of its book where it is not the default one."""
    return facts.name if facts.book == DEFAULT_BOOK else f"{facts.book}:{facts.name}"


def _print_report(report: IngestReport) -> None:
    click.echo(f"Published edition {report.edition} of “{report.title}” in {report.seconds:.1f} s:")
    click.echo(f"  {report.pages} pages, {report.sections} sections, {report.chunks} chunks")
    click.echo(
        f"  {report.new} new, {report.unchanged} unchanged, {report.removed} removed, "
        f"{report.embedded} embedded"
    )
    _print_summary(report.book)
    _print_skipped(report.skipped)
    if report.shortened:
        click.echo(f"  {len(report.shortened)} chunks too long for the embedder, their beginnings embedded:")
        for place in report.shortened:
            click.echo(f"    {place}")


def _print_note(source: OpenedSource) -> None:
    if source.note:
        click.echo(f"  downloaded: {source.note}")


def _print_summary(summary: BookSummary) -> None:
    click.echo(f"  read as {summary.layout}; links {summary.link_rule}; language: {summary.language}")
    for name, link in zip(("first", "middle"), summary.links, strict=False):
        click.echo(f"  {name} link: {link}")
    for left_out in summary.left_out:
        click.echo(f"  left out: {left_out.files} {left_out.suffix} files. {left_out.reason}")
    for warning in summary.warnings:
        click.echo(f"  warning: {warning}")


def _print_skipped(skipped: Sequence[SkippedFile]) -> None:
    if skipped:
        click.echo(f"  {len(skipped)} files skipped:")
        for file in skipped:
            click.echo(f"    {file.path}: {file.reason}")


def _print_links(report: LinkReport) -> None:
    """Print how many links are alive. Exits with 1 if one is not."""
    click.echo(f"  pages alive: {report.pages_alive} of {report.pages}")
    click.echo(f"  sections alive: {report.sections_alive} of {report.sections}")
    for link in report.dead[:DEAD_LINKS_SHOWN]:
        click.echo(f"    dead: {link}")
    for url in report.unknown[:DEAD_LINKS_SHOWN]:
        click.echo(f"    the site did not give it, ask again later: {url}")
    if report.dead:
        raise click.ClickException(f"{len(report.dead)} links are dead.")
