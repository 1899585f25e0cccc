"""Test how books that are sent over HTTP are refused or accepted, before a process ingests them."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from ragbot.extensions import db
from ragbot.ingestion.upload_folder import new_upload_folder
from ragbot.services import warm
from tests.conftest import AppMaker

KEY = "nE3-rQ8xv2LwZk5TbY1p"


@pytest.fixture
def operator(make_app: AppMaker, tmp_path: Path) -> FlaskClient:
    """Return a caller of an app with an admin key."""
    return make_app({"ADMIN_API_KEY": KEY, "INGEST_DIR": str(tmp_path / "sent")}).test_client()


def sent(client: FlaskClient, body: bytes = b"PK\x03\x04", query: str = "", **headers: str):
    given = {"X-API-Key": KEY, "Content-Type": "application/zip", **headers}
    return client.post(f"/admin/ingest{query}", data=body, headers=given)


def test_there_is_no_such_address_without_a_key(client: FlaskClient) -> None:
    """What is not set up must not be there to be tried."""
    assert sent(client).status_code == 404
    assert client.get("/admin/ingest/x", headers={"X-API-Key": ""}).status_code == 404


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], "\xff"])
def test_key_is_asked_for_before_anything_is_looked_at(operator: FlaskClient, key: str) -> None:
    """A wrong query or type is told to nobody who has no key."""
    for query in ("", "?nonsense=1"):
        assert sent(operator, query=query, **{"X-API-Key": key}).json["code"] == "unauthorized"
        assert operator.get(f"/admin/ingest/x{query}", headers={"X-API-Key": key}).status_code == 401


def test_wrong_keys_are_counted_and_in_a_quota_of_their_own(make_app: AppMaker) -> None:
    """Keys are tried by machines, and trying them must not lock sessions out."""
    settings = {"ADMIN_API_KEY": KEY, "RATE_LIMIT_ENABLED": True, "RATE_LIMIT_OTHERS_PER_MINUTE": 3}
    client = make_app(settings).test_client()

    tried = [sent(client, **{"X-API-Key": "wrong"}).status_code for _ in range(4)]

    assert tried == [401, 401, 401, 429]
    assert sent(client).status_code == 429
    assert client.post("/sessions").status_code == 201


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"PK\x03\x04", "application/x-www-form-urlencoded"),
        (b"PK\x03\x04", "multipart/form-data; boundary=x"),
        (b"PK\x03\x04", ""),
        (b"Rar!\x1a\x07\x00", "application/zip"),
        (b"%PDF-1.7", "application/gzip"),
        (b"", "application/zip"),
    ],
)
def test_what_is_no_archive_is_refused(operator: FlaskClient, tmp_path: Path, body: bytes, kind: str) -> None:
    """The type says what is meant, and the first bytes what it is."""
    reply = sent(operator, body, **{"Content-Type": kind})

    assert (reply.status_code, reply.json["code"]) == (415, "unsupported_media_type")
    assert list(tmp_path.glob("sent/*")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?site_url=javascript:alert(1)", "site_url"),
        ("?site_url=book.test", "site_url"),
        ("?site_url=http://[", "site_url"),
        ("?edition=%20", "edition"),
        ("?edition=a%0Ab", "edition"),
        (f"?edition={'x' * 101}", "edition"),
        ("?title=a%00b", "title"),
        ("?strict=perhaps", "strict"),
        ("?sit_url=https://book.test", "sit_url"),
    ],
)
def test_what_is_said_of_the_book_is_checked(operator: FlaskClient, query: str, field: str) -> None:
    """Before megabytes are taken; a typo is never ignored in silence."""
    reply = sent(operator, query=query)

    assert reply.status_code == 422
    assert [fault["field"] for fault in reply.json["errors"]] == [field]


@pytest.mark.parametrize("job_id", ["unknown", "x" * 200, "..", "%00"])
def test_unknown_job_is_not_found(operator: FlaskClient, job_id: str) -> None:
    """Whatever it looks like."""
    reply = operator.get(f"/admin/ingest/{job_id}", headers={"X-API-Key": KEY})

    assert (reply.status_code, reply.json["code"]) == (404, "not_found")


def test_numbers_are_told_while_the_jobs_cannot_be_counted(make_app: AppMaker) -> None:
    """A migration that is missing is seen by the very alerts that would go silent with it."""
    app = make_app()
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE ingest_jobs"))

    reply = app.test_client().get("/metrics")

    assert reply.status_code == 200
    assert 'ingest_jobs{status="failed"}' not in reply.text


def test_start_takes_away_what_a_killed_server_left(make_app: AppMaker, tmp_path: Path) -> None:
    """Half a book in the temporary folder is nobody's."""
    app = make_app({"INGEST_DIR": str(tmp_path / "sent")})
    upload = new_upload_folder(tmp_path / "sent")
    upload.archive.write_bytes(b"PK")
    upload.release()

    warm(app)

    assert list((tmp_path / "sent").iterdir()) == []


def test_no_page_of_another_origin_may_send_a_book(make_app: AppMaker) -> None:
    """Not even the book's own: the key is for builds."""
    client = make_app({"ADMIN_API_KEY": KEY, "ALLOWED_ORIGINS_STR": "https://book.test"}).test_client()
    asked = {"Origin": "https://book.test", "Access-Control-Request-Method": "POST"}

    preflight = client.options("/admin/ingest", headers=asked)
    reply = client.get("/admin/ingest/x", headers={"X-API-Key": KEY, "Origin": "https://book.test"})

    for answer in (preflight, reply):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
