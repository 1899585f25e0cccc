"""Test that the lock of an upload folder passes to another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ragbot.config import PROJECT_ROOT
from ragbot.ingestion.upload_folder import new_upload_folder, sweep

HOLD = "import sys; print('held', flush=True); sys.stdin.read()"


def test_lock_goes_over_to_the_process_that_inherits_it(tmp_path: Path) -> None:
    """Between the worker's letting go and the job's beginning there is no moment without an owner."""
    upload = new_upload_folder(tmp_path)
    job = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(upload.lock.fileno(),),
        cwd=PROJECT_ROOT,
    )
    with job:
        assert job.stdout is not None
        job.stdout.readline()
        upload.release()
        sweep(tmp_path)
        while_it_lives = upload.folder.exists()
        job.kill()
        job.wait()
        sweep(tmp_path)

    assert while_it_lives
    assert not upload.folder.exists()
