"""Test each embedder and generator, fakes included, against the contract of its port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.loopback import Call, Connection
from harness.openai_upstream import OpenAIUpstream, Status
from ragbot.core.ports import Embedder, Generator
from ragbot.providers.embedding_cache import CachingEmbedder
from ragbot.providers.fallback import FallbackGenerator
from ragbot.providers.local_embedder import LocalEmbedder
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.embedder import OpenAIEmbedder
from ragbot.providers.openai.generator import OpenAIGenerator
from ragbot.providers.paid_calls import PaidEmbedder, PaidGenerator
from tests.fakes.parts import LoggingBudget, ScriptedGenerator, WordCountEmbedder
from tests.providers.asking import circuit_breaker, client_of, extractive_generator
from tests.providers.contracts import EmbedderContract, GeneratorContract


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIUpstream]:
    """Refuses the key for `gpt-4o` and answers as any other model."""
    with UpstreamWithModels() as running:
        running.for_model("gpt-4o", Status(401))
        yield running


@pytest.fixture(scope="module")
def client(upstream: OpenAIUpstream) -> Iterator[OpenAIClient]:
    with client_of(upstream) as client:
        yield client


class UpstreamWithModels(OpenAIUpstream):
    """Answers `GET /v1/models/{name}` too, which is what a ping asks."""

    def respond(self, call: Call, connection: Connection) -> None:
        if call.method == "GET" and call.path.startswith("/v1/models/"):
            name = call.path.rpartition("/")[2]
            connection.reply_json(200, {"id": name, "object": "model", "created": 1, "owned_by": "us"})
        else:
            super().respond(call, connection)


@pytest.fixture(scope="module")
def local_embedder() -> LocalEmbedder:
    """Its model is read once; the text above it is what takes time."""
    return LocalEmbedder()


class TestOpenAIEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, client: OpenAIClient) -> Embedder:
        return OpenAIEmbedder(client, "text-embedding-3-small", 5)


class TestLocalEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, local_embedder: LocalEmbedder) -> Embedder:
        return local_embedder

    def test_likeness_is_one_of_meaning(self, embedder: Embedder) -> None:
        """It is what the words alone cannot do."""
        cheese, dairy, engine = embedder.embed(
            ["cheddar cheese", "a dairy product made from milk", "a rocket engine"]
        ).vectors

        assert _product(cheese, dairy) > _product(cheese, engine) + 0.1


class TestRememberingEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return CachingEmbedder(WordCountEmbedder())


class TestPaidEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return PaidEmbedder(WordCountEmbedder(), circuit_breaker(), LoggingBudget(), lambda _tokens: 0.0)


class TestWordCountEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return WordCountEmbedder()


class TestOpenAIGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, client: OpenAIClient) -> Generator:
        return OpenAIGenerator(client, "gpt-4o-mini", 5)


class TestExtractiveGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return extractive_generator()


class TestPaidGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, client: OpenAIClient) -> Generator:
        return PaidGenerator(
            OpenAIGenerator(client, "gpt-4o-mini", 5), circuit_breaker(), LoggingBudget(), 0.0
        )


class TestFallbackGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self, client: OpenAIClient) -> Generator:
        models = [OpenAIGenerator(client, name, 5) for name in ("gpt-4o", "gpt-4o-mini")]
        return FallbackGenerator([*models, extractive_generator()])


class TestFallbackToTheBook(GeneratorContract):
    @pytest.fixture
    def generator(self, client: OpenAIClient) -> Generator:
        return FallbackGenerator([OpenAIGenerator(client, "gpt-4o", 5), extractive_generator()])


class TestScriptedGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return ScriptedGenerator("Nine ", "months ", "[1].")


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
