"""What requests, replies, events and problems look like: the examples of the API's document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from ragbot.core.errors import AnswerCut
from ragbot.server.early_errors import DETAILS
from ragbot.server.problem_details import problem_details
from ragbot.storage.ingest_jobs import DIED, DIED_MESSAGE
from ragbot.web.errors import problem_of
from ragbot.web.problem_catalog import Kind, status_of, told_of

_SESSION = "jc8fWnKxZ0vJ9bq1mP3rT5uYtR7eL2aD"
_MESSAGE = "Qb4nXs0ZkH6tVw2yEo9cUi5gJd1fMl8p"
_REQUEST = "3f0c9d2b7a"

QUESTIONS: dict[str, dict[str, Any]] = {
    "from the book": {"query": "What is a ROS 2 node?"},
    "a follow-up, as a stream": {
        "query": "And how do two of them talk?",
        "session_id": _SESSION,
        "stream": True,
    },
    "from the selection": {
        "query": "What is it for?",
        "mode": "selected_text",
        "selected_text": "Colcon is the build tool of ROS 2: it builds packages in the order they depend on.",
    },
    "from one chapter": {"query": "What is forward kinematics?", "chapter_filter": "Glossary", "top_k": 3},
}

SOURCE: dict[str, Any] = {
    "id": "0b6f6c3e-3b0e-5e0b-9a53-0f6f0a3f1c11",
    "chapter": "ROS 2 Architecture",
    "section": "Nodes",
    "heading_path": ["ROS 2 Architecture", "Nodes"],
    "path": "docs/ros2/architecture.md",
    "url": "https://book.example/docs/ros2/architecture#nodes:~:text=A%20node%20is%20a%20process",
    "quote": "A node is a process that performs computation.",
    "score": 0.83,
    "cited": True,
}

ANSWER: dict[str, Any] = {
    "answer": "A node is a process that performs computation [1].",
    "status": "answered",
    "sources": [SOURCE],
    "session_id": _SESSION,
    "message_id": _MESSAGE,
    "created_at": "2026-01-31T09:30:00Z",
    "mode": "full_book",
    "book_version": "2026-01-30",
    "model": "gpt-4o",
    "degraded": [],
    "cache": "miss",
    "usage": {"embedding_tokens": 8, "input_tokens": 1180, "output_tokens": 14, "cost_usd": 0.00309},
    "latency_ms": {"total": 912.4, "embed": 61.0, "search": 4.2, "generate": 840.9},
}

REFUSED: dict[str, Any] = {
    **ANSWER,
    "answer": "The book does not say.",
    "status": "refused",
    "sources": [],
    "model": "extractive",
    "degraded": ["llm_extractive"],
    "usage": {"embedding_tokens": 6, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.00000012},
    "latency_ms": {"total": 71.3, "embed": 58.2, "search": 3.9, "generate": 0.4},
}

_TIMES = {
    "created_at": "2026-01-31T09:30:00Z",
    "last_activity_at": "2026-01-31T09:30:00Z",
    "expires_at": "2026-02-01T09:30:00Z",
}
SESSION = {"session_id": _SESSION, "created_at": _TIMES["created_at"], "expires_at": _TIMES["expires_at"]}

RATING: dict[str, Any] = {"rating": "up", "comment": "Just what I looked for."}

TALK: dict[str, Any] = {
    "session_id": _SESSION,
    **_TIMES,
    "message_count": 1,
    "messages": [
        {
            "message_id": _MESSAGE,
            "query": "What is a ROS 2 node?",
            "mode": "full_book",
            "selected_text": None,
            **{name: ANSWER[name] for name in ("answer", "status", "sources", "model", "created_at")},
            "feedback": RATING,
            "latency_ms": ANSWER["latency_ms"],
        }
    ],
    "next_before": None,
}
EXPORT = f"""## What is a ROS 2 node?

*{ANSWER["created_at"]}, answered*

{ANSWER["answer"]}

