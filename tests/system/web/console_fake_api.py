"""Fake the service for the console's tests: replies of the contract, and every way to fail.

The first word of a question chooses what happens, so that a test reads by its question alone.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler

from tests.wsgi_server import wsgi_server

ROOT = Path(__file__).resolve().parents[3]
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NOW = "2026-01-31T09:30:00Z"
EXAMPLES = (
    "What is a node in ROS 2, and how do nodes talk to each other?",
    "Why does a simulated robot behave differently from a real one?",
    "Which sensors does a humanoid need to keep its balance?",
)
SOURCES: list[dict[str, Any]] = [
    {
        "id": "p1",
        "chapter": "Module 1: ROS 2",
        "section": "Real-World Analogy: Restaurant Kitchen",
        "heading_path": ["Module 1: ROS 2", "ROS 2 Architecture", "Real-World Analogy: Restaurant Kitchen"],
        "path": "docs/module-1-ros2/week-3-lesson-1-ros2-architecture.md",
        "url": "https://book.example/module-1-ros2/week-3-lesson-1#1-real-world-analogy:~:text=Nodes",
        "quote": (
            "**Nodes** are independent programs that communicate by **publishing messages** to **topics** "
            '(the "pass") and **subscribing to topics** to receive messages. Publishers don\'t need to know '
            "who's listening, and subscribers don't need to know who's publishing.\n\n"
            "This decoupled architecture makes robot systems flexible and scalable.\n"
            "- Publishers don't block\n- Subscribers don't poll\n- Both can restart alone\n"
            "- Many may listen\n- None needs the other's name\n- Messages have a type\n- Topics have a name"
        ),
        "quote_text": (
            'Nodes are independent programs that communicate by publishing messages to topics (the "pass") '
            "and subscribing to topics to receive messages. Publishers don't need to know who's listening, "
            "and subscribers don't need to know who's publishing.\n"
            "This decoupled architecture makes robot systems flexible and scalable.\n"
            "Publishers don't block\nSubscribers don't poll\nBoth can restart alone\n"
            "Many may listen\nNone needs the other's name\nMessages have a type\nTopics have a name"
        ),
        "score": 0.8312,
        "cited": True,
    },
    {
        "id": "p2",
        "chapter": "Module 1: ROS 2",
        "section": "What is ROS 2?",
        "heading_path": ["Module 1: ROS 2", "ROS 2 Architecture", "Technical Concepts", "What is ROS 2?"],
        "path": "docs/module-1-ros2/week-3-lesson-1-ros2-architecture.md",
        "url": "/module-1-ros2/week-3-lesson-1#21-what-is-ros-2",
        "quote": (
            "**ROS 2** (Robot Operating System 2) is not an operating system in the traditional sense. "
            "It's a **middleware framework** that provides communication infrastructure for distributed "
            "robot systems."
        ),
        "quote_text": (
            "ROS 2 (Robot Operating System 2) is not an operating system in the traditional sense. It's a "
            "middleware framework that provides communication infrastructure for distributed robot systems."
        ),
        "score": 0.7421,
        "cited": True,
    },
    {
        "id": "p3",
        "chapter": "Module 1: ROS 2",
        "section": "Writing a publisher",
        "heading_path": ["Module 1: ROS 2", "Nodes and Packages", "Writing a publisher"],
        "path": "docs/module-1-ros2/week-3-lesson-2-nodes-packages.md",
        "url": "https://book.example/module-1-ros2/week-3-lesson-2#writing-a-publisher",
        "quote": (
            "```python\nclass Talker(Node):\n    def __init__(self):\n        super().__init__('talker')\n"
            "        self.publisher = self.create_publisher(String, 'chatter', 10)\n```"
        ),
        "quote_text": (
            "class Talker(Node):\n    def __init__(self):\n        super().__init__('talker')\n"
            "        self.publisher = self.create_publisher(String, 'chatter', 10)"
        ),
        "score": 0.5127,
        "cited": False,
    },
]
# What the marks of the answer rest on: the source, the first and last words in its quote, all words as text.
CITED = (
    (
        1,
        "**Nodes** are independent",
        "receive messages.",
        'Nodes are independent programs that communicate by publishing messages to topics (the "pass") and '
        "subscribing to topics to receive messages.",
    ),
    (
        1,
        "Publishers don't need",
        "who's publishing.",
        "Publishers don't need to know who's listening, and subscribers don't need to know who's publishing.",
    ),
    (2, "It's a **middleware", "framework**", "It's a middleware framework"),
)
# The list before the answer shows that other passages are needed; what is cited by then stays where it is.
FIRST_FOUND = [
    SOURCES[0],
    *({**SOURCES[2], "id": f"f{i}", "heading_path": [f"First found {i}"]} for i in (2, 3, 4)),
]
FAR_SENTENCES = [f"Joint {number} turns by {number * 3} degrees and then holds." for number in range(1, 31)]
FAR_SENTENCE = FAR_SENTENCES[24]
ANSWER = (
    "A **node** is an independent program with one job, and nodes talk by *publishing messages* to a "
    "**topic** and *subscribing* to it [1]. Neither side needs to know the other: a publisher does not care "
    "who listens, so a node may be added or restarted without touching the rest [1].\n\n"
    "What carries the messages is ROS 2 itself, which is a middleware framework and not an operating "
    "system [2]."
)
RICH = (
    "## The kinds of joint\n\nA joint ties two links together [1]. The *type* says how it moves:\n\n"
    "1. **revolute** turns within limits\n2. **prismatic** slides\n3. **fixed** does neither\n\n"
    "| Type | Moves | Limits |\n|---|---|---:|\n| `revolute` | about an axis | yes |\n"
    "| `continuous` | about an axis | no |\n| `prismatic` | along an axis | yes |\n\n"
    '```xml\n<joint name="elbow" type="revolute">\n  <axis xyz="0 1 0"/>\n'
    '  <limit lower="0" upper="2.6" effort="40" velocity="3.14159265358979323846264338"/>\n</joint>\n```\n\n'
    "> A joint without limits is a promise the motor cannot keep. [1, 2]\n\n"
    "See [the lesson](https://book.example/urdf) for more; `joints[1]` is code and not a mark, "
    "and [9] has no source."
)
REFUSAL = (
    "The book does not say.\n\nNearest in the book: "
    "[Teams of robots › Robots \\[and\\] cups](<https://book.example/teams#cups>) · "
    "[Kitchens](</kitchens>) · [Elsewhere](<javascript:window.pwned=1>)"
)


KEPT_FIELDS = (
    "message_id",
    "answer",
    "status",
    "sources",
    "citations",
    "model",
    "created_at",
    "mode",
    "latency_ms",
)


@dataclass
class FakeApi:
    """What the fake remembers, and the levers a test may pull."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    ratings: list[tuple[str, str]] = field(default_factory=list)
    sessions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    second_gate: threading.Event = field(default_factory=threading.Event)
    payloads: tuple[str, ...] = ()
    made_up: tuple[str, list[dict[str, Any]], list[dict[str, Any]]] = ("", [], [])
    pause: Callable[[], None] = lambda: None
    ratings_fail: bool = False
    books: tuple[dict[str, str], ...] = ()
    book: dict[str, Any] | None = field(
        default_factory=lambda: {
            "title": "Physical AI & Humanoid Robotics",
            "edition": "2026-01-31",
            "chunks": 1284,
        }
    )


