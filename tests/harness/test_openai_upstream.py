"""Test the scripted upstream with the real OpenAI SDK."""

import contextlib
import json
import math
import queue
import socket
import threading
import time

import httpx2
import pytest

from harness.openai_upstream import (
    CHAT,
    EMBEDDINGS,
    MODELS,
    Cut,
    Drip,
    EmptyAnswer,
    Garbage,
    Hang,
    OpenAIUpstream,
    Refusal,
    Reply,
    Status,
)

QUESTION = [{"role": "user", "content": "What is a node?"}]


@pytest.fixture
def upstream():
    with OpenAIUpstream() as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def imported_sdk():
    """Import the SDK for these tests alone: every process collects them, and the import takes a second."""
    global openai
    import openai


@pytest.fixture
def client(upstream):
    with sdk(upstream) as client:
        yield client


def sdk(upstream, api_key="sk-test"):
    # Without `verify=False` each client reads the machine's certificates, which takes 0.17 s.
    plain = openai.DefaultHttpxClient(verify=False)
    return openai.OpenAI(
        api_key=api_key, base_url=upstream.base_url, max_retries=0, timeout=3, http_client=plain
    )


def chat(client, **more):
    return client.chat.completions.create(model="gpt-4o", messages=QUESTION, **more)


def streamed(client, **more):
    with chat(client, stream=True, **more) as stream:
        return list(stream)


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def words(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_whole_answer_has_text_finish_reason_and_usage(upstream, client):
    upstream.script(Reply(text="A node is a process."))

    completion = chat(client)

    assert completion.choices[0].message.content == "A node is a process."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens == 5


def test_stream_sends_a_chunk_a_token_and_the_usage_without_choices_last(upstream, client):
    upstream.script(Reply(tokens=["A", " node", " runs."]))

    chunks = streamed(client, stream_options={"include_usage": True})

    assert [c.choices[0].delta.content for c in chunks[1:4]] == ["A", " node", " runs."]
    assert chunks[4].choices[0].finish_reason == "stop"
    assert chunks[5].choices == []
    assert chunks[5].usage.completion_tokens == 3
    assert len(chunks) == 6


def test_stream_without_include_usage_has_none(client):
    assert all(chunk.usage is None and chunk.choices for chunk in streamed(client))


def test_default_answer_quotes_the_first_numbered_passage(upstream, client):
    prompt = "Passages:\n[1] Topics are named buses.\n[2] Services are calls.\n\nQuestion: what are topics?"

    completion = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": prompt}]
    )

    answer = completion.choices[0].message.content
    assert answer.startswith("According to the book, Topics are named buses")
    assert answer.endswith(" [1].")
    assert len(answer.split()) == upstream.answer_tokens


def test_default_answer_quotes_a_passage_whose_headings_are_parted_by_angles(client):
    """An answer without a mark is a refusal to ragbot: benchmarks would measure those."""
    prompt = '<passage number="1" from="Chapter > Section">\nColcon builds packages.\n</passage>\n\nWhat?'

    completion = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": prompt}]
    )

    answer = completion.choices[0].message.content
    assert answer.startswith("According to the book, Colcon builds packages")
    assert answer.endswith("[1].")


def test_default_answer_has_sentences_of_the_wanted_length(upstream, client):
    """A model's answer is checked and cited sentence by sentence."""
    prompt = "Passages:\n[1] alpha beta gamma delta epsilon\n\nQuestion: what?"
    upstream.answer_tokens, upstream.sentence_tokens = 20, 5

    completion = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": prompt}]
    )

    sentences = completion.choices[0].message.content.split(". ")
    assert sentences[0] == "According to the book, [1]"
    assert sentences[1] == "Alpha beta gamma delta [1]"
    assert [len(sentence.split()) for sentence in sentences] == [5, 5, 5, 5]


def test_answer_may_be_a_function_of_the_request(client, upstream):
    upstream.answer = lambda body: body["messages"][-1]["content"].upper()

    assert words(streamed(client)) == "WHAT IS A NODE?"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_other_finish_reasons_are_sent(upstream, client, reason):
    upstream.script(Reply(text="Half an", finish_reason=reason))

    assert streamed(client)[-1].choices[0].finish_reason == reason


def test_statuses_become_the_sdks_own_errors(upstream, client):
    upstream.script(Status(401), Status(429, retry_after=7), Status(500), Status(503))

    with pytest.raises(openai.AuthenticationError, match="sk-test"):
        chat(client)
    with pytest.raises(openai.RateLimitError) as limited:
        chat(client)
    with pytest.raises(openai.InternalServerError):
        chat(client)
    with pytest.raises(openai.InternalServerError):
        chat(client)

    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.code == "rate_limit_exceeded"
    assert chat(client).choices[0].finish_reason == "stop"


def test_scripted_failure_lasts_one_request_so_that_a_retry_succeeds(upstream, client):
    upstream.script(Status(429, retry_after=0.01))

    chat(client.with_options(max_retries=1))

    assert len(upstream.calls(CHAT)) == 2


