"""Provide stores of counters and a browser for the tests that run the web in processes."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ragbot.config import Settings
from tests.conftest import SHIPPED_BOOK, RunningApp, services_of
from tests.databases import DatabaseMaker, store_params
from tests.served import keyless_app, serving_app
from tests.system.web.widget_site import BOOK_URL, SITES, WidgetSite, serving_sites

WHOLE_CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_SHELL = "/usr/bin/chromium-headless-shell"
# The same engine without a browser's windows around it, for half the CPU.
CHROMIUM = _SHELL if "CHROMIUM" not in os.environ and os.path.exists(_SHELL) else WHOLE_CHROMIUM
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Collect garbage behind a file of browser tests, and not within them.

    Playwright's calls run on the stack of a greenlet. An index of an earlier test that was collected and
    closed there has ended the whole process.
    """
    if "chromium" not in getattr(item, "fixturenames", ()):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        if nextitem is None or nextitem.path != item.path:
            gc.collect()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Start one Chromium for all tests of a run that drive a browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"no browser at {CHROMIUM}")
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def live_console(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    """Yield a running app that serves the shipped book, without a key."""
    with keyless_app(new_database, tmp_path_factory.mktemp("console")) as app:
        services_of(app).ingestion.ingest_book(SHIPPED_BOOK, site_url="https://book.test/")
        with serving_app(app) as running:
            yield running


@pytest.fixture(scope="session")
def site() -> Iterator[WidgetSite]:
    with serving_sites() as site:
        yield site


@pytest.fixture(scope="session")
def service(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory, site: WidgetSite
) -> Iterator[RunningApp]:
    """Yield a service that answers from the MkDocs site, without a model, to pages of `site` alone."""
    settings = {
        "ALLOWED_ORIGINS_STR": site.url,
        "WIDGET_TOKEN_MINUTES": 5,
        "SECRET_KEY": "q8Zr-2Lw9-Xk47-uTn3",
        # As it ships, and not as other tests have it.
        "CACHE_TTL_HOURS": Settings.model_fields["cache_ttl_hours"].default,
    }
    with keyless_app(new_database, tmp_path_factory.mktemp("widget"), settings) as app:
        services_of(app).ingestion.ingest_book(SITES / "mkdocs" / "built", site_url=BOOK_URL)
        with serving_app(app) as running:
            yield running


@pytest.fixture
def visit(chromium: Any, site: WidgetSite, service: RunningApp) -> Iterator[Any]:
    """Open a page, and check in the end that nothing was complained about and no stranger was asked."""
    from tests.system.web.widget_visit import visiting

    with visiting(chromium, site, service) as visit:
        yield visit


@pytest.fixture(params=store_params("sqlite", "postgresql", "redis"))
def store(request: pytest.FixtureRequest, tmp_path: Path, migrated_database: Path) -> dict[str, str]:
    """Return the settings of each store in which workers count calls and cache answers."""
    if request.param == "postgresql":
        make = request.getfixturevalue("make_postgres_database")
        url = make(request.getfixturevalue("migrated_postgres"))
        # Two workers' connections fit into the hundred that the server has, and each call waits for one.
        pool = {"DB_POOL_SIZE": "20", "DB_MAX_OVERFLOW": "20", "DB_POOL_TIMEOUT_S": "60"}
        return {"DATABASE_URL": url} | pool
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'ragbot.db'}"}
    if request.param == "redis":
        settings["REDIS_URL"] = request.getfixturevalue("redis_url")
    return settings
