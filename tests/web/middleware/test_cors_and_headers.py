"""Test CORS, the headers of responses, and who may see the console."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from sqlalchemy import text

from ragbot.extensions import db
from ragbot.server.security_headers import ALWAYS
from ragbot.web.pages.console import CONTENT_SECURITY_POLICY as CONSOLE_POLICY
from tests.conftest import AppMaker
from tests.databases import DatabaseMaker
from tests.served import keyless_app

pytestmark = pytest.mark.sqlite_is_enough

BOOK = "https://book.example"
STRANGER = "https://evil.example"
PASSWORD = "korrekt-pferd-9"
OPEN = [
    "/query",
    "/sessions",
    "/sessions/x",
    "/sessions/x/export",
    "/health",
    "/health/ready",
    "/book",
    "/books",
    "/widget/token",
]
CLOSED = ["/", "/docs", "/openapi.json", "/metrics", "/admin/sessions", "/static/console.css", "/queryx"]


@pytest.fixture(scope="module")
def served(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAPI]:
    """Yield an app that the book's own site may use."""
    with keyless_app(new_database, tmp_path_factory.mktemp("cors"), {"ALLOWED_ORIGINS_STR": BOOK}) as app:
        yield app


@pytest.fixture
def page(served: OpenAPI) -> FlaskClient:
    """Return a caller of that app, which keeps nothing of what is asked here."""
    return served.test_client()


def preflight(client: FlaskClient, path: str, origin: str, method: str = "POST"):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type, idempotency-key, last-event-id, x-ragbot-token, "
        "x-request-id, accept, x-api-key",
    }
    return client.options(path, headers=headers)


def test_address_in_brackets_is_an_origin_like_any_other(make_app: AppMaker) -> None:
    """The library takes it for a pattern."""
    client = make_app({"ALLOWED_ORIGINS_STR": "http://[::1]:3000"}).test_client()
    strangers = (
        "http://1:3000",
        "http://::3000",
        "http://1:3000.evil.example",
        "http://[::1]:3000.evil.example",
    )

    own = client.get("/health", headers={"Origin": "http://[::1]:3000"})
    others = [client.get("/health", headers={"Origin": origin}) for origin in strangers]

    assert own.headers["Access-Control-Allow-Origin"] == "http://[::1]:3000"
    assert not any("Access-Control-Allow-Origin" in reply.headers for reply in others)


