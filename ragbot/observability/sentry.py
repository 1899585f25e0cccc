"""Report logged errors to Sentry. The only module that imports its library."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from ragbot.observability.logging import ExceptionSummary, Frame, describe_exception
from ragbot.version import __version__

# A worker that ends waits so long for reports that are still queued.
CLOSING_LIMIT_S = 2.0

# The fields of a report. The library adds more by itself, such as the machine's name.
REPORTED_FIELDS = (
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

# Ids that find a report's line in the log. Both are made for one request.
ID_TAGS = ("request_id", "trace_id")


class SentryReporter:
    """Report exceptions as the log shows them: types, frames, and messages that cannot quote a user.

    No variable, header, body or address is in a report. It is sent from a thread of its own, and lost if
    Sentry does not accept it.
    """

    def __init__(self, dsn: str, environment: str) -> None:
        self._client = sentry_sdk.Client(
            dsn,
            environment=environment,
            release=f"ragbot@{__version__}",
            # Nothing is collected automatically: we send what we build. Unset, `send_default_pii` is false,
            # and setting it is deprecated.
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_client_reports=False,
            enable_metrics=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            before_send=_drop_other_fields,
        )
        # It takes no time if nothing was reported.
        atexit.register(self.close)

    def __call__(self, exception: BaseException, line: Mapping[str, Any]) -> None:
        """Report an exception with the log line that it is on."""
        logger = str(line.get("logger", ""))
        tags = {name: str(line[name]) for name in ID_TAGS if name in line}
        # An event of ours is a fixed word; a library's is a sentence that may quote a user.
        if logger.startswith("ragbot"):
            tags["event"] = str(line.get("event", ""))
        # The cause first, as Sentry wants it.
        values = [_value(summary) for summary in reversed(describe_exception(exception))]
        self._client.capture_event(
            {"level": "error", "logger": logger, "tags": tags, "exception": {"values": values}}
        )

    def close(self) -> None:
        """Send what is queued, within a time limit."""
        self._client.close(timeout=CLOSING_LIMIT_S)


def _value(summary: ExceptionSummary) -> dict[str, Any]:
    return {
        "type": summary.name,
        "module": summary.module,
        "value": summary.message,
        "stacktrace": {"frames": [_frame(frame) for frame in summary.frames]},
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "filename": frame.file,
        "lineno": frame.line,
        "function": frame.function,
        "in_app": "ragbot/" in frame.file,
    }


def _drop_other_fields(event: Event, _hint: Hint) -> Event | None:
    for name in set(event) - set(REPORTED_FIELDS):
        del event[name]  # type: ignore[misc]
    return event
