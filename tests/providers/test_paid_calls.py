"""Test calls that cost money: when they are made, what is charged, what the circuit breaker counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace

import pytest

from ragbot.core.answers import Generation, Prompt, Usage
from ragbot.core.circuit_breaker import FAILURES_TO_OPEN, CircuitBreaker
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    AnswerRefused,
    BudgetSpent,
    Cancelled,
    CircuitOpen,
    ContentFiltered,
    ContextOverflow,
    ProviderError,
    ProviderReason,
    ProviderRejected,
    ProviderUnavailable,
    RequestRejected,
    TooLate,
)
from ragbot.providers.paid_calls import PaidEmbedder, PaidGenerator
from tests.fakes.parts import LoggingBudget, ScriptedGenerator, WordCountEmbedder
from tests.providers.asking import asked, circuit_breaker, prompt_of


@pytest.fixture
def circuits() -> CircuitBreaker:
    return circuit_breaker()


@pytest.fixture
def budget() -> LoggingBudget:
    return LoggingBudget(left_usd=1.0)


def paid(
    budget: LoggingBudget, circuits: CircuitBreaker, *pieces: str | Exception, most_usd: float = 0.1
) -> PaidGenerator:
    return PaidGenerator(ScriptedGenerator(*pieces), circuits, budget, most_usd)


def fail(generator: PaidGenerator, times: int) -> None:
    for _ in range(times):
        with suppress(ProviderError):
            asked(generator)


# --- a generator -------------------------------------------------------------------------------


def test_answer_is_charged_and_its_reservation_released(
    budget: LoggingBudget, circuits: CircuitBreaker
) -> None:
    """With what it cost, not with what it might have."""
    pieces, _ = asked(paid(budget, circuits, "Nine ", "months [1]."))

    assert pieces == ["Nine ", "months [1]."]
    assert budget.charges == [
        ("test/scripted", Usage(input_tokens=10, output_tokens=2, cost_usd=0.001)),
    ]
    assert budget.reserved_usd == 0


def test_model_is_not_called_when_the_budget_has_too_little(circuits: CircuitBreaker) -> None:
    """The call might cost more than is left."""
    budget = LoggingBudget(left_usd=0.05)
    scripted = ScriptedGenerator("Nine months [1].")

    with pytest.raises(BudgetSpent):
        asked(PaidGenerator(scripted, circuits, budget, 0.1))

    assert (scripted.prompts, budget.charges, budget.reserved_usd) == ([], [], 0)


def test_model_is_not_called_where_the_prompt_forbids_it(
    budget: LoggingBudget, circuits: CircuitBreaker
) -> None:
    """Somebody has asked enough for a day."""
    scripted = ScriptedGenerator("Nine months [1].")
    prompt = replace(prompt_of(), without_model=True)

    with pytest.raises(BudgetSpent):
        list(PaidGenerator(scripted, circuits, budget, 0.1).generate(prompt, Deadline(20), Generation()))

    assert (scripted.prompts, budget.charges) == ([], [])


def test_answer_that_is_cut_or_left_is_charged_too(budget: LoggingBudget, circuits: CircuitBreaker) -> None:
    """The provider has generated it."""
    with pytest.raises(AnswerCut):
        asked(paid(budget, circuits, "Nine ", AnswerCut("cut")))
    left = paid(budget, circuits, "Nine ", "months [1].")
    with closing(left.generate(prompt_of(), Deadline(20), Generation())) as pieces:
        next(pieces)

    assert [model for model, _ in budget.charges] == ["test/scripted"] * 2
    assert budget.reserved_usd == 0


def test_call_without_a_word_is_not_charged(budget: LoggingBudget, circuits: CircuitBreaker) -> None:
    """It failed before it cost anything."""
    with pytest.raises(ProviderUnavailable):
        asked(paid(budget, circuits, ProviderUnavailable("down")))

    assert (budget.charges, budget.reserved_usd) == ([], 0)


class Thinker(ScriptedGenerator):
    """Has thought before it says what it says."""

    thoughts = Usage(input_tokens=10, output_tokens=90, cost_usd=0.01)

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        generation.unspoken += self.thoughts
        yield from super().generate(prompt, deadline, generation)


@pytest.mark.parametrize(
    ("said", "charged"),
    [
        ((ProviderUnavailable("no word"),), Thinker.thoughts),
        (("Nine ", "months [1]."), Usage(input_tokens=20, output_tokens=92, cost_usd=pytest.approx(0.011))),
    ],
    ids=["without a word", "before an answer"],
)
def test_thoughts_are_charged(
    said: tuple[str | Exception, ...], charged: Usage, budget: LoggingBudget, circuits: CircuitBreaker
) -> None:
    """To the model that has thought, and once; the reply tells what all models cost."""
    before = Usage(input_tokens=5, cost_usd=0.002)
    generation = Generation(unspoken=before)
    thinker = PaidGenerator(Thinker(*said), circuits, budget, 0.1)

    with suppress(ProviderUnavailable):
        list(thinker.generate(prompt_of(), Deadline(20), generation))

    assert budget.charges == [("test/scripted", charged)]
    assert generation.unspoken == before + Thinker.thoughts


def test_model_that_fails_is_not_called_for_a_while(budget: LoggingBudget, circuits: CircuitBreaker) -> None:
    """And nothing stays reserved for it."""
    failing = paid(budget, circuits, ProviderUnavailable("down"))
    fail(failing, FAILURES_TO_OPEN)

    with pytest.raises(CircuitOpen):
        asked(paid(budget, circuits, "Nine months [1]."))

    assert budget.reserved_usd == 0


@pytest.mark.parametrize(
    "error",
    [
        RequestRejected("too odd"),
        AnswerRefused("thoughts"),
        ContextOverflow("too long"),
        ContentFiltered("filtered"),
        TooLate("late"),
        Cancelled("gone"),
    ],
    ids=str,
)
def test_what_is_not_the_providers_fault_opens_no_circuit(
    budget: LoggingBudget, circuits: CircuitBreaker, error: Exception
) -> None:
    """One reader's question must not take the model from all others."""
    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(type(error)):
            asked(paid(budget, circuits, error))

    assert circuits.open_names() == frozenset()


