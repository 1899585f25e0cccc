"""Compare what an answer costs ragbot and a plain Flask app, measured in turns, as ratios."""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
from contextlib import ExitStack

from bench.peers.servers import prepared
from bench.run import QUESTIONS, Asker, BenchFailed, Load, load_questions, series
from harness.flask_command import CommandFailed
from harness.gunicorn_process import NotReady
from harness.stack import interruptible


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.run", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--chunks", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--answers", type=int, default=60)
    wanted = parser.parse_args()
    try:
        with interruptible(), ExitStack() as stack:
            ground = stack.enter_context(
                prepared(wanted.chunks, wanted.database, lambda line: print(line, flush=True))
            )
            ground.upstream.set_tokens(100)
            questions = load_questions(QUESTIONS)
            sides = {}
            for side in (ground.ragbot, ground.peer):
                server = stack.enter_context(side.server())
                sides[side.name] = (server, Asker(server.url, questions, mark="m"))
            for kind in ("JSON", "streamed"):
                costs = {name: [] for name in sides}
                for turn in range(wanted.rounds):
                    for name, (server, asker) in sorted(sides.items(), reverse=bool(turn % 2)):
                        load = Load(warm=20 if not turn else 2, measured=wanted.answers)
                        found = series(server, lambda: asker.ask(stream=kind == "streamed"), load)
                        if found.degraded or found.cache_hits:
                            raise BenchFailed(f"{name}: {found}")
                        costs[name].append(found.cpu_ms)
                    ground.upstream.forget()
                mine, other = statistics.median(costs["ragbot"]), statistics.median(costs["peer"])
                ratio = statistics.median(a / b for a, b in zip(costs["ragbot"], costs["peer"], strict=True))
                print(
                    f"CPU of an answer, {kind:8} ragbot {mine:6.2f} ms  peer {other:6.2f} ms  ratio {ratio:.3f}",
                    flush=True,
                )
    except (BenchFailed, CommandFailed, NotReady, OSError, http.client.HTTPException) as error:
        sys.exit(f"bench: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
