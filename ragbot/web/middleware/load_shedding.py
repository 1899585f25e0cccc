"""A question gets its place before anything is done for it, or is refused at once."""

from __future__ import annotations

from flask import Blueprint, Flask, g, request

from ragbot.answering.turns import AnswerSlot, Turns


def shed_load(app: Flask, turns: Turns, *, questions: Blueprint) -> None:
    """Have the blueprint's calls take a place, or refused with Overloaded.

    To be called before quotas are. Of a crowd that was counted, read and checked first, those who find no
    place would hold the threads that are kept free for refusals, `/health` and all else; and a refusal that
    is counted takes from the reader's quota what he did not get.
    """

    @app.before_request
    def _take() -> None:
        # A preflight needs no place.
        if request.blueprint == questions.name and request.method != "OPTIONS":
            g.place = turns.place()

    @app.teardown_request
    def _give_back(_error: BaseException | None) -> None:
        place: AnswerSlot | None = g.pop("place", None)
        if place is not None:
            place.give_back()


def reserved_slot() -> AnswerSlot | None:
    """The current request's place, which is the caller's to give back from now on."""
    place: AnswerSlot | None = g.pop("place", None)
    return place
