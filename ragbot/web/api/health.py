"""`/health`: whether the process is up, and whether a question could be answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from ragbot.core.domain import EditionFacts
from ragbot.services import current_services
from ragbot.version import __version__
from ragbot.web.schemas import json_reply, timestamp

health = APIBlueprint(
    "health", __name__, url_prefix="/health", abp_tags=[Tag(name="Service", description="Is it well?")]
)


class Alive(BaseModel):
    """The process is up."""

    status: Literal["healthy"] = "healthy"


class Component(BaseModel):
    """A part of the service. `latency_ms` is null where nothing was asked or nothing came back."""

    status: Literal["ok", "degraded", "down"]
    latency_ms: float | None
    detail: str


class Components(BaseModel):
    """Each part."""

    database: Component
    vector_store: Component
    cache: Component
    llm: Component
    embeddings: Component


class PublishedBook(BaseModel):
    """The edition that readers get."""

    edition: str
    sections: int
    chunks: int
    published_at: str | None


class Ready(BaseModel):
    """How the parts are. `status` is `down` only where no question could be answered at all."""

    status: Literal["ok", "degraded", "down"]
    version: str
    environment: str
    components: Components
    book: PublishedBook | None


@health.get("", responses={"200": Alive}, summary="Is the process up?")
def alive() -> Response:
    """Answer without any input or output."""
    return Response(b'{"status":"healthy"}', mimetype="application/json")


@health.get(
    "/ready",
    responses={"200": Ready, "503": Ready},
    summary="Could a question be answered?",
)
def ready() -> Response:
    """Ask each part whether it is there, each within 0.6 s and at most once a second."""
    services = current_services()
    report = services.readiness.report()
    body = {
        "status": report.status,
        "version": __version__,
        "environment": services.settings.environment,
        "components": {name: asdict(finding) for name, finding in report.components.items()},
        "book": _book(report.book) if report.book else None,
    }
    return json_reply(body, 503 if report.status == "down" else 200)


def _book(facts: EditionFacts) -> dict[str, Any]:
    return {
        "edition": facts.name,
        "sections": facts.sections,
        "chunks": facts.chunks,
        "published_at": timestamp(facts.published_at) if facts.published_at else None,
    }
