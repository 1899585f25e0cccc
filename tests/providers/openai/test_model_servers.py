"""Servers as they behave: a transcript of each, and each kind of accent, asked as the service asks them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from harness.server_accents import (
    JSON,
    AccentedServer,
    Answer,
    Response,
    delta,
    event,
    read_transcript,
    refused,
    streamed,
)
from ragbot.answering.prompt import chat_messages
from ragbot.core.answers import NOT_IN_BOOK, Degradation, Generation, Mode, Prompt
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    AnswerEmpty,
    AnswerRefused,
    ContentFiltered,
    ContextOverflow,
    ProviderRejected,
    ProviderUnavailable,
    RequestRejected,
)
from ragbot.core.text import count_tokens
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from ragbot.providers.openai.generator import OpenAIGenerator
from ragbot.storage.keyvalue.shared_state import FailoverSharedState
from tests.providers.asking import KEY, asked, client_of, prompt_of

CHAT = "/v1/chat/completions"
NINE_MONTHS = "Nine months [1]."
TRANSCRIPTS = Path(__file__).parent / "transcripts"
MODELS = {
    "ollama": "deepseek-r1:8b",
    "vllm": "google/gemma-2-9b-it",
    "llama_cpp": "qwen2.5-coder",
    "openrouter": "openai/gpt-oss-20b",
    "azure": "my-deployment",
    "mistral": "magistral-small-latest",
    "gemini": "gemini-2.5-flash",
}


@contextmanager
def served(
    answer: Answer, model: str = "some-model", **more: Any
) -> Iterator[tuple[AccentedServer, OpenAIGenerator]]:
    """Serve the answer, and give a generator of a model there."""
    with AccentedServer(answer) as server, client_of(server, **more) as client:  # type: ignore[arg-type]
        yield server, OpenAIGenerator(client, model, 5)


def told(answer: Answer, model: str = "some-model") -> tuple[str, Generation]:
    """Return what a server's answer becomes."""
    with served(answer, model) as (_, generator):
        pieces, generation = asked(generator)
    return "".join(pieces), generation


def always(response: Response) -> Answer:
    return lambda _path, _body: response


def shortenable(prompt: Prompt) -> Prompt:
    """Return the prompt as an app lays it out, so that it can be shortened."""
    lay_out = partial(
        chat_messages,
        prompt.question,
        prompt.passages,
        (),
        mode=Mode.FULL_BOOK,
        title="The book",
        history_tokens=100,
        context_tokens=4000,
    )
    return replace(prompt, messages=lay_out(), shorter=lambda cut_tokens: lay_out(cut_tokens=cut_tokens))


def openai_error(message: str, **fields: object) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", **fields}}


# --- transcripts -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_server_is_answered_through(name: str) -> None:
    """Each refuses something or adds something; the reader gets the answer."""
    with served(read_transcript(TRANSCRIPTS / f"{name}.txt"), MODELS[name]) as (_, generator):
        pieces = list(generator.generate(shortenable(prompt_of()), Deadline(20), Generation()))

    assert "".join(pieces) == NINE_MONTHS


@pytest.mark.parametrize("name", MODELS)
def test_second_question_needs_one_call(name: str) -> None:
    """What the first one taught is remembered."""
    with served(read_transcript(TRANSCRIPTS / f"{name}.txt"), MODELS[name]) as (server, generator):
        for _ in range(2):
            calls = len(server.calls(CHAT))
            list(generator.generate(shortenable(prompt_of()), Deadline(20), Generation()))

    assert len(server.calls(CHAT)) == calls + 1


@pytest.mark.parametrize("name", MODELS)
def test_server_without_an_address_for_its_model_is_no_trouble(name: str) -> None:
    """Its answers count, not that it cannot tell of one model (each transcript answers 404 there)."""
    with served(read_transcript(TRANSCRIPTS / f"{name}.txt"), MODELS[name]) as (server, generator):
        generator.ping()

    assert len(server.calls()) == 1


def test_filtered_question_is_the_questions_own() -> None:
    """Azure says it with a 400; the model is well."""
    azure = read_transcript(TRANSCRIPTS / "azure.txt")
    with served(azure, "my-deployment") as (_, generator), pytest.raises(ContentFiltered) as caught:
        list(generator.generate(prompt_of("Something forbidden?"), Deadline(20), Generation()))

    assert (caught.value.reason.code, caught.value.retryable) == ("content_filter", False)


def test_bad_key_that_is_told_with_400_is_no_questions_fault() -> None:
    """The circuit and the health check must learn of it."""
    gemini = read_transcript(TRANSCRIPTS / "gemini.txt")
    with served(gemini, "bad-key-model") as (_, generator), pytest.raises(ProviderRejected) as caught:
        asked(generator)

    assert not isinstance(caught.value, RequestRejected)


# --- what a server refuses ---------------------------------------------------------------------

REFUSALS = {
    "unsupported parameter": openai_error("No.", param="NAME", code="unsupported_parameter"),
    "unsupported value": openai_error("No.", param="NAME", code="unsupported_value"),
    "named in the text": openai_error("Unrecognized request argument supplied: NAME"),
    "a text alone": {"error": "unknown field 'NAME'"},
    "FastAPI": {"detail": [{"type": "extra_forbidden", "loc": ["body", "NAME"], "msg": "not permitted"}]},
    "FastAPI, deeper": {"detail": [{"type": "literal_error", "loc": ["body", "NAME", 0], "msg": "no"}]},
    "a list": [{"error": {"code": 400, "message": 'Unknown name "NAME"', "status": "INVALID_ARGUMENT"}}],
}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("name", ["temperature", "stream_options", "max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("how", REFUSALS)
def test_parameter_that_is_refused_is_left_out(how: str, name: str, status: int) -> None:
    """A model must not be lost to an option."""
    error = json.loads(json.dumps(REFUSALS[how]).replace("NAME", name))

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        return refused(status, error) if name in body else streamed(NINE_MONTHS)

    model = "openai/gpt-5-mini" if name == "max_completion_tokens" else "some-model"
    assert told(answer, model)[0] == NINE_MONTHS


def test_several_refusals_are_learnt_in_turn_and_shared() -> None:
    """Another worker asks rightly at once."""
    states = FailoverSharedState([])

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        for name in ("max_tokens", "temperature", "stream_options"):
            if name in body:
                return refused(400, openai_error("No.", param=name, code="unsupported_parameter"))
        return streamed(NINE_MONTHS)

    with AccentedServer(answer) as server:
        for _ in range(2):
            with client_of(server, states=states) as client:  # type: ignore[arg-type]
                asked(OpenAIGenerator(client, "my-deployment", 5))
        bodies = server.bodies(CHAT)

    assert len(bodies) == 5
    assert bodies[-1]["max_completion_tokens"] > prompt_of().max_output_tokens
    assert not {"max_tokens", "temperature", "stream_options"} & bodies[-1].keys()


def test_limit_that_is_too_large_is_lowered_to_what_the_server_names() -> None:
    """An answer without a limit might cost anything."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body.get("max_tokens", 0) > 512:
            return refused(400, openai_error("max_tokens must be at most 512, got 800", param="max_tokens"))
        return streamed(NINE_MONTHS)

    with served(answer) as (server, generator):
        asked(generator)

    assert [body["max_tokens"] for body in server.bodies(CHAT)] == [800, 512]


UNSUPPORTED = "Unsupported parameter: 'max_tokens' is not supported with this model"


@pytest.mark.parametrize(
    "message",
    [
        f"{UNSUPPORTED}. Use 'max_completion_tokens' instead.",
        "litellm.BadRequestError: AzureException BadRequestError - Error code: 400 - {'error': {'message': "
        f"\"{UNSUPPORTED}. Use 'max_completion_tokens' instead.\", 'type': 'invalid_request_error', "
        "'param': 'max_tokens', 'code': 'unsupported_parameter'}}. Received Model Group=chat",
        f"API request failed: Error code: 400 - {UNSUPPORTED} gpt-5-mini-2025-08-07. Use "
        "'max_completion_tokens' instead.",
        f"Upstream answered 400: {UNSUPPORTED}. Use 'max_completion_tokens' instead (since 2025-08-07).",
        "Error code: 400 - max_tokens is invalid for gpt-4-0613",
    ],
)
def test_number_that_is_no_limit_leaves_the_successor_its_whole_limit(message: str) -> None:
    """A status or a date in a gateway's text would leave no room for thoughts."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        return refused(400, openai_error(message)) if "max_tokens" in body else streamed(NINE_MONTHS)

    with served(answer, "chat") as (server, generator):
        asked(generator)

    assert [body.get("max_completion_tokens") for body in server.bodies(CHAT)] == [None, 3200]


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 800. This model supports at most 512 completion tokens.",
        "Range of max_tokens should be [1, 512]",
        "Error code: 400 - max_tokens: must be between 1 and 512",
        "max_tokens=800 is not supported, the maximum is 512",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 512]",
        "max_tokens: 800 > 512",
    ],
)
def test_limit_is_found_in_the_servers_words(message: str) -> None:
    """Each server puts it in its own way."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body.get("max_tokens", 0) > 512:
            return refused(400, openai_error(message, param="max_tokens"))
        return streamed(NINE_MONTHS)

    with served(answer) as (server, generator):
        asked(generator)

    assert [body.get("max_tokens") for body in server.bodies(CHAT)] == [800, 512]


def test_answer_without_a_limit_is_ended_here() -> None:
    """The server takes no limit at all, and its model never ends."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        for name in ("max_tokens", "max_completion_tokens"):
            if name in body:
                return refused(400, openai_error("No.", param=name, code="unsupported_parameter"))
        return streamed(*["cheddar " * 10] * 500)

    text, generation = told(answer)

    assert len(text) < 30_000
    assert generation.degraded == (Degradation.LLM_LENGTH,)


