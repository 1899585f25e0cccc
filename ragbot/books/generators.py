"""Recognise the site generator that a folder belongs to by the generator's own files."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ragbot.books.files import IGNORED_FOLDERS
from ragbot.books.site_generators import GENERATORS, MKDOCS_CONFIGS, SiteGenerator, is_built, peek

# Where a repository keeps the project of its book.
INNER_FOLDERS = (
    "website",
    "docs",
    "doc",
    "site",
    "book",
    "documentation",
    "guide",
    "source",
    "manuscript",
    "bookdown",
)

# Hidden folders by which a generator is known, and in which its output lies.
CONFIG_FOLDERS = frozenset({".vitepress", ".vuepress"})
# The hidden folder with parts of pages on gitbook.com, beside all of their pictures.
PARTS_FOLDER = ".gitbook"
# Hidden files that readers of books look for: a folder's own order and titles of its pages, and GitBook's.
CONFIG_FILES = frozenset({".pages", ".nav.yml", ".gitbook.yaml"})

# Formats in which the chapters of a project may be.
_PROSE = frozenset({".md", ".mdx", ".markdown", ".qmd", ".rmd", ".ipynb", ".rst", ".adoc", ".xml", ".ptx"})
MAX_FILES_LOOKED_AT = 50_000

# MkDocs's configuration may lie in a folder beside its pages or among them, and say so.
_OUTER_PAGES = re.compile(r"""^docs_dir[ \t]*:[ \t]*["']?(\.\.(?:/[^"'#\n]*)?)""", re.MULTILINE)
_MAX_CONFIGS = 50


@dataclass(frozen=True, slots=True)
class Project:
    """Name the generator of a book, the folder of its configuration, and the file that told it."""

    generator: SiteGenerator
    folder: Path
    mark: str

    @property
    def output(self) -> Path | None:
        """Return the folder in which a build has left its pages, or None."""
        for name in self.generator.outputs:
            folder = self.folder / name
            if next(folder.glob("*.html"), None) or next(folder.glob("*/index.html"), None):
                return folder
        return None


def find_project(root: Path) -> Project | None:
    """Return the project that a folder is, holds one level down, or is the source folder of.

    The most specific generator wins. None if no generator's files are there.
    """
    if (own := _project_at(root)) is not None:
        return own
    if is_built(root):
        return None
    for name in INNER_FOLDERS:
        if (root / name).is_dir() and (inner := _project_at(root / name)) is not None:
            return inner
    return _project_above(root.absolute()) or _project_of_outer_pages(root) or _project_with_most_prose(root)


def _project_at(folder: Path) -> Project | None:
    for generator in GENERATORS:
        if mark := generator.marks(folder):
            return Project(generator, folder, mark)
    return None


def _project_with_most_prose(root: Path) -> Project | None:
    """Return the project in a folder of another name, if most of the prose is in there.

    A repository of programs has projects among its examples, too, and these are not its book.
    """
    if not root.is_dir():
        return None
    sizes: Counter[str] = Counter()
    for file in islice(root.rglob("*"), MAX_FILES_LOOKED_AT):
        first = file.relative_to(root).parts[0]
        is_own = not first.startswith(".") and first not in IGNORED_FOLDERS
        if is_own and file.suffix.lower() in _PROSE and not file.is_symlink() and file.is_file():
            sizes[first] += file.stat().st_size
    name, size = sizes.most_common(1)[0] if sizes else ("", 0)
    if 2 * size <= sizes.total() or not (root / name).is_dir():
        return None
    return _project_at(root / name)


def _project_of_outer_pages(root: Path) -> Project | None:
    """Return the project of MkDocs whose configuration lies up to two levels down and names pages above it.

    None if several configurations name different folders: they are those of several books, or languages.
    """
    generator = next(generator for generator in GENERATORS if generator.name == "MkDocs")
    paths = (
        path for name in MKDOCS_CONFIGS for depth in ("*", "*/*") for path in root.glob(f"{depth}/{name}")
    )
    found: dict[Path, Path] = {}
    for config in islice(paths, _MAX_CONFIGS):
        named = _OUTER_PAGES.search(peek(config))
        pages = (config.parent / named[1].strip()).resolve() if named is not None else None
        if pages is not None and pages.is_dir() and pages.is_relative_to(root.resolve()):
            found.setdefault(pages, config)
    if len(found) != 1:
        return None
    config = next(iter(found.values()))
    return Project(generator, root, config.relative_to(root).as_posix())


def _project_above(root: Path) -> Project | None:
    for generator in GENERATORS:
        steps = Path(generator.content).parts
        if not steps or root.parts[-len(steps) :] != steps:
            continue
        above = root.parents[len(steps) - 1]
        if mark := generator.marks(above):
            return Project(generator, above, mark)
    return None
