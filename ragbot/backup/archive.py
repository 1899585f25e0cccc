"""Write and read backup archives: a tar.gz with a manifest first, then a database dump."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ragbot.backup.manifest import ArchiveMember, Manifest, parse_manifest
from ragbot.core.errors import BackupUnreadable

MANIFEST = "manifest.json"

# A manifest has some kilobytes; a much larger one is damaged or hostile.
LARGEST_MANIFEST_BYTES = 1_000_000
BLOCK_BYTES = 1_048_576

# A dump of PostgreSQL is compressed already, and one of SQLite gains little from a higher level.
COMPRESSION = 3


def describe_member(path: Path) -> ArchiveMember:
    """Compute a file's SHA-256 checksum and size."""
    with path.open("rb") as stream:
        return ArchiveMember(hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size)


def write_archive(manifest: Manifest, folder: Path, archive: Path) -> None:
    """Pack the manifest, then the members from a folder, into a new file that only its owner may read."""
    archive.touch(mode=0o600, exist_ok=False)
    text = json.dumps(manifest.as_json(), indent=2).encode() + b"\n"
    with tarfile.open(archive, "w:gz", compresslevel=COMPRESSION) as packed:
        packed.addfile(_entry(MANIFEST, len(text), manifest), io.BytesIO(text))
        for name, member in manifest.members.items():
            with (folder / name).open("rb") as stream:
                packed.addfile(_entry(name, member.size_bytes, manifest), stream)


def read_manifest(stream: IO[bytes]) -> Manifest:
    """Read the manifest from the first bytes of an archive. Raises BackupUnreadable."""
    with _opened(stream) as packed:
        return _first(packed)


def extract_backup(stream: IO[bytes], folder: Path) -> Manifest:
    """Extract the dump into a folder and verify its checksum. Raises BackupUnreadable."""
    with _opened(stream) as packed:
        manifest = _first(packed)
        found: dict[str, ArchiveMember] = {}
        for entry in packed:
            # Only members that the manifest names are written, so no path leads out of the folder.
            if entry.name in manifest.members and entry.isfile():
                found[entry.name] = _written(packed, entry, folder / entry.name)
    for name, member in manifest.members.items():
        if name not in found:
            raise BackupUnreadable(f"It lacks {name}.")
        if found[name] != member:
            raise BackupUnreadable(f"The checksum of its {name} differs from the manifest.")
    return manifest


@contextmanager
def _opened(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as packed:
            yield packed
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BackupUnreadable("It is no archive, or it is damaged.") from error


def _first(packed: tarfile.TarFile) -> Manifest:
    entry = packed.next()
    content = packed.extractfile(entry) if entry and entry.name == MANIFEST else None
    if entry is None or content is None or entry.size > LARGEST_MANIFEST_BYTES:
        raise BackupUnreadable("It does not begin with a manifest.")
    return parse_manifest(content.read())


def _written(packed: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> ArchiveMember:
    content = packed.extractfile(entry)
    assert content is not None
    digest = hashlib.sha256()
    with target.open("wb") as written:
        while block := content.read(BLOCK_BYTES):
            digest.update(block)
            written.write(block)
    return ArchiveMember(digest.hexdigest(), entry.size)


def _entry(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o600
    entry.mtime = int(manifest.created_at.timestamp())
    return entry
