"""Take the chunked transfer coding off an HTTP body, all chunks that came at once together."""

from __future__ import annotations

import http.client

LONGEST_CHUNK_HEADER = 4096


class ChunkDecoder:
    """Take the chunked transfer coding off a body (RFC 9112, 7.1). Trailers are read over."""

    def __init__(self) -> None:
        self._held = b""
        # Bytes of the chunk that are still to come; -1: the line with its size is next.
        self._left = -1
        self._is_trailer = False
        self.is_done = False

    def feed(self, data: bytes) -> bytes:
        """Return what of the body came. Raises http.client.HTTPException for what is no chunked body."""
        held = self._held + data if self._held else data
        at, parts = 0, []
        while not self.is_done:
            if self._left > 0:
                part = held[at : at + self._left]
                if not part:
                    break
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                continue
            end = held.find(b"\n", at)
            if end < 0:
                break
            self._line(held[at:end].strip())
            at = end + 1
        self._held = held[at:]
        if len(self._held) > LONGEST_CHUNK_HEADER:
            raise http.client.LineTooLong("chunk size")
        if self.is_done and self._held:
            raise http.client.HTTPException("more came behind the end of the body")
        return b"".join(parts)

    def _line(self, line: bytes) -> None:
        if self._is_trailer:
            self.is_done = not line
        elif self._left == 0:
            # The line end behind a chunk.
            if line:
                raise http.client.HTTPException("a chunk was longer than its size")
            self._left = -1
        else:
            size = line.partition(b";")[0].strip()
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                raise http.client.HTTPException("a chunk without a size")
            self._left = int(size, 16)
            self._is_trailer = not self._left
