"""The hall: an app's chosen parts on named hooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import current_app

from ragbot.answering.turns import Turns
from ragbot.config import Settings
from ragbot.index.published import PublishedEdition
from ragbot.index.retriever import Retriever
from ragbot.ingest import Ingestion
from ragbot.records.catalogue import Catalogue
from ragbot.records.transcript import Transcript

EXTENSION = "ragbot"


@dataclass(frozen=True, slots=True)
class Services:
    """What views and commands may use. `pings` has one function for each part that can be down."""

    settings: Settings
    turns: Turns
    transcript: Transcript
    catalogue: Catalogue
    ingestion: Ingestion
    published: PublishedEdition
    retriever: Retriever
    pings: dict[str, Callable[[], None]]


def current_services() -> Services:
    """The parts of the app that is being used now."""
    return cast(Services, current_app.extensions[EXTENSION])
