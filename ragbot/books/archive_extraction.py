"""Extract an uploaded zip or tar.gz archive into a folder, within limits; refuse unsafe archives."""

from __future__ import annotations

import errno
import gzip
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from ragbot.books.files import IGNORED_FOLDERS, MAX_FOLDER_DEPTH
from ragbot.books.generators import CONFIG_FILES, CONFIG_FOLDERS, PARTS_FOLDER
from ragbot.core.errors import ArchiveRefused
from ragbot.core.file_types import archive_kind
from ragbot.core.text import has_forbidden_characters

# A book with a picture on every page has some thousands of files.
MAX_MEMBERS = 50_000

# Prose shrinks to a third, tables of figures to a twentieth, only bombs to a thousandth. A small archive
# may shrink as it likes.
MAX_RATIO = 100
RATIO_FREE_BYTES = 10_000_000

# Read at once; also the most that a tar may say of one member before its content (a long name, times).
PIECE_BYTES = 1 << 20
MAX_NAME_BYTES = 255
MAX_PATH_CHARACTERS = 1000

# Made by the packer of one system, and no part of any book.
_PACKERS_OWN = frozenset({"__MACOSX"})

# Other methods come from few programs, and a smaller file can unpack to more.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_PACKED_OTHERWISE = "The archive uses a compression that cannot be read; zip it with the default method."

_BROKEN_MESSAGE = "The archive is broken or incomplete; pack and send it again."

# The readers of the standard library raise these for damaged archives.
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    OverflowError,
    ValueError,
)
_DRIVE = re.compile(r"[A-Za-z]:")

ExtractionProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """Limit the bytes of all extracted files together, and their number."""

    unpacked_bytes: int
    members: int = MAX_MEMBERS


def extract_book_archive(
    archive: Path,
    into: Path,
    limits: ExtractionLimits,
    progress: ExtractionProgress = lambda _done, _total: None,
) -> Path:
    """Extract an archive into an empty folder and return the path of the book: a folder, or its only file.

    If the archive holds a single folder, that is the book. Archives inside it are ordinary files. Hidden
    files and folders that book readers ignore, such as `node_modules`, are not written. `progress` is called
    with the bytes written and the bytes in total, 0 if the total is unknown. Raises ArchiveRefused; a part of
    the files may be written by then.
    """
    with archive.open("rb") as stream:
        kind = archive_kind(stream.read(4))
    if kind is None:
        raise ArchiveRefused("The file is neither a zip nor a gzipped tar archive.")
    members = _zip_members if kind == "zip" else _tar_members
    try:
        _write(members(archive, limits), into, _bytes_allowed(archive, limits), progress)
    except _BROKEN as error:
        raise ArchiveRefused(_BROKEN_MESSAGE) from error
    except (NotImplementedError, RuntimeError) as error:
        raise ArchiveRefused(_PACKED_OTHERWISE) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # A member whose offset lies before the beginning of the file.
        raise ArchiveRefused(_BROKEN_MESSAGE) from error
    return _book_root(into)


@dataclass(frozen=True, slots=True)
class _Member:
    """Describe a regular file of an archive. `total_bytes` is the size of all of them, 0 if unknown."""

    path: str
    total_bytes: int
    open: Callable[[], IO[bytes]]


def _bytes_allowed(archive: Path, limits: ExtractionLimits) -> int:
    return min(limits.unpacked_bytes, RATIO_FREE_BYTES + MAX_RATIO * archive.stat().st_size)


def _write(members: Iterator[_Member], into: Path, allowed: int, progress: ExtractionProgress) -> None:
    written = 0
    for member in members:
        target = into / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        # `x`: a file that exists already was written from this archive.
        with member.open() as packed, target.open("xb") as file:
            while piece := packed.read(PIECE_BYTES):
                written += len(piece)
                if written > allowed:
                    raise ArchiveRefused(_too_large(allowed))
                file.write(piece)
        progress(written, member.total_bytes)


def _zip_members(archive: Path, limits: ExtractionLimits) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        entries = packed.infolist()
        _check_count(len(entries), limits)
        paths = _MemberPaths()
        # All are checked before the first is written.
        taken = [(entry, path) for entry in entries if (path := _zip_path(paths, entry))]
        total = sum(entry.file_size for entry, _ in taken)
        if total > (allowed := _bytes_allowed(archive, limits)):
            raise ArchiveRefused(_too_large(allowed))
        for entry, path in taken:
            yield _Member(path, total, partial(packed.open, entry))


def _zip_path(paths: _MemberPaths, entry: zipfile.ZipInfo) -> str | None:
    path = paths.check(entry.filename)
    if path is None or entry.is_dir():
        return None
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveRefused("The archive is encrypted; send it without a password.")
    if entry.compress_type not in _COMPRESSIONS:
        raise ArchiveRefused(_PACKED_OTHERWISE)
    # Programs of other systems set no file type at all.
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        raise ArchiveRefused(_not_regular(entry.filename))
    paths.claim(path, entry.filename)
    return path


def _tar_members(archive: Path, limits: ExtractionLimits) -> Iterator[_Member]:
    with gzip.open(archive) as unzipped:
        forward = _ForwardReader(unzipped, _bytes_allowed(archive, limits))
        with tarfile.open(fileobj=forward, mode="r:") as packed:  # type: ignore[call-overload]
            paths = _MemberPaths()
            for count, member in enumerate(packed, start=1):
                _check_count(count, limits)
                path = paths.check(member.name)
                if path is None or member.isdir():
                    continue
                _check_tar_kind(member, archive.parent)
                paths.claim(path, member.name)
                yield _Member(path, 0, partial(_tar_content, packed, member))
            forward.finish()


