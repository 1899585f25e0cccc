"""Report whether the process is up (`/health`) and whether it could answer a question (`/health/ready`)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from ragbot.core.domain import EditionFacts
from ragbot.core.timestamps import timestamp
from ragbot.services import current_services
from ragbot.version import __version__
from ragbot.web.schemas import json_reply

health = APIBlueprint(
    "health",
    __name__,
    url_prefix="/health",
    abp_tags=[Tag(name="Service", description="Health and metrics.")],
)


class Alive(BaseModel):
    """Report that the process is up."""

    status: Literal["healthy"] = "healthy"


class Component(BaseModel):
    """Report the state of a part. `latency_ms` is null where it was not called or did not answer."""

    status: Literal["ok", "degraded", "down"]
    latency_ms: float | None
    detail: str


class Components(BaseModel):
    """Report the state of each part."""

    database: Component
    vector_store: Component
    cache: Component
    llm: Component
    embeddings: Component


class PublishedBook(BaseModel):
    """Describe the edition that readers get."""

    edition: str
    sections: int
    chunks: int
    published_at: str | None


class Ready(BaseModel):
    """Report the state of the service: `down` only where no question could be answered at all."""

    status: Literal["ok", "degraded", "down"]
    version: str
    environment: str
    components: Components
    book: PublishedBook | None


@health.get("", responses={"200": Alive}, summary="Is the process up?")
def alive() -> Response:
    """Answer at once, without calling any part."""
    return Response(b'{"status":"healthy"}', mimetype="application/json")


@health.get(
    "/ready",
    responses={"200": Ready, "503": Ready},
    summary="Could a question be answered?",
)
def ready() -> Response:
    """Check each part, within 0.6 s and at most once a second."""
    services = current_services()
    report = services.readiness.report()
    body = {
        "status": report.status,
        "version": __version__,
        "environment": services.settings.environment,
        "components": {name: asdict(result) for name, result in report.components.items()},
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
