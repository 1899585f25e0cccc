"""What the evaluation says of a model's answers, with the real SDK and a provider on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.openai_upstream import Cut, OpenAIUpstream, Reply, Status
from ragbot.answering.evaluation import AskedRow, Evaluation, Verdict, model_verdict
from ragbot.answering.evaluation_report import EvaluationReport, report_on
from ragbot.answering.question_set import SMALL_TALK, Gold, Row
from ragbot.core import answers
from tests.conftest import services_of
from tests.databases import DatabaseMaker
from tests.served import three_chapter_app

CHEDDAR = "Bob ripens the cheddar for nine months in a cool cellar."
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
IN_THE_BOOK = (Gold("01-bread.md", "Bread", "flour"),)


def row(number: int, question: str, *, kind: str = "fact", answerable: bool = True) -> Row:
    return Row(f"q{number}", kind, question, IN_THE_BOOK if answerable else ())


# Each question with what the provider does when it is asked.
ASKED = [
    (row(1, "How long is the cheddar ripened?"), Reply(f"{CHEDDAR} It costs ninety euros.", usage=USAGE)),
    (row(2, "How hot is green tea brewed?"), Reply("Green tea is brewed at 80 degrees.", usage=USAGE)),
    (
        row(3, "Who invented the tea tin?", kind="unanswerable_near", answerable=False),
        Reply("NOT_IN_BOOK The book does not say who invented it.", usage=USAGE),
    ),
    (row(4, "When does Alice feed the starter?"), Reply("NOT_IN_BOOK", usage=USAGE)),
    (
        row(5, "How much does the rennet cost?", kind="unanswerable_near", answerable=False),
        Reply("Rennet sells at seventeen dollars an ounce.", usage=USAGE),
    ),
    (row(6, "How long is the loaf baked?"), Status(500)),
    (row(7, "Where is tea kept?"), Cut(after_tokens=3)),
]


@pytest.fixture(scope="module")
def verdicts(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Verdict]]:
    """The verdicts on those questions, and on a greeting, which no model is asked."""
    with OpenAIUpstream() as provider:
        provider.script(*(behaviour for _, behaviour in ASKED))
        settings = {
            "OPENAI_API_KEY": "sk-alice-and-bob",
            "OPENAI_BASE_URL": provider.base_url,
            "OPENAI_LLM_MODEL": "gpt-4o",
            "OPENAI_LLM_FALLBACK_MODEL": "gpt-4o",
            "OPENAI_MAX_RETRIES": 0,
            "QUESTION_MODEL": "none",
        }
        folder = tmp_path_factory.mktemp("model-figures")
        with three_chapter_app(new_database, folder, settings) as app:
            services = services_of(app)
            edition = services.published.current()
            evaluation = Evaluation(services.answerer, edition, services.editions.pages(edition))
            greeting = row(8, "Hello!", kind=SMALL_TALK, answerable=False)
            yield evaluation.verdicts([*(row for row, _ in ASKED), greeting])


@pytest.fixture(scope="module")
def report(verdicts: list[Verdict]) -> EvaluationReport:
    return report_on(verdicts)


def test_only_what_a_model_wrote_counts_for_it(report: EvaluationReport) -> None:
    """The book's own sentences are always marked, and would flatter the model."""
    assert report.questions == 8
    assert report.fell_back == 1
    assert report.failed == 1
    assert report.model is not None
    # The cut answer is a model's, too.
    assert (report.model.answers, report.model.answered) == (6, 2)


def test_sentences_and_marks_of_answers_are_counted(report: EvaluationReport) -> None:
    """These are the promise of the README: every sentence cites."""
    model = report.model

    assert model is not None
    # Two of the book and one about a price.
    assert model.sentences == 3
    assert model.sentences_marked == pytest.approx(2 / 3)
    assert model.sentences_supported == pytest.approx(2 / 3)
    assert model.marks_per_sentence == pytest.approx(2 / 3)
    assert model.marks_in_words == 1.0


def test_refusals_are_told_apart(report: EvaluationReport) -> None:
    """A model that refuses everything never says anything wrong."""
    model = report.model

    assert model is not None
    # Of both; the second in words that nothing in the book supports.
    assert model.refused_rightly == 1.0
    assert model.refused_unsupported == 1
    # One of four: the cut answer is none.
    assert model.refused_wrongly == 0.25


def test_tokens_cost_and_first_word_are_measured(report: EvaluationReport) -> None:
    """An operator compares models by them."""
    model = report.model

    assert model is not None
    # Five answers, and some for the one that is cut, of which the provider tells nothing.
    assert 5 * 100 < 6 * model.input_tokens < 5 * 100 + 1000
    assert 5 * 20 < 6 * model.output_tokens < 6 * 20
    assert model.cost_usd == pytest.approx(6 * (model.input_tokens * 2.5 + model.output_tokens * 10) / 1e6)
    assert model.first_word_p50_ms is not None
    assert model.first_word_p95_ms is not None
    assert 0 < model.first_word_p50_ms <= model.first_word_p95_ms


def test_mark_on_a_passage_without_the_sentence_does_not_count() -> None:
    """It is the measure that a repaired mark can still fail."""
    source = answers.Source("1", "Cheese", "Ripening", ("Cheese",), "02-cheese.md", "", CHEDDAR, 1.0)
    answer = answers.Answer(
        text=f"{CHEDDAR} [1] Alice feeds the goats at dawn. [1]",
        status=answers.Status.ANSWERED,
        sources=(replace(source, quote_text=CHEDDAR),),
        mode=answers.Mode.FULL_BOOK,
        book_version="first",
        model="gpt-4o",
        grounding=answers.Grounding(2, 2, 2),
    )

    verdict = model_verdict(AskedRow(row(1, "How?"), answer))

    assert verdict is not None
    assert (verdict.marks, verdict.marks_in_words) == (2, 1)


def test_cost_is_unknown_if_one_price_is(verdicts: list[Verdict]) -> None:
    """A sum without it would be too low."""
    first, *others = verdicts
    assert first.model is not None
    free = replace(first, model=replace(first.model, cost_usd=None))

    model = report_on([free, *others]).model

    assert model is not None
    assert model.cost_usd is None


def test_shares_of_nothing_are_unknown(verdicts: list[Verdict]) -> None:
    """A model that refused everything did not mark all of its sentences."""
    refused = [verdict for verdict in verdicts if verdict.id == "q4"]

    model = report_on(refused).model

    assert model is not None
    assert model.refused_wrongly == 1.0
    assert (model.refused_rightly, model.sentences_marked, model.marks_in_words) == (None, None, None)
