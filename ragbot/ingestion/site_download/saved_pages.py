"""Keep downloaded pages with what their server said of their state, so that a run that was killed goes on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from ragbot.core.errors import BookError
from ragbot.ingestion.site_download.site_client import Validators

# An unfinished run that is older is not gone on with: its pages are asked for again.
RESUMED_S = 86_400.0

_LOG = "pages.jsonl"


@dataclass(frozen=True, slots=True)
class SavedPage:
    """Describe a page that was downloaded. `checked_at` is when its server last sent or confirmed it."""

    url: str
    file: str
    digest: str
    checked_at: float
    etag: str = ""
    last_modified: str = ""

    @property
    def validators(self) -> Validators:
        """Return what the server said of the page's state."""
        return Validators(self.etag, self.last_modified)


class SavedPages:
    """Keep the pages of one site below `folder / "pages"`, and a log with a line for each.

    Each page and each line is written whole: whenever a run is killed, what it had is kept.
    """

    def __init__(self, folder: Path, *, now: float) -> None:
        self._folder = folder
        self._pages: dict[str, SavedPage] = {}
        self._begun_at = now
        self._read_log(now)

    @property
    def pages_folder(self) -> Path:
        """Return the folder of the pages."""
        return self._folder / "pages"

    def known(self, url: str) -> SavedPage | None:
        """Return a page of this run or of an earlier one, whose file is there as it was written."""
        page = self._pages.get(url)
        content = self._content(page) if page is not None else None
        return page if content is not None else None

    def addresses(self) -> list[str]:
        """Return the addresses of the pages of this run and of the last one."""
        return list(self._pages)

    def text(self, page: SavedPage) -> str:
        """Return a page's HTML."""
        return (self.pages_folder / page.file).read_text(encoding="utf-8")

    def is_of_this_run(self, page: SavedPage) -> bool:
        """Return whether a page was checked in this run, which may be one that was killed."""
        return page.checked_at >= self._begun_at

    def save(self, page: SavedPage, html: str | None) -> None:
        """Write a page; without `html` its server has confirmed the saved one. Raises OSError."""
        if html is not None:
            self._write(self.pages_folder / page.file, html)
        self._pages[page.url] = page
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(page)) + "\n")

    def finish(self, kept: set[str]) -> None:
        """End the run: forget all pages but those at the addresses in `kept`, and delete their files."""
        self._pages = {url: page for url, page in self._pages.items() if url in kept}
        lines = [json.dumps(asdict(page)) for page in self._pages.values()]
        self._write(self._log, "".join(f"{line}\n" for line in (*lines, json.dumps({"finished": True}))))
        files = {page.file for page in self._pages.values()}
        for path in self.pages_folder.rglob("*"):
            if path.is_file() and path.relative_to(self.pages_folder).as_posix() not in files:
                path.unlink(missing_ok=True)

    @property
    def _log(self) -> Path:
        return self._folder / _LOG

    def _read_log(self, now: float) -> None:
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.is_file() else []
        begun_at = now
        for line in lines:
            try:
                values = json.loads(line)
                if "begun_at" in values:
                    begun_at = float(values["begun_at"])
                elif "finished" in values:
                    begun_at = now
                else:
                    page = SavedPage(**values)
                    self._pages[page.url] = page
            except (ValueError, TypeError):
                # The process was killed while it wrote the line.
                continue
        if 0 <= now - begun_at <= RESUMED_S:
            self._begun_at = begun_at
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as log:
            log.write("\n" + json.dumps({"begun_at": self._begun_at}) + "\n")

    def _content(self, page: SavedPage) -> bytes | None:
        path = self.pages_folder / page.file
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return content if digest_of(content) == page.digest else None

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:100]}.part")
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, path)


def digest_of(content: bytes) -> str:
    """Return the digest by which a page's file is known to be whole."""
    return sha256(content).hexdigest()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a site's folder for one run. Raises BookError if another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        _lock(lock)
        yield


def _lock(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        message = "The site is being downloaded by another process. Wait until that has ended."
        raise BookError(message) from fault
