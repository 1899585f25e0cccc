"""The ground on which real servers are started and hurt: a small book, a provider as a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.stage import Ground
from bench.upstream import running_upstream
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of


@pytest.fixture
def ground(tmp_path: Path, migrated_database: Path) -> Iterator[Ground]:
    """As the bench lays it, on a copy of the migrated database and without vectors."""
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'ragbot.db'}",
        "INDEX_DIR": str(tmp_path / "index"),
        "EMBEDDER": "none",
        "OPENAI_API_KEY": "sk-test",
    }
    app = create_app({**settings, "ENVIRONMENT": "testing"})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context():
        db.engine.dispose()
    with running_upstream() as upstream:
        yield Ground(tmp_path, {**settings, "OPENAI_BASE_URL": upstream.base_url}, upstream)
