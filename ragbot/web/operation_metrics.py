"""Export the metrics of each operation of the API from the first scrape on, before it was called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask_openapi import APIBlueprint

from ragbot.core.errors import RagbotError
from ragbot.observability.metrics import Metrics
from ragbot.web.errors import HTTP_CODES
from ragbot.web.problem_catalog import PROBLEMS, status_of

METHODS = ("get", "post", "put", "delete")
QUESTION = "POST /query"


def start_operation_metrics(blueprints: Iterable[APIBlueprint], metrics: Metrics) -> None:
    """Start the counters of each operation, of each of its statuses, and of each error of a question."""
    for blueprint in blueprints:
        for path, method, succeeds in _operations(blueprint):
            # As Flask writes the rule of a route.
            labels = {"method": method, "endpoint": path.replace("{", "<").replace("}", ">")}
            failures = {str(status_of(kind)) for kind in PROBLEMS[f"{method} {path}"]}
            metrics.start_at_zero("http_request_duration_seconds", **labels)
            for status in succeeds | failures:
                metrics.start_at_zero("http_requests_total", **labels, status=status)
    for code in question_error_codes():
        metrics.start_at_zero("query_errors_total", code=code)


def question_error_codes() -> set[str]:
    """Return every code that a question may end with, also those that only the log and the metrics name."""
    kinds = [kind for kind in PROBLEMS[QUESTION] if issubclass(kind, RagbotError)]
    of_http = {HTTP_CODES[status_of(kind)] for kind in PROBLEMS[QUESTION] if status_of(kind) in HTTP_CODES}
    return {RagbotError.code, *of_http, *(kind.code for found in kinds for kind in _with_subclasses(found))}


def _operations(blueprint: APIBlueprint) -> Iterator[tuple[str, str, set[str]]]:
    """Yield each operation's path, its method, and the statuses with which it succeeds."""
    for path, item in blueprint.paths.items():
        for method in METHODS:
            if operation := getattr(item, method):
                yield path, method.upper(), set(operation.responses)


def _with_subclasses(kind: type[RagbotError]) -> Iterator[type[RagbotError]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _with_subclasses(subclass)
