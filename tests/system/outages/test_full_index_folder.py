"""Fill the folder of the index for real: a file system of some megabytes, like many a container's."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.gunicorn_process import GunicornProcess
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import DatabaseMaker

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a file system")

LEFT_FREE = 8 * 1024 * 1024
RETRIED_S = 60


@pytest.fixture
def small_folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder that is a file system of 64 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def environment(tmp_path: Path, small_folder: Path, new_database: DatabaseMaker) -> Iterator[dict[str, str]]:
    with new_database(tmp_path) as url:
        yield {
            "DATABASE_URL": url,
            "INDEX_DIR": str(small_folder / "index"),
            "EMBEDDER": "none",
            "EDITION_POLL_S": "0.1",
            "CACHE_TTL_HOURS": "0",
        }


def ingest(environment: dict[str, str], folder: Path, edition: str) -> None:
    """Ingest a book with its index elsewhere, as another host does."""
    elsewhere = folder / f"index of {edition}"
    app = create_app({**environment, "ENVIRONMENT": "testing", "INDEX_DIR": str(elsewhere)})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition=edition)
    with app.app_context():
        db.engine.dispose()


def fill(folder: Path) -> Path:
    """Write a file that leaves little space, and return it."""
    disk = os.statvfs(folder)
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - LEFT_FREE)
    return filler


def fetch(server: GunicornProcess, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{server.url}{path}",
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def becomes(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + RETRIED_S
    while not holds() and time.monotonic() < until:
        time.sleep(0.2)
    return holds()


def test_server_that_starts_without_space_is_not_ready_and_does_not_die(
    environment: dict[str, str], small_folder: Path, tmp_path: Path
) -> None:
    """The engine maps its files: each worker was killed by a signal, in a loop, while `ready` said ok."""
    ingest(environment, tmp_path, "first")
    filler = fill(small_folder)
    with GunicornProcess(environment) as server:
        workers = server.worker_pids()

        status, asked = fetch(server, "/query", {"query": "How long is the cheddar ripened?"})
        ready, health = fetch(server, "/health/ready")
        filler.unlink()

        assert (status, asked["code"]) == (503, "search_unavailable")
        assert (ready, health["components"]["vector_store"]["detail"]) == (503, "the index cannot be built")
        assert becomes(lambda: fetch(server, "/health/ready")[0] == 200)
        assert fetch(server, "/query", {"query": "How long is the cheddar ripened?"})[0] == 200
        assert server.worker_pids() == workers


def test_old_edition_is_served_while_the_new_one_does_not_fit(
    environment: dict[str, str], small_folder: Path, tmp_path: Path
) -> None:
    """A publication must not take the book from its readers."""
    ingest(environment, tmp_path, "first")

    def served() -> str:
        return str(fetch(server, "/query", {"query": "How long is the cheddar ripened?"})[1]["book_version"])

    with GunicornProcess(environment) as server:
        before = served()
        filler = fill(small_folder)
        ingest(environment | {"EMBEDDER": "local"}, tmp_path, "second")

        def degraded() -> bool:
            return (
                "cannot be built" in fetch(server, "/health/ready")[1]["components"]["vector_store"]["detail"]
            )

        noticed = becomes(degraded)
        meanwhile = served()
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as response:
            outdated = b"\nindex_outdated 1.0\n" in response.read()
        filler.unlink()

        assert (before, noticed, meanwhile, outdated) == ("first", True, "first", True)
        assert becomes(lambda: served() == "second")
        assert not degraded()