[1] {" > ".join(SOURCE["heading_path"])} <{SOURCE["url"]}>
"""

ALIVE = {"status": "healthy"}
READY: dict[str, Any] = {
    "status": "ok",
    "version": "0.1.0",
    "environment": "production",
    "components": {
        "database": {"status": "ok", "latency_ms": 0.8, "detail": ""},
        "vector_store": {"status": "ok", "latency_ms": 0.1, "detail": ""},
        "cache": {"status": "ok", "latency_ms": 0.9, "detail": "database"},
        "llm": {"status": "ok", "latency_ms": 212.4, "detail": ""},
        "embeddings": {"status": "ok", "latency_ms": None, "detail": "openai/text-embedding-3-small"},
    },
    "book": {
        "edition": "2026-01-30",
        "sections": 703,
        "chunks": 545,
        "published_at": "2026-01-30T18:02:11Z",
    },
}
_LLM_AWAY = {"status": "down", "latency_ms": None, "detail": "circuit_open"}
READY_WITHOUT_MODEL: dict[str, Any] = {
    **READY,
    "status": "degraded",
    "components": {**READY["components"], "llm": _LLM_AWAY},
}
NOT_READY: dict[str, Any] = {**READY, "status": "down", "book": None}

METRICS = """# HELP ready Whether a question could be answered: 1 or 0.
# TYPE ready gauge
ready 1.0
"""

_EDITION: dict[str, Any] = {
    "edition": "2026-01-30",
    "title": "Physical AI",
    "pages": 44,
    "sections": 703,
    "chunks": 545,
    "embedder": "openai/text-embedding-3-small",
    "created_at": "2026-01-30T18:02:09Z",
    "published": True,
}
_EDITION_BEFORE = {
    **_EDITION,
    "edition": "00e634d1c957",
    "sections": 698,
    "chunks": 542,
    "created_at": "2026-01-12T07:45:30Z",
    "published": False,
}
EDITIONS = {"editions": [_EDITION, _EDITION_BEFORE]}
PUBLISHED = {**_EDITION_BEFORE, "published": True}
ADMIN_SESSIONS = {
    "sessions": [{"session_id": _SESSION, **_TIMES, "message_count": 1}],
    "next_before": _SESSION,
}
CLEARED = {"entries": 42}

_JOB: dict[str, Any] = {
    "job_id": "1pNncDZhJgRiEycAywG3wmd0DKi8wGZe",
    "status": "running",
    "stage": "embed",
    "done": 320,
    "total": 545,
    "created_at": "2026-01-31T09:30:00Z",
    "started_at": "2026-01-31T09:30:02Z",
    "finished_at": None,
    "report": None,
    "error": None,
}
JOB_BEGUN = {**_JOB, "status": "queued", "stage": "queued", "done": 0, "total": 0, "started_at": None}
JOBS: dict[str, dict[str, Any]] = {
    "running": _JOB,
    "succeeded": {
        **_JOB,
        "status": "succeeded",
        "stage": "published",
        "done": 545,
        "finished_at": "2026-01-31T09:30:24Z",
        "report": {
            "edition": "00e634d1c957",
            "title": "Physical AI",
            "pages": 44,
            "sections": 703,
            "chunks": 545,
            "new": 12,
            "unchanged": 533,
            "removed": 9,
            "embedded": 12,
            "skipped": [{"path": "docs/figure.md", "reason": "The file is a PNG image, not text."}],
            "skipped_count": 1,
            "published": True,
            "seconds": 21.6,
        },
    },
    "failed": {
        **_JOB,
        "status": "failed",
        "finished_at": "2026-01-31T09:30:20Z",
        "error": {"code": DIED, "detail": DIED_MESSAGE},
    },
}

# By operation and status, each by its name.
REPLIES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "POST /query": {"200": {"answered": ANSWER, "refused": REFUSED}},
    "POST /sessions": {"201": {"started": SESSION}},
    "GET /sessions/{session_id}": {"200": {"one message": TALK}},
    "GET /sessions/{session_id}/export": {"200": {"one message": EXPORT}},
    "GET /health": {"200": {"up": ALIVE}},
    "GET /health/ready": {
        "200": {"all is well": READY, "without the model": READY_WITHOUT_MODEL},
        "503": {"no book yet": NOT_READY},
    },
    "GET /metrics": {"200": {"one of them": METRICS}},
    "POST /admin/ingest": {"202": {"begun": JOB_BEGUN}},
    "GET /admin/ingest/{job_id}": {"200": JOBS},
    "GET /admin/editions": {"200": {"two": EDITIONS}},
    "POST /admin/editions/{edition}/publish": {"200": {"the way back": PUBLISHED}},
    "GET /admin/sessions": {"200": {"the newest": ADMIN_SESSIONS}},
    "DELETE /admin/cache": {"200": {"cleared": CLEARED}},
}

_UNKNOWN_FIELD = {"field": "verbose", "message": "Extra inputs are not permitted"}
_FAULTS = {
    "POST /query": {"field": "query", "message": "Field required"},
    "PUT /sessions/{session_id}/messages/{message_id}/feedback": {
        "field": "rating",
        "message": "Input should be 'up' or 'down'",
    },
}


def problems(operation: str, kinds: Iterable[Kind]) -> dict[int, dict[str, dict[str, Any]]]:
    """An example of each problem that an operation may end in, by its status and its code."""
    fault = _FAULTS.get(operation, _UNKNOWN_FIELD)
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for kind in kinds:
        told = told_of(kind, fault) | {"request_id": _REQUEST}
        found.setdefault(status_of(kind), {}).setdefault(told["code"], told)
    return found


def unreadable(status: int) -> dict[str, dict[str, Any]]:
    """What gunicorn says to a request that no app is shown."""
    code, phrase = "invalid_request", HTTPStatus(status).phrase
    return {code: problem_details(code, phrase, status, DETAILS[status], request_id=_REQUEST)}


def stream(*, ends_well: bool) -> str:
    """A stream of events from its first to its last."""
    found = {name: ANSWER[name] for name in ("session_id", "message_id", "sources")}
    first, *rest = ANSWER["answer"].partition(" is ")
    last = ("done", ANSWER) if ends_well else ("error", _BROKEN)
    events = [("sources", found), ("delta", {"text": first}), ("delta", {"text": "".join(rest)}), last]
    return "".join(
        f"event: {name}\nid: {number}\ndata: {json.dumps(data)}\n\n"
        for number, (name, data) in enumerate(events, start=1)
    )


_BROKEN = problem_of(AnswerCut("The model broke off in the middle of its answer.")) | {"request_id": _REQUEST}
