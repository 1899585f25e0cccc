"""Fixtures that every room's tests share: a migrated database, an app, a book that is taken in."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_migrate import upgrade
from flask_openapi import OpenAPI
from werkzeug.serving import make_server

from ragbot import create_app
from ragbot.config import PROJECT_ROOT
from ragbot.extensions import db
from ragbot.services import EXTENSION, Services

THREE_CHAPTERS = Path(__file__).parent / "books_for_tests" / "three-chapters"
SHIPPED_BOOK = PROJECT_ROOT / "books" / "physical-ai"

AppMaker = Callable[..., OpenAPI]


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests hold on every machine: no `.env` and no variable of the developer's reaches them."""
    patch = pytest.MonkeyPatch()
    patch.setattr("ragbot.config.ENV_FILE", tmp_path_factory.mktemp("env") / ".env")
    from ragbot.config import Settings

    patch.setitem(Settings.model_config, "env_file", None)
    for name in Settings.model_fields:
        patch.delenv(name.upper(), raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database as the migrations make it; each test gets a copy."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    app = create_app({"DATABASE_URL": f"sqlite:///{path}", "ENVIRONMENT": "testing", "EMBEDDER": "none"})
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return path


@pytest.fixture
def make_app(migrated_database: Path, tmp_path: Path) -> Iterator[AppMaker]:
    """Make apps on this test's own copy of the database; without a model and an embedder unless told."""
    apps: list[OpenAPI] = []
    database = tmp_path / "ragbot.db"
    shutil.copy(migrated_database, database)

    def make(overrides: dict[str, Any] | None = None, **parts: Any) -> OpenAPI:
        settings = {
            "ENVIRONMENT": "testing",
            "DATABASE_URL": f"sqlite:///{database}",
            "INDEX_DIR": str(tmp_path / "index"),
            "EMBEDDER": "none",
            "EDITION_POLL_S": 0,
            "RATE_LIMIT_ENABLED": False,
            # A question that several tests ask is answered anew in each.
            "CACHE_TTL_HOURS": 0,
        }
        app = create_app({**settings, **(overrides or {})}, **parts)
        apps.append(app)
        return app

    yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: AppMaker) -> OpenAPI:
    """An app that answers from the three-chapter book, extractively, with BM25 alone."""
    app = make_app()
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url="https://book.test/")
    return app


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    """A caller of `app`."""
    return app.test_client()


@dataclass(frozen=True, slots=True)
class RunningApp:
    """An app that listens on the loopback address."""

    app: OpenAPI
    url: str


@pytest.fixture
def run_app() -> Iterator[Callable[[OpenAPI], RunningApp]]:
    """Serve an app from a thread until the test ends."""
    servers = []

    def run(app: OpenAPI) -> RunningApp:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return RunningApp(app, f"http://127.0.0.1:{server.port}")

    yield run
    for server, thread in servers:
        server.shutdown()
        thread.join(5)
        server.server_close()


@pytest.fixture(scope="module")
def live_console(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """A running app that serves the shipped book, without a key."""
    folder = tmp_path_factory.mktemp("console")
    database = folder / "ragbot.db"
    shutil.copy(migrated_database, database)
    app = create_app(
        {
            "ENVIRONMENT": "testing",
            "DATABASE_URL": f"sqlite:///{database}",
            "INDEX_DIR": str(folder),
            "EMBEDDER": "none",
            "RATE_LIMIT_ENABLED": False,
            # A question that several tests ask is answered anew in each.
            "CACHE_TTL_HOURS": 0,
        }
    )
    services_of(app).ingestion.ingest_book(SHIPPED_BOOK, site_url="https://book.test/")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield RunningApp(app, f"http://127.0.0.1:{server.port}")
    server.shutdown()
    thread.join(5)
    server.server_close()
    with app.app_context():
        db.engine.dispose()


def services_of(app: OpenAPI) -> Services:
    """An app's parts."""
    services: Services = app.extensions[EXTENSION]
    return services
