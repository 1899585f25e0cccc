"""Load a book from a path: detect its format, read its pages in order, and record skipped files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ragbot.books.files import BookFolder
from ragbot.books.folder_refusals import output_refusal, project_refusal, unread_refusal
from ragbot.books.formats.bookdown import read_bookdown
from ragbot.books.formats.docusaurus import (
    ANY_KEYS,
    SIDEBAR_KEYS,
    has_front_matter,
    read_docusaurus,
    read_docusaurus_docs,
    root_of_docusaurus,
)
from ragbot.books.formats.epub import EPUB_SUFFIXES, read_epub
from ragbot.books.formats.forced import ForcedSite, read_forced_site
from ragbot.books.formats.gitbook import read_gitbook
from ragbot.books.formats.html import HTML_SUFFIXES, read_html_page
from ragbot.books.formats.html_site import read_html
from ragbot.books.formats.hugo import read_hugo
from ragbot.books.formats.jupyter_book import read_jupyter_book
from ragbot.books.formats.mdbook import read_mdbook
from ragbot.books.formats.mkdocs import read_mkdocs
from ragbot.books.formats.myst_site import read_myst
from ragbot.books.formats.plain import MARKDOWN_SUFFIXES, chapters, read_plain, read_plain_page
from ragbot.books.formats.quarto import read_quarto
from ragbot.books.formats.quartz import read_quartz
from ragbot.books.formats.rmarkdown_site import read_rmarkdown_site
from ragbot.books.formats.starlight import read_starlight
from ragbot.books.formats.vitepress import read_vitepress, read_vuepress
from ragbot.books.formats.zola import read_zola
from ragbot.books.generators import Project, find_project
from ragbot.books.markup.titles import plain_title
from ragbot.books.not_pages import ASSET, MYST_INDEX, lies_in_asset_folder, repeats_page
from ragbot.books.read_options import Downloaded, ReadOptions
from ragbot.books.unread_prose import CONVERTERS, UNREAD_SUFFIXES, count_unread
from ragbot.core.domain import Book, Layout, LeftOut, Page, SkippedFile
from ragbot.core.errors import BookError
from ragbot.core.text import has_forbidden_characters, text_length

FileProgress = Callable[[str], None]
FolderReader = Callable[[BookFolder], Book]

# Readers of a text file that is a whole book in itself, by suffix.
PAGE_READERS: dict[str, Callable[[str, str], Page]] = {
    **dict.fromkeys(MARKDOWN_SUFFIXES, read_plain_page),
    **dict.fromkeys(HTML_SUFFIXES, read_html_page),
}

# Readers of a project's sources by the generator's name. (Docusaurus's and MkDocs's pages may lie beside
# their configuration's folder: `_load_project` has these.)
SOURCE_READERS: dict[str, FolderReader] = {
    "mdBook": read_mdbook,
    "GitBook": read_gitbook,
    "HonKit": read_mdbook,
    "VitePress": read_vitepress,
    "VuePress": read_vuepress,
    "Starlight": read_starlight,
    "Hugo": read_hugo,
    "bookdown": read_bookdown,
    "Quarto": read_quarto,
    "R Markdown": read_rmarkdown_site,
    "Zola": read_zola,
    "Quartz": read_quartz,
    "Jupyter Book": read_jupyter_book,
    "MyST": read_myst,
}

_MKDOCS = ("MkDocs", "Zensical")

# Suffixes of files that hold many pages.
PDF_SUFFIXES = frozenset({".pdf"})
MULTI_PAGE_SUFFIXES = EPUB_SUFFIXES | PDF_SUFFIXES

# Pictures and fonts make up most of such a file; the limit for files applies to its text.
MULTI_PAGE_SIZE_FACTOR = 20

_UNSTORABLE = "Its text holds a NUL character or half of a surrogate pair."
_EXPECTED = (
    "a built HTML site, a project of Docusaurus, mdBook, GitBook, HonKit, MkDocs, Zensical, VitePress, "
    "VuePress, Starlight, Hugo, Zola, Quartz, bookdown, R Markdown, Quarto, Jupyter Book 1 or MyST "
    "(Jupyter Book 2), a folder of Markdown, or a single Markdown, HTML, EPUB or PDF file"
)
_AS_BUILT = "as the site has them"
_AS_ON_GITHUB = "to the files, as GitHub shows them"
_PLAIN = Layout("a folder of Markdown", _AS_ON_GITHUB)
_MIXED = Layout("a folder of Markdown, EPUB and PDF files", "to the files")
_BUILT = Layout("built HTML", _AS_BUILT)
_LIVE = Layout("a live site", _AS_BUILT)
_DOCS = Layout("a docs folder of Docusaurus without its configuration", "as Docusaurus makes them")


def load_book(
    root: Path,
    *,
    max_file_bytes: int = 5_000_000,
    progress: FileProgress | None = None,
    options: ReadOptions | None = None,
) -> Book:
    """Read the book at `root`. `progress` is called with each file's path before it is read.

    A file that cannot be read is left out and recorded in the book's `skipped`. Raises BookError if nothing
    could be read, or if what could be read is not the book.
    """
    options = options or ReadOptions()
    if not root.exists():
        raise BookError(f"There is nothing at {root}. Expected {_EXPECTED}. Check the path.")

    repository = _repository(root) if options.reads_repository else None

    def opened(folder: Path) -> BookFolder:
        return BookFolder(
            folder,
            max_file_bytes=max_file_bytes,
            progress=progress,
            choice=options.choice,
            repository=repository or (root if folder.is_relative_to(root) else None),
        )

    if options.downloaded is not None:
        return _load_downloaded(opened(root), options.downloaded)
    if root.is_file():
        return _load_file(root, opened(root.parent))
    project = find_project(root)
    if options.built:
        return _load_output(root, project, opened)
    if project is not None and project.generator.is_read:
        return _load_project(project, opened, version=options.version)
    if project is not None and not options.force:
        raise BookError(project_refusal(project, root))
    return _load_plain(opened(root), project, force=options.force)


def _repository(root: Path) -> Path | None:
    """Return the folder of the Git repository that holds a folder, or None."""
    real = root.resolve()
    return next((folder for folder in (real, *real.parents) if (folder / ".git").exists()), None)


def _load_output(root: Path, project: Project | None, opened: Callable[[Path], BookFolder]) -> Book:
    if project is None or project.output is None:
        raise BookError(output_refusal(project, root))
    folder = opened(project.output)
    book = _with_layout(
        read_html(folder), folder, Layout(f"the output of {project.generator.name}", _AS_BUILT)
    )
    return _checked(project.output, book)


def _load_downloaded(folder: BookFolder, site: Downloaded) -> Book:
    book = _with_layout(read_html(folder), folder, _LIVE)
    pages = (replace(page, address=site.addresses.get(page.path, page.address)) for page in book.pages)
    found = replace(
        book,
        pages=tuple(pages),
        skipped=(*book.skipped, *site.skipped),
        left_out=(*book.left_out, *site.left_out),
    )
    return _checked(folder.root, found)


def _load_project(project: Project, opened: Callable[[Path], BookFolder], *, version: str) -> Book:
    name = project.generator.name
    if version and name != "Docusaurus":
        raise BookError(f"A version can be chosen of a Docusaurus project; this is one of {name}.")
    layout = Layout(f"a project of {name} ({project.mark})", f"as {name} makes them")
    if name == "Docusaurus":
        folder = opened(root_of_docusaurus(opened(project.folder)))
        base = project.folder.absolute().relative_to(folder.root.absolute()).as_posix()
        book = read_docusaurus(folder, "" if base == "." else base, version=version)
    else:
        folder = opened(project.folder)
        is_mkdocs = name in _MKDOCS
        book = read_mkdocs(folder, project.mark) if is_mkdocs else SOURCE_READERS[name](folder)
    return _checked(folder.root, _with_layout(book, folder, layout))


def _load_plain(folder: BookFolder, project: Project | None, *, force: bool) -> Book:
    read, layout = _choose_reader(folder, _forced_site(folder, project))
    book = _with_layout(read(folder), folder, layout)
    if layout is _BUILT:
        # Sites offer their pages as text, too, also those in other languages that are no part of the book.
        known, suffixes = folder.files(HTML_SUFFIXES), UNREAD_SUFFIXES - {".txt"} | MARKDOWN_SUFFIXES
    else:
        known, suffixes = [page.path for page in book.pages], UNREAD_SUFFIXES | HTML_SUFFIXES
    unread = count_unread(folder, suffixes, known)
    read_characters = sum(text_length(page.source) for page in book.pages)
    if sum(found.characters for found in unread) > read_characters and not force:
        raise BookError(unread_refusal(book.pages, unread, read_characters))
    left_out = tuple(
        LeftOut("Its format is not read.", found.suffix, found.files) for found in unread if found.characters
    )
    return _checked(folder.root, replace(book, left_out=(*book.left_out, *left_out)))


def _forced_site(folder: BookFolder, project: Project | None) -> ForcedSite:
    """Return what a project's configuration says, if it lies in the folder and is known to say something."""
    if project is None or not project.folder.is_relative_to(folder.root):
        return ForcedSite()
    config = (project.folder / project.mark).relative_to(folder.root).as_posix()
    if not config.endswith((".yml", ".yaml", ".py")):
        return ForcedSite()
    return read_forced_site(folder, config, is_jekyll=project.generator.name == "Jekyll")


