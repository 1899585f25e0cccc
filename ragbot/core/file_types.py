"""Detect the kind of an archive from its first bytes."""

from __future__ import annotations

from typing import Literal

ArchiveKind = Literal["zip", "gzip"]

_SIGNATURES: dict[bytes, ArchiveKind] = {
    b"PK\x03\x04": "zip",
    # A zip without a file in it.
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
}


def archive_kind(beginning: bytes) -> ArchiveKind | None:
    """Return the kind of the archive, or None for any other file."""
    return next((kind for signature, kind in _SIGNATURES.items() if beginning.startswith(signature)), None)
