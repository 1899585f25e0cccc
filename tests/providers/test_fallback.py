"""Test the chain of models with the book's own sentences at its end: who answers, after how many calls."""

from __future__ import annotations

from contextlib import closing

import pytest
from structlog.testing import capture_logs

from harness.openai_upstream import (
    CHAT,
    Behaviour,
    Cut,
    Drip,
    EmptyAnswer,
    Garbage,
    Hang,
    OpenAIUpstream,
    Reply,
    Status,
)
from ragbot.core.answers import Generation
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    Cancelled,
    DeadlineExceeded,
    ProviderRejected,
    ProviderUnavailable,
)
from ragbot.providers.fallback import FallbackGenerator
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.generator import RESERVE_S, OpenAIGenerator
from tests.fakes.parts import ScriptedGenerator
from tests.providers.asking import (
    KEY,
    asked,
    cancelled_soon,
    extractive_generator,
    prompt_of,
    takes_less_than,
)


@pytest.fixture
def chain(client: OpenAIClient) -> FallbackGenerator:
    """As wiring makes it: the model, the other model, and no model."""
    return chain_of(client, patience_s=5)


@pytest.fixture
def hasty(client: OpenAIClient) -> FallbackGenerator:
    """Return the same, but each model has little time to begin in."""
    return chain_of(client, patience_s=0.5)


def chain_of(client: OpenAIClient, patience_s: float) -> FallbackGenerator:
    models = [OpenAIGenerator(client, name, patience_s) for name in ("gpt-4o", "gpt-4o-mini")]
    return FallbackGenerator([*models, extractive_generator()])


def models_asked(upstream: OpenAIUpstream) -> list[str]:
    return [call.body["model"] for call in upstream.calls(CHAT)]


def test_first_model_answers_when_it_can(upstream: OpenAIUpstream, chain: FallbackGenerator) -> None:
    """The others are for trouble."""
    pieces, generation = asked(chain)

    assert pieces
    assert (generation.model, generation.fell_back, generation.extractive) == ("gpt-4o", False, False)
    assert models_asked(upstream) == ["gpt-4o"]


@pytest.mark.parametrize(
    "trouble",
    [
        Status(401),
        Status(404),
        Status(429, retry_after=20),
        Status(429, code="insufficient_quota"),
    ],
    ids=str,
)
def test_second_model_answers_after_two_calls_in_all(
    upstream: OpenAIUpstream, chain: FallbackGenerator, trouble: Behaviour
) -> None:
    """Where another try cannot help the next model is asked at once."""
    upstream.for_model("gpt-4o", trouble)

    pieces, generation = asked(chain)

    assert pieces
    assert (generation.model, generation.fell_back, generation.extractive) == ("gpt-4o-mini", True, False)
    assert models_asked(upstream) == ["gpt-4o", "gpt-4o-mini"]


@pytest.mark.parametrize("silence", [Hang("first_word"), Drip(0.02, "header")], ids=str)
def test_model_that_does_not_speak_in_time_is_asked_once(
    upstream: OpenAIUpstream, hasty: FallbackGenerator, silence: Behaviour
) -> None:
    """It has had its time, and the reader's."""
    upstream.for_model("gpt-4o", silence)

    asked(hasty)

    assert models_asked(upstream) == ["gpt-4o", "gpt-4o-mini"]


@pytest.mark.parametrize("trouble", [Status(500), Status(429, retry_after=0), Cut(0), EmptyAnswer()], ids=str)
def test_trouble_that_passes_takes_two_calls_in_all(
    upstream: OpenAIUpstream, chain: FallbackGenerator, trouble: Behaviour
) -> None:
    """The next model is as good as a second try, and is asked without a pause."""
    upstream.script(trouble)

    _, generation = asked(chain)

    assert (generation.model, generation.fell_back) == ("gpt-4o-mini", True)
    assert models_asked(upstream) == ["gpt-4o", "gpt-4o-mini"]


def test_log_tells_the_providers_own_identifiers(upstream: OpenAIUpstream, chain: FallbackGenerator) -> None:
    """The operator learns what to mend."""
    upstream.for_model("gpt-4o", Status(401))

    with capture_logs() as logs:
        asked(chain)

    (passed_over,) = [line for line in logs if line["event"] == "model_call_failed"]
    told = passed_over["provider_status"], passed_over["provider_type"], passed_over["provider_code"]
    assert told == (401, "invalid_request_error", "invalid_api_key")
    assert KEY not in str(logs)


def test_last_model_is_tried_once_more(upstream: OpenAIUpstream, chain: FallbackGenerator) -> None:
    """Behind it there is only the book itself; three calls are the most that a question makes."""
    upstream.script(Status(500), Status(500))

    _, generation = asked(chain)

    assert (generation.model, generation.extractive) == ("gpt-4o-mini", False)
    assert models_asked(upstream) == ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]


@pytest.mark.parametrize(
    "trouble",
    [
        Status(500),
        Status(401),
        Status(429, retry_after=0),
        Status(503, retry_after=20),
        Cut(0),
        Cut(0, "done_without_finish"),
        Garbage("html"),
        Garbage("bad_json"),
        EmptyAnswer(),
        EmptyAnswer("content_filter"),
    ],
    ids=str,
)
def test_book_itself_answers_when_no_model_does_after_four_calls_at_most(
    upstream: OpenAIUpstream, chain: FallbackGenerator, trouble: Behaviour
) -> None:
    """Whatever the provider does, the reader gets an answer and nobody hammers the provider."""
    upstream.always(trouble)

    pieces, generation = asked(chain)

    assert "Bob ripens the cheddar for nine months" in "".join(pieces)
    assert (generation.fell_back, generation.extractive, generation.model) == (True, True, "")
    assert len(models_asked(upstream)) <= 4


@pytest.mark.parametrize("silence", [Hang("headers"), Drip(0.02, "header")], ids=str)
def test_book_itself_answers_when_both_models_are_silent(
    upstream: OpenAIUpstream, hasty: FallbackGenerator, silence: Behaviour
) -> None:
    """A byte now and then is no word."""
    upstream.always(silence)

    _, generation = asked(hasty)

    assert generation.extractive
    assert models_asked(upstream) == ["gpt-4o", "gpt-4o-mini"]


def test_book_itself_answers_when_the_provider_is_down(
    upstream: OpenAIUpstream, chain: FallbackGenerator
) -> None:
    """A refused connection is no answer either."""
    upstream.go_down()

    _, generation = asked(chain)

    assert generation.extractive


def test_book_itself_answers_inside_the_deadline(upstream: OpenAIUpstream, chain: FallbackGenerator) -> None:
    """A model that hangs must leave time for it."""
    upstream.always(Hang("headers"))
    deadline = Deadline(RESERVE_S + 0.1)

    _, generation = asked(chain, deadline)

    assert generation.extractive
    assert deadline.left_s() > 0
    assert models_asked(upstream) == ["gpt-4o"]


@pytest.mark.parametrize("trouble", [Cut(3), Garbage("bad_sse_json")], ids=str)
def test_after_a_first_word_nobody_else_is_asked(
    upstream: OpenAIUpstream, chain: FallbackGenerator, trouble: Behaviour
) -> None:
    """Two models' halves make no answer."""
    upstream.for_model("gpt-4o", trouble)
    said: list[str] = []

    with pytest.raises(AnswerCut):
        said.extend(chain.generate(prompt_of(), Deadline(20), Generation()))

    assert models_asked(upstream) == ["gpt-4o"]


def test_reader_who_leaves_is_no_reason_to_ask_the_next_model(
    upstream: OpenAIUpstream, chain: FallbackGenerator
) -> None:
    """Nobody waits for its answer."""
    upstream.always(Hang("headers"))
    deadline = Deadline(20)

    with cancelled_soon(deadline, upstream, CHAT), takes_less_than(15), pytest.raises(Cancelled):
        asked(chain, deadline)

    assert models_asked(upstream) == ["gpt-4o"]


def test_question_without_time_is_over_for_all(upstream: OpenAIUpstream, chain: FallbackGenerator) -> None:
    """The extractive answer too would come too late."""
    with pytest.raises(DeadlineExceeded):
        asked(chain, Deadline(0))

    assert models_asked(upstream) == []


@pytest.mark.parametrize("trouble", [None, Status(401)], ids=str)
def test_closing_the_chain_closes_the_stream_that_is_open(
    upstream: OpenAIUpstream, chain: FallbackGenerator, trouble: Behaviour | None
) -> None:
    """Whichever model is speaking."""
    upstream.always(Reply(tokens=["word "] * 10_000, delay_s=0.01))
    upstream.for_model("gpt-4o", trouble)

    with closing(chain.generate(prompt_of(), Deadline(20), Generation())) as pieces:
        next(pieces)
        assert upstream.open_streams == 1

    assert upstream.wait_for_disconnect()


def test_usage_is_that_of_the_model_which_answered(
    upstream: OpenAIUpstream, chain: FallbackGenerator
) -> None:
    """Each has its own price."""
    upstream.for_model("gpt-4o", Status(401))
    upstream.for_model(
        "gpt-4o-mini", Reply(usage={"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000})
    )

    _, generation = asked(chain)

    assert generation.usage.cost_usd == pytest.approx(0.00015)


def test_chain_of_models_alone_tells_that_none_answered() -> None:
    """Then the question fails, and says so."""
    silent = [ScriptedGenerator(ProviderUnavailable("gone")), ScriptedGenerator(ProviderRejected("no"))]

    with pytest.raises(ProviderUnavailable):
        asked(FallbackGenerator(silent))

    assert [generator.closed for generator in silent] == [1, 1]


def test_ping_is_the_first_models(upstream: OpenAIUpstream, chain: FallbackGenerator) -> None:
    """That the book itself can always answer would hide that the model is down."""
    upstream.go_down()

    with pytest.raises(ProviderUnavailable):
        chain.ping()
