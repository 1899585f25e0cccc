"""Group questions that ask the same: each joins the nearest group, or opens one.

A question keeps its group for good: groups are the same from day to day, and only new questions cost time.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import structlog

from ragbot.core.deadline import Deadline
from ragbot.core.errors import RagbotError
from ragbot.core.ports import Embedder
from ragbot.index.analysis import Analyzer
from ragbot.storage.question_groups import QuestionGroupStore, StoredGroup, UngroupedQuestion

log = structlog.get_logger(__name__)

Floats = npt.NDArray[np.float32]
# A book, and a space or a wording.
_Key = tuple[str, str]

WORDS = "words"
# Cosines from which a question joins a group, measured in tests/insights/test_groups.py.
NEAR_BY_VECTOR = 0.6
NEAR_BY_WORDS = 0.55
# Term vectors are hashed into so many numbers; trigrams let "installing" meet "installation".
_DIMENSION = 1024
_TRIGRAM_WEIGHT = 0.7
# A question is compared with so many groups at most, which bounds memory (16 MB) and time.
MOST_COMPARED = 4096
_AT_ONCE = 512
# The time for a question's vector: a run has a lease, and what is left is for the next one.
_VECTOR_S = 30.0
# The terms of so many stems are remembered; a book and its readers use fewer.
_STEMS = 20_000


class QuestionSpace:
    """Hold the groups of one book in one kind of vector. Only the order of questions decides the result."""

    def __init__(self, groups: Sequence[StoredGroup], dimension: int, near: Callable[[float], bool]) -> None:
        """Join questions to a group if `near` says so of their cosine."""
        self._near = near
        self._sums = np.zeros((MOST_COMPARED, dimension), dtype=np.float32)
        self._units = np.zeros((MOST_COMPARED, dimension), dtype=np.float32)
        self._members = np.zeros(MOST_COMPARED, dtype=np.int64)
        self._ids: list[int | None] = [None] * MOST_COMPARED
        self._used = 0
        # From the smallest to the largest, so that in a full space the smallest is replaced first.
        usable = [group for group in groups if len(group.centroid) == 4 * dimension]
        for group in reversed(usable[:MOST_COMPARED]):
            slot = self._free_slot(())
            self._sums[slot] = np.frombuffer(group.centroid, dtype="<f4")
            self._members[slot], self._ids[slot] = group.members, group.id
            self._refresh(slot)

    def assign(self, vectors: Floats) -> list[int]:
        """Return the slot of the group of each unit vector, in order; new groups take free slots.

        The cosines with all groups are computed at once. When a vector joins a group, those of the group are
        brought up to date from the products of the vectors with each other.
        """
        products = vectors @ vectors.T
        cosines = np.full((len(vectors), min(MOST_COMPARED, self._used + len(vectors))), -1.0, np.float32)
        cosines[:, : self._used] = vectors @ self._units[: self._used].T
        # The products of each changed group's sum with all vectors.
        changed: dict[int, Floats] = {}
        slots: list[int] = []
        for number, vector in enumerate(vectors):
            slot = self._nearest(cosines[number])
            if slot is None:
                slot = self._free_slot(changed.keys())
                self._sums[slot], self._members[slot], self._ids[slot] = 0, 0, None
                changed[slot] = np.zeros(len(vectors), np.float32)
            elif slot not in changed:
                changed[slot] = cosines[:, slot] * _length(self._sums[slot])
            self._sums[slot] += vector
            self._members[slot] += 1
            changed[slot] += products[number]
            cosines[:, slot] = changed[slot] / _length(self._sums[slot])
            slots.append(slot)
        for slot in changed:
            self._refresh(slot)
        return slots

    def stored(self, slot: int) -> StoredGroup:
        """Return the group of a slot as it is stored."""
        return StoredGroup(
            self._ids[slot], self._sums[slot].astype("<f4").tobytes(), int(self._members[slot])
        )

    def name(self, slot: int, group_id: int) -> None:
        """Record under which id the group of a slot was stored."""
        self._ids[slot] = group_id

    def _nearest(self, cosines: Floats) -> int | None:
        """Return the nearest group, if near enough."""
        best = int(np.argmax(cosines))
        return best if self._near(float(cosines[best])) else None

    def _free_slot(self, changed: Collection[int]) -> int:
        if self._used < MOST_COMPARED:
            self._used += 1
            return self._used - 1
        order = np.argsort(self._members, kind="stable")
        return next(int(slot) for slot in order if int(slot) not in changed)

    def _refresh(self, slot: int) -> None:
        self._units[slot] = _unit(self._sums[slot])


class QuestionGrouper:
    """Give groups to the questions that have none. Safe to run again at any time."""

    def __init__(
        self,
        store: QuestionGroupStore,
        embedder: Embedder | None,
        *,
        understands: Callable[[str], bool] = lambda _text: True,
        similarity: Callable[[float], float] = lambda cosine: cosine,
    ) -> None:
        """Compare by vectors where `understands` says that they mean something, else by words.

        `similarity` maps an embedder's cosine to the scale of `NEAR_BY_VECTOR`.
        """
        self._store = store
        self._embedder = embedder
        self._understands = understands
        self._similarity = similarity

    def group_new(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Group all questions without a group, the oldest first. Returns how many.

        A batch whose embedder fails is left for the next run, as are a question that cannot be compared and
        the rest once `goes_on` says no. Raises the last such failure when all other batches are grouped.
        """
        spaces: dict[_Key, QuestionSpace] = {}
        known: dict[_Key, int] | None = None
        failure: RagbotError | None = None
        grouped = last = 0
        while (batch := self._store.ungrouped(last, _AT_ONCE)) and goes_on():
            last = batch[-1].id
            if known is None:
                rows = self._store.grouped_words()
                known = {(book, _bare(words)): group for book, words, group in rows}
            try:
                grouped += self._group(batch, spaces, known)
            except RagbotError as error:
                log.warning("questions_not_grouped", code=error.code, count=len(batch))
                failure = error
        if failure is not None:
            raise failure
        return grouped

    def _group(
        self, batch: Sequence[UngroupedQuestion], spaces: dict[_Key, QuestionSpace], known: dict[_Key, int]
    ) -> int:
        worded = [(question, _wording(question)) for question in batch]
        self._store.join([(question.id, known[wording]) for question, wording in worded if wording in known])
        vectors: dict[_Key, tuple[str, Floats] | None] = {}
        members: dict[_Key, list[tuple[UngroupedQuestion, _Key, Floats]]] = {}
        left_out = 0
        for question, wording in worded:
            if wording in known:
                continue
            if wording not in vectors:
                vectors[wording] = self._vector_if_any(question)
            if (found := vectors[wording]) is None:
                left_out += 1
            else:
                space, vector = found
                members.setdefault((question.book, space), []).append((question, wording, vector))
        for key, fresh in members.items():
            questions = [question for question, _, _ in fresh]
            groups = self._join(key, questions, np.array([vector for _, _, vector in fresh]), spaces)
            known.update(zip((wording for _, wording, _ in fresh), groups, strict=True))
        return len(batch) - left_out

    def _join(
        self,
        key: _Key,
        questions: Sequence[UngroupedQuestion],
        vectors: Floats,
        spaces: dict[_Key, QuestionSpace],
    ) -> list[int]:
        """Put questions of one space into groups, and store these. Returns the group of each question."""
        book, name = key
        if key not in spaces:
            stored = self._store.largest(book, name, limit=MOST_COMPARED)
            spaces[key] = QuestionSpace(stored, vectors.shape[1], self._near(name))
        space = spaces[key]
        slots = space.assign(vectors)
        changed = list(dict.fromkeys(slots))
        members = [
            [question.id for question, at in zip(questions, slots, strict=True) if at == slot]
            for slot in changed
        ]
        try:
            groups = [space.stored(slot) for slot in changed]
            ids = self._store.store(book, name, groups, members)
        except RagbotError:
            # What was not stored may not be built upon.
            del spaces[key]
            raise
        for slot, group_id in zip(changed, ids, strict=True):
            space.name(slot, group_id)
        by_slot = dict(zip(changed, ids, strict=True))
        return [by_slot[slot] for slot in slots]

    def _near(self, space: str) -> Callable[[float], bool]:
        if space == WORDS:
            return lambda cosine: cosine >= NEAR_BY_WORDS
        return lambda cosine: self._similarity(cosine) >= NEAR_BY_VECTOR

    def _vector_if_any(self, question: UngroupedQuestion) -> tuple[str, Floats] | None:
        """Return what `_vector` does, or None if it fails on the text of the question."""
        try:
            return self._vector(question)
        except RagbotError:
            raise
        except Exception as error:  # What one reader typed must not keep the questions of all from groups.
            log.error("question_not_grouped", question=question.id, error=type(error).__name__)
            return None

    def _vector(self, question: UngroupedQuestion) -> tuple[str, Floats]:
        """Return the name of the space of a question, and its unit vector in it."""
        if self._understands(question.words):
            if question.vector is not None and question.embedder:
                packed = np.frombuffer(question.vector, dtype=np.int8)
                return question.embedder, _unit(packed.astype(np.float32))
            if self._embedder is not None:
                vector = self._embedder.embed([question.words], Deadline(_VECTOR_S)).vectors[0]
                return self._embedder.name, _unit(np.asarray(vector, dtype=np.float32))
        return WORDS, word_vector(question.words, question.language or "english")


