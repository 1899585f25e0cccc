"""A finished answer to bytes for a cache, and back; and the key under which its question is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from urllib.parse import urlsplit

from ragbot.core.domain import (
    Answer,
    Degradation,
    Delta,
    Event,
    Finished,
    Latency,
    Mode,
    Question,
    Retrieved,
    Source,
    Status,
    Usage,
)
from ragbot.core.text import folded

# A kept answer is told in pieces of so many words, as a model would tell it.
WORDS_AT_ONCE = 8

# What is kept has another shape when this changes; entries of another shape are not found.
SHAPE = 1


def key_of(question: Question, edition_key: str, fingerprint: str) -> str:
    """The name of all that an answer depends on, but the talk before it.

    `fingerprint` stands for models, prompt and budgets. Questions that differ in letter case, white space
    or the signs at their end are one.
    """
    parts = [
        SHAPE,
        folded(question.text).rstrip(" ?!."),
        str(question.mode),
        question.selected_text,
        folded(question.chapter_filter or ""),
        urlsplit(question.page_url or "").path,
        edition_key,
        question.top_k,
        fingerprint,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def name_of(key: str) -> str:
    """Under what an answer is kept in a cache."""
    return f"answer:{key}"


def packed(answer: Answer) -> bytes:
    """An answer as bytes."""
    return json.dumps(asdict(answer)).encode()


def unpacked(kept: bytes) -> Answer | None:
    """The answer again; None for what cannot be read."""
    try:
        fields = json.loads(kept)
        sources = tuple(
            Source(**{**source, "heading_path": tuple(source["heading_path"])})
            for source in fields.pop("sources")
        )
        return Answer(
            sources=sources,
            status=Status(fields.pop("status")),
            mode=Mode(fields.pop("mode")),
            degraded=tuple(Degradation(name) for name in fields.pop("degraded")),
            usage=Usage(**fields.pop("usage")),
            latency_ms=Latency(**fields.pop("latency_ms")),
            **fields,
        )
    except (ValueError, TypeError, KeyError, AttributeError, UnicodeDecodeError):
        return None


def told_again(answer: Answer) -> Iterator[Event]:
    """The events in which the answer came."""
    yield Retrieved(tuple(replace(source, cited=False) for source in answer.sources))
    yield from told_on(answer)


def told_on(answer: Answer) -> Iterator[Event]:
    """The same without the first event. The deltas' sum is the answer's text, to the letter."""
    words = answer.text.split(" ")
    for start in range(0, len(words), WORDS_AT_ONCE):
        piece = " ".join(words[start : start + WORDS_AT_ONCE])
        if start + WORDS_AT_ONCE < len(words):
            piece += " "
        if piece:
            yield Delta(piece)
    yield Finished(answer)
