"""Serve a plain chatbot for a book, as a good engineer writes it on a first day, to compare ragbot with.

`flask --app bench.peers.plain_flask ingest CHUNKS.jsonl` fills it, and
`gunicorn -k gthread --threads 32 "bench.peers.plain_flask:create_app()"` serves it. It has no quotas, cache,
metrics, fallback or check of its answers. Nothing of ragbot is imported here.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask, Response, jsonify, request
from openai import OpenAI
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, ScoredPoint, VectorParams
from sqlalchemy import ForeignKey, Text, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

CHAT_MODEL = "gpt-4o"
EMBEDDING_MODEL = "text-embedding-3-small"
DIMENSION = 1536
COLLECTION = "book"
PASSAGES = 5
HISTORY = 6
BATCH = 100
INSTRUCTIONS = (
    "Answer the reader's question from the passages of the book alone. Put the number of the passage that "
    "supports a sentence behind it, like [1]. If the passages do not hold the answer, say so."
)


class Base(DeclarativeBase):
    pass


class SessionRow(Base):
    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class MessageRow(Base):
    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    role: Mapped[str]
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Chatbot:
    """Answer questions from the collection, and keep them with their answers."""

    def __init__(self, database_url: str, qdrant_path: str) -> None:
        engine = create_engine(database_url, pool_size=32, connect_args=connect_args(database_url))
        if engine.dialect.name == "sqlite":
            event.listen(
                engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode=WAL")
            )
        Base.metadata.create_all(engine)
        self._rows = sessionmaker(engine)
        self._openai = OpenAI()
        self._qdrant = QdrantClient(path=qdrant_path)

    def ingest(self, chunks: Sequence[dict[str, Any]]) -> None:
        """Embed chunks of `text`, `heading` and `url`, and store them."""
        vectors = VectorParams(size=DIMENSION, distance=Distance.COSINE)
        self._qdrant.create_collection(COLLECTION, vectors_config=vectors)
        for start in range(0, len(chunks), BATCH):
            batch = chunks[start : start + BATCH]
            embedded = self._embed([chunk["text"] for chunk in batch])
            points = [
                PointStruct(id=str(uuid.uuid4()), vector=vector, payload=chunk)
                for chunk, vector in zip(batch, embedded, strict=True)
            ]
            self._qdrant.upsert(COLLECTION, points)

    def open(self, question: str, session_id: str | None) -> tuple[str, list[dict[str, str]]]:
        """Store a question; return its session and the messages before it."""
        with self._rows.begin() as rows:
            session_id = session_id or uuid.uuid4().hex
            if rows.get(SessionRow, session_id) is None:
                rows.add(SessionRow(id=session_id, created_at=datetime.now(UTC)))
                rows.flush()
            history = last_messages(rows, session_id)
            rows.add(message_row(session_id, "user", question))
        return session_id, history

    def close(self, session_id: str, answer: str) -> None:
        """Store an answer."""
        with self._rows.begin() as rows:
            rows.add(message_row(session_id, "assistant", answer))

    def search(self, question: str) -> list[ScoredPoint]:
        """Return the passages that are nearest to a question."""
        (vector,) = self._embed([question])
        return self._qdrant.query_points(COLLECTION, query=vector, limit=PASSAGES).points

    def complete(self, messages: list[dict[str, str]]) -> str:
        """Return the model's whole answer."""
        completion = self._openai.chat.completions.create(model=CHAT_MODEL, messages=messages)
        return completion.choices[0].message.content or ""

    def stream(self, messages: list[dict[str, str]]) -> Iterator[str]:
        """Yield the words of the model's answer."""
        for chunk in self._openai.chat.completions.create(model=CHAT_MODEL, messages=messages, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    def _embed(self, texts: list[str]) -> list[list[float]]:
        reply = self._openai.embeddings.create(model=EMBEDDING_MODEL, input=texts)
        return [row.embedding for row in reply.data]


def create_app() -> Flask:
    """Return the app, with its settings from the environment."""
    app = Flask(__name__)
    chatbot = Chatbot(os.environ["DATABASE_URL"], os.environ["QDRANT_PATH"])

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="ok")

    @app.post("/query")
    def query() -> Response | tuple[Response, int]:
        body = request.get_json()
        question = str(body.get("query") or "").strip()
        if not 0 < len(question) <= 2000:
            return jsonify(error="query must have 1 to 2000 letters"), 422
        session_id, history = chatbot.open(question, body.get("session_id"))
        passages = chatbot.search(question)
        messages = prompt(question, passages, history)
        reply = {"session_id": session_id, "sources": sources(passages), "model": CHAT_MODEL}
        if body.get("stream"):
            return Response(events(messages, reply), mimetype="text/event-stream")
        answer = chatbot.complete(messages)
        chatbot.close(session_id, answer)
        return jsonify(answer=answer, status="answered", **reply)

    def events(messages: list[dict[str, str]], reply: dict[str, Any]) -> Iterator[str]:
        yield sse("sources", reply)
        said = []
        for word in chatbot.stream(messages):
            said.append(word)
            yield sse("delta", {"text": word})
        answer = "".join(said)
        chatbot.close(reply["session_id"], answer)
        yield sse("done", {"answer": answer, "status": "answered", **reply})

    @app.cli.command("ingest")
    @click.argument("path", type=Path)
    def ingest(path: Path) -> None:
        """Embed and store the chunks of a file of JSON lines."""
        chatbot.ingest([json.loads(line) for line in path.read_text().splitlines()])

    return app


def prompt(question: str, passages: list[ScoredPoint], history: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the messages for the model."""
    quoted = "\n\n".join(
        f"[{number}] {passage.payload['heading']}\n{passage.payload['text']}"
        for number, passage in enumerate(passages, start=1)
    )
    asked = {"role": "user", "content": f"Passages:\n\n{quoted}\n\nQuestion: {question}"}
    return [{"role": "system", "content": INSTRUCTIONS}, *history, asked]


def sources(passages: list[ScoredPoint]) -> list[dict[str, Any]]:
    """Return what a reader sees of the passages."""
    return [
        {"number": number, "score": passage.score, **passage.payload}
        for number, passage in enumerate(passages, start=1)
    ]


def last_messages(rows: Session, session_id: str) -> list[dict[str, str]]:
    """Return the session's last messages, the oldest first."""
    newest = select(MessageRow).where(MessageRow.session_id == session_id).order_by(MessageRow.id.desc())
    found = rows.scalars(newest.limit(HISTORY)).all()
    return [{"role": row.role, "content": row.content} for row in reversed(found)]


def message_row(session_id: str, role: str, content: str) -> MessageRow:
    return MessageRow(session_id=session_id, role=role, content=content, created_at=datetime.now(UTC))


def connect_args(database_url: str) -> dict[str, Any]:
    """Return how long SQLite waits for another writer."""
    return {"timeout": 60} if database_url.startswith("sqlite") else {}


def sse(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
