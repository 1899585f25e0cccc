"""`flask doctor`: a line for each part, and what to do about each that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import text

from harness.openai_upstream import CHAT, OpenAIUpstream, Status
from harness.server_accents import AccentedServer, read_transcript
from ragbot.cli import doctor
from ragbot.cli.doctor import _part
from ragbot.core.domain import EditionFacts
from ragbot.core.ports import SharedState
from ragbot.extensions import db
from ragbot.health.checks import CACHED_ANSWERS, DATABASE_STORE, EMBEDDED_INDEX
from ragbot.health.runner import CheckResult
from ragbot.index.published_books import PublishedBooks
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.databases import DatabaseMaker
from tests.served import three_chapter_app

KEY = "sk-alice-and-bob"
TRANSCRIPTS = Path(__file__).parents[1] / "providers" / "openai" / "transcripts"
Diagnose = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIUpstream]:
    with OpenAIUpstream(api_key=KEY) as running:
        yield running


@pytest.fixture
def upstream(provider: OpenAIUpstream) -> OpenAIUpstream:
    provider.reset()
    return provider


@pytest.fixture
def diagnosed(new_database: DatabaseMaker, tmp_path: Path) -> Diagnose:
    """Run the command in an app with these settings; returns its exit code and its lines by name."""

    def run(**settings: Any) -> tuple[int, dict[str, str]]:
        with closing_clients(), three_chapter_app(new_database, tmp_path, settings) as app:
            return lines_of(app)

    return run


@contextmanager
def closing_clients() -> Iterator[None]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:

        def closed_at_the_end(access: OpenAIAccess, states: SharedState | None = None) -> OpenAIClient:
            client = OpenAIClient(access, states)
            stack.callback(lambda: client.close())
            return client

        patch.setattr("ragbot.providers.openai.client.OpenAIClient", closed_at_the_end)
        yield


def lines_of(app: OpenAPI) -> tuple[int, dict[str, str]]:
    result = app.test_cli_runner().invoke(args=["doctor"])
    lines = {
        line[7:41].strip(): line[:7].strip() + " " + line[41:].strip() for line in result.output.splitlines()
    }
    return result.exit_code, lines


def openai(address: str, **more: Any) -> dict[str, Any]:
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": address,
        "OPENAI_LLM_FALLBACK_MODEL": "gpt-4o-mini",
        "OPENAI_MAX_RETRIES": 0,
        "EMBEDDER": "none",
        **more,
    }


def test_installation_without_a_key_is_well(diagnosed: Diagnose) -> None:
    """It is the way that the README begins with."""
    exit_code, lines = diagnosed()

    assert exit_code == 0
    assert {line.split()[0] for line in lines.values()} == {"ok"}
    assert {"settings", "database", "book", "search", "provider", "proxy", "disk: index"} <= lines.keys()
    assert "chunks" in lines["book"]


def test_book_of_an_older_version_is_to_be_ingested_again(
    new_database: DatabaseMaker, tmp_path: Path
) -> None:
    """It answers as before; nothing else would tell the operator."""
    with three_chapter_app(new_database, tmp_path, {"EMBEDDER": "local"}) as app:
        _, now = lines_of(app)
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text("UPDATE vectors SET sentences = NULL"))
        exit_code, before = lines_of(app)

    assert now["vectors of sentences"] == "ok stored"
    assert exit_code == 0
    assert before["vectors of sentences"].startswith("ok not stored yet: run flask book ingest again")


def test_book_that_was_taken_for_one_in_another_language_is_to_be_ingested_again(
    new_database: DatabaseMaker, tmp_path: Path
) -> None:
    """Every question was refused as one in another language, and nothing said why."""
    with three_chapter_app(new_database, tmp_path) as app:
        _, now = lines_of(app)
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text("UPDATE editions SET language = 'chinese'"))
        _, before = lines_of(app)

    assert now["language"] == "ok english"
    assert before["language"] == "ok chinese, but it begins in english: run flask book ingest again"


def test_index_in_the_making_is_waited_for(diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that has just started is not ill."""
    searchable = PublishedBooks.searchable
    looks: list[float] = []

    def at_the_second_look(
        self: PublishedBooks, wait_s: float, book: str | None = None
    ) -> EditionFacts | None:
        looks.append(wait_s)
        return searchable(self, wait_s, book) if len(looks) > 1 else None

    monkeypatch.setattr(PublishedBooks, "searchable", at_the_second_look)
    exit_code, lines = diagnosed()

    assert exit_code == 0
    assert lines["embedded index"].startswith("ok")
    assert len(looks) > 1


