"""Lines that say where a chunk stands: searched, never quoted, and written once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from ragbot.core.answers import NOT_IN_BOOK, Generation, Prompt
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    AnswerEmpty,
    CircuitOpen,
    ContentFiltered,
    ProviderReason,
    ProviderUnavailable,
    RequestRejected,
)
from ragbot.core.ports import Generator
from ragbot.extensions import db
from ragbot.ingestion.chunk_contexts import ChunkContextWriter
from ragbot.ingestion.pipeline import IngestionPipeline
from ragbot.storage.chunk_contexts import ChunkContextStore
from ragbot.storage.database import Database
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.memory_store import MemoryStore


class LineWriter:
    """Writes a line with a word of its own for each chunk; fails after so many calls."""

    name = "test/lines"

    def __init__(self, fails_after: int | None = None) -> None:
        self.prompts: list[Prompt] = []
        self.fails_after = fails_after
        self.failures: list[Exception] = []
        self.line = ""
        self._lock = threading.Lock()

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        with self._lock:
            self.prompts.append(prompt)
            count = len(self.prompts)
            failure = self.failures.pop() if self.failures else None
        if failure is not None:
            raise failure
        if self.fails_after is not None and count > self.fails_after:
            raise ProviderUnavailable("down")
        yield from (self.line,) if self.line else ("On quokkas,\n", "  and where they live.")

    def ping(self) -> None:
        """Return always."""


@pytest.fixture
def make(make_app: AppMaker) -> Iterator[object]:
    """Make a pipeline whose contexts are written by a generator."""
    app = make_app()
    with app.app_context():
        database = Database(db.engine)
        editions = services_of(app).editions

        def pipeline(generator: Generator, **more: object) -> IngestionPipeline:
            contexts = ChunkContextWriter(generator, ChunkContextStore(database), **more)
            return IngestionPipeline(
                editions, MemoryStore(editions), None, max_file_bytes=10**6, contexts=contexts
            )

        pipeline.editions = editions
        yield pipeline


def test_line_is_searched_and_never_quoted(make) -> None:
    """A reader sees the book's words alone."""
    make(LineWriter()).ingest_book(THREE_CHAPTERS)

    stored = [one.chunk for one in make.editions.stored_chunks(make.editions.published())]

    assert {chunk.search_text.partition("\n")[0] for chunk in stored} == {"On quokkas, and where they live."}
    assert "quokkas" in make.editions.vocabulary(make.editions.published())
    assert all("quokkas" not in chunk.text for chunk in stored)


def test_second_run_writes_nothing_anew(make) -> None:
    """Each call costs money."""
    make(LineWriter()).ingest_book(THREE_CHAPTERS, edition="first")
    again = LineWriter()

    make(again).ingest_book(THREE_CHAPTERS, edition="second")

    assert again.prompts == []


def test_run_that_breaks_off_goes_on_where_it_was(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was paid for is stored."""
    monkeypatch.setattr("ragbot.ingestion.chunk_contexts.CALLS", 1)
    with pytest.raises(ProviderUnavailable):
        make(LineWriter(fails_after=2)).ingest_book(THREE_CHAPTERS)
    assert make.editions.published() is None
    rest = LineWriter()

    report = make(rest).ingest_book(THREE_CHAPTERS)

    assert len(rest.prompts) == report.chunks - 2


def test_model_is_shown_the_page_and_the_place(make) -> None:
    """From the passage alone it would learn nothing."""
    writer = LineWriter()
    make(writer).ingest_book(THREE_CHAPTERS, title="Three Crafts")

    shown = next(prompt.messages[0][1] for prompt in writer.prompts if "nine months" in prompt.messages[0][1])

    assert "Book: Three Crafts" in shown
    assert "Cheese is made from milk and rennet" in shown


def test_price_is_told_before_the_first_call_and_progress_moves(make) -> None:
    """An author may still stop it."""
    stages: list[tuple[str, int, int]] = []
    with capture_logs() as logs:
        make(LineWriter(), cost_usd=lambda read, written: (read + written) / 100).ingest_book(
            THREE_CHAPTERS, progress=lambda *stage: stages.append(stage)
        )

    (told,) = [line for line in logs if line["event"] == "chunk_contexts_begin"]
    assert told["calls"] == 3
    assert told["at_most_usd"] == pytest.approx((told["input_tokens"] + 3 * 400) / 100, abs=0.01)
    assert [stage for stage in stages if stage[0] == "context"] == [("context", n, 3) for n in range(4)]


def test_busy_model_is_waited_for(make) -> None:
    """Accounts with a small rate answer 429 all the time; a book has thousands of passages."""
    waits: list[float] = []
    busy = ProviderUnavailable("busy", ProviderReason(status=429))
    writer = LineWriter()
    writer.failures = [busy, CircuitOpen("not called")]

    make(writer, wait=waits.append).ingest_book(THREE_CHAPTERS)

    assert sorted(waits) in ([2.0, 2.0], [2.0, 4.0])


def test_model_that_stays_busy_ends_the_run(make) -> None:
    """An outage must come to light."""
    waits: list[float] = []
    writer = LineWriter()
    writer.failures = [ProviderUnavailable("busy", ProviderReason(status=503))] * 1000

    with pytest.raises(ProviderUnavailable):
        make(writer, wait=waits.append).ingest_book(THREE_CHAPTERS)

    assert set(waits) == {2.0, 4.0, 8.0, 16.0, 32.0}


@pytest.mark.parametrize(
    "refusal", [ContentFiltered(), AnswerEmpty("no word"), RequestRejected("no"), AnswerCut("cut")], ids=repr
)
def test_passage_whose_line_is_refused_goes_without(make, refusal: Exception) -> None:
    """A filter says no to the same passage each time; the book must not wait for it."""
    writer = LineWriter()
    writer.failures = [refusal]
    with capture_logs() as logs:
        make(writer).ingest_book(THREE_CHAPTERS, edition="first")
    texts = [one.chunk.search_text for one in make.editions.stored_chunks(make.editions.published())]

    assert sorted(text.startswith("On quokkas") for text in texts) == [False, True, True]
    assert [line["count"] for line in logs if line["event"] == "chunk_contexts_refused"] == [1]

    again = LineWriter()
    make(again).ingest_book(THREE_CHAPTERS, edition="second")
    assert len(again.prompts) == 1


def test_model_that_refuses_every_passage_ends_the_run(make) -> None:
    """Then its name or its settings are wrong."""
    writer = LineWriter()
    writer.failures = [RequestRejected("no")] * 3

    with pytest.raises(RequestRejected):
        make(writer).ingest_book(THREE_CHAPTERS)


def test_refusal_is_no_line(make) -> None:
    """Its words would be found for every question about the model."""
    writer = LineWriter()
    writer.line = f"{NOT_IN_BOOK} I cannot help with that."
    make(writer).ingest_book(THREE_CHAPTERS)
    texts = [one.chunk.search_text for one in make.editions.stored_chunks(make.editions.published())]

    assert not any("cannot help" in text for text in texts)