def problem(
    status: int, title: str, *, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:ragbot:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "req-1",
    }
    if errors:
        body["errors"] = errors
    return Response(json.dumps(body), status, content_type="application/problem+json")


def reply(
    body: dict[str, Any],
    *,
    session_id: str,
    message_id: str,
    answer: str,
    sources: list[dict[str, Any]],
    citations: list[dict[str, Any]],
    status: str,
) -> dict[str, Any]:
    return {
        "answer": answer,
        "status": status,
        "sources": sources,
        "citations": citations,
        "session_id": session_id,
        "message_id": message_id,
        "created_at": NOW,
        "mode": body.get("mode", "full_book"),
        "book_version": "2026-01-31",
        "model": "extractive",
        "degraded": ["llm_extractive"],
        "cache": "miss",
        "usage": {"embedding_tokens": 12, "input_tokens": 0, "output_tokens": 0, "cost_usd": None},
        "latency_ms": {"total": 143.2, "embed": 21.0, "search": 14.5, "generate": 104.1},
        "grounding": {
            "sentences": 3,
            "cited": 2,
            "supported": 2,
            "unsupported": [{"start": 0, "end": 5}],
        },
    }


def event(name: str, told: object, number: int) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(told)}\n\n"


def pieces(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]


def source_of(quote: str, **fields: Any) -> dict[str, Any]:
    """Make a cited source whose quote has no markup."""
    return {**SOURCES[0], "quote": quote, "quote_text": quote, **fields}


