"""Ask a model's server what the service will ask it, and say in a sentence what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from urllib.parse import parse_qsl

from ragbot.core.answers import Generation, Prompt
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Chunk, Passage
from ragbot.core.errors import ContextOverflow, DeadlineExceeded, ProviderError
from ragbot.core.findings import Finding
from ragbot.core.text import count_tokens
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.dialect import LEAST_CUT, ServerDialect
from ragbot.providers.openai.embedder import OpenAIEmbedder
from ragbot.providers.openai.generator import RESERVE_S, OpenAIGenerator
from ragbot.providers.openai.http_client import CallFailed, ResponseRefused

# A local server may load its model first.
PROBE_S = 120.0
LIST_S = 5.0
# Models that think need them; others stop after their sentence.
ANSWER_TOKENS = 400
_PASSAGE = "The kettle in the kitchen is green. It holds two litres."
_BEFORE = "The cellar is cool and dark, and its door is shut at night. "
_QUESTION = "Which colour is the kettle?"
# A server that has read less of a prompt has cut it; our own count is some 15 % exact.
_CUT_SHARE = 0.7
# Servers that answer well and do not list their models.
_LISTS_NOTHING = (400, 403, 404, 405, 501)

# What an operator does about a status.
_ADVICE = {
    401: "the key is refused: set OPENAI_API_KEY to one of this server's",
    402: "the account has no credit",
    403: "this key may not use it: look at its rights, or at the region",
    404: "there is no such model or address: look at {setting} and at the path of OPENAI_BASE_URL",
    429: "the account's limit is reached, or its quota spent",
}
_UNREACHED = (
    "no server answers: look at OPENAI_BASE_URL, the network, and HTTPS_PROXY and NO_PROXY if a proxy is set"
)


def probe_provider(
    client: OpenAIClient, models: Sequence[str], embedding_model: str | None, *, prompt_tokens: int
) -> Iterator[Finding]:
    """Yield a finding for the list of models, for an answer of each model, and for a vector.

    `prompt_tokens` is the length of the prompts that the models are asked with.
    """
    yield _checked("provider: models", "OPENAI_BASE_URL", lambda: _listed(client, models))
    for setting, model in zip(("OPENAI_LLM_MODEL", "OPENAI_LLM_FALLBACK_MODEL"), models, strict=False):
        yield _checked(f"provider: {model}", setting, partial(_answered, client, model, prompt_tokens))
    if embedding_model:
        yield _checked(
            f"provider: {embedding_model}",
            "OPENAI_EMBEDDING_MODEL",
            lambda: _embedded(client, embedding_model),
        )


def advice(error: ProviderError, setting: str) -> str:
    """Return what to do about a failure, with the provider's own identifiers for it."""
    reason = error.reason
    said = f" ({reason})" if str(reason) else ""
    if reason.status in _ADVICE:
        return _ADVICE[reason.status].format(setting=setting) + said
    if not reason.status and reason.type:
        return f"{_UNREACHED}{said}"
    return str(error)


def _checked(name: str, setting: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except ProviderError as error:
        return Finding(name, False, advice(error, setting))
    except DeadlineExceeded:
        return Finding(name, False, _UNREACHED)


def _listed(client: OpenAIClient, models: Sequence[str]) -> str:
    # By OpenAI's SDK, which answers do without: where it and our own client disagree, a server is odd.
    # (Its import takes seconds, which are not the server's.)
    import openai

    deadline = Deadline(LIST_S)

    def ask() -> list[str]:
        access = client.access
        address, _, query = (access.base_url or "").partition("?")
        try:
            with openai.OpenAI(
                api_key=access.api_key,
                base_url=address or None,
                organization=access.organization or None,
                project=access.project or None,
                default_query=dict(parse_qsl(query)),
                max_retries=0,
                timeout=LIST_S,
            ) as sdk:
                page = sdk.models.list()
        except openai.APIStatusError as error:
            raise ResponseRefused(error.status_code, error.response.content, None) from None
        except openai.APIConnectionError as error:
            raise CallFailed(type(error).__name__) from error
        return [str(model.id) for model in page.data or ()]

    try:
        names = client.call(ask, deadline, single_try=True)
    except ProviderError as error:
        if error.reason.status in _LISTS_NOTHING:
            return "the server does not list its models, which says nothing"
        raise
    missing = [model for model in models if model not in names]
    said = f"lists {len(names)}"
    return f"{said}; not among them: {', '.join(missing)}" if missing else said


def _answered(client: OpenAIClient, model: str, prompt_tokens: int) -> str:
    started = time.perf_counter()
    first_s = 0.0
    prompt, generation = _prompt(prompt_tokens), Generation()
    generator = OpenAIGenerator(client, model, PROBE_S)
    try:
        for _ in generator.generate(prompt, Deadline(PROBE_S + RESERVE_S), generation):
            first_s = first_s or time.perf_counter() - started
    except ContextOverflow:
        return f"has a context of less than {prompt_tokens:,} tokens: passages are left out"
    read, sent = generation.usage.input_tokens, count_tokens(prompt.system + prompt.messages[0][1])
    if LEAST_CUT <= read < sent * _CUT_SHARE:
        raise ProviderError(
            f"the server read {read:,} of {sent:,} tokens and did not say so: raise its context "
            "(of Ollama: OLLAMA_CONTEXT_LENGTH)"
        )
    streams = "streams" if generation.streamed else "answers in one piece"
    return f"{streams}, first word after {first_s:.1f} s{_told(client.dialect_of(model).current())}"


def _embedded(client: OpenAIClient, model: str) -> str:
    embedder = OpenAIEmbedder(client, model, PROBE_S)
    (vector,) = embedder.embed([_PASSAGE], Deadline(PROBE_S)).vectors
    return f"embeds, {len(vector)} dimensions{_told(client.dialect_of(embedder.name).current())}"


def _told(dialect: ServerDialect) -> str:
    """Return what the server refuses or does, as far as it is known."""
    habits = [f"refuses {name}" for name in sorted(dialect.without)]
    if dialect.merged_system:
        habits.append("refuses the system role")
    if dialect.thinks:
        habits.append("thinks before it answers")
    return f"; {', '.join(habits)}" if habits else ""


def _prompt(tokens: int) -> Prompt:
    before = _BEFORE * (tokens // count_tokens(_BEFORE))
    chunk = Chunk(
        id="probe",
        path="kitchen.md",
        heading_path=("Kitchen",),
        title="Kitchen",
        address="kitchen",
        anchor="",
        start=0,
        end=len(_PASSAGE),
        text=_PASSAGE,
        search_text=_PASSAGE,
        tokens=len(_PASSAGE.split()),
    )
    return Prompt(
        question=_QUESTION,
        passages=(Passage(chunk, 1.0),),
        system="Answer in one short sentence from the passage.",
        messages=(("user", f"{before}{_PASSAGE}\n\nQuestion: {_QUESTION}"),),
        max_output_tokens=ANSWER_TOKENS,
        single_try=True,
    )
