"""Test the cross-encoder with its real weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.core.deadline import Deadline
from ragbot.core.errors import DeadlineExceeded, ProviderUnavailable
from ragbot.providers import cross_encoder
from ragbot.providers.cross_encoder import CrossEncoder
from ragbot.providers.extractive.generator import LONGEST_SCORED


@pytest.fixture(scope="module")
def encoder() -> CrossEncoder:
    return CrossEncoder()


@pytest.mark.parametrize(
    ("question", "answers", "repeats"),
    [
        (
            "How long does the cheddar have to ripen?",
            "Cheese: Cheddar: The wheels stay in the cellar for nine months.",
            "Cheese: Cheddar: Cheddar ripens in a cool cellar on boards of spruce.",
        ),
        (
            "Who may open the sluice?",
            "Harbour: Sluice: Only the harbour master may operate it.",
            "Harbour: Sluice: The sluice was opened in 1904 and is ninety feet wide.",
        ),
        (
            "How much does a berth cost a year?",
            "Berths: Fees: Members pay 340 pounds annually for pontoon A.",
            "Berths: Fees: A berth is let for a year and may be renewed.",
        ),
        (
            "When was the lighthouse built?",
            "History: Lighthouse: Its lamp was first lit in 1867.",
            "History: Lighthouse: The lighthouse was built of granite by forty men.",
        ),
    ],
)
def test_sentence_that_answers_beats_one_with_the_questions_words(
    encoder: CrossEncoder, question: str, answers: str, repeats: str
) -> None:
    """Words alone rank these the other way round."""
    right, wrong = encoder.scores(question, [answers, repeats])

    assert right > wrong


def test_scores_do_not_depend_on_what_else_is_scored(encoder: CrossEncoder) -> None:
    """The order of an answer's sentences must not change with the passages around them."""
    texts = ["It holds two litres.", "It boils them in four minutes, then it switches itself off."]

    together = encoder.scores("How much does the kettle hold?", texts)

    assert together == [encoder.scores("How much does the kettle hold?", [text])[0] for text in texts]
    assert encoder.scores("How much does the kettle hold?", []) == []


def test_long_questions_and_texts_are_cut(encoder: CrossEncoder) -> None:
    """A reader may send thousands of characters, and a table's row may be as long."""
    (score,) = encoder.scores("why " * 2000, ["word " * LONGEST_SCORED * 10])

    assert -30 < score < 30


def test_deadline_ends_it_between_texts(encoder: CrossEncoder) -> None:
    """A reader who has waited long enough gets the error of the deadline."""
    with pytest.raises(DeadlineExceeded):
        encoder.scores("Why?", ["Because."], Deadline(0))


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that was cut in a copy would answer nonsense."""
    cut = tmp_path / "model.onnx"
    cut.write_bytes(cross_encoder.MODEL.read_bytes()[:1000])
    monkeypatch.setattr(cross_encoder, "MODEL", cut)

    with pytest.raises(ProviderUnavailable, match="not the one that was shipped"):
        CrossEncoder().scores("Why?", ["Because."])
