"""Convert chunks to the payload of a point and back, so that reading a passage needs no database."""

from __future__ import annotations

from typing import Any

from ragbot.core.domain import Chunk, IndexPoint, InnerSection

DENSE = "dense"
SPARSE = "sparse"
SCOPES = "scopes"


def payload_of(point: IndexPoint) -> dict[str, Any]:
    """Return a point's chunk as plain values, with the scopes that filters compare."""
    chunk = point.chunk
    return {
        "path": chunk.path,
        "heading_path": list(chunk.heading_path),
        "title": chunk.title,
        "address": chunk.address,
        "anchor": chunk.anchor,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "search_text": chunk.search_text,
        "tokens": chunk.tokens,
        "chunk_id": chunk.id,
        "sections": [[inner.start, inner.anchor, list(inner.heading_path)] for inner in chunk.sections],
        SCOPES: list(point.scopes),
        **({"table_head": chunk.table_head} if chunk.table_head else {}),
        **({"code_fence": chunk.code_fence} if chunk.code_fence else {}),
    }


def chunk_of(payload: dict[str, Any]) -> Chunk:
    """Return the chunk of a payload that `payload_of` made."""
    return Chunk(
        id=payload["chunk_id"],
        path=payload["path"],
        heading_path=tuple(payload["heading_path"]),
        title=payload["title"],
        address=payload["address"],
        anchor=payload["anchor"],
        start=payload["start"],
        end=payload["end"],
        text=payload["text"],
        search_text=payload["search_text"],
        tokens=payload["tokens"],
        # A collection that an older version made has none.
        sections=tuple(
            InnerSection(start, anchor, tuple(heading_path))
            for start, anchor, heading_path in payload.get("sections", ())
        ),
        table_head=payload.get("table_head", ""),
        code_fence=payload.get("code_fence", ""),
    )
