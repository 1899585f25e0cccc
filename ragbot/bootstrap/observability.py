"""Build tracing and error reports, and measure the database pool."""

from __future__ import annotations

from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from ragbot.config import Settings
from ragbot.observability.logging import ErrorReporter
from ragbot.observability.metrics import Metrics
from ragbot.observability.tracing import NoTracing, Tracing

log = structlog.get_logger(__name__)


def build_error_reporter(settings: Settings) -> ErrorReporter | None:
    """Return the Sentry reporter; None where SENTRY_DSN is not set or the package is not installed."""
    if settings.sentry_dsn is None:
        return None
    try:
        from ragbot.observability.sentry import SentryReporter
    except ImportError as error:
        log.warning(
            "error_reports_disabled", missing=error.name, remedy="pip install -r requirements-sentry.txt"
        )
        return None
    return SentryReporter(settings.sentry_dsn.get_secret_value(), settings.environment)


def build_tracing(settings: Settings) -> Tracing:
    """Return OpenTelemetry tracing, or one that does nothing where it is not set or not installed."""
    if settings.otel_exporter_otlp_endpoint is None:
        return NoTracing()
    try:
        # An extra, of seven packages, that takes 0.3 s.
        from ragbot.observability.opentelemetry import OpenTelemetryTracing
    except ImportError as error:
        log.warning("tracing_disabled", missing=error.name, remedy="pip install -r requirements-otel.txt")
        return NoTracing()
    return OpenTelemetryTracing(settings.otel_exporter_otlp_endpoint, settings.environment)


def measure_pool(settings: Settings, engine: Engine, metrics: Metrics) -> None:
    """Sample the connection pool whenever the metrics are sampled."""
    limit = settings.db_pool_size + settings.db_max_overflow
    metrics.on_sample(partial(_sample_pool, metrics, engine, limit))


def _sample_pool(metrics: Metrics, engine: Engine, limit: int) -> None:
    pool = engine.pool
    if isinstance(pool, QueuePool):
        metrics.set("db_pool_connections", pool.checkedout(), state="in_use")
        metrics.set("db_pool_connections", pool.size(), state="size")
        metrics.set("db_pool_connections", max(0, pool.overflow()), state="overflow")
        metrics.set("db_pool_connections", limit, state="limit")
