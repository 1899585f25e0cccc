"""Test what workers know of each other's load."""

from __future__ import annotations

import os

from ragbot.server.accept_sharing import MOST_WORKERS, WorkerLoads

PLACES = 12


def entry_of(loads: WorkerLoads, load: int | None = None) -> int:
    entry = loads.claim()
    assert entry is not None
    if load is not None:
        loads.set(entry, load)
    return entry


def test_worker_leaves_connections_to_one_that_has_room() -> None:
    """And to no other: not to itself, a full one, one that is just starting or one that has ended."""
    loads = WorkerLoads()
    mine = entry_of(loads, PLACES)

    alone = loads.others_have_room(mine, PLACES)
    other = entry_of(loads)
    starting = loads.others_have_room(mine, PLACES)
    loads.set(other, PLACES)
    full = loads.others_have_room(mine, PLACES)
    loads.set(other, PLACES - 1)
    free = loads.others_have_room(mine, PLACES)
    loads.release(other)
    ended = loads.others_have_room(mine, PLACES)

    assert (alone, starting, full, free, ended) == (False, False, False, True, False)


def test_entry_of_an_ended_worker_is_given_to_the_next() -> None:
    """Workers are replaced for as long as the server runs."""
    loads = WorkerLoads()
    entries = [entry_of(loads) for _ in range(MOST_WORKERS)]

    too_many = loads.claim()
    loads.release(entries[7])

    assert too_many is None
    assert loads.claim() == entries[7]


def test_load_is_seen_by_other_processes() -> None:
    """It is what a worker tells its siblings."""
    loads = WorkerLoads()
    mine, childs = entry_of(loads, PLACES), entry_of(loads)

    child = os.fork()
    if not child:
        loads.set(childs, 0)
        os._exit(0)
    os.waitpid(child, 0)

    assert loads.others_have_room(mine, PLACES)
