"""Store backups in a bucket of S3 or of a compatible store; the only module that imports boto3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ragbot.backup.archive_storage import is_archive_name, staging_folder
from ragbot.core.errors import BackupError

# Size of an upload's parts. S3 takes 10,000 at most, so an archive may have 160 GB.
PART_BYTES = 16 * 1024 * 1024
BLOCK_BYTES = 1_048_576

# A store that hangs must not block a nightly job for ever; the library retries each call.
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
TRIES = 4


class S3Storage:
    """Store backups below a prefix of a bucket. boto3 finds credentials and region in its usual ways."""

    def __init__(self, address: str, *, endpoint_url: str | None = None) -> None:
        """Open nothing yet. `endpoint_url` is the address of a store that is not Amazon's."""
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not self._bucket:
            raise BackupError("An address in S3 must name its bucket, as in s3://bucket/prefix.")
        self.address = address.rstrip("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint_url = endpoint_url

    def names(self) -> list[str]:
        with self._map_errors("read"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        names = (key.removeprefix(self._prefix) for key in keys)
        return sorted(name for name in names if is_archive_name(name))

    def size_bytes(self, name: str) -> int:
        with self._map_errors("read"):
            return int(self._client.head_object(**self._key(name))["ContentLength"])

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self._map_errors("read"):
            body = self._client.get_object(**self._key(name))["Body"]

        def read(size: int = -1) -> bytes:
            # Only this: what else fails in the block may be the disk that the archive is unpacked to.
            with self._map_errors("read"):
                return bytes(body.read(None if size < 0 else size))

        try:
            yield cast(IO[bytes], SimpleNamespace(read=read))
        finally:
            # The rest is not fetched.
            body.close()

    def staging(self) -> AbstractContextManager[Path]:
        return staging_folder()

    def put(self, archive: Path, name: str, sha256: str) -> None:
        """Upload an archive, then read it again and compare: the stores' own checksums differ.

        An object appears only when its last part is there.
        """
        with self._map_errors("written"):
            transfer = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
            self._client.upload_file(str(archive), self._bucket, self._prefix + name, Config=transfer)
        if self._sum(name) != sha256:
            with suppress(BackupError):
                self.remove(name)
            raise BackupError(f"The archive did not arrive whole at {self.address}; it was removed again.")

    def remove(self, name: str) -> None:
        with self._map_errors("written"):
            self._client.delete_object(**self._key(name))

    def _sum(self, name: str) -> str:
        digest = hashlib.sha256()
        with self.open(name) as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    @cached_property
    def _client(self) -> Any:
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"max_attempts": TRIES, "mode": "standard"},
            # Other stores do not know the newer checksums, and ours is checked in any case.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # The library's default session would cache the credentials of its first use.
        session = boto3.session.Session()
        # A variable that is there and empty is no region; without one, the store tells the bucket's own.
        region = "us-east-1" if session.region_name == "" else None
        return session.client("s3", region_name=region, endpoint_url=self._endpoint_url, config=config)

    @contextmanager
    def _map_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error, ValueError) as error:
            # (A ValueError is an address that makes no sense.)
            raise BackupError(f"{self.address} cannot be {what}: {_reason(error)}.") from error
        except OSError as error:
            # A connection that broke while a stream was read.
            raise BackupError(f"{self.address} cannot be {what}: {type(error).__name__}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return (
            f"{details.get('Code', 'refused')} ({details.get('Message', 'no reason was given').rstrip('.')})"
        )
    return str(error).rstrip(".")
