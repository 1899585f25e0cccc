"""Read why a server refused a request: its identifiers and what it names, and no word of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from ragbot.core.errors import ProviderReason

# A server says `code: "unsupported_parameter"`; whatever else stands there may be a text.
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z_]{1,59}")
_DEPTH = 8
_LONGEST_BODY = 200_000

# What we send, besides the model, the texts and whether they are to be streamed.
OPTIONAL_PARAMETERS = (
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "stream_options",
    "stream",
    "encoding_format",
)
_SENT = (*OPTIONAL_PARAMETERS, "model", "messages", "input")

_FILTERS = {
    "content_filter",
    "content_filtered",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
    "moderation_blocked",
    "safety",
    "prompt_blocked",
}
_OVERFLOWS = {
    "context_length_exceeded",
    "context_window_exceeded",
    "exceed_context_size_error",
    "input_too_long",
    "string_above_max_length",
    "model_context_length_exceeded",
}
# These are no question's: every question meets them.
_ACCESS = {
    "invalid_api_key",
    "api_key_invalid",
    "invalid_authentication",
    "authentication_error",
    "permission_denied",
    "unauthenticated",
    "model_not_found",
    "deploymentnotfound",
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "account_deactivated",
}
_OVERFLOW_TEXT = re.compile(
    r"context (?:length|size|window)|maximum (?:context|input|sequence) length|context_length|n_ctx"
    r"|(?:prompt|input|text|sequence)[^.]{0,40} (?:is )?too (?:long|large)|too many (?:input )?tokens"
    r"|too large to process|reduce the (?:length|input|prompt)|input length|context overflow",
    re.IGNORECASE,
)
_FILTER_TEXT = re.compile(r"content (?:management )?(?:filter|policy)|flagged (?:as|by|for)", re.IGNORECASE)
_ACCESS_TEXT = re.compile(
    r"api.?key (?:is )?(?:not valid|invalid|expired|missing)|invalid api.?key", re.IGNORECASE
)
_SYSTEM_TEXT = re.compile(
    r"system (?:role|message|instruction)s?[^.]{0,40}not (?:supported|allowed|enabled)"
    r"|(?:does not|doesn't|not) support[^.]{0,30}\bsystem\b"
    r"|\brole\b[^.]{0,60}\bsystem\b|\bsystem\b[^.]{0,30}\brole\b"
    r"|roles must alternate|instruction is not enabled",
    re.IGNORECASE,
)
_STREAM_TEXT = re.compile(
    r"stream(?:ing)?(?: mode)? (?:is )?not (?:supported|allowed|enabled)|not support stream(?:ing)?\b"
    r"|verified to stream",
    re.IGNORECASE,
)
_UNSUPPORTED_TEXT = re.compile(
    r"unsupported|not supported|not support|unrecognized|unknown|unexpected|not permitted|not allowed"
    r"|extra inputs|extra fields|invalid|must be|at most|less than|too large|greater",
    re.IGNORECASE,
)
_CONTEXT_LIMIT = re.compile(
    r"(?:maximum context length|context (?:length|size|window)|n_ctx|max(?:imum)? (?:input|sequence) length)"
    r"\D{0,30}?(\d{2,8})",
    re.IGNORECASE,
)
_PROMPT_SIZE = re.compile(
    r"(\d{2,8}) (?:tokens )?in the (?:messages|prompt)"
    r"|(?:request|prompt|input|messages)[^.\d]{0,40}?(\d{2,8}) (?:input )?tokens",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])(\d{2,7})(?![\w.]?\d)")
# Numbers that are no limit: a status, a date, the name of a model.
_OTHER_NUMBER = re.compile(
    r"(?:code|status)\W{0,4}\d{3}(?!\d)|\b\d{4}-\d{2}-\d{2}\b|(?<![\w.-])[A-Za-z]\w*(?:[-.]\w+)+",
    re.IGNORECASE,
)
_NO_SUCH_PARAMETER = re.compile(
    r"unsupported|not support|unrecognized|unknown|not permitted|not allowed|extra (?:inputs|fields)|instead",
    re.IGNORECASE,
)
_LIMIT_TEXT = re.compile(
    r"at most|maximum|less than|up to|too (?:large|high|big)|<=|≤|between|range|must be|should be|exceed",
    re.IGNORECASE,
)


class RefusalKind(Enum):
    """Tell what a refusal lies in: the server's access, this question, its length or its options."""

    ACCESS = "access"
    FILTER = "filter"
    OVERFLOW = "overflow"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Hold what a server said against a request.

    `named` are the optional parameters that it names; `numbers` are those of its text that may be a limit.
    `limit_tokens` and `prompt_tokens` are 0 where it does not tell them.
    """

    reason: ProviderReason
    kind: RefusalKind = RefusalKind.OTHER
    named: frozenset[str] = frozenset()
    numbers: tuple[int, ...] = ()
    refuses_system_role: bool = False
    limit_tokens: int = 0
    prompt_tokens: int = 0


def refusal_of(status: int, body: bytes, *, secret: str = "") -> Refusal:
    """Return what the body of an error says. One that cannot be read gives the status alone."""
    try:
        value = orjson.loads(body[:_LONGEST_BODY])
    except ValueError:
        value = {"message": body[:_LONGEST_BODY].decode("utf-8", "replace")}
    return refusal_in(status, value, secret=secret)


def refusal_in(status: int, value: object, *, secret: str = "") -> Refusal:
    """Return what an error says that was read already; a list, a text or an object in any nesting."""
    parts = list(_objects(value, _DEPTH)) or [{"message": value if isinstance(value, str) else ""}]
    text = " ".join(_texts(parts))
    param = next((name for part in parts if (name := _sent_name(part.get("param")))), "")
    located = [name for part in parts for name in _located(part)]
    reason = ProviderReason(
        status=status or _status_in(parts),
        type=_identifier(parts, ("type", "status"), secret),
        code=_identifier(parts, ("code",), secret),
        param=param or next(iter(located), ""),
    )
    named = {param, *located} & set(OPTIONAL_PARAMETERS)
    if not named and _UNSUPPORTED_TEXT.search(text):
        named = {name for name in OPTIONAL_PARAMETERS if re.search(rf"(?<!\w){name}(?!\w)", text)}
        # "Use 'max_completion_tokens' instead" names the successor, too; both are known by then.
        if "stream" in named and not _STREAM_TEXT.search(text):
            named.discard("stream")
    if _STREAM_TEXT.search(text):
        named.add("stream")
    if "base64" in text:
        named.add("encoding_format")
    limit, size = _sizes(parts, text)
    return Refusal(
        reason=reason,
        kind=_kind(parts, text, reason),
        named=frozenset(named),
        numbers=_possible_limits(text, status),
        refuses_system_role=bool(_SYSTEM_TEXT.search(text)),
        limit_tokens=limit,
        prompt_tokens=size,
    )


def _kind(parts: list[Mapping[str, Any]], text: str, reason: ProviderReason) -> RefusalKind:
    words = {str(part.get(key)).lower() for part in parts for key in ("code", "type", "status", "reason")}
    words |= {str(part.get("code")).rpartition(".")[2].lower() for part in parts}
    if words & _FILTERS or any("flagged_input" in part for part in parts) or _FILTER_TEXT.search(text):
        return RefusalKind.FILTER
    if words & _ACCESS or _ACCESS_TEXT.search(text):
        return RefusalKind.ACCESS
    # A text that tells the context's size is of the length, whatever it names: vLLM names `max_tokens`.
    is_told = _CONTEXT_LIMIT.search(text) or (not reason.param and _OVERFLOW_TEXT.search(text))
    if words & _OVERFLOWS or is_told:
        return RefusalKind.OVERFLOW
    return RefusalKind.OTHER


def _objects(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield each object, outer ones first; gateways put the server's own error into a text."""
    if depth <= 0:
        return
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            value = orjson.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _objects(each, depth - 1)


