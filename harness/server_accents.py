"""Serve OpenAI's protocol with the accents of other servers: what they refuse, and how they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.loopback import Call, Connection, LoopbackServer

EVENT_STREAM = "text/event-stream"
JSON = "application/json"


@dataclass(frozen=True)
class Response:
    """A response: its body goes out in the given pieces, each after the pause; it may end with a cut."""

    pieces: Iterable[bytes]
    status: int = 200
    content_type: str = EVENT_STREAM
    pause_s: float = 0
    is_cut: bool = False


# What a server answers to a call's path and body.
Answer = Callable[[str, Mapping[str, Any]], Response]


class AccentedServer(LoopbackServer):
    """Answer each call by a function of its path and body."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    @property
    def base_url(self) -> str:
        """Return what goes into OPENAI_BASE_URL."""
        return f"{self.url}/v1"

    def respond(self, call: Call, connection: Connection) -> None:
        body = call.body if isinstance(call.body, dict) else {}
        response = self.answer(call.path, body)
        if response.content_type != EVENT_STREAM:
            whole = b"".join(response.pieces)
            connection.reply(response.status, whole, {"Content-Type": response.content_type})
            return
        connection.begin_chunks(EVENT_STREAM)
        for piece in response.pieces:
            connection.pause(response.pause_s)
            connection.chunk(piece)
        connection.close() if response.is_cut else connection.end_chunks()

    def bodies(self, path: str) -> list[Mapping[str, Any]]:
        """Return the bodies of the calls to a path, in order."""
        return [call.body for call in self.calls(path)]


def event(payload: object) -> bytes:
    """Return a server-sent event; a text is sent as it is."""
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def delta(finish_reason: str | None = None, **fields: object) -> bytes:
    """Return a chunk of a chat completion with these fields in its delta."""
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]})


def streamed(*contents: str, finish_reason: str | None = "stop", done: bool = True) -> Response:
    """Return a streamed answer of these pieces."""
    ending = [delta(finish_reason)] if finish_reason else []
    return Response([*(delta(content=text) for text in contents), *ending, *[event("[DONE]")] * done])


def refused(status: int, body: object) -> Response:
    """Return an error response."""
    return Response([json.dumps(body).encode()], status, JSON)


@dataclass(frozen=True)
class Exchange:
    """A recorded response, and what the request must have and must lack for it."""

    path: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]
    response: Response


@dataclass(frozen=True)
class Transcript:
    """What a server says, in the order in which its conditions are tried. It answers 404 to all else."""

    exchanges: Sequence[Exchange] = field(default_factory=tuple)

    def __call__(self, path: str, body: Mapping[str, Any]) -> Response:
        sent = json.dumps(body, ensure_ascii=False)
        for exchange in self.exchanges:
            fits = all(word in sent for word in exchange.has) and exchange.path == path
            if fits and not any(word in sent for word in exchange.lacks):
                return exchange.response
        return refused(404, {"error": {"message": f"No route for {path}", "code": 404}})


def read_transcript(file: Path) -> Transcript:
    """Read a transcript.

    `> PATH +WORD -WORD` begins an exchange for requests whose JSON has or lacks the words, `< STATUS TYPE`
    its response, whose body follows as it is. Lines before the first exchange are remarks.
    """
    return Transcript(tuple(_exchanges(file.read_text(encoding="utf-8").splitlines())))


def _exchanges(lines: Sequence[str]) -> Iterator[Exchange]:
    starts = [i for i, line in enumerate(lines) if line.startswith("> ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        path, *conditions = lines[start][2:].split()
        status, content_type = lines[start + 1].removeprefix("< ").split()
        body = "\n".join(lines[start + 2 : end]).strip("\n")
        if content_type == EVENT_STREAM:
            pieces = [f"{part}\n\n".encode() for part in body.split("\n\n")]
        else:
            pieces = [body.encode()]
        yield Exchange(
            path=path,
            has=tuple(word[1:] for word in conditions if word.startswith("+")),
            lacks=tuple(word[1:] for word in conditions if word.startswith("-")),
            response=Response(pieces, int(status), content_type),
        )
