"""Query rewriting: when a model restates a question, and what the search makes of its lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ragbot.answering.query_rewriting import LONGEST_LINE, QueryRewriter, RewrittenQuestion
from ragbot.core.answers import Exchange, Generation, Prompt, Question, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.errors import AnswerCut, BudgetSpent, Cancelled, CircuitOpen, ProviderUnavailable
from tests.fakes.parts import ScriptedGenerator

TALK = (Exchange("How long is the cheddar ripened?", "Nine months [1]."),)


def rewritten(
    *pieces: str | Exception,
    question: str = "And where is it ripened?",
    history: tuple[Exchange, ...] = TALK,
    language: str = "english",
) -> RewrittenQuestion | None:
    """Return the question restated; None where it is searched as it was asked."""
    generator = ScriptedGenerator(*pieces)
    found = QueryRewriter(generator).rewrite(Question(question), history, language, Deadline(20))
    return found if found and found.is_restated else None


def test_follow_up_is_searched_as_it_stands_alone_and_as_it_was_asked() -> None:
    """The model may have taken it wrongly."""
    found = rewritten("QUESTION: Where is the ched", "dar ripened?\n")

    assert found is not None
    assert found.search_text == "Where is the cheddar ripened?"
    assert found.variants == ("And where is it ripened?",)


def test_question_of_another_language_is_searched_in_the_books() -> None:
    """The search by words knows the book's alone."""
    found = rewritten(
        "QUESTION: Wie lange reift der Cheddar?\nTRANSLATION: How long does the cheddar ripen?",
        question="Wie lange reift der Cheddar, und wo ist das?",
        history=(),
    )

    assert found is not None
    assert found.search_text == "How long does the cheddar ripen?"
    assert set(found.variants) == {
        "Wie lange reift der Cheddar?",
        "Wie lange reift der Cheddar, und wo ist das?",
    }


def test_each_part_of_a_question_is_searched() -> None:
    """Three at the most."""
    parts = [f"What is part {number}?" for number in range(5)]
    lines = "".join(f"PART: {part}\n" for part in parts)
    found = rewritten(f"QUESTION: What are a and b?\n{lines}", question="What are a and b?", history=())

    assert found is not None
    assert (found.search_text, found.variants) == ("What are a and b?", tuple(parts[:3]))


@pytest.mark.parametrize(
    "written",
    ["**QUESTION:** Where is it?", "- Question : Where is it?", "1. question (complete): Where is it?"],
)
def test_lines_are_read_however_a_small_model_decorates_them(written: str) -> None:
    """Markdown is a habit."""
    found = rewritten(written)

    assert found is not None
    assert found.search_text == "Where is it?"


@pytest.mark.parametrize(
    "written",
    ["", "The cheddar is ripened in a cellar.", "QUESTION:", f"QUESTION: {'x' * (LONGEST_LINE + 1)}"],
)
def test_what_is_no_such_line_changes_nothing(written: str) -> None:
    """Small models answer instead."""
    assert rewritten(written) is None


@pytest.mark.parametrize(
    "nothing", ["none", "None.", "**N/A**", "-", "none (it asks only one thing)", "Keine", "无", ""]
)
@pytest.mark.parametrize("behind", ["", "\nPART: Where?"])
def test_line_that_says_nothing_is_not_searched(nothing: str, behind: str) -> None:
    """Small models fill in every line of a form, and an empty one does not go on in the next."""
    found = rewritten(f"QUESTION: Where is it ripened?\nTRANSLATION: {nothing}\nPART: {nothing}{behind}")

    assert found is not None
    assert found.search_text == "Where is it ripened?"
    assert found.variants == (*(["Where?"] if behind else []), "And where is it ripened?")


@pytest.mark.parametrize("part", ["None of the cheeses ripens where?", "-5 degrees: what for?", "нетто?"])
def test_part_that_begins_like_nothing_is_searched(part: str) -> None:
    """It is a question."""
    found = rewritten(f"QUESTION: Where is it ripened?\nPART: {part}")

    assert found is not None
    assert part in found.variants


@pytest.mark.parametrize(
    ("question", "history"),
    [("How long is the cheddar ripened?", ()), ("Sandy beaches: where?", ())],
)
def test_plain_question_costs_no_call(question: str, history: tuple[Exchange, ...]) -> None:
    """It is good as it is."""
    generator = ScriptedGenerator("QUESTION: Else?")

    assert QueryRewriter(generator).rewrite(Question(question), history, "english", Deadline(20)) is None
    assert generator.prompts == []


@pytest.mark.parametrize(
    "error", [ProviderUnavailable("down"), CircuitOpen("open"), BudgetSpent("spent"), AnswerCut("cut")]
)
def test_failure_of_the_model_costs_nothing(error: Exception) -> None:
    """The question is searched as it was asked."""
    assert rewritten("QUESTION: Where", error) is None


