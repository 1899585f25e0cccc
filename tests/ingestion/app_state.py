"""Read what an app has published, and how it answers."""

from __future__ import annotations

from flask_openapi import OpenAPI
from sqlalchemy import text

from ragbot.extensions import db
from tests.conftest import services_of

CHEDDAR = "How long is the cheddar ripened?"


def answer(app: OpenAPI, question: str = CHEDDAR, **more: object) -> dict[str, object]:
    reply = app.test_client().post("/query", json={"query": question, **more})
    assert reply.status_code == 200, reply.data
    return reply.json


def published(app: OpenAPI) -> str | None:
    facts = services_of(app).editions.published()
    return facts.name if facts else None


def names(app: OpenAPI) -> list[str]:
    return [row.facts.name for row in services_of(app).editions.editions()]


def vectors_in(app: OpenAPI) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM vectors")) or 0
