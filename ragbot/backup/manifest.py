"""Describe a backup archive in a manifest, written and read as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ragbot.core.errors import BackupUnreadable

FORMAT = 1
APPLICATION = "ragbot"

DatabaseKind = Literal["sqlite", "postgresql"]

_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

# The member of an archive that holds the database, by its kind.
DUMPS: Mapping[DatabaseKind, str] = {"sqlite": "database.sqlite", "postgresql": "database.dump"}


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """Hold the checksum and the size of a file in an archive."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Describe an archive's origin and contents; `created_at` is the time of the database snapshot."""

    ragbot_version: str
    revision: str | None
    created_at: datetime
    database: DatabaseKind
    database_version: str
    edition: str | None
    newest_at: datetime | None
    rows: Mapping[str, int]
    members: Mapping[str, ArchiveMember]

    @property
    def dump(self) -> str:
        """Return the name of the member that holds the database."""
        return DUMPS[self.database]

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as plain values for JSON."""
        values = asdict(self)
        values["created_at"] = self.created_at.isoformat()
        values["newest_at"] = self.newest_at.isoformat() if self.newest_at else None
        return {"application": APPLICATION, "format": FORMAT, **values}


def parse_manifest(text: bytes) -> Manifest:
    """Parse a manifest from its JSON. Raises BackupUnreadable."""
    try:
        values = json.loads(text)
        if values["application"] != APPLICATION:
            raise BackupUnreadable("It is no backup of ragbot.")
        if values["format"] != FORMAT:
            raise BackupUnreadable(
                f"It has format {values['format']}, and this program reads {FORMAT}; use a later ragbot."
            )
        return _manifest(values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupUnreadable("Its manifest cannot be read.") from error


def _manifest(values: Mapping[str, Any]) -> Manifest:
    if values["database"] not in DUMPS:
        raise BackupUnreadable("It holds a database of a kind that this program does not know.")
    # The names become part of SQL statements.
    if not all(_TABLE.fullmatch(name) for name in values["rows"]):
        raise BackupUnreadable("Its manifest names tables that no database has.")
    members = {name: ArchiveMember(**member) for name, member in values["members"].items()}
    if set(members) != {DUMPS[values["database"]]}:
        raise BackupUnreadable("It must contain exactly one database.")
    return Manifest(
        ragbot_version=str(values["ragbot_version"]),
        revision=values["revision"],
        created_at=_utc(values["created_at"]),
        database=values["database"],
        database_version=str(values["database_version"]),
        edition=values["edition"],
        newest_at=_utc(values["newest_at"]) if values["newest_at"] else None,
        rows={str(name): int(count) for name, count in values["rows"].items()},
        members=members,
    )


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
