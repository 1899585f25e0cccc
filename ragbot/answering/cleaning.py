"""A model's words, piece by piece, to an answer with no mark, link, image or HTML but the book's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ragbot.core.domain import NOT_IN_BOOK

# What is open at the end of a piece is held back until it closes, but no longer than this.
LONGEST_HELD = 2_000

_MARKS = re.compile(r"\[\s*\^?\d{1,3}(?:\s*[,;–-]\s*\^?\d{1,3})*\s*\]")
_NUMBERS = re.compile(r"(\d{1,3})(?:\s*[–-]\s*(\d{1,3}))?")
_IMAGE = re.compile(r"!\[[^\]\n]{0,1000}\]\s?(?:\([^)\n]{0,1000}\)|\[[^\]\n]{0,200}\])?")
_LINK = re.compile(r"\[([^\[\]\n]{0,1000})\]\(\s*<?([^)\s>]{0,1000})>?[^)\n]{0,300}\)")
_REFERENCE = re.compile(r"\[([^\[\]\n]{1,200})\]:[ \t]*(\S+)[^\n]*")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]{0,1000}>")
_URL = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}:(?://|(?=[^\s/]))|www\.|//(?=[\w.-]+\.\w))[^\s<>\"'`)\]]+"
)
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_FENCE = re.compile(r"(?:^|\n)[ \t>]*(```+|~~~+)")
_RISKY = re.compile(r"[!\[<`]|[A-Za-z][A-Za-z0-9+.-]{1,20}:(?=\S)|www\.|//")
_LINKABLE_SCHEME = re.compile(
    r"(?:https?|ftps?|file|data|javascript|vbscript|mailto|tel|blob|ws|wss|about|view-source):", re.IGNORECASE
)


class AnswerCleaner:
    """Takes pieces and gives back as much as is safe to show; what it gave is never taken back.

    `allowed` is the number of passages that marks may point to. `own_text` is the text of the passages
    and `own_urls` their addresses: a link that stands there is the book's. Code is left as it stands,
    since it is shown and not followed.
    """

    def __init__(self, *, allowed: int, own_text: str, own_urls: Iterable[str]) -> None:
        self._allowed = allowed
        self._own_text = own_text
        self._own_urls = frozenset(own_urls)
        self._held = ""
        self._fence = ""
        self.cited: set[int] = set()

    def feed(self, piece: str) -> str:
        """The text that is safe to show now; may be empty."""
        self._held += piece
        return self._drained(last=False)

    def flush(self) -> str:
        """What is left, at the end of the answer."""
        return self._drained(last=True)

    def _drained(self, *, last: bool) -> str:
        out: list[str] = []
        while self._held:
            step = self._fenced_step(last) if self._fence else self._plain_step(last)
            if step is None:
                break
            text, length = step
            out.append(text)
            self._held = self._held[length:]
        return "".join(out)

    def _fenced_step(self, last: bool) -> tuple[str, int] | None:
        """Code between fences passes line by line, up to the closing fence."""
        end = self._held.find("\n")
        if end < 0 and not last:
            return None
        length = len(self._held) if end < 0 else end + 1
        line = self._held[:length]
        bare = line.strip().lstrip("> ")
        if bare and set(bare) == {self._fence[0]} and len(bare) >= len(self._fence):
            self._fence = ""
        return line, length

    def _plain_step(self, last: bool) -> tuple[str, int] | None:
        """The next run of harmless text, or the next construct made harmless; None to wait for more."""
        fence = _FENCE.match(self._held)
        if fence and (last or "\n" in self._held[fence.end() :]):
            line_end = self._held.find("\n", fence.end())
            length = len(self._held) if line_end < 0 else line_end + 1
            self._fence = fence.group(1)
            return self._held[:length], length
        safe = self._safe_length(last)
        if safe:
            return self._held[:safe].replace(NOT_IN_BOOK, ""), safe
        for pattern, made_harmless in self._constructs():
            match = pattern.match(self._held)
            if match and (last or self._complete(match)):
                return made_harmless(match), match.end()
        if not last and len(self._held) < LONGEST_HELD and not _hopeless(self._held):
            return None
        return _defused(self._held), 1

    def _safe_length(self, last: bool) -> int:
        """How much at the start holds nothing risky. The last word waits: it may become an address."""
        risky = _RISKY.search(self._held)
        fence = _FENCE.search(self._held)
        ends = [match.start() for match in (risky, fence) if match]
        if last:
            return min([*ends, len(self._held)])
        word = max(self._held.rfind(" "), self._held.rfind("\n") - 1) + 1
        if self._held.endswith("\n"):
            word = len(self._held) - 1
        return min([*ends, max(word, 0)])

    def _constructs(self) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
        return [
            (_CODE, _kept),
            (_IMAGE, _dropped),
            (_LINK, self._link),
            (_REFERENCE, self._reference),
            (_MARKS, self._mark),
            (_COMMENT, _dropped),
            (_TAG, self._tag),
            (_URL, self._url),
        ]

    def _complete(self, match: re.Match[str]) -> bool:
        """Whether more text could still change what was matched."""
        rest = self._held[match.end() :]
        if match.re is _URL or match.re is _CODE or match.re is _REFERENCE:
            return bool(rest)
        # `[1]` may become the text of a link, `![x]` one with a target.
        return not match.group().endswith("]") or bool(rest)

    def _mark(self, match: re.Match[str]) -> str:
        numbers: list[int] = []
        for first, last in _NUMBERS.findall(match.group()):
            numbers.extend(range(int(first), int(last or first) + 1))
        valid = [n for n in dict.fromkeys(numbers) if 1 <= n <= self._allowed]
        self.cited.update(valid)
        return "".join(f"[{n}]" for n in valid)

    def _link(self, match: re.Match[str]) -> str:
        text, target = match.groups()
        if self._owns(target):
            return match.group()
        return self._mark(marks) if (marks := _MARKS.fullmatch(f"[{text}]")) else text

    def _reference(self, match: re.Match[str]) -> str:
        return match.group() if self._owns(match.group(2)) else match.group(1)

    def _tag(self, match: re.Match[str]) -> str:
        # A tag that the book itself shows (it may be a book about tags) is shown as code, never as a tag.
        return f"`{match.group()}`" if match.group() in self._own_text and "`" not in match.group() else ""

    def _url(self, match: re.Match[str]) -> str:
        url = match.group()
        followed = _LINKABLE_SCHEME.match(url) or url.startswith(("www.", "//")) or "://" in url
        if not followed or self._owns(url.rstrip(".,;:!?*_")):
            return url
        return ""

    def _owns(self, target: str) -> bool:
        return bool(target) and (target in self._own_urls or (_is_web(target) and target in self._own_text))


def _kept(match: re.Match[str]) -> str:
    return match.group()


def _dropped(_match: re.Match[str]) -> str:
    return ""


def _is_web(target: str) -> bool:
    return target.startswith(("https://", "http://"))


def _hopeless(held: str) -> bool:
    """Whether what is held can no longer become a construct: a paragraph ended, or a plain `<` or `!`."""
    if held.startswith("`"):
        return "\n\n" in held
    if held.startswith("<!--"):
        return False
    if held.startswith("<"):
        return len(held) > 1 and not re.match(r"</?[A-Za-z!?]|</$", held)
    if held.startswith("!"):
        return len(held) > 1 and held[1] != "["
    if held.startswith("["):
        closed = held.find("]")
        newline = held.find("\n")
        if newline >= 0 and (closed < 0 or newline < closed):
            return True
        return closed >= 0 and len(held) > closed + 1 and held[closed + 1] not in "(:"
    return any(space in held for space in " \n")


def _defused(held: str) -> str:
    """The first character; a `<` that could still open a tag for a browser is shown as itself instead."""
    return "&lt;" if re.match(r"</?[A-Za-z!?]", held) else held[0]
