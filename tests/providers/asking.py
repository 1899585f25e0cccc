"""Provide a prompt that can be checked by eye, and a client of the scripted upstream."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from harness.openai_upstream import OpenAIUpstream
from ragbot.books.markup.readable import tidy_markdown
from ragbot.bootstrap import passage_reader
from ragbot.core.answers import Generation, Mode, Prompt
from ragbot.core.circuit_breaker import CircuitBreaker
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Chunk, Passage
from ragbot.core.ports import Embedder, Generator, SharedState
from ragbot.providers.extractive.generator import ExtractiveGenerator
from ragbot.providers.openai import client as openai_client
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from ragbot.storage.keyvalue.shared_state import FailoverSharedState

KEY = "sk-alice-and-bob-0123456789"
CHEESE = "Bob ripens the cheddar for nine months in a cool cellar."
BREAD = "Alice feeds the starter every morning at seven."


@contextmanager
def client_of(
    upstream: OpenAIUpstream, *, max_retries: int = 1, key: str = KEY, states: SharedState | None = None
) -> Iterator[OpenAIClient]:
    """Give a client of the upstream, which retries without long pauses."""
    client = OpenAIClient(
        OpenAIAccess(
            api_key=key,
            base_url=upstream.base_url,
            connect_timeout_s=2,
            max_retries=max_retries,
        ),
        states,
    )
    with pytest.MonkeyPatch.context() as patch, closing(client):
        patch.setattr(openai_client, "PAUSE_S", 0.01)
        patch.setattr(openai_client, "JITTER_S", 0.01)
        yield client


def extractive_generator(embedder: Embedder | None = None, **parts: Any) -> ExtractiveGenerator:
    """Return the generator without a model, as an app has it."""
    return ExtractiveGenerator(passage_reader(), tidy=tidy_markdown, embedder=embedder, **parts)


def passage_of(text: str, heading: str = "Cheese") -> Passage:
    """Return a retrieved passage that holds the text."""
    path = ("The book", heading)
    return Passage(
        Chunk(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, text)),
            path=f"{heading.lower()}.md",
            heading_path=path,
            title=heading,
            address=heading.lower(),
            anchor=heading.lower(),
            start=0,
            end=len(text),
            text=text,
            search_text=f"{' > '.join(path)}\n\n{text}",
            tokens=len(text.split()),
        ),
        score=1.0,
    )


def prompt_of(question: str = "How long is the cheddar ripened?", *texts: str) -> Prompt:
    """Return a prompt with a passage for each text, and the rarity of the question's stems."""
    passages = tuple(passage_of(text) for text in texts or (CHEESE, BREAD))
    quoted = "\n".join(f"passage {n}: {p.chunk.text}" for n, p in enumerate(passages, start=1))
    return Prompt(
        question=question,
        passages=passages,
        system="Answer from the passages.",
        messages=(("user", f"{quoted}\n\nQuestion: {question}"),),
        mode=Mode.FULL_BOOK,
        term_weights={"cheddar": 2.0, "ripen": 2.0, "long": 0.5},
    )


def circuit_breaker() -> CircuitBreaker:
    """Return one with states of its own, in this process alone."""
    return CircuitBreaker("test", FailoverSharedState([]), lease_s=5)


def asked(generator: Generator, deadline: Deadline | None = None) -> tuple[list[str], Generation]:
    """Return all that the generator says, and what was learnt."""
    generation = Generation()
    return list(generator.generate(prompt_of(), deadline or Deadline(20), generation)), generation


@contextmanager
def cancelled_soon(deadline: Deadline, upstream: OpenAIUpstream, path: str) -> Iterator[None]:
    """Cancel from another thread a moment after the upstream has got a call."""

    def cancel() -> None:
        if upstream.wait_for_calls(path):
            # The call has arrived; its caller needs a moment to begin to wait for the reply.
            time.sleep(0.02)
            deadline.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    yield
    thread.join()


@contextmanager
def takes_less_than(seconds: float) -> Iterator[None]:
    """Fail if the block took longer."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds
