"""Store which message answers a request with an idempotency key, so that a repeated request gets it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Row, Select, bindparam, delete, insert, select

from ragbot.core.answers import Status
from ragbot.core.errors import IdempotencyInProgress, IdempotencyKeyReused
from ragbot.storage.models import IdempotencyKeyRow, MessageRow

messages = MessageRow.__table__
idempotency_keys = IdempotencyKeyRow.__table__

IDEMPOTENCY_HOURS = 24


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """Hold the hashes of a caller's idempotency key and of the request's body."""

    key_sha: str
    body_sha: str


def answered_message(
    connection: Connection, claim: IdempotencyClaim, now: datetime, *, pending_limit: timedelta
) -> Row[Any] | None:
    """Return the message that the key was used for, or None if the key is new or expired.

    A message that is pending for longer than `pending_limit` was left by a crash, and does not count. Raises
    IdempotencyKeyReused or IdempotencyInProgress.
    """
    row = connection.execute(
        select(idempotency_keys.c.body_sha, idempotency_keys.c.created_at.label("claimed_at"), messages)
        .join(messages, messages.c.message_id == idempotency_keys.c.message_id)
        .where(idempotency_keys.c.key_sha == claim.key_sha)
    ).first()
    if row is None:
        return None
    is_abandoned = row.status == Status.PENDING and row.created_at < now - pending_limit
    if is_abandoned or row.claimed_at < now - timedelta(hours=IDEMPOTENCY_HOURS):
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key_sha == claim.key_sha))
        return None
    if row.body_sha != claim.body_sha:
        raise IdempotencyKeyReused
    if row.status == Status.PENDING:
        raise IdempotencyInProgress
    return row


def insert_claim(connection: Connection, claim: IdempotencyClaim, message_id: str, now: datetime) -> None:
    """Store that a message answers the key. Raises IntegrityError if the key was stored meanwhile."""
    connection.execute(
        insert(idempotency_keys).values(
            key_sha=claim.key_sha, body_sha=claim.body_sha, message_id=message_id, created_at=now
        )
    )


def release_claims(connection: Connection, message_ids: Sequence[str] | Select[tuple[str]]) -> None:
    """Delete the keys of messages, so that a request with the same key is answered anew."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.message_id.in_(message_ids)))


def release_claim(condition: ColumnElement[bool]) -> Delete:
    """Return the statement that deletes the key of the message `closed_id`, if a condition holds."""
    return delete(idempotency_keys).where(idempotency_keys.c.message_id == bindparam("closed_id"), condition)


def delete_expired_claims(connection: Connection, now: datetime) -> None:
    """Delete the keys that are older than a day."""
    oldest = now - timedelta(hours=IDEMPOTENCY_HOURS)
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < oldest))