def test_provider_that_answers_is_well(diagnosed: Diagnose, upstream: OpenAIUpstream) -> None:
    """Each model has answered and streamed."""
    exit_code, lines = diagnosed(**openai(upstream.base_url))

    assert exit_code == 0
    assert lines["provider: models"] == "ok lists 3"
    assert lines["provider: gpt-4o"].startswith("ok streams, first word after")
    assert lines["provider: gpt-4o-mini"].startswith("ok streams")
    assert len(upstream.calls(CHAT)) == 2


def test_refused_key_is_told_and_not_quoted(diagnosed: Diagnose, upstream: OpenAIUpstream) -> None:
    """The most frequent fault of all."""
    exit_code, lines = diagnosed(**openai(upstream.base_url, OPENAI_API_KEY="sk-wrong-key"))

    assert exit_code == 1
    assert "OPENAI_API_KEY" in lines["provider: gpt-4o"]
    assert "invalid_api_key" in lines["provider: gpt-4o"]
    assert not any("sk-wrong-key" in line for line in lines.values())


def test_model_that_is_not_there_is_named_with_its_setting(
    diagnosed: Diagnose, upstream: OpenAIUpstream
) -> None:
    """The other one answers, so readers get answers and nobody notices."""
    upstream.for_model("gpt-4o", Status(404))

    exit_code, lines = diagnosed(**openai(upstream.base_url))

    assert exit_code == 1
    assert "OPENAI_LLM_MODEL" in lines["provider: gpt-4o"]
    assert lines["provider: gpt-4o-mini"].startswith("ok")


def test_server_that_cannot_be_reached_is_told(diagnosed: Diagnose) -> None:
    """Port 9 of this machine answers nobody."""
    exit_code, lines = diagnosed(**openai("http://127.0.0.1:9/v1"))

    assert exit_code == 1
    assert "OPENAI_BASE_URL" in lines["provider: models"]


def test_embedder_is_asked_for_a_vector(diagnosed: Diagnose, upstream: OpenAIUpstream) -> None:
    """A server of chat models alone has none, and then a book cannot be ingested."""
    exit_code, lines = diagnosed(**openai(upstream.base_url, EMBEDDER="openai"))

    assert (exit_code, lines["provider: text-embedding-3-small"]) == (0, "ok embeds, 1536 dimensions")


def test_what_a_server_refuses_is_told_and_is_no_fault(diagnosed: Diagnose) -> None:
    """It is learnt; the operator may want to know."""
    with AccentedServer(read_transcript(TRANSCRIPTS / "azure.txt")) as server:
        settings = openai(server.base_url, OPENAI_LLM_MODEL="my-deployment", OPENAI_LLM_FALLBACK_MODEL="")
        exit_code, lines = diagnosed(**settings)

    assert exit_code == 0
    assert "does not list" in lines["provider: models"]
    assert "refuses max_tokens, refuses temperature" in lines["provider: my-deployment"]


def test_full_disk_is_told(diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that cannot grow stops the service."""
    monkeypatch.setattr(doctor, "LEAST_FREE_MB", 10**12)

    exit_code, lines = diagnosed()

    assert exit_code == 1
    assert "make room" in lines["disk: index"]


def test_address_without_a_key_is_told(diagnosed: Diagnose) -> None:
    """Nobody sets an address to have it ignored."""
    exit_code, lines = diagnosed(OPENAI_BASE_URL="http://localhost:11434")

    assert exit_code == 1
    assert "OPENAI_API_KEY" in lines["settings"]


def test_failures_of_late_are_told_with_the_providers_reason(
    diagnosed: Diagnose, upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A circuit knows why it opened, though the provider may be well again by now."""
    monkeypatch.setattr(
        "ragbot.core.circuit_breaker.CircuitBreaker.troubles",
        lambda _self: {"gpt-4o": "status 400, unsupported_value"},
    )

    exit_code, lines = diagnosed(**openai(upstream.base_url))

    assert exit_code == 1
    assert lines["answers of late"] == "WRONG circuit open: gpt-4o (status 400, unsupported_value)"


@pytest.mark.parametrize(
    ("state", "advice"),
    [(DATABASE_STORE, "REDIS_URL"), (EMBEDDED_INDEX, "QDRANT_URL"), (CACHED_ANSWERS, "QDRANT_URL")],
)
def test_part_that_another_one_replaces_says_where_to_look(state: CheckResult, advice: str) -> None:
    """The words of readiness alone tell no operator what to do."""
    finding = _part("the part", state)

    assert not finding.is_ok
    assert advice in finding.says


def test_service_whose_only_book_has_a_slug_of_its_own_has_a_book(make_app: AppMaker) -> None:
    """It was told that none is published."""
    app = make_app()
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, slug="handbook")

    _, lines = lines_of(app)

    assert lines["book"].startswith("ok ")