def citation(
    source: int, quote: str, first: str, last: str = "", text: str = "", **fields: Any
) -> dict[str, Any]:
    """Cite a part of a quote, from its first to its last words."""
    start = quote.index(first)
    last = last or first
    url = f"https://book.example/page-{source}#s:~:text={quote_plus(first)}"
    end = quote.index(last, start) + len(last)
    return {"source": source, "start": start, "end": end, "text": text or first, "url": url, **fields}


def hostile(payload: str) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """Make an answer, sources and citations whose fields are the payload, and some Markdown around it."""
    source = {
        **SOURCES[0],
        "id": payload,
        "chapter": payload,
        "section": payload,
        "heading_path": [payload, f"Title {payload}"],
        "path": payload,
        "url": payload,
        "quote": f"{payload}\n" * 6,
        "quote_text": f"{payload}\n" * 6,
        "cited": True,
    }
    cited = {"source": 1, "start": 0, "end": len(payload), "text": payload, "url": payload}
    elsewhere = {"start": payload, "end": payload, "url": "https://book.example/p"}
    citations = [cited, {**cited, **elsewhere}, {**cited, "text": f"{payload} is not in it"}]
    answer = (
        f"{payload}\n\nInline {payload} here [1].\n\n- item {payload}\n\n> quote {payload}\n\n"
        f"[link]({payload}) ![picture]({payload}) [1]\n\n"
        f"| a | b |\n|---|---|\n| {payload} | [1] |\n\n{payload}"
    )
    return answer, [source], citations


def answer_of(api: FakeApi, query: str) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]], str]:
    word, _, rest = query.partition(" ")
    if word == "payload":
        return (*hostile(api.payloads[int(rest)]), "answered")
    if word == "made-up":
        return (*api.made_up, "answered")
    if word == "rich":
        return RICH, SOURCES, [], "answered"
    if word == "refuse":
        return REFUSAL, [{**source, "cited": False} for source in SOURCES], [], "refused"
    if word == "far":
        quote = " ".join(FAR_SENTENCES)
        return (
            "It turns by 75 degrees. [1]",
            [source_of(quote)],
            [citation(1, quote, FAR_SENTENCE)],
            "answered",
        )
    cited = [
        citation(number, SOURCES[number - 1]["quote"], first, last, text)
        for number, first, last, text in CITED
    ]
    # The fourth passage of the first list is gone from the last.
    return ANSWER + " [4]" * (word == "later"), SOURCES, cited, "answered"


def build(api: FakeApi) -> Flask:
    app = Flask("console_fake", root_path=str(ROOT))

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CSP
        response.headers["X-Request-ID"] = "req-1"
        return response

    @app.get("/")
    def console() -> str:
        return render_template(
            "console.html",
            version="0.1.0",
            book=api.book,
            books=api.books,
            examples=EXAMPLES if api.book else [],
        )

    @app.post("/query")
    def query() -> Response:
        body = request.get_json()
        api.asked.append(body)
        if refusal := refused_at_the_door(api, body):
            return refusal
        session_id = body.get("session_id") or f"session-{len(api.sessions) + 1}"
        return Response(stream(api, body, session_id), content_type="text/event-stream; charset=utf-8")

    @app.get("/sessions/<session_id>")
    def history(session_id: str) -> Response:
        if session_id not in api.sessions:
            return problem(404, "Session not found", code="session_not_found", detail="Start a new session.")
        messages = api.sessions[session_id]
        ids = [message["message_id"] for message in messages]
        before = request.args.get("before")
        end = ids.index(before) if before else len(ids)
        start = max(0, end - int(request.args.get("limit", "50")))
        told = {
            "session_id": session_id,
            "message_count": len(messages),
            "messages": messages[start:end],
            "next_before": ids[start] if start else None,
        }
        return Response(json.dumps(told), content_type="application/json")

    @app.put("/sessions/<session_id>/messages/<message_id>/feedback")
    def rate(session_id: str, message_id: str) -> Response:
        if api.ratings_fail:
            return problem(
                503, "Overloaded", code="overloaded", detail="Too much is going on. Try again soon."
            )
        rating = request.get_json()["rating"]
        api.ratings.append((message_id, rating))
        for message in api.sessions[session_id]:
            if message["message_id"] == message_id:
                message["feedback"] = {"rating": rating, "comment": None}
        return Response(status=204)

    return app