def _check_tar_kind(member: tarfile.TarInfo, folder: Path) -> None:
    try:
        # Python's own check, in addition to ours.
        tarfile.data_filter(member, str(folder))
    except tarfile.FilterError as error:
        raise ArchiveRefused(_not_regular(member.name)) from error
    if not member.isreg() or member.issparse():
        raise ArchiveRefused(_not_regular(member.name))


def _tar_content(packed: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = packed.extractfile(member)
    assert stream is not None  # It is a regular file.
    return stream


class _ForwardReader:
    """Offer tarfile a gzip stream that is read forward only, within limits.

    Seeking backwards would decompress everything again, in a hostile archive for each member. tarfile seeks
    back by one byte only, and the last block is stored for that.
    """

    def __init__(self, stream: gzip.GzipFile, allowed: int) -> None:
        self._stream = stream
        # The headers of a tar, and the padding of its blocks, come on top of the files.
        self._allowed = allowed + 1024 * MAX_MEMBERS
        self._read_bytes = 0
        self._last = b""
        self._back = 0

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes. Raises ArchiveRefused if a member claims a header of absurd length."""
        if size > PIECE_BYTES:
            raise ArchiveRefused("The archive describes a file at a length that no real one has.")
        again = self._last[len(self._last) - self._back :][:size] if self._back else b""
        self._back -= len(again)
        if len(again) == size:
            return again
        fresh = self._stream.read(size - len(again))
        self._read_bytes += len(fresh)
        if self._read_bytes > self._allowed:
            raise ArchiveRefused(_too_large(self._allowed))
        self._last = fresh or self._last
        return again + fresh

    def seek(self, position: int) -> int:
        """Seek to a position; bytes that are skipped are decompressed too."""
        back = self._read_bytes - position
        if back > len(self._last):
            raise ArchiveRefused("The archive cannot be read from its beginning to its end.")
        self._back = max(0, back)
        while (left := position - self.tell()) > 0 and self.read(min(left, PIECE_BYTES)):
            pass
        return self.tell()

    def tell(self) -> int:
        """Return the current position."""
        return self._read_bytes - self._back

    def finish(self) -> None:
        """Read to the end, where the checksum is, so that an incomplete file is noticed."""
        while self.read(PIECE_BYTES):
            pass


class _MemberPaths:
    """Check the paths in an archive: none outside of the folder, none twice, none too deep."""

    def __init__(self) -> None:
        # Case-folded names of folders to their first spelling.
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}

    def check(self, name: str) -> str | None:
        """Return the member's relative path, or None if it is not to be written. Raises ArchiveRefused."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or _DRIVE.match(name):
            raise ArchiveRefused(f"{_printable(name)} leads out of the archive.")
        if len(name) > MAX_PATH_CHARACTERS or "\\" in name or has_forbidden_characters(name):
            raise ArchiveRefused(_unwritable(name))
        if len(parts) > MAX_FOLDER_DEPTH:
            raise ArchiveRefused(f"{_printable(name)} lies more than {MAX_FOLDER_DEPTH} folders deep.")
        if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
            raise ArchiveRefused(_unwritable(name))
        return "/".join(parts) if parts and _is_kept(parts) else None

    def claim(self, path: str, name: str) -> None:
        """Reserve a path for a file. Raises ArchiveRefused if another file has it on some file system."""
        folded = _folded(path)
        *above, _ = path.split("/")
        for depth in range(1, len(above) + 1):
            folder = "/".join(above[:depth])
            known = self._folders.setdefault(_folded(folder), folder)
            if known != folder or _folded(folder) in self._files:
                raise ArchiveRefused(_collides(name))
        if folded in self._files or folded in self._folders:
            raise ArchiveRefused(_collides(name))
        self._files.add(folded)


def _is_kept(parts: list[str]) -> bool:
    """Return whether a reader looks at a file: it is not hidden, or known as one of a generator."""
    *above, last = parts
    known = CONFIG_FOLDERS | {PARTS_FOLDER} if last.endswith(".md") else CONFIG_FOLDERS
    return not any(
        (part.startswith(".") and part not in known) or part in IGNORED_FOLDERS | _PACKERS_OWN
        for part in (above if last in CONFIG_FILES else parts)
    )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _collides(name: str) -> str:
    return (
        f"The archive holds {_printable(name)} twice, or two names that differ only in upper and lower case."
    )


def _not_regular(name: str) -> str:
    return f"{_printable(name)} is a link, a device or a sparse file; an archive may hold only regular files."


def _unwritable(name: str) -> str:
    return f"The archive has a file name that cannot be written: {_printable(name)}."


def _too_large(allowed: int) -> str:
    return (
        f"The archive unpacks to more than {allowed:,} bytes: too much for its size, or for this service. "
        "Leave out files that are not the book's text."
    )


def _check_count(count: int, limits: ExtractionLimits) -> None:
    if count > limits.members:
        raise ArchiveRefused(
            f"The archive holds more than {limits.members:,} files; "
            "leave out those that are not the book's text."
        )


def _printable(name: str) -> str:
    shown = name.encode(errors="backslashreplace").decode()[:100]
    return "".join(sign if sign.isprintable() else "?" for sign in shown) or "a file without a name"


def _book_root(folder: Path) -> Path:
    """Return the only entry at the top, else the folder. Raises ArchiveRefused if it is empty."""
    top = list(folder.iterdir())
    if not top:
        raise ArchiveRefused("The archive holds no files of a book.")
    return top[0] if len(top) == 1 else folder
