"""Download the pages of a book from its live site into a folder that is kept for the next time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from protego import Protego

from ragbot.books.files import Choice
from ragbot.books.formats.html_selection import CONTENTS_FILE, TOOL, is_tool
from ragbot.books.formats.html_versions import LEAST_SHARED_ADDRESSES, copies_of_site
from ragbot.books.read_options import Downloaded
from ragbot.core.domain import LeftOut, SkippedFile
from ragbot.core.errors import BookError
from ragbot.core.page_links import joined
from ragbot.core.ports import Progress
from ragbot.ingestion.site_download.front_page import MAX_REDIRECTS, front_page
from ragbot.ingestion.site_download.page_html import decode_page, links_of, redirects_of_page
from ragbot.ingestion.site_download.saved_pages import SavedPage, SavedPages, digest_of, locked
from ragbot.ingestion.site_download.scope import PAGE_TYPES, SiteScope, is_same_site
from ragbot.ingestion.site_download.site_client import (
    USER_AGENT,
    Reply,
    SiteClient,
    SiteUnavailable,
    Validators,
)
from ragbot.ingestion.site_download.sitemaps import MAX_SITEMAP_BYTES, pages_of_sitemaps

MAX_PAGES = 20_000
# Hundreds of previews of pull requests may lie beside a book; they are listed, and not read.
MAX_ADDRESSES = 500_000
MAX_ROBOTS_BYTES = 500_000
# After so many failures in a row the site is down, not a page.
MAX_FAILURES = 10
# A firewall refuses pages for hours; what is refused for longer is no longer for the public.
REFUSED_S = 30 * 86_400.0
# A site that asks for longer pauses would keep the command for days.
MAX_PAUSE_S = 30.0

_GONE = (404, 410)

NOT_ALLOWED = "The site's robots.txt does not allow to read it."
NOT_THERE = "The site has no page there (404)."
NOT_HTML = "It is no HTML."
ELSEWHERE = "It redirects to another place than the book."
NOT_CHOSEN = "It is left out by --include or --exclude."


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Limit a download: one page, all pages, and the time that it takes."""

    max_page_bytes: int
    max_bytes: int
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class SiteCopy:
    """Name the folder of a site's pages, the address of the site's root, and how many pages were new."""

    folder: Path
    root: str
    pages: int
    unchanged: int
    downloaded: Downloaded


@contextmanager
def downloaded_site(
    url: str,
    folder: Path,
    *,
    client: SiteClient,
    limits: DownloadLimits,
    choice: Choice,
    progress: Progress,
    clock: Callable[[], float] = time.time,
) -> Iterator[SiteCopy]:
    """Download a site below `folder`, and hold its folder while the block reads it.

    A run that was killed goes on where it stopped; a page that has not changed is not sent again. Raises
    BookError if the site cannot be read, refuses it, or exceeds a limit.
    """
    with client.opened(limits.time_limit_s), ExitStack() as held:
        scope = front_page(client, SiteScope.at(url))
        own = folder / _folder_name(scope)
        try:
            held.enter_context(locked(own))
            saved = SavedPages(own, now=clock())
            copy = _Download(client, limits, choice, progress, scope, saved, clock).run(scope.page(url))
        except OSError as fault:
            raise BookError(f"The site cannot be kept in {own}: {fault.strerror or fault}.") from fault
        yield copy


def _folder_name(scope: SiteScope) -> str:
    host = urlsplit(scope.root).netloc.replace(":", "-").strip("[]")
    return f"{host[:100]}-{sha256(scope.root.encode()).hexdigest()[:12]}"


