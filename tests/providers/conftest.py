"""Provide a provider on the loopback and a client of it, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.openai_upstream import OpenAIUpstream
from ragbot.providers.openai.client import OpenAIClient
from tests.providers.asking import client_of


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIUpstream]:
    with OpenAIUpstream() as running:
        yield running


@pytest.fixture
def upstream(provider: OpenAIUpstream) -> OpenAIUpstream:
    """Return the provider as if it had just been started."""
    provider.come_up()
    provider.wait_until_idle()
    provider.reset()
    provider.answer = None
    return provider


@pytest.fixture(scope="module")
def client(provider: OpenAIUpstream) -> Iterator[OpenAIClient]:
    with client_of(provider) as client:
        yield client
