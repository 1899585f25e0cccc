"""Test OpenAI's chat models with the real SDK, against an upstream that works and fails in all ways."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Sequence
from contextlib import closing

import pytest

from harness.loopback import Call, Connection, LoopbackServer
from harness.openai_upstream import (
    CHAT,
    EVENT_STREAM,
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
from ragbot.core.answers import NOT_IN_BOOK, Generation, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    AnswerEmpty,
    Cancelled,
    DeadlineExceeded,
    ProviderRejected,
    ProviderUnavailable,
)
from ragbot.providers.openai import generator as openai_generator
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.generator import OpenAIGenerator
from tests.providers.asking import KEY, asked, cancelled_soon, client_of, prompt_of, takes_less_than

PATIENCE_S = 0.8
NINE_MONTHS = "Nine months [1]."


@pytest.fixture
def generator(client: OpenAIClient) -> OpenAIGenerator:
    """Return one that waits as long for a first word as these tests ever will."""
    return OpenAIGenerator(client, "gpt-4o", 5)


@pytest.fixture
def hasty(client: OpenAIClient) -> OpenAIGenerator:
    """Return one that waits for a first word, and between two words, no longer than `PATIENCE_S`."""
    return OpenAIGenerator(client, "gpt-4o", PATIENCE_S)


class RawUpstream(LoopbackServer):
    """Sends what it is told, event by event, and then waits for the client to leave if `stays`."""

    def __init__(self, *events: object, stays: bool = False) -> None:
        super().__init__()
        self.events = events
        self.stays = stays

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def respond(self, call: Call, connection: Connection) -> None:
        connection.begin_chunks(EVENT_STREAM)
        for event in self.events:
            text = event if isinstance(event, str) else json.dumps(event)
            connection.chunk(f"data: {text}\n\n".encode())
        if self.stays:
            connection.pause(None)
        connection.end_chunks()


def delta(content: object, finish_reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}]}


def asked_of_raw(events: Sequence[object], *, stays: bool = False) -> tuple[list[str], Generation]:
    with RawUpstream(*events, stays=stays) as upstream, client_of(upstream) as client:
        return asked(OpenAIGenerator(client, "gpt-4o", 5))


# --- a good answer -----------------------------------------------------------------------------


def test_answer_is_given_as_the_model_writes_it(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """In as many pieces as it came in, which are fewer than its tokens where several came at once."""
    upstream.script(Reply(tokens=["Nine", " months", " [1]", "."]))

    pieces, generation = asked(generator)

    assert "".join(pieces) == "Nine months [1]."
    assert all(pieces)
    assert generation.model == "gpt-4o"


def test_piece_is_handed_on_before_the_next_one_is_there(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """Else it would be no stream."""
    upstream.script(Hang("middle"))

    with closing(generator.generate(prompt_of(), Deadline(20), Generation())) as pieces:
        first = next(pieces)

    assert first.startswith("According")


def test_words_that_come_fast_are_handed_on_some_at_a_time(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    words = [f"word{number} " for number in range(60)]
    upstream.script(Reply(tokens=words, delay_s=0.004))

    pieces, _ = asked(generator)

    assert "".join(pieces) == "".join(words)
    assert len(pieces) < len(words) / 2


def test_request_carries_the_prompt_and_its_limits(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """What is not sent cannot bound an answer."""
    prompt = prompt_of()

    asked(generator)

    body = upstream.calls(CHAT)[0].body
    assert body["messages"] == [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.messages[0][1]},
    ]
    assert (body["max_tokens"], body["temperature"]) == (prompt.max_output_tokens, 0)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize("model", ["o3-mini", "gpt-5-nano"])
def test_thinking_model_gets_its_limit_under_its_other_name(
    upstream: OpenAIUpstream, client: OpenAIClient, model: str
) -> None:
    """It refuses the usual names."""
    asked(OpenAIGenerator(client, model, 5))

    body = upstream.calls(CHAT)[0].body
    assert body["max_completion_tokens"] > prompt_of().max_output_tokens
    assert not {"max_tokens", "temperature"} & body.keys()


def test_twenty_answers_take_one_connection(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """A new one costs two round trips and the handshake, each time."""
    for _ in range(20):
        asked(generator)

    assert upstream.connections <= 1


def test_answers_at_once_do_not_mix(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """All threads share the client."""
    upstream.answer = lambda body: f"{body['messages'][-1]['content'][-6:]} [1]"
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        prompt = prompt_of(f"Which is {number:06}")
        answers[number] = "".join(generator.generate(prompt, Deadline(20), Generation()))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {number: f"{number:06} [1]" for number in range(8)}


def test_usage_and_cost_are_told(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """The operator wants to know what a question costs."""
    upstream.script(Reply(usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}))

    _, generation = asked(generator)

    usage = generation.usage
    assert (usage.input_tokens, usage.output_tokens) == (1000, 100)
    assert usage.cost_usd == pytest.approx(0.0035)


def test_cost_of_a_model_without_a_price_is_not_known(client: OpenAIClient) -> None:
    """Null is honest; nought would be a lie."""
    _, generation = asked(OpenAIGenerator(client, "llama-3", 5))

    assert generation.usage.output_tokens > 0
    assert generation.usage.cost_usd is None


def test_thoughts_without_an_answer_are_counted() -> None:
    """They are what a model that thinks costs, and the provider charges for both tries."""
    usage = {"prompt_tokens": 100, "completion_tokens": 800, "total_tokens": 900}
    chunks = [delta("", "length"), {"choices": [], "usage": usage}, "[DONE]"]
    generation = Generation()

    with RawUpstream(*chunks) as upstream, client_of(upstream, max_retries=0) as client:
        generator = OpenAIGenerator(client, "gpt-4o", 5)
        with pytest.raises(AnswerEmpty):
            list(generator.generate(prompt_of(), Deadline(20), generation))

    assert (generation.model, generation.usage) == ("", Usage())
    # With four times the room for the second one.
    assert generation.unspoken == Usage(
        input_tokens=200, output_tokens=1600, cost_usd=pytest.approx(2 * (0.00025 + 0.008))
    )


def test_prompt_of_a_model_that_never_spoke_is_counted() -> None:
    """Its provider has read it, and does not say how much."""
    generation = Generation()
    with RawUpstream({"choices": []}, stays=True) as upstream, client_of(upstream, max_retries=0) as client:
        silent = OpenAIGenerator(client, "gpt-4o", PATIENCE_S)
        with pytest.raises(ProviderUnavailable):
            list(silent.generate(prompt_of(), Deadline(20), generation))

    assert generation.unspoken.input_tokens > 20
    assert (generation.unspoken.cost_usd or 0) > 0


@pytest.mark.parametrize(
    "usage",
    [
        *({"prompt_tokens": count} for count in ("many", [1], -5, 1e15, 10**30)),
        *({"prompt_tokens": 9, "total_tokens": count} for count in (-5, 10**30)),
        *("none", [1], 7, 1e400),
    ],
)
def test_nonsense_in_the_usage_costs_no_answer(usage: object) -> None:
    """Compatible servers send all sorts, and the answer is whole by then."""
    pieces, generation = asked_of_raw([delta("Nine"), delta(" months", "stop") | {"usage": usage}, "[DONE]"])

    assert "".join(pieces) == "Nine months"
    assert generation.usage.output_tokens == 2


def test_answer_that_is_left_or_cut_is_charged_by_our_own_count(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """The provider charges for what it said, and a budget must not run on nothing."""
    upstream.script(Cut(after_tokens=3))
    generation = Generation()

    with pytest.raises(AnswerCut):
        list(generator.generate(prompt_of(), Deadline(20), generation))

    assert generation.usage.input_tokens > 20
    assert generation.usage.output_tokens >= 3
    assert (generation.usage.cost_usd or 0) > 0


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_answer_is_whole_when_the_model_ended_it_or_its_limit_did(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, reason: str
) -> None:
    """An answer at its limit is long, not broken."""
    upstream.script(Reply(text=NINE_MONTHS, finish_reason=reason))

    pieces, _ = asked(generator)

    assert "".join(pieces) == NINE_MONTHS


def test_refusal_of_the_model_reads_as_not_in_the_book(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """The reader gets the model's own sentence, as a refusal."""
    upstream.script(Refusal("I cannot help with that."))

    pieces, _ = asked(generator)

    assert "".join(pieces) == f"{NOT_IN_BOOK} I cannot help with that."


