"""Test `/health`, which always answers, and `/health/ready`, which reports each part in time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ragbot.config import PROJECT_ROOT
from ragbot.core.errors import ProviderUnavailable, SearchUnavailable
from ragbot.core.ports import Generator
from ragbot.extensions import db
from ragbot.health.checks import health_checks
from ragbot.health.readiness import DATABASE_GRACE_S
from ragbot.health.runner import CHECK_TIMEOUT_S, CheckResult, HealthCheck, HealthChecks
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.parts import ScriptedGenerator, WordCountEmbedder

QUESTION = {"query": "How long is the cheddar ripened?"}
MIGRATIONS = ScriptDirectory(str(PROJECT_ROOT / "migrations"))


class PingedGenerator(ScriptedGenerator):
    """Counts its pings; one may fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__("Nine months [1].")
        self.failure = failure
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1
        if self.failure:
            raise self.failure


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Yield a port that takes connections and never says a word."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(50)
        yield deaf.getsockname()[1]


def with_book(app):
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url="https://book.test/")
    return app


@pytest.fixture
def break_database(request: pytest.FixtureRequest, app_database: str, tmp_path: Path) -> Callable[[], None]:
    """Take the database of the test's apps away, whoever is connected to it."""

    def broken() -> None:
        if app_database.startswith("postgresql"):
            request.getfixturevalue("postgres").drop(app_database)
            return
        for left in tmp_path.glob("ragbot.db*"):
            left.unlink()
        (tmp_path / "ragbot.db").write_bytes(b"no database" * 1000)

    return broken


# --- is the process up? ------------------------------------------------------------------------


def test_process_is_up_without_a_database(make_app: AppMaker) -> None:
    """A host that is told otherwise would restart it, which helps nobody."""
    client = make_app({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}).test_client()

    reply = client.get("/health")

    assert (reply.status_code, reply.json) == (200, {"status": "healthy"})


# --- could a question be answered? -------------------------------------------------------------


def test_ready_tells_each_part_and_the_book(client) -> None:
    """As the contract has it, neither more nor less."""
    reply = client.get("/health/ready")

    assert reply.status_code == 200
    assert reply.json.keys() == {"status", "version", "environment", "components", "book"}
    assert (reply.json["status"], reply.json["environment"]) == ("ok", "testing")
    parts = reply.json["components"]
    assert parts.keys() == {"database", "vector_store", "cache", "llm", "embeddings"}
    for part in parts.values():
        assert part.keys() == {"status", "latency_ms", "detail"}
        assert part["status"] == "ok"
    assert parts["database"]["latency_ms"] > 0
    assert parts["llm"]["detail"] == "extractive"
    assert parts["cache"]["detail"] == "none"
    assert reply.json["book"].keys() == {"edition", "sections", "chunks", "published_at"}
    assert (reply.json["book"]["edition"], reply.json["book"]["chunks"]) == ("first", 3)
    assert reply.json["book"]["published_at"].endswith("Z")


def test_without_a_book_it_is_down(make_app: AppMaker) -> None:
    """There is nothing to answer from."""
    reply = make_app().test_client().get("/health/ready")

    assert reply.status_code == 503
    assert (reply.json["status"], reply.json["book"]) == ("down", None)
    assert reply.json["components"]["database"]["status"] == "ok"


def test_missing_migrations_are_named(make_app: AppMaker, unmigrated_url: str) -> None:
    """The one thing that the operator has to do."""
    client = make_app({"DATABASE_URL": unmigrated_url}).test_client()

    reply = client.get("/health/ready")

    assert reply.status_code == 503
    assert reply.json["components"]["database"] == {
        "status": "down",
        "latency_ms": None,
        "detail": "run flask db upgrade",
    }


@pytest.mark.parametrize(
    ("revision", "status"), [(MIGRATIONS.get_bases()[0], "down"), ("of-a-later-program", "ok")]
)
def test_older_tables_are_down_and_later_ones_are_not(make_app, revision: str, status: str) -> None:
    """While one version takes over from another, the older program still serves."""
    app = with_book(make_app())
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :now"), {"now": revision})

    reply = app.test_client().get("/health/ready")

    assert reply.json["components"]["database"]["status"] == status


