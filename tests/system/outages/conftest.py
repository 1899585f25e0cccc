"""Provide apps whose parts can be made unavailable, and servers that can be killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import make_url

from harness.openai_upstream import OpenAIUpstream
from harness.pipe import Pipe
from harness.stack import Ground
from harness.steered_upstream import running_upstream
from ragbot import create_app
from ragbot.core.ports import SharedState
from ragbot.extensions import db
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from tests.conftest import THREE_CHAPTERS, CopyMaker, close_database, services_of
from tests.databases import DatabaseMaker, with_index

CHEDDAR = "How long is the cheddar ripened?"
STARTER = "When does Alice feed the starter?"


@dataclass(frozen=True)
class Reply:
    """What a reader got, and how long it took."""

    status: int
    body: dict[str, Any]
    seconds: float

    @property
    def degraded(self) -> list[str]:
        return self.body["degraded"]


def ask(app: OpenAPI, query: str = CHEDDAR, **more: Any) -> Reply:
    """Ask one question over HTTP."""
    began = time.monotonic()
    reply = app.test_client().post("/query", json={"query": query, **more})
    return Reply(reply.status_code, reply.json, time.monotonic() - began)


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIUpstream]:
    """Yield a provider for one test after another."""
    with OpenAIUpstream(answer=lambda _: "Nine months [1].") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def database_with_book(
    new_database: DatabaseMaker,
    copies_of: CopyMaker,
    upstream: OpenAIUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DatabaseMaker]:
    """Make databases that have the three-chapter book with the provider's vectors, ingested once."""
    folder = tmp_path_factory.mktemp("ingested")
    with new_database(folder) as url, closing_apps() as stack:
        app = create_app(settings_with_provider(url, folder, upstream))
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        stack.close()
        close_database(app)
        yield with_index(copies_of(url), folder / "index")


@pytest.fixture
def make_app(
    new_database: DatabaseMaker, database_with_book: DatabaseMaker, tmp_path: Path, upstream: OpenAIUpstream
) -> Iterator[Callable[..., OpenAPI]]:
    """Make apps that answer from the three-chapter book, by a provider that is well unless it is told."""
    upstream.reset()
    with closing_apps() as stack:

        def make(**overrides: Any) -> OpenAPI:
            elsewhere = {"DATABASE_URL", "QDRANT_URL"} & overrides.keys()
            url = stack.enter_context((new_database if elsewhere else database_with_book)(tmp_path))
            app = create_app({**settings_with_provider(url, tmp_path, upstream), **overrides})
            if elsewhere:
                services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
            stack.callback(close_database, app)
            return app

        yield make
    upstream.reset()


def settings_with_provider(database_url: str, folder: Path, upstream: OpenAIUpstream) -> dict[str, Any]:
    """Return the settings of an app that asks the provider for answers and vectors."""
    return {
        "ENVIRONMENT": "testing",
        "DATABASE_URL": database_url,
        "INDEX_DIR": str(folder / "index"),
        "EMBEDDER": "openai",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": upstream.base_url,
        "OPENAI_LLM_FALLBACK_MODEL": "gpt-4o-mini",
        "RATE_LIMIT_ENABLED": False,
        "CACHE_TTL_HOURS": 0,
    }


@contextmanager
def closing_apps() -> Iterator[ExitStack]:
    """Yield what closes apps at the end, with the connections to the provider that they made."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())

        def closed_at_the_end(access: OpenAIAccess, states: SharedState | None = None) -> OpenAIClient:
            client = OpenAIClient(access, states)
            # (A process keeps its connections to the end; the test run's end would complain of them.)
            stack.callback(lambda: client.close())
            return client

        patch.setattr("ragbot.providers.openai.client.OpenAIClient", closed_at_the_end)
        yield stack


@pytest.fixture
def database_pipe(
    make_postgres_database: Callable[..., str], migrated_postgres: str
) -> Iterator[tuple[Pipe, str]]:
    """Yield a PostgreSQL database behind a pipe, with its address."""
    url = make_url(make_postgres_database(migrated_postgres))
    with Pipe(f"{url.query['host']}/.s.PGSQL.5432") as pipe:
        yield pipe, url.set(host="127.0.0.1", port=pipe.port, query={}).render_as_string(hide_password=False)


@pytest.fixture
def ground(tmp_path: Path, app_database: str) -> Iterator[Ground]:
    """As the bench lays it, on a copy of the migrated database and without vectors."""
    settings = {
        "DATABASE_URL": app_database,
        "INDEX_DIR": str(tmp_path / "index"),
        "EMBEDDER": "none",
        "OPENAI_API_KEY": "sk-test",
    }
    app = create_app({**settings, "ENVIRONMENT": "testing"})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context():
        db.engine.dispose()
    with running_upstream() as upstream:
        yield Ground(tmp_path, {**settings, "OPENAI_BASE_URL": upstream.base_url}, upstream)
