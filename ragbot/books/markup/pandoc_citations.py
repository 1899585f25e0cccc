"""Write citations of Pandoc's Markdown as names and years, and the list of the cited works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ragbot.books.markup.bibtex import Work, parse_bibtex

# With more authors the first alone is named.
MOST_NAMES = 3
MOST_LISTED = 10

_KEY = r"@(?:\{(?P<braced>[^{}\s]+)\}|(?P<key>\w(?:[\w:.#$%&+?<>~/-]*\w)?))"
_GROUP = re.compile(
    r"(?P<gap>[ ]?)(?<![\w\]!^\\])\[(?P<inside>[^\[\]\n]*(?:\n[^\[\]\n]+){0,4}?)\](?![(\[{:])"
)
_ITEM = re.compile(rf"(?P<before>[^;@]*?)(?P<minus>-?){_KEY}(?P<behind>[^;]*)", re.DOTALL)
_BARE = re.compile(rf"(?<![\w@`.\\/[-])(?P<minus>-?){_KEY}(?P<locator>[ ]\[[^\[\]\n@]+\])?")
# Code and mathematics, in which an at sign is none of a citation.
_OPAQUE = re.compile(
    r"(?P<ticks>`+)(?:[^`]|(?!(?P=ticks))`)+?(?P=ticks)(?!`)|\$\$?[^$\n]+\$\$?|<https?:[^>\n]*>"
)


@dataclass(frozen=True, slots=True)
class Citation:
    """Hold a citation as it is written on the page, and the keys of its works."""

    words: str
    keys: tuple[str, ...]


@dataclass(slots=True)
class Citations:
    """Hold the works of a project's bibliography, and what was cited so far.

    `cited` are the keys, `trail` the citations, both in the order of the text. `missing` are the files of a
    bibliography that are not there, because a run of the book's code writes them; `unknown` counts what cites
    them.
    """

    works: Mapping[str, Work]
    cited: dict[str, None] = field(default_factory=dict)
    trail: list[Citation] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    unknown: int = 0

    def written(self, line: str) -> str:
        """Return a line of prose with its citations as a reader sees them.

        Unknown keys stay as they are; where a bibliography is missing, citations by them are left out.
        """
        if "@" not in line or not (self.works or self.missing):
            return line
        pieces: list[str] = []
        position = 0
        for opaque in _OPAQUE.finditer(line):
            pieces += (self._prose(line[position : opaque.start()]), opaque[0])
            position = opaque.end()
        return "".join((*pieces, self._prose(line[position:])))

    def references(self, keys: Iterable[str]) -> str:
        """Return the list of works, by their authors, as paragraphs."""
        works = [self.works[key] for key in dict.fromkeys(keys) if key in self.works]
        works.sort(key=lambda work: (_listed_people(work).casefold(), work.year))
        return "\n\n".join(map(reference, works))

    def named(self, keys: str, *, in_text: bool = False) -> str:
        """Return a citation of works by their keys, with commas between; unknown ones are left out.

        With `in_text` the names are part of the sentence, and the years alone in brackets.
        """
        works = [self.works[key] for each in keys.split(",") if (key := each.strip()) in self.works]
        if not works:
            return ""
        if in_text:
            words = ", ".join(f"{short_names(work)} ({work.year})" for work in works)
        else:
            words = f"({'; '.join(f'{short_names(work)} {work.year}' for work in works)})"
        return self._cite(words, *(work.key for work in works))

    def _prose(self, text: str) -> str:
        return _BARE.sub(self._bare, _GROUP.sub(self._group, text))

    def _group(self, group: re.Match[str]) -> str:
        items = [_ITEM.fullmatch(item) for item in group["inside"].split(";")]
        known = [item for item in items if item is not None and _key(item) in self.works]
        is_whole = len(known) == len(items)
        if self.missing and not is_whole and all(items):
            self.unknown += 1
        elif not known or not is_whole:
            return group[0]
        if not known:
            return ""
        words = f"({'; '.join(map(self._item, known))})"
        return group["gap"] + self._cite(words, *map(_key, known))

    def _item(self, item: re.Match[str]) -> str:
        work = self.works[_key(item)]
        label = work.year if item["minus"] else f"{short_names(work)} {work.year}"
        return " ".join(f"{item['before']}{label}{item['behind']}".split())

    def _bare(self, bare: re.Match[str]) -> str:
        work = self.works.get(_key(bare))
        if work is None:
            # `write_bib` of knitr names the entry of a package so.
            is_package = self.missing and _key(bare).startswith("R-")
            self.unknown += bool(is_package)
            return _key(bare).removeprefix("R-") if is_package else bare[0]
        locator = f", {bare['locator'].strip(' []')}" if bare["locator"] else ""
        year = f"({work.year}{locator})"
        return self._cite(year if bare["minus"] else f"{short_names(work)} {year}", work.key)

    def _cite(self, words: str, *keys: str) -> str:
        self.cited.update(dict.fromkeys(keys))
        self.trail.append(Citation(words, keys))
        return words


def read_citations(names: object, read: Callable[[str], str]) -> Citations:
    """Read the bibliographies that a configuration names, one or a list; those in other formats are none."""
    works: dict[str, Work] = {}
    missing: list[str] = []
    for name in names if isinstance(names, list) else [names]:
        if isinstance(name, str) and name.lower().endswith(".bib"):
            text = read(name)
            works |= parse_bibtex(text)
            missing += [name] if not text else []
    return Citations(works, missing=tuple(missing))


def short_names(work: Work) -> str:
    """Return the families of a work's authors as a citation names them."""
    names = [name for name in work.names if name != "others"]
    if not names:
        return work.fields.get("title", work.key)
    if len(names) > MOST_NAMES or len(names) < len(work.names):
        return f"{names[0]} et al."
    return _joined(names)


