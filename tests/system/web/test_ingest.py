"""Test books that are sent over HTTP to running workers; a process of its own ingests each."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.gunicorn_process import GunicornProcess, living_processes, open_files
from harness.openai_upstream import EMBEDDINGS, Hang, OpenAIUpstream, Reply
from harness.prometheus import Scrape
from tests.conftest import THREE_CHAPTERS
from tests.waiting import soon

KEY = "nE3-rQ8xv2LwZk5TbY1p"
CHEDDAR = "How long is the cheddar ripened?"
PATIENCE_S = 60
HEAD = (
    b"POST /admin/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\nX-API-Key: "
    + KEY.encode()
    + b"\r\n"
)


def zipped(folder: Path, top: str = "") -> bytes:
    """Return the folder as a zip; with a `top` all of it lies in a folder of that name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.md")):
            archive.write(path, f"{top}{path.relative_to(folder)}")
    return buffer.getvalue()


def tarred(folder: Path, top: str = "book") -> bytes:
    """Return the folder as a gzipped tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, top)
    return buffer.getvalue()


def changed_book(folder: Path, months: str) -> Path:
    """Return the three-chapter book with another time for the cheddar."""
    book = shutil.copytree(THREE_CHAPTERS, folder / f"book-{months}")
    cheese = book / "02-cheese.md"
    cheese.write_text(cheese.read_text().replace("nine months", f"{months} months"))
    return book


@dataclass
class Site:
    """A server with the folder that it works in, and a provider of vectors whose pace a test sets."""

    server: GunicornProcess
    folder: Path
    upstream: OpenAIUpstream

    def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, JSON and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        try:
            sent = {"X-API-Key": KEY, **{name.replace("_", "-"): value for name, value in headers.items()}}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response.status, json.loads(response.read()), dict(response.headers)
        finally:
            connection.close()

    def send(self, body: bytes, kind: str = "application/zip", query: str = "") -> str:
        """Send a book and give its job's id."""
        status, job, headers = self.call("POST", f"/admin/ingest{query}", body, Content_Type=kind)
        assert (status, job.get("status")) == (202, "queued"), job
        assert headers["Location"] == f"/admin/ingest/{job['job_id']}"
        return str(job["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        status, job, _ = self.call("GET", f"/admin/ingest/{job_id}")
        assert status == 200, job
        return job

    def ended(self, job_id: str) -> dict[str, Any]:
        """Return the job once it has ended."""
        until = time.monotonic() + PATIENCE_S
        while (job := self.job(job_id))["status"] in ("queued", "running"):
            assert time.monotonic() < until, job
            time.sleep(0.1)
        return job

    def embedding(self, job_id: str) -> int:
        """Wait until the job waits for vectors; the process id of the job."""
        assert soon(lambda: self.job(job_id)["stage"] == "embed", PATIENCE_S), self.server.logs()
        (pid,) = job_processes(self.folder)
        return pid

    def answered(self) -> dict[str, Any]:
        status, reply, _ = self.call(
            "POST", "/query", json.dumps({"query": CHEDDAR}).encode(), Content_Type="application/json"
        )
        assert status == 200, reply
        return reply

    def left_over(self) -> list[str]:
        """Return what lies in the folder for books that are sent."""
        return [path.name for path in (self.folder / "sent").glob("*")]


def job_processes(folder: Path) -> list[int]:
    """Living processes that have a file of the folder for sent books open: the jobs and nobody else."""
    found = []
    for process in living_processes():
        try:
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            files = open_files(process.pid)
        except OSError:
            continue
        if b"ragbot.ingest_worker" in command and any(str(folder / "sent") in file for file in files):
            found.append(process.pid)
    return found


def environment(folder: Path, database_url: str, upstream: OpenAIUpstream) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "INDEX_DIR": str(folder / "index"),
        "INGEST_DIR": str(folder / "sent"),
        "ADMIN_API_KEY": KEY,
        "MAX_BOOK_MB": "1",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": upstream.base_url,
        "EMBEDDER": "openai",
        "OPENAI_LLM_FALLBACK_MODEL": "gpt-4o-mini",
        "EDITION_POLL_S": "0",
    }


@pytest.fixture(scope="module")
def running(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two workers on SQLite."""
    folder = tmp_path_factory.mktemp("sent-books")
    shutil.copy(migrated_database, folder / "ragbot.db")
    with (
        OpenAIUpstream() as upstream,
        GunicornProcess(
            environment(folder, f"sqlite:///{folder / 'ragbot.db'}", upstream), workers=2
        ) as server,
    ):
        yield Site(server, folder, upstream)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    """Yield a server with nothing under way; vectors come at once."""
    running.upstream.reset()
    yield running
    running.upstream.reset()
    assert soon(lambda: job_processes(running.folder) == [])
    assert running.left_over() == []
    assert "unhandled_error" not in running.server.logs()
    assert "Traceback" not in running.server.logs()


@pytest.mark.parametrize(("pack", "kind"), [(zipped, "application/zip"), (tarred, "application/x-gzip")])
def test_sent_book_is_published_and_answered_from(
    site: Site, tmp_path: Path, pack: Callable[[Path], bytes], kind: str
) -> None:
    """A site's build publishes its book with one call."""
    months = "seven" if pack is zipped else "eight"
    book = changed_book(tmp_path, months)

    job = site.ended(site.send(pack(book), kind, f"?edition={months}&site_url=https://book.test/&title=Food"))

    assert job["status"] == "succeeded", job
    assert job["error"] is None
    assert job["stage"] == "published"
    assert job["started_at"] <= job["finished_at"]
    report = job["report"]
    assert (report["edition"], report["title"], report["pages"], report["chunks"]) == (months, "Food", 3, 3)
    assert (report["skipped"], report["published"]) == ([], True)
    reply = site.answered()
    assert reply["book_version"] == months
    assert f"{months} months" in " ".join(source["quote"] for source in reply["sources"])
    assert reply["sources"][0]["url"].startswith("https://book.test/")


def test_cost_of_a_sent_book_is_stored_whole(site: Site, tmp_path: Path) -> None:
    """The day's budget counts it; the job's process ends with what it has not written."""
    for number in range(200):
        (tmp_path / f"{number}.md").write_text(f"# Chapter {number}\n\nOf the year {1800 + number}.\n")
    before = embedded_tokens(site.folder / "ragbot.db")

    job = site.ended(site.send(zipped(tmp_path), query="?book=costs"))

    texts = [text for call in site.upstream.calls(EMBEDDINGS) for text in call.body["input"]]
    assert job["status"] == "succeeded", job
    assert len(texts) == 200
    assert embedded_tokens(site.folder / "ragbot.db") - before == sum(map(len, map(str.split, texts)))


def embedded_tokens(database: Path) -> int:
    """Return how many tokens of all models of vectors are stored as spent."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT coalesce(sum(input_tokens), 0) FROM spending WHERE model LIKE '%embedding%'"
        return int(connection.execute(query).fetchone()[0])


def test_job_tells_of_files_that_were_skipped_and_strict_fails(site: Site, tmp_path: Path) -> None:
    """The author sees what readers will miss, and neither hears of a folder of ours."""
    book = changed_book(tmp_path, "ten")
    (book / "04-wine.md").write_bytes(b"\xff\xfe wine")
    archive = zipped(book, "my-book/")

    lenient = site.ended(site.send(archive, query="?edition=lenient"))
    strict = site.ended(site.send(archive, query="?edition=strict&strict=true"))

    (skipped,) = lenient["report"]["skipped"]
    assert skipped["path"] == "04-wine.md"
    assert "UTF-16" in skipped["reason"]
    assert (strict["status"], strict["error"]["code"], strict["report"]) == (
        "failed",
        "unreadable_book",
        None,
    )
    assert "04-wine.md" in strict["error"]["detail"]
    assert site.answered()["book_version"] == "lenient"


def test_wrong_book_is_refused_and_taken_with_force(site: Site, tmp_path: Path) -> None:
    """A README was published in place of the chapters, and the job had succeeded."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("my-book/README.md", "# Boats\n\nA book on boats.\n")
        archive.writestr("my-book/oars.rst", "Push the water. " * 20)
        archive.writestr("my-book/notes.md", "# Notes\n\nNone.\n")

    refused = site.ended(site.send(buffer.getvalue()))
    forced = site.ended(site.send(buffer.getvalue(), query="?force=true&exclude=notes.md"))

    assert (refused["status"], refused["error"]["code"]) == ("failed", "unreadable_book")
    assert "1 .rst with 260 characters" in refused["error"]["detail"]
    assert str(site.folder) not in refused["error"]["detail"]
    assert (forced["status"], forced["report"]["pages"]) == ("succeeded", 1)
    assert forced["report"]["book"]["layout"] == "a folder of Markdown"
    assert {left["suffix"]: left["files"] for left in forced["report"]["book"]["left_out"]} == {
        ".md": 1,
        ".rst": 1,
    }


def test_book_without_pages_fails_with_a_sentence_and_without_a_path(site: Site, tmp_path: Path) -> None:
    """The folder that it was unpacked into is no business of the sender's."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("book/notes.xyz", "nothing")

    job = site.ended(site.send(buffer.getvalue()))

    assert job["error"]["code"] == "unreadable_book"
    assert "holds no pages" in job["error"]["detail"]
    assert str(site.folder) not in job["error"]["detail"]


def test_hostile_archive_is_a_failed_job_and_leaves_nothing(site: Site) -> None:
    """The kinds are tried with the unpacker itself."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../out.md", "# Out")

    job = site.ended(site.send(buffer.getvalue()))

    assert (job["status"], job["error"]["code"]) == ("failed", "unreadable_archive")
    assert "leads out" in job["error"]["detail"]
    assert list(site.folder.rglob("out.md")) == []


def test_killed_job_is_told_as_died_and_the_next_may_start(site: Site) -> None:
    """Nobody has to mend the database by hand."""
    site.upstream.always(Hang(), EMBEDDINGS)
    job_id = site.send(zipped(changed_book(site.folder, "killed")))
    pid = site.embedding(job_id)
    busy, refusal, _ = site.call("POST", "/admin/ingest", b"PK\x03\x04", Content_Type="application/zip")

    os.kill(pid, signal.SIGKILL)
    job = site.ended(job_id)
    site.upstream.reset()
    following = site.ended(site.send(zipped(THREE_CHAPTERS), query="?edition=following"))

    assert (busy, refusal["code"]) == (409, "ingest_in_progress")
    assert (job["status"], job["error"]["code"]) == ("failed", "job_died")
    assert following["status"] == "succeeded"


def test_job_goes_on_when_the_worker_that_started_it_is_killed(site: Site) -> None:
    """Workers are recycled, and a book may take an hour."""
    site.upstream.always(Reply(first_delay_s=4), EMBEDDINGS)
    job_id = site.send(zipped(changed_book(site.folder, "orphan")), query="?edition=orphan")
    pid = site.embedding(job_id)
    workers = site.server.worker_pids()
    sockets = sockets_of(pid) & {one for worker in [site.server.pid, *workers] for one in sockets_of(worker)}

    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert soon(lambda: len(set(site.server.worker_pids()) - set(workers)) == 2)
    job = site.ended(job_id)

    assert sockets == set()
    assert (job["status"], job["report"]["edition"]) == ("succeeded", "orphan")


def sockets_of(pid: int) -> set[str]:
    """Return the sockets that a process has open."""
    links = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.add(os.readlink(fd))
        except OSError:
            continue
    return {link for link in links if link.startswith("socket:")}


def test_job_that_is_told_to_end_says_so_and_tidies_up(site: Site) -> None:
    """A host that shuts down sends TERM."""
    site.upstream.always(Hang(), EMBEDDINGS)
    job_id = site.send(zipped(changed_book(site.folder, "told")))
    pid = site.embedding(job_id)

    os.kill(pid, signal.SIGTERM)
    job = site.ended(job_id)

    assert (job["status"], job["error"]["code"]) == ("failed", "job_stopped")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_books_at_once_one_is_taken(
    kind: str, tmp_path: Path, migrated_database: Path, request: pytest.FixtureRequest
) -> None:
    """Two builds that end at the same moment, at workers that know nothing of each other."""
    if kind == "postgresql":
        make = request.getfixturevalue("make_postgres_database")
        url = make(request.getfixturevalue("migrated_postgres"))
    else:
        shutil.copy(migrated_database, tmp_path / "ragbot.db")
        url = f"sqlite:///{tmp_path / 'ragbot.db'}"
    body = zipped(THREE_CHAPTERS)
    with (
        OpenAIUpstream() as upstream,
        GunicornProcess(environment(tmp_path, url, upstream), workers=2) as server,
        ThreadPoolExecutor(4) as senders,
    ):
        site = Site(server, tmp_path, upstream)
        # Held back before its last byte, so that all come to the claim together.
        connections = [begun(server, body) for _ in range(4)]

        replies = list(senders.map(lambda one: finished(one, body), connections))
        job_id = next(reply["job_id"] for status, reply in replies if status == 202)
        job = site.ended(job_id)
        left = soon(lambda: site.left_over() == [])

    assert sorted(status for status, _ in replies) == [202, 409, 409, 409]
    assert {reply["code"] for status, reply in replies if status == 409} == {"ingest_in_progress"}
    assert job["status"] == "succeeded", job
    assert left


def begun(server: GunicornProcess, body: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
    connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-1])
    return connection