def test_vectors_of_another_embedder_ask_for_a_new_ingest(make_app: AppMaker) -> None:
    """Questions are then searched by words alone, which nobody would notice."""
    with_book(make_app())
    client = make_app(embedder=WordCountEmbedder()).test_client()

    reply = client.get("/health/ready")

    assert (reply.status_code, reply.json["status"]) == (200, "degraded")
    assert reply.json["components"]["embeddings"]["detail"] == "ingest again"


def test_model_that_is_down_degrades_and_is_seldom_asked(make_app: AppMaker) -> None:
    """The extractive one answers; and a provider counts how often it is asked."""
    generator = PingedGenerator(ProviderUnavailable("sk-secret is refused at http://10.0.0.1"))
    app = with_book(make_app(generator=generator))
    probe = llm_check(generator)

    reply = app.test_client().get("/health/ready")
    for _ in range(20):
        with suppress(ProviderUnavailable):
            probe.check()

    assert (reply.status_code, reply.json["status"]) == (200, "degraded")
    assert reply.json["components"]["llm"]["status"] == "down"
    assert "10.0.0.1" not in reply.text
    assert "sk-secret" not in reply.text
    assert generator.pings == 2


def test_model_that_is_left_alone_is_not_said_to_be_well() -> None:
    """Its list of models may answer while its answers fail."""
    generator = PingedGenerator()

    finding = llm_check(generator, {"gpt-4o": "status 401, invalid_api_key", "gpt-4o-mini": ""}).check()

    left_alone = "circuit open: gpt-4o (status 401, invalid_api_key), gpt-4o-mini"
    assert (finding, generator.pings) == (CheckResult("degraded", left_alone), 0)


def llm_check(generator: Generator, troubles: Mapping[str, str] = MappingProxyType({})) -> HealthCheck:
    store = SimpleNamespace(ping=lambda: None)
    published = SimpleNamespace(searchable=lambda _wait_s: None)
    parts = health_checks(
        store, None, generator, published=published, models=lambda: troubles, embeddings=dict
    )
    return parts["llm"]


def test_database_that_went_leaves_the_edition_in_hand(
    make_app: AppMaker, break_database: Callable[[], None]
) -> None:
    """A process that has searched before still can; one that has not has nothing."""
    warm, cold = with_book(make_app()), make_app()
    warm.test_client().post("/query", json=QUESTION)
    with warm.app_context():
        db.engine.dispose()
    break_database()

    warm_reply = warm.test_client().get("/health/ready")
    cold_reply = cold.test_client().get("/health/ready")

    assert warm_reply.json["components"]["database"]["status"] == "down"
    assert (warm_reply.status_code, warm_reply.json["status"]) == (200, "degraded")
    assert warm_reply.json["book"]["edition"] == "first"
    assert (cold_reply.status_code, cold_reply.json["status"]) == (503, "down")


