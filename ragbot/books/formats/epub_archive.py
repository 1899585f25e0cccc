"""Read the entries of an EPUB's ZIP archive from memory, within limits."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from ragbot.core.errors import FileUnreadable

# A picture book holds some thousands of entries; a central directory of millions fills the memory.
MAX_ENTRIES = 20_000
# Unzipped bytes of one book at most: a hundred times the longest novels.
MAX_UNZIPPED_BYTES = 200_000_000
# Prose shrinks to a third, tables of figures to a twentieth. Small entries may shrink as they like.
MAX_ENTRY_RATIO = 200
FREE_ENTRY_BYTES = 100_000

_ENTRY_MARK = b"PK\x01\x02"
_ZIP_FAULTS = (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)


class EpubArchive:
    """Read a ZIP archive in memory entry by entry. Raises FileUnreadable beyond the limits.

    Nothing is written to the disk.
    """

    def __init__(self, content: bytes, *, max_entry_bytes: int) -> None:
        self._max_entry_bytes = max_entry_bytes
        self._left = MAX_UNZIPPED_BYTES
        # Counted before the archive is opened, for opening it makes an object of every entry.
        if content.count(_ENTRY_MARK) > MAX_ENTRIES:
            raise FileUnreadable(f"The EPUB holds more than {MAX_ENTRIES:,} entries.")
        try:
            self._zip = ZipFile(BytesIO(content))
        except _ZIP_FAULTS as fault:
            raise FileUnreadable("The file is damaged, or no EPUB: it is not a ZIP archive.") from fault

    def holds(self, name: str) -> bool:
        """Return whether there is an entry of this path."""
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """Unzip an entry. Raises FileUnreadable if it is missing, damaged, encrypted or too large."""
        if not self.holds(name):
            raise FileUnreadable("The EPUB lists this file, but does not hold it.")
        info = self._zip.getinfo(name)
        self._check(info)
        try:
            # No more is unzipped than is declared; where there is more, its checksum is false.
            content = self._zip.read(info)
        except _ZIP_FAULTS as fault:
            raise FileUnreadable("The entry is damaged in the archive.") from fault
        self._left -= len(content)
        return content

    def _check(self, info: ZipInfo) -> None:
        size = info.file_size
        if info.flag_bits & 1:
            raise FileUnreadable("The entry is encrypted; save a copy of the book without a password.")
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise FileUnreadable("The entry is compressed in a way that EPUB does not know.")
        if size > self._max_entry_bytes:
            raise FileUnreadable(
                f"The entry holds {size:,} bytes unzipped; the limit is {self._max_entry_bytes:,}."
            )
        if size > FREE_ENTRY_BYTES and size > MAX_ENTRY_RATIO * info.compress_size:
            raise FileUnreadable(
                f"The entry unzips to more than {MAX_ENTRY_RATIO} times its size, as only zip bombs do."
            )
        if size > self._left:
            raise FileUnreadable(
                f"The book's text is longer than {MAX_UNZIPPED_BYTES:,} bytes; the rest is left out."
            )