@dataclass(slots=True)
class _Download:
    """Hold the state of one download."""

    client: SiteClient
    limits: DownloadLimits
    choice: Choice
    progress: Progress
    scope: SiteScope
    saved: SavedPages
    clock: Callable[[], float]
    robots: Protego = field(default_factory=lambda: Protego.parse(""))
    follows_links: bool = False
    lacks_sitemap: bool = False
    found: dict[str, SavedPage] = field(default_factory=dict)
    skipped: list[SkippedFile] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    queue: dict[str, None] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    unchanged: int = 0
    failures: int = 0

    def run(self, start: str | None) -> SiteCopy:
        """Download every page, the front page and the one at `start` first."""
        self.progress("download", 0, 0)
        self._read_robots()
        root = self.scope.root
        if not self._may_read(root):
            raise BookError(f"The robots.txt of {root} does not allow programs to read it.")
        listed = self._listed()
        self.follows_links = len(listed) < 2 or self.lacks_sitemap
        self.queue = dict.fromkeys((root, *((start,) if start else ()), *listed))
        for done, url in enumerate(self._queued(), start=1):
            self._take(url)
            self.progress("download", done, len(self.queue) - len(self.copies))
        self._leave_copies_out()
        if not self.found:
            reasons = [*(file.reason for file in self.skipped), *self.left_out.values()]
            raise BookError(" ".join((f"No page could be read at {root}.", *reasons[:1])))
        self.saved.finish({page.url for page in self.found.values()})
        return self._copy()

    def _queued(self) -> Iterator[str]:
        """Yield the waiting addresses, also those found meanwhile, without copies of the site."""
        taken = {self.scope.root}
        yield self.scope.root
        while True:
            _check_count(len(self.queue), MAX_ADDRESSES)
            self.copies = self._copies_of_site()
            batch = [url for url in self.queue if url not in taken and url not in self.copies]
            if not batch:
                return
            taken.update(batch)
            _check_count(len(taken), MAX_PAGES)
            yield from batch

    def _copies_of_site(self) -> dict[str, str]:
        """Return the known addresses that belong to a copy of the site, with the reason for each."""
        addresses = (*self.queue, *(page.url for page in self.found.values()))
        files = {
            self.scope.file(url): url
            for url in addresses
            if url not in self.left_out and self.choice.takes(self.scope.file(url)) and self._may_read(url)
        }
        copies = copies_of_site(
            dict.fromkeys(files, ""), front=self._front_file(), least_shared=LEAST_SHARED_ADDRESSES
        )
        return {files[file]: reason for file, reason in copies.items()}

    def _front_file(self) -> str:
        """Return the file of the page that the front page redirects to; empty if it does not."""
        root = self.scope.root
        front = self.found.get(self.scope.file(root))
        links = redirects_of_page(self.saved.text(front)) if front is not None else []
        target = self.scope.page(links[0], self.scope.served(root)) if links else None
        return self.scope.file(target) if target is not None else ""

    def _leave_copies_out(self) -> None:
        """Leave out the copies, also the pages of them that were read before they were known."""
        self.left_out |= self.copies
        self.found = {file: page for file, page in self.found.items() if page.url not in self.copies}

    def _copy(self) -> SiteCopy:
        reasons: dict[str, int] = {}
        for reason in self.left_out.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        return SiteCopy(
            folder=self.saved.pages_folder,
            root=self.scope.root,
            pages=len(self.found),
            unchanged=self.unchanged,
            downloaded=Downloaded(
                addresses={file: self.scope.address(page.url) for file, page in self.found.items()},
                skipped=tuple(self.skipped),
                left_out=tuple(LeftOut(reason, ".html", count) for reason, count in reasons.items()),
            ),
        )

    def _read_robots(self) -> None:
        url = urljoin(self.scope.root, "/robots.txt")
        try:
            body = self._file(url, MAX_ROBOTS_BYTES)
        except SiteUnavailable as fault:
            # What a site allows is not known, so nothing is allowed.
            raise BookError(f"{url} cannot be read: {fault}. Try again later.") from fault
        # Storage services answer 403 where there is no file; RFC 9309 takes all 4xx for that.
        if body is not None:
            self.robots = Protego.parse(body.decode("utf-8", errors="replace"))
        asked = self.robots.crawl_delay(USER_AGENT)
        if asked is not None:
            self.client.pause_s = min(max(self.client.pause_s, float(asked)), MAX_PAUSE_S)

    def _listed(self) -> list[str]:
        """Return what the book's own sitemap and those that robots.txt names list, else the host's."""
        own, host = urljoin(self.scope.root, "sitemap.xml"), urljoin(self.scope.root, "/sitemap.xml")
        named = dict.fromkeys((own, *self.robots.sitemaps))
        listed = self._pages_of(named)
        if not listed and host not in named:
            listed = self._pages_of((host,))
        # A sitemap that cannot be read now lists them as well as those of the last time.
        return [*listed, *(self.saved.addresses() if self.lacks_sitemap else ())]

    def _pages_of(self, sitemaps: Iterable[str]) -> list[str]:
        found = (self.scope.page(url, is_listed=True) for url in pages_of_sitemaps(sitemaps, self._sitemap))
        return [url for url in found if url is not None]

    def _sitemap(self, url: str) -> bytes | None:
        try:
            return self._file(url, MAX_SITEMAP_BYTES)
        except SiteUnavailable as fault:
            self.lacks_sitemap = True
            told = f"The sitemap could not be read: {fault}; pages are found by links and of the last time."
            self.skipped.append(SkippedFile(urlsplit(url).path.lstrip("/"), told))
            return None

    def _file(self, url: str, max_bytes: int) -> bytes | None:
        """Return a file of the site, also behind redirects; None if there is none. Raises SiteUnavailable."""
        for _ in range(MAX_REDIRECTS):
            if not is_same_site(url, self.scope.root):
                return None
            reply = self.client.get(url, max_bytes=max_bytes)
            if not reply.location:
                return reply.body if reply.status == 200 else None
            url = joined(url, reply.location)
        return None

    def _take(self, url: str) -> None:
        """Download one page unless it is there, and queue what it leads to."""
        file = self.scope.file(url)
        if url != self.scope.root and not self.choice.takes(file):
            self.left_out[url] = NOT_CHOSEN
            return
        if is_tool(file) and not file.endswith(CONTENTS_FILE):
            self.left_out[url] = TOOL
            return
        page = self._page(url)
        if page is None:
            return
        self.found[page.file] = page
        self._count(page)
        if self.follows_links:
            base = self.scope.served(page.url)
            links = (self.scope.page(link, base) for link in links_of(self.saved.text(page)))
            self.queue.update(dict.fromkeys(link for link in links if link is not None))
        _check_count(len(self.queue), MAX_ADDRESSES)

    def _page_of_last_time(self, url: str, fault: SiteUnavailable) -> SavedPage | None:
        """Return a page as it was the last time, for want of a newer one; else record that it is missing."""
        self.failures += 1
        if self.failures >= MAX_FAILURES:
            raise BookError(f"The site stopped answering: {fault}. Run the command again later.") from fault
        known = self.saved.known(url)
        told = "; the page of the last time is used" if known is not None else ""
        self.skipped.append(SkippedFile(self.scope.file(url), f"The page could not be read: {fault}{told}."))
        return known

    def _count(self, page: SavedPage) -> None:
        self.size_bytes += (self.saved.pages_folder / page.file).stat().st_size
        if self.size_bytes > self.limits.max_bytes:
            raise BookError(
                f"The site has more than {self.limits.max_bytes / 1_000_000:g} MB of pages (MAX_BOOK_MB). "
                "Choose a part with --include."
            )

    def _may_read(self, url: str) -> bool:
        return bool(self.robots.can_fetch(self.scope.served(url), USER_AGENT))

    def _page(self, url: str) -> SavedPage | None:
        """Return the page at an address, or None if it is no page of the book."""
        asked_for = url
        for _ in range(MAX_REDIRECTS):
            if self.scope.file(url) in self.found:
                # It has another address, too.
                return None
            if not self._may_read(url):
                self.left_out[asked_for] = NOT_ALLOWED
                return None
            known = self.saved.known(url)
            if known is not None and self.saved.is_of_this_run(known):
                return known
            try:
                reply = self._reply(url, known)
            except SiteUnavailable as fault:
                return self._page_of_last_time(url, fault)
            if not reply.location:
                return self._saved(url, reply, known)
            target = self.scope.page(reply.location, self.scope.served(url))
            if target is None:
                self.left_out[asked_for] = ELSEWHERE
                return None
            url = target
        self.skipped.append(SkippedFile(self.scope.file(asked_for), "It redirects without an end."))
        return None

    def _reply(self, url: str, known: SavedPage | None) -> Reply:
        """Ask for a page. Raises SiteUnavailable also where the site refuses a page that it gave lately."""
        reply = self.client.get(
            self.scope.served(url),
            max_bytes=self.limits.max_page_bytes,
            validators=known.validators if known is not None else Validators(),
        )
        if reply.status < 400 or reply.status in _GONE:
            self.failures = 0
        elif known is not None and self.clock() - known.checked_at < REFUSED_S:
            raise SiteUnavailable(f"it answers {reply.status}")
        return reply

    def _saved(self, url: str, reply: Reply, known: SavedPage | None) -> SavedPage | None:
        now = self.clock()
        if reply.status == 304 and known is not None:
            page = replace(known, checked_at=now)
            self.saved.save(page, None)
            self.unchanged += 1
            return page
        file = self.scope.file(url)
        if reply.status in _GONE:
            self.left_out[url] = NOT_THERE
        elif reply.status != 200:
            self.skipped.append(SkippedFile(file, f"The site answers {reply.status}."))
        elif reply.content_type not in PAGE_TYPES:
            self.left_out[url] = NOT_HTML
        elif reply.body is None:
            limit = f"{self.limits.max_page_bytes:,} bytes (MAX_FILE_MB)"
            self.skipped.append(SkippedFile(file, f"The page has more than {limit}."))
        else:
            new = self._new(url, file, reply.body, reply, now)
            self.unchanged += new is not None and known is not None and new.digest == known.digest
            return new
        return None

    def _new(self, url: str, file: str, body: bytes, reply: Reply, now: float) -> SavedPage | None:
        html = decode_page(body, reply.charset)
        digest = digest_of(html.encode("utf-8", errors="replace"))
        etag, last_modified = reply.validators.etag, reply.validators.last_modified
        page = SavedPage(url, file, digest, now, etag, last_modified)
        try:
            self.saved.save(page, html)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as fault:
            # A page of the site has the name that another's folder has.
            self.skipped.append(SkippedFile(file, f"It could not be stored ({type(fault).__name__})."))
            return None
        return page


def _check_count(pages: int, limit: int) -> None:
    if pages > limit:
        raise BookError(f"The site has more than {limit:,} pages. Choose a part with --include.")
