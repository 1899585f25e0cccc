"""Test the running app against its OpenAPI document with schemathesis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from harness.gunicorn_process import GunicornProcess
from ragbot import create_app
from ragbot.config import PROJECT_ROOT
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import DatabaseMaker
from tests.fuzzing import FACTOR, fuzz

KEY = "an-operators-key-of-23-x"
EXAMPLES = 2

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
]

# Its own words about what it generates, and its dependencies', are no fault of ours.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.sqlite_is_enough]


@pytest.fixture(scope="module")
def server(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornProcess]:
    """Two workers with the three-chapter book, an admin key, and quotas that are told and never reached."""
    folder = tmp_path_factory.mktemp("schemathesis")
    with new_database(folder) as url:
        env = {
            "DATABASE_URL": url,
            "INDEX_DIR": str(folder),
            "EMBEDDER": "none",
            "ENVIRONMENT": "testing",
        }
        app = create_app(env)
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        with app.app_context():
            db.engine.dispose()
        quotas = {
            "RATE_LIMIT_ENABLED": "true",
            "RATE_LIMIT_QUERIES_PER_MINUTE": "100000",
            "RATE_LIMIT_QUERIES_PER_DAY_PER_IP": "100000",
            "RATE_LIMIT_OTHERS_PER_MINUTE": "100000",
        }
        with GunicornProcess(env | quotas | {"ADMIN_API_KEY": KEY}, workers=2) as running:
            yield running


schemathesis.serializer.alias(
    ["application/zip", "application/gzip", "application/x-gzip", "application/x-tar+gzip"],
    "application/octet-stream",
)


@pytest.fixture
def document(request: pytest.FixtureRequest) -> BaseSchema:
    """Return the committed document; another test holds it against the one that the app serves."""
    # schemathesis reads the name that the attribute had in pytest 9.1.
    request.node._nodeid = request.node.nodeid
    schema = schemathesis.openapi.from_path(PROJECT_ROOT / "docs" / "openapi.json")
    schema.config.generation.update(max_examples=EXAMPLES * FACTOR, deterministic=FACTOR == 1)
    # A nonsense that is also too long may be refused for its length, by the app or by gunicorn.
    schema.config.checks.negative_data_rejection.expected_statuses += ["410", "413", "414", "431"]
    return schema


# A subtest for each operation. They take seconds to make, so not when tests are collected.
operations = schemathesis.pytest.from_fixture("document")


@operations.parametrize()
@fuzz(EXAMPLES)
def test_every_reply_is_told_of_in_the_document(case: schemathesis.Case, server: GunicornProcess) -> None:
    """Its status, media type, headers and shape; with the key, so that admin calls are reached."""
    # Of admin calls nobody learns which methods there are: 404.
    hidden = [unsupported_method] if case.path.startswith("/admin") else []
    case.call_and_validate(server.url, checks=CHECKS, excluded_checks=hidden, headers={"X-API-Key": KEY})
