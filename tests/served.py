"""Provide an app that several tests share: migrated, with the three-chapter book ingested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask_openapi import OpenAPI

from harness.gunicorn_process import GunicornProcess
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, RunningApp, services_of
from tests.databases import DatabaseMaker
from tests.wsgi_server import wsgi_server

SITE_URL = "https://book.test/"


@contextmanager
def three_chapter_app(
    new_database: DatabaseMaker, folder: Path, overrides: Mapping[str, Any] | None = None, **parts: Any
) -> Iterator[OpenAPI]:
    """Yield an app on a database of its own. Whoever shares it asks in sessions of his own."""
    with keyless_app(new_database, folder, overrides, **parts) as app:
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url=SITE_URL)
        yield app


@contextmanager
def keyless_app(
    new_database: DatabaseMaker, folder: Path, overrides: Mapping[str, Any] | None = None, **parts: Any
) -> Iterator[OpenAPI]:
    """Yield an app without a book, a key or a quota, on a database of its own."""
    with new_database(folder) as url:
        settings = {
            "ENVIRONMENT": "testing",
            "DATABASE_URL": url,
            "INDEX_DIR": str(folder),
            "EMBEDDER": "none",
            "RATE_LIMIT_ENABLED": False,
            # A question that several tests ask is answered anew in each.
            "CACHE_TTL_HOURS": 0,
        }
        app = create_app({**settings, **(overrides or {})}, **parts)
        yield app
        with app.app_context():
            db.engine.dispose()


@contextmanager
def three_chapter_server(
    new_database: DatabaseMaker, folder: Path, environment: Mapping[str, str]
) -> Iterator[GunicornProcess]:
    """Yield two workers that answer from the book, on a database of their own."""
    with new_database(folder) as url:
        settings = {"DATABASE_URL": url, "INDEX_DIR": str(folder), "EMBEDDER": "none"}
        app = create_app(settings | {"ENVIRONMENT": "testing"})
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        with app.app_context():
            db.engine.dispose()
        with GunicornProcess({**settings, **environment}, workers=2) as running:
            yield running


@contextmanager
def serving_app(app: OpenAPI) -> Iterator[RunningApp]:
    """Serve an app from a thread."""
    with wsgi_server(app) as server:
        yield RunningApp(app, f"http://127.0.0.1:{server.port}")
