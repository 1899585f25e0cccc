"""Stream an answer to a prompt from an OpenAI chat model, and check that it is complete."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import orjson

from ragbot.core.deadline import Deadline
from ragbot.core.domain import NOT_IN_BOOK, Generation, Prompt, Usage
from ragbot.core.errors import AnswerCut, ProviderUnavailable, TooLate
from ragbot.core.ports import Pieces
from ragbot.core.text import cleaned, count_tokens
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.interruptible_http import InterruptibleConnection
from ragbot.providers.openai.prices import CostOf, list_costs

# Reasoning models take their token limit under another name, and no temperature.
_REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")
_LONGEST_LINE = 1_000_000
# Reserved of the deadline, to answer without a model if this one does not begin in time.
RESERVE_S = 2.0
# How long to wait for the end of the body after the answer's end; then the connection can be reused.
LAST_BYTE_S = 0.25


class OpenAIGenerator:
    """Stream answers from a chat model.

    The SDK does authentication, time limits and shared connections. The stream's lines are parsed here: the
    SDK's object for each token costs four times the CPU. A stream is read to its end, so that its connection
    can be reused.
    """

    def __init__(
        self,
        client: OpenAIClient,
        model: str,
        first_word_timeout_s: float,
        cost_usd: CostOf = list_costs,
    ) -> None:
        self.name = model
        self._cost_usd = cost_usd
        self._client = client
        self._first_word_timeout_s = first_word_timeout_s

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        """Yield the answer's pieces. It is complete when there was text and the model gave a finish reason.

        Raises AnswerCut if the stream ends before that.
        """
        deadline.check()
        patience_s = min(self._first_word_timeout_s, deadline.left_s() - RESERVE_S)
        if patience_s <= 0:
            raise TooLate("Too little time is left to call a model.")
        speak_by = time.monotonic() + patience_s
        with ExitStack() as stack:
            reading = self._client.call(
                lambda: self._begin(prompt, deadline, speak_by, stack),
                deadline,
                single_try=prompt.single_try,
            )
            generation.model = self.name
            said = [reading.first]
            try:
                yield reading.first
                for piece in self._rest(reading, deadline):
                    said.append(piece)
                    yield piece
            finally:
                # An answer that was cut or left in the middle is charged too.
                read, written = _counted(reading.reply) or _estimated(prompt, said)
                generation.usage = Usage(
                    input_tokens=read,
                    output_tokens=written,
                    cost_usd=self._cost_usd(self.name, read, written),
                )

    def ping(self) -> None:
        """Check that the provider knows the model, without generating anything."""
        deadline = Deadline(PING_S)

        def ask() -> None:
            with self._client.wire(deadline.left_s(), deadline) as wire, wire.in_use():
                self._client.sdk.models.retrieve(self.name, timeout=self._client.timeout(PING_S))

        self._client.call(ask, deadline, single_try=True)

    def _begin(self, prompt: Prompt, deadline: Deadline, speak_by: float, stack: ExitStack) -> _Reading:
        """Open the stream and read up to its first word. Closes the connection on failure."""
        with ExitStack() as attempt:
            left_s = speak_by - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("The tries before this one took all the time.")
            wire = attempt.enter_context(self._client.wire(left_s, deadline))
            with wire.in_use():
                response = attempt.enter_context(
                    self._client.sdk.chat.completions.with_streaming_response.create(
                        **_request(self.name, prompt), timeout=self._client.timeout(left_s)
                    )
                )
            reply = _Reply(wire, min(self._first_word_timeout_s, SILENCE_S), deadline)
            pieces = reply.pieces(_checked(response.iter_bytes(), deadline, speak_by, reply))
            first = next(pieces, None)
            if first is None:
                raise ProviderUnavailable(f"{self.name} sent an empty answer.")
            stack.push(attempt.pop_all())
            return _Reading(first, pieces, reply)

    def _rest(self, reading: _Reading, deadline: Deadline) -> Iterator[str]:
        try:
            yield from reading.pieces
        except Exception as error:
            if reading.reply.ended and reading.reply.whole:
                # The answer is complete; a later failure costs only the connection.
                return
            deadline.check()
            raise AnswerCut(f"{self.name} broke off in the middle of its answer.") from error
        deadline.check()
        if not reading.reply.whole:
            raise AnswerCut(f"{self.name} stopped before its answer was whole.")


# How long a provider may take to say that a model is there.
PING_S = 3.0
# How long a model may pause between two words, even if it sends empty events meanwhile: proxies cut readers'
# connections that are idle for longer.
SILENCE_S = 14.0


@dataclass(slots=True)
class _Reply:
    """Hold the state of a stream that is being read."""

    wire: InterruptibleConnection
    silence_s: float
    deadline: Deadline
    finish_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    spoken: bool = False
    ended: bool = False

    @property
    def whole(self) -> bool:
        """Return whether the model itself finished; an answer that a filter stopped is not whole."""
        return self.finish_reason not in (None, "content_filter")

    def pieces(self, lines: Iterable[bytes]) -> Iterator[str]:
        """Yield the answer's pieces, none of them empty."""
        refused = False
        for line in lines:
            event = line[5:].strip()
            if not line.startswith(b"data:") or not event:
                continue
            if event == b"[DONE]":
                self.ended = True
                self.wire.limit(LAST_BYTE_S)
                continue
            said, refusal = self._read(event)
            piece = cleaned(said)
            if refusal and not refused:
                piece, refused = f"{NOT_IN_BOOK} {piece}", True
            if piece:
                self.spoken = True
                self.wire.limit(min(self.silence_s, self.deadline.left_s()))
                yield piece

    def _read(self, event: bytes) -> tuple[str, bool]:
        chunk = _decoded(event)
        if chunk.get("error"):
            raise ProviderUnavailable("The provider reported an error inside its stream.")
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices") or ():
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            delta = choice.get("delta") or {}
            if delta.get("refusal"):
                return str(delta["refusal"]), True
            if delta.get("content"):
                return str(delta["content"]), False
        return "", False


