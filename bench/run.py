"""Measure the cost of an answer of the running app: CPU, time, memory, without upstream and client."""

import argparse
import contextlib
import http.client
import importlib.metadata
import itertools
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.flask_command import CommandFailed, flask_command
from harness.gunicorn_process import (
    COMMAND,
    REPOSITORY,
    GunicornProcess,
    NotReady,
    inherited_environment,
)

BOOK = "books/physical-ai"
QUESTIONS = REPOSITORY / "eval" / "physical-ai.jsonl"
ANSWER_TOKENS = 100
SHORT_TOKENS, LONG_TOKENS = 20, 200  # two lengths, so that what a stream costs at its start falls out
REQUEST_LIMIT_S = 60
PACKAGES = ("flask", "gunicorn", "openai", "sqlalchemy", "qdrant-edge-py", "onnxruntime", "pydantic")


class BenchFailed(Exception):
    """Report in one sentence why nothing could be measured."""


@dataclass(frozen=True)
class Load:
    """Hold the number of answers to warm up with and to measure."""

    warm: int
    measured: int


@dataclass(frozen=True)
class Answer:
    """Hold one answer as the client saw it."""

    total_ms: float
    first_word_ms: float | None
    deltas: int
    reply: Mapping[str, Any]


@dataclass(frozen=True)
class Series:
    """Hold the figures over many answers of one kind; CPU is that of all worker processes together."""

    answers: int
    cpu_ms: float
    p50_ms: float
    p95_ms: float
    first_word_p50_ms: float | None
    deltas: float
    model: str
    refused: int
    degraded: int
    cache_hits: int


class Asker:
    """Ask questions that no cache has, over one keep-alive connection."""

    def __init__(self, url: str, questions: Sequence[str], *, mark: str) -> None:
        self._connection = connection_to(url)
        self._questions = itertools.cycle(questions)
        self._numbers = itertools.count(1)
        self._mark = mark

    def ask(self, *, stream: bool, question: str | None = None) -> Answer:
        """Ask a question, a new one if none is given. Raises BenchFailed for anything but a whole answer."""
        question = question or f"{next(self._questions)} ({self._mark}{next(self._numbers)})"
        began = time.perf_counter()
        body = json.dumps({"query": question, "stream": stream})
        self._connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        if response.status != 200:
            raise BenchFailed(f"POST /query gave {response.status}: {response.read(500).decode()}")
        answer = streamed(response, began) if stream else whole(response, began)
        if answer.reply.get("status") not in ("answered", "refused"):
            raise BenchFailed(f"an answer came without a status: {json.dumps(answer.reply)[:300]}")
        return answer

    def close(self) -> None:
        self._connection.close()


