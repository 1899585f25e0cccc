"""Test real processes: readers at once, readers who leave, clean and hard ends, new editions."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text, update
from sqlalchemy.pool import NullPool

from harness.flask_command import flask_command
from harness.gunicorn_process import GunicornProcess, open_files
from harness.openai_upstream import OpenAIUpstream, Reply
from ragbot import create_app
from ragbot.extensions import db
from ragbot.storage.conversations import messages
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import DatabaseMaker

CHEDDAR = "How long is the cheddar ripened?"
WORDS = ["Bob ripens the cheddar for nine months in a cool cellar"] * 3
LONG_ANSWER = f"According to the book, {' and '.join(WORDS)} [1]."


@dataclass(frozen=True)
class Site:
    """A folder with a database that holds the three-chapter book, and a provider on the loopback."""

    folder: Path
    database: str
    upstream: OpenAIUpstream

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database,
            "INDEX_DIR": str(self.folder / "index"),
            "EMBEDDER": "none",
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": self.upstream.base_url,
            "EDITION_POLL_S": "0.1",
            # Readers who ask the same are each answered by the model.
            "CACHE_TTL_HOURS": "0",
        }

    def rows(self) -> dict[str, tuple[str, str]]:
        """Status and answer of each message, by its id."""
        with self.connected() as connection:
            rows = connection.execute(text("SELECT message_id, status, answer FROM messages")).all()
        return {message_id: (status, answer) for message_id, status, answer in rows}

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Yield a connection of the test's own, in a transaction."""
        engine = create_engine(self.database, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection


@contextmanager
def made_site(folder: Path, new_database: DatabaseMaker) -> Iterator[Site]:
    with OpenAIUpstream(answer=lambda _: LONG_ANSWER) as upstream, new_database(folder) as database:
        site = Site(folder, database, upstream)
        app = create_app({**site.environment, "ENVIRONMENT": "testing", "INDEX_DIR": str(folder / "own")})
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        with app.app_context():
            db.engine.dispose()
        yield site


@pytest.fixture
def site(tmp_path: Path, new_database: DatabaseMaker) -> Iterator[Site]:
    """Yield a site of the test's own, whose server it starts and ends."""
    with made_site(tmp_path, new_database) as site:
        yield site


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory, new_database: DatabaseMaker
) -> Iterator[tuple[Site, GunicornProcess]]:
    """Yield a site with a server of two workers that goes on from test to test."""
    with (
        made_site(tmp_path_factory.mktemp("serving"), new_database) as site,
        GunicornProcess(site.environment, workers=2) as server,
    ):
        yield site, server
        server.kill()


@dataclass
class Stream:
    """A question under way, as a browser reads it: event after event."""

    connection: http.client.HTTPConnection
    said: list[str] = field(default_factory=list)
    done: dict[str, object] | None = None
    message_id: str = ""

    def read(self, until: Callable[[], bool] = lambda: False) -> None:
        """Take events until something holds or the reply is whole."""
        for name, content in self._events:
            if name == "sources":
                self.message_id = str(content["message_id"])
            elif name == "delta":
                self.said.append(str(content["text"]))
            else:
                assert name == "done", content
                self.done = content
            if until():
                return

    def leave(self) -> None:
        """Close the connection, as a closed tab does."""
        self._response.close()
        self.connection.close()

    def __post_init__(self) -> None:
        self._response = self.connection.getresponse()
        assert self._response.status == 200
        self._events = _events(self._response)


def _events(response: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, object]]]:
    name = ""
    for line in response:
        if line.startswith(b"event: "):
            name = line.removeprefix(b"event: ").strip().decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line.removeprefix(b"data: "))


def stream(server: GunicornProcess, question: str = CHEDDAR) -> Stream:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    body = json.dumps({"query": question, "stream": True})
    connection.request("POST", "/query", body, {"Content-Type": "application/json"})
    return Stream(connection)


