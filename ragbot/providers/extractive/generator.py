"""A prompt to an answer made of the book's own sentences, word for word, each with its mark. No model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ragbot.core.deadline import Deadline
from ragbot.core.domain import NOT_IN_BOOK, Mode, Passage, Prompt
from ragbot.core.errors import ProviderError
from ragbot.core.ports import Embedder, Generation
from ragbot.core.text import count_tokens
from ragbot.providers.extractive.layout import LONGEST_CODE, paragraphs_of
from ragbot.providers.extractive.scoring import (
    ScoredText,
    asks_for_meaning,
    opening_of,
    score,
    support,
    support_features,
)
from ragbot.providers.extractive.spans import TextBlock, TextSpan, spans_of

# Pieces whose similarity is score an embedder's time, best first by their words.
MOST_EMBEDDED = 12
# Characters of a piece that an embedder is shown.
LONGEST_EMBEDDED = 600
# An answer holds at most this many of the best pieces, and a lesser one only if its score is near the best's.
PIECES = 3
SCORE_MARGIN = 1.0
ANSWER_TOKENS = 220


@dataclass(frozen=True, slots=True)
class _Candidate:
    passage: int
    span: TextSpan
    piece: ScoredText
    score: float


class ExtractiveGenerator:
    """Finds what answers best by words and, with an embedder, by similarity. Safe between threads.

    `terms` gives the stems of a text in a language; `blocks` cuts a passage into what reads as one thing.
    `embedder` must be the one that the prompt's question vector comes from.
    """

    name = "extractive"

    def __init__(
        self,
        *,
        terms: Callable[[str, str], list[str]],
        blocks: Callable[[str], Sequence[TextBlock]],
        embedder: Embedder | None = None,
    ) -> None:
        self._terms = terms
        self._blocks = blocks
        self._embedder = embedder

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        """As the port says: a paragraph at a time, in the order in which the book is read."""
        generation.extractive = True
        deadline.check()
        candidates = self._with_similarity(prompt, self._candidates(prompt), deadline)
        if not candidates or not self._answers(prompt, candidates):
            yield NOT_IN_BOOK
            return
        chosen = _chosen(candidates)
        between = ""
        for number, passage in enumerate(prompt.passages, start=1):
            spans = [candidate.span for candidate in chosen if candidate.passage == number - 1]
            if spans:
                text = passage.chunk.text
                for paragraph in paragraphs_of(text, self._blocks(text), spans, mark=f"[{number}]"):
                    yield f"{between}{paragraph}"
                    between = "\n\n"

    def ping(self) -> None:
        """Return always: nothing outside is needed."""

    def _candidates(self, prompt: Prompt) -> list[_Candidate]:
        """Every piece of every passage with its score by words alone, best first."""
        found = []
        for place, passage in enumerate(prompt.passages):
            whole = passage.chunk.text
            blocks = self._blocks(whole)
            path = " ".join(passage.chunk.heading_path)
            for span in spans_of(whole, blocks):
                text = whole[span.start : span.end]
                terms = frozenset(self._terms(prompt.language, text))
                if terms and is_tellable(span, text, prompt.question):
                    above = blocks[span.under] if span.under >= 0 else None
                    heading = f"{path} {whole[above.start : above.end]}" if above else path
                    piece = ScoredText(
                        text=text,
                        terms=terms,
                        heading_terms=frozenset(self._terms(prompt.language, heading)),
                        opening_terms=frozenset(self._terms(prompt.language, opening_of(text))),
                        rank=place,
                    )
                    value = score(prompt.question, prompt.term_weights, piece)
                    found.append(_Candidate(place, span, piece, value))
        return sorted(found, key=lambda candidate: -candidate.score)

    def _with_similarity(
        self, prompt: Prompt, candidates: list[_Candidate], deadline: Deadline
    ) -> list[_Candidate]:
        """The best candidates by words, weighed again with their similarity to the question, best first."""
        if self._embedder is None or prompt.question_vector is None or not candidates:
            return candidates
        best = candidates[:MOST_EMBEDDED]
        try:
            texts = [candidate.piece.text[:LONGEST_EMBEDDED] for candidate in best]
            vectors = self._embedder.embed(texts, deadline).vectors
        except ProviderError:
            return candidates
        liked = []
        for candidate, vector in zip(best, vectors, strict=True):
            similarity = sum(a * b for a, b in zip(vector, prompt.question_vector, strict=True))
            piece = replace(candidate.piece, similarity=similarity)
            value = score(prompt.question, prompt.term_weights, piece)
            liked.append(replace(candidate, piece=piece, score=value))
        return sorted(liked, key=lambda candidate: -candidate.score)

    def _answers(self, prompt: Prompt, candidates: Sequence[_Candidate]) -> bool:
        if prompt.mode is Mode.SELECTED_TEXT:
            # The reader has chosen the place; it is refused only where nothing of the question is in it.
            said = frozenset[str]().union(*(candidate.piece.terms for candidate in candidates))
            return not prompt.term_weights or not said.isdisjoint(prompt.term_weights)
        if not prompt.term_weights:
            return False
        features = support_features(
            prompt.question,
            prompt.term_weights,
            prompt.unknown_words,
            [self._passage_terms(prompt, passage) for passage in prompt.passages],
            [(candidate.score, candidate.piece) for candidate in candidates],
        )
        return support(features) >= 0

    def _passage_terms(self, prompt: Prompt, passage: Passage) -> frozenset[str]:
        return frozenset(self._terms(prompt.language, passage.chunk.search_text))


def is_tellable(span: TextSpan, text: str, question: str) -> bool:
    """Whether a piece can be told in an answer: no question, no long listing, none where words are wanted."""
    if span.kind == "code":
        return span.end - span.start <= LONGEST_CODE and not asks_for_meaning(question)
    return not text.rstrip("*_ ").endswith("?")


def _chosen(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The best pieces that make an answer together: near the best in score, and not too long."""
    chosen: list[_Candidate] = []
    left = ANSWER_TOKENS
    for candidate in candidates[: PIECES * 2]:
        tokens = count_tokens(candidate.piece.text)
        far = candidate.score < candidates[0].score - SCORE_MARGIN
        if chosen and (far or tokens > left or len(chosen) == PIECES):
            continue
        chosen.append(candidate)
        left -= tokens
    return chosen
