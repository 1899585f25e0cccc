"""Measure what answers cost one of the two servers: each function is one turn, and returns its figures."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from bench.peers.servers import ANSWER_TOKENS, Side
from bench.run import QUESTIONS, Answer, Asker, BenchFailed, Load, Upstream, memory_of, series, with_cpu
from harness.gunicorn_process import GunicornProcess

# A model's words as a reader sees them come: a hundred a second.
TOKEN_DELAY_S = 0.01
# Two lengths, so that what a stream costs at its start and at its end falls out.
SHORT_TOKENS, LONG_TOKENS = 20, 200
STREAMS = 8
# Readers do not ask in step.
LONGEST_THOUGHT_S = 0.2

# Questions that cost ragbot one call of the model, as they cost the peer: no small talk, nothing that it
# answers from the table of contents, and none that it has a model restate.
PLAIN = {"fact", "paraphrase", "definition", "conceptual", "howto"}

_marks = itertools.count(1)

T = TypeVar("T")

Figures = dict[str, float]


@dataclass(frozen=True)
class Size:
    """Hold how much a turn asks."""

    answers: int
    streams_each: int
    # Of a question that is asked again and again.
    repeats: int
    # Of each of 8 clients, and of each of 256.
    at_8: int
    at_256: int


@dataclass(frozen=True)
class Running:
    """Hold a server that runs, with all that is needed to ask it."""

    name: str
    server: GunicornProcess
    upstream: Upstream
    questions: Sequence[str]
    size: Size

    def asker(self) -> Asker:
        """Return a client whose questions nobody else asks."""
        number = next(_marks)
        start = number * 7 % len(self.questions)
        return Asker(self.server.url, [*self.questions[start:], *self.questions[:start]], mark=f"m{number}-")

    def askers(self, count: int) -> list[Asker]:
        return [self.asker() for _ in range(count)]


def plain_questions() -> list[str]:
    """Return the questions of the evaluation set that stand alone and ask one thing."""
    rows = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    return [
        row["question"]
        for row in rows
        if row["type"] in PLAIN and "history" not in row and " and " not in row["question"]
    ]


# ---- one at a time


def json_answers(running: Running) -> Figures:
    """Measure JSON answers, one after another."""
    cpu_ms, p50_ms = _one_at_a_time(running, stream=False)
    return {"json_cpu_ms": cpu_ms, "json_p50_ms": p50_ms}


def streamed_answers(running: Running) -> Figures:
    """Measure streamed answers whose tokens all come at once, one after another."""
    cpu_ms, _ = _one_at_a_time(running, stream=True)
    return {"stream_cpu_ms": cpu_ms}


def repeated_question(running: Running) -> Figures:
    """Measure a question that was answered before; the peer answers it anew."""
    running.upstream.set_tokens(ANSWER_TOKENS, delay_s=0)
    asker = running.asker()
    question = f"{running.questions[0]} (asked again, {next(_marks)})"
    first = asker.ask(stream=False, question=question)
    _check(running.name, [first])
    load = Load(warm=1, measured=running.size.repeats)
    found = series(running.server, lambda: asker.ask(stream=False, question=question), load)
    asker.close()
    if running.name == "ragbot" and found.cache_hits != found.answers:
        raise BenchFailed(f"only {found.cache_hits} of {found.answers} repeats came from the cache")
    return {"repeated_cpu_ms": found.cpu_ms}


def _one_at_a_time(running: Running, *, stream: bool) -> tuple[float, float]:
    running.upstream.set_tokens(ANSWER_TOKENS, delay_s=0)
    calls = running.upstream.chat_calls()
    asker = running.asker()
    load = Load(warm=1, measured=running.size.answers)
    found = series(running.server, lambda: asker.ask(stream=stream), load)
    asker.close()
    asked = running.upstream.chat_calls() - calls
    if found.refused or found.degraded or found.cache_hits or asked != load.warm + load.measured:
        raise BenchFailed(
            f"{running.name}: of {load.warm + load.measured} new questions {asked} reached the model, "
            f"{found.cache_hits} the cache; {found.refused} were refused and {found.degraded} degraded"
        )
    return found.cpu_ms, found.p50_ms


# ---- several at once


def realistic_streams(running: Running) -> Figures:
    """Measure eight readers whose words come a hundred a second: CPU of a token, and the first word."""
    running.upstream.set_tokens(SHORT_TOKENS, delay_s=TOKEN_DELAY_S)
    alone_ms = running.upstream.first_word_ms(5)
    short, short_s = _streamed_together(running, running.size.streams_each * 2)
    running.upstream.set_tokens(LONG_TOKENS, delay_s=TOKEN_DELAY_S)
    long, long_s = _streamed_together(running, running.size.streams_each)
    tokens = LONG_TOKENS - SHORT_TOKENS
    first_words = [answer.first_word_ms for answer in [*short, *long] if answer.first_word_ms is not None]
    return {
        "token_cpu_us": (long_s / len(long) - short_s / len(short)) / tokens * 1_000_000,
        "first_word_added_ms": statistics.median(first_words) - alone_ms,
    }


def eight_at_once(running: Running) -> Figures:
    """Measure how many JSON answers a second eight clients get that ask without a pause."""
    running.upstream.set_tokens(ANSWER_TOKENS, delay_s=0)
    askers = running.askers(8)
    began = time.monotonic()
    answers = together(askers, lambda asker: asker.ask(stream=False), running.size.at_8)
    took_s = time.monotonic() - began
    _check(running.name, answers)
    return {"answers_a_second_at_8": len(answers) / took_s}


def crowd(running: Running) -> Figures:
    """Measure how many JSON answers a second 256 clients get that ask without a pause.

    Answers that are refused or degraded under this load do not count.
    """
    running.upstream.set_tokens(ANSWER_TOKENS, delay_s=0)
    askers = running.askers(256)
    began = time.monotonic()
    answers = together(askers, _answer_or_none, running.size.at_256)
    took_s = time.monotonic() - began
    plain = [answer for answer in answers if answer is not None and is_plain(answer)]
    return {"answers_a_second_at_256": len(plain) / took_s}


def _answer_or_none(asker: Asker) -> Answer | None:
    try:
        return asker.ask(stream=False)
    except (BenchFailed, OSError, http.client.HTTPException):
        asker.close()  # the next question opens a new connection
        return None


def _streamed_together(running: Running, each: int) -> tuple[Sequence[Answer], float]:
    thoughts = random.Random(each)

    def ask(asker: Asker) -> Answer:
        time.sleep(thoughts.random() * LONGEST_THOUGHT_S)
        return asker.ask(stream=True)

    askers = running.askers(STREAMS)
    answers, spent_s = with_cpu(running.server, lambda: together(askers, ask, each))
    _check(running.name, answers)
    return answers, spent_s


def together(askers: Sequence[Asker], ask: Callable[[Asker], T], each: int) -> list[T]:
    """Let every client ask so many times, each in a thread of its own, and close them."""

    def ask_all(asker: Asker) -> list[T]:
        try:
            return [ask(asker) for _ in range(each)]
        finally:
            asker.close()

    with ThreadPoolExecutor(len(askers)) as threads:
        return [answer for answers in threads.map(ask_all, askers) for answer in answers]


def _check(name: str, answers: Sequence[Answer]) -> None:
    """Raise BenchFailed if an answer is not plain."""
    poor = [answer.reply for answer in answers if not is_plain(answer)]
    if poor:
        facts = {key: poor[0].get(key) for key in ("status", "degraded", "cache")}
        raise BenchFailed(
            f"{name}: {len(poor)} of {len(answers)} answers are not plain ones; the first: {facts}"
        )


def is_plain(answer: Answer) -> bool:
    """Return whether an answer is the first model's own, with nothing missing."""
    reply = answer.reply
    return reply["status"] == "answered" and not reply.get("degraded") and reply.get("cache") != "hit"


# ---- the process


def memory(running: Running) -> Figures:
    """Measure the worker's resident memory after all that was asked."""
    return {"worker_mb": memory_of(running.server)["rss"]}


def start(side: Side, upstream: Upstream, question: str) -> Figures:
    """Measure the seconds from the start of gunicorn to the first answer."""
    upstream.set_tokens(ANSWER_TOKENS, delay_s=0)
    with side.server() as server:
        asker = Asker(server.url, [question], mark=f"s{next(_marks)}-")
        answer = asker.ask(stream=False)
        asker.close()
    _check(side.name, [answer])
    return {"start_s": server.startup_s + answer.total_ms / 1000}
