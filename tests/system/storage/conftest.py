"""Provide databases and engines, as `tests/storage` does."""

from tests.storage.conftest import empty_database_url, shared_postgres_url
from tests.storage.engines import make_engine

__all__ = ["empty_database_url", "make_engine", "shared_postgres_url"]
