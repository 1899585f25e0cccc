"""Read a project of bookdown: R Markdown files that are one document, cut into pages at its headings."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, pairwise
from pathlib import PurePosixPath
from posixpath import dirname, normpath
from urllib.parse import quote

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_mapping, as_texts, read_config
from ragbot.books.formats.intermediates import INTERMEDIATE, find_intermediates
from ragbot.books.formats.markdown import Heading, build_sections, find_headings
from ragbot.books.markup.blocks import parse_page
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.pandoc_citations import Citation, read_citations
from ragbot.books.markup.rmarkdown import plain_rmarkdown
from ragbot.books.markup.rmarkdown_inline import RmdProject
from ragbot.books.markup.slugs import NumberedSlugger, Slugger, pandoc_slug
from ragbot.books.markup.titles import plain_title
from ragbot.core.domain import Book, Dialect, Page
from ragbot.core.errors import FileUnreadable

RMD = frozenset({".rmd"})
MARKDOWN = frozenset({".md"})
CONFIG_NAMES = ("_bookdown.yml", "_bookdown.yaml")
OUTPUT_NAMES = ("_output.yml", "_output.yaml")

# So many citations in a row are hidden at most.
MAX_LOOKAHEAD = 20

_REFERENCES = "### References"
# `# (PART) Boats {-}` and `# (APPENDIX) More {-}` begin parts, and are no pages.
_PART = re.compile(r"\((?:PART\\?\*?|APPENDIX)\)\s*(?P<name>.*)")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Hold a page's text with its headings and their anchors; offsets count in `text`."""

    path: str
    text: str
    heads: tuple[tuple[Heading, str], ...]
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Split:
    """Say where the document is cut: at headings up to a level, or at files.

    With `lists_works` each page ends in the list of what it cites.
    """

    level: int = 1
    at_files: bool = False
    lists_works: bool = True


def read_bookdown(folder: BookFolder) -> Book:
    """Read the project in the order of its configuration, cut into the pages that its site has."""
    config = read_config(folder, CONFIG_NAMES, generator="bookdown")
    slug = NumberedSlugger(pandoc_slug)
    project = RmdProject(numbers_figures=True)
    pieces: list[_Piece] = []
    fronts: list[FrontMatter] = []

    def read(path: str) -> None:
        text = folder.read_text(path)
        fronts.append(parse_front_matter(text))
        if len(fronts) == 1:
            project.citations = read_citations(
                fronts[0].values.get("bibliography"), partial(read_beside, folder, path)
            )
            project.lists_all = "@*" in fronts[0].text("nocite")
        plain = plain_rmarkdown(text[fronts[-1].end :], partial(read_beside, folder, path), project)
        split = _split(folder, fronts[0])
        _add_pieces(pieces, path, plain, slug=slug, split=split)

    paths = _paths(folder, config)
    folder.read_each(paths, read)
    _leave_out_intermediates(folder, config, paths)
    title = next((name for name in (plain_title(front.text("title")) for front in fronts) if name), "")
    split = _split(folder, fronts[0]) if fronts else _Split()
    pages = _pages([*_with_references(pieces, project, split)], title, at_files=split.at_files)
    read_pages = tuple(page for page in pages if page.source.strip())
    return Book(title, read_pages, tuple(folder.skipped), notes=project.notes())


def _with_references(pieces: list[_Piece], project: RmdProject, split: _Split) -> Iterator[_Piece]:
    """Add to each page the list of the works that it cites, and to the last one that of all."""
    trail = deque(project.citations.trail)
    for piece in pieces:
        keys: list[str] = []
        position = 0
        while (place := _next_citation(trail, piece.text, position)) is not None:
            for _ in range(place):
                # It stands in what the page does not show.
                trail.popleft()
            citation = trail.popleft()
            keys += citation.keys
            position = piece.text.find(citation.words, position) + len(citation.words)
        if piece is pieces[-1]:
            listed = project.references()
            yield replace(piece, text=f"{piece.text.rstrip()}\n\n{listed}\n") if listed else piece
        elif keys and split.lists_works:
            text = f"{piece.text.rstrip()}\n\n"
            head = Heading(3, "References", "", len(text), len(text) + len(_REFERENCES))
            text += f"{_REFERENCES}\n\n{project.citations.references(keys)}\n"
            yield replace(piece, text=text, heads=(*piece.heads, (head, "")))
        else:
            yield piece


def _next_citation(trail: deque[Citation], text: str, position: int) -> int | None:
    """Return which of the next citations is the first to stand in a text behind a place, or None."""
    ahead = islice(trail, MAX_LOOKAHEAD)
    return next((place for place, each in enumerate(ahead) if text.find(each.words, position) >= 0), None)


def read_beside(folder: BookFolder, path: str, name: str) -> str:
    """Return the text of a file that a page names, seen from the page's folder or from the project's."""
    for base in ("",) if name.startswith("/") else (dirname(path), ""):
        target = normpath(f"{base}/{name}" if base else name).lstrip("/")
        if folder.has_included(target):
            try:
                return folder.read_included(target)
            except FileUnreadable:
                return ""
    return ""


