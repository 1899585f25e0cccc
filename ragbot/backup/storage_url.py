"""Open the backup storage that an address names."""

from __future__ import annotations

from pathlib import Path

from ragbot.backup.archive_storage import BackupStorage
from ragbot.backup.folder_storage import FolderStorage
from ragbot.core.errors import BackupError

S3 = "s3://"


def open_storage(address: str, *, s3_endpoint_url: str | None = None) -> BackupStorage:
    """Return the storage at a folder's path or at `s3://bucket/prefix`. Raises BackupError."""
    if not address.startswith(S3):
        if "://" in address:
            raise BackupError(f"Backups are stored in a folder or at s3://bucket/prefix, not at {address}.")
        return FolderStorage(Path(address).expanduser())
    try:
        # An extra, with some 15 MB that others need not install.
        from ragbot.backup.s3_storage import S3Storage
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise BackupError(
            "Backups to s3:// need boto3, which is not installed: pip install -r requirements-s3.txt"
        ) from error
    return S3Storage(address, endpoint_url=s3_endpoint_url)