@pytest.mark.parametrize(
    ("stand_in_chunks", "status", "detail"),
    [(0, 503, "no answer in time"), (1000, 200, "embedded index used instead")],
)
def test_deaf_vector_store_does_not_hold_up_the_answer(
    make_app: AppMaker,
    deaf_port: int,
    stand_in_chunks: int,
    status: int,
    detail: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host's probe gives up after a second."""
    monkeypatch.setitem(HealthChecks.__init__.__kwdefaults__, "timeout_s", CHECK_TIMEOUT_S)
    with_book(make_app())
    app = make_app(
        {
            "QDRANT_URL": f"http://127.0.0.1:{deaf_port}",
            "QDRANT_TIMEOUT_S": 60,
            "STAND_IN_CHUNKS": stand_in_chunks,
        }
    )
    # The client's import is no part of the measure.
    import qdrant_client  # noqa: F401

    started = time.monotonic()
    reply = app.test_client().get("/health/ready")
    took_s = time.monotonic() - started

    # (0.6 s, and more where a test machine is busy; the client itself would wait for a minute.)
    assert took_s < 30
    assert reply.status_code == status
    assert reply.json["components"]["vector_store"]["detail"] == detail
    assert str(deaf_port) not in reply.text


# --- how parts are asked -----------------------------------------------------------------------


def test_parts_are_asked_once_a_second_however_many_ask() -> None:
    """A probe must be no load."""
    clock, asked = Clock(), []
    probes = HealthChecks({"part": HealthCheck(lambda: asked.append(1))}, now=clock)

    for moved_s in (0, 0.5, 0.4, 0.2):
        clock.now += moved_s
        probes.results()

    assert len(asked) == 2


def test_part_that_hangs_is_down_and_never_asked_twice_at_once() -> None:
    """Threads that wait for it would pile up, one for each probe of an outage."""
    clock, release, asked = Clock(), threading.Event(), []

    def hang() -> None:
        asked.append(1)
        assert release.wait(30)

    probes = HealthChecks(
        {"deaf": HealthCheck(hang), "well": HealthCheck(lambda: None)}, timeout_s=0.05, now=clock
    )
    found = []
    for _ in range(5):
        found.append(probes.results())
        clock.now += 1
    hanging = [thread for thread in threading.enumerate() if thread.name == "ping-deaf"]
    release.set()
    hanging[0].join(60)
    after = probes.results()["deaf"]

    assert [finding["deaf"] for finding in found] == [CheckResult("down", "no answer in time")] * 5
    assert {finding["well"].status for finding in found} == {"ok"}
    assert len(hanging) == 1
    assert len(asked) == 2
    assert after.status == "ok"


def test_parts_that_hang_are_waited_for_together() -> None:
    """Sixty parts of 0.2 s each would be twelve seconds."""
    release = threading.Event()
    probes = HealthChecks(
        {f"part-{n}": HealthCheck(lambda: release.wait(30) and None) for n in range(60)}, timeout_s=0.2
    )

    started = time.monotonic()
    found = probes.results()
    took_s = time.monotonic() - started
    release.set()

    assert {finding.status for finding in found.values()} == {"down"}
    assert took_s < 6


def test_last_finding_goes_on_for_a_while_when_the_part_is_asked_again() -> None:
    """A provider that takes 0.7 s to say that it is well is not down for that second."""
    clock, release = Clock(), threading.Event()
    release.set()
    probe = HealthCheck(lambda: release.wait(30) and None, grace_s=30)
    probes = HealthChecks({"llm": probe}, timeout_s=0.05, now=clock)
    states = [probes.results()["llm"].status]

    release.clear()
    for moved_s in (31, 20, 11):
        clock.now += moved_s
        states.append(probes.results()["llm"].status)
    release.set()

    assert states == ["ok", "ok", "ok", "down"]


def test_database_that_is_slow_to_answer_is_not_down(make_app: AppMaker) -> None:
    """At a start under load each check took more than 0.6 s, and the service was down for 40 s."""
    readiness = services_of(with_book(make_app())).readiness
    release, is_migrated = threading.Event(), readiness._is_migrated
    states = [readiness.report().components["database"].status]

    readiness._is_migrated = lambda: release.wait(30) and is_migrated()
    readiness._checks._timeout_s = 0.05
    for older_s in (0, DATABASE_GRACE_S):
        readiness._checks._checked_at = float("-inf")
        readiness._checks._parts["database"]._started_at -= older_s
        states.append(readiness.report().components["database"].status)
    release.set()

    assert states == ["ok", "ok", "down"]


def test_what_changes_is_said_once_in_the_log(
    make_app: AppMaker, break_database: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """For whoever reads it at night and has asked nobody."""
    app = with_book(make_app())
    readiness = services_of(app).readiness
    readiness.report()
    with app.app_context():
        db.engine.dispose()
    break_database()
    capsys.readouterr()

    for _ in range(3):
        readiness._checks._checked_at = float("-inf")
        readiness.report()

    said = [
        json.loads(line)
        for line in capsys.readouterr().out.splitlines()
        if "component_status_changed" in line
    ]
    assert [(line["component"], line["status"]) for line in said if line["component"] == "database"] == [
        ("database", "down")
    ]


@pytest.mark.parametrize(
    ("failure", "detail"),
    [(SearchUnavailable("x"), "search_unavailable"), (ValueError("x"), "internal_error")],
)
def test_part_that_fails_is_down_without_what_the_error_says(failure: Exception, detail: str) -> None:
    """Its text may hold an address."""

    def fail() -> None:
        raise failure

    assert HealthChecks({"part": HealthCheck(fail)}).results() == {"part": CheckResult("down", detail)}
