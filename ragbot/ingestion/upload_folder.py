"""Store uploaded books in private folders that are deleted when no living process needs them."""

from __future__ import annotations

from pathlib import Path

from ragbot.core.locked_folder import LockedFolder, delete_unlocked_folders

PREFIX = "ragbot-book-"


class UploadFolder(LockedFolder):
    """Hold a folder with an uploaded archive. Its lock passes to the process that inherits the open file."""

    __slots__ = ()

    @property
    def archive(self) -> Path:
        """Return the path of the archive as it was uploaded."""
        return self.folder / "archive"

    @property
    def unpacked(self) -> Path:
        """Return the path that the archive is unpacked to."""
        return self.folder / "book"


def new_upload_folder(parent: Path) -> UploadFolder:
    """Make an empty folder that only this user may read; delete those of dead processes. Raises OSError."""
    return UploadFolder.create(parent, PREFIX)


def inherited_upload_folder(folder: Path, descriptor: int) -> UploadFolder:
    """Take over a folder that the parent process made, with the file descriptor that holds its lock."""
    return UploadFolder(folder, open(descriptor, "w"))


def sweep(parent: Path) -> None:
    """Delete the folders of dead processes. Does nothing if `parent` is missing."""
    delete_unlocked_folders(parent, PREFIX)
