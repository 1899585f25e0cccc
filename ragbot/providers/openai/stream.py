"""Read the body of a chat completion: its text, its thoughts, its usage and how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from ragbot.core.errors import ProviderUnavailable
from ragbot.core.text import cleaned
from ragbot.providers.openai.refusal_reasons import Refusal, refusal_in

LONGEST_LINE = 1_000_000
LONGEST_BODY = 10_000_000
# No model reads or writes as many in one call: such a count is nonsense, and would spend a budget.
MOST_TOKENS = 100_000_000

# Fields of a delta in which servers send thoughts.
_THOUGHT_FIELDS = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking"})


class Ending(Enum):
    """Tell how a model ended its answer."""

    WHOLE = "whole"
    LENGTH = "length"
    FILTERED = "filtered"
    BROKEN = "broken"


# Reasons as servers spell them, in small letters; one that is not here is an end.
_ENDINGS = {
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), Ending.LENGTH),
    **dict.fromkeys(
        ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii", "sensitive"),
        Ending.FILTERED,
    ),
    **dict.fromkeys(
        (
            "error",
            "abort",
            "aborted",
            "cancelled",
            "timeout",
            "network_error",
            "insufficient_system_resource",
        ),
        Ending.BROKEN,
    ),
}


class RefusedInStream(Exception):
    """Carry what a server says against a request after the status 200."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("The provider reported an error inside its stream.")
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Said:
    """Hold a part of an answer's text, or tell of a thought whose text is left out."""

    text: str = ""
    is_thought: bool = False
    is_refusal: bool = False


@dataclass(slots=True)
class CompletionReader:
    """Read a completion from its body as it comes, streamed or in one piece.

    `ending` is None as long as the model has not come to an end; `[DONE]` without a reason is one, the end of
    the body alone is not.
    """

    secret: str = ""
    ending: Ending | None = None
    usage: Any = field(default_factory=dict)
    has_thoughts: bool = False
    is_done: bool = False
    has_events: bool = False
    _line: bytes = b""
    _body: list[bytes] = field(default_factory=list)
    _body_size: int = 0
    _said: list[Said] = field(default_factory=list)
    # Of one text, which is put together when something else comes or all events were read.
    _texts: list[str] = field(default_factory=list)
    _failure: Exception | None = None

    def feed(self, data: bytes) -> list[Said]:
        """Return what the next piece of the body says; a text that came in several events is one.

        Raises RefusedInStream or ProviderUnavailable, after what was said before has been returned.
        """
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > LONGEST_LINE:
            raise ProviderUnavailable("The provider sent a line without end.")
        return self._read(lines)

    def flush(self) -> list[Said]:
        """Return what the end of the body says. Raises as `feed` does."""
        lines, self._line = [self._line], b""
        return self._read(lines, is_end=True)

    def _read(self, lines: Sequence[bytes], *, is_end: bool = False) -> list[Said]:
        if self._failure is None:
            try:
                for line in lines:
                    self._take(line)
                if is_end and self._body:
                    # A server that does not stream, or not this answer.
                    self._chunk(b"\n".join(self._body))
                    self.ending = self.ending or Ending.WHOLE
            except Exception as error:
                self._failure = error
        self._end_text()
        said, self._said = self._said, []
        if self._failure is not None and (not said or is_end):
            raise self._failure
        return said

    def _take(self, line: bytes) -> None:
        event = line.strip()
        if self._body or event.startswith((b"{", b"[")):
            self._keep(line)
        elif event.startswith(b"data:"):
            self.has_events = True
            self._event(event[5:].strip())

    def _keep(self, line: bytes) -> None:
        self._body.append(line)
        self._body_size += len(line)
        if self._body_size > LONGEST_BODY:
            raise ProviderUnavailable("The provider sent a body without end.")

    def _event(self, event: bytes) -> None:
        if event == b"[DONE]":
            self.is_done = True
            self.ending = self.ending or Ending.WHOLE
        elif event:
            self._chunk(event)

    def _chunk(self, event: bytes) -> None:
        chunk = _decoded(event)
        if chunk.get("error") or chunk.get("object") == "error":
            raise RefusedInStream(refusal_in(0, chunk, secret=self.secret))
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices") or ():
            self._note_ending(choice.get("finish_reason"))
            self._delta(choice.get("delta") or choice.get("message") or {})

    def _note_ending(self, reason: object) -> None:
        if isinstance(reason, str) and reason:
            self.ending = _ENDINGS.get(reason.lower(), Ending.WHOLE)

    def _delta(self, delta: Any) -> None:
        if not _THOUGHT_FIELDS.isdisjoint(delta) and any(map(delta.get, _THOUGHT_FIELDS)):
            self._note_thought()
        if delta.get("refusal"):
            self._end_text()
            self._said.append(Said(cleaned(str(delta["refusal"])), is_refusal=True))
        elif delta.get("content"):
            self._content(delta["content"])

    def _content(self, content: object) -> None:
        """Read a text, or typed parts of one: what is no text is a thought or nothing to read."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                self._texts.append(part)
            elif isinstance(part, dict) and part.get("type") in ("thinking", "reasoning", "thought"):
                self._note_thought()
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                self._texts.append(part["text"])

    def _note_thought(self) -> None:
        self.has_thoughts = True
        self._end_text()
        self._said.append(Said(is_thought=True))

    def _end_text(self) -> None:
        if self._texts:
            self._said.append(Said(cleaned("".join(self._texts))))
            self._texts.clear()


def _decoded(event: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        chunk = _lenient(event, error)
    if isinstance(chunk, list) and len(chunk) == 1:
        # So does Gemini's endpoint wrap its errors.
        chunk = chunk[0]
    if not isinstance(chunk, dict):
        raise ProviderUnavailable("The provider sent something that is not an answer.")
    return chunk


def _lenient(event: bytes, error: Exception) -> Any:
    """Lone surrogates are refused by orjson; models write them, and `cleaned` mends them."""
    try:
        return json.loads(event)
    except ValueError:
        raise ProviderUnavailable("The provider sent something that is not an answer.") from error


def counted_tokens(usage: Any) -> tuple[int, int] | None:
    """Return the tokens read and written, or None where the provider does not say it in numbers.

    Thoughts are charged as written. Gemini and Grok leave them out of `completion_tokens`, not of the total.
    """
    try:
        read = plausible_tokens(usage.get("prompt_tokens"))
        written = plausible_tokens(usage.get("completion_tokens"))
        total = plausible_tokens(usage.get("total_tokens"))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
    return (read, max(written, total - read)) if usage else None


def plausible_tokens(count: Any) -> int:
    """Return a number of tokens as a provider has told it, 0 for none.

    Raises TypeError, ValueError or OverflowError for what cannot be one.
    """
    tokens = int(count or 0)
    if not 0 <= tokens <= MOST_TOKENS:
        raise ValueError("no number of tokens")
    return tokens


def tells_thoughts(usage: Any) -> bool:
    """Return whether the provider has counted tokens of thoughts, which it may not have sent."""
    try:
        details = usage.get("completion_tokens_details") or {}
        written = int(usage.get("completion_tokens") or 0)
        counted = counted_tokens(usage)
        return bool(details.get("reasoning_tokens")) or (counted is not None and counted[1] > written)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return False