def _choose_reader(folder: BookFolder, site: ForcedSite) -> tuple[FolderReader, Layout]:
    if (folder.root / "docs").is_dir() and has_front_matter(folder, "docs", ANY_KEYS):
        return lambda found: read_docusaurus_docs(found, "docs"), _DOCS
    # Sphinx and MyST leave the sources of a site beside its pages.
    is_myst = folder.has(MYST_INDEX)
    markdown, html, bound = (
        sum(not repeats_page(path, is_myst=is_myst) for path in folder.files(suffixes))
        for suffixes in (MARKDOWN_SUFFIXES, HTML_SUFFIXES, MULTI_PAGE_SUFFIXES)
    )
    folder.clear_skipped()
    # Sites offer their book as a PDF, too; a folder of PDFs has a page of HTML now and then.
    if html > markdown and html >= bound:
        return read_html, _BUILT
    if markdown and _is_docs_folder(folder):
        return lambda found: read_docusaurus_docs(found, ""), _DOCS
    read, layout = (_read_mixed_folder, _MIXED) if bound else (read_plain, _PLAIN)
    return partial(read, site=site), layout


def _is_docs_folder(folder: BookFolder) -> bool:
    return has_front_matter(folder, "", ANY_KEYS if folder.root.name == "docs" else SIDEBAR_KEYS)