def finished(connection: socket.socket, body: bytes) -> tuple[int, dict[str, Any]]:
    with connection:
        connection.sendall(body[-1:])
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, said = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(said)


def test_sender_who_leaves_in_the_middle_leaves_nothing_behind(site: Site) -> None:
    """Half an archive is nobody's, and the next sender is not kept waiting."""
    for framing in (b"Content-Length: 500000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n7a120\r\n"):
        with socket.create_connection(("127.0.0.1", site.server.port), PATIENCE_S) as connection:
            connection.sendall(HEAD + framing + b"PK\x03\x04" + b"x" * 100_000)
            assert soon(lambda: len(site.left_over()) == 1), framing
        assert soon(lambda: site.left_over() == []), framing

    assert site.ended(site.send(zipped(THREE_CHAPTERS)))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("key", "announced", "status", "code"),
    [
        (b"wrong", 10_000_000_000, 401, "unauthorized"),
        (b"", 10_000_000_000, 401, "unauthorized"),
        (KEY.encode(), 10_000_000_000, 413, "body_too_large"),
        (KEY.encode(), 1_000_001, 413, "body_too_large"),
    ],
)
def test_refusal_comes_before_the_body(
    site: Site, key: bytes, announced: int, status: int, code: str
) -> None:
    """Nobody has to send ten gigabytes to hear no, and nobody without the key can make us take them."""
    head = HEAD.replace(KEY.encode(), key) + b"Content-Length: %d\r\n\r\n" % announced

    with socket.create_connection(("127.0.0.1", site.server.port), PATIENCE_S) as connection:
        connection.sendall(head)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        problem = json.loads(reply.read())
        reply.close()

    assert (reply.status, problem["code"]) == (status, code)
    assert site.left_over() == []