class Upstream:
    """Control the fake provider, which runs as a process of its own."""

    def __init__(self, process: subprocess.Popen[str], base_url: str) -> None:
        self.process = process
        self.base_url = base_url

    def set_tokens(self, tokens: int, **more: float) -> None:
        """Set the length of the next answers in tokens, and what else `OpenAIUpstream` takes by name."""
        self._control("PUT", {"answer_tokens": tokens, **more})

    def forget(self) -> None:
        """Delete its records of the calls so far, which are counted anew."""
        self._control("DELETE")

    def chat_calls(self) -> int:
        """Return the number of completions so far."""
        return self._control("GET")["calls"]["/v1/chat/completions"]

    def connections(self) -> int:
        """Return the number of TCP connections so far."""
        return self._control("GET")["connections"]

    def first_word_ms(self, times: int) -> float:
        """Return the median time to its first word, in raw HTTP over a keep-alive connection."""
        connection = connection_to(self.base_url)
        messages = [{"role": "user", "content": "Hello"}]
        body = json.dumps({"model": "bench", "stream": True, "messages": messages})
        waits = []
        for _ in range(times):
            began = time.perf_counter()
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            while (line := response.readline()) and b'"delta":{"content"' not in line:
                pass
            waits.append((time.perf_counter() - began) * 1000)
            response.read()
        connection.close()
        return statistics.median(waits)

    def _control(self, method: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = connection_to(self.base_url)
        connection.request(method, "/control", json.dumps(body or {}))
        reply = json.load(connection.getresponse())
        connection.close()
        return reply


def main() -> None:
    """Measure, print a table, and write JSON if a file is named; a failure is one sentence and status 1."""
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few requests: a smoke test, not a measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--book", default=BOOK)
    parser.add_argument("--app", metavar="COMMAND", help="another server, `{port}` is put in")
    wanted = parser.parse_args()
    load = Load(warm=5, measured=20) if wanted.quick else Load(warm=30, measured=300)
    try:
        figures = measure(load, wanted.book, shlex.split(wanted.app or ""))
    except (BenchFailed, CommandFailed, NotReady, OSError, http.client.HTTPException) as error:
        sys.exit(f"bench: {type(error).__name__}: {error}")
    print(table(figures))
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(load: Load, book: str, command: Sequence[str] = ()) -> dict[str, Any]:
    """Measure all figures. With a `command` another server is measured, and nothing is ingested."""
    questions = load_questions(QUESTIONS)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, running_upstream() as upstream:
        common = {"DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3", "RATE_LIMIT_ENABLED": "false"}
        provider = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": upstream.base_url}
        with_model = common | provider | {"EMBEDDER": "openai"}
        ingestion = None if command else prepared(book, with_model)
        with served(with_model, command) as server:
            model = measure_with_model(server, upstream, questions, load)
        # An index of its own, for without a key the vectors are another model's. The key is empty and not
        # absent, so that none comes out of a .env file.
        no_key = common | {"DATABASE_URL": f"sqlite:///{folder}/no-key.sqlite3", "OPENAI_API_KEY": ""}
        ingestion_without_key = None if command else prepared(book, no_key)
        with served(no_key, command) as server:
            extractive = measure_without_key(server, questions, load)
    return {
        "machine": machine(),
        "load": asdict(load),
        "ingestion": {"with_upstream": ingestion, "without_key": ingestion_without_key},
        "with_model": model,
        "without_key": extractive,
    }


# ---- what is measured


def measure_with_model(
    server: GunicornProcess, upstream: Upstream, questions: Sequence[str], load: Load
) -> dict[str, Any]:
    """Measure JSON answers, streams of three lengths, and memory, with the fake provider as the model."""
    upstream.set_tokens(ANSWER_TOKENS)
    asker = Asker(server.url, questions, mark="m")
    fresh_memory = memory_of(server)
    as_json = series(server, lambda: asker.ask(stream=False), load)
    calls, connections = upstream.chat_calls(), upstream.connections()
    streams = series(server, lambda: asker.ask(stream=True), load)
    opened = upstream.connections() - connections
    asked = upstream.chat_calls() - calls
    if not asked:
        raise BenchFailed("the app never asked the model; is OPENAI_BASE_URL read?")
    by_length = {}
    for tokens in (SHORT_TOKENS, LONG_TOKENS):
        upstream.set_tokens(tokens)
        by_length[tokens] = series(server, lambda: asker.ask(stream=True), load)
    asker.close()
    short, long = by_length[SHORT_TOKENS], by_length[LONG_TOKENS]
    alone_ms = upstream.first_word_ms(load.measured)
    first_ms = streams.first_word_p50_ms
    return {
        "startup_s": server.startup_s,
        "json": asdict(as_json),
        "stream": asdict(streams),
        "stream_short": asdict(short),
        "stream_long": asdict(long),
        "cpu_ms_a_token": (long.cpu_ms - short.cpu_ms) / (LONG_TOKENS - SHORT_TOKENS),
        "upstream_first_word_ms": alone_ms,
        "first_word_added_ms": None if first_ms is None else first_ms - alone_ms,
        "upstream_connections_an_answer": opened / (load.warm + load.measured),
        "upstream_calls_an_answer": asked / (load.warm + load.measured),
        "memory_fresh": fresh_memory,
        "memory_warm": memory_of(server),
    }


def measure_without_key(server: GunicornProcess, questions: Sequence[str], load: Load) -> dict[str, Any]:
    """Measure JSON and streamed answers without any provider."""
    asker = Asker(server.url, questions, mark="x")
    as_json = series(server, lambda: asker.ask(stream=False), load)
    streams = series(server, lambda: asker.ask(stream=True), load)
    asker.close()
    return {
        "startup_s": server.startup_s,
        "json": asdict(as_json),
        "stream": asdict(streams),
        "memory_warm": memory_of(server),
    }


def series(server: GunicornProcess, ask: Callable[[], Answer], load: Load) -> Series:
    """Ask some questions to warm up, then measure the rest, one after another."""
    for _ in range(load.warm):
        ask()
    answers, spent_s = with_cpu(server, lambda: [ask() for _ in range(load.measured)])
    totals = sorted(answer.total_ms for answer in answers)
    first_words = [answer.first_word_ms for answer in answers if answer.first_word_ms is not None]
    replies = [answer.reply for answer in answers]
    return Series(
        answers=len(answers),
        cpu_ms=spent_s * 1000 / len(answers),
        p50_ms=statistics.median(totals),
        p95_ms=totals[min(len(totals) - 1, int(len(totals) * 0.95))],
        first_word_p50_ms=statistics.median(first_words) if first_words else None,
        deltas=statistics.mean(answer.deltas for answer in answers),
        model=", ".join(sorted({str(reply.get("model")) for reply in replies})),
        refused=sum(reply.get("status") == "refused" for reply in replies),
        degraded=sum(bool(reply.get("degraded")) for reply in replies),
        cache_hits=sum(reply.get("cache") == "hit" for reply in replies),
    )


def with_cpu(server: GunicornProcess, work: Callable[[], Sequence[Answer]]) -> tuple[Sequence[Answer], float]:
    """Do the work, and return its answers and the CPU seconds that the workers took meanwhile."""
    workers = server.worker_pids()
    before_s = sum(map(cpu_of, workers))
    answers = work()
    if not workers or server.worker_pids() != workers:
        raise BenchFailed(f"a worker died or was replaced:\n{server.logs()[-2000:]}")
    return answers, sum(map(cpu_of, workers)) - before_s


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that all threads of a process took, also those that ended (Linux)."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) gives: exact, where /proc/PID/stat counts ticks
    return time.clock_gettime(clock)


def memory_of(server: GunicornProcess) -> dict[str, float]:
    """Return RSS and PSS of the first worker, in MB; PSS divides memory that several processes share."""
    rollup = Path(f"/proc/{server.worker_pids()[0]}/smaps_rollup").read_text()
    return {
        name.lower(): int(re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1024
        for name in ("Rss", "Pss")
    }


# ---- the client's side


def whole(response: http.client.HTTPResponse, began: float) -> Answer:
    """Read a JSON answer."""
    reply = json.loads(response.read())
    return Answer((time.perf_counter() - began) * 1000, None, 0, reply)


def streamed(response: http.client.HTTPResponse, began: float) -> Answer:
    """Read a streamed answer to its end."""
    first_ms, deltas = None, 0
    event, reply = "", None
    while line := response.readline():
        if line.startswith(b"event:"):
            event = line[6:].strip().decode()
        elif line.startswith(b"data:") and event == "delta":
            deltas += 1
            first_ms = first_ms or (time.perf_counter() - began) * 1000
        elif line.startswith(b"data:") and event == "error":
            raise BenchFailed(f"a stream broke: {line[5:300].decode()}")
        elif line.startswith(b"data:") and event == "done":
            reply = json.loads(line[5:])
    if reply is None:
        raise BenchFailed("a stream ended without its `done` event")
    return Answer((time.perf_counter() - began) * 1000, first_ms, deltas, reply)


def connection_to(url: str) -> http.client.HTTPConnection:
    """Return a connection to the address's host, opened by its first request."""
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=REQUEST_LIMIT_S)


def load_questions(path: Path) -> list[str]:
    """Return the questions of the evaluation set, in order."""
    return [json.loads(line)["question"] for line in path.read_text().splitlines() if line.strip()]


# ---- the processes


@contextlib.contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Run the fake provider within the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.openai_upstream", "--tokens", str(ANSWER_TOKENS)],
        cwd=REPOSITORY,
        env=inherited_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            base_url = process.stdout.readline().strip() if process.stdout else ""
            if not base_url:
                raise BenchFailed("the stand-in provider did not start")
            yield Upstream(process, base_url)
        finally:
            process.terminate()


def served(env: Mapping[str, str], command: Sequence[str] = ()) -> GunicornProcess:
    """Run the app with one worker within the block."""
    return GunicornProcess(env, workers=1, command=command or COMMAND)


def prepared(book: str, env: Mapping[str, str]) -> dict[str, float]:
    """Migrate a new database and ingest the book; return the duration and the number of chunks."""
    flask_command(["db", "upgrade"], env)
    began = time.perf_counter()
    flask_command(["book", "ingest", book], env)
    seconds = time.perf_counter() - began
    chunks = chunks_in(env)
    return {
        "seconds": seconds,
        "chunks": chunks,
        "chunks_a_second": chunks / seconds,
        "of_which_start_s": start_up_of_flask(env),
    }


def chunks_in(env: Mapping[str, str]) -> int:
    """Return the number of chunks of the published edition, from /health/ready."""
    with served(env) as server:
        connection = connection_to(server.url)
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        ready = json.load(response)
        connection.close()
    if response.status != 200:
        raise BenchFailed(
            f"/health/ready gave {response.status} after the ingestion: {json.dumps(ready)[:500]}"
        )
    return ready["book"]["chunks"]


def start_up_of_flask(env: Mapping[str, str]) -> float:
    """Return the seconds of a flask command that does nothing: imports and the app's creation."""
    began = time.perf_counter()
    flask_command(["routes"], env)
    return time.perf_counter() - began


# ---- what is shown


def machine() -> dict[str, Any]:
    """Return hardware and versions, without which no figure means anything."""
    cpu_info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpu_info, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory[1]) / 1024**2, 1) if memory else None,
        "load_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "commit": commit(),
    }


