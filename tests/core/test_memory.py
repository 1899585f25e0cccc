"""Test that freed memory is given back."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from ragbot.core.memory import give_back_memory

STATM = Path("/proc/self/statm")


@pytest.mark.skipif(
    not STATM.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not Linux with glibc"
)
def test_freed_memory_is_given_back() -> None:
    """What lies below a block that is still used stays with the process otherwise."""
    texts = [bytes(2000) for _ in range(30_000)]
    kept = bytes(2000)
    del texts
    before = resident_mb()

    give_back_memory()

    assert before - resident_mb() > 30
    assert len(kept) == 2000


def resident_mb() -> float:
    return int(STATM.read_text().split()[1]) * resource.getpagesize() / 1e6


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """musl and macOS have no such call."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())

    give_back_memory()
