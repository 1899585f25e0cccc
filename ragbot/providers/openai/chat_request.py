"""Lay out a prompt as a request that a model's server takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ragbot.core.answers import Prompt
from ragbot.core.text import count_tokens
from ragbot.providers.openai.dialect import THOUGHTS_TO_WORDS, ServerDialect

Messages = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Hold the body of the request, the limit of the answer in tokens, and the texts that are sent."""

    body: dict[str, Any]
    limit_tokens: int
    messages: Messages

    @property
    def prompt_tokens(self) -> int:
        """Return the prompt's length by our own count, some 15 % exact."""
        return sum(count_tokens(content) for _, content in self.messages)


def chat_request(model: str, prompt: Prompt, dialect: ServerDialect) -> ChatRequest:
    """Return the request for a prompt, shortened to what the server has taken before."""
    messages = _messages(prompt, dialect)
    limit = prompt.max_output_tokens * (THOUGHTS_TO_WORDS if dialect.thinks else 1)
    if dialect.most_output:
        limit = min(limit, dialect.most_output)
    sent = [{"role": role, "content": content} for role, content in messages]
    options: dict[str, Any] = {
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }
    if "stream" in dialect.without:
        options.pop("stream_options")
    options = {name: value for name, value in options.items() if name not in dialect.without}
    if dialect.limit:
        options[dialect.limit] = limit
    body = {"model": model, "messages": sent, **options}
    return ChatRequest(body, limit, messages)


def _messages(prompt: Prompt, dialect: ServerDialect) -> Messages:
    messages: Messages = [("system", prompt.system), *prompt.messages]
    if dialect.prompt_tokens and prompt.shorter is not None:
        too_many = sum(count_tokens(content) for _, content in messages) - dialect.prompt_tokens
        if too_many > 0:
            messages = [("system", prompt.system), *prompt.shorter(too_many)]
    if dialect.merged_system:
        (_, rules), (role, first), *rest = messages
        messages = [(role, f"{rules}\n\n{first}"), *rest]
    return messages
