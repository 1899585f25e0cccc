"""Test GitHub's workflow: its form, its permissions, and that it runs the project's checks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragbot.config import PROJECT_ROOT

WORKFLOW = PROJECT_ROOT / ".github" / "workflows" / "ci.yml"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def jobs() -> dict[str, dict[str, Any]]:
    """Its jobs by name."""
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def test_github_takes_it() -> None:
    """By the schema that editors use, as it lies in check-jsonschema."""
    told = run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW))

    assert told.returncode == 0, told.stdout


def test_auditor_finds_nothing() -> None:
    """Rights that are too wide, credentials that stay, text of strangers in a shell."""
    told = run("zizmor", "--offline", "--no-progress", "--persona=regular", str(WORKFLOW.parent))

    assert told.returncode == 0, told.stdout


def test_suite_runs_by_the_readmes_command_on_the_oldest_and_the_newest_python(
    jobs: dict[str, dict[str, Any]],
) -> None:
    """What the README promises is what is checked."""
    readme = (PROJECT_ROOT / "README.md").read_text()

    assert "make test" in readme
    assert "make test" in commands(jobs["tests"])
    assert jobs["tests"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]


def test_every_secret_of_compose_is_made(jobs: dict[str, dict[str, Any]]) -> None:
    """One that is forgotten lets nothing start."""
    compose = (PROJECT_ROOT / "docker-compose.yml").read_text()
    required = set(re.findall(r"\$\{([A-Z_]+):\?", compose))

    assert required == {name for name in required if name in commands(jobs["image"])}


def test_real_qdrant_is_the_one_that_compose_runs(jobs: dict[str, dict[str, Any]]) -> None:
    """Another version would prove another thing."""
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())

    assert jobs["qdrant"]["services"]["qdrant"]["image"] == compose["services"]["qdrant"]["image"]
    assert "pytest -m real_qdrant" in commands(jobs["qdrant"])


@pytest.mark.skipif(not (PROGRAMS / "shellcheck").exists(), reason="shellcheck has no wheel for this machine")
def test_shell_of_each_step_is_sound(jobs: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """shellcheck over what stands in the workflow."""
    for name, job in jobs.items():
        for number, step in enumerate(job["steps"]):
            if "run" in step:
                # What GitHub fills in is a word for the shell.
                text = re.sub(r"\$\{\{.*?\}\}", "filled-in", step["run"])
                script = tmp_path / f"{name}-{number}.sh"
                script.write_text(f"#!/bin/bash -e\n{text}")

    told = run("shellcheck", *map(str, sorted(tmp_path.glob("*.sh"))))

    assert (told.returncode, told.stdout) == (0, "")


def test_every_job_ends(jobs: dict[str, dict[str, Any]]) -> None:
    """GitHub's own limit is six hours."""
    assert all(job["timeout-minutes"] <= 60 for job in jobs.values())
