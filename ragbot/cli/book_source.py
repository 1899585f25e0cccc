"""Open what `flask book` is given: a folder or file of this machine, or the address of a live site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TypeVar

import click

from ragbot.books.read_options import ReadOptions
from ragbot.config import Settings
from ragbot.core.ports import Progress
from ragbot.ingestion.site_download.download import DownloadLimits, downloaded_site
from ragbot.ingestion.site_download.site_client import SiteClient

PAUSE_S = 0.2

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """Say how a live site is asked: the seconds between requests, and whether it may be a private one."""

    pause_s: float = PAUSE_S
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """Hold the path that is to be read, and how; `note` tells what was downloaded.

    `pause_s` are the seconds between two requests that the operator and the site's robots.txt ask for.
    """

    path: Path
    site_url: str
    options: ReadOptions
    pause_s: float
    note: str = ""


def site_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options that say how a live site is asked, and hand them over as `site`."""

    @click.option(
        "--pause",
        default=PAUSE_S,
        type=click.FloatRange(0, 60),
        help="Seconds between two requests to a live site; robots.txt may ask for more.",
    )
    @click.option(
        "--allow-private", is_flag=True, help="Read a live site that is not on the public Internet."
    )
    @wraps(command)
    def run(*args: object, pause: float, allow_private: bool, **kwargs: object) -> R:
        return command(*args, site=SiteOptions(pause, allow_private), **kwargs)

    return run


def is_site(source: str) -> bool:
    """Return whether a source is the address of a site, and no path."""
    return source.lower().startswith(("https://", "http://"))


@contextmanager
def opened_source(
    source: str,
    options: ReadOptions,
    *,
    site_url: str,
    site: SiteOptions,
    settings: Settings,
    progress: Progress,
) -> Iterator[OpenedSource]:
    """Yield the path of a source. The pages of a live site are downloaded first, and kept for the next time.

    Raises BookError if the site cannot be read.
    """
    if not is_site(source):
        yield OpenedSource(Path(source), site_url, options, site.pause_s)
        return
    if options.built or options.version:
        raise click.UsageError("--built and --version are for the folder of a project, not for a live site.")
    client = SiteClient(pause_s=site.pause_s, allow_private=site.allow_private)
    with downloaded_site(
        source,
        settings.sites_dir,
        client=client,
        limits=DownloadLimits(
            max_page_bytes=round(settings.max_file_mb * 1_000_000),
            max_bytes=round(settings.max_book_mb * 1_000_000),
            time_limit_s=settings.ingest_time_limit_s,
        ),
        choice=options.choice,
        progress=progress,
    ) as copy:
        yield OpenedSource(
            copy.folder,
            site_url or copy.root,
            replace(options, downloaded=copy.downloaded),
            client.pause_s,
            f"{copy.pages} pages of {copy.root}, {copy.unchanged} of them unchanged since the last time",
        )
