"""Run the programs that dump PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def test_system_programs_run_without_this_process_s_environment() -> None:
    """Debian's are wrappers in Perl, which must find themselves."""
    found = shutil.which("pg_dump")
    if found is None:
        pytest.skip("no pg_dump on this machine's PATH")

    said = subprocess.run(
        [found, "--version"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
    )

    assert "(PostgreSQL)" in said.stdout
