"""Test the tokens of pages: who gets one, what it is good for, and how questions are counted with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ragbot.core.errors import ConfigurationError
from ragbot.web.middleware.widget_tokens import WidgetTokens
from tests.conftest import AppMaker

pytestmark = pytest.mark.sqlite_is_enough

SITE, OTHER, STRANGER = "https://book.example", "https://docs.example", "https://evil.example"
SECRET = "q8Zr-2Lw9-Xk47-uTn3"
QUESTION = {"query": "How long is the cheddar ripened?"}

Serve = Callable[..., FlaskClient]


@pytest.fixture
def serve(book_from_the_start: None, make_app: AppMaker) -> Serve:
    """Make callers of an app that asks for tokens; settings by name."""

    def make(**settings: Any) -> FlaskClient:
        defaults = {
            "WIDGET_TOKEN_MINUTES": 30,
            "SECRET_KEY": SECRET,
            "ALLOWED_ORIGINS_STR": f"{SITE},{OTHER}",
        }
        return make_app({**defaults, **settings}).test_client()

    return make


def token_for(client: FlaskClient, origin: str = SITE, **headers: str) -> str:
    reply = client.post("/widget/token", headers={"Origin": origin, **headers})
    assert reply.status_code == 200, reply.json
    token: str = reply.json["token"]
    return token


def asked(client: FlaskClient, token: str | None, origin: str | None = SITE) -> TestResponse:
    headers = {"X-Ragbot-Token": token, "Origin": origin}
    return client.post("/query", json=QUESTION, headers={n: v for n, v in headers.items() if v is not None})


def test_page_with_a_token_may_ask(serve: Serve) -> None:
    """It is what the token is for."""
    client = serve()

    reply = client.post("/widget/token", headers={"Origin": SITE})

    assert reply.json.keys() == {"token", "expires_in"}
    assert reply.json["expires_in"] == 1800
    assert reply.headers["Access-Control-Allow-Origin"] == SITE
    assert asked(client, reply.json["token"]).status_code == 200
    assert client.get("/book").json["widget_token"] == {"required": True}


@pytest.mark.parametrize("token", [None, "", "nonsense", "WyJodHRwcyJd.aRk0xg.w3c9Vb2Q1mTz"])
def test_question_without_a_token_is_refused(serve: Serve, token: str | None) -> None:
    """A script that copies the address must at least ask for one."""
    reply = asked(serve(), token)

    assert (reply.status_code, reply.json["code"]) == (403, "widget_token_required")
    assert reply.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize("origin", [OTHER, STRANGER, None])
def test_token_is_good_on_pages_of_its_origin_alone(serve: Serve, origin: str | None) -> None:
    """Another site must not live on it."""
    client = serve()

    reply = asked(client, token_for(client), origin)

    assert (reply.status_code, reply.json["code"]) == (403, "widget_token_required")


def test_token_ends(serve: Serve) -> None:
    """One that was copied is worthless soon."""
    expired = WidgetTokens(SECRET, lifetime_s=-1)
    token = expired.issue(SITE)

    assert expired.session_of(token, SITE) is None
    assert WidgetTokens(SECRET, lifetime_s=60).session_of(token, SITE) is not None


def test_token_of_another_secret_is_worth_nothing(serve: Serve) -> None:
    """Or everybody could make them."""
    token = WidgetTokens("another-secret-of-ours", lifetime_s=60).issue(SITE)

    assert asked(serve(), token).status_code == 403


@pytest.mark.parametrize("origin", [STRANGER, "null", "", "http://[x"])
def test_stranger_s_page_gets_no_token(serve: Serve, origin: str) -> None:
    """Readers of other sites are theirs."""
    reply = serve().post("/widget/token", headers={"Origin": origin} if origin else {})

    assert (reply.status_code, reply.json["code"]) == (403, "origin_not_allowed")


def test_own_pages_get_one_too(serve: Serve) -> None:
    """The page at /ask is of the service's own origin."""
    client = serve()

    assert asked(client, token_for(client, "http://localhost"), "http://localhost").status_code == 200


def test_page_that_renews_its_token_stays_in_its_session(serve: Serve) -> None:
    """A new token must be no new quota."""
    client = serve()
    tokens = WidgetTokens(SECRET, lifetime_s=60)
    first = token_for(client)

    renewed = token_for(client, **{"X-Ragbot-Token": first})
    another = token_for(client)

    assert tokens.session_of(renewed, SITE) == tokens.session_of(first, SITE)
    assert tokens.session_of(another, SITE) != tokens.session_of(first, SITE)


def test_questions_are_counted_by_page_under_a_ceiling_for_the_address(serve: Serve) -> None:
    """A classroom behind one address is not locked out by its third question; one reader is."""
    client = serve(
        RATE_LIMIT_ENABLED=True,
        RATE_LIMIT_QUERIES_PER_MINUTE=2,
        RATE_LIMIT_QUERIES_PER_MINUTE_PER_NETWORK=5,
    )
    pupils = [token_for(client) for _ in range(3)]

    one = [asked(client, pupils[0]).status_code for _ in range(3)]
    others = [asked(client, pupils[n]).status_code for n in (1, 1, 2, 2)]

    assert one == [200, 200, 429]
    # Five in all: the first pupil's third question cost the others nothing.
    assert others == [200, 200, 200, 429]


def test_guesses_are_counted_by_address(serve: Serve) -> None:
    """Each would be a session of its own."""
    client = serve(RATE_LIMIT_ENABLED=True, RATE_LIMIT_QUERIES_PER_MINUTE=2)

    assert [asked(client, f"guess-{n}").status_code for n in range(3)] == [403, 403, 429]


def test_console_asks_without_a_token(serve: Serve) -> None:
    """It has its own password, and whoever saw the page has given it."""
    client = serve()
    before = client.post("/query", json=QUESTION).status_code

    client.get("/")
    cookie = client.get_cookie("ragbot_console")

    assert before == 403
    assert client.post("/query", json=QUESTION).status_code == 200
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Strict", "/")


def test_page_s_token_is_no_console_s_cookie(serve: Serve) -> None:
    """It would be good everywhere, and for longer."""
    client = serve()
    client.set_cookie("ragbot_console", token_for(client))

    assert client.post("/query", json=QUESTION).status_code == 403


def test_without_the_password_there_is_no_cookie(serve: Serve) -> None:
    """The refusal must not admit."""
    client = serve(CONSOLE_PASSWORD="korrekt-pferd-9")

    client.get("/")

    assert client.get_cookie("ragbot_console") is None


def test_where_no_tokens_are_asked_for_nothing_changes(client: FlaskClient) -> None:
    """Most operators need none."""
    client.get("/")

    assert client.post("/query", json=QUESTION).status_code == 200
    assert client.post("/widget/token", headers={"Origin": "http://localhost:3000"}).status_code == 404
    assert client.get("/book").json["widget_token"] == {"required": False}
    assert client.get_cookie("ragbot_console") is None


def test_tokens_need_a_secret_that_all_workers_share(make_app: AppMaker) -> None:
    """A random one would refuse what the other worker has signed."""
    with pytest.raises(ConfigurationError, match="WIDGET_TOKEN_MINUTES: needs SECRET_KEY"):
        make_app({"WIDGET_TOKEN_MINUTES": 5})


def test_weak_secret_is_refused_in_production(make_app: AppMaker) -> None:
    """Who guesses it signs tokens of her own."""
    with pytest.raises(ConfigurationError, match="SECRET_KEY: must have at least 16 characters"):
        make_app({"ENVIRONMENT": "production", "SECRET_KEY": "short"})
