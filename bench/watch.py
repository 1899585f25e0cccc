"""Sample a running server from outside: its workers' memory, descriptors and threads, and its metrics."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.reader import fetched
from tests.fakes.prometheus import Scrape
from tests.fakes.wsgi_process import GunicornProcess

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
EVERY_S = 1.0
# The numbers cost the server more to tell.
SCRAPED_EVERY_S = 3.0


@dataclass(frozen=True)
class Sample:
    """Hold one sample of one worker."""

    at: float
    rss_mb: float
    descriptors: int
    threads: int


class Watch:
    """Sample every worker each second, and the server's health and metrics."""

    def __init__(self, server: GunicornProcess) -> None:
        self._server = server
        self._over = threading.Event()
        self.of_worker: dict[int, list[Sample]] = defaultdict(list)
        self.health_s: list[float] = []
        self.unwell: list[str] = []
        self.circuits_opened: dict[str, int] = defaultdict(int)
        self._open: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample within the block."""
        threads = [threading.Thread(target=look, daemon=True) for look in (self._sample, self._scrape)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(30)

    def quarters(self, pid: int) -> list[Sample]:
        """Return a worker's four quarters: median memory, maximum descriptors and threads."""
        samples = self.of_worker[pid]
        size = max(1, len(samples) // 4)
        parts = [samples[start : start + size] for start in range(0, size * 4, size)]
        return [_summed_up(part) for part in parts if part]

    def _sample(self) -> None:
        while not self._over.wait(EVERY_S):
            for pid in self._server.worker_pids():
                if sample := sample_of(pid):
                    self.of_worker[pid].append(sample)
            alive = fetched(self._server.port, "/health", patience_s=30)
            if alive.status == 200:
                self.health_s.append(alive.seconds)
            else:
                self.unwell.append(alive.broken or str(alive.status))

    def _scrape(self) -> None:
        while not self._over.wait(SCRAPED_EVERY_S):
            numbers = scraped(self._server)
            if numbers is None:
                continue
            now = {name for name in circuits_of(numbers) if numbers.value("circuit_open", circuit=name)}
            for name in now - self._open:
                self.circuits_opened[name] += 1
            self._open = now


def sample_of(pid: int) -> Sample | None:
    """Sample a process, or return None if it has ended."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        process = Path(f"/proc/{pid}")
        pages = int((process / "statm").read_text().split()[1])
        return Sample(
            time.monotonic(),
            pages * PAGE_BYTES / 1024**2,
            len(os.listdir(process / "fd")),
            len(os.listdir(process / "task")),
        )
    return None


def scraped(server: GunicornProcess) -> Scrape | None:
    """Return the server's metrics, or None if they cannot be read."""
    seen = fetched(server.port, "/metrics", patience_s=30)
    return Scrape(seen.body) if seen.status == 200 else None


def circuits_of(numbers: Scrape) -> set[str]:
    """Return the names of all circuits."""
    return {sample.labels["circuit"] for sample in numbers.samples if sample.name == "circuit_open"}


def _summed_up(samples: Sequence[Sample]) -> Sample:
    return Sample(
        samples[0].at,
        round(statistics.median(sample.rss_mb for sample in samples), 1),
        max(sample.descriptors for sample in samples),
        max(sample.threads for sample in samples),
    )
