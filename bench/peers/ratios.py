"""Compare measured ratios with those that are written down in bench/ratios.json.

`python -m bench.peers.ratios MEASURED` exits with 1 if a ratio of the file, which `bench.peers.run --json`
wrote, is a quarter worse than the one written down for the same kind of run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.gunicorn_process import REPOSITORY

WRITTEN = REPOSITORY / "bench" / "ratios.json"
# How much worse than written down a ratio may be.
TOLERANCE = 0.25


class Figure(NamedTuple):
    """Hold how a figure is shown. `more` says that more is better; `digits` are those after the point."""

    title: str
    unit: str
    digits: int = 1
    more: bool = False


FIGURES: Mapping[str, Figure] = {
    "json_cpu_ms": Figure("CPU of a JSON answer", "ms"),
    "stream_cpu_ms": Figure("CPU of a streamed answer", "ms"),
    "token_cpu_us": Figure("CPU of a token, realistic stream", "µs", 0),
    "repeated_cpu_ms": Figure("CPU of a repeated question", "ms"),
    "first_word_added_ms": Figure("added to the first word, 8 streams", "ms"),
    "json_p50_ms": Figure("one at a time, p50", "ms"),
    "answers_a_second_at_8": Figure("answers a second, 8 at once", "", 0, more=True),
    "answers_a_second_at_256": Figure("answers a second, 256 at once", "", 0, more=True),
    "start_s": Figure("start to the first answer", "s", 2),
    "worker_mb": Figure("memory of a worker", "MB", 0),
}


class Compared(NamedTuple):
    """Hold a figure's medians of both, and their ratio: that of ragbot to the peer, of turns side by side."""

    ragbot: float
    peer: float
    ratio: float

    def rounded(self) -> dict[str, float]:
        """Return the numbers by name, with four digits: the rest is noise."""
        return {name: float(f"{value:.4g}") for name, value in self._asdict().items()}


def compared(ragbot: Sequence[float], peer: Sequence[float]) -> Compared:
    """Compare the same figure of both in turns that were measured side by side."""
    ratios = [one / other for one, other in zip(ragbot, peer, strict=True)]
    return Compared(statistics.median(ragbot), statistics.median(peer), statistics.median(ratios))


def worse(measured: Mapping[str, float], written: Mapping[str, float]) -> Iterator[str]:
    """Yield the names of the figures whose ratio is beyond the tolerance."""
    for name in measured.keys() & written.keys():
        better, poorer = written[name], measured[name]
        if FIGURES[name].more:
            better, poorer = 1 / better, 1 / poorer
        if poorer > better * (1 + TOLERANCE):
            yield name


def ratios_of(run: Mapping[str, Any]) -> dict[str, float]:
    """Return the ratios of a run, by figure."""
    return {name: float(values["ratio"]) for name, values in run["figures"].items()}


def written_runs(path: Path) -> dict[str, Any]:
    """Return what is written down, by the kind of run; nothing if there is no file."""
    return json.loads(path.read_text()) if path.exists() else {}


def ratios_written(runs: Mapping[str, Any], kind: str) -> dict[str, float]:
    """Return the ratios that are written down for a kind of run, by figure; none if it never ran."""
    return ratios_of(runs[kind]) if kind in runs else {}


def complaints(run: Mapping[str, Any], runs: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each ratio of a run that is too much worse than written down."""
    kind = run["kind"]
    measured, written = ratios_of(run), ratios_written(runs, kind)
    if not written:
        return [f"no ratios of the kind {kind!r} are written down; `--write` does it"]
    missing = [f"{name} was not measured" for name in written.keys() - measured.keys()]
    return missing + [
        f"{FIGURES[name].title}: {measured[name]:.3f} of the peer's, and {written[name]:.3f} is written down"
        for name in FIGURES
        if name in set(worse(measured, written))
    ]


def main() -> None:
    """Compare a file, and exit with 1 and a sentence for each ratio that is worse."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.ratios", description=__doc__)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--written", type=Path, default=WRITTEN)
    wanted = parser.parse_args()
    found = complaints(json.loads(wanted.measured.read_text()), written_runs(wanted.written))
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