def word_vector(words: str, language: str) -> Floats:
    """Return the unit vector of a question's stems and their trigrams; zeros if it has no content word."""
    vector = np.zeros(_DIMENSION, dtype=np.float32)
    analyzer = _analyzer(language)
    for stem in {analyzer.stem(word) for word in analyzer.question_words(words)}:
        places, weights = _terms(stem)
        vector[places] += weights
    return _unit(vector)


@lru_cache(maxsize=_STEMS)
def _terms(stem: str) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the places of a stem and of its trigrams in a vector, each once, and their weights.

    A term's place and sign are those of its hash. The sign lets terms that meet in a place cancel out.
    """
    framed = f"^{stem}$"
    trigrams = {framed[start : start + 3] for start in range(len(framed) - 2)}
    weights: defaultdict[int, float] = defaultdict(float)
    for term in (f"={stem}", *trigrams):
        code = zlib.crc32(term.encode())
        weight = 1.0 if term.startswith("=") else _TRIGRAM_WEIGHT / math.sqrt(len(trigrams))
        weights[code % _DIMENSION] += weight if code >> 31 else -weight
    return np.array([*weights], dtype=np.intp), np.array([*weights.values()], dtype=np.float32)


def _unit(vector: Floats) -> Floats:
    return vector / _length(vector)


def _length(vector: Floats) -> float:
    """Return the length of a vector; 1 for zeros, which can be divided by it."""
    return math.sqrt(float(vector @ vector)) or 1.0


def _wording(question: UngroupedQuestion) -> _Key:
    return question.book, _bare(question.words)


def _bare(words: str) -> str:
    return " ".join(words.casefold().split()).rstrip("?!. ")


@cache
def _analyzer(language: str) -> Analyzer:
    return Analyzer(language)
