"""Remember what the server of a model refuses, and lay out requests that it takes."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ragbot.core.ports import SharedState
from ragbot.providers.openai.refusal_reasons import Refusal, RefusalKind

# A server may be updated: after a day each refusal is met anew, once.
REMEMBERED_S = 24 * 3600.0
# How long a worker trusts its copy; another one may have learnt more.
KNOWN_S = 60.0

# Models that think take their limit under another name, and no temperature. A gateway puts its own name
# before a slash. It is a guess: what a server refuses decides.
_THINKING_NAME = re.compile(r"(?:.*/)?(?:o[134]|gpt-5)(?![a-z0-9])", re.IGNORECASE)
# Their thoughts count against the limit of the answer.
THOUGHTS_TO_WORDS = 4
# A limit below this is no limit of a model but another number of its message.
_LEAST_LIMIT = 16
# Where the server does not say by how much a prompt is too long.
_LESS = 0.6
# Our count of tokens is some 15 % exact.
_MARGIN = 0.85
# Where a server reads less than this share of a prompt, it has cut it. (It may count 2 for 3 ideographs.)
_CUT_SHARE = 0.5
# No server that cuts leaves less; one that tells fewer counts something else, such as what is not cached.
LEAST_CUT = 1000


@dataclass(frozen=True, slots=True)
class ServerDialect:
    """Describe what a model's server takes. All of it may be shared between processes, as JSON.

    `limit` is the name of the parameter that limits the answer, or empty. `most_output` is the largest limit
    it takes and `prompt_tokens` the longest prompt (by our own count), 0 if not known. With `merged_system`
    the rules stand in the reader's first message. A model that `thinks` needs room for it; with
    `unopened_thoughts` its thoughts begin without a mark and end with one. `plain` says that an answer
    has come without that.
    """

    without: frozenset[str] = frozenset()
    limit: str = "max_tokens"
    most_output: int = 0
    prompt_tokens: int = 0
    merged_system: bool = False
    thinks: bool = False
    unopened_thoughts: bool = False
    plain: bool = False


def first_guess(model: str) -> ServerDialect:
    """Return what a model's name lets expect."""
    if _THINKING_NAME.match(model):
        return ServerDialect(frozenset({"temperature"}), limit="max_completion_tokens", thinks=True)
    return ServerDialect()


def adapted(
    dialect: ServerDialect, refusal: Refusal, *, sent_limit: int, prompt_tokens: int
) -> ServerDialect:
    """Return the dialect without what the server has refused; the same one where nothing can be changed.

    `sent_limit` is the limit that was sent, and `prompt_tokens` the prompt's length by our own count.
    """
    if refusal.kind is RefusalKind.OVERFLOW:
        return _with_shorter_prompt(dialect, refusal, sent_limit, prompt_tokens)
    if refusal.kind is not RefusalKind.OTHER:
        return dialect
    if refusal.refuses_system_role and not dialect.merged_system:
        return replace(dialect, merged_system=True)
    named = refusal.named - dialect.without
    if dialect.limit and dialect.limit in named:
        return _with_other_limit(dialect, refusal, sent_limit)
    droppable = named - {"max_tokens", "max_completion_tokens"}
    return replace(dialect, without=dialect.without | droppable)


def _with_other_limit(dialect: ServerDialect, refusal: Refusal, sent_limit: int) -> ServerDialect:
    smaller = [n for n in refusal.numbers if _LEAST_LIMIT <= n < sent_limit]
    if smaller:
        return replace(dialect, most_output=max(smaller))
    refused = dialect.without | {dialect.limit}
    others = [name for name in ("max_completion_tokens", "max_tokens") if name not in refused]
    # A server that wants the newer name hosts a model that thinks.
    thinks = dialect.thinks or others[:1] == ["max_completion_tokens"]
    return replace(dialect, without=refused, limit=next(iter(others), ""), thinks=thinks)


def _with_shorter_prompt(
    dialect: ServerDialect, refusal: Refusal, sent_limit: int, prompt_tokens: int
) -> ServerDialect:
    limit, size = refusal.limit_tokens, refusal.prompt_tokens
    output = sent_limit
    if limit and sent_limit > limit // 4:
        output = max(_LEAST_LIMIT, limit // 4)
        dialect = replace(dialect, most_output=output)
    share = (limit - output) / size * _MARGIN if limit and size > 0 else _LESS
    if limit and not size:
        share = (limit - output) / max(prompt_tokens, 1) * _MARGIN
    share = min(share, _MARGIN)
    fits = max(1, int(prompt_tokens * max(share, 0.05)))
    return replace(dialect, prompt_tokens=fits)


def with_silent_cut(dialect: ServerDialect, *, read_tokens: int, prompt_tokens: int) -> ServerDialect:
    """Return the dialect with what a server reads that cuts a longer prompt and does not say so.

    `read_tokens` is what it has counted, and `prompt_tokens` our own count. It is learnt once.
    """
    if dialect.prompt_tokens or not LEAST_CUT <= read_tokens < prompt_tokens * _CUT_SHARE:
        return dialect
    return replace(dialect, prompt_tokens=int(read_tokens * _MARGIN))


def merged(now: ServerDialect, before: ServerDialect, after: ServerDialect) -> ServerDialect:
    """Return what is known now with what one call has changed; others may have learnt meanwhile."""
    changes = {name: value for name, value in asdict(after).items() if value != getattr(before, name)}
    return replace(now, **{**changes, "without": now.without | after.without})


class DialectMemory:
    """Hold the dialect of one model, shared between workers by `states`. Safe between threads."""

    def __init__(self, name: str, guess: ServerDialect, states: SharedState | None) -> None:
        self._name = f"dialect:{name}"
        self._guess = guess
        self._states = states
        self._lock = threading.Lock()
        self._known = guess
        self._known_at = float("-inf")

    def current(self) -> ServerDialect:
        """Return what is known now; at most once a minute the shared state is read."""
        with self._lock:
            if self._states is None or time.monotonic() - self._known_at < KNOWN_S:
                return self._known
        return self._remember(self._states.peek(self._name))

    def learn(self, change: Callable[[ServerDialect], ServerDialect]) -> None:
        """Change what is known, here and for all workers. `change` is pure."""
        with self._lock:
            after = change(self._known)
            if after == self._known:
                return
            self._known = after
        if self._states is not None:
            self._remember(
                self._states.change(
                    self._name, lambda state: _written(change(_read(state, self._guess))), REMEMBERED_S
                )
            )

    def _remember(self, state: Mapping[str, Any] | None) -> ServerDialect:
        dialect = _read(state, self._guess)
        with self._lock:
            self._known, self._known_at = dialect, time.monotonic()
        return dialect


def state_name(base_url: str, model: str) -> str:
    """Return the name of a model's shared state; it tells no address."""
    return hashlib.sha256(f"{base_url}\n{model}".encode()).hexdigest()[:32]


def _read(state: Mapping[str, Any] | None, guess: ServerDialect) -> ServerDialect:
    """Return the dialect as it was written; one that cannot be read is the first guess."""
    try:
        given = dict(state or {})
        return ServerDialect(**{**given, "without": frozenset(given["without"])}) if given else guess
    except (KeyError, TypeError, ValueError):
        return guess


def _written(dialect: ServerDialect) -> dict[str, Any]:
    return {**asdict(dialect), "without": sorted(dialect.without)}
