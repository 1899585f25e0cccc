"""Make an app on a database of any revision, and name the revisions."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory
from flask_openapi import OpenAPI

from ragbot import create_app
from ragbot.config import PROJECT_ROOT

MIGRATIONS = PROJECT_ROOT / "migrations"
# Every revision, the newest first.
STEPS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def app_on(url: str, folder: Path) -> OpenAPI:
    """Make an app whose index is in a folder of its own."""
    return create_app(
        {
            "DATABASE_URL": url,
            "ENVIRONMENT": "testing",
            "EMBEDDER": "none",
            "EDITION_POLL_S": 0,
            "RATE_LIMIT_ENABLED": False,
            "INDEX_DIR": str(folder),
        }
    )
