"""Say how a book is read; importing the readers of all formats takes longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ragbot.books.files import Choice
from ragbot.core.domain import LeftOut, SkippedFile


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Describe the pages of a live site: the address of each file, and what could not or must not be read."""

    addresses: Mapping[str, str]
    skipped: tuple[SkippedFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Say how a book is read.

    With `built` the output of the generator is read instead of its sources. With `force` a folder is read as
    plain files that would be refused: its generator's sources are not understood, or most of its prose is in
    formats that are not read. `version` chooses one of a Docusaurus project's; else it is the last released.
    `downloaded` describes a folder that holds the pages of a live site. With `reads_repository` pages may
    include files of the Git repository around the folder: whoever chose the folder chose that, too.
    """

    built: bool = False
    force: bool = False
    choice: Choice = field(default_factory=Choice)
    version: str = ""
    downloaded: Downloaded | None = None
    reads_repository: bool = False
