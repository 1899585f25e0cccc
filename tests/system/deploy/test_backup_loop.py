"""Test the loop that replaces cron in the backup container: what runs when, and that it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ragbot.config import PROJECT_ROOT

LOOP = PROJECT_ROOT / "deploy" / "backup-loop.sh"

# 2026-01-31 is a Saturday.
SATURDAY_NOON = 1769860800
HOUR = 3600


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs: a clock that sleep moves, and a flask that writes down how it was called."""
    programs = tmp_path / "programs"
    programs.mkdir()
    clock = tmp_path / "clock"
    clock.write_text(str(SATURDAY_NOON))
    write(programs / "date", f'now=$(cat {clock})\nexec /bin/date --date=@"$now" "$@"')
    # Sleep forwards the clock; after the third night it lets the loop hang, as a real one would.
    write(
        programs / "sleep",
        f"""echo "sleep $1" >> {tmp_path}/log
[ "$(grep -c ^sleep {tmp_path}/log)" -le 3 ] || exec /bin/sleep 60
echo $(($(cat {clock}) + $1)) > {clock}""",
    )
    write(programs / "flask", f'echo "flask $*" >> {tmp_path}/log\n[ ! -e {tmp_path}/broken ]')
    return tmp_path


def write(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def lines_of(machine: Path, nights: int) -> tuple[list[str], int, str]:
    """What was called until the loop waits after so many nights; its exit code at TERM; its complaints."""
    loop = subprocess.Popen(
        [LOOP],
        env={"PATH": f"{machine / 'programs'}{os.pathsep}{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = machine / "log"
    until = time.monotonic() + 30
    while not log.exists() or log.read_text().count("sleep ") <= nights:
        assert time.monotonic() < until
        time.sleep(0.02)
    loop.send_signal(signal.SIGTERM)
    complaints = loop.communicate(timeout=60)[1]
    return log.read_text().splitlines(), loop.returncode, complaints


BACKUP = "flask --app wsgi backup create --keep-daily 7 --keep-weekly 4"
DRILL = "flask --app wsgi backup drill"


def test_loop_backs_up_at_two_each_night_and_drills_on_sunday(machine: Path) -> None:
    """And once at its start, for it may have been down at two o'clock."""
    lines, code, complaints = lines_of(machine, nights=3)

    assert lines == [
        BACKUP,
        f"sleep {14 * HOUR}",  # from Saturday noon to two on Sunday
        BACKUP,
        DRILL,
        f"sleep {24 * HOUR}",
        BACKUP,
        f"sleep {24 * HOUR}",
        BACKUP,
        f"sleep {24 * HOUR}",
    ]
    assert (code, complaints) == (0, "")


def test_loop_goes_on_after_a_backup_that_failed(machine: Path) -> None:
    """A bucket that is out of reach tonight may be there tomorrow; the failure is in the log."""
    (machine / "broken").touch()

    lines, code, complaints = lines_of(machine, nights=3)

    assert lines.count(BACKUP) == 4
    assert code == 0
    assert complaints.count("backup failed") == 4
    assert complaints.count("drill failed") == 1
