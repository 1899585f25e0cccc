"""Build the OpenAPI document and serve it as `/openapi.json`, `/docs` and `/redoc`."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import orjson
import yaml
from flask import Blueprint, Response, current_app, render_template
from flask_openapi import OpenAPI

from ragbot.core.errors import AnswerCut
from ragbot.server.early_errors import DETAILS
from ragbot.server.problem_details import PROBLEM_JSON, problem_details
from ragbot.web.errors import problem_of
from ragbot.web.problem_catalog import (
    OF_NO_OPERATION,
    PROBLEMS,
    asks_to_wait,
    example_problem,
    status_of,
)

# The newest that both viewers read.
OPENAPI_VERSION = "3.1.0"

OVERLAY = Path(__file__).with_name("openapi_overlay.yaml")

_REQUEST_ID, _RETRY_AFTER = "X-Request-ID", "Retry-After"
_RATE_LIMITS = tuple(
    f"{prefix}-{name}" for prefix in ("RateLimit", "X-RateLimit") for name in ("Limit", "Remaining", "Reset")
)
_EXAMPLE_ID = "3f0c9d2b7a"
_WITHOUT_RATE_LIMIT = ("/health", "/metrics")

documentation = Blueprint("documentation", __name__)

# ReDoc creates two style elements as it draws, an empty one among them: they are known by their hashes.
_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' " + _STYLES + "; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self' data:; worker-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


@documentation.get("/openapi.json")
def document() -> Response:
    """Serve the document itself."""
    body = orjson.dumps(api_document(cast(OpenAPI, current_app)), option=orjson.OPT_SORT_KEYS)
    return Response(body, mimetype="application/json")


@documentation.get("/docs")
def swagger() -> Response:
    """Serve the page to try the API by hand."""
    return _page("swagger.html")


@documentation.get("/redoc")
def redoc() -> Response:
    """Serve the page to read."""
    return _page("redoc.html")


def _page(template: str) -> Response:
    return Response(render_template(template), headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def api_document(app: OpenAPI) -> dict[str, Any]:
    """Build the OpenAPI document: the views' part by flask-openapi, the overlay, and each one's problems."""
    document = copy.deepcopy(cast("dict[str, Any]", app.api_doc))
    document["openapi"] = OPENAPI_VERSION
    for _operation, described in _operations(document):
        # The framework gives one to each operation.
        described["responses"].pop(app.validation_error_status)
    overlay = copy.deepcopy(_overlay())
    examples = overlay.pop("examples")
    _merge(document, overlay)
    for operation, described in _operations(document):
        for response in described["responses"].values():
            response.setdefault("headers", {}).update(_usual_headers(operation))
        _merge(described["responses"], _problem_responses(operation))
        described.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{_REQUEST_ID}"})
    _add_examples(document, examples)
    document["components"]["responses"] = _refusals_of_methods() | _share_responses(document)
    document["components"]["parameters"] |= _share_parameters(document)
    return document


@cache
def _overlay() -> dict[str, Any]:
    overlay: dict[str, Any] = yaml.safe_load(OVERLAY.read_text(encoding="utf-8"))
    return overlay


def _merge(into: dict[str, Any], added: Mapping[str, Any]) -> None:
    """Merge `added` into `into` at each depth; `added` wins."""
    for name, value in added.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each operation as `GET /health`, with its description."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield f"{method.upper()} {path}", described


def _add_examples(document: dict[str, Any], examples: Mapping[str, Mapping[str, Any]]) -> None:
    operations = dict(_operations(document))
    for place, values in examples.items():
        operation, _, side = place.rpartition(" ")
        described = operations[operation]
        body = described["requestBody"] if side == "request" else described["responses"][side]
        for media_type, content in body["content"].items():
            is_answer = media_type == "text/event-stream" and "answered" in values
            # What the overlay has next to a schema of its own is for that media type.
            content.setdefault(
                "examples", _named(stream_examples(values["answered"]) if is_answer else values)
            )


def stream_examples(answer: Mapping[str, Any]) -> dict[str, str]:
    """Write the answer as a stream of events that ends well, and as one that breaks off."""
    found = {name: answer[name] for name in ("session_id", "message_id", "sources")}
    first, *rest = answer["answer"].partition(" is ")
    said = [("delta", {"text": first}), ("delta", {"text": "".join(rest)})]
    problem = problem_of(AnswerCut("The model broke off in the middle of its answer."))
    broken = problem | {"request_id": _EXAMPLE_ID}
    streams: dict[str, list[tuple[str, Mapping[str, Any]]]] = {
        "answered": [("sources", found), *said, ("done", answer)],
        "broken off": [("sources", found), ("thinking", {}), *said, ("error", broken)],
    }
    return {name: _written(events) for name, events in streams.items()}


def _written(events: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Write events with their ids, the number of the answer's characters that were sent."""
    chars, written = 0, ""
    for event, data in events:
        chars += len(data["text"]) if event == "delta" else 0
        written += f"event: {event}\nid: {chars}\ndata: {json.dumps(data)}\n\n"
    return written


