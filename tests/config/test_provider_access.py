"""What operators paste as a model server's address and key."""

from __future__ import annotations

import pytest

from ragbot.config import load_settings, settings_notes
from ragbot.config.provider_access import normalized_base_url, normalized_key
from ragbot.core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        (" http://localhost:11434/v1/ \n", "http://localhost:11434/v1"),
        ('"https://api.example/v1"', "https://api.example/v1"),
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://localhost:1234/", "http://localhost:1234/v1"),
        ("https://api.example/v1/chat/completions", "https://api.example/v1"),
        ("https://api.example/openai/v1/embeddings/", "https://api.example/openai/v1"),
        ("https://x.azure.example/openai/v1?api-version=1", "https://x.azure.example/openai/v1?api-version=1"),
        ("https://name.openai.azure.com/", "https://name.openai.azure.com/openai/v1"),
        ("https://name.openai.azure.com/openai/v1", "https://name.openai.azure.com/openai/v1"),
        ("https://generativelanguage.example/v1beta/openai/", "https://generativelanguage.example/v1beta/openai"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)  # fmt: skip
def test_address_is_used_as_it_was_meant(given: str, used: str) -> None:
    """What can be mended is no reason not to start."""
    assert normalized_base_url(given) == used


@pytest.mark.parametrize(
    "given",
    [
        "localhost:11434/v1",
        "api.example",
        "ftp://api.example/v1",
        "http://",
        "http://a:99999/v1",
        "https:/v1",
    ],
)
def test_address_that_can_never_work_is_refused_at_the_start(given: str) -> None:
    """Else each answer would be the book's own sentences, and nobody would say why."""
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        load_settings({"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": given})


@pytest.mark.parametrize("given", ["https://reader:hunter2@gpu.example/v1", "https://hunter2@gpu.example/v1"])
def test_password_in_the_address_is_refused_and_not_quoted(given: str) -> None:
    """It would not be sent, and the server's 401 would blame the key."""
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL: must not hold a user") as refused:
        load_settings({"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": given})

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("given", ["sk-abc", "sk-abc\n", " sk-abc\r\n", '"sk-abc"', "Bearer sk-abc"])
def test_key_is_used_without_what_was_pasted_around_it(given: str) -> None:
    """A secret from a file ends with a newline."""
    assert normalized_key(given) == "sk-abc"


@pytest.mark.parametrize("given", ["sk-a\nbc", "sk-a bc", "sk-ключ", "sk-…", "sk-\x00a"])
def test_key_that_no_header_can_carry_is_refused_and_not_quoted(given: str) -> None:
    """It goes to a log."""
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as refused:
        load_settings({"OPENAI_API_KEY": given})

    assert given not in str(refused.value)


def test_empty_key_is_none() -> None:
    """A secret may be mounted and empty."""
    assert load_settings({"OPENAI_API_KEY": " \n"}).openai_api_key is None


def test_address_without_a_key_is_told_at_the_start() -> None:
    """Nobody sets an address to have it ignored."""
    (note,) = settings_notes(
        load_settings({"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://localhost:11434"})
    )

    assert "OPENAI_API_KEY" in note
    assert (
        settings_notes(load_settings({"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": "http://localhost:11434"}))
        == []
    )