@pytest.mark.parametrize("path", ["/sessions//x", "//sessions/x", "//evil.example/%2e%2e"])
def test_address_that_is_nearly_one_leads_nowhere(page: FlaskClient, path: str) -> None:
    """The framework would answer with a page, and with a host that the caller chose."""
    reply = page.open(path, headers={"Host": "evil.example"})

    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")
    assert "Location" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/sessions"), ("DELETE", "/sessions/x"), ("GET", "/health")]
)
def test_body_that_nobody_reads_is_refused_too(page: FlaskClient, method: str, path: str) -> None:
    """A gigabyte need not be sent to be thrown away."""
    reply = page.open(path, method=method, data=b"x" * (64 * 1024 + 1))

    assert (reply.status_code, reply.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", OPEN)
def test_book_s_site_may_read_every_answer_errors_too(page: FlaskClient, path: str) -> None:
    """A page that cannot read the error cannot tell its reader anything."""
    reply = page.get(path, headers={"Origin": BOOK})

    assert reply.headers["Access-Control-Allow-Origin"] == BOOK
    assert "Access-Control-Allow-Credentials" not in reply.headers
    exposed = reply.headers["Access-Control-Expose-Headers"]
    assert all(
        name in exposed for name in ("X-Request-ID", "RateLimit-Reset", "X-RateLimit-Limit", "Retry-After")
    )


@pytest.mark.parametrize(
    "origin",
    [
        *(
            STRANGER,
            "null",
            "http://book.example",
            "https://book.example:8443",
            "https://book.example.evil.example",
        ),
        *("https://xbook.example", "https://bookxexample", "https://book.example/"),
    ],
)
def test_other_origins_are_told_nothing(page: FlaskClient, origin: str) -> None:
    """An origin is the whole of scheme, host and port."""
    replies = [page.get("/health", headers={"Origin": origin}), preflight(page, "/query", origin)]

    assert not any(name.startswith("Access-Control") for reply in replies for name, _ in reply.headers)


@pytest.mark.parametrize("path", CLOSED)
def test_everything_else_is_closed_to_other_pages(page: FlaskClient, path: str) -> None:
    """Console, documentation, metrics and admin calls are for their own page."""
    reply = page.get(path, headers={"Origin": BOOK}, buffered=True)

    assert "Access-Control-Allow-Origin" not in reply.headers


def test_preflight_allows_what_a_reader_s_page_sends_and_no_more(page: FlaskClient) -> None:
    """The admin key is not among it."""
    reply = preflight(page, "/query", BOOK)

    allowed = {name.strip().lower() for name in reply.headers["Access-Control-Allow-Headers"].split(",")}
    assert reply.status_code == 200
    assert allowed == {
        *("content-type", "idempotency-key", "last-event-id", "x-ragbot-token", "x-request-id", "accept"),
    }
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_preflight_lets_a_page_delete_and_rate(page: FlaskClient, method: str) -> None:
    """Both are in the contract."""
    reply = preflight(page, "/sessions/x", BOOK, method)

    assert method in reply.headers["Access-Control-Allow-Methods"]


def test_wildcard_of_development_is_a_star_without_credentials(make_app: AppMaker) -> None:
    """An echoed origin could be used with cookies one day."""
    client = make_app({"ALLOWED_ORIGINS_STR": "*"}).test_client()

    reply = client.get("/health", headers={"Origin": STRANGER})

    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("path", [*OPEN, *CLOSED])
def test_every_response_has_every_header_once(page: FlaskClient, path: str) -> None:
    """Errors and static files too."""
    reply = page.get(path, buffered=True)

    assert {name: len(reply.headers.getlist(name)) for name in ALWAYS} == dict.fromkeys(ALWAYS, 1)
    assert "unsafe-inline" not in reply.headers["Content-Security-Policy"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_console_keeps_its_own_policy(page: FlaskClient) -> None:
    """It is a page and needs scripts; the rest is not and needs none."""
    assert page.get("/").headers["Content-Security-Policy"] == CONSOLE_POLICY
    assert page.get("/health").headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_stream_keeps_its_own_cache_rules(client: FlaskClient) -> None:
    """A proxy that transforms would buffer."""
    reply = client.post("/query", json={"query": "How long does bread rise?", "stream": True})

    assert reply.mimetype == "text/event-stream"
    assert reply.headers.getlist("Cache-Control") == ["no-cache, no-transform"]
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert b"event: done" in reply.data


@pytest.mark.parametrize(("proxies", "told"), [(0, False), (1, True)])
def test_tls_is_demanded_only_where_it_is_spoken(make_app: AppMaker, proxies: int, told: bool) -> None:
    """A forged X-Forwarded-Proto must not lock a reader out of a plain server."""
    client = make_app({"TRUSTED_PROXIES": proxies}).test_client()

    reply = client.get("/health", headers={"X-Forwarded-Proto": "https"})

    assert ("Strict-Transport-Security" in reply.headers) is told


# --- the console's door ------------------------------------------------------------------------


def basic(password: str, user: str = "anyone") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


PRODUCTION = {"ENVIRONMENT": "production", "ALLOWED_ORIGINS_STR": BOOK}


def test_production_without_a_password_has_no_console(make_app: AppMaker) -> None:
    """Nobody opens it by forgetting something."""
    reply = make_app(PRODUCTION).test_client().get("/")

    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")


def test_development_has_an_open_console(page: FlaskClient) -> None:
    """It is there to try the bot."""
    assert page.get("/").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic(PASSWORD), 200),
        (basic(PASSWORD, user=""), 200),
        (basic("wrong"), 401),
        (basic(""), 401),
        (basic(PASSWORD + "x"), 401),
        (basic("pässwörd-ünd-mehr"), 401),
        ({"Authorization": "Basic !!!"}, 401),
        ({"Authorization": "Basic"}, 401),
        ({"Authorization": "Basic \xff"}, 401),
        ({"Authorization": f"Bearer {PASSWORD}"}, 401),
        ({"Authorization": f"Digest password={PASSWORD}"}, 401),
        ({"Authorization": "Basic " + b64encode(b"\xff\xfe:\xff").decode()}, 401),
    ],
)
def test_console_opens_with_its_password_alone(
    make_app: AppMaker, headers: dict[str, str], status: int
) -> None:
    """Whatever else is sent is refused, and never an error of ours."""
    client = make_app(PRODUCTION | {"CONSOLE_PASSWORD": PASSWORD}).test_client()

    reply = client.get("/", headers=headers)

    assert reply.status_code == status
    if status == 401:
        assert reply.mimetype == "application/problem+json"
        assert reply.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_password_outside_ascii_opens_too(make_app: AppMaker) -> None:
    """compare_digest takes no such text, only its bytes."""
    secret = "grüße-vom-käse-7"
    client = make_app(PRODUCTION | {"CONSOLE_PASSWORD": secret}).test_client()

    assert client.get("/", headers=basic(secret)).status_code == 200