def _with_layout(book: Book, folder: BookFolder, layout: Layout) -> Book:
    pages: list[Page] = []
    skipped: list[SkippedFile] = []
    for page in book.pages:
        # No reader should leave such characters: no database takes them.
        if has_forbidden_characters(page.source):
            skipped.append(SkippedFile(page.path, _UNSTORABLE))
        else:
            pages.append(page)
    return replace(
        book,
        title=plain_title(book.title),
        pages=tuple(pages),
        skipped=(*folder.skipped, *skipped),
        layout=layout,
        left_out=folder.left_out,
    )


def _read_mixed_folder(folder: BookFolder, site: ForcedSite) -> Book:
    """Read the Markdown, EPUB and PDF files of a plain folder in one order."""

    def read(path: str) -> tuple[Page, ...]:
        if Path(path).suffix.lower() in MULTI_PAGE_SUFFIXES:
            return _read_multi_page_file(folder, path, is_among_others=True).pages
        return (read_plain_page(path, folder.read_text(path), site=site.title),)

    paths = _without_assets(folder, chapters(folder, MARKDOWN_SUFFIXES | MULTI_PAGE_SUFFIXES, site))
    pages = [page for found in folder.read_each(paths, read) for page in found]
    return Book(site.title, tuple(pages))


def _without_assets(folder: BookFolder, paths: list[str]) -> list[str]:
    """Leave out the EPUB and PDF files that chapters of Markdown link to."""
    is_bound = {path: Path(path).suffix.lower() in MULTI_PAGE_SUFFIXES for path in paths}
    assets = {path for path in paths if is_bound[path] and lies_in_asset_folder(path)}
    if all(is_bound.values()):
        return paths
    for path in sorted(assets):
        folder.leave_out(path, ASSET)
    return [path for path in paths if path not in assets]


def _read_multi_page_file(folder: BookFolder, path: str, *, is_among_others: bool) -> Book:
    large_files = BookFolder(folder.root, max_file_bytes=MULTI_PAGE_SIZE_FACTOR * folder.max_file_bytes)
    content = large_files.read_bytes(path)
    if Path(path).suffix.lower() in EPUB_SUFFIXES:
        return read_epub(folder, path, content=content, is_among_others=is_among_others)
    from ragbot.books.formats.pdf import read_pdf

    return read_pdf(folder, path, content=content, is_among_others=is_among_others)


def _load_file(path: Path, folder: BookFolder) -> Book:
    suffix = path.suffix.lower()
    layout = Layout(f"one file ({suffix})", "to the file")
    if suffix in MULTI_PAGE_SUFFIXES:
        books = folder.read_each(
            [path.name], lambda name: _read_multi_page_file(folder, name, is_among_others=False)
        )
        return _with_skipped(path, books[0] if books else Book("", ()), folder, layout)
    reader = PAGE_READERS.get(suffix)
    if reader is None:
        known = ", ".join(sorted({*PAGE_READERS, *MULTI_PAGE_SUFFIXES}))
        program = CONVERTERS.get(suffix)
        way = f" Make HTML of it ({program}) and give that." if program else ""
        raise BookError(
            f"{path.name} has a format that cannot be read (known: {known}).{way} Expected {_EXPECTED}."
        )
    pages = folder.read_each([path.name], lambda name: reader(name, folder.read_text(name)))
    return _with_skipped(path, Book("", tuple(pages)), folder, layout)


def _with_skipped(path: Path, book: Book, folder: BookFolder, layout: Layout) -> Book:
    """Return the book with its skipped files. Raises BookError if it has no pages."""
    book = _with_layout(book, folder, layout)
    if not book.pages:
        raise BookError(f"{path} cannot be read: {book.skipped[0].reason}")
    return book


def _checked(path: Path, book: Book) -> Book:
    """Return the book. Raises BookError if it has no pages."""
    if book.pages:
        return book
    if not book.skipped:
        raise BookError(
            f"{path} holds no pages. Expected {_EXPECTED}. Point to the folder that holds the book."
        )
    first = book.skipped[0]
    raise BookError(
        f"None of the {len(book.skipped)} files found at {path} could be read; the first, {first.path}: "
        f"{first.reason} Expected {_EXPECTED}."
    )
