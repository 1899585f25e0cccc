"""Test that the tables of the README and the documents match the code."""

from __future__ import annotations

import re

import pytest

from ragbot.config import PROJECT_ROOT, env_example, settings_table
from ragbot.observability.metrics import METRICS, metrics_table
from tests.conftest import AppMaker

pytestmark = pytest.mark.sqlite_is_enough


def test_readme_lists_every_setting_as_it_is() -> None:
    """A setting that is not told cannot be used, and one told wrong is worse."""
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")

    assert settings_table() in readme, (
        "run: flask --app wsgi settings --as markdown, and put it into README.md"
    )


def test_example_environment_lists_every_setting_as_it_is() -> None:
    """Operators begin by copying it."""
    example = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")

    assert example == env_example(), "run: flask --app wsgi settings > .env.example"


def test_readme_lists_every_code_of_the_contract() -> None:
    """Clients act on them."""
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    contract = (PROJECT_ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    table = readme.partition("| status | codes |")[2].partition("\n\n")[0]

    # The last one is that of a job.
    codes = set(re.findall(r'"code": "([a-z_]+)"', contract)) - {"job_died"}

    assert "invalid_request" in codes
    assert codes - set(re.findall(r"`([a-z_]+)`", table)) == set()


def test_every_metric_is_told_as_it_is(make_app: AppMaker) -> None:
    """Whoever writes an alert reads the names there."""
    told = (PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")

    printed = make_app().test_cli_runner().invoke(args=["metrics"]).output

    assert printed == metrics_table()
    assert printed in told, "run: flask --app wsgi metrics, and put it into docs/metrics.md"
    assert len(printed.splitlines()) == len(METRICS) + 2
