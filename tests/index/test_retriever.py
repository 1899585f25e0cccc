"""A question's vector is compared with a book's only where both have one length."""

from __future__ import annotations

from collections.abc import Sequence

from ragbot.core.deadline import Deadline
from ragbot.core.ports import EmbeddingResult
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.parts import WordCountEmbedder


class ShorterEmbedder(WordCountEmbedder):
    """Another model behind the same name."""

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        embedded = super().embed(texts, deadline)
        return EmbeddingResult([vector[:32] for vector in embedded.vectors], embedded.tokens)


def test_vector_of_another_length_leaves_the_words_to_search_alone(make_app: AppMaker) -> None:
    """A provider that changes what stands behind a name must not take the book away."""
    services_of(make_app(embedder=WordCountEmbedder())).ingestion.ingest_book(THREE_CHAPTERS)
    changed = make_app(embedder=ShorterEmbedder())

    reply = changed.test_client().post("/query", json={"query": "How long is the cheddar ripened?"})

    assert reply.status_code == 200
    assert reply.json["degraded"] == ["dense_search"]
    assert reply.json["sources"][0]["path"] == "02-cheese.md"
