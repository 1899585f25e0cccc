"""Make the vectors of a text's sentences from one pass of a model over all of it, and compare them.

The model reads a whole chunk once, as for the chunk's own vector; the mean of a sentence's tokens then is the
sentence's vector, in the light of what surrounds it, at no further cost. (Günther et al., "Late Chunking:
Contextual Chunk Embeddings Using Long-Context Embedding Models", 2024.)
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, islice
from typing import Any

import numpy as np
from cachetools import LRUCache

from ragbot.core.domain import Vector

# A sentence, an item or a row ends here; one that is cut in two has the mean of both.
_END = re.compile(r"(?<=[.!?:])\s+|\n+")
_INT8_MAX = 127
# The cosine of units of a text without stored vectors: less than every other.
UNKNOWN = -1.0
# Up to so many of a text's sentences tell how close it is as a whole. (The line of its headings is one.)
CLOSEST_SENTENCES = 3
# Texts whose sentences are kept in memory, some 6 kB each with the text: a question reads those of thirty.
CACHED_TEXTS = 1024


def packed_sentences(text: str, offsets: Sequence[tuple[int, int]], states: Any) -> bytes:
    """Return the vectors of a text's sentences as bytes; none without tokens.

    `offsets` are the places in the text of each token, `states` the model's last states, a row a token. The
    bytes are the number n of sentences, n + 1 places where they begin and the last one ends (32-bit
    unsigned, little-endian), then n vectors of 8-bit integers, each scaled by its own largest number.
    """
    starts = np.array([0, *(match.end() for match in _END.finditer(text))])
    tokens = [(number, start) for number, (start, end) in enumerate(offsets) if end > start]
    if not tokens:
        return b""
    numbers = np.array([number for number, _ in tokens])
    places = np.searchsorted(starts, [start for _, start in tokens], side="right") - 1
    # Not `np.unique`: its first call imports a part of numpy, which fails at times where two threads make it.
    found = np.flatnonzero(np.bincount(places))
    means = np.array([states[numbers[places == place]].mean(axis=0) for place in found])
    scaled = means / np.abs(means).max(axis=1, keepdims=True)
    bounds = [*starts[found], max(end for _, end in offsets)]
    head = np.array([len(found), *bounds], dtype="<u4")
    return head.tobytes() + np.rint(scaled * _INT8_MAX).astype(np.int8).tobytes()


def similarities(packed: bytes, vector: Vector, spans: Sequence[tuple[int, int]]) -> list[float]:
    """Return the cosine of a vector with that of each span of the text that was packed.

    A span has the mean of the sentences that it overlaps, each by its part. One behind the end of what the
    model read has the mean cosine of the others; UNKNOWN if all are.
    """
    bounds, rows = _unpacked(packed)
    first, last = np.array(spans, dtype=np.int64).reshape(-1, 2).T[..., None]
    overlaps = np.clip(np.minimum(last, bounds[1:]) - np.maximum(first, bounds[:-1]), 0, None)
    means = overlaps @ rows
    lengths = np.linalg.norm(means, axis=1)
    cosines = means @ np.asarray(vector, dtype=np.float32) / np.where(lengths > 0, lengths, 1)
    is_known = lengths > 0
    rest = cosines[is_known].mean() if is_known.any() else UNKNOWN
    return [float(one) for one in np.where(is_known, cosines, rest)]


def _unpacked(packed: bytes) -> tuple[Any, Any]:
    """Return the places where the sentences begin and the last one ends, and their vectors of length 1."""
    count = int.from_bytes(packed[:4], "little")
    bounds = np.frombuffer(packed, "<u4", count + 1, 4).astype(np.int64)
    rows = np.frombuffer(packed, np.int8, offset=4 * (count + 2)).reshape(count, -1).astype(np.float32)
    return bounds, rows / np.linalg.norm(rows, axis=1, keepdims=True)


class StoredSentenceVectors:
    """Compare a question with the sentences of passages whose vectors were stored at ingestion.

    `load` returns the packed sentences of those search texts that have some. Safe to call from several
    threads.
    """

    def __init__(self, load: Callable[[Sequence[str]], Mapping[str, bytes]]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._loaded: LRUCache[str, bytes] = LRUCache(CACHED_TEXTS)

    def similarities(
        self, vector: Vector, passages: Sequence[tuple[str, Sequence[str]]]
    ) -> list[list[float]]:
        """Return the cosine with each unit of each passage, UNKNOWN for a passage without stored vectors."""
        stored = self._stored([text for text, _ in passages])
        return [
            similarities(packed, vector, spans_of(text, units))
            if units and (packed := stored.get(text))
            else [UNKNOWN] * len(units)
            for text, units in passages
        ]

    def closest(self, vector: Vector, texts: Sequence[str]) -> list[tuple[float, float]]:
        """Return for each text the highest cosine of a sentence and the mean of the three highest.

        Nothing if one of the texts has no stored vectors.
        """
        stored = self._stored(texts)
        if not all(stored.get(text) for text in texts):
            return []
        asked = np.asarray(vector, dtype=np.float32)
        highest = [np.sort(_unpacked(stored[text])[1] @ asked)[-CLOSEST_SENTENCES:] for text in texts]
        return [(float(cosines[-1]), float(cosines.mean())) for cosines in highest]

    def _stored(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the packed sentences of those texts that have some; those of a text never change."""
        with self._lock:
            found = {text: packed for text in texts if (packed := self._loaded.get(text))}
        if missing := [text for text in texts if text not in found]:
            loaded = self._load(missing)
            found |= loaded
            with self._lock:
                self._loaded.update(loaded)
        return found


# So many words of a unit are looked for in a text, whatever signs of markup are between them.
_LOOKED_FOR = (6, 3, 1)
_WORD = re.compile(r"[^\W_]+")


def spans_of(text: str, units: Sequence[str]) -> list[tuple[int, int]]:
    """Return about where units stand in a text that has them in this order.

    The text begins with headings and a blank line. It was made of the same source in another way (cells of a
    table are parted by bars there), so a unit that is not found stands behind the last.
    """
    begin = text.find("\n\n") + 1
    words = list(_WORD.finditer(text, begin))
    places = [0, *accumulate(match.end() - match.start() + 1 for match in words)]
    joined = "".join(f" {match.group()}" for match in words)
    spans: list[tuple[int, int]] = []
    at = 0
    for unit in units:
        first = [match.group() for match in islice(_WORD.finditer(unit), max(_LOOKED_FOR))]
        keys = (f" {' '.join(first[:count])}" for count in _LOOKED_FOR if len(first) >= count)
        found = next((place for key in keys if (place := joined.find(key, at)) >= 0), -1)
        if found >= 0:
            start, at = words[bisect_right(places, found) - 1].start(), found + 1
        else:
            start = spans[-1][1] if spans else begin
        spans.append((start, start + len(unit)))
    return spans
