"""Test that a real Prometheus scrapes a real app, and that a real Alertmanager calls Slack's web hook."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from harness.gunicorn_process import free_port
from harness.loopback import Call, Connection, LoopbackServer
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.system.monitoring.files import FOLDER, alerts

pytestmark = pytest.mark.sqlite_is_enough

PROMETHEUS, ALERTMANAGER = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
TOKEN = "let-me-in"
PATIENCE_S = 60


class SlackHook(LoopbackServer):
    """Where Slack would take messages."""

    def respond(self, call: Call, connection: Connection) -> None:
        """Say what Slack says."""
        connection.reply(200, b"ok")


@contextmanager
def running(*command: str | Path | None, log: Path) -> Iterator[None]:
    """Yield a program that is ended with the block."""
    with log.open("w") as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def told(url: str, body: Any = None) -> Any:
    """Return what an API says; None while nobody listens."""
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})
    request.data = json.dumps(body).encode() if body else None
    with suppress(OSError), urllib.request.urlopen(request, timeout=60) as reply:
        return json.loads(reply.read() or "{}")


def until(found: Callable[[], Any], log: Path) -> Any:
    ends_at = time.monotonic() + PATIENCE_S
    while not (it := found()):
        assert time.monotonic() < ends_at, log.read_text()
        time.sleep(0.1)
    return it


@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not here (Debian: prometheus)")
def test_prometheus_reads_the_numbers_with_the_token(make_app: AppMaker, run_app, tmp_path: Path) -> None:
    """By the file as it is but for the replica's address, which a name server tells elsewhere."""
    app = make_app({"METRICS_TOKEN": TOKEN})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    replica = run_app(app).url.removeprefix("http://")
    shutil.copy(FOLDER / "rules.yml", tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "metrics_token").write_text(f"{TOKEN}\n")
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [replica]}]
    configuration["global"] |= dict.fromkeys(
        ("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s"
    )
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port, log = free_port(), tmp_path / "log"

    with running(
        PROMETHEUS,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        log=log,
    ):

        def asked(expression: str) -> list[Any]:
            query = urlencode({"query": expression})
            found = told(f"http://127.0.0.1:{port}/api/v1/query?{query}")
            return found["data"]["result"] if found else []

        (ready,) = until(lambda: asked('ready{job="ragbot"} == 1'), log)
        (chunks,) = asked("index_chunks")
        groups = told(f"http://127.0.0.1:{port}/api/v1/rules")["data"]["groups"]

    assert ready["metric"]["instance"] == replica
    assert chunks["value"][1] == "3"
    named = {rule["name"] for group in groups for rule in group["rules"]}
    assert {alert["alert"] for alert in alerts()} <= named


@pytest.mark.skipif(not ALERTMANAGER, reason="alertmanager is not here (Debian: prometheus-alertmanager)")
def test_alertmanager_tells_slack_with_a_link_to_the_runbook(tmp_path: Path) -> None:
    """By the file as it is but for the web hook's own file and the time for which it waits for more."""
    shutil.copy(FOLDER / "slack.tmpl", tmp_path)
    configuration = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
    (slack,) = configuration["receivers"][0]["slack_configs"]
    slack["api_url_file"] = str(tmp_path / "slack_url")
    configuration["route"]["routes"][0]["group_wait"] = "0s"
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(configuration))
    (alert,) = [alert for alert in alerts() if alert["alert"] == "EditionNotPublished"]
    labels = {"alertname": alert["alert"], "job": "ragbot", **alert["labels"]}
    port, log = free_port(), tmp_path / "log"

    with (
        SlackHook() as hook,
        running(
            ALERTMANAGER,
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'kept'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            log=log,
        ),
    ):
        (tmp_path / "slack_url").write_text(f"http://127.0.0.1:{hook.port}/services/a/b/c\n")
        sent = [{"labels": labels, "annotations": alert["annotations"]}]
        until(lambda: told(f"http://127.0.0.1:{port}/api/v2/alerts", sent) is not None, log)
        until(hook.calls, log)

    (call,) = hook.calls("/services/a/b/c")
    message = call.body
    (attachment,) = message["attachments"]
    assert message["channel"] == "#ragbot-alerts"
    assert attachment["title"] == "[FIRING critical] EditionNotPublished"
    assert attachment["title_link"].endswith("docs/runbook.md#editionnotpublished")
    assert attachment["color"] == "danger"
    assert alert["annotations"]["description"] in attachment["text"]
