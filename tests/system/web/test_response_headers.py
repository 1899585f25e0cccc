"""Test that gunicorn sends no product name and trusts no headers of other hosts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess


@pytest.mark.sqlite_is_enough
def test_gunicorn_names_no_product_and_believes_no_neighbour(app_database: str, tmp_path: Path) -> None:
    """By itself it says `Server: gunicorn` and takes the scheme and the path from anyone on this machine."""
    settings = {
        "DATABASE_URL": app_database,
        "INDEX_DIR": str(tmp_path),
        "EMBEDDER": "none",
    }
    with GunicornProcess(settings) as server:
        good = said(server.port, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n")
        moved = said(server.port, b"GET /health HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /health\r\n")
        unreadable = said(server.port, b"GET <script> HTTP/1.1\r\nHost: x\r\nBad\x00Header: 1\r\n")

    assert b"200 OK" in good
    assert b"strict-transport" not in good.lower()
    assert b"404" not in moved.splitlines()[0]
    assert b"application/problem+json" in unreadable
    assert b"<" not in unreadable
    assert all(b"Server: ragbot\r\n" in reply and b"gunicorn" not in reply for reply in (good, unreadable))


def said(port: int, head: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))
