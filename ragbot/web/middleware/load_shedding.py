"""Reserve an answer slot for each question before anything else is done for it, or refuse it at once."""

from __future__ import annotations

from flask import Blueprint, Flask, g, request

from ragbot.answering.turns import AnswerSlot, Turns


def shed_load(app: Flask, turns: Turns, *, questions: tuple[Blueprint, ...]) -> None:
    """Reserve a slot for each call of the blueprints; a call without one is refused with Overloaded.

    Call this before `limit_calls`. If a crowd were counted, read and validated first, the calls that find no
    slot would hold the threads that are reserved for everything else, `/health` among it; and a refusal that
    is counted would use up the reader's rate limit.
    """

    names = {blueprint.name for blueprint in questions}

    @app.before_request
    def _reserve() -> None:
        # A CORS preflight needs no slot.
        if request.blueprint in names and request.method != "OPTIONS":
            g.answer_slot = turns.reserve()

    @app.teardown_request
    def _release(_error: BaseException | None) -> None:
        slot: AnswerSlot | None = g.pop("answer_slot", None)
        if slot is not None:
            slot.give_back()


def reserved_slot() -> AnswerSlot | None:
    """Return the slot of the current request, which the caller must release from now on."""
    slot: AnswerSlot | None = g.pop("answer_slot", None)
    return slot
