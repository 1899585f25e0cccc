"""Test that a folder and a bucket store archives alike: whole, by name, and only ours."""

from __future__ import annotations

import errno
import hashlib
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from moto.s3.models import s3_backends

from ragbot.backup.archive_storage import BackupStorage, new_archive_name
from ragbot.backup.s3_storage import PART_BYTES, S3Storage
from ragbot.backup.storage_url import open_storage
from ragbot.core.errors import BackupError

NIGHT = datetime(2026, 3, 18, 2, tzinfo=UTC)


@pytest.fixture
def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Create a bucket, and set credentials where boto3 looks for them."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "alice")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wonderland")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"books-{secrets.token_hex(4)}"
    client(s3_url).create_bucket(Bucket=name)
    return name


def client(s3_url: str) -> Any:
    return boto3.client("s3", endpoint_url=s3_url)


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BackupStorage:
    if request.param == "folder":
        return open_storage(str(tmp_path / "kept" / "here"))
    bucket = request.getfixturevalue("bucket")
    return open_storage(f"s3://{bucket}/kept/here/", s3_endpoint_url=request.getfixturevalue("s3_url"))


def put(storage: BackupStorage, content: bytes, name: str | None = None) -> str:
    name = name or new_archive_name(NIGHT)
    with storage.staging() as folder:
        (folder / name).write_bytes(content)
        storage.put(folder / name, name, hashlib.sha256(content).hexdigest())
    return name


def got(storage: BackupStorage, name: str) -> bytes:
    with storage.open(name) as stream:
        return stream.read()


def test_archive_is_read_as_it_was_put(storage: BackupStorage) -> None:
    """Byte for byte."""
    name = put(storage, b"Alice" * 1000)

    assert got(storage, name) == b"Alice" * 1000
    assert storage.size_bytes(name) == 5000
    assert storage.names() == [name]


def test_archives_are_named_in_the_order_of_their_making(storage: BackupStorage) -> None:
    """Also two of one second; other files in the folder do not matter."""
    names = [put(storage, b"", new_archive_name(NIGHT.replace(hour=hour))) for hour in (3, 2, 2)]
    put(storage, b"", "notes.tar.gz")
    put(storage, b"", "ragbot-latest.tar.gz")

    assert storage.names() == sorted(names)
    assert len(set(names)) == 3


def test_removed_archive_is_gone_and_others_stay(storage: BackupStorage) -> None:
    """Twice is as once: two jobs may thin out at the same time."""
    first, second = put(storage, b"1"), put(storage, b"2")

    storage.remove(first)
    storage.remove(first)

    assert storage.names() == [second]


def test_folder_that_is_not_there_yet_has_no_archives(tmp_path: Path) -> None:
    """Before the first night."""
    assert open_storage(str(tmp_path / "nowhere")).names() == []


def test_missing_archive_is_reported_with_its_storage(storage: BackupStorage) -> None:
    """The operator mistypes a name."""
    put(storage, b"")

    with pytest.raises(BackupError, match=storage.address), storage.open("ragbot-other.tar.gz"):
        pass


def test_nothing_is_left_of_the_work_but_the_archive(storage: BackupStorage, tmp_path: Path) -> None:
    """A dump that stays behind fills the disk and is read by strangers."""
    with storage.staging() as folder:
        (folder / "database.sqlite").write_bytes(b"Alice")

    assert not folder.exists()


