"""Read the files of a book's folder safely: regular text files inside it, up to a size limit."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ragbot.core.domain import LeftOut, SkippedFile
from ragbot.core.errors import FileUnreadable

T = TypeVar("T")

# Folders that never hold a book's own pages; hidden folders are ignored too.
IGNORED_FOLDERS = frozenset({"node_modules", "__pycache__", "bower_components", "venv"})

# No book nests its chapters deeper; a deeper tree is a loop or an attack.
MAX_FOLDER_DEPTH = 32

# Opening a regular file never blocks; a pipe that replaced it meanwhile would.
_OPENING = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)

_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"%PDF-", "a PDF file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NUMBER = re.compile(r"(\d+)")

# What the signs of a glob match, as expressions.
GLOB_SIGNS = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Choose files by globs on their paths (`guide/**`). Without `include` every file is chosen."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        """Return whether a file is chosen."""
        included = not self.include or any(_glob_matches(path, glob) for glob in self.include)
        return included and not any(_glob_matches(path, glob) for glob in self.exclude)


class BookFolder:
    """List and read the files of one folder. Files that cannot be read are collected in `skipped`.

    `progress` is called with each path before it is read. Files that `choice` does not take are not listed.
    Pages may include files of `repository`, a folder above.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_file_bytes: int = 5_000_000,
        progress: Callable[[str], None] | None = None,
        choice: Choice | None = None,
        repository: Path | None = None,
    ) -> None:
        self.root = root
        self.max_file_bytes = max_file_bytes
        self.skipped: list[SkippedFile] = []
        self._seen: set[SkippedFile] = set()
        self._left_out: dict[str, str] = {}
        self._choice = choice or Choice()
        self._progress = progress
        self._real_root = root.resolve()
        self._repository = repository.resolve() if repository is not None else self._real_root

    def files(self, suffixes: frozenset[str], under: str = "") -> list[str]:
        """List the files with one of the suffixes as paths relative to the root, in natural order."""
        if not (self.root / under).resolve().is_relative_to(self._real_root):
            self.skip(under, "The folder lies outside of the book's folder.")
            return []
        found = [self._relative(str(path)) for path in self._walk(self.root / under, suffixes, depth=0)]
        for path in found:
            if not self._choice.takes(path):
                self.leave_out(path, "It is left out by --include or --exclude.")
        return sorted((path for path in found if self._choice.takes(path)), key=natural_key)

    def read_each(self, paths: list[str], read: Callable[[str], T]) -> list[T]:
        """Call `read` for each path and return its results; a path that fails is skipped with a reason."""
        results: list[T] = []
        for path in paths:
            self._report(path)
            try:
                results.append(read(path))
            except FileUnreadable as fault:
                self.skip(path, str(fault))
            except RecursionError:
                self.skip(path, "The file is nested too deeply to be read.")
            except BaseException as fault:
                # Parsers meet hostile input here, and those written in Rust panic with a
                # BaseException: one bad file must not fail the book.
                if isinstance(fault, KeyboardInterrupt | SystemExit | GeneratorExit):
                    raise
                self.skip(path, f"The file could not be parsed ({type(fault).__name__}).")
        return results

    def skip(self, path: str, reason: str) -> None:
        """Record a file that is left out; the same path and reason are recorded once."""
        skipped = SkippedFile(path if _is_text(path) else _escaped(path), reason)
        if skipped not in self._seen:
            self._seen.add(skipped)
            self.skipped.append(skipped)

    def leave_out(self, path: str, reason: str) -> None:
        """Record a file that is no part of the book; the first reason counts."""
        self._left_out.setdefault(path, reason)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Count the files that are no part of the book by reason and suffix."""
        counts = Counter(
            (reason, PurePosixPath(path).suffix.lower()) for path, reason in self._left_out.items()
        )
        return tuple(LeftOut(reason, suffix, files) for (reason, suffix), files in counts.most_common())

    def clear_skipped(self) -> None:
        """Clear the records, after a first look at the folder."""
        self.skipped.clear()
        self._seen.clear()
        self._left_out.clear()

    def read_text(self, path: str) -> str:
        """Read a file as text, without its byte order mark. Raises FileUnreadable.

        Each line end of Windows is a plain one, as readers expect it.
        """
        return decode_text(self.read_bytes(path)).replace("\r\n", "\n")

    def read_bytes(self, path: str) -> bytes:
        """Read a file. Raises FileUnreadable if it is no regular file of this folder, or too large."""
        full = self.root / PurePosixPath(path)
        try:
            real = full.resolve(strict=True)
            status = real.stat()
        except (OSError, RuntimeError, ValueError) as fault:
            raise FileUnreadable("The file does not exist, or it is a link that leads nowhere.") from fault
        if not real.is_relative_to(self._real_root):
            raise FileUnreadable("The file is a link that leads out of the book's folder.")
        if not stat.S_ISREG(status.st_mode):
            raise FileUnreadable("This is not a regular file.")
        if status.st_size > self.max_file_bytes:
            raise FileUnreadable(
                f"The file holds {status.st_size:,} bytes; the limit is {self.max_file_bytes:,}."
            )
        try:
            with open(os.open(real, _OPENING), "rb") as opened:
                # A file that grows while it is read is cut; the decoder then reports it.
                return opened.read(self.max_file_bytes + 1)
        except OSError as fault:
            raise FileUnreadable(f"The file could not be opened: {fault.strerror}.") from fault

    def read_included(self, path: str) -> str:
        """Read a file that a page includes, which may lie above this folder. Raises FileUnreadable.

        It must be inside of the repository, and neither hidden nor in a hidden folder there.
        """
        if not path.startswith(".."):
            return self.read_text(path)
        inner = self._in_repository(path)
        if inner is None:
            raise FileUnreadable("The file lies outside of the book.")
        return BookFolder(self._repository, max_file_bytes=self.max_file_bytes).read_text(inner)

    def _in_repository(self, path: str) -> str | None:
        try:
            real = (self.root / path).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        if not real.is_relative_to(self._repository):
            return None
        inner = real.relative_to(self._repository)
        return None if any(name.startswith(".") for name in inner.parts) else inner.as_posix()

    def has(self, path: str) -> bool:
        """Return whether the file exists."""
        return (self.root / path).is_file()

    def has_included(self, path: str) -> bool:
        """Return whether a file exists that a page may include."""
        return self.has(path) if not path.startswith("..") else self._in_repository(path) is not None

    def _walk(self, folder: Path, suffixes: frozenset[str], depth: int) -> Iterator[Path]:
        for entry in self._entries(folder):
            if entry.is_dir(follow_symlinks=False):
                if depth >= MAX_FOLDER_DEPTH:
                    self.skip(
                        self._relative(entry.path),
                        f"The folder lies more than {MAX_FOLDER_DEPTH} levels deep.",
                    )
                elif entry.name not in IGNORED_FOLDERS:
                    yield from self._walk(Path(entry.path), suffixes, depth + 1)
            elif Path(entry.name).suffix.lower() in suffixes:
                yield Path(entry.path)
            elif entry.is_symlink() and Path(entry.path).is_dir():
                self.skip(
                    self._relative(entry.path), "This is a link to a folder; such links are not followed."
                )

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                shown = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as fault:
            self.skip(self._relative(str(folder)), f"The folder could not be opened: {fault.strerror}.")
            return []
        for entry in shown:
            if not _is_text(entry.name):
                self.skip(
                    _escaped(self._relative(entry.path)),
                    "Its name holds characters that cannot be displayed.",
                )
        return [entry for entry in shown if _is_text(entry.name)]

    def _relative(self, path: str) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def _report(self, path: str) -> None:
        if self._progress is not None:
            self._progress(path)


def decode_text(content: bytes) -> str:
    """Decode UTF-8. Raises FileUnreadable that names the kind of file if it is something else."""
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            raise FileUnreadable(f"The file is {name}, not text.")
    if content.startswith(_UTF16_MARKS):
        raise FileUnreadable("The file is encoded in UTF-16; UTF-8 was expected. Save it as UTF-8.")
    if b"\x00" in content:
        raise FileUnreadable("The file holds NUL bytes, so it is not text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise FileUnreadable(
            f"The file is not valid UTF-8 (byte {fault.object[fault.start]:#04x} at {fault.start}). "
            "Save it as UTF-8."
        ) from fault


def _glob_matches(path: str, glob: str) -> bool:
    """Return whether a path matches a glob, in which `**` stands for any folders and `*` for one name."""
    return _glob_pattern(glob.removeprefix("./")).fullmatch(path) is not None


@cache
def _glob_pattern(glob: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", f"{glob}**" if glob.endswith("/") else glob)
    return re.compile("".join(GLOB_SIGNS.get(piece) or re.escape(piece) for piece in pieces))


def natural_key(path: str) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Return a sort key by which `2-b` comes before `10-a`, folder by folder."""
    return tuple(
        tuple(
            (0, int(piece), "") if piece.isdecimal() else (1, 0, piece.casefold()) for piece in _pieces(part)
        )
        for part in path.split("/")
    )


def _pieces(name: str) -> list[str]:
    return [piece[:18] if piece.isdecimal() else piece for piece in _NUMBER.split(name) if piece]


def _escaped(path: str) -> str:
    return path.encode("unicode_escape", "surrogatepass").decode("ascii")


def _is_text(name: str) -> bool:
    return name.isprintable() and not any("\udc80" <= character <= "\udcff" for character in name)
