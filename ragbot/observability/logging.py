"""Configure logging: JSON for machines, columns for people, the request's id on each line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog

from ragbot.core.errors import RagbotError

# At INFO these log addresses, models and paths, once for each request.
NOISY = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "alembic", "flask-limiter", "werkzeug")

# Characters that control a terminal, break a line or reverse its direction.
_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# Their messages say what is wrong with the machine or the code. Other messages may quote what a reader wrote
# or what was sent to a provider, such as a key. The named ones are the database driver's, without values.
_SAFE_MESSAGES = (RagbotError, OSError, ImportError, NameError, AttributeError, TypeError, MemoryError)
_SAFE_MESSAGE_NAMES = ("OperationalError", "InterfaceError", "ProgrammingError")

MAX_CAUSES = 5
MAX_FRAMES = 20


# Receives an exception and the log line that it is on.
ErrorReporter = Callable[[BaseException, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Frame:
    """Locate a call in the code, by the last parts of its file's path."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class ExceptionSummary:
    """Summarise an exception: its type, its frames, and its message where that cannot quote a user."""

    module: str
    name: str
    message: str
    frames: tuple[Frame, ...]


def describe_exception(exception: BaseException, *, messages: bool = False) -> list[ExceptionSummary]:
    """Summarise an exception and its causes, without local variables, which hold questions, headers and keys.

    With `messages` the messages of all exceptions are shown, also those that may quote a user.
    """
    return [_summary(link, messages) for link in _chain(exception)]


def _summary(exception: BaseException, with_message: bool) -> ExceptionSummary:
    kind = type(exception)
    is_safe = isinstance(exception, _SAFE_MESSAGES) or kind.__name__ in _SAFE_MESSAGE_NAMES
    return ExceptionSummary(
        module=kind.__module__,
        name=kind.__qualname__,
        message=str(exception) if is_safe or with_message else "(not shown)",
        frames=tuple(_frames(exception.__traceback__))[-MAX_FRAMES:],
    )


def configure_logging(
    level: str, *, as_json: bool, to: TextIO | None = None, report: ErrorReporter | None = None
) -> None:
    """Send structlog's and the standard library's lines to one stream (standard output) in one shape.

    `report` receives each error with an exception. A later call replaces an earlier one.
    """
    stream = to or sys.stdout
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _ExceptionFormatter(messages=level == "DEBUG", as_text=not as_json, report=report),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json, stream),
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "is_ragbots", False):
            root.removeHandler(old)
    handler.is_ragbots = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _renderers(as_json: bool, stream: TextIO) -> list[Any]:
    if as_json:
        # It escapes everything but plain ASCII, so that no text can break a line.
        return [structlog.processors.JSONRenderer()]
    columns = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [_escape_line, columns]


def _escape_line(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    """Escape what would control a terminal. Exceptions have been formatted line by line before."""
    return {
        _escape(name): value
        if isinstance(value, int | float | bool | None) or name == "exception"
        else _escape(str(value))
        for name, value in line.items()
    }


def _escape(text: str) -> str:
    return _CONTROL_CHARACTERS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class _ExceptionFormatter:
    """Add an exception to its line: types, frames, and messages where they cannot quote a user."""

    def __init__(self, *, messages: bool, as_text: bool, report: ErrorReporter | None) -> None:
        self._messages = messages
        self._as_text = as_text
        self._report = report

    def __call__(self, _logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        exception = _exception_of(line.pop("exc_info", None))
        if exception is not None:
            if self._report and line.get("level") in ("error", "critical"):
                self._report(exception, line)
            summaries = describe_exception(exception, messages=self._messages)
            line["exception"] = (
                "\n".join(map(_as_text, summaries)) if self._as_text else list(map(_as_json, summaries))
            )
        return line


def _exception_of(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exc_info()[1] if given else None


def _chain(exception: BaseException) -> Iterator[BaseException]:
    """Yield the exception, then its causes."""
    link: BaseException | None = exception
    for _ in range(MAX_CAUSES):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _frames(traceback: TracebackType | None) -> Iterator[Frame]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = "/".join(Path(code.co_filename).parts[-3:])
        yield Frame(place, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next


def _as_json(summary: ExceptionSummary) -> dict[str, Any]:
    frames = [f"{frame.file}:{frame.line} {frame.function}" for frame in summary.frames]
    return {"type": f"{summary.module}.{summary.name}", "message": summary.message, "frames": frames}


def _as_text(summary: ExceptionSummary) -> str:
    shown = _as_json(summary)
    head = f"{shown['type']}: {_escape(summary.message)}"
    return "\n".join([head, *(f"    {_escape(frame)}" for frame in shown["frames"])])