def ask(connection: http.client.HTTPConnection) -> dict[str, object]:
    connection.request("POST", "/query", json.dumps({"query": CHEDDAR}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = json.loads(response.read())
    assert response.status == 200, body
    return body


def soon(holds: Callable[[], bool], within_s: float = 60) -> bool:
    """Return whether something comes to hold in time."""
    until = time.monotonic() + within_s
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_eight_readers_are_answered_at_once(serving: tuple[Site, GunicornProcess]) -> None:
    """A thread waits for each model, and nobody waits for a thread."""
    site, server = serving
    site.upstream.always(Reply(delay_s=0.04))

    with ThreadPoolExecutor(8) as readers:
        streams = list(readers.map(lambda _: stream(server), range(8)))
        together = soon(lambda: site.upstream.open_streams == 8)
        list(readers.map(Stream.read, streams))
    for one in streams:
        one.leave()

    assert together
    assert [one.done["answer"] for one in streams] == ["".join(one.said) for one in streams]
    rows = site.rows()
    assert [rows[one.message_id] for one in streams] == [
        ("answered", str(one.done["answer"])) for one in streams
    ]


def test_reader_who_leaves_ends_the_models_stream_and_keeps_the_partial_answer(
    serving: tuple[Site, GunicornProcess],
) -> None:
    """Nobody pays for words that nobody reads, and the reader who comes back finds what was said."""
    site, server = serving
    site.upstream.forget()
    site.upstream.always(Reply(delay_s=0.1))
    reader = stream(server)
    reader.read(until=lambda: len(reader.said) >= 3)

    reader.leave()

    assert site.upstream.wait_for_disconnect()
    assert soon(lambda: site.rows()[reader.message_id][0] != "pending")
    status, answer = site.rows()[reader.message_id]
    assert status == "stopped"
    assert answer.startswith("".join(reader.said))
    assert not answer.rstrip().endswith("[1].")


def test_new_edition_reaches_every_worker_without_a_restart(serving: tuple[Site, GunicornProcess]) -> None:
    """`flask book ingest` runs in a process of its own, and no reader gets an error meanwhile."""
    site, server = serving
    site.upstream.always(None)
    before = server.worker_pids()
    connections = one_to_each_worker(server)
    versions_before = [ask(connection)["book_version"] for connection in connections]

    with ThreadPoolExecutor(1) as threads:
        ingested = threads.submit(ingest_another, site)
        while not ingested.done():
            for connection in connections:
                ask(connection)
        ingested.result()
    both_swapped = soon(lambda: {str(ask(one)["book_version"]) for one in connections} == {"second"})
    again = {str(ask(one)["book_version"]) for one in connections * 3}
    for connection in connections:
        connection.close()

    assert versions_before == ["first", "first"]
    assert both_swapped
    assert again == {"second"}
    assert server.worker_pids() == before


def ingest_another(site: Site) -> None:
    book = shutil.copytree(THREE_CHAPTERS, site.folder / "book")
    cheese = book / "02-cheese.md"
    cheese.write_text(cheese.read_text().replace("nine months", "four months"))
    flask_command(["book", "ingest", str(book), "--edition", "second"], site.environment)


def one_to_each_worker(server: GunicornProcess) -> list[http.client.HTTPConnection]:
    """Return a connection that stays open to each worker: which one took it is the kernel's choice."""
    found: dict[int, http.client.HTTPConnection] = {}
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        ask(connection)
        worker = holder_of(connection, server)
        if worker in found:
            connection.close()
        else:
            found[worker] = connection
        if len(found) == 2:
            return list(found.values())
    raise AssertionError("one worker takes no connection")


def holder_of(connection: http.client.HTTPConnection, server: GunicornProcess) -> int:
    """Return the worker that holds the other end of a connection, by the kernel's table (Linux)."""
    ours = connection.sock.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        local, remote = (int(address.rpartition(":")[2], 16) for address in columns[1:3])
        if (local, remote) == (server.port, ours):
            socket = f"socket:[{columns[9]}]"
            for pid in server.worker_pids():
                if socket in open_files(pid):
                    return pid
    raise AssertionError("nobody holds the other end")


def test_stream_that_runs_at_a_clean_end_is_told_whole(site: Site) -> None:
    """A deployment replaces the process while somebody reads."""
    site.upstream.always(Reply(delay_s=0.04))
    with GunicornProcess(site.environment) as server, ThreadPoolExecutor(1) as threads:
        reader = stream(server)
        reader.read(until=lambda: bool(reader.said))

        ended = threads.submit(server.terminate, 20)
        reader.read()
        reader.leave()

        assert ended.result() == 0
    assert reader.done is not None
    assert "cool cellar [1]" in str(reader.done["answer"])
    assert site.rows()[reader.message_id] == ("answered", str(reader.done["answer"]))


class HeldBack(list[str]):
    """An answer's words, of which all but the first few come when they are let go."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__(words)
        self.let_go = threading.Event()

    def __iter__(self) -> Iterator[str]:
        yield from self[:5]
        assert self.let_go.wait(60)
        yield from self[5:]


def test_stream_that_runs_while_its_worker_is_replaced_is_told_whole(site: Site) -> None:
    """A worker that took its number of requests goes; whom it is just telling does not notice."""
    words = HeldBack(f"{word} " for word in LONG_ANSWER.split())
    site.upstream.always(Reply(tokens=words))
    environment = site.environment | {"WEB_CONCURRENCY": "2", "MAX_REQUESTS": "10"}
    with GunicornProcess(environment, workers=2) as server:
        reader = stream(server)
        reader.read(until=lambda: bool(reader.said))
        telling = holder_of(reader.connection, server)

        with contextlib.closing(connection_to(telling, server)) as connection:
            while not (last := health(connection)).will_close:
                assert last.status == 200
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        ) as connection:
            meanwhile = health(connection)
        words.let_go.set()
        reader.read()
        reader.leave()

        replaced = soon(lambda: telling not in server.worker_pids() and len(server.worker_pids()) == 2, 15)
    assert (last.status, meanwhile.status) == (200, 200)
    assert reader.done is not None
    assert "cool cellar [1]" in str(reader.done["answer"])
    assert site.rows()[reader.message_id] == ("answered", str(reader.done["answer"]))
    assert replaced


def test_successor_of_a_worker_is_there_before_it_ends(site: Site) -> None:
    """All readers once waited for one worker, or for none, for as long as the next took to start."""
    environment = site.environment | {"WEB_CONCURRENCY": "2", "MAX_REQUESTS": "10"}
    with GunicornProcess(environment, workers=2) as server, ThreadPoolExecutor(5) as threads:
        before = server.worker_pids()
        at_once: set[int] = set()
        workers = set(before)
        statuses: list[int] = []
        renewed = threading.Event()

        def read() -> None:
            while not renewed.is_set():
                statuses.append(asked(server))

        def look() -> bool:
            now = server.worker_pids()
            at_once.add(len(now))
            workers.update(now)
            return not set(before) & set(now) and len(workers) >= 5

        readers = [threads.submit(read) for _ in range(4)]
        renewed_in_time = soon(look, 90)
        renewed.set()
        for reader in readers:
            reader.result(60)

    assert renewed_in_time
    assert set(statuses) == {200}
    assert at_once <= {2, 3, 4}


def connection_to(worker: int, server: GunicornProcess) -> http.client.HTTPConnection:
    """Return a connection that this worker took, before anything is asked on it."""
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.connect()
        if taker_of(connection, server) == worker:
            return connection
        connection.close()
    raise AssertionError("the worker takes no connection")


def taker_of(connection: http.client.HTTPConnection, server: GunicornProcess) -> int:
    """Return the worker that a fresh connection comes to lie with."""
    until = time.monotonic() + 10
    while True:
        try:
            return holder_of(connection, server)
        except (AssertionError, FileNotFoundError):
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def health(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    connection.request("GET", "/health")
    response = connection.getresponse()
    response.read()
    return response


def test_new_workers_take_over_only_when_they_can_search(site: Site) -> None:
    """At HUP all workers were once new at the same moment, and readers waited until one could answer."""
    environment = site.environment | {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    with GunicornProcess(environment, workers=2) as server:
        before = set(server.worker_pids())
        renewed = threading.Event()
        statuses: list[int] = []

        def read() -> None:
            while not renewed.is_set():
                statuses.append(asked(server))

        with ThreadPoolExecutor(4) as threads:
            readers = [threads.submit(read) for _ in range(4)]
            os.kill(server.pid, signal.SIGHUP)
            renewed_in_time = soon(
                lambda: len(pids := set(server.worker_pids())) == 2 and not pids & before, 90
            )
            renewed.set()
            for reader in readers:
                reader.result(60)

        assert renewed_in_time
        assert set(statuses) == {200}
        assert len(statuses) > 4


def asked(server: GunicornProcess) -> int:
    """Ask a question and return the status of the reply."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        body = json.dumps({"query": CHEDDAR})
        connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status


def test_sole_worker_is_kept(site: Site) -> None:
    """While its last streams ran, nobody would take a request."""
    environment = site.environment | {"WEB_CONCURRENCY": "1", "MAX_REQUESTS": "3"}
    with (
        GunicornProcess(environment) as server,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection,
    ):
        before = server.worker_pids()

        closes = {health(connection).will_close for _ in range(10)}

        assert server.worker_pids() == before
    assert closes == {False}


def test_hard_end_loses_no_answer_that_a_reader_saw_whole(site: Site) -> None:
    """The row is written before the last event is; what was left open is settled afterwards."""
    seen: dict[str, str] = {}
    killed = threading.Event()
    with GunicornProcess(site.environment) as server, ThreadPoolExecutor(4) as readers:

        def read_on(_: int) -> None:
            while not killed.is_set():
                try:
                    reader = stream(server)
                    reader.read()
                except (OSError, http.client.HTTPException):
                    continue
                if reader.done:
                    seen[reader.message_id] = str(reader.done["answer"])
                reader.leave()

        reading = [readers.submit(read_on, number) for number in range(4)]
        assert soon(lambda: len(seen) >= 12)
        site.upstream.always(Reply(delay_s=5))
        assert soon(lambda: site.upstream.open_streams == 4)

        server.kill()
        killed.set()
        for one in reading:
            one.result(60)

    rows = site.rows()
    lost = {message_id for message_id, answer in seen.items() if rows.get(message_id) != ("answered", answer)}
    left_open = [message_id for message_id, (status, _) in rows.items() if status == "pending"]
    assert lost == set()
    assert len(left_open) == 4
    assert settled(site) == "Marked 4 messages as failed, deleted 0 sessions.\n"
    assert {site.rows()[message_id][0] for message_id in left_open} == {"failed"}


def settled(site: Site) -> str:
    """Return what `flask session prune` says an hour later."""
    with site.connected() as connection:
        connection.execute(update(messages).values(created_at=datetime.now(UTC) - timedelta(hours=1)))
    app = create_app({**site.environment, "ENVIRONMENT": "testing"})
    result = app.test_cli_runner().invoke(args=["session", "prune"])
    with app.app_context():
        db.engine.dispose()
    return result.stdout
