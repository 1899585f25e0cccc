"""Ask a real small model the questions of a set, and print how it answered.

usage: python -m bench.eval_model [--model NAME] [--sample N] [--seed S] [--threads T] [--serve]

llama.cpp's server serves the model on the loopback, and `flask eval` asks it through the whole of ragbot. The
model, the server's packages, the database and the answers are in `var/eval-model`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.model_weights import MODELS, WrongWeights, fetched
from harness.flask_command import CommandFailed, flask_command
from harness.gunicorn_process import REPOSITORY, free_port, inherited_environment

FOLDER = REPOSITORY / "var" / "eval-model"
QUESTIONS = REPOSITORY / "eval" / "physical-ai.jsonl"
BOOK = REPOSITORY / "books" / "physical-ai"
TITLE = "Physical AI & Humanoid Robotics Textbook"
SITE = "https://mohsin-raza-developer.github.io/Physical-AI-Humanoid-Robotics-Textbook/"
# Reading a model of a gigabyte from a cold disk.
START_LIMIT_S = 180
POLL_S = 0.2


class NotStarted(Exception):
    """Report a model server that ended or did not answer in time."""


@dataclass(frozen=True)
class Wanted:
    """Hold the options of a run."""

    model: str
    sample: int | None
    seed: int
    threads: int
    port: int
    context_tokens: int
    deadline_s: int


def main() -> int:
    """Run the evaluation, or with --serve only the model's server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default=next(iter(MODELS)))
    parser.add_argument("--sample", type=int, help="so many questions, of each type its share; else all")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="idle cores for the model")
    parser.add_argument("--port", type=int, default=0, help="the model server's port; else a free one")
    parser.add_argument("--context-tokens", type=int, default=700, help="tokens of passages for the model")
    parser.add_argument("--deadline", type=int, default=300, help="seconds for a question")
    parser.add_argument("--serve", action="store_true", help="serve the model until Ctrl-C, and ask nothing")
    given = parser.parse_args()
    wanted = Wanted(
        given.model,
        given.sample,
        given.seed,
        given.threads,
        given.port or free_port(),
        given.context_tokens,
        given.deadline,
    )
    try:
        with serving(wanted) as base_url:
            env = settings(wanted, base_url)
            return serve(env) if given.serve else evaluate(wanted, env)
    except (WrongWeights, NotStarted, CommandFailed, subprocess.CalledProcessError) as error:
        print(f"eval-model: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def evaluate(wanted: Wanted, env: Mapping[str, str]) -> int:
    """Ingest the book on first use, ask the questions, and print the figures."""
    flask_command(["db", "upgrade"], env)
    flask_command(["book", "ingest", str(BOOK), "--title", TITLE, "--site-url", SITE, "--if-none"], env)
    stem = f"{wanted.model}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    answers, figures = FOLDER / f"{stem}.answers.jsonl", FOLDER / f"{stem}.json"
    chosen = ["--sample", str(wanted.sample), "--seed", str(wanted.seed)] if wanted.sample else []
    words = ["eval", str(QUESTIONS), "--answers", str(answers), "--json", str(figures), *chosen]
    started, load = time.monotonic(), os.getloadavg()[0]
    code = subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=REPOSITORY,
        env=inherited_environment() | {"FLASK_APP": "wsgi"} | dict(env),
        check=False,
    ).returncode
    if code:
        return code
    print(
        f"\n{wanted.model}, {wanted.threads} threads on {os.cpu_count()} cores of {processor()}, "
        f"{wanted.context_tokens} tokens of passages, {time.monotonic() - started:.0f} s, "
        f"load before {load:.1f} and after {os.getloadavg()[0]:.1f}\nanswers: {answers}\nfigures: {figures}"
    )
    return 0


def serve(env: Mapping[str, str]) -> int:
    """Print the settings with which ragbot uses the server, and wait."""
    print("\n".join(f"{name}={value}" for name, value in env.items()), flush=True)
    while True:
        time.sleep(3600)


def settings(wanted: Wanted, base_url: str) -> dict[str, str]:
    """Return ragbot's settings for a small model on this machine."""
    return {
        "DATABASE_URL": f"sqlite:///{FOLDER / 'eval.db'}",
        "INDEX_DIR": str(FOLDER / "index"),
        "LOG_LEVEL": "WARNING",
        "EMBEDDER": "local",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": base_url,
        "OPENAI_LLM_MODEL": wanted.model,
        # The same again is no second model: what it cannot answer is answered by the book's sentences.
        "OPENAI_LLM_FALLBACK_MODEL": wanted.model,
        # So small a model restates questions badly, and each takes as long as an answer.
        "QUESTION_MODEL": "none",
        "CONTEXT_TOKENS": str(wanted.context_tokens),
        "HISTORY_TOKENS": "300",
        "ANSWER_TOKENS": "300",
        "QUERY_DEADLINE_S": str(wanted.deadline_s),
        "OPENAI_FIRST_WORD_TIMEOUT_S": str(wanted.deadline_s),
    }


@contextmanager
def serving(wanted: Wanted) -> Iterator[str]:
    """Serve the model, and yield the address for OPENAI_BASE_URL; the server ends with the block."""
    path = fetched(wanted.model, FOLDER)
    command = [str(server_python()), str(Path(__file__).with_name("llama_server.py"))]
    log = FOLDER / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, str(path), wanted.model, str(wanted.port), str(wanted.threads)],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{wanted.port}"
            _wait_until_ready(process, address, log)
            yield f"{address}/v1"
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    ends = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2) as response:
                if json.load(response).get("status") == "ok":
                    return
        except (OSError, ValueError, urllib.error.URLError):
            pass
        time.sleep(POLL_S)
    end = log.read_text(errors="replace").strip()[-800:]
    raise NotStarted(f"the model's server does not answer on {address}; the end of {log}:\n{end}")


def server_python() -> Path:
    """Return the Python that has llama.cpp, in a virtual environment that is made on first use."""
    folder = FOLDER / "venv"
    requirements = Path(__file__).with_name("requirements-llama.txt")
    subprocess.run([str(REPOSITORY / "deploy" / "make-venv.sh"), str(folder), str(requirements)], check=True)
    return folder / "bin" / "python"


def processor() -> str:
    """Return the processor's name, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "an unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    raise SystemExit(main())
