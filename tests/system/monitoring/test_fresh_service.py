"""Test that alerts and panels see a service to which nothing has happened yet: real workers, just started."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.gunicorn_process import GunicornProcess, free_port
from harness.prometheus import Scrape
from tests.databases import DatabaseMaker
from tests.served import three_chapter_server
from tests.system.monitoring.files import FOLDER, cases, dashboard_expressions, rules
from tests.system.monitoring.promql import Selector, selectors_of
from tests.system.monitoring.test_monitoring_live import PROMETHEUS, running, told, until
from tests.waiting import soon

pytestmark = pytest.mark.sqlite_is_enough

PROMTOOL = shutil.which("promtool")
REPLICA = {"job": "ragbot", "instance": "web-1:8000"}

# Prometheus makes these itself.
OF_PROMETHEUS = {"up"} | {rule["record"] for rule in rules() if "record" in rule}

# Nothing was ever backed up. The clock of promtool begins in 1970, at which a backup of time 0 is new.
NEVER_BACKED_UP = ("BackupTooOld", "DrillTooOld", "DrillFailed")
# One of each group that a scrape looks up in the database.
LOOKED_UP = {"circuit_open", "drill_last_ok", "gaps_open", "ingest_jobs"}
EIGHT_DAYS_IN_MINUTES = 8 * 24 * 60


@pytest.fixture(scope="module")
def server(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornProcess]:
    """Yield two workers that know a book and have a model and a budget; nobody has asked anything."""
    folder = tmp_path_factory.mktemp("fresh")
    provider = {
        "OPENAI_API_KEY": "sk-nobody",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_DAILY_BUDGET_USD": "1",
    }
    with three_chapter_server(new_database, folder, provider) as server:
        yield server


@pytest.fixture(scope="module")
def fresh(server: GunicornProcess) -> Scrape:
    """Return the first scrape for which the database answered in time: on a busy machine not the first."""
    found: list[Scrape] = []

    def is_whole() -> bool:
        found.append(Scrape(httpx.get(f"{server.url}/metrics", timeout=60).text))
        return {sample.name for sample in found[-1].samples} >= LOOKED_UP

    # Where one never comes, the tests tell it by its name.
    soon(is_whole)
    return found[-1]


def selects_something(selector: Selector, fresh: Scrape) -> bool:
    return any(selector.selects(sample.name, REPLICA | sample.labels) for sample in fresh.samples)


@pytest.mark.parametrize("place", ["rules", "dashboard"])
def test_every_selector_of_alerts_and_panels_finds_a_series(place: str, fresh: Scrape) -> None:
    """An alert on a series that appears with its first event does not see that event."""
    expressions = [rule["expr"] for rule in rules()] if place == "rules" else dashboard_expressions()
    asked = set().union(*map(selectors_of, expressions))
    ours = {selector for selector in asked if selector.name not in OF_PROMETHEUS}

    assert len(ours) > 15
    assert {selector for selector in ours if not selects_something(selector, fresh)} == set()


def test_the_rules_are_tested_with_series_that_the_service_exports(fresh: Scrape) -> None:
    """A case that feeds what the service never sends proves an alert that cannot fire."""
    fed = {
        selector
        for case in cases()
        for series in case["input_series"]
        for selector in selectors_of(series["series"])
        if selector.name not in OF_PROMETHEUS and ("job", "=", "ragbot") in selector.matchers
    }
    without_instance = {
        Selector(one.name, tuple(matcher for matcher in one.matchers if matcher[0] != "instance"))
        for one in fed
    }

    assert len(without_instance) > 40
    assert {one for one in without_instance if not selects_something(one, fresh)} == set()


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not here (Debian: prometheus)")
def test_a_service_that_was_never_backed_up_says_so_and_nothing_else(fresh: Scrape, tmp_path: Path) -> None:
    """The alerts that matter most were silent where they were needed most; the others would be noise."""
    shutil.copy(FOLDER / "rules.yml", tmp_path)
    series = [fed_for_eight_days(sample.name, sample.labels, sample.value) for sample in fresh.samples]
    up = fed_for_eight_days("up", {}, 1)
    alerts = [rule for rule in rules() if "alert" in rule]
    expectations = [
        {
            "alertname": rule["alert"],
            "eval_time": "8d",
            "exp_alerts": [expected(rule)] if rule["alert"] in NEVER_BACKED_UP else [],
        }
        for rule in alerts
    ]
    # A sample each two minutes: promtool takes 10,000 of a series, and a week has 10,080 minutes.
    test = {"interval": "2m", "input_series": [*series, up], "alert_rule_test": expectations}
    path = tmp_path / "fresh.test.yml"
    path.write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [test]})
    )

    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(path)], capture_output=True, text=True, timeout=300
    )

    assert done.returncode == 0, done.stdout + done.stderr


def fed_for_eight_days(name: str, labels: dict[str, str], value: float) -> dict[str, str]:
    told_as = ", ".join(f'{label}="{text}"' for label, text in (REPLICA | labels).items())
    return {"series": f"{name}{{{told_as}}}", "values": f"{value}x{EIGHT_DAYS_IN_MINUTES}"}


def expected(rule: dict[str, Any]) -> dict[str, Any]:
    texts = rule["annotations"] | {
        "description": rule["annotations"]["description"].replace(
            "{{ $value | humanizeDuration }}", "8d 0h 0m 0s"
        )
    }
    return {"exp_labels": rule["labels"] | {"job": "ragbot"}, "exp_annotations": texts}


@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not here (Debian: prometheus)")
def test_every_panel_has_a_curve_on_an_idle_service(server: GunicornProcess, tmp_path: Path) -> None:
    """An empty panel cannot be told from one whose query is wrong."""
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {"job_name": "ragbot", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
        ],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port, log = free_port(), tmp_path / "log"

    with running(
        PROMETHEUS,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        log=log,
    ):

        def drawn(expression: str) -> list[Any]:
            query = httpx.QueryParams({"query": expression})
            found = told(f"http://127.0.0.1:{port}/api/v1/query?{query}")
            return found["data"]["result"] if found else []

        # A rate needs two scrapes.
        until(lambda: drawn("min_over_time(up[1m]) + (count_over_time(up[1m]) > 2)"), log)
        empty = {expression for expression in dashboard_expressions() if not drawn(expression)}

    assert empty == set()
