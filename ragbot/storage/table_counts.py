"""Count the rows of each table, and read the revision and the published edition of a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, column, func, inspect, select, table, text

from ragbot.storage.models import EditionRow, MessageRow, PublicationRow

REVISIONS = "alembic_version"

# Not worth a backup: what can be made again, what workers share for a while, and callers' addresses.
NOT_BACKED_UP = ("cache_entries", "quota_counts", "shared_states")

# Tables of an extension belong to the server, and its owner alone may create them.
_OF_EXTENSIONS = (
    "SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid "
    "AND d.classid = 'pg_class'::regclass AND d.deptype = 'e' "
    "WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
)


@dataclass(frozen=True, slots=True)
class TableCounts:
    """Hold what was counted in a database. `revision` is None if no migration was ever run.

    `newest_at` is the time of the newest question or the newest publication.
    """

    revision: str | None
    rows: Mapping[str, int]
    edition: str | None
    newest_at: datetime | None

    @property
    def worth_keeping(self) -> dict[str, int]:
        """Return the number of rows of each table whose rows cannot be made again."""
        return {
            name: count
            for name, count in self.rows.items()
            if count and name not in (REVISIONS, "upkeep_runs", *NOT_BACKED_UP)
        }


def contents(connection: Connection) -> TableCounts:
    """Count on a connection, in the snapshot that the caller has chosen."""
    names = tables(connection)
    rows = {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}
    return TableCounts(
        revision=revision(connection, names),
        rows=rows,
        edition=_published(connection) if {"editions", "publications"} <= rows.keys() else None,
        newest_at=_newest(connection) if {"messages", "publications"} <= rows.keys() else None,
    )


def tables(connection: Connection) -> list[str]:
    """Return the names of the service's own tables, sorted."""
    names = set(inspect(connection).get_table_names())
    if connection.dialect.name == "postgresql":
        names -= set(connection.scalars(text(_OF_EXTENSIONS)))
    return sorted(names)


def revision(connection: Connection, names: list[str]) -> str | None:
    """Return the revision that the database was migrated to, or None."""
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
