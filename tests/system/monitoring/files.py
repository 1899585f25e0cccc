"""Parse the files of `deploy/monitoring`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml

from ragbot.config import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "deploy" / "monitoring"
RUNBOOK = "docs/runbook.md"
RULE_TESTS = ("rules.test.yml", "rules.hours.test.yml", "rules.weeks.test.yml")


@cache
def parsed(name: str) -> Any:
    """Return a YAML file of the folder, which nobody changes."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    """Return every rule, recorded series and alerts."""
    return [rule for group in parsed("rules.yml")["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for rule in rules() if "alert" in rule]


def cases() -> list[dict[str, Any]]:
    """Return every case in which an alert fires or is quiet."""
    return [case for name in RULE_TESTS for case in parsed(name)["tests"]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana takes it."""
    path = FOLDER / "grafana" / "dashboards" / "ragbot.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels, without the headings between them."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> list[str]:
    """Return what the dashboard's panels and choices ask, with Grafana's own words put in."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked += [
        choice["definition"].removeprefix("label_values(").rpartition(",")[0]
        for choice in dashboard()["templating"]["list"]
        if "definition" in choice
    ]
    return [expression.replace("$__rate_interval", "1m").replace("$instance", ".*") for expression in asked]