@pytest.mark.parametrize(
    "message",
    [
        "System role not supported",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Developer instruction is not enabled for models/gemma-3-1b-it",
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_rules_go_into_the_first_message_where_there_is_no_system_role(message: str, status: int) -> None:
    """Without the rules an answer would be no answer from the book."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body["messages"][0]["role"] == "system":
            return refused(status, openai_error(message))
        return streamed(NINE_MONTHS)

    with served(answer) as (server, generator):
        pieces, _ = asked(generator)

    assert "".join(pieces) == NINE_MONTHS
    (message_sent,) = server.bodies(CHAT)[-1]["messages"]
    assert message_sent["content"].startswith(prompt_of().system)


def test_server_that_does_not_stream_answers_in_one_piece() -> None:
    """Whether it refuses streams or leaves them out."""
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": NINE_MONTHS}}]}
    silently = Response([json.dumps(whole, indent=1).encode()], 200, JSON)

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body.get("stream"):
            return refused(400, openai_error("Streaming is not supported for this model."))
        return silently

    assert told(answer)[0] == NINE_MONTHS
    text, generation = told(always(silently))
    assert (text, generation.streamed) == (NINE_MONTHS, False)
    assert told(always(streamed(NINE_MONTHS)))[1].streamed


def test_question_that_names_a_parameter_teaches_nothing() -> None:
    """A server that quotes the question in its 400 refuses the question."""
    quoting = always(refused(400, openai_error("Invalid prompt: 'What does temperature mean?'")))
    with served(quoting) as (server, generator):
        for _ in range(2):
            with pytest.raises(RequestRejected):
                asked(generator)

    assert all("temperature" in body for body in server.bodies(CHAT)[::2])


def test_refusal_tells_the_providers_identifiers_and_none_of_its_text() -> None:
    """The log says what to mend; a text may quote the key or the question."""
    error = openai_error(f"Not for {KEY}: How long?", param="messages[0].content", code="bad_thing")
    with served(always(refused(400, error))) as (_, generator), pytest.raises(RequestRejected) as caught:
        asked(generator)

    reason = caught.value.reason
    assert (reason.status, reason.type, reason.code) == (400, "invalid_request_error", "bad_thing")
    assert reason.param == "messages"
    assert "How long" not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("field", ["type", "code", "param"])
@pytest.mark.parametrize("told_there", [KEY, "How long is the cheddar ripened?", "cheddar\n"])
def test_identifier_that_is_none_is_not_told(field: str, told_there: str) -> None:
    """Some servers put their text there."""
    error = {"error": {"message": "No.", field: told_there}}
    with served(always(refused(401, error))) as (_, generator), pytest.raises(ProviderRejected) as caught:
        asked(generator)

    assert getattr(caught.value.reason, field) == ""


# --- a context that is too small ---------------------------------------------------------------

OVERFLOWS = {
    "OpenAI": (400, openai_error("Too long.", param="messages", code="context_length_exceeded")),
    "vLLM": (400, {"object": "error", "code": 400,
             "message": "This model's maximum context length is 512 tokens. However, you requested "
             "1300 tokens (500 in the messages, 800 in the completion)."}),
    "llama.cpp": (400, {"error": {"code": 400, "message": "request exceeds the available context size",
                  "type": "exceed_context_size_error", "n_prompt_tokens": 600, "n_ctx": 512}}),
    "a text alone": (400, {"error": "the prompt is too long, reduce the prompt"}),
    "too large": (413, openai_error("Prompt is too long: 9000 tokens")),
}  # fmt: skip


@pytest.mark.parametrize("how", OVERFLOWS)
def test_prompt_that_is_too_long_is_asked_with_less(how: str) -> None:
    """The best passage alone answers better than no model; the next question is short at once."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        is_long = "starter" in body["messages"][-1]["content"]
        return refused(*OVERFLOWS[how]) if is_long else streamed(NINE_MONTHS)

    with served(answer) as (server, generator):
        for _ in range(2):
            pieces = list(generator.generate(shortenable(prompt_of()), Deadline(20), Generation()))

    assert "".join(pieces) == NINE_MONTHS
    assert len(server.calls(CHAT)) == 3


def test_prompt_that_cannot_be_shortened_is_the_questions_own_fault() -> None:
    """No other question is to suffer for it."""
    with (
        served(always(refused(*OVERFLOWS["OpenAI"]))) as (server, generator),
        pytest.raises(ContextOverflow),
    ):
        list(generator.generate(shortenable(prompt_of("Long?", "One.")), Deadline(20), Generation()))

    assert len(server.calls(CHAT)) <= 3


LONG = "The cheddar of the valley is turned by hand and washed with brine on every second day. " * 60


@pytest.mark.parametrize(("told", "is_cut"), [(1500, True), (2900, False), (12, False)])
def test_prompt_that_a_server_cuts_in_silence_is_shorter_the_next_time(told: int, is_cut: bool) -> None:
    """Ollama cuts from the front, where the best passages stand; a server may count in its own way, too."""
    usage = {"prompt_tokens": told, "completion_tokens": 6, "total_tokens": told + 6}
    chunks = [delta("stop", content=NINE_MONTHS), event({"choices": [], "usage": usage}), event("[DONE]")]
    prompt = shortenable(prompt_of("How long?", *[f"{number}. {LONG}" for number in range(5)]))
    with served(always(Response(chunks))) as (server, generator), capture_logs() as logs:
        for _ in range(3):
            list(generator.generate(prompt, Deadline(20), Generation()))
    sizes = [sum(count_tokens(one["content"]) for one in body["messages"]) for body in server.bodies(CHAT)]

    assert sizes[0] > 3000
    assert sizes[1] == sizes[2]
    assert (sizes[1] < 1500) == is_cut
    assert len([line for line in logs if line["event"] == "prompt_cut_by_server"]) == is_cut


def test_limit_that_does_not_fit_beside_the_prompt_is_lowered() -> None:
    """vLLM names the parameter; its name is not the trouble, and without it no question would be answered."""
    vllm = read_transcript(TRANSCRIPTS / "vllm.txt")
    with served(vllm, "Qwen/Qwen3-8B") as (server, generator):
        told = ["".join(asked(generator)[0]) for _ in range(3)]

    assert told == [NINE_MONTHS] * 3
    assert [body.get("max_tokens") for body in server.bodies(CHAT)] == [800, 3200, 2048, 2048]


def test_query_of_the_address_goes_with_each_call() -> None:
    """Such as Azure's `api-version`."""
    with AccentedServer(always(streamed(NINE_MONTHS))) as server:
        access = OpenAIAccess(
            KEY, f"{server.base_url}?api-version=preview", connect_timeout_s=2, max_retries=0
        )
        client = OpenAIClient(access)
        with closing(client):
            asked(OpenAIGenerator(client, "my-deployment", 5))

    assert [(call.path, call.query) for call in server.calls()] == [(CHAT, {"api-version": "preview"})]


# --- thoughts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_in_a_field_of_their_own_are_left_out(field: str) -> None:
    """They are not the answer; the model gets room for them from then on."""
    chunks = [delta(**{field: "The user"}), delta(content="Nine"), delta("stop", content=" months [1].")]
    with served(always(Response([*chunks, event("[DONE]")]))) as (server, generator):
        pieces, _ = asked(generator)
        asked(generator)

    assert "".join(pieces) == NINE_MONTHS
    assert [body["max_tokens"] for body in server.bodies(CHAT)] == [800, 3200]


def test_thoughts_that_take_all_the_room_are_given_more() -> None:
    """The limit counts them; an empty answer is no answer."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body["max_tokens"] <= 800:
            return Response([delta(reasoning_content="Hm"), delta("length"), event("[DONE]")])
        return streamed(NINE_MONTHS)

    assert told(answer)[0] == NINE_MONTHS


def test_model_whose_template_opens_its_thoughts_is_known_after_one_answer() -> None:
    """The first answer has told them and fails; the next ones wait for the mark."""
    told = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield delta(content="The cheddar ")
        told.wait(10)
        yield delta("stop", content=f"ripens, so </think>{NINE_MONTHS}")

    with served(lambda _path, _body: Response(chunks())) as (_, generator):
        with closing(generator.generate(prompt_of(), Deadline(20), Generation())) as pieces:
            next(pieces)
            told.set()
            with pytest.raises(AnswerCut):
                list(pieces)
        pieces, _ = asked(generator)

    assert "".join(pieces) == NINE_MONTHS


def test_model_of_a_thinkers_name_is_held_until_it_has_shown_how_it_writes() -> None:
    """Then not even its first answer tells a thought."""
    thoughts = streamed("The cheddar ", "ripens, so ", "</think>", NINE_MONTHS)

    assert told(always(thoughts), "deepseek-r1-distill")[0] == NINE_MONTHS
    heard = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield delta(content="Nine")
        heard.wait(10)
        yield delta("stop", content=" months [1].")

    with served(lambda _path, _body: Response(chunks()), "deepseek-r1-distill") as (_, generator):
        heard.set()
        first, _ = asked(generator)
        heard.clear()
        with closing(generator.generate(prompt_of(), Deadline(20), Generation())) as pieces:
            second = next(pieces)
            heard.set()
    assert (first, second) == (["Nine months [1]."], "Nine")


def test_one_closing_mark_does_not_end_streaming_for_good() -> None:
    """A reader can ask for it; the next whole answer without one shows that nothing is hidden."""
    heard = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield delta(content="Nine")
        heard.wait(5)
        yield delta("stop", content=" months [1].")

    replies = chain(
        [streamed("Nine months. </think> Nine."), streamed(NINE_MONTHS)],
        iter(lambda: Response(chunks()), None),
    )
    with served(lambda _path, _body: next(replies), "company-chat") as (_, generator):
        asked(generator)
        held, _ = asked(generator)
        with closing(generator.generate(prompt_of(), Deadline(20), Generation())) as pieces:
            first = next(pieces)
            heard.set()
    assert ("".join(held), first) == (NINE_MONTHS, "Nine")


HIDDEN_THOUGHTS = {
    "OpenAI": {
        "completion_tokens": 780,
        "total_tokens": 900,
        "completion_tokens_details": {"reasoning_tokens": 760},
    },
    "Gemini": {"completion_tokens": 20, "total_tokens": 900},
    "Grok": {
        "completion_tokens": 20,
        "total_tokens": 900,
        "completion_tokens_details": {"reasoning_tokens": 760},
    },
}


@pytest.mark.parametrize("how", HIDDEN_THOUGHTS)
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_thoughts_that_are_only_counted_are_given_room_and_charged(how: str, reason: str) -> None:
    """The first answer may be cut by them; the next one has four times the limit."""
    usage = event({"choices": [], "usage": {"prompt_tokens": 120, **HIDDEN_THOUGHTS[how]}})
    chunks = [delta(content="Nine"), delta(reason, content=" months [1]."), usage, event("[DONE]")]
    with served(always(Response(chunks))) as (server, generator):
        _, generation = asked(generator)
        asked(generator)

    assert [body["max_tokens"] for body in server.bodies(CHAT)] == [800, 3200]
    assert (generation.usage.input_tokens, generation.usage.output_tokens) == (120, 780)


def test_limit_that_is_reached_without_a_word_is_raised() -> None:
    """Thoughts that nobody tells of have taken it; the second question needs one call."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body["max_tokens"] <= 800:
            return Response([delta(role="assistant"), delta("length"), event("[DONE]")])
        return streamed(NINE_MONTHS)

    with served(answer, "gemini-2.5-flash") as (server, generator):
        told = ["".join(asked(generator)[0]) for _ in range(2)]

    assert told == [NINE_MONTHS, NINE_MONTHS]
    assert [body["max_tokens"] for body in server.bodies(CHAT)] == [800, 3200, 3200]


OKAY = "Okay, the user asks how long the cheddar is ripened. Passage 1 says nine months. " * 20
SO = "So passage 1 says nine months, and the user wants to know how long. " * 20


@pytest.mark.parametrize(
    ("model", "thought"),
    [("deepseek-r1-distill-qwen-32b", OKAY), ("qwen3-4b-thinking-2507", SO), ("company-chat", OKAY)],
)
def test_unopened_thought_that_reaches_the_limit_is_asked_again_with_room(model: str, thought: str) -> None:
    """Its mark would have come later. The next question has room at once."""

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if body["max_tokens"] <= 800:
            return streamed(thought[:50], thought[50:], finish_reason="length")
        return streamed(thought, "</think>", NINE_MONTHS)

    with served(answer, model) as (server, generator):
        told = ["".join(asked(generator)[0]) for _ in range(2)]

    assert told == [NINE_MONTHS, NINE_MONTHS]
    assert [body["max_tokens"] for body in server.bodies(CHAT)] == [800, 3200, 3200]


def test_unopened_thought_that_takes_all_the_room_is_never_told() -> None:
    """Another model answers, or the book's own words."""
    thoughts = chain(
        [streamed("Okay.", "</think>", NINE_MONTHS)], repeat(streamed(SO, finish_reason="length"))
    )
    with served(lambda _path, _body: next(thoughts), "qwen3-4b-thinking-2507") as (_, generator):
        asked(generator)
        with pytest.raises(AnswerEmpty):
            asked(generator)


def test_waiting_reader_can_be_told_that_the_model_thinks() -> None:
    """It shows that something happens; the first word ends it."""
    generation = Generation()
    seen = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield delta(reasoning="Hm")
        while not generation.is_thinking and not seen.wait(0.01):
            pass
        yield delta("stop", content="Nine")

    with served(always(Response(chunks()))) as (_, generator):
        pieces = list(generator.generate(prompt_of(), Deadline(20), generation))
        seen.set()

    assert pieces == ["Nine"]
    assert not generation.is_thinking


@pytest.mark.parametrize(
    "sign", [b": PROCESSING\n\n", delta(reasoning_content="Hm")], ids=["comment", "thought"]
)
def test_model_may_think_for_longer_than_it_may_be_silent(sign: bytes) -> None:
    """Bytes are life."""
    thoughts = Response([*[sign] * 12, delta("stop", content="Nine")], pause_s=0.1)
    with AccentedServer(always(thoughts)) as server, client_of(server) as client:  # type: ignore[arg-type]
        pieces, _ = asked(OpenAIGenerator(client, "some-model", 1.0))

    assert pieces == ["Nine"]


# --- how an answer ends ------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_answer_at_its_limit_is_told_as_such(reason: str) -> None:
    """It is a stump: told in the reply, and for no other reader."""
    text, generation = told(always(streamed(NINE_MONTHS, finish_reason=reason)))

    assert text == NINE_MONTHS
    assert generation.degraded == (Degradation.LLM_LENGTH,)


@pytest.mark.parametrize("reason", ["stop", "eos", "end_turn", "STOP", "tool_calls", "something_new", None])
def test_end_is_an_end_with_any_reason_or_none_before_done(reason: str | None) -> None:
    """`[DONE]` says that all was said."""
    text, generation = told(always(streamed(NINE_MONTHS, finish_reason=reason)))

    assert (text, generation.degraded) == (NINE_MONTHS, ())


def test_reason_is_an_end_without_done() -> None:
    """Some servers just end the body, or drop the connection."""
    whole = [delta(content="Nine"), delta("stop", content=" months [1].")]

    assert told(always(Response(whole)))[0] == NINE_MONTHS
    assert told(always(Response(whole, is_cut=True)))[0] == NINE_MONTHS


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_answer_that_the_server_broke_off_is_cut(reason: str) -> None:
    """It says so itself."""
    with pytest.raises(AnswerCut):
        told(always(streamed("Nine", finish_reason=reason)))


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "recitation"])
def test_filtered_answer_has_a_code_of_its_own(reason: str) -> None:
    """A reader who is told to try again would meet the filter again."""
    for contents in (["Nine"], []):
        with pytest.raises(ContentFiltered) as caught:
            told(always(streamed(*contents, finish_reason=reason)))
        assert (caught.value.code, caught.value.retryable) == ("content_filtered", False)


