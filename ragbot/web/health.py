"""`/health`: whether the process is up, and whether a question could be answered."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any, Literal

import orjson
from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from ragbot.core.errors import RagbotError
from ragbot.records.catalogue import EditionRow
from ragbot.services import Services, current_services
from ragbot.version import __version__
from ragbot.web.payloads import timestamp

health = APIBlueprint(
    "health", __name__, url_prefix="/health", abp_tags=[Tag(name="Service", description="Is it well?")]
)

PING_LIMIT_S = 0.6


class Alive(BaseModel):
    """The process is up."""

    status: Literal["healthy"] = "healthy"


@health.get("", responses={"200": Alive}, summary="Is the process up?")
def alive() -> Response:
    """Answer without any input or output."""
    return Response(b'{"status":"healthy"}', mimetype="application/json")


@health.get("/ready", summary="Could a question be answered?")
def ready() -> Response:
    """Ask each part whether it is there, each within 0.6 s."""
    services = current_services()
    components = _components(services)
    book = _book(services) if components["database"]["status"] == "ok" else None
    down = {name for name in ("database", "vector_store") if components[name]["status"] == "down"}
    status = "down" if down or book is None else "degraded" if _any_not_ok(components) else "ok"
    body = {
        "status": status,
        "version": __version__,
        "environment": services.settings.environment,
        "components": components,
        "book": book,
    }
    return Response(orjson.dumps(body), 503 if status == "down" else 200, mimetype="application/json")


def _any_not_ok(components: dict[str, dict[str, Any]]) -> bool:
    return any(component["status"] != "ok" for component in components.values())


def _components(services: Services) -> dict[str, dict[str, Any]]:
    """Each part's state. A ping that hangs holds up neither the others nor the answer."""
    pool = ThreadPoolExecutor(len(services.pings), thread_name_prefix="ping")
    started = time.perf_counter()
    asked = {name: pool.submit(_timed, ping) for name, ping in services.pings.items()}
    try:
        return {name: _state(future, started) for name, future in asked.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _timed(ping: Any) -> float:
    started = time.perf_counter()
    ping()
    return (time.perf_counter() - started) * 1000


def _state(asked: Future[float], started: float) -> dict[str, Any]:
    try:
        left_s = max(0.0, started + PING_LIMIT_S - time.perf_counter())
        return {"status": "ok", "latency_ms": round(asked.result(left_s), 1), "detail": ""}
    except TookTooLong:
        return {"status": "down", "latency_ms": None, "detail": "no answer in time"}
    except RagbotError as error:
        return {"status": "down", "latency_ms": None, "detail": error.code}


def _book(services: Services) -> dict[str, Any] | None:
    published = next((row for row in services.catalogue.editions() if row.published), None)
    return _edition(published) if published else None


def _edition(row: EditionRow) -> dict[str, Any]:
    facts = row.facts
    return {
        "edition": facts.name,
        "sections": facts.sections,
        "chunks": facts.chunks,
        "published_at": timestamp(facts.published_at) if facts.published_at else None,
    }
