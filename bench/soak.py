"""Run minutes of mixed traffic with faults and killed workers, and report what broke and what grew."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.faults import table
from bench.mix import Person, Tally, questions_of
from bench.run import BOOK, QUESTIONS, machine, of_the_machine
from bench.watch import Watch, circuits_of, sample_of, scraped
from harness.fault_scenarios import Outcome, shown
from harness.gunicorn_process import REPOSITORY, GunicornProcess
from harness.ledger import Ledger, pending_in, rows_of
from harness.openai_upstream import CHAT, EMBEDDINGS
from harness.reader import Reader
from harness.stack import SETTLING_S, Ground, Kills, Wanted, interruptible, laid, until
from ragbot.index.qdrant_embedded import FOLDER_PREFIX

ANSWER = {"answer_tokens": 40, "first_delay_s": 0.15, "delay_s": 0.01}
SETTINGS = {
    # Fewer places than readers, so that a provider that hangs fills them.
    "MAX_STREAMS": "8",
    # The worker that is watched is to live to the end.
    "MAX_REQUESTS": "0",
    "TRUSTED_PROXIES": "1",
    # Calls are counted as in production, but the quota is too high to refuse any.
    "RATE_LIMIT_ENABLED": "true",
    "RATE_LIMIT_QUERIES_PER_MINUTE": "100000",
    "RATE_LIMIT_QUERIES_PER_DAY_PER_IP": "1000000",
    "RATE_LIMIT_OTHERS_PER_MINUTE": "100000",
}
PLACES, RESERVE = 8, 8
SECOND_MODEL = "gpt-3.5-turbo"
DEADLINE_S = 30
# The shortest and the longest that a fault lasts, and the pause behind it once all is well again.
FAULT_S = (4.0, 18.0)
PAUSE_S = (1.0, 6.0)
# A promise of the service: good again by itself so soon after the provider is.
WELL_AGAIN_S = 30.0
KILL_EVERY_S = 15.0
# What may grow without being a leak: a vector of 1,536 numbers that is remembered with its text for each new
# one (8.7 kB were measured, until a worker has its 10,000), and what the allocator keeps.
VECTOR_MB = 0.0087
SLACK_MB = 15.0
# The marks of questions in words that were never used before.
NEW_TEXTS = "mfkl"
# Lines of the log that no outage excuses.
NEVER_LOGGED = (
    "unhandled_error",
    "periodic_tasks_failed",
    "health_check_failed",
    "Error handling request",
    "Exception in worker process",
    "Socket error processing request.",
)


@dataclass(frozen=True)
class Fault:
    """Describe a fault that is switched on for a while."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]


class Trouble:
    """Switch faults on and off, one at a time, and record when each began and ended."""

    def __init__(self, ground: Ground, tally: Tally, *, minutes: float) -> None:
        self._faults = list(_of_provider(ground)) + list(_of_redis(ground))
        self._tally = tally
        share_s = minutes * 60 / (len(self._faults) + 1)
        self._fault_s = min(max(share_s * 0.45, FAULT_S[0]), FAULT_S[1])
        self._pause_s = min(max(share_s * 0.1, PAUSE_S[0]), PAUSE_S[1])
        self.well_after: dict[str, float] = {}
        self.begun: Counter[str] = Counter()

    def makes_itself_felt(self, over: threading.Event) -> None:
        """Switch faults until the event is set, then end the current one."""
        over.wait(self._pause_s * 2)
        for fault in itertools.cycle(self._faults):
            if over.is_set():
                return
            self.begun[fault.name] += 1
            fault.begin()
            try:
                over.wait(self._fault_s)
            finally:
                fault.end()
            self._recovers(fault.name, over)
            over.wait(self._pause_s)

    def _recovers(self, name: str, over: threading.Event) -> None:
        ended_at = time.monotonic()
        while not over.is_set():
            since = [ended for began, ended in list(self._tally.well_at) if began > ended_at]
            if since:
                took_s = round(min(since) - ended_at, 1)
                self.well_after[name] = max(took_s, self.well_after.get(name, 0.0))
                return
            if time.monotonic() - ended_at > WELL_AGAIN_S * 2:
                self.well_after[name] = float("inf")
                return
            over.wait(0.1)


