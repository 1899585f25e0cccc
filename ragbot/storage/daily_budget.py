"""Record what models cost, by day, and limit it to a budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from ragbot.core.answers import Usage
from ragbot.core.errors import DatabaseUnavailable
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import upsert
from ragbot.storage.models import SpendingRow

log = structlog.get_logger(__name__)

# How long a worker trusts its sum of the others' spending. What these spend meanwhile, and one answer of
# each worker, may exceed the budget.
KNOWN_S = 1.0
# Costs that can wait are written this often, or with the next that cannot.
WAITS_S = 10.0

spending: Any = SpendingRow.__table__


class DailyBudget:
    """Limit what all workers together spend in a day (UTC). Safe between threads.

    With `limit_usd` None there is no limit. While the database is unavailable, the last known sum and what
    this worker has spent since count; costs that could not be written are written with the next charge.
    `charged` is called for each call of a model.
    """

    def __init__(
        self,
        database: Database,
        limit_usd: float | None,
        *,
        charged: Callable[[str, Usage], None] = lambda _model, _usage: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._charged = charged
        self.limit_usd = limit_usd
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._day = ""
        self._spent_usd = 0.0
        self._known_at = float("-inf")
        self._unwritten: dict[tuple[str, str], list[float]] = {}
        self._written_at = float("-inf")
        self._reserved_usd, self._calls = 0.0, 0

    def reserve(self, most_usd: float) -> bool:
        """Reserve the highest cost of a call and return True, or return False if too little is left.

        This worker's reservations together may not exceed what is left; a single call is allowed as long as
        anything is left.
        """
        if self.limit_usd is None:
            return True
        left_usd = self.limit_usd - self.spent_today_usd()
        with self._lock:
            if left_usd <= 0 or (self._calls and self._reserved_usd + most_usd > left_usd):
                return False
            self._reserved_usd += most_usd
            self._calls += 1
        return True

    def release(self, most_usd: float) -> None:
        """Give a reservation back: its call has ended."""
        if self.limit_usd is None:
            return
        with self._lock:
            self._reserved_usd -= most_usd
            self._calls -= 1

    def left_usd(self) -> float | None:
        """Return what is left of the day's budget, or None if there is no limit."""
        return None if self.limit_usd is None else max(0.0, self.limit_usd - self.spent_today_usd())

    def spent_today_usd(self) -> float:
        """Return what all workers have spent today, as far as this one knows."""
        now = self._clock()
        day = _day(now)
        with self._lock:
            if day == self._day and 0 <= now - self._known_at < KNOWN_S:
                return self._spent_usd
            # Other threads use the known sum while this one reads.
            if day != self._day:
                self._day, self._spent_usd = day, self._unwritten_usd(day)
            self._known_at = now
        try:
            with self._database.reading() as connection:
                written = connection.scalar(
                    select(func.sum(spending.c.cost_usd)).where(spending.c.day == day)
                )
        except (DatabaseUnavailable, SQLAlchemyError):
            return self._spent_usd
        with self._lock:
            if self._day == day:
                self._spent_usd = float(written or 0.0) + self._unwritten_usd(day)
            return self._spent_usd

    def charge(self, model: str, usage: Usage, *, can_wait: bool = False) -> None:
        """Record the cost of a call; an unknown cost counts as nothing.

        A cost that can wait stays in memory for some seconds, so that not each answer needs a write. It
        counts against the budget at once; a process that is killed loses it.
        """
        cost_usd = usage.cost_usd or 0.0
        tokens_in, tokens_out = usage.input_tokens + usage.embedding_tokens, usage.output_tokens
        if not (tokens_in or tokens_out or cost_usd):
            return
        self._charged(model, usage)
        now = self._clock()
        day = _day(now)
        with self._lock:
            if self._day == day:
                self._spent_usd += cost_usd
            sums = self._unwritten.setdefault((day, model), [0, 0, 0.0])
            for place, amount in enumerate((tokens_in, tokens_out, cost_usd)):
                sums[place] += amount
            if can_wait and abs(now - self._written_at) < WAITS_S:
                return
            self._written_at = now
            unwritten, self._unwritten = self._unwritten, {}
        self._write_or_put_back(unwritten)

    def write_waiting(self) -> None:
        """Write the costs that wait: the process ends."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, {}
        if unwritten:
            self._write_or_put_back(unwritten)

    def _write_or_put_back(self, unwritten: dict[tuple[str, str], list[float]]) -> None:
        try:
            self._write(unwritten)
        except (DatabaseUnavailable, SQLAlchemyError) as error:
            log.warning("spending_write_failed", cause=type(error).__name__)
            self._put_back(unwritten)

    def _write(self, unwritten: dict[tuple[str, str], list[float]]) -> None:
        with self._database.writing(durable=False) as connection:
            # In one order everywhere, so that two workers never wait for each other.
            for (day, model), (tokens_in, tokens_out, cost_usd) in sorted(unwritten.items()):
                sums = {
                    "input_tokens": int(tokens_in),
                    "output_tokens": int(tokens_out),
                    "cost_usd": cost_usd,
                }
                upsert(connection, spending, {"day": day, "model": model, **sums}, add=sums)

    def _put_back(self, unwritten: dict[tuple[str, str], list[float]]) -> None:
        with self._lock:
            for key, amounts in unwritten.items():
                sums = self._unwritten.setdefault(key, [0, 0, 0.0])
                for place, amount in enumerate(amounts):
                    sums[place] += amount

    def _unwritten_usd(self, day: str) -> float:
        return sum(sums[2] for (of_day, _), sums in self._unwritten.items() if of_day == day)


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