def test_error_inside_a_stream_tells_why() -> None:
    """A gateway has sent its 200 before the provider behind it failed."""
    error = {"error": {"code": 502, "message": "Provider disconnected", "type": "upstream_error"}}
    for chunks in ([event(error)], [delta(content="Nine"), event(error)]):
        with pytest.raises((ProviderUnavailable, AnswerCut)) as caught:
            told(always(Response(chunks)))
        assert (caught.value.reason.status, caught.value.reason.type) == (502, "upstream_error")


def test_refusal_inside_a_stream_is_the_questions() -> None:
    """Also behind the first word, where only the provider's own failure may count against it."""
    filtered = event({"error": {"code": "content_filter", "message": "The response was filtered."}})
    refused = event({"error": {"code": 400, "message": "No such word.", "type": "invalid_request_error"}})
    for said, kind in (
        ([filtered], ContentFiltered),
        ([delta(content="Nine"), filtered], ContentFiltered),
        ([refused], RequestRejected),
        ([delta(content="Nine"), refused], AnswerRefused),
    ):
        with pytest.raises(kind):
            told(always(Response(said)))


def test_content_may_come_in_typed_parts() -> None:
    """And a refusal behind a word is one."""
    parts = [{"type": "text", "text": "Nine"}, {"type": "reference", "reference_ids": [1]}, " months [1]."]

    assert told(always(Response([delta(content=parts), delta("stop")])))[0] == NINE_MONTHS
    refusal = Response([delta(refusal="I cannot"), delta(refusal=" say."), delta("stop")])
    assert told(always(refusal))[0] == f"{NOT_IN_BOOK} I cannot say."


def test_marks_come_as_the_readers_know_them() -> None:
    """Whatever the model's habit is."""
    assert told(always(streamed("Nine months 【1", "†source】.")))[0] == NINE_MONTHS
