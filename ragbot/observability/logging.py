"""Log lines: JSON for machines, columns for people, with the request's id on each."""

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

# What libraries tell at INFO names addresses, models and paths, once a request.
NOISY = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "alembic", "flask-limiter", "werkzeug")

# Characters that a terminal obeys, or that make one line look like two or run backwards.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# The messages of these say what is wrong with the machine or the code. Others' may quote what a reader
# wrote or a provider was sent, a key among it. The named ones are the database driver's, without values.
_TELLABLE = (RagbotError, OSError, ImportError, NameError, AttributeError, TypeError, MemoryError)
_TELLABLE_NAMES = ("OperationalError", "InterfaceError", "ProgrammingError")

CAUSES_SHOWN = 5
FRAMES_SHOWN = 20


# What is told besides of a line that has an exception on it: the exception, and the line.
ErrorReporter = Callable[[BaseException, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the code, by the last parts of its file's path."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class ExceptionSummary:
    """What may be told of an exception: its type, its places, and its message where that can quote nobody."""

    module: str
    name: str
    message: str
    frames: tuple[Frame, ...]


def describe_exception(exception: BaseException, *, messages: bool = False) -> list[ExceptionSummary]:
    """An exception and then what caused it, without a local variable: they hold questions, headers and keys.

    `messages` says that each may be told with its message, whoever it quotes.
    """
    return [_told(link, messages) for link in _chain(exception)]


def _told(exception: BaseException, with_message: bool) -> ExceptionSummary:
    kind = type(exception)
    is_tellable = isinstance(exception, _TELLABLE) or kind.__name__ in _TELLABLE_NAMES
    return ExceptionSummary(
        module=kind.__module__,
        name=kind.__qualname__,
        message=str(exception) if is_tellable or with_message else "(not shown)",
        frames=tuple(_frames(exception.__traceback__))[-FRAMES_SHOWN:],
    )


def configure_logging(
    level: str, *, as_json: bool, to: TextIO | None = None, report: ErrorReporter | None = None
) -> None:
    """Send structlog's and the standard library's lines to one stream (standard output) in one shape.

    `report` is told of each error with an exception. Twice is once: the later call holds.
    """
    stream = to or sys.stdout
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _ExceptionShown(messages=level == "DEBUG", as_text=not as_json, report=report),
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
                *_rendered(as_json, stream),
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


def _rendered(as_json: bool, stream: TextIO) -> list[Any]:
    if as_json:
        # Everything that is not plain ASCII is escaped, so that nothing can end a line before its time.
        return [structlog.processors.JSONRenderer()]
    columns = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [_escaped, columns]


def _escaped(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    """The line with nothing in it that a terminal would obey. Exceptions were shown line by line before."""
    return {
        _inert(name): value
        if isinstance(value, int | float | bool | None) or name == "exception"
        else _inert(str(value))
        for name, value in line.items()
    }


def _inert(text: str) -> str:
    return _OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class _ExceptionShown:
    """Puts an exception on its line: types and places, and messages where they cannot quote anybody."""

    def __init__(self, *, messages: bool, as_text: bool, report: ErrorReporter | None) -> None:
        self._messages = messages
        self._as_text = as_text
        self._report = report

    def __call__(self, _logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        exception = _exception_of(line.pop("exc_info", None))
        if exception is not None:
            if self._report and line.get("level") in ("error", "critical"):
                self._report(exception, line)
            told = describe_exception(exception, messages=self._messages)
            line["exception"] = "\n".join(map(_as_text, told)) if self._as_text else list(map(_as_json, told))
        return line


def _exception_of(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exc_info()[1] if given else None


def _chain(exception: BaseException) -> Iterator[BaseException]:
    """The exception, then what caused it."""
    link: BaseException | None = exception
    for _ in range(CAUSES_SHOWN):
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


def _as_json(told: ExceptionSummary) -> dict[str, Any]:
    frames = [f"{frame.file}:{frame.line} {frame.function}" for frame in told.frames]
    return {"type": f"{told.module}.{told.name}", "message": told.message, "frames": frames}


def _as_text(told: ExceptionSummary) -> str:
    shown = _as_json(told)
    head = f"{shown['type']}: {_inert(told.message)}"
    return "\n".join([head, *(f"    {_inert(frame)}" for frame in shown["frames"])])
