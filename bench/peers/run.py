"""Compare what an answer costs ragbot and a plain Flask app, measured in turns, as ratios."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers import measures
from bench.peers.measures import Figures, Running, Size
from bench.peers.ratios import (
    FIGURES,
    WRITTEN,
    Compared,
    compared,
    complaints,
    ratios_written,
    worse,
    written_runs,
)
from bench.peers.servers import Database, Ground, Side, prepared
from bench.run import BenchFailed, machine, of_the_machine
from harness.flask_command import CommandFailed
from harness.gunicorn_process import NotReady
from harness.stack import interruptible

Turn = Callable[[Running], Figures]

# Both are warm before anything is measured, and have opened the threads and connections that they need.
WARM = Size(answers=10, streams_each=1, repeats=5, at_8=3, at_256=1)
CROWD_STREAMS = 256


@dataclass(frozen=True)
class Plan:
    """Hold what a kind of run measures: the turns of both, one after another, in so many rounds."""

    chunks: int
    size: Size
    turns: Sequence[Turn]
    rounds: int
    crowd_rounds: int
    starts: int
    figures: frozenset[str] = frozenset(FIGURES)
    one_thread: bool = False


FULL = Plan(
    chunks=3000,
    size=Size(answers=60, streams_each=3, repeats=60, at_8=20, at_256=1),
    turns=(
        measures.json_answers,
        measures.streamed_answers,
        measures.repeated_question,
        measures.realistic_streams,
        measures.eight_at_once,
    ),
    rounds=3,
    crowd_rounds=2,
    starts=3,
)
# CPU alone, for another process that works at the same time changes wall time, and not for both alike. Many
# turns of few answers, so that the load is the same for both; and few chunks, to be ready soon.
SHORT = Plan(
    chunks=300,
    size=Size(answers=5, streams_each=1, repeats=5, at_8=0, at_256=0),
    turns=(measures.json_answers, measures.streamed_answers, measures.repeated_question),
    rounds=6,
    crowd_rounds=0,
    starts=0,
    figures=frozenset({"json_cpu_ms", "stream_cpu_ms", "repeated_cpu_ms"}),
    one_thread=True,
)


def main() -> None:
    """Measure, print a table, compare or write down as wanted; a failure is a sentence and status 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.run", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--short", action="store_true", help="CPU of answers alone, in a quarter of a minute")
    parser.add_argument("--one-thread", action="store_true", help="keep the peer's numpy to one thread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="fail where a ratio is worse than written down")
    what.add_argument("--write", action="store_true", help="write the ratios down")
    parser.add_argument("--written", type=Path, metavar="FILE", default=WRITTEN, help="where they stand")
    wanted = parser.parse_args()
    plan = SHORT if wanted.short else replace(FULL, one_thread=wanted.one_thread)
    form = "short" if wanted.short else "one thread" if wanted.one_thread else "full"
    kind = f"{wanted.database}, {form}"
    try:
        with interruptible():
            goal = ratios_written(written_runs(wanted.written), kind) if wanted.check else {}
            run = measured(plan, wanted.database, kind=kind, goal=goal)
    except (BenchFailed, CommandFailed, NotReady, OSError, http.client.HTTPException) as error:
        sys.exit(f"bench: {type(error).__name__}: {error}")
    print(table(run))
    if wanted.json:
        wanted.json.write_text(json.dumps(run, indent=2) + "\n")
    if wanted.write:
        runs = written_runs(wanted.written) | {kind: run}
        wanted.written.write_text(json.dumps(runs, indent=2, sort_keys=True) + "\n")
    if wanted.check and (found := complaints(run, written_runs(wanted.written))):
        sys.exit("\n".join(found))


def measured(plan: Plan, database: Database, *, kind: str, goal: Mapping[str, float]) -> dict[str, Any]:
    """Measure everything of a plan, and twice as often again what is worse than the ratios of the goal."""
    facts = machine()
    with prepared(plan.chunks, database, _report, one_thread=plan.one_thread) as ground:
        found = steady(ground, plan, goal)
        if plan.starts:
            found |= starts(ground, plan.starts)
        if plan.crowd_rounds:
            found |= crowds(ground, plan)
    return {
        "kind": kind,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts,
        "chunks": plan.chunks,
        "peer_has_one_thread": plan.one_thread,
        "figures": {
            name: found[name].rounded() for name in FIGURES if name in found and name in plan.figures
        },
    }


def steady(ground: Ground, plan: Plan, goal: Mapping[str, float]) -> dict[str, Compared]:
    """Measure the turns with both servers running all the time."""
    with ExitStack() as stack:
        both = [_running(stack, ground, side, plan.size) for side in (ground.ragbot, ground.peer)]
        for running in both:
            for turn in plan.turns:
                turn(_sized(running, WARM))
        found = in_turns(both, plan.turns, plan.rounds)
        if poor := set(worse({name: found[name].ratio for name in found.keys() & plan.figures}, goal)):
            _report(f"once more: {', '.join(sorted(poor))}")
            again = in_turns(both, plan.turns, 2 * plan.rounds)
            found |= {name: again[name] for name in poor}
        memory = [measures.memory(running)["worker_mb"] for running in both]
    return found if not plan.starts else found | {"worker_mb": compared(memory[:1], memory[1:])}


def in_turns(both: Sequence[Running], turns: Sequence[Turn], rounds: int) -> dict[str, Compared]:
    """Measure each figure of one and then of the other, the first of them changing from round to round."""
    series: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(rounds):
        for turn in turns:
            _report(f"round {number + 1} of {rounds}: {turn.__name__.replace('_', ' ')}")
            for running in both if number % 2 else reversed(both):
                for name, value in turn(running).items():
                    series[name][running.name].append(value)
                running.upstream.forget()
    return {name: compared(values["ragbot"], values["peer"]) for name, values in series.items()}


def starts(ground: Ground, times: int) -> dict[str, Compared]:
    """Measure the start of each, so many times in turns."""
    question = measures.plain_questions()[0]
    took_s: dict[str, list[float]] = defaultdict(list)
    for number in range(times):
        _report(f"start {number + 1} of {times}")
        for side in (ground.ragbot, ground.peer):
            took_s[side.name].append(measures.start(side, ground.upstream, question)["start_s"])
    return {"start_s": compared(took_s["ragbot"], took_s["peer"])}


def crowds(ground: Ground, plan: Plan) -> dict[str, Compared]:
    """Measure 256 clients; ragbot is told to take them all, for it would refuse most of them."""
    with ExitStack() as stack:
        both = [
            _running(stack, ground, ground.ragbot, plan.size, MAX_STREAMS=str(CROWD_STREAMS)),
            _running(stack, ground, ground.peer, plan.size),
        ]
        for running in both:
            measures.eight_at_once(_sized(running, WARM))
        return in_turns(both, (measures.crowd,), plan.crowd_rounds)


def table(run: dict[str, Any]) -> str:
    """Return the figures of both and their ratios in lines."""
    threads = "; the peer's numpy has one thread" if run["peer_has_one_thread"] else ""
    lines = [*of_the_machine(run["machine"]), f"{run['kind']}: {run['chunks']} chunks, 1 worker{threads}", ""]
    lines.append(f"{'':38}{'ragbot':>9}{'peer':>9}{'ratio':>8}")
    for name, values in run["figures"].items():
        title, unit, digits, _ = FIGURES[name]
        shown = f"{values['ragbot']:9.{digits}f}{values['peer']:9.{digits}f}{values['ratio']:8.3f}"
        lines.append(f"{title + (f', {unit}' if unit else ''):38}{shown}")
    return "\n".join(lines)


def _running(stack: ExitStack, ground: Ground, side: Side, size: Size, **settings: str) -> Running:
    server = stack.enter_context(side.server(**settings))
    return Running(side.name, server, ground.upstream, measures.plain_questions(), size)


def _sized(running: Running, size: Size) -> Running:
    return Running(running.name, running.server, running.upstream, running.questions, size)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
