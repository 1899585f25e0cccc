"""Read the body of a response as it comes: of a known length, in chunks, or compressed."""

from __future__ import annotations

import http.client
import zlib
from collections.abc import Iterator
from typing import Any

from ragbot.providers.openai.chunk_decoder import ChunkDecoder

READ_BYTES = 65536


def body_of(received: http.client.HTTPResponse, encoding: str) -> Iterator[bytes]:
    """Yield a response's body in pieces, decompressed. Raises HTTPException, IncompleteRead or OSError."""
    pieces = _chunks(received) if received.chunked else _plain(received)
    return pieces if encoding == "identity" else _decompressed(pieces, encoding)


def _decompressed(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield a body that a proxy has compressed, though we ask for none that is."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise http.client.HTTPException("a body in an encoding that was not asked for")
    decompress: Any = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        for piece in pieces:
            if data := decompress.decompress(piece):
                yield data
    except zlib.error as error:
        raise http.client.HTTPException("a compressed body that is broken") from error


def _plain(received: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield a body that has a length, or ends with its connection."""
    while data := received.read1(READ_BYTES):
        yield data
    if received.length:
        raise http.client.IncompleteRead(b"", received.length)


def _chunks(received: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield a chunked body, all chunks of one read together. Raises IncompleteRead or HTTPException."""
    decoder = ChunkDecoder()
    while not decoder.is_done:
        data = received.fp.read1(READ_BYTES)
        if not data:
            raise http.client.IncompleteRead(b"")
        if body := decoder.feed(data):
            yield body
