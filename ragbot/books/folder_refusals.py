"""Word why a folder is not read as the book, and what to give instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragbot.books.generators import Project
from ragbot.books.unread_prose import CONVERTERS, UnreadProse
from ragbot.core.domain import Page


def project_refusal(project: Project, root: Path) -> str:
    """Say which generator a project is of, and which folder to give instead of its sources."""
    generator = project.generator
    found = (
        f"This is {_with_article(generator.name)} project ({_shown(project.folder / project.mark, root)}), "
        "whose sources cannot be read with the links of its site."
    )
    forced = "(--force reads its Markdown as plain files.)"
    if (output := project.output) is not None:
        return f"{found} Its output is there: give {_shown(output, root)}, or add --built. {forced}"
    where = _shown(project.folder / generator.outputs[0], root)
    return f"{found} Build it (`{generator.build}`) and give its output: {where}. {forced}"


def output_refusal(project: Project | None, root: Path) -> str:
    """Say why no output of a generator was found."""
    if project is None:
        return (
            f"No site generator is recognised at {root}, so its output cannot be found. "
            "Give the folder of the output itself, without --built."
        )
    generator = project.generator
    way = (
        f"Build it first: `{generator.build}` in {project.folder}."
        if generator.build
        else f"{generator.name} builds it on its own servers: give the address of its site."
    )
    return f"This is {_with_article(generator.name)} project, and no folder of its output holds a page. {way}"


def unread_refusal(pages: Sequence[Page], unread: Sequence[UnreadProse], read_characters: int) -> str:
    """Say that most prose of a folder is in files that are not read."""
    kinds = ", ".join(
        f"{found.files} {found.suffix} with {found.characters:,}" for found in unread if found.characters
    )
    program = CONVERTERS.get(unread[0].suffix)
    way = (
        f"Make HTML of them ({program}) and give that folder"
        if program
        else "Give the folder that holds the book"
    )
    first = f" ({pages[0].path})" if pages else ""
    return (
        f"Most of the text here is in files that are not read: {kinds} characters, "
        f"and {read_characters:,} in those that are{first}. {way}. (--force takes what can be read.)"
    )


def _with_article(name: str) -> str:
    """Return a generator's name with the article that fits how it is spoken."""
    return f"{'an' if name.startswith(('A', 'E', 'R ', 'Rs', 'u')) else 'a'} {name}"


def _shown(path: Path, root: Path) -> str:
    """Return a path as the operator would type it, from the folder that was given."""
    for base in (root, root.absolute()):
        if path.is_relative_to(base):
            return (root / path.relative_to(base)).as_posix()
    return path.as_posix()
