"""Services with a book and sessions that the tests of `tests/backup` use, too."""

from tests.backup.conftest import filled_sqlite, open_anywhere, sqlite_service

__all__ = ["filled_sqlite", "open_anywhere", "sqlite_service"]
