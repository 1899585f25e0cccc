"""Define the tables of the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragbot.core.domain import DEFAULT_BOOK
from ragbot.extensions import db


class UTCDateTime(TypeDecorator[datetime]):
    """Store a time in UTC. SQLite stores no time zone, so it is added when the time is read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert a time to UTC before it is stored."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return a stored time with its time zone, UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EditionRow(db.Model):  # type: ignore[name-defined,misc]
    """Store one edition of a book, which never changes.

    `key` names its index, `name` is for people; `book` is the slug of its book.
    """

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("book", "name", name="uq_editions_book_name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    book: Mapped[str] = mapped_column(String(60), server_default=DEFAULT_BOOK)
    name: Mapped[str] = mapped_column(String(100))
    content_sha: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    site_url: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(20))
    average_terms: Mapped[float] = mapped_column(Float)
    embedder: Mapped[str | None] = mapped_column(String(200))
    dimension: Mapped[int | None] = mapped_column(Integer)
    vocabulary: Mapped[bytes] = mapped_column(LargeBinary)
    pages: Mapped[int] = mapped_column(Integer)
    sections: Mapped[int] = mapped_column(Integer)
    chunks: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PublicationRow(db.Model):  # type: ignore[name-defined,misc]
    """Store that an edition was published; of each book readers get the edition of the newest row."""

    __tablename__ = "publications"

    id: Mapped[int] = mapped_column(primary_key=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id", ondelete="CASCADE"), index=True)
    published_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PageRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a page of an edition, with the source that offsets count in."""

    __tablename__ = "pages"
    __table_args__ = (Index("ix_pages_edition_id_position", "edition_id", "position", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    path: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    parts: Mapped[list[str]] = mapped_column(JSON)
    address: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)


class SectionRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a section as offsets into the source of its page."""

    __tablename__ = "sections"

    id: Mapped[int] = mapped_column(primary_key=True)
    page_id: Mapped[int] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    heading_path: Mapped[list[str]] = mapped_column(JSON)
    anchor: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(Integer)
    end: Mapped[int] = mapped_column(Integer)


class ChunkRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a chunk of a page; its text is the page's source from `start` to `end`.

    `sparse` holds the term ids (32-bit unsigned), then as many weights (32-bit floats), little-endian.
    """

    __tablename__ = "chunks"

    id: Mapped[int] = mapped_column(primary_key=True)
    page_id: Mapped[int] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    chunk_id: Mapped[str] = mapped_column(String(36), index=True)
    heading_path: Mapped[list[str]] = mapped_column(JSON)
    anchor: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(Integer)
    end: Mapped[int] = mapped_column(Integer)
    tokens: Mapped[int] = mapped_column(Integer)
    search_text: Mapped[str] = mapped_column(Text)
    search_sha: Mapped[str] = mapped_column(String(64), index=True)
    sparse: Mapped[bytes] = mapped_column(LargeBinary)


class ChunkVectorRow(db.Model):  # type: ignore[name-defined,misc]
    """Store the vector that an embedder made of a search text, as little-endian 32-bit floats.

    `sentences` has the vectors of the text's sentences, packed (`providers/sentence_vectors.py`), where the
    embedder gives them; NULL in rows that an older version wrote.
    """

    __tablename__ = "vectors"

    embedder: Mapped[str] = mapped_column(String(200), primary_key=True)
    search_sha: Mapped[str] = mapped_column(String(64), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    sentences: Mapped[bytes | None] = mapped_column(LargeBinary)


class ChunkContextRow(db.Model):  # type: ignore[name-defined,misc]
    """Store the line that a model wrote for a search text; it was costly to make."""

    __tablename__ = "chunk_contexts"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    search_sha: Mapped[str] = mapped_column(String(64), primary_key=True)
    line: Mapped[str] = mapped_column(Text)


class SessionRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a session. Its id cannot be guessed and is the only key to it."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_activity_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class MessageRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a question and, once it is finished, its answer."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'answered', 'refused', 'stopped', 'failed')", name="status_known"
        ),
        CheckConstraint("rating IN ('up', 'down')", name="rating_known"),
        Index("ix_messages_session_id_id", "session_id", "id"),
        Index("ix_messages_status_created_at", "status", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(32), unique=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    query: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(20))
    selected_text: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    answer: Mapped[str] = mapped_column(Text, default="")
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    model: Mapped[str | None] = mapped_column(String(200))
    book: Mapped[str] = mapped_column(String(60), server_default=DEFAULT_BOOK)
    book_version: Mapped[str | None] = mapped_column(String(100))
    degraded: Mapped[list[str]] = mapped_column(JSON)
    cache: Mapped[str | None] = mapped_column(String(10))
    usage: Mapped[dict[str, Any]] = mapped_column(JSON)
    latency_ms: Mapped[dict[str, Any]] = mapped_column(JSON)
    grounding: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error_code: Mapped[str | None] = mapped_column(String(50))
    rating: Mapped[str | None] = mapped_column(String(4))
    comment: Mapped[str | None] = mapped_column(Text)


class QuestionGroupRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a group of questions that ask the same; `centroid` is the sum of the vectors of its `members`.

    `space` names what the vectors are made by: an embedder, or "words".
    """

    __tablename__ = "question_groups"
    __table_args__ = (Index("ix_question_groups_book_space", "book", "space"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    book: Mapped[str] = mapped_column(String(60))
    space: Mapped[str] = mapped_column(String(200))
    centroid: Mapped[bytes] = mapped_column(LargeBinary)
    members: Mapped[int] = mapped_column(Integer)


class AskedQuestionRow(db.Model):  # type: ignore[name-defined,misc]
    """Store what a reader asked, masked and without the session, for the author's insights.

    `message_id` refers to the message while there is one: deleting a session deletes its rows by it, and it
    is null once the session has expired. `asked_at` is rounded down to the hour. `cited` and `nearest` are
    lines, each the path of a page, a tab, and the headings down to the section. `vector` is that of the
    question, packed, until it has its group.
    """

    __tablename__ = "asked_questions"
    __table_args__ = (Index("ix_asked_questions_book_asked_at", "book", "asked_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str | None] = mapped_column(
        ForeignKey("messages.message_id", ondelete="SET NULL"), unique=True
    )
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    book: Mapped[str] = mapped_column(String(60))
    book_version: Mapped[str | None] = mapped_column(String(100))
    words: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(20))
    page: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(10))
    degraded: Mapped[bool] = mapped_column(Boolean)
    model: Mapped[str] = mapped_column(String(200))
    cited: Mapped[str] = mapped_column(Text)
    nearest: Mapped[str] = mapped_column(Text)
    sentences: Mapped[int] = mapped_column(Integer)
    supported: Mapped[int] = mapped_column(Integer)
    cache: Mapped[str] = mapped_column(String(10))
    cost_usd: Mapped[float | None] = mapped_column(Float)
    first_word_ms: Mapped[float | None] = mapped_column(Float)
    rating: Mapped[str | None] = mapped_column(String(4))
    reason: Mapped[str | None] = mapped_column(Text)
    embedder: Mapped[str | None] = mapped_column(String(200))
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)
    group_id: Mapped[int | None] = mapped_column(
        ForeignKey("question_groups.id", ondelete="SET NULL"), index=True
    )


class IdempotencyKeyRow(db.Model):  # type: ignore[name-defined,misc]
    """Store an idempotency key, hashed with its caller, with the hash of the body and the message."""

    __tablename__ = "idempotency_keys"

    key_sha: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_sha: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.message_id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class QuotaCountRow(db.Model):  # type: ignore[name-defined,misc]
    """Store how often one caller called in one window; `ends_at` is in seconds since the epoch.

    The counter's name has the caller's address in clear, so that an operator can find and unblock a reader;
    the row is deleted when its window is over, after a day at most.
    """

    __tablename__ = "quota_counts"

    counter: Mapped[str] = mapped_column(String(200), primary_key=True)
    hits: Mapped[int] = mapped_column(Integer)
    ends_at: Mapped[float] = mapped_column(Float, index=True)


class CacheEntryRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a cache entry, which can be made again; `expires_at` is in seconds since the epoch."""

    __tablename__ = "cache_entries"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[float] = mapped_column(Float, index=True)


class SharedStateRow(db.Model):  # type: ignore[name-defined,misc]
    """Store a state that all workers share for a while, such as a circuit; not worth a backup."""

    __tablename__ = "shared_states"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    expires_at: Mapped[float] = mapped_column(Float, index=True)


class SpendingRow(db.Model):  # type: ignore[name-defined,misc]
    """Store what one model cost on one day (UTC, as `2026-01-31`)."""

    __tablename__ = "spending"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[float] = mapped_column(Float)


class MaintenanceRunRow(db.Model):  # type: ignore[name-defined,misc]
    """Store the outcome of a backup or of a restore drill."""

    __tablename__ = "upkeep_runs"
    __table_args__ = (Index("ix_upkeep_runs_kind_id", "kind", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ok: Mapped[bool] = mapped_column(Boolean)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class IngestJobRow(db.Model):  # type: ignore[name-defined,misc]
    """Store the job that ingests an uploaded book in a process of its own.

    `slot` is 1 while the job is under way and null afterwards: being unique, it lets one job run at a time
    over all workers and hosts.
    """

    __tablename__ = "ingest_jobs"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed')", name="status_known"),
    )

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    slot: Mapped[int | None] = mapped_column(Integer, unique=True)
    status: Mapped[str] = mapped_column(String(10))
    stage: Mapped[str] = mapped_column(String(20))
    done: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error_code: Mapped[str | None] = mapped_column(String(50))
    error: Mapped[str | None] = mapped_column(Text)
    host: Mapped[str | None] = mapped_column(String(255))
    pid: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UTCDateTime)