def refused_at_the_door(api: FakeApi, body: dict[str, Any]) -> Response | None:
    word = body["query"].partition(" ")[0]
    if body.get("session_id") and body["session_id"] not in api.sessions:
        return problem(
            410, "Session expired", code="session_expired", detail="This session has ended. Start a new one."
        )
    if word == "limit":
        response = problem(
            429, "Too many questions", code="rate_limited", detail="The limit is 10 questions a minute."
        )
        response.headers["Retry-After"] = "7"
        return response
    if word == "reject":
        errors = [{"field": "top_k", "message": "must be between 1 and 20"}]
        return problem(
            422,
            "The request is not valid",
            code="invalid_request",
            detail="Mend the fields named below.",
            errors=errors,
        )
    if word == "gateway":
        return Response("<html><h1>502</h1></html>", 502, content_type="text/html")
    return None


def stream(api: FakeApi, body: dict[str, Any], session_id: str) -> Iterator[bytes]:
    word = body["query"].partition(" ")[0]
    answer, sources, citations, status = answer_of(api, body["query"])
    messages = api.sessions.setdefault(session_id, [])
    message_id = f"{session_id}-m{len(messages) + 1}"
    whole = reply(
        body,
        session_id=session_id,
        message_id=message_id,
        answer=answer,
        sources=sources,
        citations=citations,
        status=status,
    )
    kept = {key: whole[key] for key in KEPT_FIELDS} | {
        "query": body["query"],
        "book": body.get("book", "main"),
        "selected_text": body.get("selected_text"),
        "feedback": None,
    }

    yield b": looking\n\n"
    api.pause()
    told = {"session_id": session_id, "message_id": message_id, "sources": sources}
    if word == "bytes":
        text = event("sources", told, 1).replace("\n", "\r\n") + ": a comment\r\n\r\n"
        text += event("delta", {"text": "Grüße, 世界"}, 2).replace("\n", "\r")
        text += event("later_version", {"text": "no"}, 3)
        text += "event: done\n" + "".join(
            f"data: {line}\n" for line in json.dumps(whole, indent=1).splitlines()
        )
        yield from (bytes([byte]) for byte in (text + "\n").encode())
        messages.append(kept)
        return
    first_told = {**told, "sources": FIRST_FOUND} if word == "later" else told
    yield event("sources", first_told, 1).encode()
    for number, piece in enumerate(pieces(answer), start=2):
        api.pause()
        yield event("delta", {"text": piece}, number).encode()
        if number == 12 and word == "wait":
            api.gate.wait(60)
        if number == 30 and word == "later":
            api.gate.wait(60)
            yield event("sources", told, 30).encode()
            api.second_gate.wait(60)
        if number == 12 and word == "cut":
            return
        if number == 12 and word == "break":
            told = {
                "title": "The deadline passed",
                "status": 504,
                "code": "deadline_exceeded",
                "detail": "The model took too long. Ask again.",
                "request_id": "req-1",
            }
            yield event("error", told, 13).encode()
            return
    messages.append(kept)
    yield event("done", whole, 9999).encode()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: a test's output is its assertions."""


@contextmanager
def serving(api: FakeApi, *, prefix: str = "") -> Iterator[FakeApi]:
    """Serve the fake on the loopback, under `prefix`, for as long as the block lasts."""
    app = DispatcherMiddleware(NotFound(), {prefix: build(api)}) if prefix else build(api)
    with wsgi_server(app, handler=_Quiet) as server:
        api.url = f"http://127.0.0.1:{server.port}{prefix}/"
        try:
            yield api
        finally:
            api.gate.set()
            api.second_gate.set()
