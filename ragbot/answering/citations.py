"""Turn passages into sources: the verbatim quote nearest to the question, and the link to its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit

from ragbot.books.markup.prose import prose_blocks
from ragbot.core.domain import Chunk, EditionFacts, Passage, Source
from ragbot.core.text import sentence_spans

LONGEST_QUOTE = 1500
# Pieces whose words are remembered: cutting one anew costs 2 ms, and a book has some thousands.
REMEMBERED = 4096
_FRAGMENT_SAFE = "~:@!$'()*+,;=-._"
# A text fragment is found by the browser if it is this much of the page's visible text, to the letter.
FRAGMENT_WORDS = 8
FEWEST_FRAGMENT_WORDS = 4

_DOT = re.compile("%2e", re.IGNORECASE)
_MARKED_UP = re.compile(r"[*_`\[\]<>|{}$\\#!&~]|:::")


def sources_of(
    passages: Sequence[Passage], edition: EditionFacts, relevance: Callable[[str], float]
) -> tuple[Source, ...]:
    """Give the passages as the reader sees them, in order. `relevance` scores a text against the question."""
    return tuple(_source(passage, edition, relevance) for passage in passages)


def with_cited(sources: Sequence[Source], cited: Collection[int]) -> tuple[Source, ...]:
    """The sources, with those marked that the answer points to (numbers from 1)."""
    return tuple(replace(source, cited=n in cited) for n, source in enumerate(sources, start=1))


def page_url(site_url: str, address: str) -> str:
    """A page's public address: below the site's root if that is known, else relative to the root.

    Who wrote the book chose its pages' names. An address that leads anywhere else, however it is spelt, is
    that of the root.
    """
    path = quote(address, safe="/%~:@!$&'()*+,;=?#-._")
    root = f"{site_url.rstrip('/')}/" if site_url else "/"
    url = urljoin(root, path) if site_url else f"/{path}"
    return url if _is_below(root, url) else root


def _is_below(root: str, url: str) -> bool:
    """Whether an address has the root's scheme and host, and lies in its folder."""
    try:
        # (Joined to itself it is spelt as whatever is joined to it.)
        here, there = urlsplit(urljoin(root, ".")), urlsplit(url)
    except ValueError:
        return False
    return (
        (here.scheme, here.netloc) == (there.scheme, there.netloc)
        and there.path.startswith(here.path)
        and (bool(here.netloc) or not url.startswith("//"))
        # Browsers take `%2e` for a dot, too, where two of them lead up.
        and ".." not in _DOT.sub(".", there.path).split("/")
    )


def section_url(url: str, anchor: str) -> str:
    """The address of a page's section; of the page itself where there is no anchor."""
    return f"{url}#{quote(anchor, safe=_FRAGMENT_SAFE)}" if anchor else url


def _source(passage: Passage, edition: EditionFacts, relevance: Callable[[str], float]) -> Source:
    chunk = passage.chunk
    piece = _bearing_piece(chunk.text, relevance)
    return Source(
        id=chunk.id,
        chapter=chunk.title,
        section=chunk.heading_path[-1] if chunk.heading_path else chunk.title,
        heading_path=chunk.heading_path,
        path=chunk.path,
        url=_url(chunk, piece, edition.site_url),
        quote=piece,
        score=round(passage.score, 6),
    )


def _bearing_piece(text: str, relevance: Callable[[str], float]) -> str:
    """The whole text if it is short enough, else its neighbouring blocks that bear most on the question."""
    if len(text) <= LONGEST_QUOTE:
        return text
    spans = list(_quotable(text)) or [(0, LONGEST_QUOTE)]
    weights = [relevance(text[start:end]) for start, end in spans]
    best = max(range(len(spans)), key=lambda i: weights[i])
    first = last = best
    while True:
        wider = [
            (weights[i], i)
            for i in (first - 1, last + 1)
            if 0 <= i < len(spans) and spans[max(i, last)][1] - spans[min(i, first)][0] <= LONGEST_QUOTE
        ]
        if not wider:
            break
        _, taken = max(wider)
        first, last = min(first, taken), max(last, taken)
    start, end = spans[first][0], spans[last][1]
    line = text.rfind("\n", 0, start) + 1
    if end - line <= LONGEST_QUOTE and (first == 0 or spans[first - 1][1] <= line):
        # With the mark of the list's entry.
        start = line
    return text[start:end].strip()


def _quotable(text: str) -> Iterator[tuple[int, int]]:
    """Blocks, and of those that are too long for a quote their sentences or lines, or what fits of these."""
    for block in prose_blocks(text):
        pieces: Iterable[tuple[int, int]] = [(0, block.end - block.start)]
        if block.end - block.start > LONGEST_QUOTE:
            whole = text[block.start : block.end]
            pieces = _line_spans(whole) if block.kind == "code" else sentence_spans(whole)
        for start, end in pieces:
            for cut in range(block.start + start, block.start + end, LONGEST_QUOTE):
                yield cut, min(cut + LONGEST_QUOTE, block.start + end)


def _line_spans(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in re.finditer(r"[^\n]+", text))


def _url(chunk: Chunk, piece: str, site_url: str) -> str:
    url = page_url(site_url, chunk.address)
    words = _fragment_words(piece)
    if not chunk.anchor and not words:
        return url
    if "#" in url:
        # The page's own address ends in a fragment already (a PDF's page).
        return url
    return section_url(url, chunk.anchor or "") + _text_directive(chunk, words)


def _text_directive(chunk: Chunk, words: str) -> str:
    if not words:
        return ""
    # In a text fragment a hyphen and a comma are syntax (https://wicg.github.io/scroll-to-text-fragment/).
    spelt = quote(words, safe="").replace("-", "%2D")
    return f":~:text={spelt}" if chunk.anchor else f"#:~:text={spelt}"


@lru_cache(maxsize=REMEMBERED)
def _fragment_words(piece: str) -> str:
    """The first few words of plain prose: what stands on the page as it stands in the source."""
    for block in prose_blocks(piece):
        if block.kind not in ("paragraph", "list_item"):
            continue
        line = piece[block.start : block.end].split("\n", 1)[0].rstrip()
        plain = _MARKED_UP.split(line, maxsplit=1)[0]
        words = plain.split()
        if plain != line:
            # The last word may go on behind the markup.
            words = words[:-1]
        if len(words) >= FEWEST_FRAGMENT_WORDS:
            return " ".join(words[:FRAGMENT_WORDS])
    return ""
