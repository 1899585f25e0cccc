"""Serve the metrics of all workers in the Prometheus format (`GET /metrics`)."""

from __future__ import annotations

import struct
import time

from flask import Blueprint, Response, request

from ragbot.config.resources import machine_resources
from ragbot.core.errors import DatabaseUnavailable
from ragbot.health.readiness import ReadinessReport
from ragbot.observability.multiprocess import consistent_read
from ragbot.services import Services, current_services
from ragbot.web.middleware.authentication import require_metrics_token

# Not an API blueprint: metrics are for the operator, and no part of the contract.
metrics = Blueprint("metrics", __name__)
metrics.before_request(require_metrics_token)

ATTEMPTS = 3


@metrics.get("/metrics")
def expose() -> Response:
    """Return everything that was counted since the server started."""
    services = current_services()
    services.metrics.sample()
    _sample_limits(services)
    report = services.readiness.report()
    _sample_readiness(services, report)
    # A database that hangs would hang this request: only one that has just answered is queried.
    if report.components["database"].status != "down":
        services.metrics.look_up()
        services.maintenance.sample()
        services.insight_metrics.sample()
        _sample_jobs(services)
    text, content_type = _exposition(services)
    return Response(text, content_type=content_type)


def _sample_readiness(services: Services, report: ReadinessReport) -> None:
    services.metrics.set("ready", report.status != "down")
    services.metrics.set("index_outdated", bool(services.published.trouble()))
    book = report.book
    services.metrics.set("index_chunks", book.chunks if book else 0)
    if book and book.published_at:
        services.metrics.set("edition_age_seconds", max(0.0, time.time() - book.published_at.timestamp()))


def _sample_limits(services: Services) -> None:
    # A container's limits can be changed while it runs.
    resources = machine_resources()
    services.metrics.set("memory_limit_bytes", resources.memory_bytes)
    services.metrics.set("cpu_limit_cores", resources.cores)


def _sample_jobs(services: Services) -> None:
    try:
        numbers = services.ingest_jobs.records.numbers()
    except DatabaseUnavailable:
        return
    for status, count in numbers.by_status.items():
        services.metrics.set("ingest_jobs", count, status=status)
    services.metrics.set("ingest_job_duration_seconds", numbers.last_took_s or 0.0)


def _exposition(services: Services) -> tuple[str, str]:
    # It imports prometheus_client, which must not happen before gunicorn's configuration has been read.
    from prometheus_flask_exporter import PrometheusMetrics

    exporter = PrometheusMetrics(None, path=None, export_defaults=False, registry=services.metrics.registry)
    for attempts_left in range(ATTEMPTS - 1, -1, -1):
        try:
            with consistent_read():
                text, content_type = exporter.generate_metrics(request.headers.get("Accept"))
                return text, content_type
        except (struct.error, FileNotFoundError):
            # A worker that is just starting has created its file and written nothing into it yet.
            if not attempts_left:
                raise
    raise AssertionError("unreachable")