def test_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A volume that was not mounted."""
    (tmp_path / "file").touch()

    with pytest.raises(BackupError, match="cannot be written"):
        put(open_storage(str(tmp_path / "file" / "below")), b"")


# --- S3 ----------------------------------------------------------------------------------------


@pytest.fixture
def in_s3(bucket: str, s3_url: str) -> S3Storage:
    return S3Storage(f"s3://{bucket}/kept", endpoint_url=s3_url)


def test_large_archive_goes_up_in_parts(in_s3: S3Storage, bucket: str, s3_url: str) -> None:
    """One request may have 5 GB at most, and a broken one begins again."""
    content = secrets.token_bytes(PART_BYTES + 1000)

    name = put(in_s3, content)

    kept = client(s3_url).head_object(Bucket=bucket, Key=f"kept/{name}")
    assert kept["ETag"].strip('"').endswith("-2")
    assert got(in_s3, name) == content


def test_upload_that_was_killed_does_not_show(in_s3: S3Storage, bucket: str, s3_url: str) -> None:
    """Half an archive is worse than none."""
    started = client(s3_url).create_multipart_upload(Bucket=bucket, Key=f"kept/{new_archive_name(NIGHT)}")
    client(s3_url).upload_part(
        Bucket=bucket, Key=started["Key"], UploadId=started["UploadId"], PartNumber=1, Body=b"Alice"
    )

    assert in_s3.names() == []


def test_archive_that_did_not_arrive_whole_is_removed_again(in_s3: S3Storage, tmp_path: Path) -> None:
    """The uploaded bytes are read back and compared, whatever the store reports."""
    (tmp_path / "archive").write_bytes(b"Alice")

    with pytest.raises(BackupError, match="did not arrive whole"):
        in_s3.put(tmp_path / "archive", new_archive_name(NIGHT), hashlib.sha256(b"Bob").hexdigest())

    assert in_s3.names() == []


def test_more_archives_than_one_answer_lists_are_all_listed(
    in_s3: S3Storage, bucket: str, s3_url: str
) -> None:
    """A store tells of a thousand objects at a time."""
    # By the wire it would take ten seconds.
    store = s3_backends["123456789012"]["aws"]
    for number in range(1005):
        store.put_object(bucket, f"kept/a-{number:04}.txt", b"")
    name = put(in_s3, b"")

    assert in_s3.names() == [name]


def test_bucket_itself_can_be_the_place(bucket: str, s3_url: str) -> None:
    """A bucket may be ragbot's alone."""
    storage = S3Storage(f"s3://{bucket}", endpoint_url=s3_url)
    name = put(storage, b"Alice")

    assert storage.names() == [name]


def test_bucket_that_is_not_there_is_one_sentence(bucket: str, s3_url: str) -> None:
    """With the store's own code, which its manual explains."""
    with pytest.raises(BackupError, match=r"s3://no-such-bucket/kept cannot be read: NoSuchBucket"):
        S3Storage("s3://no-such-bucket/kept", endpoint_url=s3_url).names()


def test_store_without_credentials_is_one_sentence(
    in_s3: S3Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The commonest fault of a first try."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    with pytest.raises(BackupError, match="credentials"):
        in_s3.names()


def test_store_that_is_not_there_is_one_sentence(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address must not look like a wrong bucket."""
    monkeypatch.setattr("ragbot.backup.s3_storage.TRIES", 1)

    with pytest.raises(BackupError, match="Could not connect"):
        S3Storage(f"s3://{bucket}", endpoint_url="http://127.0.0.1:9").names()


def test_region_that_is_empty_is_none(bucket: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret or an env file lists the variable, and whoever has a role fills in nothing."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    storage = S3Storage(f"s3://{bucket}", endpoint_url=s3_url)

    name = put(storage, b"Alice")

    assert storage.names() == [name]
    assert "amazonaws.com" in S3Storage(f"s3://{bucket}")._client.meta.endpoint_url


def test_address_of_a_store_that_makes_no_sense_is_one_sentence(bucket: str) -> None:
    """It lacks its scheme."""
    with pytest.raises(BackupError, match="cannot be read: Invalid endpoint"):
        S3Storage(f"s3://{bucket}", endpoint_url="minio:9000").names()


def test_s3_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra, and others need not have it."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "ragbot.backup.s3_storage")
    import ragbot.backup

    monkeypatch.delattr(ragbot.backup, "s3_storage")

    with pytest.raises(BackupError, match=r"pip install -r requirements-s3\.txt"):
        open_storage("s3://books/kept")


def test_disk_that_is_full_is_not_the_buckets_fault(in_s3: S3Storage) -> None:
    """An archive is unpacked while it is read, and the operator would look at the wrong end."""
    name = put(in_s3, b"Alice")

    with pytest.raises(OSError, match="No space left"), in_s3.open(name):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_stream_that_breaks_off_is_one_sentence(in_s3: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address, whatever the library raises."""
    name = put(in_s3, b"Alice")
    monkeypatch.setattr(StreamingBody, "read", broken)

    with pytest.raises(BackupError, match=f"{in_s3.address} cannot be read: "), in_s3.open(name) as stream:
        stream.read()


def broken(_body: StreamingBody, _size: int | None = None) -> bytes:
    raise ConnectionResetError


@pytest.mark.parametrize("address", ["ftp://books", "s3://", "s3:///kept"])
def test_address_of_another_kind_is_refused(address: str) -> None:
    """A typing error must not make a folder called `ftp:`."""
    with pytest.raises(BackupError):
        open_storage(address)


# --- a run that is killed ----------------------------------------------------------------------
