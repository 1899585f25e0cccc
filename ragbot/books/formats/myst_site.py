"""Describe the sources of MyST 2 (Jupyter Book 2): Markdown and notebooks with a `myst.yml`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from posixpath import basename, normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.bookdown import read_beside
from ragbot.books.formats.config_files import (
    as_mapping,
    as_text,
    as_texts,
    parse_tolerant_yaml,
    read_required_config,
)
from ragbot.books.formats.markdown import AnchorRules, plain_text
from ragbot.books.formats.myst_contents import PAGES, Contents, file_title, read_contents_of_site
from ragbot.books.formats.notebooks import NOTEBOOK_SUFFIX, read_source_text
from ragbot.books.formats.site_source import NOT_BUILT, NOT_READ, Listed, SiteSource, read_site_source
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.myst_blocks import PARTS, plain_myst_page
from ragbot.books.markup.myst_inline import InlinePage
from ragbot.books.markup.myst_page import MystPage
from ragbot.books.markup.myst_references import (
    MystSlugger,
    PageTargets,
    References,
    Target,
    continued_kinds,
    normal_label,
    unnumbered_kinds,
)
from ragbot.books.markup.pandoc_citations import Citations, read_citations
from ragbot.books.markup.titles import without_closing_marks
from ragbot.books.markup.unrun_cells import unrun_notes
from ragbot.core.code_fences import FenceFollower, LineKind
from ragbot.core.domain import Book
from ragbot.core.errors import FileUnreadable

CONFIG = ("myst.yml",)
MAX_EXTENDS = 8

# What may stand in front of the heading that is a page's title.
_BEFORE_TITLE = re.compile(r"(?:[ \t]*(?:\([^()\n]+\)=|\+\+\+[^\n]*|%[^\n]*)?[ \t]*\n)*+")
_EMBEDS = re.compile(r"!\[[^\[\]\n]{0,300}\]\(#|\{(?:embed|figure)[ \t}][^\n#]{0,300}#")
_FIRST_HEADING = re.compile(
    r" {0,3}#[ \t]+(?P<atx>[^\n]*)(?:\n|\Z)|(?P<setext>[^\s|>#:`\-][^\n]*)\n {0,3}=+[ \t]*(?:\n|\Z)"
)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<title>[^\n]*)$", re.MULTILINE)


@dataclass(slots=True)
class _Head:
    """Hold what a page says before its text: its title, whether a heading is it, and its front matter."""

    title: str
    has_title: bool
    shift: int
    values: FrontMatter


@dataclass(slots=True)
class _Project:
    """Hold what the pages of a project share; `counts` are the numbers that go on on each of them."""

    folder: BookFolder
    config: dict[str, object]
    contents: Contents
    citations: Citations
    references: References
    heads: dict[str, _Head] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    unrun_cells: int = 0


def read_myst(folder: BookFolder) -> Book:
    """Read a project in the order of its table of contents. Raises BookError for a bad configuration."""
    config = _extended(folder, read_required_config(folder, CONFIG), depth=0)
    site, details = as_mapping(config.get("site")), as_mapping(config.get("project"))
    has_folders = as_mapping(site.get("options")).get("folders") is True
    contents = read_contents_of_site(folder, details, has_folders=has_folders)
    for entry in contents.pages:
        if not entry.path.lower().endswith(tuple(PAGES)):
            folder.skip(entry.path, NOT_READ)
    numbering = as_mapping(details.get("numbering"))
    project = _Project(
        folder,
        details,
        contents,
        citations=read_citations(_bibliographies(folder, details), partial(read_beside, folder, "")),
        references=References(unnumbered=unnumbered_kinds(numbering), continued=continued_kinds(numbering)),
    )
    read = partial(read_source_text, folder)
    _find_targets(project, read)
    # Each page's text is taken before its anchors are made.
    sluggers: list[MystSlugger] = []

    def text(path: str, body: str) -> str:
        shown, targets = _shown(project, path, body)
        sluggers[:] = [MystSlugger(targets, skips_title=project.heads[path].has_title)]
        return shown

    listed = {entry.path for entry in contents.pages}
    source = SiteSource(
        title=as_text(details.get("title")) or as_text(site.get("title")),
        content="",
        anchors=AnchorRules(lambda: sluggers[0]),
        address=lambda inner, _values: f"{address}/" if (address := contents.addresses[inner]) else "",
        text=text,
        suffixes=PAGES,
        navigation=tuple(
            replace(entry, title=project.heads[entry.path].title) if entry.path in project.heads else entry
            for entry in contents.pages
        ),
        omitted=lambda inner, _values: "" if inner in listed else NOT_BUILT,
        read=read,
        sources=(NOTEBOOK_SUFFIX,),
    )
    return replace(read_site_source(folder, source), notes=unrun_notes(project.unrun_cells))


def _extended(folder: BookFolder, config: dict[str, object], *, depth: int) -> dict[str, object]:
    """Return a configuration with those of the folder's files that it extends."""
    names = as_texts(config.get("extends")) or [as_text(config.get("extends"))]
    for name in names if depth < MAX_EXTENDS else ():
        path = normpath(name) if name else ""
        if not path or not folder.has(path):
            continue
        try:
            base = _extended(folder, parse_tolerant_yaml(folder.read_text(path)), depth=depth + 1)
        except FileUnreadable as fault:
            folder.skip(path, f"The configuration is ignored: {fault}")
            continue
        for part in ("project", "site"):
            config = config | {part: as_mapping(base.get(part)) | as_mapping(config.get(part))}
    return config


