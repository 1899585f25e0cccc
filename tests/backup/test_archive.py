"""Test that an archive is extracted unchanged, or not at all."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragbot.backup.archive import describe_member, extract_backup, read_manifest, write_archive
from ragbot.backup.manifest import Manifest
from ragbot.core.errors import BackupUnreadable

DUMP = b"Alice asked and Bob answered. " * 20_000


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "database.sqlite").write_bytes(DUMP)
    return Manifest(
        ragbot_version="1.2.3",
        revision="0004",
        created_at=datetime(2026, 3, 18, 2, tzinfo=UTC),
        database="sqlite",
        database_version="3.40.1",
        edition="first",
        newest_at=None,
        rows={"messages": 2},
        members={"database.sqlite": describe_member(tmp_path / "database.sqlite")},
    )


@pytest.fixture
def archive(manifest: Manifest, tmp_path: Path) -> Path:
    write_archive(manifest, tmp_path, tmp_path / "a.tar.gz")
    return tmp_path / "a.tar.gz"


def unpacked(archive: Path) -> Manifest:
    (archive.parent / "out").mkdir()
    with archive.open("rb") as stream:
        return extract_backup(stream, archive.parent / "out")


def test_archive_comes_out_as_it_went_in(archive: Path, manifest: Manifest) -> None:
    """It is all that there is when the rest is gone."""
    assert unpacked(archive) == manifest
    assert (archive.parent / "out" / "database.sqlite").read_bytes() == DUMP


def test_archive_can_be_opened_with_what_every_machine_has(archive: Path) -> None:
    """Years later ragbot may not be at hand: `tar -xzf` and eyes must do."""
    with tarfile.open(archive) as packed:
        assert packed.getnames() == ["manifest.json", "database.sqlite"]
        text = packed.extractfile("manifest.json")
        assert text
        assert json.load(text)["rows"] == {"messages": 2}


def test_archive_is_its_owners_alone(archive: Path) -> None:
    """It holds what readers wrote."""
    assert archive.stat().st_mode & 0o777 == 0o600


class OnlyTheBeginning(io.BytesIO):
    """Record how far a stream was read."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size)


def test_manifest_is_read_from_the_first_bytes(archive: Path) -> None:
    """A list of thirty archives must not fetch them."""
    stream = OnlyTheBeginning(archive.read_bytes() + bytes(5_000_000))

    assert read_manifest(stream).edition == "first"
    assert stream.tell() <= 20_480


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def turned(content: bytes) -> bytes:
    """Change one letter of the database in an archive."""
    plain = bytearray(gzip.decompress(content))
    plain[-15_000] ^= 1
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    "damage", [cut, turned, lambda _: b"", lambda _: b"no archive" * 100, gzip.decompress]
)
def test_damaged_archive_is_refused(archive: Path, damage: Callable[[bytes], bytes]) -> None:
    """Disks turn bits and copies break off."""
    archive.write_bytes(damage(archive.read_bytes()))

    with pytest.raises(BackupUnreadable):
        unpacked(archive)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"application": "other"}, "no backup of ragbot"),
        ({"format": 2}, "use a later ragbot"),
        ({"database": "oracle"}, "does not know"),
        ({"members": {}}, "one database"),
        ({"members": {"../outside": {"sha256": "", "size_bytes": 0}}}, "one database"),
        ({"rows": {'x"; DROP TABLE messages; --': 1}}, "names tables"),
        ({"created_at": "yesterday"}, "cannot be read"),
        ({"rows": None}, "cannot be read"),
    ],
)
def test_manifest_that_is_not_ours_is_refused(
    manifest: Manifest, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """What stands in it becomes names of files and parts of statements."""
    text = json.dumps({**manifest.as_json(), **change}).encode()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        packed.addfile(entry, io.BytesIO(text))

    with pytest.raises(BackupUnreadable, match=said):
        unpacked(tmp_path / "a.tar.gz")


def test_archive_without_its_database_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    """A manifest alone promises what is not there."""
    text = json.dumps(manifest.as_json()).encode()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        packed.addfile(entry, io.BytesIO(text))

    with pytest.raises(BackupUnreadable, match=r"lacks database\.sqlite"):
        unpacked(tmp_path / "a.tar.gz")
