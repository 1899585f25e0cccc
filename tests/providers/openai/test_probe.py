"""What `flask doctor` says of a model's server."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from harness.server_accents import JSON, AccentedServer, Response, delta, event, refused, streamed
from ragbot.providers.openai import probe
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from ragbot.providers.openai.probe import probe_provider
from tests.providers.asking import client_of


def test_server_that_says_nothing_is_told_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then doctor is needed most: it loads a model, or a proxy has lost what is behind it."""
    monkeypatch.setattr(probe, "LIST_S", 0.2)
    monkeypatch.setattr(probe, "PROBE_S", 0.4)
    with socket.create_server(("127.0.0.1", 0), backlog=20) as silent:
        access = OpenAIAccess("any", f"http://127.0.0.1:{silent.getsockname()[1]}/v1", 2, 1)
        with closing(OpenAIClient(access)) as client:
            findings = list(probe_provider(client, ["chat", "other"], "vectors", prompt_tokens=100))

    assert [finding.name for finding in findings] == [
        "provider: models",
        "provider: chat",
        "provider: other",
        "provider: vectors",
    ]
    assert all("no server answers" in finding.says and not finding.is_ok for finding in findings)


@pytest.mark.parametrize("model", ["qwen3:8b", "gpt-5-mini"])
def test_model_that_thinks_before_its_sentence_is_well(model: str) -> None:
    """It answers readers, who give it more room."""

    def answer(path: str, body: Mapping[str, Any]) -> Response:
        if path.endswith("/models"):
            return Response([b'{"object": "list", "data": []}'], 200, JSON)
        if (body.get("max_tokens") or body["max_completion_tokens"]) < 300:
            return Response([delta(reasoning="Okay, the user asks"), delta("length"), event("[DONE]")])
        return streamed("The kettle is green.")

    with AccentedServer(answer) as server, client_of(server) as client:  # type: ignore[arg-type]
        findings = list(probe_provider(client, [model], None, prompt_tokens=5000))

    assert [finding.is_ok for finding in findings] == [True, True]


def test_prompt_that_a_server_cuts_in_silence_is_told() -> None:
    """Ollama does so with its default context; readers would hear that the book does not say it."""

    def answer(path: str, _body: Mapping[str, Any]) -> Response:
        if path.endswith("/models"):
            return Response([b'{"object": "list", "data": []}'], 200, JSON)
        usage = {"prompt_tokens": 2050, "completion_tokens": 6, "total_tokens": 2056}
        said = delta("stop", content="I cannot find it.")
        return Response([said, event({"choices": [], "usage": usage}), event("[DONE]")])

    with AccentedServer(answer) as server, client_of(server) as client:  # type: ignore[arg-type]
        _, finding = probe_provider(client, ["qwen2.5:7b"], None, prompt_tokens=5000)

    assert not finding.is_ok
    assert "read 2,050 of 5,0" in finding.says
    assert "OLLAMA_CONTEXT_LENGTH" in finding.says


def test_context_that_is_too_small_and_told_is_no_fault() -> None:
    """The prompt is shortened then."""

    def answer(path: str, _body: Mapping[str, Any]) -> Response:
        if path.endswith("/models"):
            return Response([b'{"object": "list", "data": []}'], 200, JSON)
        return refused(400, {"error": {"message": "Too long.", "code": "context_length_exceeded"}})

    with AccentedServer(answer) as server, client_of(server) as client:  # type: ignore[arg-type]
        _, finding = probe_provider(client, ["chat"], None, prompt_tokens=5000)

    assert finding.is_ok
    assert "passages are left out" in finding.says