def test_model_is_shown_the_last_exchanges_and_may_be_charged() -> None:
    """What it used counts for the answer."""
    generator = ScriptedGenerator("QUESTION: Where is the cheddar ripened?")
    found = QueryRewriter(generator).rewrite(Question("And where?"), TALK, "english", Deadline(20))

    (prompt,) = generator.prompts
    assert TALK[0].question in prompt.messages[-1][1]
    assert prompt.single_try
    assert found is not None
    assert found.generation.usage.output_tokens > 0


def test_model_that_only_repeats_the_question_is_charged() -> None:
    """The provider counted its words."""
    generator = ScriptedGenerator("QUESTION: And where?")

    found = QueryRewriter(generator).rewrite(Question("And where?"), TALK, "english", Deadline(20))

    assert found is not None
    assert (found.is_restated, found.search_text, found.variants) == (False, "And where?", ())
    assert found.generation.usage.output_tokens > 0


def test_model_that_was_not_called_costs_nothing() -> None:
    """An unknown cost would make that of the answer unknown."""
    generator = ScriptedGenerator(BudgetSpent("spent"))

    found = QueryRewriter(generator).rewrite(Question("And where?"), TALK, "english", Deadline(20))

    assert found is not None
    assert found.generation.usage.cost_usd == 0


SEVERAL = Question("How long is the cheddar ripened, and where?")


def test_readers_who_ask_the_same_share_one_call() -> None:
    """A class asks at once; the first one is charged."""
    generator = ScriptedGenerator("QUESTION: How long and where is the cheddar ripened?")
    rewriter = QueryRewriter(generator)

    first, second = (rewriter.rewrite(SEVERAL, (), "english", Deadline(20)) for _ in range(2))

    assert len(generator.prompts) == 1
    assert first is not None
    assert second is not None
    assert (first.search_text, first.variants) == (second.search_text, second.variants)
    assert first.generation.usage.output_tokens > 0
    assert second.generation.usage == Usage(cost_usd=0.0)


def test_readers_who_ask_the_same_at_once_wait_for_one_call() -> None:
    """Nothing is remembered yet when they come."""
    called, go_on = threading.Semaphore(0), threading.Event()

    class Slow(ScriptedGenerator):
        def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
            called.release()
            go_on.wait(60)
            return super().generate(prompt, deadline, generation)

    rewriter = QueryRewriter(Slow("QUESTION: How long and where is the cheddar ripened?"))
    found: list[RewrittenQuestion | None] = []

    def ask() -> None:
        found.append(rewriter.rewrite(SEVERAL, (), "english", Deadline(60)))

    readers = [threading.Thread(target=ask) for _ in range(5)]
    for reader in readers:
        reader.start()
    assert called.acquire(timeout=60)
    go_on.set()
    for reader in readers:
        reader.join(60)

    assert not called.acquire(blocking=False)
    assert {one and one.search_text for one in found} == {"How long and where is the cheddar ripened?"}


def test_failure_and_a_conversation_are_not_remembered() -> None:
    """The model may be back, and the same words mean something else."""
    generator = ScriptedGenerator(ProviderUnavailable("down"))
    rewriter = QueryRewriter(generator)

    for history in ((), (), TALK, TALK):
        rewriter.rewrite(SEVERAL, history, "english", Deadline(20))

    assert len(generator.prompts) == 4


@pytest.mark.parametrize(
    ("question", "calls"), [("What does the Y axis mean?", 0), ("¿Qué es y dónde está?", 1)]
)
def test_letter_is_no_word_that_joins(question: str, calls: int) -> None:
    """A question about the Y axis asks one thing."""
    generator = ScriptedGenerator("QUESTION: What?")

    QueryRewriter(generator).rewrite(Question(question), (), "spanish" if calls else "english", Deadline(20))

    assert len(generator.prompts) == calls


class HangingModel:
    """Says nothing until it is interrupted."""

    name = "test/hanging"

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        woken = threading.Event()
        with deadline.interrupting(woken.set):
            woken.wait(60)
        deadline.check()
        yield "QUESTION: late"

    def ping(self) -> None:
        """Return always."""


def test_model_that_hangs_costs_a_share_of_the_time() -> None:
    """Most of it is left for the answer."""
    deadline = Deadline(2)

    found = QueryRewriter(HangingModel()).rewrite(Question("And where?"), TALK, "english", deadline)

    assert found is not None
    assert not found.is_restated
    assert deadline.left_s() > 0


def test_reader_who_leaves_ends_the_call() -> None:
    """Nobody needs it any more."""
    deadline = Deadline(60)
    threading.Timer(0.05, deadline.cancel).start()

    with pytest.raises(Cancelled):
        QueryRewriter(HangingModel()).rewrite(Question("And where?"), TALK, "english", deadline)
