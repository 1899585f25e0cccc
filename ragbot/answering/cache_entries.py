"""A finished answer to bytes for a cache, and back; and the key under which its question is found."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, replace
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from ragbot.core.domain import (
    Answer,
    Delta,
    Event,
    Finished,
    Question,
    Retrieved,
    Status,
)
from ragbot.core.text import folded

# A kept answer is told in pieces of so many words, as a model would tell it.
WORDS_AT_ONCE = 8

# A word of the language, with what may stand around it; a sign, an option or a name of code is none.
_WORD = re.compile(r"[\"'“”‘’(\[]*[^\W\d_]{2,}(?:['’-][^\W\d_]+)*[\"'“”‘’)\],;:?!.]*")

# What is kept has another shape when this changes; entries of another shape are not found.
SHAPE = 2

_ANSWER = TypeAdapter(Answer)


def cache_key(question: Question, edition_key: str, fingerprint: str) -> str:
    """The name of all that an answer depends on, but the talk before it.

    `fingerprint` stands for models, prompt and budgets. Questions that differ in white space, in the signs at
    their end, in width or in the letter case of words are one; `-C` and `-c`, 10² and 102 are not.
    """
    parts = [
        SHAPE,
        _alike(question.text),
        str(question.mode),
        question.selected_text,
        folded(question.chapter_filter or ""),
        urlsplit(question.page_url or "").path,
        edition_key,
        question.top_k,
        fingerprint,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _alike(text: str) -> str:
    """The question as those who ask the same would write it."""
    text = "".join(map(_of_one_width, unicodedata.normalize("NFC", text)))
    words = text.rstrip(" \t\n?!.").split()
    return " ".join(word.casefold() if _WORD.fullmatch(word) else word for word in words)


def _of_one_width(letter: str) -> str:
    """A letter of full or half width in its own; what else NFKC makes alike (10² and 102) stays apart."""
    is_other = unicodedata.decomposition(letter).startswith(("<wide>", "<narrow>"))
    return unicodedata.normalize("NFKC", letter) if is_other else letter


def flight_name(key: str) -> str:
    """Under what an answer is kept in a cache."""
    return f"answer:{key}"


def serialized(answer: Answer) -> bytes:
    """An answer as bytes."""
    return json.dumps(asdict(answer)).encode()


def deserialized(kept: bytes) -> Answer | None:
    """The answer again; None for what is none."""
    try:
        return _ANSWER.validate_json(kept, strict=True)
    except ValidationError:
        return None


def is_cacheable(answer: Answer) -> bool:
    """Whether an answer may be told to others, later too."""
    return answer.status is Status.ANSWERED and not answer.degraded


def replay(answer: Answer) -> Iterator[Event]:
    """The events in which the answer came."""
    yield Retrieved(tuple(replace(source, cited=False) for source in answer.sources))
    yield from replay_text(answer)


def replay_text(answer: Answer) -> Iterator[Event]:
    """The same without the first event. The deltas' sum is the answer's text, to the letter."""
    words = answer.text.split(" ")
    for start in range(0, len(words), WORDS_AT_ONCE):
        piece = " ".join(words[start : start + WORDS_AT_ONCE])
        if start + WORDS_AT_ONCE < len(words):
            piece += " "
        if piece:
            yield Delta(piece)
    yield Finished(answer)