def _of_provider(ground: Ground) -> Iterator[Fault]:
    manners: Sequence[tuple[str, str, tuple[str, dict[str, Any]]]] = (
        ("429", CHAT, ("Status", {"status": 429, "retry_after": 1})),
        ("500", CHAT, ("Status", {"status": 500})),
        ("hangs", CHAT, ("Hang", {})),
        ("hangs in the middle", CHAT, ("Hang", {"before": "middle"})),
        ("drips", CHAT, ("Drip", {"every_s": 0.2})),
        ("cut before a word", CHAT, ("Cut", {"after_tokens": 0})),
        ("cut after words", CHAT, ("Cut", {"after_tokens": 3, "how": "reset"})),
        ("broken events", CHAT, ("Garbage", {"kind": "bad_sse_json"})),
        ("a web page", CHAT, ("Garbage", {"kind": "html"})),
        ("embeddings 500", EMBEDDINGS, ("Status", {"status": 500})),
        ("embeddings hang", EMBEDDINGS, ("Hang", {})),
    )
    for name, endpoint, manner in manners:
        yield Fault(
            name,
            lambda endpoint=endpoint, manner=manner: ground.upstream.steer(always={endpoint: manner}),
            ground.upstream.be_well,
        )
    first_away = ("Status", {"status": 503})
    yield Fault(
        "first model 503",
        lambda: ground.upstream.steer(models={"gpt-4o": first_away}),
        ground.upstream.be_well,
    )


def _of_redis(ground: Ground) -> Iterator[Fault]:
    pipe = ground.redis
    if pipe is None:
        return
    yield Fault("redis refuses", lambda: pipe.be("refuse"), lambda: pipe.be("pass"))
    yield Fault("redis hangs", lambda: pipe.be("hang"), lambda: pipe.be("pass"))


def soak(ground: Ground, *, minutes: float, workers: int, readers: int) -> Outcome:
    """Run the whole soak; broken promises are in the outcome."""
    ground.upstream.steer(**ANSWER)
    ledger = Ledger()
    with ground.server(workers=workers, **SETTINGS) as server:
        kills = Kills(server)
        tally = Tally(ledger, lambda seen: kills.explain(seen.connected_at, seen.ended))
        trouble = Trouble(ground, tally, minutes=minutes)
        watch = Watch(server)
        warmed(server, workers)
        # One worker is spared, to see what grows.
        witness = server.worker_pids()[0]
        at_rest = sample_of(witness)
        began = time.monotonic()
        with watch.watching(), flowing(server, readers, tally, trouble, kills, witness) as over:
            over.wait(minutes * 60)
        lasted_s = time.monotonic() - began
        ground.upstream.be_well()
        outcome = Outcome({"minutes": round(lasted_s / 60, 1), "readers": readers, "workers": workers})
        came_to(outcome, tally, lasted_s)
        troubled(outcome, trouble, watch, kills)
        settle(outcome, ground, server)
        remembered(outcome, ground, server, ledger)
        grown(outcome, watch, witness, at_rest, ledger)
        asked_of_models(outcome, ground, ledger)
        ended(outcome, ground, server)
    return outcome


def warmed(server: GunicornProcess, workers: int) -> None:
    """Wait until every worker has its index."""
    with ThreadPoolExecutor(workers * 4) as pool:

        def ask(number: int) -> None:
            with Reader(server.port) as reader:
                reader.ask({"query": f"What is a robot? (ref w{number})"})

        list(pool.map(ask, range(workers * 8)))


@contextmanager
def flowing(
    server: GunicornProcess, readers: int, tally: Tally, trouble: Trouble, kills: Kills, witness: int
) -> Iterator[threading.Event]:
    """Run readers, faults and kills within the block; the event ends them early."""
    over = threading.Event()
    questions = questions_of(QUESTIONS)
    tasks: list[Callable[[threading.Event], None]] = [
        Person(server.port, number, questions, tally).goes_on for number in range(readers)
    ]
    tasks += [trouble.makes_itself_felt, lambda ends: kill_now_and_then(kills, witness, ends)]

    def run(task: Callable[[threading.Event], None]) -> None:
        try:
            task(over)
        except BaseException:
            # A reader who fails is a fault of the bench: the run is over.
            over.set()
            raise

    with ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(run, task) for task in tasks]
        try:
            yield over
        finally:
            over.set()
    for one in running:
        one.result()


def kill_now_and_then(kills: Kills, witness: int, over: threading.Event) -> None:
    """Kill a worker at random times, except the one whose memory is watched."""
    choose = random.Random(7)
    while not over.wait(choose.uniform(0.5, 1.5) * KILL_EVERY_S):
        kills.one(but=witness)


# ---- what is looked at, and what was promised of it


def came_to(outcome: Outcome, tally: Tally, lasted_s: float) -> None:
    """Count requests by kind and by result."""
    took = sorted(tally.seconds) or [0.0]
    outcome.figures |= {
        "requests": sum(tally.kinds.values()),
        "requests_a_second": round(sum(tally.kinds.values()) / lasted_s, 1),
        "answers": len(tally.seconds),
        "answer_p50_s": round(statistics.median(took), 2),
        "answer_p99_s": round(took[int(len(took) * 0.99) - 1], 2),
        "by_kind": dict(tally.kinds.most_common()),
        "by_result": dict(tally.statuses.most_common()),
        "cache": dict(tally.cache.most_common()),
        "degraded": dict(tally.degraded.most_common()),
        "unpromised": dict(Counter(tally.faults).most_common()),
    }
    outcome.expect(not tally.faults, f"{len(tally.faults)} results were not promised")


