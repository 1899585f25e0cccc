"""Questions that find every place taken are refused before anything is done for them."""

from __future__ import annotations

from flask import Blueprint, Flask, request

from ragbot.answering.turns import FULL, Turns
from ragbot.core.errors import Overloaded


def refuse_when_full(app: Flask, turns: Turns, *, questions: Blueprint) -> None:
    """Have the blueprint's calls refused while every place is taken.

    To be called before quotas are: a refusal that counts costs two transactions and three times the CPU,
    just when there is none to spare, and takes from the reader's quota what he did not get.
    """

    @app.before_request
    def _refuse() -> None:
        # A preflight needs no place.
        if request.blueprint == questions.name and request.method != "OPTIONS" and turns.are_full():
            raise Overloaded(FULL)
