"""Share one model call among the readers, in all workers, who ask the same question at once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ragbot.answering.cache_entries import deserialized, entry_name, is_cacheable, serialized
from ragbot.core.answers import Answer
from ragbot.core.cooldown import is_running
from ragbot.core.deadline import Deadline
from ragbot.core.owner_tokens import is_owner_alive, new_token
from ragbot.core.ports import Cache, SharedState, State
from ragbot.core.single_flight import Flight, SingleFlight

# How often a worker checks whether another worker's call has ended.
LOOK_EVERY_S = 0.1
# An answer that must not be cached is stored for so long for the workers that wait for it.
HANDED_OVER_S = 10.0
# Reserved of a waiting reader's time, for an answer without a model if the other call does not end.
RESERVE_S = 3.0


class Land(Protocol):
    """Pass the answer to those who wait; after None, the next of them calls the model.

    `is_cached` says that other workers find the answer in the cache under its key.
    """

    def __call__(self, answer: Answer | None, /, *, is_cached: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Leader:
    """Hold the permission to call the model for all who wait. The owner must call `land` at the end."""

    land: Land
    renew: Callable[[], None]


class CrossWorkerSingleFlight:
    """Allow one model call for a question at a time, across all workers. Safe to call from several threads.

    Readers of a worker wait for one of them, who claims the question for the worker in the shared state. The
    claim of a worker that dies ends at once on the same host, and after `lease_s` seconds on others.
    """

    def __init__(
        self,
        states: SharedState,
        cache: Cache,
        *,
        lease_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._states = states
        self._cache = cache
        self._lease_s = lease_s
        self._clock = clock
        self._flights: SingleFlight[Answer] = SingleFlight()

    def join(self, key: str, deadline: Deadline) -> Leader | Answer:
        """Return the permission to call the model, or the answer that another reader got meanwhile.

        A reader who has waited as long as possible gets the permission. Raises Cancelled or DeadlineExceeded.
        """
        while True:
            flight, leads = self._flights.join(key)
            if leads:
                return self._led(key, flight, deadline)
            flight.wait(deadline, reserve_s=RESERVE_S)
            if flight.result is not None:
                return flight.result
            if not flight.has_landed:
                return Leader(land=lambda _answer, **_: None, renew=lambda: None)

    def _led(self, key: str, flight: Flight[Answer], deadline: Deadline) -> Leader | Answer:
        try:
            made = self._claimed_or_made(key, deadline)
        except BaseException:
            self._flights.land(key, flight)
            raise
        if isinstance(made, Answer):
            self._flights.land(key, flight, made)
            return made
        token = made
        renewed_at = self._clock()

        def renew() -> None:
            nonlocal renewed_at
            if self._clock() - renewed_at > self._lease_s / 3:
                renewed_at = self._clock()
                self._states.change(_name(key), lambda state: self._renewed(state, token), self._lease_s * 2)

        def land(answer: Answer | None, *, is_cached: bool) -> None:
            self._flights.land(key, flight, answer)
            if answer is not None and not is_cached:
                self._cache.put(_handed(token), serialized(answer), HANDED_OVER_S)
            self._release(key, token)

        return Leader(land, renew)

    def _release(self, key: str, token: str) -> None:
        self._states.change(_name(key), lambda state: None if _is(state, token) else state, self._lease_s)

    def _cached(self, key: str) -> Answer | None:
        answer = deserialized(self._cache.get(entry_name(key)))
        return answer if answer is not None and is_cacheable(answer) else None

    def _claimed_or_made(self, key: str, deadline: Deadline) -> str | Answer:
        """Return this worker's token for its claim, or the answer that another worker made."""
        token = new_token()
        while True:
            held = self._states.change(
                _name(key), lambda state: self._claimed(state, token), self._lease_s * 2
            )
            if held is None or _is(held, token):
                # Another worker may have cached it since this reader looked.
                made = self._cached(key)
                if made is not None:
                    self._release(key, token)
                return made or token
            other = str(held.get("by", ""))
            self._wait_for(key, other, deadline)
            if deadline.left_s() < RESERVE_S:
                return token
            if answer := self._cached(key) or deserialized(self._cache.get(_handed(other))):
                return answer

    def _wait_for(self, key: str, other: str, deadline: Deadline) -> None:
        """Wait until another worker's call has ended, that worker has died, or time is short."""
        woken = threading.Event()
        with deadline.interrupting(woken.set):
            while deadline.left_s() >= RESERVE_S:
                held = self._states.peek(_name(key))
                if not (_is(held, other) and self._is_under_way(held)):
                    return
                woken.wait(LOOK_EVERY_S)
                deadline.check()

    def _claimed(self, state: State | None, token: str) -> State | None:
        return state if self._is_under_way(state) else self._held_by(token)

    def _renewed(self, state: State | None, token: str) -> State | None:
        return self._held_by(token) if _is(state, token) else state

    def _held_by(self, token: str) -> dict[str, Any]:
        return {"by": token, "until": self._clock() + self._lease_s}

    def _is_under_way(self, state: State | None) -> bool:
        if state is None or not isinstance(until := state.get("until"), (int, float)):
            return False
        is_leased = is_running(until, now=self._clock(), longest_s=self._lease_s)
        return is_leased and is_owner_alive(str(state.get("by")))


def _name(key: str) -> str:
    return f"flight:{key}"


def _handed(token: str) -> str:
    # Hashed, because hosts may have long names.
    return f"flight:{hashlib.sha256(token.encode()).hexdigest()}"


def _is(state: State | None, token: str) -> bool:
    return state is not None and state.get("by") == token
