"""Run the fake provider as a process of its own that counts calls by question and can be made to fail."""

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
    """Count completions by their mark, without storing the calls, which would fill the memory."""

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
            counts = {"calls": dict(self._paths), "marks": dict(self._of_marks), "open": self._streams}
        connection.reply_json(200, counts)


class Upstream:
    """Control the process from outside."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def steer(self, **wanted: Any) -> None:
        """Change how it answers: `always` by endpoint, `models` by name, or one of its numbers."""
        self._control("PUT", wanted)

    def be_well(self) -> None:
        """Switch all faults off."""
        models = ("gpt-4o", "gpt-3.5-turbo")
        self.steer(always={fake.CHAT: None, fake.EMBEDDINGS: None}, models=dict.fromkeys(models))

    def calls_by_mark(self) -> dict[str, int]:
        """Return the number of completions for each marked question so far."""
        return self._control("GET")["marks"]

    def calls(self) -> dict[str, int]:
        """Return the number of requests to each path so far."""
        return self._control("GET")["calls"]

    def open_streams(self) -> int:
        """Return the number of running answers."""
        return self._control("GET")["open"]

    def _control(self, method: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=30)
        try:
            connection.request(method, STEER, json.dumps(body) if body else None)
            return json.load(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Run the process within the block."""
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
    """Convert received JSON to the fake's own values."""
    if manner is None:
        return None
    name, fields = manner
    return KINDS[name](**fields)


def last_message(body: Any) -> str:
    """Return the question as the model gets it."""
    messages = (body or {}).get("messages") or [{}]
    return fake.text_of(messages[-1])


def main() -> None:
    """Serve until stopped; print the base URL as soon as connections are accepted."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with SteeredUpstream() as upstream:
        print(upstream.base_url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
