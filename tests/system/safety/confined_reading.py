"""Read books as the service does, each in a process of its own with little time and memory.

`python -m tests.system.safety.confined_reading` takes folders on standard input and prints a line of JSON for
each: what was read, skipped or refused, and what it cost. Opening a socket or a file to write ends the
process: no book needs that.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.formats import html_tree
from ragbot.books.loader import load_book
from ragbot.core.errors import BookError
from tests.system.safety.hostile_books import BOOKS

TIME_S = 30
# Beside what a process has that has read nothing yet.
MEMORY_BYTES = 1_500_000_000

# Instead of the two seconds that a page of HTML has: what keeps the parser busy does so for this
# long on every processor.
HTML_FREE_S = 0.5

# A book of each format that is read in a moment.
SMALL = {"md": "private_signs", "html": "colspan", "epub": "paths_out", "pdf": "names"}

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
CHANGES = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "shutil.rmtree",
)


def main() -> None:
    """Read the books whose folders come on standard input, a line each."""
    html_tree.FREE_S = HTML_FREE_S
    load_what_readers_import()
    for line in sys.stdin:
        name = line.rstrip("\n")
        sys.stdout.write(json.dumps({"book": name} | read_apart(Path(name))) + "\n")
        sys.stdout.flush()


def load_what_readers_import() -> None:
    """Read one small book of each format, so that no fork imports its parser anew."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("md", "html", "epub", "pdf"):
            book = Path(folder, name)
            book.mkdir()
            BOOKS[f"{name}_{SMALL[name]}"](book)
            with suppress(BookError):
                chunk_book(load_book(book))
    gc.freeze()


def read_apart(book: Path) -> dict[str, Any]:
    """Read the book in a forked process; return what came of it, with its processor time and memory."""
    taken, given = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(taken)
        with os.fdopen(given, "w") as told, suppress(BaseException):
            told.write(json.dumps(outcome_of(book)))
            told.flush()
        os._exit(0)
    os.close(given)
    with os.fdopen(taken) as hearing:
        told = hearing.read()
    _, status, usage = os.wait4(child, 0)
    outcome: dict[str, Any] = json.loads(told) if told else {"error": f"ended with {status}", "kind": "Died"}
    return outcome | {"seconds": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss // 1024}


def outcome_of(book: Path) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + used_bytes(), resource.RLIM_INFINITY))
    sys.addaudithook(refuse_effects)
    started = time.monotonic()
    try:
        found = load_book(book)
        chunks = chunk_book(found)
    except BookError as error:
        return {"kind": "BookError", "error": str(error), "elapsed_s": time.monotonic() - started}
    except BaseException as error:
        return {"kind": type(error).__name__, "error": str(error)[:300], "elapsed_s": 0}
    sources = {page.path: page.source for page in found.pages}
    return {
        "kind": "Book",
        "elapsed_s": time.monotonic() - started,
        "pages": [page.path for page in found.pages][:3000],
        "skipped": [[skipped.path, skipped.reason] for skipped in found.skipped][:2000],
        "chunks": len(chunks),
        "largest_chunk_tokens": max((chunk.tokens for chunk in chunks), default=0),
        "verbatim": all(sources[c.path][c.start : c.end] == c.text for c in chunks),
        "text": list(said(chunk.text for chunk in chunks)),
    }


def used_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def said(texts: Iterator[str]) -> Iterator[str]:
    """Yield some of what would be quoted: enough to find what must not be there."""
    for text, _ in zip(texts, range(200), strict=False):
        yield text[:300]


def refuse_effects(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK or event in STARTS or event in CHANGES:
        raise PermissionError(f"a book made the reader call {event} {arguments!r:.200}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        raise PermissionError(f"a book made the reader write {arguments[0]!r:.200}")


if __name__ == "__main__":
    main()
