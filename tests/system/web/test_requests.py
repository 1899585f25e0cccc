"""Test malformed and hostile requests over real sockets: refused with a problem, and the server lives."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from harness.gunicorn_process import GunicornProcess, is_healthy
from ragbot.config import load_settings
from ragbot.server.security_headers import ALWAYS
from tests.databases import DatabaseMaker
from tests.served import three_chapter_server
from tests.system.web.hostile_requests import RAW_STREAMS, hostile_requests

pytestmark = pytest.mark.sqlite_is_enough

LIMIT = 64 * 1024
AT_ONCE = 8
PATIENCE_S = 60


@pytest.fixture(scope="module")
def server(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornProcess]:
    """Two workers that answer from the three-chapter book, without quotas: everything reaches the parsers."""
    folder = tmp_path_factory.mktemp("hostile")
    with three_chapter_server(new_database, folder, {"CONSOLE_PASSWORD": "korrekt-pferd-9"}) as running:
        yield running


def test_500_hostile_requests_bring_no_error_of_ours_and_the_server_goes_on(server: GunicornProcess) -> None:
    """Each is refused in our own words or answered; none shows a page, a trace or a path of ours."""
    requests = hostile_requests()
    streams = RAW_STREAMS + [request.on_the_wire() for request in requests]
    workers = server.worker_pids()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = list(pool.map(lambda stream: said(server.port, stream), streams))

    bad = [
        (stream[:90], reply[:300])
        for stream, reply in zip(streams, replies, strict=True)
        if fault_of(reply) is not None
    ]
    assert len(RAW_STREAMS) == 60
    assert len(streams) >= 500
    assert bad == []
    assert is_healthy(server.port)
    assert server.worker_pids() == workers
    assert "unhandled_error" not in server.logs()
    assert "Traceback" not in server.logs()


def test_one_stream_gets_one_answer_when_its_end_cannot_be_known(server: GunicornProcess) -> None:
    """What follows a bad chunk is no second request, or a proxy before us could be fooled."""
    smuggled = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

    replies = [
        said(server.port, head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + smuggled),
        said(
            server.port, head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
        ),
        said(server.port, head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}" + smuggled),
    ]

    assert [reply.count(b"HTTP/1.1 ") for reply in replies] == [1, 1, 1]
    assert all(reply.startswith(b"HTTP/1.1 400") for reply in replies)


def test_announced_body_over_the_limit_is_refused_before_it_is_sent(server: GunicornProcess) -> None:
    """Nobody has to send a gigabyte to hear that it is too much."""
    head = b"POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: 999999999\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        connection.sendall(head)
        began = time.monotonic()
        reply = connection.recv(65536)
        took_s = time.monotonic() - began

    assert reply.startswith(b"HTTP/1.1 413")
    assert took_s < 8


def test_refusal_of_an_upload_that_is_still_sent_is_heard(server: GunicornProcess) -> None:
    """nginx hands an upload on as it comes, and told readers "bad gateway" where the connection was reset."""
    head = b"POST /admin/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\n"
    head += b"Content-Length: 4000000\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        connection.sendall(head)
        for _ in range(40):
            connection.sendall(b"PK" * 50_000)
            time.sleep(0.01)
        reply = b""
        while piece := connection.recv(65536):
            reply += piece

    assert reply.startswith(b"HTTP/1.1 404")
    assert b"problem+json" in reply


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 422), (LIMIT + 1, 413), (3 * LIMIT, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_may_have_64_kib_and_not_one_byte_more(
    server: GunicornProcess, size: int, status: int, *, chunked: bool
) -> None:
    """A chunked body tells no length beforehand, and is not cut in silence."""
    start = b'{"wrong": 1'
    body = start + b" " * (size - len(start) - 1) + b"}"
    head = b"POST /query HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    framed = (
        head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks(body)) + b"0\r\n\r\n"
        if chunked
        else head + b"Content-Length: %d\r\n\r\n" % size + body
    )

    reply = said(server.port, framed)

    assert reply.startswith(b"HTTP/1.1 %d" % status)


def test_question_that_was_cut_on_its_way_is_not_answered(server: GunicornProcess) -> None:
    """Even where what has come is JSON: nobody waits for the answer, and a model would be paid for it."""
    head = (
        b"POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )

    reply = said(server.port, head + b'{"query": "How long does bread rise?"}')

    assert reply.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ('{"query": "\\ud800"}', 422, "query"),
        ('{"query": "a\\u0000b"}', 422, "query"),
        ('{"query": ["x"]}', 422, "query"),
        ('{"query": "x", "top_k": "5"}', 422, "top_k"),
        ('{"query": "x", "unknown": 1}', 422, "unknown"),
        ("[" * 60_000, 400, None),
        ('{"a":' * 10_000, 400, None),
        ('{"query": NaN}', 400, None),
    ],
)
def test_refusal_names_the_field_that_was_wrong(
    server: GunicornProcess, body: str, status: int, named: str | None
) -> None:
    """The caller can mend what is named."""
    head = b"POST /query HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"

    reply = said(server.port, head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode()))

    problem = json.loads(reply.partition(b"\r\n\r\n")[2])
    assert problem["status"] == status
    assert [fault["field"] for fault in problem.get("errors", [])] == ([named] if named else [])


def test_request_that_nobody_can_read_has_its_line_and_is_counted(server: GunicornProcess) -> None:
    """With an id of its own, not that of the request before it in the same thread."""
    for _ in range(4):
        said(
            server.port,
            b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: before\r\nConnection: close\r\n\r\n",
        )

    reply = said(server.port, b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 5000))

    problem = json.loads(reply.partition(b"\r\n\r\n")[2])
    lines = [json.loads(line) for line in server.logs().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request_id") == problem["request_id"]]
    told = (line["event"], line["status"], line["error"], line["client"])
    assert told == ("request", 414, "invalid_request", "127.0.0.0/24")
    assert not any(line["event"] == "Invalid request" and "request_id" in line for line in lines)
    metrics = said(server.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'http_requests_total{endpoint="none",method="OTHER",status="414"}' in metrics


def test_slow_senders_do_not_keep_the_others_waiting(server: GunicornProcess) -> None:
    """More of them than there are threads: heads, bodies and connections that say nothing."""
    threads = 2 * (load_settings({}).max_streams + load_settings({}).reserve_threads)
    body = b"PUT /sessions/x/messages/y/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    begun = [b"GET /health HT", body + b"Content-Length: 60\r\n\r\n{", b""]
    with ExitStack() as open_ones:
        for number in range(threads + 8):
            connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
            open_ones.enter_context(connection)
            connection.sendall(begun[number % len(begun)])

        reply = said(server.port, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert reply.startswith(b"HTTP/1.1 200")


def fault_of(reply: bytes) -> str | None:
    """Return what is wrong with a reply; a connection that is closed without a word is none."""
    head, _, body = reply.partition(b"\r\n\r\n")
    if not head:
        return None
    # A request for 100-continue is answered twice.
    status = int(head.removeprefix(b"HTTP/1.1 ")[:3])
    if status >= 500:
        return "an error of ours"
    if status >= 400 and b"application/problem+json" not in head:
        return "no problem"
    if any(word in reply for word in (b"Traceback", b"gunicorn", b"/work/", b"site-packages", b"werkzeug")):
        return "tells of what is inside"
    if status >= 400 and b"<html" in body.lower():
        return "a page"
    named = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    lacking = [name for name in ("X-Request-ID", *ALWAYS) if name.lower().encode() not in named]
    return f"no {lacking}" if status >= 200 and lacking else None


def said(port: int, stream: bytes) -> bytes:
    """Everything that the server says to a stream of bytes that ends there."""
    reply = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        # It may refuse and close before it has read all; what it said can be read nevertheless.
        with suppress(OSError):
            connection.sendall(stream)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                reply += piece
    return reply


def chunks(body: bytes, size: int = 8192) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
