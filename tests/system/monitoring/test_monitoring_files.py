"""Test that Prometheus and Alertmanager accept their files and that each alert fires when it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from ragbot.config import PROJECT_ROOT
from ragbot.core.errors import RagbotError
from tests.system.monitoring.files import (
    FOLDER,
    RULE_TESTS,
    RUNBOOK,
    alerts,
    cases,
    dashboard,
    dashboard_expressions,
    panels,
    parsed,
    rules,
)

PROMTOOL, AMTOOL = shutil.which("promtool"), shutil.which("amtool")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not here (Debian: prometheus)")
needs_amtool = pytest.mark.skipif(not AMTOOL, reason="amtool is not here (Debian: prometheus-alertmanager)")

OF_OTHER_CALLS = {"edition_in_use", "ingest_in_progress", "origin_not_allowed"}

ALERTS = [alert["alert"] for alert in alerts()]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the folder as it lies on a server, with its secrets."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "metrics_token").write_text("let-me-in\n")
    return tmp_path


def ran(*command: str | Path | None) -> str:
    """Return what a validator said. It is well only if it says so by its exit code."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_prometheus_takes_its_configuration_and_the_rules(installed: Path) -> None:
    """One that it does not take keeps it from starting, and nobody is told of anything."""
    said = ran(PROMTOOL, "check", "config", installed / "prometheus.yml")

    assert "1 rule files found" in said
    assert f"{len(rules())} rules found" in said


@needs_promtool
def test_alerts_fire_and_stay_quiet_as_their_cases_say() -> None:
    """An alert that was never seen to fire is a hope."""
    ran(PROMTOOL, "test", "rules", *(FOLDER / name for name in RULE_TESTS))


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet(alert: str) -> None:
    """The quiet one keeps people from being woken for nothing."""
    expected = [
        bool(asked["exp_alerts"])
        for case in cases()
        for asked in case["alert_rule_test"]
        if asked["alertname"] == alert
    ]

    assert set(expected) == {True, False}


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    """Whoever is woken has not read the code, and the links lead to a section that is there."""
    runbook = (PROJECT_ROOT / RUNBOOK).read_text(encoding="utf-8")
    sections = re.findall(r"^### (\w+)$", runbook.partition("\n## Alerts\n")[2], re.MULTILINE)

    assert {alert["labels"]["severity"] for alert in alerts()} == {"critical", "warning"}
    assert [alert["annotations"]["runbook"] for alert in alerts()] == [
        f"{RUNBOOK}#{name.lower()}" for name in ALERTS
    ]
    assert sections == ALERTS


@needs_amtool
def test_alertmanager_takes_its_configuration(installed: Path) -> None:
    """As Prometheus must."""
    said = ran(AMTOOL, "check-config", installed / "alertmanager.yml")

    assert "1 receivers" in said
    assert "1 templates" in said


@needs_amtool
@pytest.mark.parametrize(
    ("severity", "alert"), [("critical", "ErrorRateHigh"), ("warning", "CpuHigh"), ("", "")]
)
def test_every_alert_goes_to_slack(severity: str, alert: str) -> None:
    """One that goes nowhere is as good as none."""
    labels = [f"severity={severity}", f"alertname={alert}"] if severity else []
    said = ran(AMTOOL, "config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.yml'}", *labels)

    (slack,) = parsed("alertmanager.yml")["receivers"][0]["slack_configs"]
    assert said.strip() == "slack"
    assert slack["channel"] == "#ragbot-alerts"
    assert "api_url" not in slack
    assert slack["api_url_file"].startswith("/")


@needs_amtool
def test_slack_shows_what_is_wrong_and_links_what_to_do(tmp_path: Path) -> None:
    """The message is all that is seen at night."""
    told = {
        "status": "firing",
        "alerts": [
            {"status": "firing", "annotations": {"description": "web-1 uses 90 %."}},
            {"status": "resolved", "annotations": {"description": "web-2 uses 81 %."}},
        ],
        "commonLabels": {"alertname": "CpuHigh", "severity": "warning"},
        "commonAnnotations": {"summary": "A replica is busy.", "runbook": f"{RUNBOOK}#cpuhigh"},
    }
    (tmp_path / "told.json").write_text(json.dumps(told))

    def shown(template: str) -> str:
        return ran(
            AMTOOL,
            "template",
            "render",
            f"--template.glob={FOLDER / 'slack.tmpl'}",
            f'--template.text={{{{ template "ragbot.{template}" . }}}}',
            f"--template.data={tmp_path / 'told.json'}",
        )

    text = shown("text")
    assert shown("title").strip() == "[FIRING warning] CpuHigh"
    assert "A replica is busy.\n• web-1 uses 90 %.\n• over: web-2 uses 81 %.\n<https://" in text
    assert re.search(rf"<https://\S+/{RUNBOOK}#cpuhigh\|What to do>", text)


@needs_promtool
def test_prometheus_takes_what_the_dashboard_asks(tmp_path: Path) -> None:
    """A panel with a mistake shows an error where a curve should be."""
    recorded = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(dashboard_expressions())
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))

    said = ran(PROMTOOL, "check", "rules", path)

    assert f"{len(recorded)} rules found" in said


def test_dashboard_is_whole() -> None:
    """Grafana draws what overlaps over each other, and mixes up panels of one number."""
    drawn = dashboard()["panels"]
    places = [panel["gridPos"] for panel in drawn]

    def overlap(a: dict[str, int], b: dict[str, int]) -> bool:
        return (
            a["x"] < b["x"] + b["w"]
            and b["x"] < a["x"] + a["w"]
            and a["y"] < b["y"] + b["h"]
            and b["y"] < a["y"] + a["h"]
        )

    assert len({panel["id"] for panel in drawn}) == len(drawn)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}
    assert all(len({target["refId"] for target in p["targets"]}) == len(p["targets"]) for p in panels())


def test_grafana_is_led_to_the_dashboard_and_to_prometheus() -> None:
    """Each file names places that the others, and compose, know."""
    (source,) = parsed("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    (provider,) = parsed("grafana/provisioning/dashboards/ragbot.yml")["providers"]

    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert provider["type"] == "file"
    assert provider["options"]["path"]


def test_the_errors_that_are_ours_are_known() -> None:
    """The alert on errors names the callers' own ones; a new code must be put on one side."""
    from ragbot.web import errors

    (expression,) = [alert["expr"] for alert in alerts() if alert["alert"] == "ErrorRateHigh"]
    named = set(re.search(r'code!~"([^"]+)"', expression)[1].split("|"))  # type: ignore[index]
    codes = {kind.code: shape.status for kind, shape in errors.SHAPES.items()}
    codes |= {code: status for status, code in errors.HTTP_CODES.items()}

    # The rule looks at questions, so a code that other calls alone can end with need not be named.
    assert {code for code, status in codes.items() if status < 500} - named <= OF_OTHER_CALLS
    assert named <= {code for code, status in codes.items() if status < 500}
    assert RagbotError.code not in named