def test_archive_that_does_not_tell_its_length_is_counted_while_it_is_read(site: Site) -> None:
    """A chunked body has no Content-Length to look at."""
    with socket.create_connection(("127.0.0.1", site.server.port), PATIENCE_S) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n" % 1_200_000 + b"PK\x03\x04" + b"x" * 1_199_996 + b"\r\n0\r\n\r\n")
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        problem = json.loads(reply.read())
        reply.close()

    assert (reply.status, problem["code"]) == (413, "body_too_large")
    assert "1 MB" in problem["detail"]


def test_other_addresses_still_take_64_kib_and_no_more(site: Site) -> None:
    """The large body is for one address alone."""
    body = b'{"query": "' + b"x" * 70_000 + b'"}'

    status, problem, _ = site.call("POST", "/query", body, Content_Type="application/json")

    assert (status, problem["code"]) == (413, "body_too_large")


def test_jobs_are_among_the_numbers(site: Site) -> None:
    """An alert on failed jobs needs a series, on whichever worker is asked."""
    before = scraped(site)
    site.ended(site.send(zipped(THREE_CHAPTERS)))

    after = scraped(site)

    succeeded = {"status": "succeeded"}
    assert after.value("ingest_jobs", **succeeded) == before.value("ingest_jobs", **succeeded) + 1
    assert after.value("ingest_jobs", status="running") == 0
    assert 0 < after.value("ingest_job_duration_seconds") < PATIENCE_S


