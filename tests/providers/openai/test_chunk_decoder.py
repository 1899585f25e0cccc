"""Bodies in chunks, wherever packets cut them."""

from __future__ import annotations

import http.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.providers.openai.chunk_decoder import ChunkDecoder
from tests.fuzzing import fuzz


@fuzz(50)
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(1, 30), max_size=40),
    st.sampled_from([b"", b";name=value", b" "]),
)
def test_chunked_body_is_read_wherever_it_was_cut(
    parts: list[bytes], cuts: list[int], extension: bytes
) -> None:
    """Packets end where they like."""
    raw = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + b"0\r\nA: b\r\n\r\n"
    decoder, body = ChunkDecoder(), b""
    for size in [*cuts, len(raw)]:
        piece, raw = raw[:size], raw[size:]
        body += decoder.feed(piece) if piece else b""

    assert body == b"".join(parts)
    assert decoder.is_done


def test_chunks_that_came_at_once_are_one_piece() -> None:
    """So that a model's words that came together are handled together."""
    assert ChunkDecoder().feed(b"4\r\nNine\r\n7\r\n months\r\n2\r\n [") == b"Nine months ["


@pytest.mark.parametrize(
    "raw", [b"nine\r\n", b"-4\r\nNine\r\n", b"\r\n", b"4\r\nNineteen\r\n", b"0\r\n\r\nmore", b"9" * 5000]
)
def test_what_is_no_chunked_body_is_refused(raw: bytes) -> None:
    """Its rest would be read as another answer."""
    with pytest.raises(http.client.HTTPException):
        ChunkDecoder().feed(raw)
