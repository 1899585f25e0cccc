"""Define all metrics in one table, and count into them from any thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ragbot.config.resources import resident_bytes

# Seconds. A stage may take a tenth of a millisecond, an answer half a minute; 8 s is the limit of an alert,
# and a quantile is exact only at a bound.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8, 10, 20, 30, 60)
STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# How a gauge's values of several workers become one: the sum over living workers, or the newest.
Aggregation = Literal["livesum", "livemostrecent"]


@dataclass(frozen=True, slots=True)
class CounterSpec:
    """Define a counter, which only grows, also when workers die."""

    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistogramSpec:
    """Define a histogram of durations, in seconds."""

    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = STAGE_BUCKETS


@dataclass(frozen=True, slots=True)
class GaugeSpec:
    """Define a gauge, a number that goes up and down."""

    meaning: str
    labels: tuple[str, ...] = ()
    aggregation: Aggregation = "livesum"


# Labels have few values: never an id, a path or a text.
METRICS: Mapping[str, CounterSpec | HistogramSpec | GaugeSpec] = {
    "http_requests_total": CounterSpec("Requests answered.", ("method", "endpoint", "status")),
    "http_request_duration_seconds": HistogramSpec(
        "Requests, to the last byte of their answer.", ("method", "endpoint"), REQUEST_BUCKETS
    ),
    "streams_open": GaugeSpec("Answers that are being streamed now."),
    "query_errors_total": CounterSpec("Questions that ended in an error, by its code.", ("code",)),
    "query_stage_duration_seconds": HistogramSpec("Stages of questions.", ("stage",)),
    "embedding_generation_duration_seconds": HistogramSpec("Calls to the embedder for questions."),
    "answers_total": CounterSpec("Turns that ended.", ("status", "mode", "book")),
    "feedback_total": CounterSpec("Ratings of answers, changed ones included.", ("rating",)),
    "gaps_open": GaugeSpec(
        "Groups of questions that failed in seven days, and that no later answer has closed.",
        aggregation="livemostrecent",
    ),
    "answer_sentences_total": CounterSpec(
        "Sentences of new answers: that claim something, carry a mark that holds, are supported.",
        ("kind",),
    ),
    "answer_cache_results_total": CounterSpec(
        "Finished answers, by the result of the cache lookup.", ("result",)
    ),
    "degradations_total": CounterSpec("Answers given without a part of the service, by the part.", ("kind",)),
    "llm_tokens_total": CounterSpec("Tokens that providers charged for.", ("model", "kind")),
    "llm_cost_usd_total": CounterSpec("Dollars that models charged.", ("model",)),
    "limiter_refusals_total": CounterSpec("Requests refused with 429."),
    "cache_failures_total": CounterSpec(
        "Failures of a cache store, unreadable entries included.", ("store",)
    ),
    "state_store_failures_total": CounterSpec("Failures of a store of shared states.", ("store",)),
    "circuit_open": GaugeSpec(
        "1 while a circuit is open, so that the part is not called after failures.",
        ("circuit",),
        aggregation="livemostrecent",
    ),
    "budget_limit_usd": GaugeSpec("Dollars that answers may cost in a day.", aggregation="livemostrecent"),
    "budget_left_usd": GaugeSpec("Dollars that are left of the day's budget.", aggregation="livemostrecent"),
    "quota_store_failures_total": CounterSpec("Failures of a store of rate limit counters."),
    "db_pool_connections": GaugeSpec(
        "Connections to the database: in use, pool size, overflow, and their limit.",
        ("state",),
    ),
    "db_pool_wait_seconds": HistogramSpec("Waits for a connection to the database, opening it included."),
    "index_chunks": GaugeSpec("Chunks of the published edition.", aggregation="livemostrecent"),
    "index_outdated": GaugeSpec(
        "Whether the newest edition's index cannot be built, so that readers get the one before: 1 or 0.",
        aggregation="livemostrecent",
    ),
    "edition_age_seconds": GaugeSpec("Time since the edition was published.", aggregation="livemostrecent"),
    "ready": GaugeSpec("Whether a question could be answered: 1 or 0.", aggregation="livemostrecent"),
    "workers": GaugeSpec("Workers that run."),
    "backup_last_success_timestamp_seconds": GaugeSpec(
        "Time of the last successful backup; 0 before the first.", aggregation="livemostrecent"
    ),
    "backup_last_size_bytes": GaugeSpec(
        "Size of its archive; 0 before the first.", aggregation="livemostrecent"
    ),
    "drill_last_success_timestamp_seconds": GaugeSpec(
        "Time of the last successful drill; 0 before the first.", aggregation="livemostrecent"
    ),
    "drill_last_ok": GaugeSpec(
        "Whether the last drill succeeded: 1 or 0; 0 before the first.", aggregation="livemostrecent"
    ),
    "drill_recovery_seconds": GaugeSpec(
        "Time that the last successful drill took to answer from a backup (RTO); 0 before the first.",
        aggregation="livemostrecent",
    ),
    "drill_data_age_seconds": GaugeSpec(
        "Age of the data that it answered from (RPO); 0 before the first.", aggregation="livemostrecent"
    ),
    # Gauges, as jobs are processes of their own: the values are read from the database.
    "ingest_jobs": GaugeSpec("Uploaded books, by the status of their jobs.", ("status",), "livemostrecent"),
    "ingest_job_duration_seconds": GaugeSpec(
        "Duration of the newest job that has ended; 0 before the first.", aggregation="livemostrecent"
    ),
    "process_cpu_seconds_total": CounterSpec("Processor time of the workers."),
    "cpu_limit_cores": GaugeSpec(
        "Cores of the container, else of the machine.", aggregation="livemostrecent"
    ),
    "process_resident_memory_bytes": GaugeSpec("Memory of the workers that run."),
    "memory_limit_bytes": GaugeSpec(
        "Memory of the container, else of the machine.", aggregation="livemostrecent"
    ),
}


class Metrics:
    """Count for one app. With PROMETHEUS_MULTIPROC_DIR set, the numbers of all workers are read together.

    Raises KeyError for a name that is not in the table, ValueError for labels other than the table's.
    """

    def __init__(self) -> None:
        # The library reads PROMETHEUS_MULTIPROC_DIR when it is imported, and gunicorn's configuration sets it
        # after this module was imported.
        import prometheus_client

        # They would double the lines, and multiprocess mode does not have them anyway.
        prometheus_client.disable_created_metrics()
        self.registry = prometheus_client.CollectorRegistry()
        self._families: dict[str, Any] = {name: self._create(name, spec) for name, spec in METRICS.items()}
        self._samplers: list[Callable[[], None]] = [self._sample_process]
        self._lookups: list[Callable[[], None]] = []
        self._sampling = threading.Lock()
        self._cpu_counted = (os.getpid(), 0.0)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._child(name, labels).inc(amount)

    def start_at_zero(self, name: str, **labels: str) -> None:
        """Export a counter or a histogram from the first scrape on, before it has counted anything.

        A series that appears with its first event has no increase then: no rate and no alert sees that event.
        Raises ValueError for a gauge: its value is set, and not started.
        """
        if isinstance(METRICS[name], GaugeSpec):
            raise ValueError(f"{name} is a gauge: set it.")
        self._child(name, labels)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Record a duration."""
        self._child(name, labels).observe(seconds)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._child(name, labels).set(value)

    def add(self, name: str, amount: float) -> None:
        """Add to a gauge without labels; a negative amount subtracts."""
        self._families[name].inc(amount)

    def on_sample(self, sampler: Callable[[], None]) -> None:
        """Call a function that sets gauges whenever they are sampled."""
        self._samplers.append(sampler)

    def on_scrape(self, lookup: Callable[[], None]) -> None:
        """Call a function that sets gauges from a store: only before a scrape.

        So no other request waits for a store on account of the metrics, `/health` least of all.
        """
        self._lookups.append(lookup)

    def look_up(self) -> None:
        """Set the gauges whose values are in a store."""
        for lookup in self._lookups:
            lookup()

    def sample(self) -> None:
        """Set the gauges of this process: after each request, and before a scrape.

        A worker's gauges are as fresh as its last request; another worker cannot set them.
        """
        # One at a time, or an older sample could overwrite a newer one.
        with self._sampling:
            for sampler in self._samplers:
                sampler()

    def _child(self, name: str, labels: dict[str, str]) -> Any:
        family = self._families[name]
        return family.labels(**labels) if labels else family

    def _create(self, name: str, spec: CounterSpec | HistogramSpec | GaugeSpec) -> Any:
        from prometheus_client import Counter, Gauge, Histogram

        if isinstance(spec, CounterSpec):
            return Counter(name, spec.meaning, spec.labels, registry=self.registry)
        if isinstance(spec, HistogramSpec):
            return Histogram(name, spec.meaning, spec.labels, registry=self.registry, buckets=spec.buckets)
        return Gauge(
            name, spec.meaning, spec.labels, registry=self.registry, multiprocess_mode=spec.aggregation
        )

    def _sample_process(self) -> None:
        # Multiprocess mode drops the library's own metrics of the process.
        pid, counted = self._cpu_counted
        used = time.process_time()
        if pid != os.getpid():
            counted = 0.0
        self.count("process_cpu_seconds_total", max(0.0, used - counted))
        self._cpu_counted = (os.getpid(), used)
        self.set("workers", 1)
        if (resident := resident_bytes()) is not None:
            self.set("process_resident_memory_bytes", resident)


_KINDS: Mapping[type[CounterSpec | HistogramSpec | GaugeSpec], str] = {
    CounterSpec: "counter",
    HistogramSpec: "histogram",
    GaugeSpec: "gauge",
}
_AGGREGATIONS: Mapping[Aggregation, str] = {"livesum": "sum", "livemostrecent": "newest"}


def metrics_table() -> str:
    """Return all metrics as a Markdown table."""
    rows = [
        f"| `{name}` | {_KINDS[type(spec)]} | {', '.join(f'`{label}`' for label in spec.labels)} "
        f"| {_AGGREGATIONS[spec.aggregation] if isinstance(spec, GaugeSpec) else 'sum'} | {spec.meaning} |"
        for name, spec in METRICS.items()
    ]
    heads = "| metric | type | labels | of several workers | meaning |"
    return "\n".join([heads, "|---|---|---|---|---|", *rows]) + "\n"
