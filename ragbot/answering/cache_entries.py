"""Serialise finished answers for a cache, and compute the key of a question."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, replace
from urllib.parse import urlsplit

import orjson
from pydantic import TypeAdapter, ValidationError

from ragbot.core.answers import Answer, Delta, Event, Finished, Question, Retrieved, Status
from ragbot.core.text import folded

# A cached answer is streamed in pieces of so many words, as a model would write it.
WORDS_AT_ONCE = 8

# A word of a language, with punctuation around it. Signs, options and names in code do not match.
_WORD = re.compile(r"[\"'“”‘’(\[]*[^\W\d_]{2,}(?:['’-][^\W\d_]+)*[\"'“”‘’)\],;:?!.]*")

# The version of the entries' format; entries of another version are not found.
SHAPE = 2

_ANSWER = TypeAdapter(Answer)


def cache_key(question: Question, edition_key: str, fingerprint: str) -> str:
    """Return a hash of all that an answer depends on, except the conversation before it.

    `fingerprint` identifies models, prompt and budgets. Questions that differ in white space, in the signs at
    their end, in the width of letters or in the letter case of words have one key; `-C` and `-c`, 10² and 102
    have two.
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
    """Normalise a question, so that differences without a meaning do not change its key."""
    text = "".join(map(_of_one_width, unicodedata.normalize("NFC", text)))
    words = text.rstrip(" \t\n?!.").split()
    return " ".join(word.casefold() if _WORD.fullmatch(word) else word for word in words)


def _of_one_width(letter: str) -> str:
    """Return a letter of full or half width in its usual width. NFKC would also make 10² and 102 equal."""
    is_other = unicodedata.decomposition(letter).startswith(("<wide>", "<narrow>"))
    return unicodedata.normalize("NFKC", letter) if is_other else letter


def entry_name(key: str) -> str:
    """Return the name of an answer's entry in a cache."""
    return f"answer:{key}"


def serialized(answer: Answer) -> bytes:
    """Return an answer as bytes."""
    try:
        return orjson.dumps(answer)
    except TypeError:
        # It has half a sign, as a reader's selection may.
        return json.dumps(asdict(answer)).encode()


def deserialized(entry: bytes | None) -> Answer | None:
    """Return the answer in an entry, or None if there is none or it is unreadable."""
    try:
        return _ANSWER.validate_json(entry, strict=True) if entry else None
    except ValidationError:
        return None


def is_cacheable(answer: Answer) -> bool:
    """Return whether other readers may get this answer: it is no refusal, and nothing was degraded."""
    return answer.status is Status.ANSWERED and not answer.degraded


def replay(answer: Answer) -> Iterator[Event]:
    """Yield the events of a cached answer: Retrieved, Deltas, Finished."""
    yield Retrieved(tuple(replace(source, cited=False) for source in answer.sources))
    yield from replay_text(answer)


def replay_text(answer: Answer) -> Iterator[Event]:
    """Yield the events of a cached answer without Retrieved. The deltas add up to exactly its text."""
    words = answer.text.split(" ")
    for start in range(0, len(words), WORDS_AT_ONCE):
        piece = " ".join(words[start : start + WORDS_AT_ONCE])
        if start + WORDS_AT_ONCE < len(words):
            piece += " "
        if piece:
            yield Delta(piece)
    yield Finished(answer)
