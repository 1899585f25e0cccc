"""Tell the files that are no pages of a book: a repository's own files, and templates."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ragbot.books.formats.html_tree import parse_html

# Folders of a repository in which its book usually lies.
CONTENT_FOLDERS = frozenset({"content", "docs", "doc", "src", "book", "chapters", "manuscript"})

TEMPLATE_FOLDERS = frozenset(
    {"_templates", "_layouts", "_includes", "_partials", "_theme", "archetypes", "layouts", "overrides"}
)

# Where a repository keeps what its pages link to.
_ASSET_FOLDERS = frozenset(
    {"assets", "_static", "static", "public", "files", "downloads", "attachments", "images", "img", "media"}
)

# The index of a site of MyST (Jupyter Book 2), which holds the sources of its pages and their outputs, each
# with a hash in its name.
MYST_INDEX = "myst.xref.json"
_HASHED_NAME = re.compile(r"(?:.*-)?[0-9a-f]{32}\.\w+")

# Files that tell how to work on a repository; hosts look for these names.
_ABOUT_REPOSITORY = frozenset(
    {
        *("authors", "changelog", "citation", "code_of_conduct", "code-of-conduct", "codeowners"),
        *("contributing", "contributors", "copying", "governance", "issue_template", "licence", "license"),
        *("maintainers", "pull_request_template", "release_notes", "releasing", "security", "support"),
        *("agents", "claude"),
    }
)
_READMES = frozenset({"readme"})

# What Docsify and the wikis of hosts show around each page.
_PAGE_FRAMES = frozenset({"_sidebar", "_navbar", "_coverpage", "_header", "_footer", "_404"})

# Books about templates show such lines.
_LISTINGS = "pre, code, textarea, script"
_TEMPLATE_LINE = re.compile(
    r"^[ \t]*+(?:\{%-?\s*(?:extends|block|include|import|from|macro|set|load|layout)\b"
    r"|\{\{-?\s*(?:define|partial|block|template)\b)",
    re.MULTILINE,
)

REPOSITORY_FILE = "The file is about the repository, and no chapter."
ASSET = "The pages link to it; it is no chapter."
TEMPLATE = "The file is a template, and no page."
FRAME = "The site shows it around its pages (a sidebar, a cover); it is no chapter."


def is_repository_file(path: str, *, beside_content: bool) -> bool:
    """Return whether a file at the root tells about the repository.

    `beside_content` is true if a folder of chapters lies beside it: then README is none either, and names in
    small letters count too.
    """
    pure = PurePosixPath(path)
    if len(pure.parts) > 1:
        return False
    stem = pure.stem.casefold()
    if beside_content:
        return stem in _ABOUT_REPOSITORY | _READMES
    return stem in _ABOUT_REPOSITORY and pure.stem.isupper()


def is_page_frame(path: str) -> bool:
    """Return whether a site shows a file around its pages, such as a sidebar or a cover."""
    return PurePosixPath(path).stem.lower() in _PAGE_FRAMES


def lies_in_template_folder(path: str) -> bool:
    """Return whether one of a file's folders holds templates."""
    return not TEMPLATE_FOLDERS.isdisjoint(path.split("/")[:-1])


def lies_in_asset_folder(path: str) -> bool:
    """Return whether one of a file's folders holds what pages link to."""
    return not _ASSET_FOLDERS.isdisjoint(path.lower().split("/")[:-1])


def repeats_page(path: str, *, is_myst: bool) -> bool:
    """Return whether a file of a built site is the source or a part of one of its pages."""
    *folders, name = path.split("/")
    return "_sources" in folders or (is_myst and _HASHED_NAME.fullmatch(name) is not None)


def is_template(source: str) -> bool:
    """Return whether an HTML file is a template that a program fills in. Raises FileUnreadable."""
    if _TEMPLATE_LINE.search(source) is None:
        return False
    tree = parse_html(source)
    for listing in tree.css(_LISTINGS):
        listing.decompose()
    text = tree.root.text() if tree.root is not None else ""
    return _TEMPLATE_LINE.search(text) is not None