def test_ten_wrong_passwords_a_minute_are_for_the_console_and_the_insights_together(
    make_app: AppMaker,
) -> None:
    """After one more even the right one has to wait, or a machine would go on guessing."""
    client = make_app(PRODUCTION | {"CONSOLE_PASSWORD": PASSWORD, "RATE_LIMIT_ENABLED": True}).test_client()
    pages = ("/", "/insights")
    for page in pages * 6:
        client.get(page)

    tries = [client.get(page, headers=basic("guess")).status_code for page in pages * 5]
    right = [client.get(page, headers=basic(PASSWORD)).status_code for page in pages]
    one_more = client.get("/insights/map", headers=basic("guess"))
    locked = [client.get(page, headers=basic(PASSWORD)) for page in pages]
    elsewhere = client.get("/", headers=basic(PASSWORD), environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert tries == [401] * 10
    assert right == [200, 200]
    assert [reply.status_code for reply in (one_more, *locked)] == [429] * 3
    assert locked[0].get_json()["code"] == "rate_limited"
    assert 0 < int(locked[1].headers["Retry-After"]) <= 60
    assert elsewhere.status_code == 200


@pytest.mark.parametrize("page", ["/", "/insights"])
def test_right_password_is_never_counted(make_app: AppMaker, page: str) -> None:
    """An author leafs as fast as she likes, and then may still mistype."""
    client = make_app(PRODUCTION | {"CONSOLE_PASSWORD": PASSWORD}).test_client()

    right = {client.get(page, headers=basic(PASSWORD)).status_code for _ in range(45)}
    tries = [client.get(page, headers=basic("wrong")).status_code for _ in range(11)]

    assert right == {200}
    assert tries == [401] * 10 + [429]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("limited", [True, False])
def test_no_method_and_no_setting_lets_passwords_be_tried_for_ever(
    make_app: AppMaker, method: str, limited: bool
) -> None:
    """A preflight is free only where other pages may call."""
    settings = {"CONSOLE_PASSWORD": PASSWORD, "RATE_LIMIT_ENABLED": limited}
    client = make_app(PRODUCTION | settings).test_client()

    tries = [client.open("/", method=method, headers=basic("wrong")).status_code for _ in range(12)]

    assert tries == [401] * 10 + [429] * 2


def test_passwords_are_counted_also_when_the_store_of_the_counters_is_away(make_app: AppMaker) -> None:
    """Questions go on then; guessing does not."""
    app = make_app(PRODUCTION | {"CONSOLE_PASSWORD": PASSWORD, "RATE_LIMIT_ENABLED": True})
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE quota_counts"))

    tries = [app.test_client().get("/", headers=basic("wrong")).status_code for _ in range(12)]

    assert tries == [401] * 10 + [429] * 2


def test_keys_of_the_operator_cannot_be_tried_for_ever(make_app: AppMaker) -> None:
    """Whatever the method."""
    settings = {"ADMIN_API_KEY": "an-operators-key-of-23-x", "RATE_LIMIT_ENABLED": True}
    client = make_app(settings | {"RATE_LIMIT_OTHERS_PER_MINUTE": 3}).test_client()

    tries = [client.options("/admin/sessions", headers={"X-API-Key": "wrong"}).status_code for _ in range(4)]

    assert tries == [401, 401, 401, 429]
