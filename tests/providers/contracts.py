"""Define the contracts of embedders and generators, as test classes for adapters to inherit."""

from __future__ import annotations

import math
from contextlib import closing

import pytest

from ragbot.core.answers import NOT_IN_BOOK, Generation
from ragbot.core.deadline import Deadline
from ragbot.core.errors import Cancelled, DeadlineExceeded
from ragbot.core.ports import Embedder, Generator
from tests.providers.asking import prompt_of

TEXTS = ["Bob ripens the cheddar in a cool cellar.", "Alice feeds the starter.", "Green tea, 80 degrees."]


class EmbedderContract:
    """Inherit it and give a fixture `embedder`."""

    def test_each_text_gets_a_vector_of_one_length(self, embedder: Embedder) -> None:
        """An index holds vectors of one dimension."""
        vectors = embedder.embed(TEXTS).vectors

        assert len(vectors) == len(TEXTS)
        assert len({len(vector) for vector in vectors}) == 1

    def test_vectors_have_unit_length(self, embedder: Embedder) -> None:
        """Then likeness is a product, and no text is louder than another."""
        for vector in embedder.embed(TEXTS).vectors:
            assert math.hypot(*vector) == pytest.approx(1, abs=1e-4)
            assert all(isinstance(number, float) for number in vector)

    def test_vector_belongs_to_its_text_whatever_the_order(self, embedder: Embedder) -> None:
        """A vector under another text's name would find the wrong passage for ever."""
        alone = [embedder.embed([text]).vectors[0] for text in TEXTS]

        together = embedder.embed(TEXTS[::-1]).vectors[::-1]

        assert together == [pytest.approx(vector, abs=1e-4) for vector in alone]
        assert alone[0] != pytest.approx(alone[1], abs=1e-2)

    def test_same_text_twice_is_two_vectors(self, embedder: Embedder) -> None:
        """Callers pair texts and vectors by place."""
        vectors = embedder.embed([TEXTS[0], TEXTS[0]]).vectors

        assert len(vectors) == 2
        assert vectors[0] == pytest.approx(vectors[1], abs=1e-4)

    def test_no_texts_give_no_vectors(self, embedder: Embedder) -> None:
        """A book may have nothing new to embed."""
        embedded = embedder.embed([])

        assert (embedded.vectors, embedded.tokens) == ([], 0)

    def test_question_that_is_over_is_not_embedded(self, embedder: Embedder) -> None:
        """Nobody waits for it."""
        cancelled = Deadline(20)
        cancelled.cancel()

        with pytest.raises(DeadlineExceeded):
            embedder.embed(["one that was not asked before"], Deadline(0))
        with pytest.raises(Cancelled):
            embedder.embed(["nor was this one"], cancelled)

    def test_name_says_whose_vectors_they_are(self, embedder: Embedder) -> None:
        """Vectors of two models mean nothing to each other."""
        assert "/" in embedder.name
        assert embedder.name == embedder.name.strip()


class GeneratorContract:
    """Inherit it and give a fixture `generator` that answers `prompt_of()` from its first passage."""

    def test_pieces_are_not_empty_and_make_an_answer(self, generator: Generator) -> None:
        """An empty piece would be an event without a word."""
        pieces = list(generator.generate(prompt_of(), Deadline(20), Generation()))

        assert pieces
        assert all(isinstance(piece, str) and piece for piece in pieces)
        assert not "".join(pieces).startswith(NOT_IN_BOOK)

    def test_generation_is_complete_when_the_pieces_end(self, generator: Generator) -> None:
        """It tells who answered: a model by name, or no model."""
        generation = Generation()

        list(generator.generate(prompt_of(), Deadline(20), generation))

        assert bool(generation.model) != generation.extractive
        assert generation.usage.input_tokens >= 0

    def test_nothing_happens_before_the_first_piece_is_drawn(self, generator: Generator) -> None:
        """A turn that ends before it costs nothing."""
        generation = Generation()

        with closing(generator.generate(prompt_of(), Deadline(20), generation)):
            pass

        assert (generation.model, generation.extractive) == ("", False)

    def test_closing_after_the_first_piece_is_quiet(self, generator: Generator) -> None:
        """Readers leave all the time."""
        pieces = generator.generate(prompt_of(), Deadline(20), Generation())

        assert next(pieces)
        pieces.close()  # type: ignore[attr-defined]

        assert next(pieces, None) is None

    def test_question_that_is_over_is_not_answered(self, generator: Generator) -> None:
        """Not by a model that costs money, and not by one that costs time."""
        cancelled = Deadline(20)
        cancelled.cancel()

        with pytest.raises(DeadlineExceeded):
            list(generator.generate(prompt_of(), Deadline(0), Generation()))
        with pytest.raises(Cancelled):
            list(generator.generate(prompt_of(), cancelled, Generation()))

    def test_two_questions_at_once_do_not_meet(self, generator: Generator) -> None:
        """One generator serves all threads."""
        one, other = (generator.generate(prompt_of(), Deadline(20), Generation()) for _ in range(2))

        first_of_both = next(one), next(other)
        rest = "".join(one), "".join(other)

        assert first_of_both[0] + rest[0] == first_of_both[1] + rest[1]

    def test_ping_returns_when_it_could_be_asked(self, generator: Generator) -> None:
        """Whether it could is for the health page."""
        assert generator.ping() is None

    def test_it_has_a_name(self, generator: Generator) -> None:
        """For the log and the metrics."""
        assert generator.name