@pytest.mark.parametrize("kind", ["lone_surrogate", "nul"])
def test_characters_that_no_database_takes_are_cleaned(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, kind: str
) -> None:
    """One such answer would lose its row."""
    upstream.script(Garbage(kind))

    pieces, _ = asked(generator)

    text = "".join(pieces)
    assert "\x00" not in text
    assert text.encode()


def test_piece_of_which_nothing_is_left_is_not_handed_on(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """The port promises pieces that are not empty."""
    upstream.script(Reply(tokens=["\x00", "Nine", "\x00", " months"]))

    pieces, _ = asked(generator)

    assert "".join(pieces) == "Nine months"
    assert all(pieces)


def test_end_of_the_body_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers keep the connection open behind `[DONE]`; the reader has all there is."""
    monkeypatch.setattr(openai_generator, "LAST_BYTE_S", 0.05)

    with takes_less_than(15):
        pieces, _ = asked_of_raw([delta("Nine"), delta(" months", "stop"), "[DONE]"], stays=True)

    assert "".join(pieces) == "Nine months"


def test_lines_may_end_in_any_of_the_ways_of_the_standard() -> None:
    """Compatible servers write `\\r\\n`, and comments, and events of other names."""
    events = [delta("Nine"), "\r\n: comment\r\nevent: ping\r\ndata: {}", delta(" months", "stop"), "[DONE]"]

    assert "".join(asked_of_raw(events)[0]) == "Nine months"


# --- trouble that may pass ---------------------------------------------------------------------


def test_short_retry_after_is_waited_for(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """The provider knows best when it has room."""
    upstream.script(Status(429, retry_after=0.1), Reply(text=NINE_MONTHS))

    pieces, _ = asked(generator)

    assert "".join(pieces) == NINE_MONTHS
    first, second = upstream.calls(CHAT)
    assert second.at - first.at >= 0.1


@pytest.mark.parametrize("retry_after", [30, "Wed, 21 Oct 2099 07:28:00 GMT", "inf"])
def test_long_retry_after_is_not_waited_for(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, retry_after: object
) -> None:
    """The next model answers sooner."""
    upstream.always(Status(429, retry_after=retry_after))

    with takes_less_than(15), pytest.raises(ProviderUnavailable):
        asked(generator)

    assert len(upstream.calls(CHAT)) == 1


def test_spent_quota_is_not_asked_again(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """It is a 429 that no patience mends."""
    upstream.always(Status(429, code="insufficient_quota"))

    with pytest.raises(ProviderUnavailable):
        asked(generator)

    assert len(upstream.calls(CHAT)) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Status(500),
        Status(503, retry_after=0),
        Garbage("html"),
        Garbage("bad_json"),
        EmptyAnswer(),
        Cut(after_tokens=0),
        Cut(after_tokens=0, how="reset"),
        Cut(after_tokens=0, how="end"),
    ],
    ids=str,
)
def test_trouble_before_the_first_word_is_tried_once_more(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, trouble: Status
) -> None:
    """Most of it is gone a moment later."""
    upstream.script(trouble, Reply(text=NINE_MONTHS))

    pieces, _ = asked(generator)

    assert "".join(pieces) == NINE_MONTHS
    assert len(upstream.calls(CHAT)) == 2


@pytest.mark.parametrize(
    "trouble",
    [Status(500), Garbage("html"), EmptyAnswer(), Cut(after_tokens=0)],
    ids=str,
)
def test_trouble_that_stays_is_given_up_after_the_second_try(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, trouble: Status
) -> None:
    """Each try costs the reader time, and maybe money."""
    upstream.always(trouble)

    with pytest.raises(AnswerEmpty if isinstance(trouble, EmptyAnswer) else ProviderUnavailable):
        asked(generator)

    assert len(upstream.calls(CHAT)) == 2


def test_provider_that_is_down_is_unavailable(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """A refused connection is trouble like any other."""
    upstream.go_down()

    with pytest.raises(ProviderUnavailable):
        asked(generator)


def test_connection_that_was_dropped_meanwhile_costs_no_answer(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """Providers drop idle ones without a word."""
    asked(generator)
    upstream.go_down()
    upstream.come_up()

    pieces, _ = asked(generator)

    assert pieces


# --- trouble that stays ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_request_that_is_refused_is_not_sent_again(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, status: int
) -> None:
    """It would be refused again."""
    upstream.always(Status(status))

    with pytest.raises(ProviderRejected):
        asked(generator)

    assert len(upstream.calls(CHAT)) == 1


@pytest.mark.parametrize("status", [401, 429, 500])
def test_no_message_and_no_traceback_quotes_the_key(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, status: int
) -> None:
    """Providers put it into their errors, and errors go to logs."""
    upstream.always(Status(status, retry_after=9, message="Wrong key: {key}."))

    with pytest.raises((ProviderRejected, ProviderUnavailable)) as caught:
        asked(generator)

    assert KEY in upstream.calls(CHAT)[0].headers["authorization"]
    assert KEY not in "".join(traceback.format_exception(caught.value))


# --- time --------------------------------------------------------------------------------------

SILENCES = [Hang("headers"), Hang("first_word"), Drip(0.02, "header")]
SIGNS_OF_LIFE = [Drip(0.02, "comment"), Drip(0.02, "partial_line")]


@pytest.mark.parametrize("silence", SILENCES, ids=str)
def test_model_that_does_not_begin_in_time_is_given_up(
    upstream: OpenAIUpstream, hasty: OpenAIGenerator, silence: Hang
) -> None:
    """Silence is no answer, nor is a body that never begins; such a call is not repeated."""
    upstream.always(silence)

    with takes_less_than(15), pytest.raises(ProviderUnavailable):
        asked(hasty)

    assert len(upstream.calls(CHAT)) == 1
    assert upstream.wait_for_disconnect()


@pytest.mark.parametrize("life", SIGNS_OF_LIFE, ids=str)
def test_model_that_shows_life_has_time_until_the_deadline(
    upstream: OpenAIUpstream, hasty: OpenAIGenerator, life: Drip
) -> None:
    """A model that thinks, or waits for its turn, answers in the end; the reader has the deadline's time."""
    upstream.always(life)
    deadline = Deadline(openai_generator.RESERVE_S + 3 * PATIENCE_S)

    with pytest.raises(ProviderUnavailable):
        asked(hasty, deadline)

    assert deadline.left_s() <= openai_generator.RESERVE_S + PATIENCE_S
    assert len(upstream.calls(CHAT)) == 1


def test_retry_does_not_get_the_patience_anew(upstream: OpenAIUpstream, client: OpenAIClient) -> None:
    """The reader waits for both tries."""
    upstream.script(Status(500), Hang("headers"))

    with takes_less_than(15), pytest.raises(ProviderUnavailable):
        asked(OpenAIGenerator(client, "gpt-4o", 0.4))


@pytest.mark.parametrize("silence", [Hang("middle"), Drip(0.02, "comment", after_tokens=2)], ids=str)
def test_model_that_falls_silent_between_words_is_cut_whatever_drips_in(
    upstream: OpenAIUpstream, hasty: OpenAIGenerator, silence: Hang
) -> None:
    """Readers' connections are cut when nothing is said for long."""
    upstream.always(silence)

    with takes_less_than(15), pytest.raises(AnswerCut):
        asked(hasty)

    assert upstream.wait_for_disconnect()


@pytest.mark.parametrize("silence", [Hang("middle"), Drip(0.02, "comment", after_tokens=2)], ids=str)
def test_deadline_ends_an_answer_that_is_under_way(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, monkeypatch: pytest.MonkeyPatch, silence: Hang
) -> None:
    """Whatever drips in."""
    monkeypatch.setattr(openai_generator, "RESERVE_S", 0.0)
    upstream.always(silence)

    with takes_less_than(15), pytest.raises(DeadlineExceeded):
        asked(generator, Deadline(0.5))

    assert upstream.wait_for_disconnect()


@pytest.mark.parametrize("silence", [Hang("headers"), Drip(0.02, "header")], ids=str)
def test_some_of_the_deadline_is_kept_for_answering_without_a_model(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, silence: Hang
) -> None:
    """Ten seconds of patience are no use to a question that has two and a bit."""
    upstream.always(silence)
    deadline = Deadline(openai_generator.RESERVE_S + 0.2)

    with pytest.raises(ProviderUnavailable):
        asked(generator, deadline)

    assert deadline.left_s() > openai_generator.RESERVE_S / 2


def test_model_is_not_asked_when_there_is_no_time_for_it(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """It would be paid for nothing."""
    with pytest.raises(ProviderUnavailable):
        asked(generator, Deadline(openai_generator.RESERVE_S / 2))

    assert upstream.calls() == []


@pytest.mark.parametrize(
    "silence", [*SILENCES, *SIGNS_OF_LIFE, Hang("middle"), Status(429, retry_after=1.9)], ids=str
)
def test_reader_who_leaves_ends_the_wait_at_once(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, silence: Hang
) -> None:
    """Nobody pays for words that nobody reads; closing a socket would wake no one."""
    upstream.always(silence)
    deadline = Deadline(20)

    with cancelled_soon(deadline, upstream, CHAT), takes_less_than(15), pytest.raises(Cancelled):
        asked(generator, deadline)

    assert len(upstream.calls(CHAT)) == 1
    assert upstream.wait_until_idle()


def test_question_that_is_over_is_not_asked(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """The reader may have left while the search ran."""
    left = Deadline(20)
    left.cancel()

    with pytest.raises(Cancelled):
        asked(generator, left)
    with pytest.raises(DeadlineExceeded):
        asked(generator, Deadline(0))

    assert upstream.calls() == []


def test_end_of_one_question_does_not_touch_the_connection_of_the_next(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """The connection has gone back to the pool and may be another question's."""
    answered = Deadline(20)
    asked(generator, answered)

    with closing(generator.generate(prompt_of(), Deadline(20), Generation())) as pieces:
        first = next(pieces)
        answered.cancel()
        rest = list(pieces)

    assert "".join([first, *rest]).endswith(".")
    assert upstream.connections <= 1


def test_closing_the_iterator_ends_the_models_stream_at_once(
    upstream: OpenAIUpstream, generator: OpenAIGenerator
) -> None:
    """The provider stops, and stops to charge."""
    upstream.always(Reply(tokens=["word "] * 10_000, delay_s=0.01))
    pieces = generator.generate(prompt_of(), Deadline(20), Generation())
    next(pieces)

    pieces.close()

    assert upstream.wait_for_disconnect()
    assert upstream.wait_until_idle()


# --- an answer that breaks ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset", "end"])
def test_answer_that_breaks_off_is_told_as_cut(
    upstream: OpenAIUpstream, generator: OpenAIGenerator, how: str
) -> None:
    """Half an answer must not pass for a whole one, however politely it ends."""
    upstream.always(Cut(after_tokens=3, how=how))
    said: list[str] = []

    with pytest.raises(AnswerCut):
        said.extend(generator.generate(prompt_of(), Deadline(20), Generation()))

    assert len(upstream.calls(CHAT)) == 1


def test_answer_that_was_spoilt_is_told_as_cut(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """The words before it were said."""
    upstream.always(Garbage("bad_sse_json"))

    with pytest.raises(AnswerCut):
        asked(generator)


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "overloaded"}},
        [],
        "null",
        "17",
        "{",
        {"choices": 7},
        {"choices": [None]},
        {"choices": [{"delta": "word"}]},
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("x" * 1_100_000, id="endless line"),
    ],
)
def test_nonsense_inside_the_stream_is_told_as_ours(event: object) -> None:
    """Nothing of a parser's, an SDK's or Python's own gets out."""
    with pytest.raises(AnswerCut):
        asked_of_raw([delta("Nine"), event, delta(" months", "stop"), "[DONE]"])
    with pytest.raises(ProviderUnavailable):
        asked_of_raw([event, "[DONE]"])


# --- a ping ------------------------------------------------------------------------------------


def test_ping_asks_for_the_model_and_no_words() -> None:
    """It runs every few seconds and must cost nothing."""

    class WithModel(LoopbackServer):
        def respond(self, call: Call, connection: Connection) -> None:
            connection.reply_json(200, {"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "us"})

    with WithModel() as server:
        server.base_url = f"{server.url}/v1"  # type: ignore[attr-defined]
        with client_of(server) as client:  # type: ignore[arg-type]
            OpenAIGenerator(client, "gpt-4o", 5).ping()

        assert [call.path for call in server.calls()] == [f"{MODELS}/gpt-4o"]


def test_ping_fails_when_the_key_is_refused() -> None:
    """Then no question would be answered by this model."""
    with (
        OpenAIUpstream(api_key="another") as strict,
        client_of(strict) as client,
        pytest.raises(ProviderRejected),
    ):
        OpenAIGenerator(client, "gpt-4o", 5).ping()


def test_ping_fails_when_the_provider_is_down(upstream: OpenAIUpstream, generator: OpenAIGenerator) -> None:
    """Nor then."""
    upstream.go_down()

    with pytest.raises(ProviderUnavailable):
        generator.ping()