def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """Return the measured commit, with a plus when files differ from it; None outside a repository."""
    words = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def table(figures: Mapping[str, Any]) -> str:
    """Print the figures."""
    model, extractive, load = figures["with_model"], figures["without_key"], figures["load"]
    lines = [
        *of_the_machine(figures["machine"]),
        f"{load['measured']} answers a line after {load['warm']} to warm up, one at a time, 1 worker",
        "",
        f"{'':34}{'CPU ms':>9}{'p50 ms':>9}{'p95 ms':>9}{'1st word':>10}{'deltas':>8}  model",
    ]
    rows = {
        f"JSON, {ANSWER_TOKENS} tokens": model["json"],
        f"stream, {ANSWER_TOKENS} tokens": model["stream"],
        f"stream, {SHORT_TOKENS} tokens": model["stream_short"],
        f"stream, {LONG_TOKENS} tokens": model["stream_long"],
        "no key, JSON": extractive["json"],
        "no key, stream": extractive["stream"],
    }
    lines += [row(name, values) for name, values in rows.items()]
    lines += ["", *scalars(figures)]
    return "\n".join(lines)


def of_the_machine(facts: Mapping[str, Any]) -> list[str]:
    """Return hardware and versions in three lines."""
    versions = [f"{name} {version}" for name, version in facts["packages"].items() if version]
    return [
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB, load {facts['load_before']:.2f}",
        f"Python {facts['python']}, {facts['system']}, commit {facts['commit']}",
        ", ".join(versions),
    ]


