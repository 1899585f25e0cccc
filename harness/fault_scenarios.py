"""Run fault scenarios on a server: kills, clean ends and crowds; count what readers saw."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.gunicorn_process import GunicornProcess
from harness.ledger import Ledger, Verdict, pending_in, rows_of
from harness.reader import Reader, Seen, fetched
from harness.stack import SETTLING_S, Ground, Kills, until

QUESTIONS = (
    "How long is the cheddar ripened?",
    "How long does bread rise?",
    "What does rennet do to the milk?",
    "At what temperature is bread baked?",
    "What is fed every day?",
)
# An answer of some half a second: most kills hit several that are under way.
ANSWER = {"answer_tokens": 25, "first_delay_s": 0.05, "delay_s": 0.02}
# No question and no key comes twice, also where one scenario follows another on the same database.
NUMBERS = itertools.count(random.randrange(10**9))
# A question's deadline here, so that what a kill left open is settled the sooner.
DEADLINE_S = 10


@dataclass
class Outcome:
    """Hold a scenario's figures; `faults` are sentences about broken promises."""

    figures: dict[str, Any]
    faults: list[str] = field(default_factory=list)

    def expect(self, holds: bool, sentence: str) -> None:
        """Record a fault if a promise is broken."""
        if not holds:
            self.faults.append(sentence)


class Traffic:
    """Run readers who ask new questions one after another, JSON and streams, half of them with a key."""

    def __init__(self, port: int, readers: int, *, ledger: Ledger, explain: Callable[[Seen], bool]) -> None:
        self._port = port
        self._ledger = ledger
        self._explain = explain
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="reader")
        self._lock = threading.Lock()
        self._readers = readers
        self.results: Counter[str] = Counter()
        self.unexplained: list[str] = []
        self.cut_with_key: list[tuple[dict[str, Any], str]] = []

    @property
    def whole(self) -> int:
        """Return the number of answers that were seen to their end."""
        return self.results["whole"]

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Ask questions within the block; at its end wait for each reader's last answer."""
        asking = [self._pool.submit(self._ask_on, seed) for seed in range(self._readers)]
        try:
            yield
        finally:
            self._stop.set()
            self._pool.shutdown()
        for one in asking:
            one.result()

    def _ask_on(self, seed: int) -> None:
        choose = random.Random(seed)
        with Reader(self._port) as reader:
            while not self._stop.is_set():
                number = next(NUMBERS)
                key = f"key-{number}" if number % 2 else ""
                question = f"{choose.choice(QUESTIONS)} (ref k{number})"
                body = {"query": question, "stream": choose.random() < 0.5}
                self._ledger.sent(question, keyed=bool(key))
                self._note(reader.ask(body, key=key), body, key)
                if choose.random() < 0.3:
                    # Some come over a connection of their own.
                    reader.shut_down()

    def _note(self, seen: Seen, body: dict[str, Any], key: str) -> None:
        self._ledger.saw(seen)
        with self._lock:
            self.results[named(seen)] += 1
            # (Nobody has got a question that was refused at the door.)
            if seen.reply is None and key and seen.broken != "refused":
                self.cut_with_key.append((body, key))
            if seen.reply is None and not self._explain(seen):
                self.unexplained.append(named(seen))
        if seen.broken == "refused":
            time.sleep(0.05)


def named(seen: Seen) -> str:
    """Describe the result of a request in a word or two."""
    if seen.reply is not None:
        return "whole"
    return seen.broken or f"{seen.status} {seen.code}".strip()


def asked_again(port: int, cut: Sequence[tuple[dict[str, Any], str]], ledger: Ledger) -> int:
    """Repeat each question with its key until it is answered; return how many were."""

    def again(body: dict[str, Any], key: str) -> bool:
        with Reader(port) as reader:
            for _ in range(100):
                ledger.sent(body["query"], keyed=True)
                seen = reader.ask(body, key=key)
                ledger.saw(seen)
                if seen.reply is not None:
                    return True
                time.sleep(0.2)
        return False

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda pair: again(*pair), cut))


def settled_by_itself(ground: Ground) -> bool:
    """Return whether the server's periodic tasks settle the turns that kills left open."""
    return until(
        lambda: pending_in(ground.database_url) == 0, within_s=DEADLINE_S + SETTLING_S + 15, every_s=1.0
    )