def _paths(folder: BookFolder, config: dict[str, object]) -> list[str]:
    """Return the files in order: those that are listed, else all of the folder with the index first."""
    listed = config.get("rmd_files")
    if isinstance(listed, dict):
        listed = listed.get("html") or next(iter(listed.values()), None)
    if isinstance(listed, list):
        names = map(normpath, as_texts(listed))
        return [name for name in names if not name.startswith(("/", ".."))]
    subfolders = config.get("rmd_subdir")
    folders = [name.strip("/") for name in as_texts(subfolders)]
    found = [
        path
        for path in folder.files(RMD)
        if not path.rpartition("/")[2].startswith("_")
        and ("/" not in path or subfolders is True or any(path.startswith(f"{name}/") for name in folders))
    ]
    return sorted(found, key=lambda path: path.lower() != "index.rmd")


def _leave_out_intermediates(folder: BookFolder, config: dict[str, object], paths: list[str]) -> None:
    """Name what knitr made: Markdown beside the chapters, and that of the whole book."""
    rendered = folder.files(MARKDOWN)
    whole = f"{config.get('book_filename') or '_main'}.md"
    made = find_intermediates([*paths, *rendered], paths, tuple(RMD))
    for path in made.union(path for path in rendered if path == whole).difference(paths):
        folder.leave_out(path, INTERMEDIATE)


def _split(folder: BookFolder, front: FrontMatter) -> _Split:
    """Return where the format cuts the document: at chapters, unless its configuration says otherwise."""
    outputs = read_config(folder, OUTPUT_NAMES, generator="bookdown") or front.values.get("output")
    for name, options in as_mapping(outputs).items():
        if "gitbook" not in name and "html" not in name and "bs4" not in name:
            continue
        values = as_mapping(options)
        wanted = str(values.get("split_by") or "")
        return _Split(
            level=2 if wanted.startswith("section") else 1,
            at_files=wanted.startswith("rmd"),
            lists_works=values.get("split_bib", "bs4" not in name) is True,
        )
    return _Split()


def _add_pieces(pieces: list[_Piece], path: str, text: str, *, slug: Slugger, split: _Split) -> None:
    """Cut a file and add its pieces; what stands before its first chapter belongs to the one before."""
    parsed = parse_page(text, Dialect.MARKDOWN)
    heads = [(head, head.own_id or slug(head.slug_text)) for head in find_headings(parsed, Dialect.MARKDOWN)]
    tops = [head for head, _ in heads if not head.is_nested and head.level <= split.level]
    starts = {0} if split.at_files else {head.start for head in tops}
    edges = sorted({0, *starts, len(text)})
    parts = pieces[-1].parts if pieces else ()
    places = [head.start for head, _ in heads]
    for start, end in pairwise(edges):
        within = heads[bisect_left(places, start) : bisect_left(places, end)]
        inner = [(_moved(head, -start), anchor) for head, anchor in within]
        first = inner[0][0] if inner and start in starts else None
        part = _PART.fullmatch(first.text) if first is not None else None
        if part is not None and first is not None:
            parts = (part["name"].strip(),)
            # What introduces a part stands at the end of the chapter before.
            _append(pieces, path, text[start + first.end : end], [], parts=None)
            continue
        # What stands before the first chapter of all is on its page.
        is_preamble = (
            len(pieces) == 1
            and not split.at_files
            and not any(head.level == 1 for head, _ in pieces[0].heads)
        )
        if start in starts and not is_preamble:
            pieces.append(_Piece(path, text[start:end], tuple(inner), parts))
        else:
            _append(pieces, path, text[start:end], inner, parts=parts)


def _append(
    pieces: list[_Piece],
    path: str,
    text: str,
    heads: list[tuple[Heading, str]],
    *,
    parts: tuple[str, ...] | None,
) -> None:
    if not text.strip():
        return
    if not pieces:
        pieces.append(_Piece(path, text, tuple(heads), parts or ()))
        return
    last = pieces[-1]
    joined = f"{last.text.rstrip()}\n\n"
    moved = tuple((_moved(head, len(joined)), anchor) for head, anchor in heads)
    pieces[-1] = replace(last, text=joined + text, heads=(*last.heads, *moved))


def _moved(head: Heading, by: int) -> Heading:
    return replace(head, start=head.start + by, end=head.end + by)


def _pages(pieces: list[_Piece], title: str, *, at_files: bool) -> Iterator[Page]:
    chapter = ""
    used: set[str] = set()
    for number, piece in enumerate(pieces):
        heading, anchor = piece.heads[0] if piece.heads else (None, "")
        opens = heading is not None and not piece.text[: heading.start].strip()
        name = heading.text if heading is not None and opens else title
        is_inner = heading is not None and opens and heading.level > 1
        parts = (*piece.parts, chapter) if is_inner and chapter else piece.parts
        chapter = chapter if is_inner else name
        stem = PurePosixPath(piece.path).stem if at_files else anchor
        # A dot in an id would be taken for that of the suffix.
        address = "" if number == 0 else f"{quote((stem or f'page-{number}').replace('.', '-'))}.html"
        sections = build_sections(
            piece.text, list(piece.heads), opening=heading if opens else None, path=(*parts, name)
        )
        path = piece.path if piece.path not in used else f"{piece.path}#{anchor}"
        used.add(piece.path)
        yield Page(path, name, address, piece.text, sections, Dialect.MARKDOWN, parts)
