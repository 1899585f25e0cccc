"""Test folders for uploads: private, locked by a living process, deleted after its death."""

from __future__ import annotations

import stat
from pathlib import Path

from ragbot.ingestion.upload_folder import PREFIX, new_upload_folder, sweep


def test_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    """The system's temporary folder is everybody's, and a book may not be published yet."""
    upload = new_upload_folder(tmp_path / "sent")

    mode = stat.S_IMODE(upload.folder.stat().st_mode)
    upload.delete()

    assert mode == 0o700
    assert list((tmp_path / "sent").iterdir()) == []


def test_folder_of_the_living_is_left_alone_and_of_the_dead_is_swept(tmp_path: Path) -> None:
    """A worker that was killed must not fill the disk."""
    living = new_upload_folder(tmp_path)
    dead = new_upload_folder(tmp_path)
    dead.archive.write_bytes(b"PK")
    # What the death of the process does.
    dead.release()

    sweep(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [living.folder.name]
    living.delete()


def test_sweeping_where_nothing_is_does_nothing(tmp_path: Path) -> None:
    """The first start of all."""
    sweep(tmp_path / "nowhere")

    (tmp_path / f"{PREFIX}a-file").write_text("not ours")
    sweep(tmp_path)

    assert (tmp_path / f"{PREFIX}a-file").exists()
