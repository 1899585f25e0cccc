"""How good the answers are, on the shipped book, with no key; the figures may rise and not fall."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask_openapi import OpenAPI

from ragbot.answering.evaluation import Evaluation, EvaluationReport, load_rows, report_on
from ragbot.config import PROJECT_ROOT
from tests.conftest import SHIPPED_BOOK, services_of

QUESTIONS = PROJECT_ROOT / "eval" / "physical-ai.jsonl"


@pytest.mark.sqlite_is_enough
@pytest.mark.timeout(400)
def test_answers_on_the_shipped_book_are_as_good_as_the_readme_says(make_app: Callable[..., OpenAPI]) -> None:
    """The README's figures are a promise."""
    services = services_of(make_app({"EMBEDDER": "local", "LOCAL_EMBEDDER_THREADS": 1}))
    services.ingestion.ingest_book(SHIPPED_BOOK, site_url="https://book.test/")
    edition = services.published.current()
    evaluation = Evaluation(services.answerer, edition, services.editions.pages(edition))

    report: EvaluationReport = report_on(evaluation.verdicts(load_rows(QUESTIONS)))

    # One question of 35 is 2.9 %: processors round the model's int8 arithmetic a little differently.
    assert report.section_recall["5"] >= 0.77
    assert report.section_recall["1"] >= 0.34
    assert report.mrr >= 0.52
    assert report.refused_rightly >= 0.66
    assert report.refused_wrongly <= 0.09
    assert report.answers_citing_gold >= 0.55
    assert report.quotes_verbatim == 1
    assert report.links_alive == 1