def judged(
    ground: Ground, server: GunicornProcess, traffic: Traffic, ledger: Ledger, outcome: Outcome
) -> None:
    """Repeat questions that were cut, and compare all answers with the API and the database."""
    answered = asked_again(server.port, traffic.cut_with_key, ledger)
    verdict = ledger.compared_with(rows_of(ground.database_url))
    over_api = ledger.compared_over_api(server.port)
    outcome.figures |= {
        "answers_seen_whole": verdict.answers,
        "lost": len(verdict.lost) + len(over_api.lost),
        "doubled": len(verdict.doubled) + len(over_api.doubled),
        "otherwise": len(verdict.otherwise) + len(over_api.otherwise),
        "pending": verdict.pending,
        "asked_again_with_their_key": len(traffic.cut_with_key),
        "answered_then": answered,
        "results": dict(traffic.results),
    }
    outcome.expect(verdict.holds, f"the database differs from what was seen: {shown(verdict)}")
    outcome.expect(over_api.holds, f"the sessions differ from what was seen: {shown(over_api)}")
    outcome.expect(answered == len(traffic.cut_with_key), "a question with a key was not answered later")
    outcome.expect(
        not traffic.unexplained, f"failed though no worker was killed: {Counter(traffic.unexplained)}"
    )
    outcome.expect(not ledger.unkept, f"{ledger.unkept} answers were not kept")


def shown(verdict: Verdict) -> str:
    """Return a verdict as text, with some of the ids."""
    return ", ".join(
        f"{name} {len(ids)} {[one[:8] for one in ids[:5]]}"
        for name in ("lost", "doubled", "otherwise")
        if (ids := getattr(verdict, name))
    ) + (f", pending {verdict.pending}" if verdict.pending else "")


# ---- scenarios


def worker_kills(
    ground: Ground,
    *,
    kills: int = 100,
    readers: int = 8,
    settle: Callable[[Ground], bool] = settled_by_itself,
) -> Outcome:
    """Kill workers while readers ask: no answer that was seen whole is lost or doubled."""
    ground.upstream.steer(**ANSWER)
    ledger = Ledger()
    outcome = Outcome({"kills": 0})
    with ground.server(workers=2, QUERY_DEADLINE_S=str(DEADLINE_S)) as server:
        killing = Kills(server)
        traffic = Traffic(
            server.port, readers, ledger=ledger, explain=lambda s: killing.explain(s.connected_at, s.ended)
        )
        began = time.monotonic()
        with traffic.flowing():
            for _ in range(kills):
                before = traffic.whole
                # Not before answers came again, or readers would only see a server that starts.
                served = until(lambda before=before: traffic.whole >= before + 4, within_s=60)
                outcome.expect(served, "no answers came for a minute")
                outcome.figures["kills"] += killing.one() is not None
                until(lambda: len(server.worker_pids()) == 2, within_s=30)
        outcome.figures["seconds"] = round(time.monotonic() - began, 1)
        outcome.expect(settle(ground), "turns stayed pending")
        judged(ground, server, traffic, ledger, outcome)
        outcome.expect(server.terminate(30) == 0, "the server did not end with 0")
    return outcome


def server_kills(
    ground: Ground,
    *,
    kills: int = 20,
    readers: int = 8,
    settle: Callable[[Ground], bool] = settled_by_itself,
) -> Outcome:
    """Kill the whole server and restart it on its port, every fourth time its master alone."""
    ground.upstream.steer(**ANSWER)
    ledger = Ledger()
    outcome = Outcome({"kills": 0})
    away: list[tuple[float, float]] = []
    server = ground.server(workers=2, QUERY_DEADLINE_S=str(DEADLINE_S))

    def explain(seen: Seen) -> bool:
        return any(seen.connected_at <= back and seen.ended >= gone for gone, back in away)

    with server:
        traffic = Traffic(server.port, readers, ledger=ledger, explain=explain)
        began = time.monotonic()
        with traffic.flowing():
            for number in range(1, kills + 1):
                before = traffic.whole
                outcome.expect(until(lambda b=before: traffic.whole >= b + 12, within_s=60), "no answers")
                away.append((time.monotonic(), float("inf")))
                if number % 4 == 0:
                    server.kill_master()
                else:
                    server.kill()
                outcome.figures["kills"] += 1
                server.start()
                away[-1] = (away[-1][0], time.monotonic())
        outcome.figures["seconds"] = round(time.monotonic() - began, 1)
        outcome.expect(settle(ground), "turns stayed pending")
        judged(ground, server, traffic, ledger, outcome)
        outcome.expect(server.terminate(30) == 0, "the server did not end with 0")
    return outcome


