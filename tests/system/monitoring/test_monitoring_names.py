"""Test that the app has every series that rules, dashboard and Datadog ask for."""

from __future__ import annotations

import re

import click
import pytest
from flask.testing import FlaskClient
from flask_migrate.cli import db as migrations

from harness.prometheus import Scrape
from ragbot.config import PROJECT_ROOT, Settings
from ragbot.observability.metrics import METRICS, HistogramSpec
from tests.system.monitoring.files import RUNBOOK, dashboard_expressions, parsed, rules
from tests.system.monitoring.promql import asked_by

pytestmark = pytest.mark.sqlite_is_enough

# Prometheus's own: whether a replica could be scraped, and what it puts on each series.
OF_PROMETHEUS = "up"
PUT_ON = {"job", "instance"}


def series_of_metrics() -> dict[str, set[str]]:
    """Return every series that the table promises, with its labels."""
    series: dict[str, set[str]] = {}
    for name, spec in METRICS.items():
        labels = {*spec.labels}
        if isinstance(spec, HistogramSpec):
            series |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            series[name] = labels
    return series


@pytest.mark.parametrize("place", ["rules", "dashboard"])
def test_series_and_labels_exist(place: str) -> None:
    """A name with a slip in it is no error to Prometheus: it is an alert that never fires."""
    expressions = [rule["expr"] for rule in rules()] if place == "rules" else dashboard_expressions()
    recorded = {rule["record"]: {"job"} for rule in rules() if "record" in rule}
    told = series_of_metrics() | recorded | {OF_PROMETHEUS: set()}
    asked = [asked_by(expression) for expression in expressions]

    unknown = {name for one in asked for name in one.series} - set(told)
    wrong_labels = {
        f"{name}{{{label}}}"
        for one in asked
        for name, labels in one.series.items()
        for label in labels - told.get(name, set()) - PUT_ON
    }
    grouped_by = {label for one in asked for label in one.grouped_by}

    assert unknown == set()
    assert wrong_labels == set()
    assert grouped_by <= set().union(PUT_ON, *told.values())


def test_datadog_asks_for_every_metric_by_its_name() -> None:
    """It names counters without their ending."""
    (instance,) = parsed("datadog/openmetrics.d/conf.yaml")["instances"]

    assert sorted(instance["metrics"]) == sorted(name.removesuffix("_total") for name in METRICS)


def test_a_running_app_tells_what_is_asked_for(client: FlaskClient) -> None:
    """The table is a promise; this is what comes over the wire after a question."""
    client.post("/query", json={"query": "How long is the cheddar ripened?"})
    client.get("/sessions/nobody")

    scrape = Scrape(client.get("/metrics").text)

    found = {sample.name: set(sample.labels) for sample in scrape.samples}
    families = set(re.findall(r"^# TYPE (\S+) ", scrape.text, re.MULTILINE))
    promised = series_of_metrics()
    # One with labels has no series before the first time.
    at_once = {name for name, spec in METRICS.items() if not spec.labels}
    assert families == set(METRICS)
    assert all(labels == promised[name] for name, labels in found.items())
    assert {name for name in at_once if not {name, f"{name}_bucket"} & set(found)} == set()


def test_routes_that_are_asked_for_exist(client: FlaskClient) -> None:
    """`endpoint` is the rule of a route, and routes are renamed."""
    expressions = [rule["expr"] for rule in rules()] + dashboard_expressions()
    named = {
        pattern
        for expression in expressions
        for matcher in re.findall(r'endpoint(?:=~|!~|!=|=)"([^"]*)"', expression)
        for pattern in matcher.split("|")
    }
    routes = {rule.rule for rule in client.application.url_map.iter_rules()}

    assert {"/query", "/metrics", "/health.*"} <= named
    assert [pattern for pattern in named if not any(re.fullmatch(pattern, route) for route in routes)] == []


@pytest.mark.parametrize(
    ("expression", "series", "grouped_by"),
    [
        ("up == 0", {"up": set()}, set()),
        ('sum by (a, b) (rate(x_total{c="d", e!~"f|g"}[5m])) > 0', {"x_total": {"c", "e"}}, {"a", "b"}),
        ("time() - max(y) > 7 * 86400", {"y": set()}, set()),
        (
            "a:b:c and x / on (job) group_left () z offset 30m > 1e3",
            {"a:b:c": set(), "x": set(), "z": set()},
            {"job"},
        ),
        ('absent(ready{job="by (x)"} == 1) or vector(0)', {"ready": {"job"}}, set()),
    ],
)
def test_expressions_are_read_right(expression: str, series, grouped_by) -> None:
    """A reader that overlooks a name would let every slip through."""
    asked = asked_by(expression)

    assert (asked.series, asked.grouped_by) == (series, grouped_by)


def test_commands_and_settings_of_the_runbook_exist(client: FlaskClient) -> None:
    """At night nobody guesses what a command is called now."""
    runbook = (PROJECT_ROOT / RUNBOOK).read_text(encoding="utf-8")
    cli = client.application.cli
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    named = {tuple(found.split()) for found in re.findall(r"flask --app wsgi ([a-z]+(?: [a-z]+)?)", runbook)}
    # `flask ask` takes no further word, `flask book` does.
    missing = {
        words
        for words in named
        if not (group := commands.get(words[0]) or (migrations if words[0] == "db" else None))
        or (isinstance(group, click.Group) and words[1] not in group.commands)
    }
    settings = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)\b", runbook))

    assert ("book", "list") in named
    assert missing == set()
    assert {name for name in settings if name.lower() not in Settings.model_fields} == set()
