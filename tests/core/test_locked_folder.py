"""Test locked folders: private, locked while a process needs them, deleted after its death."""

from __future__ import annotations

import fcntl
import stat
from pathlib import Path
from typing import IO

import pytest

from ragbot.core.locked_folder import LOCK, LockedFolder, delete_unlocked_folders

PREFIX = "ours-"


def left_by_a_dead_process(parent: Path) -> Path:
    left = LockedFolder.create(parent, PREFIX)
    (left.folder / "rest").write_text("of a book")
    # This is what the death of its process does.
    left.release()
    return left.folder


def test_new_folder_is_empty_and_for_this_user_alone(tmp_path: Path) -> None:
    """The system's temporary folder is everybody's. A parent that is missing is made."""
    made = LockedFolder.create(tmp_path / "not" / "there", PREFIX)

    assert [path.name for path in made.folder.iterdir()] == [LOCK]
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert made.folder.name.startswith(PREFIX)
    made.delete()


def test_making_a_folder_deletes_those_of_dead_processes_alone(tmp_path: Path) -> None:
    """What is locked is needed, and what has another name is not ours."""
    living = LockedFolder.create(tmp_path, PREFIX)
    (tmp_path / "theirs-1").mkdir()
    (tmp_path / "theirs-1" / LOCK).touch()
    dead = left_by_a_dead_process(tmp_path)

    new = LockedFolder.create(tmp_path, PREFIX)

    assert not dead.exists()
    assert {path.name for path in tmp_path.iterdir()} == {living.folder.name, new.folder.name, "theirs-1"}
    living.delete()
    new.delete()


def test_folder_that_is_being_made_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that starts between its making and its locking would take it for a dead one's."""
    lock = fcntl.flock

    def other_looks_just_before(file: IO[str], how: int) -> None:
        monkeypatch.undo()
        delete_unlocked_folders(tmp_path, PREFIX)
        lock(file, how)

    monkeypatch.setattr("ragbot.core.locked_folder.fcntl.flock", other_looks_just_before)

    made = LockedFolder.create(tmp_path, PREFIX)

    assert (made.folder / LOCK).exists()
    made.delete()


@pytest.mark.parametrize("how", ["file", "empty", "lock is a folder"])
def test_what_was_not_made_here_is_left_where_it_is(tmp_path: Path, how: str) -> None:
    """A stranger's file may have a name like ours."""
    strange = tmp_path / f"{PREFIX}strange"
    if how == "file":
        strange.write_text("not ours")
    else:
        (strange / LOCK if how == "lock is a folder" else strange).mkdir(parents=True)

    delete_unlocked_folders(tmp_path, PREFIX)
    delete_unlocked_folders(tmp_path / "missing", PREFIX)

    assert strange.exists()


def test_deleted_folder_is_gone_with_everything_in_it(tmp_path: Path) -> None:
    """Twice is as good as once."""
    made = LockedFolder.create(tmp_path, PREFIX)
    (made.folder / "deep" / "er").mkdir(parents=True)

    made.delete()
    made.delete()

    assert list(tmp_path.iterdir()) == []