def test_behaviour_may_hang_on_the_model(upstream, client):
    upstream.for_model("gpt-4o", Status(500))

    with pytest.raises(openai.InternalServerError):
        chat(client)
    other = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    upstream.for_model("gpt-4o", None)

    assert other.model == "gpt-4o-mini"
    assert chat(client).model == "gpt-4o"


def test_permanent_behaviour_is_switched_on_and_off(upstream, client):
    upstream.always(Status(503))
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            chat(client)

    upstream.always(None)

    assert chat(client).choices


@pytest.mark.parametrize("before", ["headers", "first_word", "middle"])
def test_hanging_stream_times_out_and_its_leaving_is_noticed(upstream, client, before):
    upstream.script(Hang(before=before))

    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        streamed(client, timeout=0.1)

    assert upstream.wait_for_disconnect()
    assert upstream.wait_until_idle()


@pytest.mark.parametrize("before", ["headers", "first_word", "middle"])
@pytest.mark.parametrize("endpoint", [CHAT, EMBEDDINGS, MODELS])
def test_whole_replies_hang_too(upstream, client, endpoint, before):
    upstream.script(Hang(before=before), endpoint=endpoint)
    ask = {
        CHAT: lambda: chat(client, timeout=0.05),
        EMBEDDINGS: lambda: client.embeddings.create(model="m", input="a", timeout=0.05),
        MODELS: lambda: client.models.list(timeout=0.05),
    }[endpoint]

    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        ask()

    assert upstream.wait_for_disconnect()


def test_drips_outlive_the_sdks_time_limit(upstream, client):
    pieces = ("comment", "partial_line", "header")
    outcomes = queue.SimpleQueue()
    for piece in pieces:
        upstream.for_model(piece, Drip(0.02, piece=piece))

    def read(model):
        with contextlib.suppress(openai.APIError, httpx2.TransportError):
            list(client.chat.completions.create(model=model, messages=QUESTION, stream=True, timeout=0.4))
        outcomes.put(model)

    readers = [threading.Thread(target=read, args=[piece]) for piece in pieces]
    for reader in readers:
        reader.start()
    with pytest.raises(queue.Empty):
        outcomes.get(timeout=0.9)
    upstream.stop()
    for reader in readers:
        reader.join(60)

    assert {outcomes.get(timeout=60) for _ in pieces} == set(pieces)


def test_stream_that_is_closed_or_reset_in_the_middle_raises(upstream, client):
    for how in ("close", "reset"):
        upstream.script(Cut(after_tokens=2, how=how))
        with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
            streamed(client)


@pytest.mark.parametrize("how", ["end", "done_without_finish"])
def test_stream_that_ends_early_in_good_order_raises_nothing(upstream, client, how):
    upstream.script(Cut(after_tokens=2, how=how), Reply(text="One two", finish_reason=None))

    for chunks in (streamed(client), streamed(client)):
        assert len(words(chunks).split()) == 2
        assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


def test_garbage_is_what_the_sdk_lets_through(upstream, client):
    upstream.script(Garbage("html"))
    assert isinstance(chat(client), str)

    upstream.script(Garbage("bad_json"), Garbage("bad_sse_json"))
    with pytest.raises(json.JSONDecodeError):
        chat(client)
    with pytest.raises(json.JSONDecodeError):
        streamed(client)


def test_html_instead_of_a_stream_is_an_empty_stream(upstream, client):
    upstream.script(Garbage("html"))

    assert streamed(client) == []


@pytest.mark.parametrize(("kind", "sign"), [("lone_surrogate", "\ud83d"), ("nul", "\0")])
def test_signs_that_break_databases_arrive_in_the_words(upstream, client, kind, sign):
    upstream.script(Garbage(kind), Garbage(kind))

    assert sign in words(streamed(client))
    assert sign in chat(client).choices[0].message.content


def test_empty_answer_is_whole_and_has_no_word(upstream, client):
    upstream.script(EmptyAnswer(), EmptyAnswer())

    chunks = streamed(client)

    assert words(chunks) == ""
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chat(client).choices[0].message.content == ""


def test_refusal_stands_in_its_own_field(upstream, client):
    upstream.script(Refusal("I can't."), Refusal("I can't."))

    chunks = streamed(client)

    assert "".join(c.choices[0].delta.refusal or "" for c in chunks) == "I can't."
    assert words(chunks) == ""
    assert chat(client).choices[0].message.refusal == "I can't."


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
def test_likeness_of_vectors_follows_shared_words(upstream, client, encoding):
    texts = ["How does a humanoid balance?", "Balancing a humanoid robot", "Install the toolkit on Ubuntu"]

    reply = client.embeddings.create(model="m", input=texts, dimensions=512, **encoding)

    question, near, far = (row.embedding for row in reply.data)
    assert len(question) == 512
    assert math.isclose(math.hypot(*question), 1, abs_tol=1e-5)
    assert dot(question, near) > 0.3 > abs(dot(question, far))
    assert upstream.calls(EMBEDDINGS)[0].body["encoding_format"] == encoding.get("encoding_format", "base64")
    assert reply.usage.total_tokens == 14


