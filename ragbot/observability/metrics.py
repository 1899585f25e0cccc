"""The service's numbers: one table of metrics, and counting into it from any thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Seconds. A stage may take a tenth of a millisecond, an answer half a minute; 8 s is what an alert asks for,
# and a quantile is exact at a bound alone.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8, 10, 20, 30, 60)
STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# How a gauge's values of several workers become one: those of the living added up, or the newest.
Together = Literal["livesum", "livemostrecent"]


@dataclass(frozen=True, slots=True)
class CounterSpec:
    """Something that happens: its number only grows, over the deaths of workers too."""

    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistogramSpec:
    """A duration in seconds."""

    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = STAGE_BUCKETS


@dataclass(frozen=True, slots=True)
class GaugeSpec:
    """A number that goes up and down."""

    meaning: str
    labels: tuple[str, ...] = ()
    together: Together = "livesum"


# Labels have few values: never an id, a path or a text.
METRICS: Mapping[str, CounterSpec | HistogramSpec | GaugeSpec] = {
    "http_requests_total": CounterSpec("Requests answered.", ("method", "endpoint", "status")),
    "http_request_duration_seconds": HistogramSpec(
        "Requests, to the last byte of their answer.", ("method", "endpoint"), REQUEST_BUCKETS
    ),
    "streams_open": GaugeSpec("Answers that are being streamed now."),
    "query_errors_total": CounterSpec("Questions that ended in an error, by its code.", ("code",)),
    "query_stage_duration_seconds": HistogramSpec("Parts of the way of a question.", ("stage",)),
    "embedding_generation_duration_seconds": HistogramSpec("Calls that make vectors of a question's texts."),
    "answers_total": CounterSpec("Turns that ended.", ("status", "mode")),
    "answer_cache_results_total": CounterSpec("Finished answers, by what the cache had.", ("result",)),
    "degradations_total": CounterSpec("Answers made without something, by what was missing.", ("kind",)),
    "llm_tokens_total": CounterSpec("Tokens that providers charged for.", ("model", "kind")),
    "llm_cost_usd_total": CounterSpec("Dollars that models charged.", ("model",)),
    "limiter_refusals_total": CounterSpec("Requests refused with 429."),
    "cache_failures_total": CounterSpec(
        "Times that a store of kept answers failed, or held garbage.", ("store",)
    ),
    "state_store_failures_total": CounterSpec("Times that a store of shared states failed.", ("store",)),
    "circuit_open": GaugeSpec(
        "1 while a provider's part is left alone after failures.", ("circuit",), together="livemostrecent"
    ),
    "budget_limit_usd": GaugeSpec("Dollars that answers may cost in a day.", together="livemostrecent"),
    "budget_left_usd": GaugeSpec("Dollars that are left of the day's budget.", together="livemostrecent"),
    "quota_store_failures_total": CounterSpec("Times that a store of quotas failed."),
    "db_pool_connections": GaugeSpec(
        "Connections to the database: in use, kept open, open beyond those, and the most there may be.",
        ("state",),
    ),
    "db_pool_wait_seconds": HistogramSpec("Getting a connection to the database, opening it included."),
    "index_chunks": GaugeSpec("Chunks of the published edition.", together="livemostrecent"),
    "edition_age_seconds": GaugeSpec("Time since the edition was published.", together="livemostrecent"),
    "ready": GaugeSpec("Whether a question could be answered: 1 or 0.", together="livemostrecent"),
    "workers": GaugeSpec("Workers that live."),
    "backup_last_success_timestamp_seconds": GaugeSpec(
        "When the last backup that went well was finished; 0 before the first.", together="livemostrecent"
    ),
    "backup_last_size_bytes": GaugeSpec("Size of its archive.", together="livemostrecent"),
    "drill_last_success_timestamp_seconds": GaugeSpec(
        "When the last drill that went well was finished; 0 before the first.", together="livemostrecent"
    ),
    "drill_last_ok": GaugeSpec("Whether the last drill went well: 1 or 0.", together="livemostrecent"),
    "drill_recovery_seconds": GaugeSpec(
        "Time that the last good drill took to answer from a backup (RTO).", together="livemostrecent"
    ),
    "drill_data_age_seconds": GaugeSpec(
        "Age of the data that it answered from (RPO).", together="livemostrecent"
    ),
    # Levels, for jobs are processes of their own: they are read off the database.
    "ingest_jobs": GaugeSpec(
        "Books that were sent, by the status of their jobs.", ("status",), "livemostrecent"
    ),
    "ingest_job_duration_seconds": GaugeSpec(
        "Time that the newest job took that has ended.", together="livemostrecent"
    ),
    "process_cpu_seconds_total": CounterSpec("Processor time of the workers."),
    "cpu_limit_cores": GaugeSpec(
        "Cores that the container, else the machine, has for the service.", together="livemostrecent"
    ),
    "process_resident_memory_bytes": GaugeSpec("Memory of the workers that live."),
    "memory_limit_bytes": GaugeSpec(
        "Memory that the container, else the machine, has for the service.", together="livemostrecent"
    ),
}

_STATM = Path("/proc/self/statm")


class Metrics:
    """Counts for one app. With PROMETHEUS_MULTIPROC_DIR set, its workers' numbers are read as one.

    Raises KeyError for a name that is not in the table, ValueError for labels other than the table's.
    """

    def __init__(self) -> None:
        # The library looks for PROMETHEUS_MULTIPROC_DIR when it is imported, and gunicorn's configuration
        # can only set it after this package was.
        import prometheus_client

        # They would double the lines, and are not there in multiprocess mode anyway.
        prometheus_client.disable_created_metrics()
        self.registry = prometheus_client.CollectorRegistry()
        self._families: dict[str, Any] = {name: self._made(name, spec) for name, spec in METRICS.items()}
        self._samplers: list[Callable[[], None]] = [self._sample_process]
        self._lookups: list[Callable[[], None]] = []
        self._sampling = threading.Lock()
        self._cpu_counted = (os.getpid(), 0.0)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._child(name, labels).inc(amount)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Note a duration."""
        self._child(name, labels).observe(seconds)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Put a level where it is."""
        self._child(name, labels).set(value)

    def add(self, name: str, amount: float) -> None:
        """Move a level without labels up or down."""
        self._families[name].inc(amount)

    def on_sample(self, sampler: Callable[[], None]) -> None:
        """Have a function set levels whenever they are sampled."""
        self._samplers.append(sampler)

    def on_scrape(self, lookup: Callable[[], None]) -> None:
        """Have a function set levels that a store has to be asked for: only when they are about to be told.

        No request waits for a store on account of its numbers, `/health` least of all.
        """
        self._lookups.append(lookup)

    def look_up(self) -> None:
        """Set the levels that a store has to be asked for."""
        for lookup in self._lookups:
            lookup()

    def sample(self) -> None:
        """Set the levels that somebody has to look at: after each request, and before they are told.

        A worker's levels are so as fresh as its last request; another worker cannot look for it.
        """
        # In order, or an older look could overwrite a newer one.
        with self._sampling:
            for sampler in self._samplers:
                sampler()

    def _child(self, name: str, labels: dict[str, str]) -> Any:
        family = self._families[name]
        return family.labels(**labels) if labels else family

    def _made(self, name: str, spec: CounterSpec | HistogramSpec | GaugeSpec) -> Any:
        from prometheus_client import Counter, Gauge, Histogram

        if isinstance(spec, CounterSpec):
            return Counter(name, spec.meaning, spec.labels, registry=self.registry)
        if isinstance(spec, HistogramSpec):
            return Histogram(name, spec.meaning, spec.labels, registry=self.registry, buckets=spec.buckets)
        return Gauge(name, spec.meaning, spec.labels, registry=self.registry, multiprocess_mode=spec.together)

    def _sample_process(self) -> None:
        # Multiprocess mode drops the library's own numbers of the process.
        pid, counted = self._cpu_counted
        used = time.process_time()
        if pid != os.getpid():
            counted = 0.0
        self.count("process_cpu_seconds_total", max(0.0, used - counted))
        self._cpu_counted = (os.getpid(), used)
        self.set("workers", 1)
        # Linux alone tells it.
        with suppress(FileNotFoundError):
            pages = int(_STATM.read_bytes().split()[1])
            self.set("process_resident_memory_bytes", pages * os.sysconf("SC_PAGE_SIZE"))


_KINDS: Mapping[type[CounterSpec | HistogramSpec | GaugeSpec], str] = {
    CounterSpec: "counter",
    HistogramSpec: "histogram",
    GaugeSpec: "gauge",
}
_TOGETHER: Mapping[Together, str] = {"livesum": "sum", "livemostrecent": "newest"}


def metrics_table() -> str:
    """Every metric as a row of a Markdown table."""
    rows = [
        f"| `{name}` | {_KINDS[type(spec)]} | {', '.join(f'`{label}`' for label in spec.labels)} "
        f"| {_TOGETHER[spec.together] if isinstance(spec, GaugeSpec) else 'sum'} | {spec.meaning} |"
        for name, spec in METRICS.items()
    ]
    heads = "| metric | type | labels | of several workers | meaning |"
    return "\n".join([heads, "|---|---|---|---|---|", *rows]) + "\n"
