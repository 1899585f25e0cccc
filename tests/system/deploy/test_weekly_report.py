"""Test what docs/insights.md gives to an author for her weekly report, as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask_openapi import OpenAPI

from ragbot.config import PROJECT_ROOT
from tests.conftest import AppMaker, RunningApp
from tests.insights.rows import REFUSED, add
from tests.system.deploy.test_compose import REQUIRED

pytestmark = pytest.mark.sqlite_is_enough

PROGRAMS = Path(sys.executable).parent
KEY = "an-admin-key-that-is-long-enough-0123456789"
FAKE_GH = f"""#!{sys.executable}
import json, os, sys
body = open(sys.argv[sys.argv.index("--body-file") + 1]).read()
json.dump({{"arguments": sys.argv[1:], "body": body}}, open(os.environ["CALLED"], "w"))
"""


def block(language: str, containing: str) -> str:
    """Return the only block of code in the guide that contains some words."""
    guide = (PROJECT_ROOT / "docs" / "insights.md").read_text()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", guide, flags=re.MULTILINE | re.DOTALL)
    (found,) = (text for of, text in blocks if of == language and containing in text)
    return found


@pytest.fixture
def app(book_from_the_start: None, make_app: AppMaker) -> OpenAPI:
    return make_app({"ADMIN_API_KEY": KEY})


def run_here(command: list[str], app: OpenAPI, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of ours as in a container: with the program's settings in its environment."""
    settings = {"DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"], "INDEX_DIR": str(folder / "index")}
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "EMBEDDER": "none", **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )


def test_service_of_compose_prints_the_report_and_ends(app: OpenAPI, tmp_path: Path) -> None:
    """As Compose reads the two files; nothing but the report goes into the author's file."""
    add(app, {**REFUSED, "words": "Where are the goats?"})
    shutil.copy(PROJECT_ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / "compose.report.yml").write_text(block("yaml", "extends:"))
    words = block("sh", "run --rm report").partition(" > ")[0].split()
    files = words[words.index("-f") : words.index("run")]

    told = subprocess.run(
        [str(PROGRAMS / "docker-compose"), *files, "--profile", "report", "config", "--format", "json"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **REQUIRED},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    services = json.loads(told.stdout)["services"]
    ran = run_here(services["report"]["command"], app, tmp_path)

    assert services["report"]["environment"] == services["web"]["environment"]
    assert (services["report"]["restart"], services["report"]["profiles"]) == ("no", ["report"])
    assert ran.stdout.startswith("# What readers of `default` did not find\n")
    assert "`Where are the goats?`" in ran.stdout


def test_line_of_the_crontab_mails_the_report(app: OpenAPI, tmp_path: Path) -> None:
    """From whatever folder cron runs in, which is the home of its user."""
    line = next(one for one in block("", "mail -s").splitlines() if one)
    time, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]
    command = command.replace("/srv/ragbot", str(PROJECT_ROOT)).replace(".venv/bin/", f"{PROGRAMS}/")
    mail = tmp_path / "mail"
    mail.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\ncat\n')
    mail.chmod(0o755)

    ran = run_here(["sh", "-c", f"cd / && PATH={tmp_path}:$PATH && {command}"], app, tmp_path)

    assert time == ["0", "7", "*", "*", "1"]
    assert ran.stdout.splitlines()[:4] == [
        "-s",
        "What readers did not find",
        "author@example.com",
        "# What readers of `default` did not find",
    ]


def run_workflow(running: RunningApp, folder: Path, key: str = KEY) -> tuple[int, dict[str, Any] | None]:
    """Run the workflow's script as GitHub does; return its exit code and what `gh` was given."""
    workflow = yaml.safe_load(block("yaml", "runs-on"))
    (step,) = workflow["jobs"]["report"]["steps"]
    assert set(step["env"]) == {"GH_TOKEN", "GH_REPO", "KEY", "URL"}
    script, called, gh = folder / "script", folder / "called", folder / "gh"
    script.write_text(step["run"])
    gh.write_text(FAKE_GH)
    gh.chmod(0o755)
    called.unlink(missing_ok=True)

    ran = subprocess.run(
        ["bash", "-e", str(script)],
        cwd=folder,
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "CALLED": str(called),
            "KEY": key,
            "URL": running.url,
        },
        timeout=300,
        check=False,
    )

    return ran.returncode, json.loads(called.read_text()) if called.exists() else None


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="jq or curl is not installed")
def test_workflow_opens_an_issue_with_the_gaps(
    app: OpenAPI, run_app: Callable[[OpenAPI], RunningApp], tmp_path: Path
) -> None:
    """With none it does nothing, and a service that refuses the key makes it fail instead of say nothing."""
    running = run_app(app)

    nothing = run_workflow(running, tmp_path)
    refused = run_workflow(running, tmp_path, key="wrong")
    long = "`Where` are\n# the goats? " + "x" * 2_000
    add(app, *({**REFUSED, "words": f"{n} {long}"} for n in range(60)), {**REFUSED, "words": None})
    code, called = run_workflow(running, tmp_path)

    assert nothing == (0, None)
    assert refused[0] != 0
    assert refused[1] is None
    assert (code, called is None) == (0, False)
    assert called
    assert called["arguments"][:2] == ["issue", "create"]
    assert "\n## `58 'Where' are # the goats? xxx" in called["body"]
    assert (
        "- 1 refused, 0 unsupported, 0 disliked\n- Nearest: `02-cheese.md`, `Cheese > Goats`"
        in called["body"]
    )
    assert "- Without kept words, near `02-cheese.md`: 1 refused" in called["body"]
    # GitHub takes no longer body of an issue.
    assert len(called["body"]) < 65_536