def test_default_dimension_is_that_of_the_model(client):
    sizes = [
        len(client.embeddings.create(model=f"text-embedding-3-{size}", input="a").data[0].embedding)
        for size in ("small", "large")
    ]

    assert sizes == [1536, 3072]


def test_embedding_garbage(upstream, client):
    upstream.script(
        Garbage("empty_embeddings"), Garbage("wrong_dimension"), Garbage("nan"), endpoint=EMBEDDINGS
    )

    with pytest.raises(ValueError, match="No embedding data received"):
        client.embeddings.create(model="m", input="a")
    assert len(client.embeddings.create(model="m", input="a").data[0].embedding) == 1535
    assert math.isnan(client.embeddings.create(model="m", input="a").data[0].embedding[0])


def test_what_openai_refuses_is_refused(client):
    for wrong in ("", [], ["a", ""], ["a"] * 2049):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="m", input=wrong)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-4o", messages=[])
    with pytest.raises(openai.NotFoundError):
        client.files.list()


def test_another_key_is_refused_and_quoted():
    with (
        OpenAIUpstream(api_key="sk-right") as upstream,
        sdk(upstream, api_key="sk-wrong") as client,
        pytest.raises(openai.AuthenticationError, match="sk-wrong"),
    ):
        client.models.list()


def test_requests_are_recorded_with_what_was_sent(upstream, client):
    chat(client, temperature=0.5)
    client.models.list()

    (call,) = upstream.calls(CHAT)

    assert call.body["temperature"] == 0.5
    assert call.headers["authorization"] == "Bearer sk-test"
    assert [c.path for c in upstream.calls()] == [CHAT, MODELS]
    assert call.at <= upstream.calls(MODELS)[0].at


def test_connections_are_counted_so_that_reuse_shows(upstream, client):
    for _ in range(5):
        chat(client)

    assert upstream.connections == 1


def test_sdk_stream_costs_a_connection_each_and_a_raw_one_read_to_its_end_does_not(upstream, client):
    for _ in range(3):
        streamed(client)
    of_sdk_streams = upstream.connections

    upstream.forget()
    for _ in range(4):
        with client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=QUESTION, stream=True
        ) as response:
            assert list(response.iter_lines())[-2] == "data: [DONE]"

    assert of_sdk_streams == 3
    assert upstream.connections == 1
    assert upstream.disconnects == 0


def test_reader_who_leaves_between_two_slow_words_is_noticed_at_once(upstream, client):
    upstream.script(Reply(tokens=["One", " two"], delay_s=60))
    stream = chat(client, stream=True)
    next(stream)
    open_before = upstream.open_streams
    started = time.monotonic()

    stream.close()

    assert upstream.wait_for_disconnect()
    assert time.monotonic() - started < 30
    assert open_before == 1
    assert upstream.wait_until_idle()


def test_delays_are_kept(upstream, client):
    upstream.script(Reply(tokens=["a", "b", "c"], first_delay_s=0.1, delay_s=0.05))
    started = time.monotonic()

    with chat(client, stream=True) as stream:
        at = [time.monotonic() - started for chunk in stream if chunk.choices[0].delta.content]

    assert at[0] >= 0.1
    assert at[2] >= 0.2


@pytest.mark.parametrize(
    "behaviour", [Hang(), Hang("middle"), Drip(5), Reply(first_delay_s=60)], ids=lambda b: type(b).__name__
)
def test_stop_never_waits_for_what_is_under_way(behaviour):
    before = set(threading.enumerate())
    upstream = OpenAIUpstream()
    upstream.start()
    upstream.script(behaviour)
    body = json.dumps({"model": "m", "messages": QUESTION, "stream": True}).encode()
    with contextlib.closing(socket.create_connection(("127.0.0.1", upstream.port))) as sock:
        sock.sendall(b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body)
        assert upstream.wait_for_calls(CHAT)
        started = time.monotonic()

        upstream.stop()

        assert time.monotonic() - started < 30
    assert set(threading.enumerate()) == before


def test_reset_forgets_scripts_switches_and_records(upstream, client):
    upstream.script(Status(500))
    upstream.always(Status(500))
    upstream.for_model("gpt-4o", Status(500))

    upstream.reset()

    assert chat(client).choices
    assert len(upstream.calls()) == 1


def test_behaviour_that_an_endpoint_cannot_show_is_refused(upstream):
    with pytest.raises(ValueError, match="cannot be shown"):
        upstream.script(Garbage("nan"))
    with pytest.raises(ValueError, match="cannot be shown"):
        upstream.script(EmptyAnswer(), endpoint=EMBEDDINGS)


def test_fault_of_the_fake_itself_fails_the_test(client):
    def broken(body):
        raise KeyError("no such thing")

    with (
        pytest.raises(AssertionError, match="no such thing"),
        OpenAIUpstream(answer=broken) as upstream,
        sdk(upstream) as own,
        pytest.raises(openai.InternalServerError),
    ):
        chat(own)
