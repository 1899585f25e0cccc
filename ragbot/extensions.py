"""Create Flask's extensions, which `app.py` binds to an app. Imports nothing of ours."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

# Names for every constraint, so that a migration can drop what an earlier one created.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
db = SQLAlchemy(metadata=metadata)


class LazyMigrate:
    """Stand for Flask-Migrate until a command needs it: importing Alembic takes a tenth of a start."""

    def __init__(self, app: Flask, directory: str) -> None:
        self._app = app
        self._directory = directory
        app.extensions["migrate"] = self

    def __getattr__(self, name: str) -> Any:
        from flask_migrate import Migrate

        # Takes the place of this object.
        Migrate(self._app, db, directory=self._directory)
        return getattr(self._app.extensions["migrate"], name)
