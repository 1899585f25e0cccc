"""Cut sections into chunks of about 400 tokens, never across a heading, with code and tables whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from ragbot.books.chunking.search_text import strip_markdown
from ragbot.books.chunking.splitter import TextPiece, split_block
from ragbot.books.markup.blocks import MarkdownBlock, ParsedPage, parse_page
from ragbot.core.code_fences import code_fence
from ragbot.core.domain import Book, Chunk, InnerSection, Page, Section
from ragbot.core.tables import table_head
from ragbot.core.text import asks, count_tokens

# A fixed random UUID: ids must be the same on every machine, for ever.
NAMESPACE = UUID("5f0d0f2c-6a6e-4a5e-9f0e-1d6a3c1f7b52")

# A last piece that is tiny may make its neighbour this much larger.
TAIL_ALLOWANCE = 1.25


@dataclass(frozen=True, slots=True)
class _Filled:
    """Hold a section that has prose, with its pieces."""

    section: Section
    pieces: tuple[TextPiece, ...]

    @property
    def tokens(self) -> int:
        return sum(piece.tokens for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Hold a chunk's offsets in the page, its headings and its anchor."""

    start: int
    end: int
    heading_path: tuple[str, ...]
    anchor: str


def chunk_book(book: Book) -> list[Chunk]:
    """Cut every page of a book, in reading order. See `chunk_page`."""
    return [chunk for page in book.pages for chunk in chunk_page(page)]


def chunk_page(page: Page, *, target_tokens: int = 400, least_tokens: int = 80) -> list[Chunk]:
    """Cut one page. Chunks are disjoint and in order; a page without prose gives none.

    A section under `least_tokens` is joined with siblings or subsections that follow it, up to a small size.
    A heading that is a question is not: each frequent question is found by its own words.
    A joined chunk has the headings that its sections share, and the anchor of the first.
    """
    taken = parse_page(page.source, page.dialect)
    filled = _filled(page, taken, target_tokens)
    cuts: list[_Cut] = []
    for group in _groups(filled, least_tokens, min(2 * least_tokens, target_tokens)):
        cuts += _cuts(group, target_tokens, least_tokens)
    return _chunks(page, taken, [cut for cut in (_trimmed(taken, cut) for cut in cuts) if cut])


def _filled(page: Page, taken: ParsedPage, limit: int) -> list[_Filled]:
    filled: list[_Filled] = []
    blocks = list(reversed(taken.blocks))
    for section in page.sections:
        pieces: list[TextPiece] = []
        for block in _blocks_in(section, blocks):
            if _holds_prose(taken, block):
                pieces.extend(split_block(page.source, block, limit))
        if pieces:
            filled.append(_Filled(section, tuple(pieces)))
    return filled


def _blocks_in(section: Section, waiting: list[MarkdownBlock]) -> Iterator[MarkdownBlock]:
    """Take the section's blocks off the stack; divide a block that reaches beyond the section."""
    while waiting and waiting[-1].start < section.end:
        block = waiting.pop()
        if block.end > section.end:
            waiting.append(MarkdownBlock("paragraph", section.end, block.end))
            block = MarkdownBlock("paragraph", block.start, section.end)
        start = max(block.start, section.start)
        if block.end > start:
            yield block if start == block.start else MarkdownBlock("paragraph", start, block.end)


def _holds_prose(taken: ParsedPage, block: MarkdownBlock) -> bool:
    return block.kind not in ("heading", "rule") and bool(taken.prose.text[block.start : block.end].strip())


def _groups(filled: Sequence[_Filled], least: int, most: int) -> Iterator[list[_Filled]]:
    group: list[_Filled] = []
    for part in filled:
        total = sum(member.tokens for member in group)
        if group and total < least and total + part.tokens <= most and _belong(group[0], part):
            group.append(part)
            continue
        if group:
            yield group
        group = [part]
    if group:
        yield group


def _belong(first: _Filled, part: _Filled) -> bool:
    """Return whether `part` is a sibling of `first`, or below it. A question stands alone with its answer."""
    path, other = first.section.heading_path, part.section.heading_path
    if asks(other[-1]):
        return False
    return other[: len(path)] == path or (
        len(path) == len(other) and path[:-1] == other[:-1] and not asks(path[-1])
    )


