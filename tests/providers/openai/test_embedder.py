"""Test OpenAI's embeddings with the real SDK, against an upstream that works and fails in all ways."""

from __future__ import annotations

import json
import math
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.loopback import Call, Connection, LoopbackServer
from harness.openai_upstream import (
    EMBEDDINGS,
    Behaviour,
    Cut,
    Drip,
    Garbage,
    Hang,
    OpenAIUpstream,
    Reply,
    Status,
    embedded,
)
from harness.server_accents import JSON, AccentedServer, Answer, Response, read_transcript, refused
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    Cancelled,
    DeadlineExceeded,
    ProviderRejected,
    ProviderUnavailable,
    RequestRejected,
)
from ragbot.providers.openai import client as openai_client
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.embedder import OpenAIEmbedder
from tests.providers.asking import KEY, cancelled_soon, client_of, takes_less_than

MODEL = "text-embedding-3-small"
TEXTS = ["Bob ripens the cheddar", "Alice feeds the starter", "Green tea is brewed"]


@pytest.fixture
def embedder(client: OpenAIClient) -> OpenAIEmbedder:
    return OpenAIEmbedder(client, MODEL, 5)


@pytest.fixture
def hasty(client: OpenAIClient) -> OpenAIEmbedder:
    return OpenAIEmbedder(client, MODEL, 0.15)


class RawUpstream(LoopbackServer):
    """Replies with one body, whatever it is asked."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self.body = body

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def respond(self, call: Call, connection: Connection) -> None:
        connection.reply(200, json.dumps(self.body).encode(), {"Content-Type": "application/json"})


def embedded_by(rows: Any, texts: list[str], **more: Any) -> list[list[float]]:
    with RawUpstream({"object": "list", "data": rows, **more}) as upstream, client_of(upstream) as client:
        return OpenAIEmbedder(client, MODEL, 5).embed(texts).vectors


def row(index: object, *embedding: object) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": list(embedding)}


def test_vectors_come_in_the_order_of_the_texts(upstream: OpenAIUpstream, embedder: OpenAIEmbedder) -> None:
    """A vector under another text's name would find the wrong passage for ever."""
    result = embedder.embed(TEXTS)

    expected = [list(embedded(text, 1536)) for text in TEXTS]
    assert result.vectors == [pytest.approx(vector, abs=1e-6) for vector in expected]
    assert result.tokens == 12


def test_vectors_are_asked_for_in_base64(upstream: OpenAIUpstream, embedder: OpenAIEmbedder) -> None:
    """Numbers as text are four times the size."""
    embedder.embed(TEXTS)

    (call,) = upstream.calls(EMBEDDINGS)
    assert call.body == {"model": MODEL, "input": TEXTS, "encoding_format": "base64"}


def test_order_is_told_by_the_index(upstream: OpenAIUpstream) -> None:
    """The protocol does not promise the order of the rows."""
    rows = [row(1, 0, 1), row(0, 1, 0), row(2, 0, -1)]

    assert embedded_by(rows, TEXTS) == [[1, 0], [0, 1], [0, -1]]


@pytest.mark.parametrize("left_out", [(0,), (0, 1, 2)], ids=["of the first", "of all"])
@pytest.mark.parametrize("how", ["missing", "null"])
def test_place_tells_the_index_that_is_left_out(left_out: tuple[int, ...], how: str) -> None:
    """Gemini writes none for the first vector, and some servers write none at all."""
    rows = [row(0, 1, 0), row(1, 0, 1), row(2, 0, -1)]
    for place in left_out:
        rows[place].update(index=None)
        if how == "missing":
            del rows[place]["index"]

    assert embedded_by(rows, TEXTS) == [[1, 0], [0, 1], [0, -1]]


def test_numbers_are_taken_where_base64_was_asked_for(upstream: OpenAIUpstream) -> None:
    """Some compatible servers send them whatever they are asked, and not of unit length."""
    assert embedded_by([row(0, 3, 4)], ["x"]) == [[pytest.approx(0.6), pytest.approx(0.8)]]


def test_no_texts_need_no_call(upstream: OpenAIUpstream, embedder: OpenAIEmbedder) -> None:
    """OpenAI refuses an empty list."""
    assert embedder.embed([]).vectors == []
    assert upstream.calls() == []


