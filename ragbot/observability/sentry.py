"""Errors that were logged to reports for Sentry: the only file that imports its library."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from ragbot.observability.logging import ExceptionSummary, Frame, describe_exception
from ragbot.version import __version__

# A worker that ends waits so long for what is still to be sent.
CLOSING_LIMIT_S = 2.0

# What a report is made of. The library adds more by itself, such as the machine's name.
KEPT = (
    "event_id",
    "timestamp",
    "platform",
    "level",
    "logger",
    "release",
    "environment",
    "sdk",
    "tags",
    "exception",
)

# Ids by which a report's line is found in the log. Both are made for one request.
FOUND_BY = ("request_id", "trace_id")


class SentryReporter:
    """Reports exceptions as the log shows them: types and places, and messages that can quote nobody.

    No variable, header, body or address is in a report. It is sent from a thread of its own, and lost if
    Sentry does not take it.
    """

    def __init__(self, dsn: str, environment: str) -> None:
        self._client = sentry_sdk.Client(
            dsn,
            environment=environment,
            release=f"ragbot@{__version__}",
            # Nothing is picked up behind our back: we hand over what we made. Unset, `send_default_pii` is
            # false, and setting it is deprecated.
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_client_reports=False,
            enable_metrics=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            before_send=_only_ours,
        )
        # Nothing is there to be sent at the end if nothing was reported; then this takes no time.
        atexit.register(self.close)

    def __call__(self, exception: BaseException, line: Mapping[str, Any]) -> None:
        """ErrorReporter an exception with the line that tells of it."""
        logger = str(line.get("logger", ""))
        tags = {name: str(line[name]) for name in FOUND_BY if name in line}
        # An event of ours is a fixed word; a library's is a sentence that may quote somebody.
        if logger.startswith("ragbot"):
            tags["event"] = str(line.get("event", ""))
        # The cause first, as Sentry wants it.
        values = [_value(told) for told in reversed(describe_exception(exception))]
        self._client.capture_event(
            {"level": "error", "logger": logger, "tags": tags, "exception": {"values": values}}
        )

    def close(self) -> None:
        """Send what is there, as far as there is time."""
        self._client.close(timeout=CLOSING_LIMIT_S)


def _value(told: ExceptionSummary) -> dict[str, Any]:
    return {
        "type": told.name,
        "module": told.module,
        "value": told.message,
        "stacktrace": {"frames": [_frame(frame) for frame in told.frames]},
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "filename": frame.file,
        "lineno": frame.line,
        "function": frame.function,
        "in_app": "ragbot/" in frame.file,
    }


def _only_ours(event: Event, _hint: Hint) -> Event | None:
    for name in set(event) - set(KEPT):
        del event[name]  # type: ignore[misc]
    return event