def _problem_responses(operation: str) -> dict[str, Any]:
    """Describe the problems that an operation may end in, and gunicorn's own, by status."""
    responses: dict[str, Any] = {}
    for kind in PROBLEMS[operation]:
        status = status_of(kind)
        response = responses.setdefault(
            str(status), _problem_response(HTTPStatus(status).phrase, _usual_headers(operation))
        )
        if asks_to_wait(kind):
            response["headers"] |= _references(_RETRY_AFTER)
        _add_problem(response, example_problem(kind, operation))
    for status, detail in DETAILS.items():
        response = responses.setdefault(str(status), _problem_response(detail, _references(_REQUEST_ID)))
        phrase = HTTPStatus(status).phrase
        _add_problem(response, problem_details("invalid_request", phrase, status, detail, request_id=""))
    return responses


def _refusals_of_methods() -> dict[str, Any]:
    """Describe what no operation answers: a method that an address does not have."""
    headers = _references(_REQUEST_ID) | {
        "Allow": {"description": "The methods that the address takes.", "schema": {"type": "string"}}
    }
    response = _problem_response(HTTPStatus.METHOD_NOT_ALLOWED.phrase, headers)
    for kind in OF_NO_OPERATION:
        _add_problem(response, example_problem(kind))
    return {str(int(HTTPStatus.METHOD_NOT_ALLOWED)): response}


def _problem_response(description: str, headers: dict[str, Any]) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
    return {"description": description, "headers": headers, "content": {PROBLEM_JSON: content}}


def _add_problem(response: dict[str, Any], problem: dict[str, Any]) -> None:
    value = {"value": problem | {"request_id": _EXAMPLE_ID}}
    response["content"][PROBLEM_JSON]["examples"].setdefault(problem["code"], value)


def _usual_headers(operation: str) -> dict[str, Any]:
    path = operation.partition(" ")[2]
    return _references(_REQUEST_ID, *(() if path.startswith(_WITHOUT_RATE_LIMIT) else _RATE_LIMITS))


def _references(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _share_responses(document: dict[str, Any]) -> dict[str, Any]:
    """Replace responses that several operations have by references. Returns them by their names."""
    all_responses = [described["responses"] for _operation, described in _operations(document)]
    counts = Counter(_key(status, one) for responses in all_responses for status, one in responses.items())
    names: dict[str, str] = {}
    for key, count in counts.most_common():
        # Of different ones with one name, the most frequent has it.
        if count > 1 and (name := _name(*json.loads(key))) not in names.values():
            names[key] = name
    shared: dict[str, Any] = {}
    for responses in all_responses:
        for status, response in responses.items():
            if name := names.get(_key(status, response), ""):
                shared[name] = response
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _share_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Replace parameters that several operations have by references. Returns them by their names."""
    all_parameters = [described["parameters"] for _operation, described in _operations(document)]
    counts = Counter(json.dumps(one, sort_keys=True) for parameters in all_parameters for one in parameters)
    shared: dict[str, Any] = {}
    for key, count in counts.most_common():
        parameter = json.loads(key)
        # Of different ones with one name, the most frequent has it.
        if count > 1 and "$ref" not in parameter:
            shared.setdefault(parameter["name"], parameter)
    for parameters in all_parameters:
        for number, parameter in enumerate(parameters):
            if parameter == shared.get(parameter.get("name", "")):
                parameters[number] = {"$ref": f"#/components/parameters/{parameter['name']}"}
    return shared


def _key(status: str, response: dict[str, Any]) -> str:
    return json.dumps([status, response], sort_keys=True)


def _name(status: str, response: dict[str, Any]) -> str:
    return "-".join((status, *response.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {})))


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}
