"""Test a backup that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from ragbot.backup.storage_url import open_storage
from ragbot.config import PROJECT_ROOT
from tests.backup.conftest import Service

HANGS_BEFORE_THE_LAST_STEP = """
import os, sys, time
from ragbot.backup import backups
from ragbot.backup.storage_url import open_storage
from ragbot.backup.sqlite import SqliteDatabase

def hang(source, target):
    print("packed", flush=True)
    time.sleep(600)

os.replace = hang
backups.create_backup(SqliteDatabase(sys.argv[1]), open_storage(sys.argv[2]))
"""


def test_killed_run_leaves_nothing_that_list_shows(sqlite_service: Service) -> None:
    """Not even when the archive was packed and lacked its name alone; a day later its rest is swept."""
    storage = open_storage(str(sqlite_service.backups))
    command = [sys.executable, "-c", HANGS_BEFORE_THE_LAST_STEP, sqlite_service.url, storage.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as running:
        assert running.stdout
        assert running.stdout.readline() == b"packed\n"
        running.send_signal(signal.SIGKILL)
    (left,) = sqlite_service.backups.iterdir()

    listed = storage.names()
    sqlite_service.flask("backup", "create")
    still_there = left.exists()
    os.utime(left, (time.time() - 25 * 3600,) * 2)
    sqlite_service.flask("backup", "create")

    assert listed == []
    assert still_there
    assert not left.exists()
    assert len(storage.names()) == 2
