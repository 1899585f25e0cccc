"""Test how the configuration of a site generator is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import read_config, read_required_config
from ragbot.core.errors import BookError

NAMES = ("oars.toml", "oars.yml")


def test_first_configuration_that_can_be_read_counts(tmp_path: Path) -> None:
    """The operator is told of the one that cannot."""
    (tmp_path / "oars.toml").write_text("title = ")
    (tmp_path / "oars.yml").write_text("title: Oars")
    folder = BookFolder(tmp_path)

    found = read_config(folder, NAMES, generator="Oars")

    assert found == {"title": "Oars"}
    assert [(skipped.path, skipped.reason) for skipped in folder.skipped] == [
        (
            "oars.toml",
            "The configuration is ignored and Oars's defaults used instead: The text is not valid TOML.",
        )
    ]


def test_no_configuration_is_an_empty_one(tmp_path: Path) -> None:
    """A generator has defaults."""
    folder = BookFolder(tmp_path)

    assert read_config(folder, NAMES) == {}
    assert folder.skipped == []


def test_required_configuration_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Without it the pages would stand in another order, under other addresses."""
    (tmp_path / "oars.yml").write_text("title: [")

    with pytest.raises(BookError, match=r"oars\.yml cannot be read"):
        read_required_config(BookFolder(tmp_path), NAMES)