def _texts(parts: list[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        for key in ("message", "msg", "detail", "error", "raw"):
            if isinstance(part.get(key), str):
                yield part[key]


def _status_in(parts: list[Mapping[str, Any]]) -> int:
    for part in parts:
        for key in ("code", "status"):
            given = part.get(key)
            if isinstance(given, int) and 400 <= given < 600:
                return given
    return 0


def _identifier(parts: list[Mapping[str, Any]], keys: tuple[str, ...], secret: str) -> str:
    for part in parts:
        for key in keys:
            given = part.get(key)
            if isinstance(given, str) and _IDENTIFIER.fullmatch(given) and given != secret:
                return given
    return ""


def _sent_name(param: object) -> str:
    """Return the top name of a parameter that we send (`messages[0].role` is `messages`), or nothing."""
    name = re.split(r"[.\[]", param)[0] if isinstance(param, str) else ""
    return name if name in _SENT else ""


def _located(part: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a fault points at, as FastAPI's servers write it: `loc: ["body", "stream_options"]`."""
    place = part.get("loc")
    if isinstance(place, list):
        yield from (name for name in map(_sent_name, place) if name)


def _possible_limits(text: str, status: int) -> tuple[int, ...]:
    """Return the numbers that may limit a parameter's value; none where the parameter itself is refused."""
    if _NO_SUCH_PARAMETER.search(text) and not _LIMIT_TEXT.search(text):
        return ()
    numbers = map(int, _NUMBER.findall(_OTHER_NUMBER.sub(" ", text)))
    return tuple(number for number in numbers if number != status)


def _sizes(parts: list[Mapping[str, Any]], text: str) -> tuple[int, int]:
    """Return the tokens of the server's context and of the prompt, 0 for what it does not tell."""
    for part in parts:
        if isinstance(part.get("n_ctx"), int):
            size = part.get("n_prompt_tokens")
            return part["n_ctx"], size if isinstance(size, int) else 0
    limit, size = _CONTEXT_LIMIT.search(text), _PROMPT_SIZE.search(text)
    return int(limit[1]) if limit else 0, int(size[1] or size[2]) if size else 0