def test_circuit_learns_why_a_provider_fails_or_refuses(
    budget: LoggingBudget, circuits: CircuitBreaker
) -> None:
    """In the provider's identifiers, which the health check tells."""
    fail(paid(budget, circuits, RequestRejected("no", ProviderReason(400, code="odd"))), FAILURES_TO_OPEN)
    refusing = circuits.troubles()
    fail(
        paid(budget, circuits, ProviderRejected("no", ProviderReason(401, code="bad_key"))), FAILURES_TO_OPEN
    )

    assert refusing == {"test/scripted": "refuses each request: status 400, odd"}
    assert circuits.troubles() == {"test/scripted": "status 401, bad_key"}


def test_answer_of_a_moment_ago_spares_the_ping(budget: LoggingBudget, circuits: CircuitBreaker) -> None:
    """It is better evidence than a list of models, and costs no call."""
    generator = paid(budget, circuits, "Nine months [1].")
    pinged: list[None] = []
    generator._generator.ping = lambda: pinged.append(None)  # type: ignore[method-assign]

    generator.ping()
    asked(generator)
    generator.ping()

    assert len(pinged) == 1


def test_reader_who_leaves_opens_no_circuit(budget: LoggingBudget, circuits: CircuitBreaker) -> None:
    """Readers leave all the time."""
    for _ in range(FAILURES_TO_OPEN + 1):
        with closing(
            paid(budget, circuits, "Nine ", "months.").generate(prompt_of(), Deadline(20), Generation())
        ) as pieces:
            next(pieces)

    assert circuits.open_names() == frozenset()


# --- an embedder -------------------------------------------------------------------------------


def embedder_of(
    embedder: WordCountEmbedder, budget: LoggingBudget, circuits: CircuitBreaker, took: list[float]
) -> PaidEmbedder:
    return PaidEmbedder(
        embedder,
        circuits,
        budget,
        lambda tokens: tokens / 1000,
        took=took.append,
    )


def test_vectors_are_charged_and_timed(budget: LoggingBudget, circuits: CircuitBreaker) -> None:
    """A failed call took its time, too."""
    words, took = WordCountEmbedder(), list[float]()
    embedder = embedder_of(words, budget, circuits, took)

    embedder.embed(["cheese"], Deadline(20))
    words.down = True
    with pytest.raises(ProviderUnavailable):
        embedder.embed(["bread"], Deadline(20))

    assert budget.charges == [(words.name, Usage(embedding_tokens=6, cost_usd=0.006))]
    assert len(took) == 2


def test_question_is_embedded_while_the_budget_is_spent(circuits: CircuitBreaker) -> None:
    """A thousand of them cost a cent."""
    assert embedder_of(WordCountEmbedder(), LoggingBudget(0.0), circuits, []).embed(["cheese"]).vectors


def test_embedder_that_fails_is_not_called_for_questions_and_still_for_a_book(
    budget: LoggingBudget, circuits: CircuitBreaker
) -> None:
    """A book has nothing else to go on with, and time."""
    words, took = WordCountEmbedder(), list[float]()
    embedder = embedder_of(words, budget, circuits, took)
    words.down = True
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ProviderUnavailable):
            embedder.embed(["cheese"], Deadline(20))
    words.down = False

    with pytest.raises(CircuitOpen):
        embedder.embed(["cheese"], Deadline(20))

    assert embedder.embed(["cheese"]).vectors
    assert len(took) == FAILURES_TO_OPEN + 1