@dataclass(frozen=True, slots=True)
class _Reading:
    first: str
    pieces: Iterator[str]
    reply: _Reply


def _request(model: str, prompt: Prompt) -> dict[str, Any]:
    roles = [("system", prompt.system), *prompt.messages]
    messages = [{"role": role, "content": content} for role, content in roles]
    request: dict[str, Any] = {
        "model": model,
        # The extra body replaces the empty list. As an argument, the SDK would search the messages for files
        # for 3 ms, and they are plain text.
        "messages": [],
        "extra_body": {"messages": messages},
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if model.startswith(_REASONING_MODELS):
        # Its reasoning counts too.
        return request | {"max_completion_tokens": prompt.max_output_tokens * 4}
    return request | {"max_tokens": prompt.max_output_tokens, "temperature": 0}


def _checked(
    received: Iterable[bytes], deadline: Deadline, speak_by: float, reply: _Reply
) -> Iterator[bytes]:
    """Yield the lines of a body. Raises when time is up, even if single bytes still arrive."""
    pending = b""
    for data in received:
        deadline.check()
        if not reply.spoken and time.monotonic() > speak_by:
            raise TimeoutError("The provider did not begin to answer in time.")
        *lines, pending = (pending + data).split(b"\n")
        if len(pending) > _LONGEST_LINE:
            raise ProviderUnavailable("The provider sent a line that is too long.")
        yield from lines
    yield pending


def _decoded(event: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        chunk = _lenient(event, error)
    if not isinstance(chunk, dict):
        raise ProviderUnavailable("The provider sent something that is not an answer.")
    return chunk


def _lenient(event: bytes, error: Exception) -> Any:
    """Decode an event with lone surrogates, which orjson refuses; `cleaned` replaces them later."""
    try:
        return json.loads(event)
    except ValueError:
        raise ProviderUnavailable("The provider sent something that is not an answer.") from error


def _counted(reply: _Reply) -> tuple[int, int] | None:
    """Return the tokens read and written as the provider counted them, or None if it sent no numbers."""
    try:
        read = int(reply.usage.get("prompt_tokens") or 0)
        written = int(reply.usage.get("completion_tokens") or 0)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
    return (read, written) if reply.usage else None


def _estimated(prompt: Prompt, said: Sequence[str]) -> tuple[int, int]:
    """Estimate the tokens read and written, to some 15 %, so that every answer is charged."""
    read = count_tokens(prompt.system) + sum(count_tokens(content) for _, content in prompt.messages)
    return read, count_tokens("".join(said))
