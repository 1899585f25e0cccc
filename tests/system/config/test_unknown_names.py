"""Test that a server says at its start that a name is misspelt, and does not start so in production."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess, NotReady

pytestmark = pytest.mark.sqlite_is_enough

SLIP = {"RATE_LIMIT_QUERIES_PER_MINUT": "3", "EMBEDDER": "none"}


def environment(folder: Path) -> dict[str, str]:
    return SLIP | {"DATABASE_URL": f"sqlite:///{folder / 'ragbot.db'}", "INDEX_DIR": str(folder)}


def test_misspelt_quota_is_told_at_the_start(tmp_path: Path) -> None:
    """Once, and by what was meant."""
    with GunicornProcess(environment(tmp_path)) as server:
        logs = server.logs()

    assert logs.count("RATE_LIMIT_QUERIES_PER_MINUT is no setting; RATE_LIMIT_QUERIES_PER_MINUTE is.") == 1


@pytest.mark.parametrize("also", [{}, {"DEBUG": "true"}])
def test_production_does_not_start_with_it(tmp_path: Path, also: dict[str, str]) -> None:
    """A quota that holds for nobody is found out when it is too late."""
    with (
        pytest.raises(NotReady, match="RATE_LIMIT_QUERIES_PER_MINUT: is no setting") as refused,
        GunicornProcess(environment(tmp_path) | {"ENVIRONMENT": "production"} | also),
    ):
        pass

    assert ("DEBUG: must not be set in production" in str(refused.value)) == bool(also)