def clean_end(ground: Ground, *, running: int = 12) -> Outcome:
    """Send SIGTERM during answers: all of them end whole, and new connections are refused."""
    # Three seconds an answer, so that it ends long after the signal.
    ground.upstream.steer(answer_tokens=30, first_delay_s=0.1, delay_s=0.1)
    ledger = Ledger()
    outcome = Outcome({"running": running})
    with ground.server(workers=2) as server, ThreadPoolExecutor(running + 1) as pool:

        def ask(number: int) -> Seen:
            with Reader(server.port) as reader:
                seen = reader.ask(
                    {"query": f"{QUESTIONS[0]} (ref t{next(NUMBERS)})", "stream": number % 2 == 0}
                )
            ledger.saw(seen)
            return seen

        asking = [pool.submit(ask, number) for number in range(running)]
        under_way = until(lambda: ground.upstream.open_streams() == running, within_s=15)
        signalled = time.monotonic()
        ending = pool.submit(server.terminate, 40)
        # The signal is handled in a moment; a connection in that moment is still an old one.
        refused = until(lambda: fetched(server.port, "/health", patience_s=1).broken == "refused", within_s=3)
        refused_after_s = time.monotonic() - signalled
        late = [fetched(server.port, "/health", patience_s=1).broken for _ in range(10)]
        seen = [one.result() for one in asking]
        exit_code = ending.result()
        verdict = ledger.compared_with(rows_of(ground.database_url))
    whole = sum(one.reply is not None for one in seen)
    outcome.figures |= {
        "whole": whole,
        "kept_as_seen": verdict.answers - len(verdict.lost) - len(verdict.otherwise),
        "exit_code": exit_code,
        "seconds_to_the_end": round(time.monotonic() - signalled, 1),
        "new_connections_refused_after_s": round(refused_after_s, 2),
        "new_connections_refused": f"{late.count('refused')} of {len(late)}",
    }
    outcome.expect(under_way, "the answers did not all begin")
    outcome.expect(whole == running, f"cut: {Counter(named(one) for one in seen)}")
    outcome.expect(verdict.holds, f"the database differs from what was seen: {shown(verdict)}")
    outcome.expect(exit_code == 0, f"it ended with {exit_code}")
    outcome.expect(refused and set(late) == {"refused"}, f"new connections were not refused: {late}")
    return outcome


def crowd(ground: Ground, *, questions: int = 80, slots: int = 24, workers: int = 1) -> Outcome:
    """Send more questions at once than the workers may stream: some are served, the rest refused early.

    The slots are shared out among the workers, so that each of them must take its part.
    """
    ground.upstream.steer(answer_tokens=20, first_delay_s=1.0, delay_s=0.1)
    outcome = Outcome({"questions": questions, "slots": slots})
    together = threading.Barrier(questions)
    over = threading.Event()
    # Each reader has an address of their own, and so a quota, as behind a proxy.
    limits = {"RATE_LIMIT_ENABLED": "true", "TRUSTED_PROXIES": "1", "MAX_STREAMS": str(slots // workers)}
    with (
        ground.server(workers=workers, **limits) as server,
        ThreadPoolExecutor(questions + 1) as pool,
    ):
        with Reader(server.port) as reader:
            # The first question loads the index, which is not measured here.
            reader.ask({"query": QUESTIONS[0]})

        def ask(number: int) -> Seen:
            body = {"query": f"{QUESTIONS[1]} (ref c{next(NUMBERS)})", "stream": number % 2 == 0}
            with Reader(server.port, address=f"203.0.113.{number}") as reader:
                together.wait()
                return reader.ask(body)

        def look() -> list[Seen]:
            looks = []
            while not over.is_set():
                looks.append(fetched(server.port, "/health"))
                time.sleep(0.05)
            return looks

        looking = pool.submit(look)
        seen = list(pool.map(ask, range(questions)))
        over.set()
        looks = looking.result()
    # Of several workers one may refuse just before another has told that it is full, or free again.
    return _judged_crowd(outcome, seen, looks, slots if workers == 1 else slots - 2)


def _judged_crowd(outcome: Outcome, seen: list[Seen], looks: list[Seen], slots: int) -> Outcome:
    """Add the crowd's figures and faults. `looks` are the requests to /health meanwhile."""
    served = [one for one in seen if one.reply is not None]
    refused = [one for one in seen if one.status == 503]
    degraded = [kind for one in served for kind in one.reply["degraded"]]
    outcome.figures |= {
        "served": len(served),
        "refused": len(refused),
        "slowest_refusal_s": round(max((one.seconds for one in refused), default=0.0), 3),
        "slowest_answer_s": round(max((one.seconds for one in served), default=0.0), 2),
        "slowest_health_s": round(max(one.seconds for one in looks), 3),
        "looks_at_health": len(looks),
        "degraded": dict(Counter(degraded)),
    }
    others = Counter(named(one) for one in seen if one.reply is None and one.status != 503)
    outcome.expect(not others, f"neither served nor refused: {others}")
    outcome.expect(len(served) >= slots, f"only {len(served)} were served")
    outcome.expect(bool(refused), "no question was refused")
    said = {(one.code, bool(one.retry_after)) for one in refused}
    outcome.expect(said <= {("overloaded", True)}, f"refused otherwise: {said}")
    outcome.expect(all(one.status == 200 for one in looks), "/health failed")
    return outcome
