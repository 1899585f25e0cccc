"""Run health checks in parallel, each with a time limit, and cache their results for a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from ragbot.core.errors import RagbotError

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_S = 0.6
# However many health requests come, the parts are checked once a second.
CACHE_S = 1.0

NO_ANSWER = "no answer in time"

State = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Hold the state of a part. `detail` has no address, no key and no text of an exception."""

    status: State
    detail: str = ""
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Define how a part is checked.

    `check` returns None if all is well and raises RagbotError if it is not. When it takes too long, the
    last result stays valid for `grace_s`; after that `on_timeout` gives the result.
    """

    check: Callable[[], CheckResult | None]
    grace_s: float = 0.0
    on_timeout: Callable[[], CheckResult] = lambda: CheckResult("down", NO_ANSWER)


class HealthChecks:
    """Run checks, each in a thread of its own and never twice at once. Thread-safe."""

    def __init__(
        self,
        checks: Mapping[str, HealthCheck],
        *,
        timeout_s: float = CHECK_TIMEOUT_S,
        cache_s: float = CACHE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = {name: _Part(name, check, now) for name, check in checks.items()}
        self._timeout_s = timeout_s
        self._cache_s = cache_s
        self._now = now
        self._lock = threading.Lock()
        self._results: dict[str, CheckResult] = {}
        self._checked_at = float("-inf")

    def results(self) -> dict[str, CheckResult]:
        """Return the state of each part, at most a second old, within 0.6 s.

        A part that does not answer in time is down. It is not checked again before that check has ended, so
        at most one thread waits for each part, however long it hangs.
        """
        with self._lock:
            if self._now() - self._checked_at >= self._cache_s:
                started = {name for name, part in self._parts.items() if part.start_check()}
                ends_at = time.monotonic() + self._timeout_s
                self._results = {
                    name: part.result(ends_at - time.monotonic() if name in started else 0.0)
                    for name, part in self._parts.items()
                }
                self._checked_at = self._now()
            return self._results


class _Part:
    """Hold the last result of a part and the check that is running."""

    def __init__(self, name: str, check: HealthCheck, now: Callable[[], float]) -> None:
        self._name = name
        self._check = check
        self._now = now
        self._answered = threading.Event()
        self._answered.set()
        self._last: CheckResult | None = None
        self._started_at = float("-inf")

    def start_check(self) -> bool:
        """Start a check unless one is running. Returns whether one was started."""
        if not self._answered.is_set():
            return False
        self._answered.clear()
        self._started_at = self._now()
        # A daemon thread: a worker that ends would wait for a pool's threads.
        threading.Thread(target=self._run, daemon=True, name=f"ping-{self._name}").start()
        return True

    def result(self, timeout_s: float) -> CheckResult:
        """Return the result of the running check if it ends in time; the last result if none is running."""
        if self._answered.wait(max(0.0, timeout_s)) and self._last is not None:
            return self._last
        if self._last is not None and self._now() - self._started_at < self._check.grace_s:
            return self._last
        return self._check.on_timeout()

    def _run(self) -> None:
        started = time.perf_counter()
        result = self._call()
        if result.latency_ms is None and result.status == "ok":
            result = replace(result, latency_ms=round((time.perf_counter() - started) * 1000, 1))
        self._last = result
        self._answered.set()

    def _call(self) -> CheckResult:
        try:
            return self._check.check() or CheckResult("ok")
        except RagbotError as error:
            return CheckResult("down", error.code)
        except Exception as error:
            # The outermost frame of this thread: whatever it is, the part is not well.
            log.error("health_check_failed", component=self._name, exc_info=error)
            return CheckResult("down", RagbotError.code)