def test_calls_share_one_connection(upstream: OpenAIUpstream, embedder: OpenAIEmbedder) -> None:
    """Each question needs one before its search can begin."""
    for text in TEXTS:
        embedder.embed([text], Deadline(20))

    assert upstream.connections <= 1


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="none"),
        pytest.param([row(0, 1, 0)], id="too few"),
        pytest.param([row(0, 1, 0), row(1, 1, 0), row(2, 1, 0)], id="too many"),
        pytest.param([row(0, 1, 0), row(0, 0, 1)], id="an index twice"),
        pytest.param([row(1, 1, 0), row(2, 0, 1)], id="indices from one"),
        pytest.param([row(1, 1, 0), row(None, 0, 1)], id="an index twice, once by its place"),
        pytest.param([row(0, 1, 0), row("1", 0, 1)], id="an index that is text"),
        pytest.param([row(0, 1, 0), row(1, 1, 0, 0)], id="two lengths"),
        pytest.param([row(0, 1, 0), row(1)], id="an empty vector"),
        pytest.param([row(0, 1, 0), row(1, 0, 0)], id="no direction"),
        pytest.param([row(0, 1, 0), row(1, math.nan, 1)], id="not a number"),
        pytest.param([row(0, 1, 0), row(1, 1e30, 1e300)], id="infinite"),
        pytest.param([row(0, 1, 0), row(1, "x", 1)], id="words"),
        pytest.param([row(0, 1, 0), row(1, [1], [0])], id="nested"),
        pytest.param([row(0, 1, 0), {"index": 1}], id="without a vector"),
        pytest.param([row(0, 1, 0), {"index": 1, "embedding": "?"}], id="not base64"),
        pytest.param([row(0, 1, 0), {"index": 1, "embedding": "AAAA"}], id="half a number"),
        pytest.param({"0": [1, 0]}, id="no rows"),
        pytest.param("rows", id="text"),
        pytest.param(None, id="null"),
    ],
)
def test_what_is_no_vector_for_each_text_is_refused(rows: object) -> None:
    """A wrong vector is worse than none: without one the words alone are searched."""
    with pytest.raises(ProviderUnavailable):
        embedded_by(rows, ["one", "two"])


@pytest.mark.parametrize(
    "usage",
    [
        *(None, {}, "none", [1]),
        *({"total_tokens": count} for count in ("many", [7], -7, 10**30)),
    ],
)
def test_nonsense_in_the_usage_costs_no_vector_and_is_not_charged(usage: object) -> None:
    """What was charged is for the statistics and the budget."""
    reply = {"object": "list", "data": [row(0, 1, 0)], "usage": usage}
    with RawUpstream(reply) as upstream, client_of(upstream) as client:
        result = OpenAIEmbedder(client, MODEL, 5).embed(["x"])

    assert (result.vectors, result.tokens) == ([[1, 0]], 0)


@pytest.mark.parametrize("kind", ["html", "bad_json", "empty_embeddings", "nan"])
def test_garbage_is_tried_once_more_and_then_given_up(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, kind: str
) -> None:
    """Nothing of the SDK's own errors gets out."""
    upstream.always(Garbage(kind), EMBEDDINGS)

    with pytest.raises(ProviderUnavailable):
        embedder.embed(TEXTS)

    assert len(upstream.calls(EMBEDDINGS)) == 2


@pytest.mark.parametrize("trouble", [Status(500), Status(429, retry_after=0), Cut(0)], ids=str)
def test_trouble_that_passes_costs_no_vector(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, trouble: Behaviour
) -> None:
    """A book's call, which has no deadline, is tried once more."""
    upstream.script(trouble, Reply(), endpoint=EMBEDDINGS)

    assert len(embedder.embed(TEXTS).vectors) == 3


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the seconds that calls have waited; the waits themselves are left out."""
    waits: list[float] = []
    monkeypatch.setattr(
        openai_client, "_wait", lambda seconds, _deadline: waits.append(round(max(seconds, 0), 1))
    )
    return waits


@pytest.mark.parametrize(
    ("busy", "waits"),
    [
        (Status(429, retry_after=3), [3.0, 3.0]),
        (Status(429, retry_after=60), [60.0, 60.0]),
        (Status(503), [2.0, 4.0]),
    ],
    ids=str,
)
def test_books_call_waits_for_a_busy_server(
    busy: Status, waits: list[float], upstream: OpenAIUpstream, embedder: OpenAIEmbedder, waited: list[float]
) -> None:
    """Accounts with a small rate ask for pauses all the time; a book has thousands of texts."""
    upstream.script(busy, busy, Reply(), endpoint=EMBEDDINGS)

    assert len(embedder.embed(TEXTS).vectors) == 3
    assert waited == waits


def test_books_call_does_not_wait_for_ever(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, waited: list[float]
) -> None:
    """An outage must come to light, and a spent quota asks for a day."""
    upstream.always(Status(503), EMBEDDINGS)
    with pytest.raises(ProviderUnavailable):
        embedder.embed(TEXTS)
    assert waited == [2, 4, 8, 16, 32]

    waited.clear()
    upstream.always(Status(429, retry_after=86_400), EMBEDDINGS)
    with pytest.raises(ProviderUnavailable):
        embedder.embed(TEXTS)
    assert waited == []


def test_books_calls_wait_for_the_one_that_waits(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would use up what becomes free, and one of them might get nothing five times."""
    waits, goes_on = threading.Event(), threading.Event()

    def wait(_seconds: float, _deadline: Deadline | None) -> None:
        waits.set()
        goes_on.wait(60)

    monkeypatch.setattr(openai_client, "_wait", wait)
    upstream.script(Status(429, retry_after=3), endpoint=EMBEDDINGS)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(embedder.embed, TEXTS)
        assert waits.wait(60)
        second = threads.submit(embedder.embed, TEXTS[:1])
        with pytest.raises(TimeoutError):
            second.result(0.1)
        calls = len(upstream.calls(EMBEDDINGS))
        goes_on.set()

        assert len(first.result(60).vectors) + len(second.result(60).vectors) == 4
    assert calls == 1