def troubled(outcome: Outcome, trouble: Trouble, watch: Watch, kills: Kills) -> None:
    """Report faults and kills, the time to recover, and whether /health answered."""
    outcome.figures |= {
        "worker_kills": len(kills),
        "faults_switched_on": dict(trouble.begun),
        "well_again_after_s": dict(trouble.well_after),
        "circuits_opened": dict(watch.circuits_opened),
        "health_looks": len(watch.health_s) + len(watch.unwell),
        "health_p99_s": round(sorted(watch.health_s)[int(len(watch.health_s) * 0.99) - 1], 3),
        "health_slowest_s": round(max(watch.health_s), 3),
        "health_failed": dict(Counter(watch.unwell)),
    }
    slow = {name: took for name, took in trouble.well_after.items() if took > WELL_AGAIN_S}
    outcome.expect(not slow, f"not well again within {WELL_AGAIN_S:.0f} s after: {slow}")


def settle(outcome: Outcome, ground: Ground, server: GunicornProcess) -> None:
    """Wait until the server is idle: no turn pending, no circuit open, no connection in use."""
    began = time.monotonic()
    left = pending_in(ground.database_url)

    def still_open() -> set[str]:
        # Circuits are tried by questions alone, and that of a second model only while the first one fails.
        with Reader(server.port) as reader:
            reader.ask({"query": f"What is a robot? (ref s{int(time.monotonic() * 10)})"})
        numbers = scraped(server)
        names = circuits_of(numbers) if numbers else {"?"}
        return {name for name in names if numbers is None or numbers.value("circuit_open", circuit=name)}

    closed = until(lambda: still_open() <= {SECOND_MODEL}, within_s=60, every_s=1.0)
    outcome.figures["circuits_open_at_the_end"] = sorted(still_open())
    outcome.expect(closed, f"circuits stayed open: {outcome.figures['circuits_open_at_the_end']}")
    settled = until(
        lambda: pending_in(ground.database_url) == 0, within_s=DEADLINE_S + SETTLING_S + 15, every_s=1.0
    )
    outcome.expect(settled, "turns stayed pending")

    def at_rest() -> bool:
        # Each worker tells of itself when it is asked.
        numbers = [scraped(server) for _ in range(8)][-1]
        return numbers is not None and not (
            numbers.value("db_pool_connections", state="in_use") or numbers.value("streams_open")
        )

    rested = until(at_rest, within_s=30, every_s=0.5)
    numbers = scraped(server)
    outcome.figures |= {
        "pending_at_the_end": left,
        "settled_after_s": round(time.monotonic() - began, 1),
        "pending_then": pending_in(ground.database_url),
        "pool_connections_in_use": numbers.value("db_pool_connections", state="in_use") if numbers else "?",
        "streams_open": numbers.value("streams_open") if numbers else "?",
    }
    outcome.expect(rested, "connections or streams stayed open")


def remembered(outcome: Outcome, ground: Ground, server: GunicornProcess, ledger: Ledger) -> None:
    """Check that every answer seen whole is in its session once, with the same text."""
    kept = ledger.compared_with(rows_of(ground.database_url))
    over_api = ledger.compared_over_api(server.port)
    outcome.figures |= {
        "answers_seen_whole": kept.answers,
        "lost": len(kept.lost) + len(over_api.lost),
        "doubled": len(kept.doubled) + len(over_api.doubled),
        "otherwise": len(kept.otherwise) + len(over_api.otherwise),
        "not_kept": ledger.unkept,
    }
    outcome.expect(kept.holds, f"the database differs from what was seen: {shown(kept)}")
    outcome.expect(over_api.holds, f"the sessions differ from what was seen: {shown(over_api)}")
    outcome.expect(not ledger.unkept, f"{ledger.unkept} answers were not kept")


