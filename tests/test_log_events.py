"""Test the names of log events, and that the documents name only events that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from ragbot.config import PROJECT_ROOT
from ragbot.observability.metrics import METRICS

# Methods of a structlog logger; `level` is one of them in a variable.
LOGGING_CALLS = frozenset(("debug", "info", "warning", "error", "log", "level"))
_EVENT = re.compile(r"[a-z]+(?:_[a-z]+)*")
_NAME_IN_CODE = re.compile(r"`([a-z]+(?:_[a-z]+)+)(?:\{[^`]*\})?`")
_OPERATORS_COLUMN = 3


def events_in(source: str) -> Iterator[str]:
    """Yield the events of all logging calls in a module's source, both of a conditional expression."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (event := _event_of(node)) is not None:
            for part in ast.walk(event):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def _event_of(call: ast.Call) -> ast.expr | None:
    """Return the argument that names the event, or None if the call is no logging call."""
    function = call.func
    is_of_log = isinstance(function, ast.Attribute) and ast.unparse(function.value) == "log"
    name = function.attr if isinstance(function, ast.Attribute) and is_of_log else ""
    if isinstance(function, ast.Name) and function.id == "level":
        name = function.id
    # `log.log` has the level before the event.
    place = 1 if name == "log" else 0
    return call.args[place] if name in LOGGING_CALLS and len(call.args) > place else None


def operators_names(table: str) -> Iterator[str]:
    """Yield the names in the column that says what an operator sees."""
    for line in table.splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) > _OPERATORS_COLUMN + 1:
            yield from _NAME_IN_CODE.findall(cells[_OPERATORS_COLUMN])


@pytest.fixture(scope="module")
def events() -> frozenset[str]:
    """Return the events of all modules."""
    return frozenset(
        event
        for path in (PROJECT_ROOT / "ragbot").rglob("*.py")
        for event in events_in(path.read_text(encoding="utf-8"))
    )


def test_events_are_plain_names(events: frozenset[str]) -> None:
    """Filters and searches of logs are built on them."""
    assert len(events) > 30
    assert [event for event in events if not _EVENT.fullmatch(event)] == []


def test_failure_table_names_events_and_metrics_that_exist(events: frozenset[str]) -> None:
    """An operator searches the log for what the document names."""
    table = (PROJECT_ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")

    named = set(operators_names(table))

    assert len(named) > 10
    assert named - events - METRICS.keys() == set()


@pytest.mark.parametrize("event", ["trace_export_failed", "tracing_disabled", "error_reports_disabled"])
def test_runbooks_filter_finds_the_events_of_traces_and_error_reports(
    event: str, events: frozenset[str]
) -> None:
    """It is the only way to see why there are none."""
    runbook = (PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")

    (pattern,) = re.findall(r'test\("(.+?)"\)', runbook)

    assert event in events
    assert re.search(pattern.replace(r"\|", "|"), event)


def test_event_that_is_missing_is_noticed() -> None:
    """A check that cannot fail protects nothing."""
    calls = ['log.info("a_b")', 'level("c_d", x=1)', 'log.bind("e_f")', 'other.info("g_h")']
    source = "\n".join((*calls, 'log.error("i" if done else "j")', 'log.log(20, "k")'))

    assert list(events_in(source)) == ["a_b", "c_d", "i", "j", "k"]
    assert list(operators_names("| a | b | `c_d`; `e_f{x}` | `g_h` |")) == ["c_d", "e_f"]
