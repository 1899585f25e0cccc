"""Check that an answer costs no more of what a plain Flask app takes than is written down."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.gunicorn_process import REPOSITORY, inherited_environment

pytestmark = pytest.mark.sqlite_is_enough


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=REPOSITORY,
        env=inherited_environment(),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def comparison(
    folder: Path, written: Mapping[str, float], measured: Mapping[str, float]
) -> subprocess.CompletedProcess[str]:
    """Compare a run with what is written down for its kind."""
    paths = folder / "written.json", folder / "measured.json"
    runs = [
        {"kind": "sqlite", "figures": {name: {"ratio": ratio} for name, ratio in ratios.items()}}
        for ratios in (written, measured)
    ]
    paths[0].write_text(json.dumps({"sqlite": runs[0]}))
    paths[1].write_text(json.dumps(runs[1]))
    return run("bench.peers.ratios", str(paths[1]), "--written", str(paths[0]))


def test_answer_costs_no_more_of_a_plain_app_than_is_written_down(tmp_path):
    """What a change adds to each answer is seen when it is made, on any machine."""
    measured = tmp_path / "measured.json"

    done = run("bench.peers.run", "--short", "--check", "--json", str(measured))

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(measured.read_text())["figures"]
    assert set(figures) == {"json_cpu_ms", "stream_cpu_ms", "repeated_cpu_ms"}
    assert all(values["ragbot"] > 0 and values["peer"] > 0 for values in figures.values())


@pytest.mark.parametrize(
    ("name", "written", "measured"),
    [("json_cpu_ms", 0.5, 0.62), ("json_cpu_ms", 0.5, 0.1), ("answers_a_second_at_8", 2.0, 1.7)],
)
def test_ratio_that_is_a_little_worse_or_better_passes(tmp_path, name, written, measured):
    """A machine under load moves a ratio by some per cent."""
    done = comparison(tmp_path, {name: written}, {name: measured})

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "written", "measured", "complaint"),
    [
        ("json_cpu_ms", 0.5, 0.63, "CPU of a JSON answer: 0.630 of the peer's, and 0.500 is written down"),
        ("answers_a_second_at_8", 2.0, 1.5, "answers a second, 8 at once: 1.500 of the peer's, and 2.000"),
    ],
)
def test_ratio_that_is_a_quarter_worse_fails(tmp_path, name, written, measured, complaint):
    """The check of the short form is this one."""
    done = comparison(tmp_path, {name: written}, {name: measured})

    assert done.returncode == 1
    assert complaint in done.stderr


def test_figure_that_is_not_measured_any_more_fails(tmp_path):
    """Else a figure could vanish with the code that measures it."""
    done = comparison(tmp_path, {"json_cpu_ms": 0.5, "stream_cpu_ms": 0.5}, {"json_cpu_ms": 0.5})

    assert done.returncode == 1
    assert "stream_cpu_ms was not measured" in done.stderr