def row(name: str, values: Mapping[str, Any]) -> str:
    """Return one line of the table, with a warning where the figures are not of plain answers."""
    first = values["first_word_p50_ms"]
    shown = "–" if first is None else f"{first:.1f}"
    warnings = [
        f"{values[key]} {word}"
        for key, word in (
            ("refused", "refused"),
            ("degraded", "degraded"),
            ("cache_hits", "from the cache"),
        )
        if values[key]
    ]
    note = f"  ({', '.join(warnings)})" if warnings else ""
    return (
        f"{name:34}{values['cpu_ms']:9.2f}{values['p50_ms']:9.1f}{values['p95_ms']:9.1f}{shown:>10}"
        f"{values['deltas']:8.0f}  {values['model']}{note}"
    )


def scalars(figures: Mapping[str, Any]) -> list[str]:
    """Return the figures that are one number each."""
    model, extractive = figures["with_model"], figures["without_key"]
    shown = [
        ("CPU a streamed token", f"{model['cpu_ms_a_token']:.4f} ms"),
        ("upstream's first word, directly", f"{model['upstream_first_word_ms']:.1f} ms"),
        ("added to the first word", number(model["first_word_added_ms"], "ms")),
        ("upstream connections an answer", f"{model['upstream_connections_an_answer']:.2f}"),
        ("upstream completions an answer", f"{model['upstream_calls_an_answer']:.2f}"),
        ("start to first /health", f"{model['startup_s']:.2f} s"),
        ("start to first /health, no key", f"{extractive['startup_s']:.2f} s"),
        ("worker, fresh", in_mb(model["memory_fresh"])),
        ("worker, warm", in_mb(model["memory_warm"])),
        ("worker, warm, no key", in_mb(extractive["memory_warm"])),
    ]
    for name, ingestion in figures["ingestion"].items():
        if ingestion:
            text = (
                f"{ingestion['chunks_a_second']:.0f} chunks a second ({ingestion['chunks']} in"
                f" {ingestion['seconds']:.1f} s, of which {ingestion['of_which_start_s']:.1f} s start-up)"
            )
            shown.append((f"ingestion, {name.replace('_', ' ')}", text))
    return [f"{name:34}{text}" for name, text in shown]


def number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.1f} {unit}"


def in_mb(memory: Mapping[str, float]) -> str:
    return f"{memory['rss']:.0f} MB RSS, {memory['pss']:.0f} MB PSS"


if __name__ == "__main__":
    main()
