"""Hold what a check of the installation has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold a line of a diagnosis: what was looked at, if it is well, and what was seen or what to do."""

    name: str
    is_ok: bool
    says: str
