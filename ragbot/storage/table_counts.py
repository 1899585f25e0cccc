"""What a database holds at one moment: its revision, the rows of each table, the published edition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, column, func, inspect, select, table, text

from ragbot.storage.models import EditionRow, MessageRow, PublicationRow

REVISIONS = "alembic_version"

# Worth no backup: what can be made again, what workers agree on for a while, and callers' addresses.
NOT_KEPT = ("cache_entries", "quota_counts", "shared_states")

# Tables that an extension brought belong to the server, and its owner alone may make them.
_OF_EXTENSIONS = (
    "SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid "
    "AND d.classid = 'pg_class'::regclass AND d.deptype = 'e' "
    "WHERE c.relnamespace = current_schema()::regnamespace"
)


@dataclass(frozen=True, slots=True)
class TableCounts:
    """A database as counted. `revision` is None where no migration was ever run.

    `newest_at` is when the newest question was asked or the newest edition published.
    """

    revision: str | None
    rows: Mapping[str, int]
    edition: str | None
    newest_at: datetime | None

    @property
    def worth_keeping(self) -> dict[str, int]:
        """The tables that hold rows that nobody could make again, with their number."""
        return {
            name: count
            for name, count in self.rows.items()
            if count and name not in (REVISIONS, "upkeep_runs", *NOT_KEPT)
        }


def contents(connection: Connection) -> TableCounts:
    """Count on a connection; whoever opened it says in which snapshot."""
    names = tables(connection)
    rows = {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}
    return TableCounts(
        revision=revision(connection, names),
        rows=rows,
        edition=_published(connection) if {"editions", "publications"} <= rows.keys() else None,
        newest_at=_newest(connection) if {"messages", "publications"} <= rows.keys() else None,
    )


def tables(connection: Connection) -> list[str]:
    """The names of the tables that are the service's own, in order."""
    names = set(inspect(connection).get_table_names())
    if connection.dialect.name == "postgresql":
        names -= set(connection.scalars(text(_OF_EXTENSIONS)))
    return sorted(names)


def revision(connection: Connection, names: list[str]) -> str | None:
    """The revision that the database was migrated to."""
    if REVISIONS not in names:
        return None
    return connection.scalar(select(column("version_num")).select_from(table(REVISIONS)))


def _published(connection: Connection) -> str | None:
    return connection.scalar(
        select(EditionRow.name)
        .join(PublicationRow, PublicationRow.edition_id == EditionRow.id)
        .order_by(PublicationRow.id.desc())
        .limit(1)
    )


def _newest(connection: Connection) -> datetime | None:
    asked = connection.scalar(select(func.max(MessageRow.created_at)))
    published = connection.scalar(select(func.max(PublicationRow.published_at)))
    return max(filter(None, (asked, published)), default=None)
