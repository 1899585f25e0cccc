"""What of a model's text is its answer: no thought and no special token, wherever the pieces are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.providers.openai.thoughts import ThoughtFilter
from tests.fuzzing import fuzz

ANSWER = "The cheddar ripens for nine months [1]."

WITH_THOUGHTS = [
    f"<think>\nThe user asks about [1] ...</think>\n\n{ANSWER}",
    f"<thinking>Hm.</thinking>{ANSWER}",
    f"<reasoning>Hm.</reasoning>\n{ANSWER}",
    f"<thought>Hm.</thought>\n{ANSWER}",
    f"< THINK >Hm.</ Think >{ANSWER}",
    f'<think effort="low">Hm.</think>{ANSWER}',
    f"<seed:think>Hm.</seed:think>{ANSWER}",
    f"<think>a</think> <think>b</think>{ANSWER}",
    f"<think></think>{ANSWER}",
    f"[THINK]Hm [1].[/THINK]{ANSWER}",
    f"◁think▷Hm.◁/think▷{ANSWER}",
    f"<|begin_of_thought|>Hm.<|end_of_thought|>{ANSWER}",
    f"<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
    "<|channel|>analysis<|message|>We need.<|end|>"
    f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
    f"<|channel>thought\nHm.<channel|>{ANSWER}",
    f"Okay, the user asks about cheese.\n</think>\n\n{ANSWER}",
    f"嗯，用户问的是奶酪。</think>{ANSWER}",
]
WITH_TOKENS = [
    f"<|im_start|>assistant\n{ANSWER}<|im_end|>\n<|im_start|>user\nAnd the bread?",
    f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
    f"<start_of_turn>model\n{ANSWER}<end_of_turn>",
    f"<｜begin▁of▁sentence｜>{ANSWER}<｜end▁of▁sentence｜>",
    f"<s> {ANSWER}</s>",
    f"[INST]{ANSWER}[/INST]",
    f"{ANSWER}<|endoftext|>Human: more",
]
PLAIN = [
    ANSWER,
    "If a < b and b > c, then [1].",
    "Okay, feed the starter at seven [2].",
    "Let me",
    "Write `<think>` before it [1], and\n```\n</think> <|im_end|>\n```\nbehind it.",
    "a<b",
    "[1] [2] [T",
]


def filtered(text: str, cuts: list[int], *, holds: bool = False, quoted: str = "") -> str:
    thoughts = ThoughtFilter(holds=holds, quoted=quoted)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    return "".join([*map(thoughts.feed, pieces), thoughts.flush()])


@pytest.mark.parametrize("text", [*WITH_THOUGHTS, *WITH_TOKENS])
@fuzz(100)
@given(cuts=st.lists(st.integers(0, 400), max_size=40))
def test_only_the_answer_is_left(text: str, cuts: list[int]) -> None:
    """What a model thinks is for nobody, and may be cut anywhere."""
    assert filtered(text, cuts) == ANSWER


@pytest.mark.parametrize("text", PLAIN)
@fuzz(100)
@given(cuts=st.lists(st.integers(0, 400), max_size=40))
def test_an_answer_without_thoughts_stays_as_it_is(text: str, cuts: list[int]) -> None:
    """A filter that eats answers is worse than none."""
    assert filtered(text, cuts) == text


def test_thought_that_never_ends_is_no_answer() -> None:
    """The model used up its room; the next one is asked."""
    assert filtered("<think>The user wants to know", [7]) == ""


def test_book_about_such_marks_may_write_them() -> None:
    """Where the passages have them, an answer may have them, too."""
    text = "A template ends with </think> or <|im_end|> [1]."

    assert filtered(text, [5, 25], quoted="It writes </think> and <|im_end|>.") == text


@pytest.mark.parametrize(
    ("thought", "holds"), [("Passage 1 says it.", True), ("Okay, the user asks how one ends.", False)]
)
def test_thought_ends_also_where_the_book_writes_its_mark(thought: str, holds: bool) -> None:
    """What is held back is no answer in which the book could be quoted."""
    quoted = "A reasoning model closes its thought with </think> and answers."

    assert filtered(f"{thought}\n</think>\n\n{ANSWER}", [], holds=holds, quoted=quoted) == ANSWER


def test_known_thinker_is_held_until_its_mark() -> None:
    """Its template opens the thought, which may begin with any word."""
    thoughts = ThoughtFilter(holds=True)

    assert thoughts.feed("Cheddar is a cheese, says passage 1.") == ""
    assert thoughts.is_thinking
    assert thoughts.feed(f"</think>{ANSWER}") + thoughts.flush() == ANSWER


@pytest.mark.parametrize(
    ("text", "holds"), [("Okay, the user asks how long.", False), ("The cheddar ripens, so", True)]
)
def test_held_text_is_a_thought_where_the_limit_ends_it(text: str, holds: bool) -> None:
    """Its mark would have followed. Where the model itself ends, it is the answer."""
    ended, cut = ThoughtFilter(holds=holds), ThoughtFilter(holds=holds)

    assert ended.feed(text) + ended.flush() == text
    assert cut.feed(text) + cut.flush(is_cut=True) == ""
    assert cut.seen.any


def test_answer_that_the_limit_ends_is_told() -> None:
    """Only what is held back may be a thought."""
    thoughts = ThoughtFilter()

    assert thoughts.feed("The cheddar ") + thoughts.feed("ripens") + thoughts.flush(is_cut=True) == (
        "The cheddar ripens"
    )
    assert not thoughts.seen.any


def test_thought_that_was_told_before_its_mark_came_is_noticed() -> None:
    """Such an answer must not be stored, and the model is known from now on."""
    thoughts = ThoughtFilter()
    thoughts.feed("Cheddar is a cheese. ")
    thoughts.feed("So </think>")

    assert (thoughts.seen.unopened, thoughts.seen.leaked) == (True, True)