def test_questions_call_does_not_wait(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, waited: list[float]
) -> None:
    """The words alone find nearly as much."""
    upstream.always(Status(429, retry_after=1), EMBEDDINGS)

    with pytest.raises(ProviderUnavailable):
        embedder.embed(TEXTS, Deadline(20))

    assert waited == []


def test_questions_call_is_not_repeated(upstream: OpenAIUpstream, embedder: OpenAIEmbedder) -> None:
    """Its words find nearly as much at once, and an outage costs fewer calls."""
    upstream.script(Status(500), Reply(), endpoint=EMBEDDINGS)

    with pytest.raises(ProviderUnavailable):
        embedder.embed(TEXTS, Deadline(20))

    assert len(upstream.calls(EMBEDDINGS)) == 1


def test_refused_key_is_not_tried_again_and_not_quoted(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder
) -> None:
    """It would be refused again, and the error goes to a log."""
    upstream.always(Status(401), EMBEDDINGS)

    with pytest.raises(ProviderRejected) as caught:
        embedder.embed(TEXTS)

    assert len(upstream.calls(EMBEDDINGS)) == 1
    assert KEY not in "".join(traceback.format_exception(caught.value))


# --- what a server refuses ---------------------------------------------------------------------


def vectors_of(body: Mapping[str, Any]) -> Response:
    rows = [row(index, 3, 4) for index, _ in enumerate(body["input"])]
    return Response([json.dumps({"data": rows, "usage": {"total_tokens": len(rows)}}).encode()], 200, JSON)


@contextmanager
def served(answer: Answer) -> Iterator[tuple[AccentedServer, OpenAIEmbedder]]:
    with AccentedServer(answer) as server, client_of(server) as client:  # type: ignore[arg-type]
        yield server, OpenAIEmbedder(client, "some-model", 5)


def refusing(is_refused: Callable[[Mapping[str, Any]], bool], status: int, error: object) -> Answer:
    return lambda _path, body: refused(status, error) if is_refused(body) else vectors_of(body)


def batches(server: AccentedServer) -> list[int]:
    return [len(body["input"]) for body in server.bodies(EMBEDDINGS)]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_batch_that_is_too_large_is_halved_and_the_size_remembered(status: int) -> None:
    """Some servers take ten texts at once, others 32; a book has thousands."""
    few = refusing(lambda body: len(body["input"]) > 10, status, {"error": "batch size must be at most 10"})
    with served(few) as (server, embedder):
        first = embedder.embed([f"text {n}" for n in range(64)])
        calls = len(server.calls())
        embedder.embed([f"text {n}" for n in range(64)])

    assert (len(first.vectors), first.tokens, first.shortened) == (64, 64, ())
    assert batches(server)[calls:] == [8] * 8


TOO_LONG = {
    "llama.cpp": (500, {"error": {"code": 500, "type": "server_error",
                  "message": "input is too large to process. increase the physical batch size"}}),
    "OpenAI": (400, {"error": {"message": "This model's maximum context length is 8192 tokens"}}),
    "vague": (400, {"error": "Bad Request"}),
    "too large": (413, {"error": "Input validation error: `inputs` must have less than 512 tokens"}),
}  # fmt: skip


