"""Provide services on both kinds of database with a book and sessions, and an S3-compatible store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask_openapi import OpenAPI
from moto.server import ThreadedMotoServer
from sqlalchemy import make_url, text

from ragbot import create_app
from ragbot.core.answers import Question
from ragbot.extensions import db
from ragbot.services import Services
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import KINDS, postgres_programs, store_params

CHEDDAR = "How long is the cheddar ripened?"
STARTER = "When does Alice feed the sourdough starter?"


@dataclass(frozen=True, slots=True)
class Service:
    """Hold an app with the folder of its backups."""

    app: OpenAPI
    url: str
    backups: Path

    @property
    def parts(self) -> Services:
        return services_of(self.app)

    def flask(self, *arguments: object) -> Result:
        return self.app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])

    def ask(self, question: str = CHEDDAR) -> str:
        """Ask a question, and return the status that the database has for its answer."""
        with self.app.app_context():
            running = self.parts.turns.begin(Question(question), None)
            for _ in running.events:
                pass
            (messages, _) = self.parts.conversations.messages(running.turn.session_id, limit=1)
        return messages[0].status

    def rows(self, *names: str) -> dict[str, list[Any]]:
        """Return all rows of some tables."""
        with self.app.app_context(), db.engine.connect() as connection:
            return {
                name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY 1"))]
                for name in names
            }

    def execute(self, statement: str) -> None:
        with self.app.app_context(), db.engine.begin() as connection:
            connection.execute(text(statement))

    def archive(self) -> Path:
        """Return the only archive that there is."""
        (archive,) = self.backups.glob("*.tar.gz")
        return archive


KEPT_TABLES = (
    *("sessions", "messages", "editions", "publications", "pages", "sections", "chunks", "spending"),
    *("asked_questions", "question_groups"),
)


def fill(service: Service) -> None:
    """Ingest a book and ask the questions of Alice and Bob."""
    service.parts.ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url="https://book.test/")
    assert service.ask(CHEDDAR) == "answered"
    assert service.ask(STARTER) == "answered"


OpenService = Callable[..., Service]


@pytest.fixture(scope="session")
def open_anywhere() -> Iterator[OpenService]:
    """Open services on databases that are there; their connections are closed at the end."""
    opened: list[OpenAPI] = []

    def open_service(url: str, folder: Path, overrides: dict[str, Any] | None = None) -> Service:
        settings = {
            "ENVIRONMENT": "testing",
            "DATABASE_URL": url,
            "INDEX_DIR": str(folder / "index"),
            "EMBEDDER": "none",
            "EDITION_POLL_S": 0,
            "RATE_LIMIT_ENABLED": False,
            "BACKUP_URL": str(folder / "backups"),
            "PG_BIN_DIR": str(postgres_programs()),
        }
        app = create_app({**settings, **(overrides or {})})
        opened.append(app)
        return Service(app, url, folder / "backups")

    yield open_service
    for app in opened:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="session")
def filled_sqlite(
    migrated_database: Path, open_anywhere: OpenService, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Create a database with a book and sessions, to be copied."""
    folder = tmp_path_factory.mktemp("filled")
    path = Path(shutil.copy(migrated_database, folder / "ragbot.db"))
    service = open_anywhere(f"sqlite:///{path}", folder)
    fill(service)
    close(service)
    return path


@pytest.fixture(scope="session")
def filled_postgres(
    make_postgres_database: Callable[..., str],
    migrated_postgres: str,
    open_anywhere: OpenService,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Create a database with a book and sessions, to be copied; return its name."""
    url = make_postgres_database(migrated_postgres)
    service = open_anywhere(url, tmp_path_factory.mktemp("filled"))
    fill(service)
    close(service)
    return str(make_url(url).database)


def close(service: Service) -> None:
    """Leave no connection open, so that the database can be copied."""
    with service.app.app_context():
        db.engine.dispose()


@pytest.fixture(params=store_params(*KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def filled_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of this test's own database with a book and sessions."""
    if kind == "postgresql":
        make = request.getfixturevalue("make_postgres_database")
        return make(request.getfixturevalue("filled_postgres"))
    (tmp_path / "live").mkdir()
    shutil.copy(request.getfixturevalue("filled_sqlite"), tmp_path / "live" / "ragbot.db")
    return f"sqlite:///{tmp_path / 'live' / 'ragbot.db'}"


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database of the same kind."""
    if kind == "postgresql":
        return request.getfixturevalue("make_postgres_database")()
    return f"sqlite:///{tmp_path / 'other' / 'ragbot.db'}"


@pytest.fixture
def service(filled_url: str, open_anywhere: OpenService, tmp_path: Path) -> Service:
    """Open a service with a book and sessions."""
    return open_anywhere(filled_url, tmp_path)


@pytest.fixture
def sqlite_service(filled_sqlite: Path, open_anywhere: OpenService, tmp_path: Path) -> Service:
    """Open a service on SQLite, for tests that do not depend on the database."""
    (tmp_path / "live").mkdir()
    shutil.copy(filled_sqlite, tmp_path / "live" / "ragbot.db")
    return open_anywhere(f"sqlite:///{tmp_path / 'live' / 'ragbot.db'}", tmp_path)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Run an S3-compatible store and return its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
