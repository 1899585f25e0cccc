"""Put the files that an MDX page imports, of Markdown and of data, where it shows them."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import PurePosixPath
from posixpath import normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.markdown import find_headings
from ragbot.books.markup.blocks import parse_page
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.rewriting import rewrite_prose, shown_source
from ragbot.books.markup.script_values import unescaped
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.core.domain import Dialect
from ragbot.core.errors import FileUnreadable

# Files that import each other would fill the memory: a page is a few of them.
MAX_DEPTH = 5
MAX_CHARACTERS = 1_000_000
MAX_PARTIALS = 200

_IMPORT = re.compile(
    r"^import[ \t]+(?P<name>[A-Z]\w*)[ \t]+from[ \t]+(['\"])(?P<path>[^'\"\n]{1,500}\.mdx?)\2", re.MULTILINE
)
_DATA = re.compile(
    r"^import[ \t]+(?P<name>[A-Za-z_$][\w$]*)[ \t]+from[ \t]+"
    r"(['\"])(?P<path>[^'\"\n]{1,500}\.json)\2[ \t]*;?",
    re.MULTILINE,
)
_TAG = re.compile(r"<(?P<name>[A-Z]\w*)\b[^<>]*/>\Z")
_NOTE = re.compile(r"[ ]{0,3}\[\^[^\]\s]{1,60}\]:[ \t]*")
_CLOSING_MARKS = re.compile(r"(?<![ \t])[ \t]++#++\Z")
_SITE = "@site/"


class PartialExpander:
    """Expand the partials of one page. Those that cannot be read are listed in `notices`."""

    def __init__(self, folder: BookFolder) -> None:
        self.notices: list[str] = []
        self._folder = folder
        self._size = self._count = 0

    def expand(self, path: str, source: str, depth: int = 0) -> str:
        """Return the text of the file at `path` with each component of a partial replaced by its text.

        A component within a line stays: it may print anything there. Data that the page imports are written
        as if it exported them itself.
        """
        source = rewrite_prose(source, lambda prose: _DATA.sub(partial(self._exported, path), prose))
        # (Prettier writes `'./\_note.md'` for `./_note.md`.)
        imports = {match["name"]: unescaped(match["path"]) for match in _IMPORT.finditer(source)}
        if not imports or depth >= MAX_DEPTH:
            return source
        pieces, position = [], 0
        for start, end in parse_page(source, Dialect.MDX).prose.hidden:
            tag = _TAG.match(source[start:end])
            before = source[source.rfind("\n", 0, start) + 1 : start]
            behind = source[end : len(source) if (line := source.find("\n", end)) < 0 else line]
            if tag is None or tag["name"] not in imports or behind.strip():
                continue
            note = _NOTE.fullmatch(before)
            if before.strip() and note is None:
                continue
            text = self._text(path, imports[tag["name"]], depth)
            if text:
                indent = "    " if note else before
                lines = "\n".join(f"{indent}{line}" if line else "" for line in text.split("\n"))
                pieces += [source[position:start], lines.lstrip() if note else f"\n{lines.lstrip()}\n"]
                position = end
        return "".join((*pieces, source[position:]))

    def _exported(self, path: str, imported: re.Match[str]) -> str:
        found = self._file(path, imported["path"])
        try:
            text = self._folder.read_text(found) if found else ""
            self._size += len(text)
            if self._size > MAX_CHARACTERS:
                return imported[0]
            data = json.dumps(json.loads(text), ensure_ascii=False)
            # (A paragraph of its own: imports that follow each other are one.)
            return f"\n\nexport const {imported['name']} = {data};\n\n"
        except (FileUnreadable, ValueError, RecursionError):
            # The page says what it says without it.
            return imported[0]

    def _file(self, path: str, target: str) -> str | None:
        return next((name for name in _candidates(path, target) if self._folder.has(name)), None)

    def _text(self, path: str, target: str, depth: int) -> str:
        self._count += 1
        if self._count > MAX_PARTIALS or self._size > MAX_CHARACTERS:
            self._notice(
                f"The page has more than {MAX_PARTIALS} partials, or too long ones; the rest is left out."
            )
            return ""
        found = self._file(path, target)
        try:
            source = self._folder.read_text(found) if found else ""
        except FileUnreadable as fault:
            self._notice(f"Its partial {target} is left out: {fault}")
            return ""
        if found is None:
            self._notice(f"Its partial {target} is not there.")
            return ""
        text = shown_source(source)[parse_front_matter(source).end :]
        self._size += len(text)
        return _with_ids(_without_imports(self.expand(found, text, depth + 1)).strip())

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)


def _with_ids(text: str) -> str:
    """Write the id of each heading behind it: those of a partial are numbered among themselves alone."""
    slug = NumberedSlugger(github_slug)
    pieces, position = [], 0
    for heading in find_headings(parse_page(text, Dialect.MDX), Dialect.MDX):
        line = text[heading.start : heading.end].rstrip()
        if heading.own_id or not heading.has_anchor or "\n" in line:
            continue
        words = _CLOSING_MARKS.sub("", line)
        pieces += [text[position : heading.start + len(words)], f" {{#{slug(heading.slug_text)}}}"]
        position = heading.start + len(line)
    return "".join((*pieces, text[position:]))


def _without_imports(text: str) -> str:
    pieces, position = [], 0
    for start, end in parse_page(text, Dialect.MDX).prose.hidden if "import" in text else ():
        if text.startswith("import", start):
            pieces.append(text[position:start])
            position = end
    return "".join((*pieces, text[position:]))


def _candidates(path: str, target: str) -> list[str]:
    """Return where a partial may lie: beside the page, or below the site's folder, which is one above it."""
    above = [folder.as_posix() for folder in PurePosixPath(path).parents]
    bases = above if target.startswith(_SITE) else above[:1]
    names = (normpath(f"{base}/{target.removeprefix(_SITE)}") for base in bases)
    return [name for name in names if not name.startswith(("..", "/"))]
