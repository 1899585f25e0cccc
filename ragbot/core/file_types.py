"""The first bytes of a file to the kind of archive that it is."""

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
    """The kind, or None for everything else."""
    return next((kind for signature, kind in _SIGNATURES.items() if beginning.startswith(signature)), None)
