"""Pings in parallel, each bounded, none piled up: what is well, as far as can be told in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from ragbot.core.errors import RagbotError

log = structlog.get_logger(__name__)

PING_LIMIT_S = 0.6
# However many ask whether all is well, the parts are asked once a second.
KEPT_S = 1.0

State = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a part is. `detail` names no address, no key and nothing that an exception said."""

    status: State
    detail: str = ""
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a part is asked. `ask` returns None if all is well and raises RagbotError if it is not.

    `late` is found where no answer comes in time; before it the last finding goes on for `grace_s`.
    """

    ask: Callable[[], CheckResult | None]
    grace_s: float = 0.0
    late: Callable[[], CheckResult] = lambda: CheckResult("down", "no answer in time")


class HealthChecks:
    """Asks parts, each in a thread of its own, one at a time. Safe between threads."""

    def __init__(
        self,
        probes: Mapping[str, HealthCheck],
        *,
        limit_s: float = PING_LIMIT_S,
        kept_s: float = KEPT_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = {name: _Part(name, probe, now) for name, probe in probes.items()}
        self._limit_s = limit_s
        self._kept_s = kept_s
        self._now = now
        self._lock = threading.Lock()
        self._found: dict[str, CheckResult] = {}
        self._found_at = float("-inf")

    def findings(self) -> dict[str, CheckResult]:
        """How each part is, at most a second old, after at most 0.6 s.

        A part that does not answer in time is down. It is not asked again before that ping has ended, so
        that at most one thread waits for each part, however long it hangs.
        """
        with self._lock:
            if self._now() - self._found_at >= self._kept_s:
                started = {name for name, part in self._parts.items() if part.ask_if_due()}
                ends_at = time.monotonic() + self._limit_s
                self._found = {
                    name: part.finding(ends_at - time.monotonic() if name in started else 0.0)
                    for name, part in self._parts.items()
                }
                self._found_at = self._now()
            return self._found


class _Part:
    """A part with what was found last, and the ping that is under way."""

    def __init__(self, name: str, probe: HealthCheck, now: Callable[[], float]) -> None:
        self._name = name
        self._probe = probe
        self._now = now
        self._answered = threading.Event()
        self._answered.set()
        self._last: CheckResult | None = None
        self._asked_at = float("-inf")

    def ask_if_due(self) -> bool:
        """Start a ping if none is under way. Returns whether one was."""
        if not self._answered.is_set():
            return False
        self._answered.clear()
        self._asked_at = self._now()
        # A thread that dies with the process: a pool's threads would be waited for when a worker ends.
        threading.Thread(target=self._ask, daemon=True, name=f"ping-{self._name}").start()
        return True

    def finding(self, patience_s: float) -> CheckResult:
        """What the ping under way finds within the time; the last finding if none is."""
        if self._answered.wait(max(0.0, patience_s)) and self._last is not None:
            return self._last
        if self._last is not None and self._now() - self._asked_at < self._probe.grace_s:
            return self._last
        return self._probe.late()

    def _ask(self) -> None:
        started = time.perf_counter()
        finding = self._asked()
        if finding.latency_ms is None and finding.status == "ok":
            finding = replace(finding, latency_ms=round((time.perf_counter() - started) * 1000, 1))
        self._last = finding
        self._answered.set()

    def _asked(self) -> CheckResult:
        try:
            return self._probe.ask() or CheckResult("ok")
        except RagbotError as error:
            return CheckResult("down", error.code)
        except Exception as error:
            # The rim of this thread: whatever it is, the part is not well.
            log.error("ping_failed", part=self._name, exc_info=error)
            return CheckResult("down", RagbotError.code)