def _bibliographies(folder: BookFolder, details: dict[str, object]) -> list[str]:
    """Return the files that the configuration names, or all that lie in the folder."""
    named = details.get("bibliography")
    if named is not None:
        return as_texts(named) or [as_text(named)]
    return [path for path in folder.files(frozenset({".bib"})) if not path.startswith("_build/")]


def _find_targets(project: _Project, read: Callable[[str], str]) -> None:
    """Read all pages, to know what they can refer to; twice where one shows what stands on another."""
    if _collect_targets(project, read):
        _collect_targets(project, read)
    project.citations.cited.clear()
    project.unrun_cells = 0


def _collect_targets(project: _Project, read: Callable[[str], str]) -> bool:
    """Read all pages for what they can refer to. Return whether one of them embeds anything."""
    found: dict[str, Target] = {}
    counts: dict[str, int] = {}
    has_embeds = False
    for entry in project.contents.pages:
        if not entry.path.lower().endswith(tuple(PAGES)):
            continue
        try:
            source = read(entry.path).replace("\r\n", "\n")
            values = parse_front_matter(source)
            body = source[values.end :]
            head = project.heads[entry.path] = _head(values, body, _fallback(project, entry))
            project.counts[entry.path] = counts
            _, targets = _shown(project, entry.path, body)
        except (FileUnreadable, RecursionError):
            # It is reported where the page is read.
            continue
        has_embeds = has_embeds or _EMBEDS.search(body) is not None
        project.references.pages[entry.path] = head.title
        before = _labels_before_title(body) if head.has_title else []
        for label in filter(None, (*before, values.text("label"))):
            found.setdefault(normal_label(label), Target("page", title=head.title))
        for label, target in targets.own.items():
            found.setdefault(label, target)
        going_on = project.references.continued
        counts = {kind: last for kind, last in targets.counts.items() if {kind, "all"} & going_on}
    project.references.targets = found
    return has_embeds


def _fallback(project: _Project, entry: Listed) -> str:
    """Return the title of a page that has none; the front page stands for the whole."""
    is_front = entry is project.contents.pages[0]
    return (as_text(project.config.get("title")) if is_front else "") or file_title(entry.path)


def _head(values: FrontMatter, body: str, fallback: str) -> _Head:
    """Return a page's title: of the front matter, or that of its first heading, which it then takes over."""
    title = plain_text(values.text("title"))
    place = _BEFORE_TITLE.match(body)
    first = _FIRST_HEADING.match(body, place.end() if place is not None else 0)
    heading = plain_text(_heading_words(first["atx"] or first["setext"])) if first is not None else ""
    if heading and title in ("", heading):
        return _Head(heading, has_title=True, shift=0, values=values)
    if title:
        has_h1 = re.search(r"^ {0,3}#[ \t]", _prose_of(body), re.MULTILINE) is not None
        return _Head(title, has_title=False, shift=1 if has_h1 else 0, values=values)
    found = _HEADING.search(_prose_of(body))
    title = plain_text(_heading_words(found["title"])) if found is not None else fallback
    return _Head(title, has_title=False, shift=0, values=values)


def _prose_of(body: str) -> str:
    """Return what stands outside of fences."""
    lines = body.split("\n")
    fences = FenceFollower()
    return "\n".join(line for line in lines if fences.kind_of(line) is LineKind.PROSE)


def _heading_words(written: str) -> str:
    return re.sub(r"\{[\w:.-]+\}(?=`)", "", without_closing_marks(written))


def _labels_before_title(body: str) -> list[str]:
    place = _BEFORE_TITLE.match(body)
    return re.findall(r"\(([^()\n]+)\)=", place[0]) if place is not None else []


def _shown(project: _Project, path: str, body: str) -> tuple[str, PageTargets]:
    """Return what a page shows, with what it can be referred to by."""
    head = project.heads[path]
    targets = PageTargets(project.references.unnumbered, project.counts.get(path))
    inline = InlinePage(path, project.references, project.citations, targets)
    project.citations.cited.clear()
    page = MystPage(
        inline,
        partial(read_beside, project.folder, path),
        partial(_listed_contents, project, path),
        has_title=head.has_title,
        shift=head.shift,
        is_notebook=path.endswith(NOTEBOOK_SUFFIX),
        open_files=[basename(path)],
    )
    text = plain_myst_page(body, page, _below(head.values))
    project.unrun_cells += page.unrun_cells
    works = project.citations.references(project.citations.cited)
    return (f"{text.rstrip()}\n\nReferences\n\n{works}\n" if works else text), targets


def _listed_contents(project: _Project, path: str, context: str, depth: int) -> Iterator[str]:
    """Yield a table of contents as a list."""
    entries = project.contents.below(path, context, depth) if context in ("project", "children") else []
    top = min((entry.level for entry in entries), default=1)
    for place, entry in enumerate(entries):
        title = project.references.pages.get(entry.path, entry.title)
        if context == "project" and not place:
            # The front page stands for the whole.
            title = as_text(project.config.get("title")) or title
        yield f"{'  ' * (entry.level - top)}- {title}"


def _below(values: FrontMatter) -> Iterator[tuple[str, str]]:
    """Yield what the front matter shows below the title: the subtitle, and parts such as the abstract."""
    if subtitle := values.text("subtitle"):
        yield "", subtitle
    parts = as_mapping(values.values.get("parts"))
    for part in PARTS:
        if words := as_text(parts.get(part)) or as_text(values.values.get(part)):
            yield part, words
