"""Kill, stop and overload a running server, and count what readers lost."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from bench.run import machine, of_the_machine
from harness.fault_scenarios import QUESTIONS, Outcome, clean_end, crowd, server_kills, worker_kills
from harness.reader import Reader
from harness.stack import Ground, Wanted, interruptible, laid


def crowd_in_time(ground: Ground, **counts: int) -> Outcome:
    """Run the crowd, with the times that a refusal and `/health` may take."""
    outcome = crowd(ground, **counts)
    outcome.expect(outcome.figures["slowest_refusal_s"] <= 0.5, "a refusal took longer than 0.5 s")
    outcome.expect(outcome.figures["slowest_health_s"] <= 1.0, "/health took longer than 1 s")
    return outcome


def quota(ground: Ground, *, at_once: int = 60, quota: int = 20, rounds: int = 5) -> Outcome:
    """Send simultaneous questions under a quota on two workers, with ten forged addresses."""
    ground.upstream.steer(answer_tokens=5, first_delay_s=0, delay_s=0)
    outcome = Outcome({"at_once": at_once, "quota": quota, "passed": []})
    limits = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_QUERIES_PER_MINUTE": str(quota)}
    # All of them find a place, or some would be refused before they are counted.
    limits["MAX_STREAMS"] = str(at_once)
    for number in range(1, rounds + 1):
        # A proxy of ours before the service gives each round an address, and so a quota, of its own; what
        # callers wrote before it is not believed.
        with ground.server(workers=2, TRUSTED_PROXIES="1", **limits) as server:
            statuses = asked_together(server.port, at_once, f"192.0.2.{number}")
        outcome.figures["passed"].append(statuses[200])
        outcome.expect(statuses == {200: quota, 429: at_once - quota}, f"round {number}: {dict(statuses)}")
    return outcome


def asked_together(port: int, at_once: int, address: str) -> Counter[int]:
    """Return the statuses of questions sent at one moment from one address, with forged address headers."""
    together = threading.Barrier(at_once)

    def ask(n: int) -> int:
        forged = f"203.0.113.{n % 10}"
        headers = {"X-Forwarded-For": f"{forged}, {address}", "X-Real-IP": forged}
        headers |= {"Forwarded": f"for={forged}", "X-Client-IP": forged}
        with Reader(port) as reader:
            together.wait()
            return reader.ask({"query": QUESTIONS[n % len(QUESTIONS)]}, headers=headers).status

    with ThreadPoolExecutor(at_once) as pool:
        return Counter(pool.map(ask, range(at_once)))


SCENARIOS: Mapping[str, Callable[[Ground], Outcome]] = {
    "quota": quota,
    "crowd": crowd_in_time,
    "sigterm": clean_end,
    "worker-kills": worker_kills,
    "server-kills": server_kills,
}


# ---- as a command


def main() -> int:
    """Run the chosen scenarios, print a table, and exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="a scenario; may be given again")
    parser.add_argument("--database-url", help="an empty database; otherwise a new SQLite file")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL server for the run")
    parser.add_argument("--redis", action="store_true", help="start a Redis server for the run")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    options = parser.parse_args()
    wanted = Wanted(database_url=options.database_url, postgres=options.postgres, redis=options.redis)
    outcomes: dict[str, Outcome] = {}
    facts = machine()
    print("\n".join(of_the_machine(facts)), flush=True)
    with interruptible(), laid(wanted) as ground:
        for name in options.only or SCENARIOS:
            outcomes[name] = SCENARIOS[name](ground)
            print(table(name, outcomes[name]), flush=True)
            ground.upstream.be_well()
    if options.json:
        figures = {"machine": facts, **{name: asdict(one) for name, one in outcomes.items()}}
        options.json.write_text(json.dumps(figures, indent=2))
    return int(any(outcome.faults for outcome in outcomes.values()))


def table(name: str, outcome: Outcome) -> str:
    """Print a scenario's figures."""
    lines = [f"\n{name}"]
    lines += [f"  {label.replace('_', ' '):34}{value}" for label, value in outcome.figures.items()]
    lines += [f"  BROKEN: {fault}" for fault in outcome.faults] or ["  as promised"]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, subprocess.TimeoutExpired) as error:
        sys.exit(f"ended early: {type(error).__name__}")
