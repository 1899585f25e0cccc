"""Test that a drill proves whether the service can recover from the newest backup."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from harness.prometheus import Scrape
from ragbot.extensions import db
from ragbot.storage.database import Database
from ragbot.storage.maintenance_log import MaintenanceLog, MaintenanceTask
from tests.backup.conftest import CHEDDAR, KEPT_TABLES, OpenService, Service
from tests.commands import failed_in_one_sentence
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.parts import WordCountEmbedder


def drilled(service: Service) -> dict[str, object]:
    result = service.flask("backup", "drill", "--json")
    assert result.exit_code in (0, 1), result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    assert report["ok"] is (result.exit_code == 0)
    return report


def test_drill_restores_indexes_asks_and_measures(service: Service) -> None:
    """Four things that a file with a good checksum does not prove."""
    service.flask("backup", "create")

    report = drilled(service)

    assert report["ok"] is True
    assert report["rows"] == sum(len(rows) for rows in service.rows(*KEPT_TABLES, "alembic_version").values())
    assert (report["edition"], report["chunks_indexed"]) == ("first", 3)
    assert [(asked["status"], asked["top_source_found"]) for asked in report["questions"]] == [
        ("answered", True),
        ("answered", True),
    ]
    assert 0 < report["recovery_s"] < 60
    assert 0 < report["data_age_s"] < 600


def test_drill_is_printed_for_people_too(service: Service) -> None:
    """It comes by mail from a timer."""
    service.flask("backup", "create")

    said = service.flask("backup", "drill").stdout

    assert said.startswith("Passed: ragbot-")
    assert "2 stored questions asked: 2 answered, 2 with their first source again" in said
    assert "(RTO)" in said
    assert "(RPO)" in said


def test_drill_needs_none_of_the_other_servers(
    filled_url: str, open_anywhere: OpenService, tmp_path: Path
) -> None:
    """It shows that the service could recover from the backup alone, whichever store counts calls."""
    servers = {
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "RATE_LIMIT_STORAGE": "redis",
        "QDRANT_URL": "http://127.0.0.1:9",
    }
    service = open_anywhere(filled_url, tmp_path, servers)
    service.flask("backup", "create")

    assert drilled(service)["ok"] is True


def test_drill_touches_nothing_of_the_service(service: Service, tmp_path: Path) -> None:
    """It runs every week beside readers."""
    service.flask("backup", "create")
    before = service.rows(*KEPT_TABLES)

    drilled(service)

    assert service.rows(*KEPT_TABLES) == before
    assert not list((tmp_path / "index").glob("*"))


def test_temporary_database_of_a_drill_is_gone_and_a_killed_ones_too(
    make_postgres_database: Callable[..., str],
    filled_postgres: str,
    open_anywhere: OpenService,
    tmp_path: Path,
) -> None:
    """One a week would fill the server."""
    service = open_anywhere(make_postgres_database(filled_postgres), tmp_path)
    service.flask("backup", "create")
    engine = create_engine(make_url(service.url), isolation_level="AUTOCOMMIT")
    yesterday, now = (datetime.now(UTC) - timedelta(hours=hours) for hours in (25, 0))
    names = [f"ragbot_scratch_{moment.timestamp():.0f}_0123abcd" for moment in (yesterday, now)]
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))

        drilled(service)

        query = text("SELECT datname FROM pg_database WHERE datname LIKE 'ragbot\\_scratch%'")
        left = connection.scalars(query).all()
        connection.execute(text(f"DROP DATABASE {names[1]}"))
    engine.dispose()
    # The other may belong to a drill that is under way.
    assert left == [names[1]]


def test_drill_without_the_right_to_make_databases_says_which_right(
    make_postgres_database: Callable[..., str],
    filled_postgres: str,
    open_anywhere: OpenService,
    tmp_path: Path,
) -> None:
    """Hosts differ in what they grant."""
    url = make_url(make_postgres_database(filled_postgres))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE modest LOGIN"))
        connection.execute(text("GRANT pg_read_all_data, pg_write_all_data TO modest"))
    engine.dispose()
    service = open_anywhere(url.set(username="modest").render_as_string(hide_password=False), tmp_path)
    assert service.flask("backup", "create").exit_code == 0

    failed = service.flask("backup", "drill")

    assert failed_in_one_sentence(failed)
    assert "CREATEDB" in failed.stderr


def test_book_with_vectors_is_drilled_without_asking_for_any(make_app: AppMaker, tmp_path: Path) -> None:
    """An embedder costs money, and may be what is down."""
    embedder = WordCountEmbedder()
    app = make_app({"BACKUP_URL": str(tmp_path / "backups")}, embedder=embedder)
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url="https://book.test/")
    service = Service(app, "", tmp_path / "backups")
    service.ask(CHEDDAR)
    service.flask("backup", "create")
    asked = len(embedder.texts)
    embedder.down = True

    report = drilled(service)

    assert report["ok"] is True
    assert report["questions"][0]["top_source_found"] is True
    assert len(embedder.texts) == asked


def test_service_without_a_book_passes_its_drill(make_app: AppMaker, tmp_path: Path) -> None:
    """It is new; its sessions come back all the same."""
    service = Service(make_app({"BACKUP_URL": str(tmp_path / "backups")}), "", tmp_path / "backups")
    service.flask("backup", "create")

    report = drilled(service)

    assert (report["ok"], report["edition"], report["questions"]) == (True, None, [])


def test_book_that_was_never_asked_is_indexed_and_searched(make_app: AppMaker, tmp_path: Path) -> None:
    """Its chunks are found by their own words."""
    service = Service(make_app({"BACKUP_URL": str(tmp_path / "backups")}), "", tmp_path / "backups")
    service.parts.ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    service.flask("backup", "create")

    report = drilled(service)

    assert (report["ok"], report["chunks_indexed"], report["questions"]) == (True, 3, [])


# --- failures ----------------------------------------------------------------------------------


def test_first_sources_that_are_gone_fail_the_drill(sqlite_service: Service) -> None:
    """The book answers, but not with what it answered then."""
    sqlite_service.execute('UPDATE messages SET sources = replace(sources, \'"id": "\', \'"id": "0\')')
    sqlite_service.flask("backup", "create")

    failed = sqlite_service.flask("backup", "drill")

    assert failed.exit_code == 1
    assert failed.stdout.startswith("FAILED: ragbot-")
    assert "only 0 find their first source again" in failed.stderr


def test_lost_chunks_fail_the_drill(sqlite_service: Service) -> None:
    """The edition says how many it has."""
    sqlite_service.execute("DELETE FROM chunks WHERE id = 3")
    sqlite_service.flask("backup", "create")

    failed = sqlite_service.flask("backup", "drill")

    assert failed_in_one_sentence(failed)
    assert "2 of 3 chunks" in failed.stderr


def test_drill_without_a_backup_says_how_to_make_one(sqlite_service: Service) -> None:
    """The second timer ran before the first."""
    failed = sqlite_service.flask("backup", "drill")

    assert failed_in_one_sentence(failed)
    assert "flask backup create" in failed.stderr


def test_only_questions_that_can_be_compared_are_asked_again(sqlite_service: Service) -> None:
    """Follow-ups need what was said before, and another edition found other places."""
    follow_up = "UPDATE messages SET session_id = (SELECT session_id FROM messages WHERE id = 1) WHERE id = 2"
    sqlite_service.execute(follow_up)
    sqlite_service.ask("Who ripens the cheddar?")
    sqlite_service.execute("UPDATE messages SET book_version = 'zeroth' WHERE id = 3")
    sqlite_service.flask("backup", "create")

    report = drilled(sqlite_service)

    assert [asked["message_id"] for asked in report["questions"]] == [
        sqlite_service.rows("messages")["messages"][0][1]
    ]


def test_questions_that_only_a_model_could_answer_fail_no_drill(sqlite_service: Service) -> None:
    """The drill calls none; its alert would wake somebody for a backup that is good."""
    sqlite_service.execute("UPDATE messages SET model = 'gpt-4o', query = query || ' (ref zx81)'")
    sqlite_service.execute("UPDATE messages SET query = 'Wie lange reift der Cheddar?' WHERE id = 2")
    sqlite_service.flask("backup", "create")

    report = drilled(sqlite_service)

    assert report["ok"] is True, report["faults"]
    assert [(asked["status"], asked["top_source_found"]) for asked in report["questions"]] == [
        ("refused", True)
    ]


def test_answers_of_the_book_itself_that_are_gone_fail_the_drill(sqlite_service: Service) -> None:
    """What answered them without a model does so again, or something is lost."""
    sqlite_service.execute("UPDATE messages SET query = query || ' (ref zx81)'")
    sqlite_service.flask("backup", "create")

    failed = sqlite_service.flask("backup", "drill")

    assert failed.exit_code == 1
    assert "Of 2 past questions only 0 are answered again" in failed.stderr


# --- what is written down ----------------------------------------------------------------------


def scraped(service: Service) -> Scrape:
    reply = service.app.test_client().get("/metrics")
    assert reply.status_code == 200
    return Scrape(reply.text)


def test_metrics_show_the_last_backup_and_the_last_drill(service: Service) -> None:
    """Alerts look at them; the commands run in another process than the one that is asked."""
    before = datetime.now(UTC).timestamp() - 1
    service.flask("backup", "create")
    report = drilled(service)

    numbers = scraped(service)

    assert before <= numbers.value("backup_last_success_timestamp_seconds")
    assert numbers.value("backup_last_size_bytes") == service.archive().stat().st_size
    assert before <= numbers.value("drill_last_success_timestamp_seconds")
    assert numbers.value("drill_last_ok") == 1
    assert numbers.value("drill_recovery_seconds") == report["recovery_s"]
    assert numbers.value("drill_data_age_seconds") == report["data_age_s"]


def test_failures_are_shown_and_good_runs_are_not_forgotten(sqlite_service: Service) -> None:
    """How old the last good one is matters most when the newest failed."""
    sqlite_service.flask("backup", "create")
    report = drilled(sqlite_service)
    made_at = sqlite_service.rows("upkeep_runs")["upkeep_runs"][0][3]
    sqlite_service.archive().write_bytes(b"rubbish")
    sqlite_service.flask("backup", "drill")
    sqlite_service.flask("backup", "create", sqlite_service.url)

    numbers = scraped(sqlite_service)

    made_at = datetime.fromisoformat(made_at).replace(tzinfo=UTC).timestamp()
    assert numbers.value("backup_last_success_timestamp_seconds") == pytest.approx(made_at)
    assert numbers.value("drill_last_ok") == 0
    assert numbers.value("drill_recovery_seconds") == report["recovery_s"]
    assert [row[4] for row in sqlite_service.rows("upkeep_runs")["upkeep_runs"]] == [1, 1, 0]


def test_metrics_exist_before_the_first_backup(service: Service) -> None:
    """Zero is a long time ago, and the alert for it fires."""
    numbers = scraped(service)

    assert numbers.value("backup_last_success_timestamp_seconds") == 0
    assert "backup_last_success_timestamp_seconds 0.0" in numbers.text


def test_database_that_is_down_does_not_break_the_metrics(make_app: AppMaker, tmp_path: Path) -> None:
    """The metrics are how operators learn of it."""
    app = make_app({"DATABASE_URL": f"sqlite:///{tmp_path / 'gone' / 'ragbot.db'}"})
    (tmp_path / "gone").rmdir()

    numbers = scraped(Service(app, "", tmp_path))

    assert numbers.value("drill_last_ok") == 0


def test_backup_counts_although_it_cannot_be_written_down(sqlite_service: Service) -> None:
    """The archive is there; the mail of the timer reports the rest."""
    sqlite_service.execute("DROP TABLE upkeep_runs")

    made = sqlite_service.flask("backup", "create")

    assert made.exit_code == 0
    assert "could not be recorded" in made.stderr
    assert sqlite_service.archive().exists()


@pytest.mark.parametrize("fault", [ArithmeticError, KeyboardInterrupt])
def test_run_that_breaks_off_is_never_written_down_as_good(
    sqlite_service: Service, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    """Neither after a fault of ours nor after Ctrl-C."""

    def breaks(*_: object) -> None:
        raise fault

    monkeypatch.setattr("ragbot.backup.backups.create_backup", breaks)
    sqlite_service.flask("backup", "create")

    (run,) = sqlite_service.rows("upkeep_runs")["upkeep_runs"]
    assert run[4:] == (0, '{"error": "internal_error"}')


def test_runs_hold_no_word_of_a_reader(sqlite_service: Service) -> None:
    """Not even a failed one."""
    sqlite_service.flask("backup", "create")
    drilled(sqlite_service)

    runs = json.dumps(sqlite_service.rows("upkeep_runs"), default=str)

    assert "cheddar" not in runs
    assert "sourdough" not in runs


def test_log_gives_the_newest_run_of_a_kind(sqlite_service: Service) -> None:
    """Backups and drills are not mixed up."""
    sqlite_service.flask("backup", "create")
    with sqlite_service.app.app_context():
        log = MaintenanceLog(Database(db.engine))
        assert log.last(MaintenanceTask.DRILL) is None
        run = log.last(MaintenanceTask.BACKUP, good=True)

    assert run
    assert run.started_at <= run.finished_at
    assert run.facts["name"] == sqlite_service.archive().name
