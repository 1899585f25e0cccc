"""What is sent to a provider is what OpenAI's own SDK would send, to servers of each address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl

import pytest

from harness.loopback import Call, Connection, LoopbackServer
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient

BODY = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "How long does Gruyère ripen? 🧀"}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0,
}
HEADERS = ("authorization", "openai-organization", "openai-project", "content-type", "host", "accept")


class Recorder(LoopbackServer):
    """Answer each request with an empty object."""

    def respond(self, call: Call, connection: Connection) -> None:
        connection.reply_json(200, {})


@pytest.fixture(autouse=True, scope="module")
def imported_sdk() -> None:
    """Import the SDK for these tests alone: every process collects them, and the import takes a second."""
    global openai
    import openai


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


def access(server: Recorder, path: str, **more: Any) -> OpenAIAccess:
    return OpenAIAccess("sk-alice", f"{server.url}{path}", connect_timeout_s=5, max_retries=0, **more)


def by_sdk(access: OpenAIAccess) -> None:
    address, _, query = (access.base_url or "").partition("?")
    with openai.OpenAI(
        api_key=access.api_key,
        base_url=address,
        organization=access.organization or None,
        project=access.project or None,
        default_query=dict(parse_qsl(query)),
        max_retries=0,
    ) as sdk:
        sdk.chat.completions.with_raw_response.create(**BODY)  # type: ignore[call-overload]


def by_us(access: OpenAIAccess) -> None:
    with closing(OpenAIClient(access)) as client, client.wire(10, None) as wire:
        client.post("/chat/completions", BODY, wire).close()


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/openai/v1?api-version=2026-01-01"])
@pytest.mark.parametrize("account", [{}, {"organization": "org-cheese", "project": "proj_gruyere"}])
def test_request_is_the_one_that_the_sdk_sends(server: Recorder, path: str, account: dict[str, str]) -> None:
    """Whoever looks into a proxy's log finds nothing new."""
    for send in (by_sdk, by_us):
        send(access(server, path, **account))
    theirs, ours = server.calls()

    assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
    assert ours.body == theirs.body == BODY
    assert [ours.headers.get(name) for name in HEADERS] == [theirs.headers.get(name) for name in HEADERS]


def test_text_that_is_no_utf_8_is_sent_as_json_can_write_it(server: Recorder) -> None:
    """A lone surrogate in a book's page must not fail each question that finds it."""
    with closing(OpenAIClient(access(server, "/v1"))) as client, client.wire(10, None) as wire:
        client.post("/embeddings", {"input": ["half \ud83e"]}, wire).close()
    (call,) = server.calls()

    assert call.body == {"input": ["half \ud83e"]}
