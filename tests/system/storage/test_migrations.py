"""Test the migration of one database by four processes that start at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import upgrade
from sqlalchemy import create_engine

from harness.flask_command import flask_command
from ragbot.extensions import db
from tests.storage.migrated_app import STEPS, app_on
from tests.system.scripts import run_script

# Four processes of one program that was loaded once, and all that they open is their own.
REPLICAS = """
import os, sys
from flask_migrate import upgrade
from ragbot import create_app

may_start, start = os.pipe()
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os.close(start)
        app = create_app({"DATABASE_URL": sys.argv[1], "ENVIRONMENT": "testing", "EMBEDDER": "none"})
        os.read(may_start, 1)
        try:
            with app.app_context():
                upgrade()
            os._exit(0)
        except BaseException:
            __import__("traceback").print_exc()
            os._exit(1)
    children.append(child)
os.close(start)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


@pytest.mark.parametrize("from_the_first", [False, True])
def test_four_replicas_that_start_at_once_migrate_once(
    empty_database_url: str, from_the_first: bool, tmp_path: Path
) -> None:
    """Each container runs `flask db upgrade` before it serves; what is done twice fails."""
    if from_the_first:
        app = app_on(empty_database_url, tmp_path)
        with app.app_context():
            upgrade(revision=STEPS[-1])
            db.engine.dispose()

    said = run_script(REPLICAS, empty_database_url)

    assert said.splitlines()[-1] == "[0, 0, 0, 0]"
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), db.metadata) == []
    engine.dispose()


def test_downgrade_takes_the_number_of_steps_as_it_is_written(tmp_path: Path) -> None:
    """In the middle of a night nobody looks up why `-1` is no option."""
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path / 'ragbot.db'}", "EMBEDDER": "none"}

    flask_command(["db", "upgrade"], environment)
    newest = flask_command(["db", "current"], environment)
    flask_command(["db", "downgrade", "-1"], environment)
    one_down = flask_command(["db", "current"], environment)

    assert newest.split()[0] == STEPS[0]
    assert one_down.split()[0] == STEPS[1]
