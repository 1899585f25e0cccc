"""Turn MyST 2 within a paragraph into plain Markdown: roles, references without words, citations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname, normpath

from ragbot.books.markup.code_spans import find_code_spans
from ragbot.books.markup.myst import ATTRIBUTES
from ragbot.books.markup.myst_references import PageTargets, References, Target
from ragbot.books.markup.pandoc_citations import Citations

_ROLE_NAME = re.compile(r"\{(?P<name>[a-zA-Z][\w:.-]*)(?:[ \t][^{}\n]{0,300})?\}\Z")
# How far before code its role may begin.
_MAX_NAME = 400
_TARGET = re.compile(r"(?P<words>[^<>]*)<(?P<target>[^<>]*)>")
_ABBREVIATION = re.compile(r"(?P<short>[^()]+)\([^()]+\)")
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]\n]{0,300})\]\((?P<target>[^()\s]{1,1000})\)")
_AT = re.compile(r"(?P<open>\[)?(?<![\w@`.\\/-])@(?P<label>\w(?:[\w:.-]*\w)?)(?(open)\])")
_HASH = re.compile(r"<#(?P<label>[^<>\s]{1,200})>")
# A citation with words around it: `{see}smith2020{p. 3}`.
_AROUND = re.compile(r"\{[^{}]*\}")

_REFERENCES = frozenset({"ref", "numref", "eq", "prf:ref", "proof:ref"})
_MATH = frozenset({"math"})
_LITERAL = frozenset({"kbd", "keyboard", "code", "file", "samp", "command"})
_DROPPED = frozenset({"index", "raw:latex", "raw:tex", "raw:typst", "raw:typ", "eval", "icon", "label"})


@dataclass(frozen=True, slots=True)
class InlinePage:
    """Hold what the words of one page need: its path, the project's references and citations."""

    path: str
    references: References
    citations: Citations
    targets: PageTargets

    def target(self, label: str) -> Target | None:
        """Return what a label stands for: of this page first, then of the project."""
        return self.references.target(label)

    def page_title(self, name: str) -> str:
        """Return the title of a page that a link names by its file; empty for other links."""
        path, _, label = name.partition("#")
        if label and (found := self.target(label)) is not None:
            return found.named()
        base = "" if path.startswith("/") else dirname(self.path)
        inner = normpath(f"{base}/{path}").lstrip("/")
        pages = self.references.pages
        return next((pages[inner + end] for end in ("", ".md", ".ipynb") if inner + end in pages), "")


def plain_inline(text: str, page: InlinePage) -> str:
    """Return prose with its roles, references and citations as a reader sees them."""
    pieces: list[str] = []
    position = 0
    for start, end in _code_spans(text):
        before = text[position:start]
        role = _ROLE_NAME.search(before, max(0, len(before) - _MAX_NAME))
        code = text[start:end]
        position = end
        if role is None:
            pieces += (_prose(before, page), code)
        else:
            pieces += (_prose(before[: role.start()], page), _role(role["name"].lower(), code, page))
    pieces.append(_prose(text[position:], page))
    return "".join(pieces)


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where code is in each paragraph; it may go over lines."""
    position = 0
    for paragraph in text.split("\n\n"):
        yield from ((position + start, position + end) for start, end in find_code_spans(paragraph))
        position += len(paragraph) + 2


def _prose(text: str, page: InlinePage) -> str:
    if not text:
        return text
    text = _LINK.sub(lambda link: _link(link, page), ATTRIBUTES.sub("", text))
    if "<#" in text:
        text = _HASH.sub(lambda found: _named(page.target(found["label"]), found[0]), text)
    if "@" in text:
        text = page.citations.written(_AT.sub(lambda found: _at(found, page), text))
    return text


def _link(link: re.Match[str], page: InlinePage) -> str:
    """Write a reference that has no words, or some with placeholders; other links stay."""
    text, target = link["text"], link["target"]
    if link["image"] or (text and "%s" not in text and "{" not in text):
        return link[0]
    if not target.startswith("#"):
        shown = f"<{target}>" if target.startswith(("https://", "http://")) else page.page_title(target)
        return shown or link[0] if not text else link[0]
    found = page.target(target[1:])
    return link[0] if found is None else found.filled(text) if text else found.named()


def _at(found: re.Match[str], page: InlinePage) -> str:
    label = found["label"]
    if label in page.citations.works:
        return found[0]
    return _named(page.target(label), found[0])


def _named(target: Target | None, otherwise: str) -> str:
    return target.named() if target is not None else otherwise


def _role(name: str, code: str, page: InlinePage) -> str:
    text = " ".join(code.strip("`").split())
    if name in _DROPPED:
        return ""
    if name in _MATH:
        return f"${text}$"
    if name in _LITERAL:
        return f"`{text}`"
    found = _TARGET.fullmatch(text)
    label, words = (found["target"], found["words"].strip()) if found is not None else (text, "")
    if name in _REFERENCES:
        return _reference(label, words, page)
    if name in ("doc", "download"):
        return words or page.page_title(label) or label.rpartition("/")[2]
    if name.startswith("cite"):
        return _citation(name, text, page)
    if name in ("abbr", "abbreviation"):
        short = _ABBREVIATION.fullmatch(text)
        return short["short"].strip() if short is not None else text
    if name == "button" and found is not None:
        return f"[{words}]({label})"
    if name == "si" and found is not None:
        return f"{words} {label.strip()}"
    return words or text


def _reference(label: str, words: str, page: InlinePage) -> str:
    target = page.target(label)
    if target is None:
        # (The site shows the label, which says nothing.)
        return words
    return target.filled(words) if words else target.named()


def _citation(name: str, text: str, page: InlinePage) -> str:
    keys = _AROUND.sub("", text).replace(";", ",")
    # A single work of `{cite}` is part of the sentence.
    is_narrative = name in ("cite:t", "cite:ts", "cite:ct", "cite:cts") or (
        name == "cite" and "," not in keys
    )
    return page.citations.named(keys, in_text=is_narrative)
