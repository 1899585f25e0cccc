"""Test the Procfile as hosts like Heroku read it: first the release, then the web process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.gunicorn_process import free_port, inherited_environment, is_healthy, living_processes
from harness.loopback import Call, Connection, LoopbackServer
from ragbot.config import PROJECT_ROOT
from tests.conftest import THREE_CHAPTERS
from tests.system.deploy.preloaded_flask import preloaded_flask

PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the database and the logs of this host are."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def host(folder: Path) -> dict[str, str]:
    """Return what such a host gives a process: a port of its choice, a database, how many workers."""
    return inherited_environment() | {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(free_port()),
        "WEB_CONCURRENCY": "3",
        "DATABASE_URL": f"sqlite:///{folder / 'ragbot.db'}",
        "INDEX_DIR": str(folder),
        "EMBEDDER": "none",
        "ENVIRONMENT": "production",
        "BOOK_PATH": str(THREE_CHAPTERS),
        "BOOK_SITE_URL": "https://book.test/",
    }


def honcho(process: str) -> list[str]:
    # No .env of the developer's.
    return [str(PROGRAMS / "honcho"), "--env", os.devnull, "start", process]


def release(host: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the release to its end."""
    return subprocess.run(
        honcho("release"),
        cwd=PROJECT_ROOT,
        env=host,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def released(host: dict[str, str]) -> str:
    """Return what the release said."""
    done = release(host)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def later(host: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the variables of the releases after the first, whose `flask` imports the app once for all."""
    programs = tmp_path_factory.mktemp("programs")
    with preloaded_flask(programs, cwd=PROJECT_ROOT, env=host):
        yield host | {"PATH": f"{programs}{os.pathsep}{host['PATH']}"}


@pytest.fixture(scope="module")
def web(host: dict[str, str], released: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the web process, from its first /health on."""
    log = folder / "web.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            honcho("web"),
            cwd=PROJECT_ROOT,
            env=host,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        until = time.monotonic() + 40
        while not is_healthy(int(host["PORT"])):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_release_then_web_answers_a_question(
    host: dict[str, str], web: subprocess.Popen[bytes], released: str
) -> None:
    """A push to such a host is all that an author does."""
    with closing(http.client.HTTPConnection("127.0.0.1", int(host["PORT"]), timeout=60)) as connection:
        body = json.dumps({"query": "How long is the cheddar ripened?"})
        connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        reply = json.loads(connection.getresponse().read())

    assert "Published edition" in released
    assert "nine months" in reply["answer"]
    assert reply["sources"][0]["url"].startswith("https://book.test/")
    assert workers_below(web.pid) == 3


def workers_below(pid: int) -> int:
    """Return how many processes gunicorn's master, somewhere below honcho, has made."""
    children: dict[int, list[int]] = {}
    for process in living_processes():
        children.setdefault(process.parent, []).append(process.pid)
    layer = [pid]
    while len(layer) == 1:
        layer = children.get(layer[0], [])
    return len(layer)


def test_release_that_runs_again_changes_nothing(later: dict[str, str], released: str) -> None:
    """Each deployment runs it; a book that is there is not taken in again."""
    again = release(later)

    assert again.returncode == 0
    assert "Published edition" in released
    assert "Published edition" not in again.stdout


def test_release_that_cannot_reach_the_database_stops_the_deployment(later: dict[str, str]) -> None:
    """The version before goes on; one that starts without its tables would not."""
    broken = later | {"DATABASE_URL": "postgres://ragbot:secret-of-the-host@127.0.0.1:1/ragbot"}

    done = subprocess.run(
        [PROJECT_ROOT / "deploy" / "release.sh"],
        env=broken,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode != 0
    assert "Connection refused" in done.stderr
    assert "secret-of-the-host" not in done.stderr + done.stdout


def test_release_of_the_version_before_leaves_a_later_ones_database_alone(
    later: dict[str, str], released: str
) -> None:
    """A rollback must come up in minutes, and its hosts run the release again."""
    database = later["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(database)) as connection, connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("UPDATE alembic_version SET version_num = 'of_a_later_version'")
    try:
        done = subprocess.run(
            [PROJECT_ROOT / "deploy" / "release.sh"],
            env=later,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))

    assert done.returncode == 0, done.stderr
    assert "migrated by a later program" in done.stderr


class SlackHook(LoopbackServer):
    """Where Slack would take messages."""

    def respond(self, call: Call, connection: Connection) -> None:
        """Say what Slack says."""
        connection.reply(200, b"ok")


def test_slack_is_told_how_a_release_went(later: dict[str, str], released: str, tmp_path: Path) -> None:
    """Whoever deploys has closed the terminal by then."""
    assert "Published edition" in released
    with SlackHook() as hook:
        (tmp_path / "slack-url").write_text(f"http://127.0.0.1:{hook.port}/services/a/b/c\n")
        told = later | {"SLACK_URL_FILE": str(tmp_path / "slack-url")}
        good = release(told)
        bad = subprocess.run(
            [PROJECT_ROOT / "deploy" / "release.sh"],
            env=told | {"DATABASE_URL": "postgres://ragbot:secret@127.0.0.1:1/ragbot"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        texts = [call.body["text"] for call in hook.calls("/services/a/b/c")]

    assert (good.returncode, bad.returncode == 0) == (0, False)
    assert len(texts) == 2
    assert "ready for this version" in texts[0]
    assert ":x: failed" in texts[1]
    assert "secret" not in texts[1]