def grown(outcome: Outcome, watch: Watch, witness: int, at_rest: Any, ledger: Ledger) -> None:
    """Report the watched worker's memory, descriptors and threads in each quarter and when idle."""
    quarters = watch.quarters(witness)
    now = sample_of(witness)
    new_texts = sum(mark[0] in NEW_TEXTS for mark in ledger.posts())
    others = [max(s.rss_mb for s in samples) for pid, samples in watch.of_worker.items() if pid != witness]
    outcome.figures |= {
        "witness_rss_mb": [quarter.rss_mb for quarter in quarters],
        "witness_descriptors": [quarter.descriptors for quarter in quarters],
        "witness_threads": [quarter.threads for quarter in quarters],
        "witness_before": _in_short(at_rest),
        "witness_after": _in_short(now),
        "new_texts": new_texts,
        "largest_other_worker_mb": round(max(others, default=0.0), 1),
    }
    if now is None or len(quarters) < 4:
        outcome.faults.append("the spared worker died")
        return
    first, last = quarters[0], quarters[-1]
    # The witness answers some half of them.
    allowed_mb = first.rss_mb + SLACK_MB + VECTOR_MB * new_texts * 0.6
    outcome.expect(last.rss_mb <= allowed_mb, f"memory grew from {first.rss_mb} to {last.rss_mb} MB")
    before = quarters[:-1]
    outcome.expect(
        last.descriptors <= max(quarter.descriptors for quarter in before) + 10, "descriptors leak"
    )
    # The threads of its pool stay; those of a question go with it.
    most = at_rest.threads + PLACES + RESERVE + 4
    outcome.expect(now.threads <= most, f"{now.threads} threads are left, not {most}")


def asked_of_models(outcome: Outcome, ground: Ground, ledger: Ledger) -> None:
    """Return the completions per new question."""
    calls, posts = ground.upstream.calls_by_mark(), ledger.posts()

    def each(kind: str) -> list[float]:
        return [calls.get(mark, 0) / times for mark, times in posts.items() if mark[0] == kind]

    new = each("m")
    crowds = [calls.get(mark, 0) for mark in posts if mark[0] == "c"]
    many = [times for mark, times in posts.items() if mark[0] == "c"]
    outcome.figures |= {
        "model_calls_a_new_question": dict(sorted(Counter(new).items())),
        "model_calls_a_crowd": round(statistics.mean(crowds), 2) if crowds else 0,
        "readers_a_crowd": round(statistics.mean(many), 2) if many else 0,
        "upstream_calls": ground.upstream.calls(),
    }
    outcome.expect(max(new, default=0) <= 4, "a question cost more than four calls of a model")


def ended(outcome: Outcome, ground: Ground, server: GunicornProcess) -> None:
    """Check the log, the exit and the files that are left."""
    events: Counter[str] = Counter()
    for line in server.logs().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            events[f"no JSON: {line[:60]}"] += 1
            continue
        if entry.get("level") in ("warning", "error", "critical") and entry["event"] != "request":
            events[entry["event"].split(" (pid")[0][:60]] += 1
    own = metrics_folder_of(server.pid)
    exit_code = server.terminate(60)
    outcome.figures |= {
        "warnings_and_errors_logged": dict(events.most_common()),
        "exit_code": exit_code,
        "metrics_folder_left": own is None or own.exists(),
        "half_built_indexes_left": len(list((ground.folder / "index").glob(f"{FOLDER_PREFIX}*"))),
    }
    never = {name: count for name, count in events.items() if name.startswith(NEVER_LOGGED)}
    outcome.expect(not never, f"logged: {never}")
    outcome.expect(exit_code == 0, f"it ended with {exit_code}")
    outcome.expect(own is not None and not own.exists(), "the folder of its numbers is left")
    outcome.expect(not outcome.figures["half_built_indexes_left"], "folders of half-built indexes are left")


def metrics_folder_of(master: int) -> Path | None:
    """Return the folder of a server's metrics, whose lock its master holds."""
    held = [link.readlink() for link in Path(f"/proc/{master}/fd").iterdir() if link.is_symlink()]
    return next((path.parent for path in held if path.match("ragbot-metrics-*/lock")), None)


def _in_short(sample: Any) -> str:
    if sample is None:
        return "gone"
    return f"{sample.rss_mb:.0f} MB, {sample.descriptors} descriptors, {sample.threads} threads"


def main() -> int:
    """Soak, print the results, and exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--database-url", help="an empty database; otherwise a new SQLite file")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL server for the run")
    parser.add_argument("--redis", action="store_true", help="start a Redis server, and cut it now and then")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    options = parser.parse_args()
    if options.workers < 2:
        parser.error("one worker is spared and the others are killed: at least two are needed")
    facts = machine()
    print("\n".join(of_the_machine(facts)), flush=True)
    wanted = Wanted(
        book=REPOSITORY / BOOK,
        database_url=options.database_url,
        postgres=options.postgres,
        redis=options.redis,
        settings=dict(one.split("=", 1) for one in options.set),
    )
    with interruptible(), laid(wanted) as ground:
        outcome = soak(ground, minutes=options.minutes, workers=options.workers, readers=options.readers)
    print(table("soak", outcome))
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, **asdict(outcome)}, indent=2))
    return int(bool(outcome.faults))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, subprocess.TimeoutExpired) as error:
        sys.exit(f"ended early: {type(error).__name__}")