def _cuts(group: list[_Filled], target: int, least: int) -> list[_Cut]:
    first = group[0]
    if len(group) == 1:
        packed = _packed(first.pieces, target, least)
        return [
            _Cut(pieces[0].start, pieces[-1].end, first.section.heading_path, first.section.anchor)
            for pieces in packed
        ]
    path, end = first.section.heading_path, group[-1].pieces[-1].end
    if all(part.section.heading_path[: len(path)] == path for part in group):
        return [_Cut(first.pieces[0].start, end, path, first.section.anchor)]
    # Siblings: each keeps its heading, the first too.
    return [_Cut(first.section.start, end, path[:-1], first.section.anchor)]


def _packed(pieces: Sequence[TextPiece], target: int, least: int) -> list[list[TextPiece]]:
    packs: list[list[TextPiece]] = []
    for piece in pieces:
        if packs and _fits(packs[-1], piece, target):
            packs[-1].append(piece)
        elif packs and _leads_in(packs[-1], piece, target):
            packs.append([packs[-1].pop(), piece])
        else:
            packs.append([piece])
    if (
        len(packs) > 1
        and _tokens(packs[-1]) < least
        and _fits(packs[-2], packs[-1][0], target * TAIL_ALLOWANCE)
    ):
        packs[-2:] = [packs[-2] + packs[-1]]
    return packs


def _fits(pack: list[TextPiece], piece: TextPiece, target: float) -> bool:
    if piece.stands_alone or pack[-1].stands_alone:
        return False
    return _tokens(pack) + piece.tokens <= target


def _leads_in(pack: list[TextPiece], piece: TextPiece, target: int) -> bool:
    """Return whether the pack ends in a short paragraph that introduces the next code, list or table."""
    last = pack[-1]
    if len(pack) < 2 or piece.stands_alone or last.kind != "paragraph" or piece.kind == "paragraph":
        return False
    return last.tokens <= target // 8 and last.tokens + piece.tokens <= target * TAIL_ALLOWANCE


def _tokens(pack: Sequence[TextPiece]) -> int:
    return sum(piece.tokens for piece in pack)


def _trimmed(taken: ParsedPage, cut: _Cut) -> _Cut | None:
    """Return the cut without leading and trailing lines that hold no prose; None if nothing is left."""
    prose = taken.prose.text[cut.start : cut.end]
    if not prose.strip():
        return None
    first = len(prose) - len(prose.lstrip())
    start = cut.start + max(prose.rfind("\n", 0, first), prose.rfind("\r", 0, first)) + 1
    last = cut.start + len(prose.rstrip())
    line_ends = [at for at in (taken.source.find(sign, last, cut.end) for sign in "\r\n") if at >= 0]
    end = min(line_ends, default=cut.end)
    end = start + len(taken.source[start:end].rstrip())
    return _Cut(start, end, cut.heading_path, cut.anchor)


def _chunks(page: Page, taken: ParsedPage, cuts: list[_Cut]) -> list[Chunk]:
    seen: Counter[str] = Counter()
    return [_chunk(page, taken, cut, seen) for cut in cuts]


def _chunk(page: Page, taken: ParsedPage, cut: _Cut, seen: Counter[str]) -> Chunk:
    text = page.source[cut.start : cut.end]
    key = "\x1f".join((page.path, *cut.heading_path, "", text))
    seen[key] += 1
    fence = code_fence(page.source, (section.start for section in page.sections), cut.start)
    words = text if fence else strip_markdown(taken.prose.text[cut.start : cut.end])
    head = table_head(page.source, cut.start)
    if head:
        words = f"{strip_markdown(head)}\n{words}"
    return Chunk(
        id=str(uuid5(NAMESPACE, f"{key}\x1f{seen[key]}")),
        path=page.path,
        heading_path=cut.heading_path,
        title=page.title,
        address=page.address,
        anchor=cut.anchor,
        start=cut.start,
        end=cut.end,
        text=text,
        search_text=" > ".join(cut.heading_path) + "\n\n" + words,
        tokens=count_tokens(text),
        sections=tuple(
            InnerSection(section.start - cut.start, section.anchor, section.heading_path)
            for section in page.sections
            if cut.start <= section.start < cut.end
        ),
        table_head=head,
        code_fence=fence,
    )
