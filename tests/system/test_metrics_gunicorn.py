"""Test metrics and logs of real workers: sums over processes, streams to their last byte."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from harness.gunicorn_process import GunicornProcess, open_files
from harness.openai_upstream import OpenAIUpstream, Reply
from harness.prometheus import Scrape
from ragbot import create_app
from ragbot.extensions import db
from ragbot.observability.multiprocess import PREFIX
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import DatabaseMaker

pytestmark = pytest.mark.sqlite_is_enough

SHARED_MEMORY = Path("/dev/shm")
KEY = "sk-a-key-that-must-not-be-seen"
ASKED = "How long is the cheddar ripened?"
WORDS = ["The ", "cheddar ", "ripens ", "for ", "nine ", "months ", "[1]."]
PAUSE_S = 0.15


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIUpstream]:
    """Yield a provider that takes about a second for an answer."""
    with OpenAIUpstream(models=("gpt-4o",)) as upstream:
        upstream.always(Reply(tokens=WORDS, delay_s=PAUSE_S))
        yield upstream


@pytest.fixture(scope="module")
def settings(
    new_database: DatabaseMaker, tmp_path_factory, upstream: OpenAIUpstream
) -> Iterator[dict[str, str]]:
    """Of a server that knows the three-chapter book."""
    folder = tmp_path_factory.mktemp("served")
    with new_database(folder) as url:
        chosen = {
            "DATABASE_URL": url,
            "INDEX_DIR": str(folder),
            "EMBEDDER": "none",
            "RATE_LIMIT_ENABLED": "false",
        }
        app = create_app(chosen | {"ENVIRONMENT": "testing"})
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        with app.app_context():
            db.engine.dispose()
        yield chosen | {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": upstream.base_url}


@pytest.fixture(scope="module")
def stale_folder() -> Iterator[Path]:
    """Yield what a server leaves that was killed: its lock is nobody's."""
    folder = SHARED_MEMORY / f"{PREFIX}left-by-a-test"
    folder.mkdir()
    (folder / "lock").touch()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(settings: dict[str, str], stale_folder: Path) -> Iterator[GunicornProcess]:
    """Two workers."""
    with GunicornProcess(settings, workers=2) as server:
        yield server


@pytest.fixture(scope="module")
def narrow(settings: dict[str, str]) -> Iterator[GunicornProcess]:
    """Yield one worker that answers two questions at once."""
    places = {"MAX_STREAMS": "2", "RESERVE_THREADS": "2", "METRICS_TOKEN": "let-me-in"}
    with GunicornProcess(settings | places, workers=1) as server:
        yield server


def fetched(server: GunicornProcess, path: str, body: Any = None, **headers: str) -> tuple[Any, bytes, float]:
    """Return the response, its body, and how many seconds it took."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        sent = {"Content-Type": "application/json", **headers}
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, sent)
        response = connection.getresponse()
        return response, response.read(), time.monotonic() - started
    finally:
        connection.close()


def scraped(server: GunicornProcess) -> Scrape:
    return Scrape(fetched(server, "/metrics")[1].decode())


def at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as callers:
        return [future.result() for future in [callers.submit(call) for _ in range(count)]]


def until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    ends_at = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < ends_at, "it never came to be"
        time.sleep(0.05)


def own_folder(server: GunicornProcess) -> Path:
    """Return the folder of a server's numbers: the one whose lock its master holds."""
    held = open_files(server.pid)
    return next(Path(name).parent for name in held if fnmatch(name, f"*/{PREFIX}*/lock"))


def test_sums_are_exact_over_workers_and_outlive_them(server: GunicornProcess) -> None:
    """A worker that dies must not take what it counted along, nor be counted twice."""
    asked = {"path": "/sessions/x", "endpoint": "/sessions/<session_id>"}

    def counted() -> float:
        return scraped(server).value("http_requests_total", endpoint=asked["endpoint"], status="404")

    folder = own_folder(server)
    workers = server.worker_pids()
    files = {pid: folder / f"counter_{pid}.db" for pid in workers}

    def both_served() -> bool:
        return all(file.exists() and b"/sessions/" in file.read_bytes() for file in files.values())

    # Which worker takes a connection is the kernel's choice.
    calls = 0
    while calls < 400 and not both_served():
        at_once(20, lambda: fetched(server, asked["path"]))
        calls += 20
    before = counted()
    served_by_both = both_served()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not files[pid].exists() and len(set(server.worker_pids()) - {pid}) == 2)
    # The new ones answer when their /health does.
    after_deaths = counted()
    at_once(20, lambda: fetched(server, asked["path"]))
    numbers = scraped(server)

    assert served_by_both
    assert before == after_deaths == calls
    assert numbers.value("http_requests_total", endpoint=asked["endpoint"], status="404") == calls + 20
    assert numbers.value("http_request_duration_seconds_count", endpoint=asked["endpoint"]) == calls + 20
    assert not [level for level in folder.glob("gauge_*") if int(level.stem.split("_")[-1]) in workers]
    assert numbers.value("process_resident_memory_bytes") > 20_000_000
    assert numbers.value("process_cpu_seconds_total") > 0.5


