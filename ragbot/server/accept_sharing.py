"""Leave new connections to another worker while this one is full and the other is not."""

from __future__ import annotations

import mmap
import selectors
import time
from typing import Any, ClassVar

from gunicorn.workers.gthread import ThreadWorker

from ragbot.core.timers import TIMERS

# How long a full worker leaves a new connection to others before it takes it, to refuse it: one of them may
# hang. And how long it looks away each time; a worker that is free accepts within a millisecond.
HAND_OVER_S = 1.0
LOOK_AWAY_S = 0.01

# Workers of one server at once, those that end or start during a reload among them.
MOST_WORKERS = 512
# The load of a worker that takes no connections: it starts, or ends.
CLOSED = 2**31 - 1


class WorkerLoads:
    """Share how many requests each worker of a server handles. The master makes it before it forks."""

    def __init__(self) -> None:
        # 0 is an entry that no worker has; a load is stored with one added.
        self._loads = memoryview(mmap.mmap(-1, 4 * MOST_WORKERS)).cast("i")

    def claim(self) -> int | None:
        """Return the entry of a new worker, closed at first; None if there are too many. Master only."""
        for entry, stored in enumerate(self._loads):
            if not stored:
                self.set(entry, CLOSED - 1)
                return entry
        return None

    def release(self, entry: int | None) -> None:
        """Forget a worker that has ended. Master only."""
        if entry is not None:
            self._loads[entry] = 0

    def set(self, entry: int, load: int) -> None:
        """Store a worker's load."""
        self._loads[entry] = load + 1

    def others_have_room(self, entry: int, places: int) -> bool:
        """Return whether another worker handles fewer requests than it has places."""
        return any(0 < stored <= places for other, stored in enumerate(self._loads) if other != entry)


class SharingWorker(ThreadWorker):
    """Extend gunicorn's worker, whose siblings accept from the same socket.

    Without it the fastest worker accepts a whole crowd and refuses most of it, while others are free.
    """

    loads: ClassVar[WorkerLoads]
    places: ClassVar[int]
    # Set by the master before it forks.
    load_entry: int | None = None
    _accepting: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handled = 0
        self._looks_away = False
        self._full_since: float | None = None

    def accept(self, listener: Any) -> None:
        """Accept a connection, or leave it to a worker that has room."""
        if self._looks_away:
            return
        if self._leaves_it():
            self._look_away()
            return
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Hand a request to a thread."""
        self._handled += 1
        self._tell()
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Note the end of a request."""
        self._handled -= 1
        self._tell()
        super().finish_request(conn, fs)

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Accept new connections, or stop."""
        self._look_again()
        super().set_accept_enabled(enabled)
        self._tell()

    def _leaves_it(self) -> bool:
        if self.load_entry is None or self._handled < self.places:
            self._full_since = None
            return False
        if not self.loads.others_have_room(self.load_entry, self.places):
            return False
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        return now - self._full_since < HAND_OVER_S

    def _tell(self) -> None:
        if self.load_entry is not None:
            self.loads.set(self.load_entry, self._handled if self._accepting else CLOSED - 1)

    def _look_away(self) -> None:
        self._looks_away = True
        for listener in self.sockets:
            self.poller.unregister(listener)
        TIMERS.after(LOOK_AWAY_S, self._call_back)

    def _call_back(self) -> None:
        """Have the worker's own loop look again; a worker that ends does not listen any more."""
        if self.alive:
            self.method_queue.defer(self._look_again)

    def _look_again(self) -> None:
        if self._looks_away:
            self._looks_away = False
            for listener in self.sockets:
                self.poller.register(listener, selectors.EVENT_READ, self.accept)