def scraped(site: Site) -> Scrape:
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=PATIENCE_S)
    connection.request("GET", "/metrics", headers={"Accept": "text/plain"})
    text = connection.getresponse().read().decode()
    connection.close()
    return Scrape(text)


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"INGEST_MEMORY_MB": "256"}, "memory_limit_exceeded"),
        ({"INGEST_TIME_LIMIT_S": "1"}, "time_limit_exceeded"),
    ],
)
def test_job_ends_at_its_limits(
    limit: dict[str, str], code: str, tmp_path: Path, migrated_database: Path
) -> None:
    """A book that fills the machine would take the service with it."""
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    with OpenAIUpstream() as upstream:
        upstream.always(Hang(), EMBEDDINGS)
        url = f"sqlite:///{tmp_path / 'ragbot.db'}"
        with GunicornProcess(environment(tmp_path, url, upstream) | limit) as server:
            site = Site(server, tmp_path, upstream)

            job = site.ended(
                site.send(large_tables() if "INGEST_MEMORY_MB" in limit else zipped(THREE_CHAPTERS))
            )
            gone = soon(lambda: job_processes(tmp_path) == [] and site.left_over() == [])

    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert gone


def large_tables() -> bytes:
    """Return a small archive of five tables, the first of which takes 300 MB for a second of parsing."""
    table = "|a" * 6 + "|\n" + "|-" * 6 + "|\n" + "|a|b|c|d|e|f|\n" * 60_000
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.md", f"# Table\n\n{table}")
    return buffer.getvalue()