def test_stream_is_timed_to_its_last_byte_and_open_until_then(server: GunicornProcess) -> None:
    """The time to its headers says nothing of what the reader waited for."""
    labels = {"endpoint": "/query", "method": "POST"}
    before = scraped(server).value("http_request_duration_seconds_sum", **labels)
    open_before = scraped(server).value("streams_open")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    body = json.dumps({"query": ASKED, "stream": True})
    connection.request("POST", "/query", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read(10)
    meanwhile = scraped(server)
    said = response.read()
    connection.close()
    until(lambda: scraped(server).value("streams_open") == 0)

    numbers = scraped(server)
    took_s = numbers.value("http_request_duration_seconds_sum", **labels) - before
    assert b"event: done" in said
    assert open_before == 0
    assert meanwhile.value("streams_open") == 1
    assert took_s > PAUSE_S * (len(WORDS) - 1)
    assert numbers.value("llm_tokens_total", model="gpt-4o", kind="output") > 0
    assert numbers.value("llm_cost_usd_total", model="gpt-4o") > 0


def test_all_lines_have_one_shape_and_quote_nobody(server: GunicornProcess) -> None:
    """gunicorn's too: a line that is not JSON is lost on whoever collects them."""
    fetched(server, "/query", {"query": ASKED}, **{"X-Request-ID": "find-me"})
    with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Secret : my-password\r\n\r\n")
        refused = raw.recv(4096)

    text = server.logs()
    lines = [json.loads(line) for line in text.splitlines()]
    (asked,) = [line for line in lines if line.get("request_id") == "find-me"]
    assert refused.startswith(b"HTTP/1.1 400")
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
    assert {"gunicorn.error", "ragbot.web.middleware.access_log"} <= {line["logger"] for line in lines}
    assert (asked["event"], asked["model"], asked["outcome"]) == ("request", "gpt-4o", "answered")
    assert "Invalid request" in [line["event"] for line in lines]
    assert not [secret for secret in (ASKED, "cheddar", KEY, "my-password") if secret in text]


def test_folder_of_a_killed_server_goes_at_the_next_start(
    server: GunicornProcess, stale_folder: Path
) -> None:
    """It lies in memory."""
    own = own_folder(server)

    with (own / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not stale_folder.exists()


@contextmanager
def both_slots_taken(narrow: GunicornProcess, upstream: OpenAIUpstream) -> Iterator[list[Future]]:
    """Yield two questions that the provider does not answer until the block ends."""
    usual, let_go = Reply(tokens=WORDS, delay_s=PAUSE_S), threading.Event()
    arrived = threading.Semaphore(0)

    def held_answer(_body: Any) -> str:
        arrived.release()
        let_go.wait(60)
        return "".join(WORDS)

    upstream.always(None)
    upstream.answer = held_answer
    with ThreadPoolExecutor(2) as callers:
        try:
            asked = [{"query": f"{ASKED} {uuid4()}"} for _ in range(2)]  # Asked twice, it would be cached.
            held = [callers.submit(fetched, narrow, "/query", body) for body in asked]
            assert all(arrived.acquire(timeout=30) for _ in held)
            yield held
        finally:
            let_go.set()
            upstream.answer = None
            upstream.always(usual)


def test_health_answers_while_every_place_is_taken(narrow: GunicornProcess, upstream: OpenAIUpstream) -> None:
    """A host that hears nothing kills the process, and every answer with it."""
    with both_slots_taken(narrow, upstream) as held:
        refused = at_once(8, lambda: fetched(narrow, "/query", {"query": ASKED}))
        alive = [fetched(narrow, "/health") for _ in range(5)]
        waiting = [not question.done() for question in held]

    assert waiting == [True, True]
    assert {response.status for response, _, _ in alive} == {200}
    assert {response.status for response, _, _ in refused} == {503}
    assert {json.loads(body)["code"] for _, body, _ in refused} == {"overloaded"}
    assert all(int(response.getheader("Retry-After")) > 0 for response, _, _ in refused)
    assert [question.result()[0].status for question in held] == [200, 200]


def test_numbers_need_the_token_and_the_folder_ends_with_the_server(
    narrow: GunicornProcess, upstream: OpenAIUpstream
) -> None:
    """Nothing is left behind by a server that was asked to end."""
    with both_slots_taken(narrow, upstream):
        fetched(narrow, "/query", {"query": ASKED})
    unknown, *_ = fetched(narrow, "/metrics")
    known, text, _ = fetched(narrow, "/metrics", Authorization="Bearer let-me-in")
    folder = own_folder(narrow)

    exit_code = narrow.terminate(20)

    assert (unknown.status, known.status, exit_code) == (401, 200, 0)
    assert Scrape(text.decode()).value("query_errors_total", code="overloaded") > 0
    assert not folder.exists()
