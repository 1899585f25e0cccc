"""Provide services with a book and sessions, as `tests/backup` does."""

from tests.backup.conftest import filled_sqlite, open_anywhere, sqlite_service

__all__ = ["filled_sqlite", "open_anywhere", "sqlite_service"]