def reference(work: Work) -> str:
    """Return the entry of a work in the list of references."""
    fields = work.fields
    title = fields.get("title", "").rstrip(".")
    within = next((fields[name] for name in ("journal", "journaltitle", "booktitle") if fields.get(name)), "")
    title = f"“{title}.”" if within else f"*{title}.*" if title else ""
    volume = " ".join(
        filter(
            None,
            (
                within,
                fields.get("volume"),
                f"({fields['number']})" if within and fields.get("number") else "",
            ),
        )
    )
    pages = f": {fields['pages']}" if within and fields.get("pages") else ""
    editors = f"Edited by {_joined([*work.editors])}" if work.editors else ""
    parts = (_listed_people(work), work.year, title, volume + pages if within else "", editors)
    found = [part if part.endswith((".", ".”", ".*")) else f"{part}." for part in parts if part]
    # Of a journal the publisher is not named.
    place = "" if work.kind == "article" else _place(fields)
    return " ".join([*found, *([f"{place}."] if place else ()), _link(fields)]).strip()


def _place(fields: dict[str, str]) -> str:
    house = fields.get("publisher") or fields.get("institution") or fields.get("school")
    return ": ".join(filter(None, (fields.get("address"), house)))


def _link(fields: dict[str, str]) -> str:
    doi = fields.get("doi", "").removeprefix("https://doi.org/")
    published = fields.get("howpublished", "")
    return f"https://doi.org/{doi}" if doi else fields.get("url") or (published if "://" in published else "")


def _listed_people(work: Work) -> str:
    """Return the authors, the first with the family name in front."""
    people = [person for person in work.people if person != "others"]
    if not people:
        return ""
    family = work.names[0]
    given = people[0].removesuffix(family).strip()
    first = f"{family}, {given}" if given else family
    if len(people) > MOST_LISTED or len(people) < len(work.people):
        return f"{', '.join([first, *people[1:7]])}, et al"
    return _joined([first, *people[1:]])


def _joined(names: list[str]) -> str:
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"


def _key(match: re.Match[str]) -> str:
    return match["braced"] or match["key"] or ""
