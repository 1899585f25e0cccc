"""Turn passages into sources: a verbatim quote of the most relevant or cited words, and a link to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ragbot.answering.citation_spans import cited_span, marked_texts, passage_words
from ragbot.answering.text_fragments import text_directive
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import readable_span
from ragbot.core.answers import CitedSpan, Source
from ragbot.core.domain import Chunk, EditionFacts, Passage
from ragbot.core.page_links import page_url, section_url
from ragbot.core.text import sentence_spans

Span = tuple[int, int]

LONGEST_QUOTE = 1500
# Characters. The link of a source that no mark cites leads to the beginning of its quote.
LONGEST_POINTED_AT = 300


def source_of(passage: Passage, edition: EditionFacts, relevance: Callable[[str], float]) -> Source:
    """Return a passage as a source. `relevance` scores a text against the question."""
    chunk = passage.chunk
    start, end = _quoted_span(chunk, relevance)
    quoted = chunk.text[start:end]
    return Source(
        id=chunk.id,
        chapter=chunk.title,
        section=chunk.heading_path[-1] if chunk.heading_path else chunk.title,
        heading_path=chunk.heading_path,
        path=chunk.path,
        url=_url(chunk, start, min(end, start + LONGEST_POINTED_AT), edition.site_url, ""),
        quote=quoted,
        score=round(passage.score, 6),
        quote_text=readable_span(chunk.text, start, end, in_code=chunk.in_code),
    )


def with_citations(
    sources: Sequence[Source],
    passages: Sequence[Passage],
    answer: str,
    edition: EditionFacts,
    *,
    relevance: Callable[[str], float],
    page_source: Callable[[str], str],
) -> tuple[Source, ...]:
    """Return the sources with the words that support the answer's marks, in the order of the passages.

    The quote of a cited source contains the cited words, and its link leads to the first of them.
    `page_source` returns the whole source of the page of a path, or "".
    """
    spans = _cited_spans(answer, passages)
    return tuple(
        _cited_source(source, passage, spans[number], edition, relevance, page_source)
        if number in spans
        else source
        for number, (source, passage) in enumerate(zip(sources, passages, strict=True), start=1)
    )


def _cited_spans(answer: str, passages: Sequence[Passage]) -> Mapping[int, list[Span]]:
    """Map each cited number to its spans of the passage's text, in the order of the marks, each once."""
    spans: dict[int, list[Span]] = {}
    for marked in marked_texts(answer):
        if 1 <= marked.number <= len(passages):
            found = spans.setdefault(marked.number, [])
            chunk = passages[marked.number - 1].chunk
            span = cited_span(marked.text, passage_words(chunk.text, chunk.in_code))
            if span is not None and span not in found:
                found.append(span)
    return spans


def _cited_source(
    source: Source,
    passage: Passage,
    spans: Sequence[Span],
    edition: EditionFacts,
    relevance: Callable[[str], float],
    page_source: Callable[[str], str],
) -> Source:
    if not spans:
        return replace(source, cited=True)
    chunk = passage.chunk
    start, end = _quoted_span(chunk, relevance, holding=spans)
    page = page_source(chunk.path)
    citations = []
    for first, last in spans:
        # A span that exceeds the quote is cut to it.
        first, last = max(first, start), min(last, end)
        if first < last:
            citations.append(
                CitedSpan(
                    start=first - start,
                    end=last - start,
                    text=readable_span(chunk.text, first, last, in_code=chunk.in_code),
                    url=_url(chunk, first, last, edition.site_url, page),
                )
            )
    section = chunk.section_at(spans[0][0])
    heading_path = section.heading_path if section else source.heading_path
    quoted = chunk.text[start:end]
    return replace(
        source,
        cited=True,
        quote=quoted,
        quote_text=readable_span(chunk.text, start, end, in_code=chunk.in_code),
        citations=tuple(citations),
        url=citations[0].url if citations else source.url,
        section=heading_path[-1] if heading_path else source.section,
        heading_path=heading_path,
    )


def _quoted_span(chunk: Chunk, relevance: Callable[[str], float], *, holding: Sequence[Span] = ()) -> Span:
    """Return the span of the whole text if it is short, else of its most relevant neighbouring blocks.

    It contains the spans in `holding` as far as they fit, and always the first of them.
    """
    text = chunk.text
    if len(text) <= LONGEST_QUOTE:
        return _without_blanks(text, 0, len(text))
    spans = list(_quotable(text, chunk.in_code)) or [(0, LONGEST_QUOTE)]
    weights = [relevance(text[start:end]) for start, end in spans]
    first, last = _held_blocks(spans, holding) or (
        best := max(range(len(spans)), key=lambda i: weights[i]),
        best,
    )
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
        # Include the bullet or number of a list item.
        start = line
    return _without_blanks(text, start, end)


def _held_blocks(spans: Sequence[Span], holding: Sequence[Span]) -> tuple[int, int] | None:
    """Return the first and last block of these spans, or of the first few of them if not all fit a quote."""
    for count in range(len(holding), 0, -1):
        start, end = min(s for s, _ in holding[:count]), max(e for _, e in holding[:count])
        touched = [i for i, (begin, stop) in enumerate(spans) if begin < end and start < stop]
        if touched and (count == 1 or spans[touched[-1]][1] - spans[touched[0]][0] <= LONGEST_QUOTE):
            while len(touched) > 1 and spans[touched[-1]][1] - spans[touched[0]][0] > LONGEST_QUOTE:
                touched.pop()
            return touched[0], touched[-1]
    return None


def _without_blanks(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _quotable(text: str, in_code: bool) -> Iterator[tuple[int, int]]:
    """Yield the spans of blocks; a block that is too long for a quote is split into sentences or lines."""
    for block in prose_blocks(text, in_code):
        pieces: Iterable[tuple[int, int]] = [(0, block.end - block.start)]
        if block.end - block.start > LONGEST_QUOTE:
            whole = text[block.start : block.end]
            pieces = _line_spans(whole) if block.kind == "code" else sentence_spans(whole)
        for start, end in pieces:
            for cut in range(block.start + start, block.start + end, LONGEST_QUOTE):
                yield cut, min(cut + LONGEST_QUOTE, block.start + end)


def _line_spans(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in re.finditer(r"[^\n]+", text))


def _url(chunk: Chunk, start: int, end: int, site_url: str, page: str) -> str:
    """Return the URL of the section of these words, with a text fragment that highlights them."""
    url = page_url(site_url, chunk.address)
    if "#" in url:
        # The page's own address ends in a fragment already (a PDF's page).
        return url
    section = chunk.section_at(start)
    anchored = section_url(url, section.anchor if section else chunk.anchor)
    words = text_directive(chunk.text, start, end, page=page, place=chunk.start, in_code=chunk.in_code)
    if not words:
        return anchored
    return f"{anchored}{'' if '#' in anchored else '#'}:~:text={words}"
