"""The stand-in provider as a process of its own that counts calls by question and can be made to fail."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.fakes import openai_upstream as fake
from tests.fakes.loopback import Call, Connection
from tests.fakes.wsgi_process import REPOSITORY, inherited_environment

STEER = "/steer"
# Every question that is counted carries its mark, such as `(ref m17)`. The talk before it stands in the
# prompt too, so the last one counts.
MARK = re.compile(r"\(ref ([a-z]\d+)\)")
KINDS = {
    kind.__name__: kind
    for kind in (fake.Reply, fake.Status, fake.Hang, fake.Drip, fake.Cut, fake.Garbage, fake.EmptyAnswer)
}

# A behaviour as it goes over the wire: its name in `KINDS` and its fields.
Manner = tuple[str, Mapping[str, Any]]


class SteeredUpstream(fake.OpenAIUpstream):
    """Keeps no call, which would fill the memory in a long run, but counts completions by their mark."""

    def __init__(self) -> None:
        super().__init__()
        self._of_marks: Counter[str] = Counter()
        self._paths: Counter[str] = Counter()

    def respond(self, call: Call, connection: Connection) -> None:
        if call.path == STEER:
            self._steered(call, connection)
            return
        with self._changed:
            self._calls.clear()
            self._paths[call.path] += 1
            if call.path == fake.CHAT and (marks := MARK.findall(last_message(call.body))):
                self._of_marks[marks[-1]] += 1
        super().respond(call, connection)

    def _steered(self, call: Call, connection: Connection) -> None:
        wanted = call.body or {}
        for endpoint, manner in wanted.get("always", {}).items():
            self.always(behaviour(manner), endpoint)
        for model, manner in wanted.get("models", {}).items():
            self.for_model(model, behaviour(manner))
        for name in ("answer_tokens", "first_delay_s", "delay_s"):
            setattr(self, name, wanted.get(name, getattr(self, name)))
        with self._changed:
            told = {"calls": dict(self._paths), "marks": dict(self._of_marks), "open": self._streams}
        connection.reply_json(200, told)


class Upstream:
    """The process, steered from outside."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def steer(self, **wanted: Any) -> None:
        """Change how it answers: `always` by endpoint, `models` by name, or one of its numbers."""
        self._told("PUT", wanted)

    def be_well(self) -> None:
        """Answer well from now on, at every endpoint."""
        models = ("gpt-4o", "gpt-3.5-turbo")
        self.steer(always={fake.CHAT: None, fake.EMBEDDINGS: None}, models=dict.fromkeys(models))

    def calls_by_mark(self) -> dict[str, int]:
        """How many completions were asked for each marked question so far."""
        return self._told("GET")["marks"]

    def calls(self) -> dict[str, int]:
        """How many requests came to each path so far."""
        return self._told("GET")["calls"]

    def open_streams(self) -> int:
        """How many answers are under way now."""
        return self._told("GET")["open"]

    def _told(self, method: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=30)
        try:
            connection.request(method, STEER, json.dumps(body) if body else None)
            return json.load(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """The process while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.upstream"],
        cwd=REPOSITORY,
        env=inherited_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            base_url = process.stdout.readline().strip() if process.stdout else ""
            if not base_url:
                raise RuntimeError("the stand-in provider did not start")
            yield Upstream(base_url)
        finally:
            process.terminate()


def behaviour(manner: Manner | None) -> fake.Behaviour | None:
    """What was sent as JSON, as the fake knows it."""
    if manner is None:
        return None
    name, fields = manner
    return KINDS[name](**fields)


def last_message(body: Any) -> str:
    """The question as the model gets it."""
    messages = (body or {}).get("messages") or [{}]
    return fake.text_of(messages[-1])


def main() -> None:
    """Serve until told to stop; prints the base URL as soon as connections are taken."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with SteeredUpstream() as upstream:
        print(upstream.base_url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
