"""Define `flask eval`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click
from flask.cli import with_appcontext

from ragbot.answering.evaluation import AskedRow, Evaluation
from ragbot.answering.evaluation_report import report_on
from ragbot.answering.question_set import load_rows, sample_of
from ragbot.cli.errors import failing_in_one_sentence
from ragbot.services import current_services


@click.command("eval")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--book", "slug", help="Ask this book of several; else the default one.")
@click.option("--edition", help="Ask this edition; else the published one.")
@click.option("--sample", type=click.IntRange(min=1), help="Ask so many questions, of each type its share.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which sample.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Also write the figures to this file."
)
@click.option(
    "--answers",
    "answers_path",
    type=click.Path(path_type=Path),
    help="Also write each answer with its sources to this JSON Lines file.",
)
@click.option("--verdicts", is_flag=True, help="Print the verdict on each question.")
@with_appcontext
@failing_in_one_sentence
def evaluate(
    path: Path,
    slug: str | None,
    edition: str | None,
    sample: int | None,
    seed: int,
    *,
    json_path: Path | None,
    answers_path: Path | None,
    verdicts: bool,
) -> None:
    """Ask the questions of the JSON Lines file PATH, and print how well they were answered.

    Each has QUERY_DEADLINE_S, as a reader's question has. With a key every question costs money.
    """
    services = current_services()
    rows = load_rows(path)
    if sample is not None:
        rows = sample_of(rows, sample, seed=seed)
    book = services.published.choose(slug, None)
    facts = services.editions.edition(edition, book) if edition else services.published.current(book)
    evaluation = Evaluation(
        services.answerer,
        facts,
        services.editions.pages(facts),
        deadline_s=services.settings.query_deadline_s,
    )
    with ExitStack() as open_files:
        open_files.callback(services.budget.write_waiting)
        answers = open_files.enter_context(_opened(answers_path)) if answers_path else None
        bar = open_files.enter_context(click.progressbar(length=len(rows), label="asking", file=sys.stderr))

        def on_answer(asked: AskedRow) -> None:
            bar.update(1)
            if answers is not None:
                answers.write(json.dumps(_as_json(asked), ensure_ascii=False) + "\n")
                answers.flush()

        found = evaluation.verdicts(rows, on_answer)
    if verdicts:
        for verdict in found:
            click.echo(f"{verdict.id}  {verdict.kind:<13} {verdict.status:<9} rank {verdict.rank or '-'}")
    report = report_on(found).as_json()
    for name, value in _lines(report):
        click.echo(f"{name:<26} {value}")
    if json_path:
        with _opened(json_path) as file:
            file.write(json.dumps(report, indent=2) + "\n")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


def _lines(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the figures with their names, those of models one by one."""
    for name, value in report.items():
        if name == "model" and value is not None:
            yield from ((f"model.{inner}", figure) for inner, figure in value.items())
        else:
            yield name, value


def _as_json(asked: AskedRow) -> dict[str, Any]:
    """Return a question with all that is needed to judge its answer by eye."""
    row, answer, grounding = asked.row, asked.answer, asked.answer.grounding
    return {
        "id": row.id,
        "type": row.kind,
        "question": row.question,
        "gold": [place.quote for place in row.gold],
        "status": str(answer.status),
        "error": asked.error_code,
        "model": answer.model,
        "degraded": [str(part) for part in answer.degraded],
        "answer": answer.text,
        "grounding": grounding
        and {
            "sentences": grounding.sentences,
            "cited": grounding.cited,
            "supported": grounding.supported,
            "unsupported": [answer.text[start:end].strip() for start, end in grounding.unsupported],
        },
        "sources": [
            {"number": number, "section": " > ".join(source.heading_path), "url": source.url}
            | {"cited": source.cited, "text": source.quote_text}
            for number, source in enumerate(answer.sources, start=1)
        ],
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cost_usd": answer.usage.cost_usd,
        "first_word_ms": asked.first_word_ms and round(asked.first_word_ms, 1),
        "total_ms": round(answer.latency_ms.total, 1),
    }