@pytest.mark.parametrize("how", TOO_LONG)
def test_text_that_is_too_long_is_shortened_and_named(how: str) -> None:
    """One long chunk must not cost the whole book."""
    texts = ["Bob ripens the cheddar", "cheddar " * 200, "Green tea is brewed"]
    answer = refusing(lambda body: any(len(text) > 500 for text in body["input"]), *TOO_LONG[how])
    with served(answer) as (_, embedder):
        result = embedder.embed(texts)

    assert len(result.vectors) == 3
    assert result.shortened == (1,)


def test_text_that_is_refused_at_any_length_is_named() -> None:
    """The author can look at it."""
    answer = refusing(
        lambda body: any("xyz" in text for text in body["input"]), 400, {"error": "Bad Request"}
    )
    with served(answer) as (_, embedder), pytest.raises(RequestRejected, match="begins “xyz xyz"):
        embedder.embed(["Bob ripens the cheddar", "xyz " * 200])


def test_refused_question_is_not_quoted() -> None:
    """The message goes to a log."""
    answer = refusing(lambda _body: True, 400, {"error": "Bad Request"})
    with served(answer) as (_, embedder), pytest.raises(RequestRejected) as caught:
        embedder.embed(["How long is the cheddar ripened? " * 20], Deadline(20))

    assert "cheddar" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "base64 is not supported", "code": None}},
        {"error": {"message": "No.", "param": "encoding_format", "code": "unsupported_value"}},
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "encoding_format"], "msg": "not permitted"}]},
        {"error": "Bad Request"},
    ],
)
@pytest.mark.parametrize("refused_formats", [("base64",), ("base64", "float")])
def test_format_that_is_refused_is_not_asked_for_again(
    error: object, refused_formats: tuple[str, ...]
) -> None:
    """Numbers are larger, and vectors all the same."""
    answer = refusing(lambda body: body.get("encoding_format") in refused_formats, 400, error)
    with served(answer) as (server, embedder):
        embedder.embed(["Bob ripens the cheddar"])
        calls = len(server.calls())
        result = embedder.embed(["Green tea is brewed"])

    assert result.shortened == ()
    assert len(server.calls()) == calls + 1


@pytest.mark.parametrize("name", ["ollama", "vllm", "llama_cpp", "mistral", "gemini"])
def test_server_embeds_as_its_transcript_says(name: str) -> None:
    """Each of them refuses something, or sends numbers for base64."""
    text = "Alice feeds the starter every morning at seven. " if name == "llama_cpp" else "Bob"
    transcript = read_transcript(Path(__file__).parent / "transcripts" / f"{name}.txt")
    with served(transcript) as (_, embedder):
        result = embedder.embed([f"{'cheddar ' * 40}{text}"])

    assert result.vectors == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert result.shortened == ((0,) if name == "llama_cpp" else ())


SILENCES = [Hang("headers"), Hang("middle"), Drip(0.02, "header"), Drip(0.02, "comment")]


@pytest.mark.parametrize("silence", SILENCES, ids=str)
def test_call_that_takes_too_long_is_given_up(
    upstream: OpenAIUpstream, hasty: OpenAIEmbedder, silence: Behaviour
) -> None:
    """A question's vector is worth some of its time, and a byte now and then is none."""
    upstream.always(silence, EMBEDDINGS)

    with takes_less_than(15), pytest.raises(ProviderUnavailable):
        hasty.embed(TEXTS, Deadline(20))

    assert len(upstream.calls(EMBEDDINGS)) == 1


@pytest.mark.parametrize("silence", [Hang("headers"), Drip(0.02, "header")], ids=str)
def test_call_takes_half_of_the_questions_time_at_most(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, silence: Behaviour
) -> None:
    """The answer needs the other half."""
    upstream.always(silence, EMBEDDINGS)
    deadline = Deadline(0.8)

    with pytest.raises(ProviderUnavailable):
        embedder.embed(TEXTS, deadline)

    assert deadline.left_s() > 0


@pytest.mark.parametrize("silence", SILENCES, ids=str)
def test_reader_who_leaves_ends_the_call_at_once(
    upstream: OpenAIUpstream, embedder: OpenAIEmbedder, silence: Behaviour
) -> None:
    """Nobody waits for the search."""
    upstream.always(silence, EMBEDDINGS)
    deadline = Deadline(20)

    with cancelled_soon(deadline, upstream, EMBEDDINGS), takes_less_than(15), pytest.raises(Cancelled):
        embedder.embed(TEXTS, deadline)


def test_question_that_is_over_is_not_embedded(upstream: OpenAIUpstream, embedder: OpenAIEmbedder) -> None:
    """It would be paid for nothing."""
    with pytest.raises(DeadlineExceeded):
        embedder.embed(TEXTS, Deadline(0))

    assert upstream.calls() == []
