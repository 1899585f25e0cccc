"""Measure how well real books are read: links alive, words lost and foreign, seconds.

`python -m bench.books DIR` looks at each folder NAME in DIR: NAME/built holds the pages of the built site,
and NAME/source, if it is there, the project that they were built from.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from bench.book_cells import words_at_cells
from ragbot.books.loader import load_book
from ragbot.books.read_options import ReadOptions
from ragbot.core.domain import Book, Page
from ragbot.core.errors import RagbotError
from ragbot.ingestion.link_check import built_site_reader, check_links

# Where generators put a page's own text, the most certain first; chosen without ragbot's own descriptions.
MAIN = (
    *("[itemprop=articleBody]", "div.body[role=main]", "div.body", "article.bd-article", "article.doc"),
    *(".theme-doc-markdown", ".vp-doc", ".sl-markdown-content", ".md-content__inner", ".td-content"),
    *("article.markdown", "article.book-article", ".book-page", "#mdbook-content main", "#content > main"),
    *("#quarto-document-content", "section.normal", "#ptx-content", ".main-content main", "article"),
    *("[role=main]", "main"),
)
NOT_TEXT = "script, style, svg, button, nav, template, noscript, .MathJax_Preview, .katex-html, annotation, "
NOT_TEXT += "[style*='display: none'], [hidden]"

# What code printed or was taken from code; knitr's outputs have no mark but the sign of a comment.
OUTPUT = ".cell-output, .cell_output, .nboutput .output_area, .jp-OutputArea, .autodoc, .doc-object"
# What it wrote if a bibliography is not in the repository.
WORKS = ".citation, .references, .csl-bib-body, #refs"
_PRINTED = re.compile(r"^[ \t]*#[#>][^\n]*$", re.MULTILINE)

_WORD = re.compile(r"[^\W\d_]+")
# Code, whose signs all are shown; only the line that opens a fence is not.
_CODE = re.compile(
    r"^[ >\t]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<body>.*?)(?:^[ >\t]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?P<ticks>`+)(?P<inline>[^`](?:[^`]|(?!(?P=ticks))`)*?)(?P=ticks)(?!`)",
    re.MULTILINE | re.DOTALL,
)
_DEFINITION = re.compile(r"^ {0,3}\[(?!\^)[^\]\n]+\]:[^\n]*$", re.MULTILINE)
# What readers do not see of other Markdown: targets of links, comments, tags, attributes.
_MARKS = re.compile(
    r"\[\^[^\[\]\s]+\]:?|\]\((?:[^()\n]|\([^)\n]*\))*\)|\]\[[^\]\n]*\]|<!--.*?-->"
    r"|</?(?!https?:)[a-zA-Z][^<>]*>|\{[#.:][^{}\n]*\}|&\w+;",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Figures:
    """Hold the figures of one reading. `lost` and `foreign` are shares of words, 0 to 1.

    `lost_of_written` leaves out what code printed. Pages that the build alone has are counted, not compared.
    """

    book: str
    form: str
    pages: int = 0
    only_built: int = 0
    sections: int = 0
    pages_alive: float = 0.0
    sections_alive: float = 0.0
    lost: float = 0.0
    lost_of_written: float = 0.0
    foreign: float = 0.0
    seconds: float = 0.0
    layout: str = ""
    fault: str = ""
    lost_most: tuple[str, ...] = ()
    foreign_most: tuple[str, ...] = ()


def main() -> None:
    """Measure every book and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.books", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", default=[], help="a book's name; all without it")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--words", action="store_true", help="print the most frequent lost and foreign words")
    options = parser.parse_args()
    found: list[Figures] = []
    for folder in sorted(path for path in options.folder.iterdir() if (path / "built").is_dir()):
        if options.only and folder.name not in options.only:
            continue
        for figures in measure(folder):
            found.append(figures)
            print(line_of(figures), flush=True)
            if options.words:
                print(
                    f"    lost: {' '.join(figures.lost_most)}\n    foreign: {' '.join(figures.foreign_most)}"
                )
    if options.json:
        options.json.write_text(json.dumps([asdict(figures) for figures in found], indent=1))


def measure(folder: Path) -> list[Figures]:
    """Measure a book's built pages, and its source if it is there."""
    built, source = folder / "built", folder / "source"
    try:
        book, seconds = timed(built)
    except RagbotError as error:
        return [Figures(folder.name, "built", fault=str(error))]
    found = [compared(folder.name, "built", book, seconds, built, words_of_pages(built, book))]
    if source.is_dir():
        try:
            read, seconds = timed(source)
        except RagbotError as error:
            found.append(Figures(folder.name, "source", fault=str(error)))
        else:
            # Branches of built pages keep those of former states, too.
            addresses = {plain_address(page) for page in read.pages}
            same = replace(book, pages=tuple(page for page in book.pages if plain_address(page) in addresses))
            site = Counter[str]()
            for page in same.pages:
                site += words_of(page.source)
            texts = {plain_address(page): page.source for page in same.pages}
            works = f", {WORKS}" if any("citation" in note for note in read.notes) else ""
            printed = words_of_outputs(built, same, OUTPUT + works) | words_at_cells(source, texts)
            figures = compared(folder.name, "source", read, seconds, built, site, printed)
            found.append(replace(figures, only_built=len(book.pages) - len(same.pages)))
    return found


def plain_address(page: Page) -> str:
    """Return a page's address, the same for all ways to write that of a page or a folder's index."""
    return page.address.removesuffix("index.html").removesuffix(".html").removesuffix("/")


def timed(folder: Path) -> tuple[Book, float]:
    """Read a book, and return it with the seconds of processor time."""
    started = time.process_time()
    book = load_book(folder, options=ReadOptions(reads_repository=True))
    return book, time.process_time() - started


def compared(
    name: str,
    form: str,
    book: Book,
    seconds: float,
    built: Path,
    expected: Counter[str],
    printed: Counter[str] | None = None,
) -> Figures:
    """Compare what was read with the words that are expected and with the site's pages and anchors.

    `printed` are those that only a run of code makes.
    """
    links = check_links(book, "", built_site_reader(built), lambda *_: None)
    found = Counter[str]()
    for page in book.pages:
        found += words_of(page.source)
    lost, foreign = expected - found, found - expected
    written = expected - (printed or Counter())
    lost_of_written = written - found
    return Figures(
        book=name,
        form=form,
        pages=links.pages,
        sections=links.sections,
        pages_alive=links.pages_alive / max(links.pages, 1),
        sections_alive=links.sections_alive / max(links.sections, 1),
        lost=lost.total() / max(expected.total(), 1),
        lost_of_written=lost_of_written.total() / max(written.total(), 1),
        foreign=foreign.total() / max(found.total(), 1),
        seconds=seconds,
        layout=book.layout.name,
        lost_most=most(lost_of_written),
        foreign_most=most(foreign),
    )


def most(words: Counter[str]) -> tuple[str, ...]:
    return tuple(f"{word}:{count}" for word, count in words.most_common(15))


def words_of(text: str) -> Counter[str]:
    """Count the words of a page in Markdown as a reader sees them."""
    text = _DEFINITION.sub("", text)
    pieces: list[str] = []
    position = 0
    for code in _CODE.finditer(text):
        pieces += (_MARKS.sub(" ", text[position : code.start()]), code["body"] or code["inline"] or "")
        position = code.end()
    pieces.append(_MARKS.sub(" ", text[position:]))
    return Counter(word.casefold() for word in _WORD.findall(" ".join(pieces)))


def words_of_pages(built: Path, book: Book) -> Counter[str]:
    """Count the words that the pages of a book show, by their HTML."""
    words = Counter[str]()
    for page in book.pages:
        tree = LexborHTMLParser((built / page.path).read_text(encoding="utf-8", errors="replace"))
        for node in tree.css(NOT_TEXT):
            node.decompose()
        shown = next((node for each in MAIN for node in tree.css(each) if node.text(strip=True)), tree.body)
        if shown is not None:
            text = " ".join(shown.text().split())
            for picture in shown.css("img[alt]"):
                words_for = " ".join((picture.attributes["alt"] or "").split())
                # Captions are repeated there, and names of files are no words.
                if words_for not in text and not words_for.endswith((".png", ".svg", ".jpg")):
                    picture.insert_after(f" {words_for} ")
            # Coloured code parts words; blocks part them, too, so both spellings are counted once.
            words += words_of_html(shown.html or "")
    return words


def words_of_outputs(built: Path, book: Book, outputs: str) -> Counter[str]:
    """Count the words that code printed into the pages of a book; captions are its author's."""
    words = Counter[str]()
    for page in book.pages:
        tree = LexborHTMLParser((built / page.path).read_text(encoding="utf-8", errors="replace"))
        for node in tree.css(f"{NOT_TEXT}, figcaption, caption"):
            node.decompose()
        blocks = tree.css(outputs)
        if not tree.css(OUTPUT):
            printed = (line for node in tree.css("pre") for line in _PRINTED.findall(node.text()))
            words += words_of("```\n" + "\n".join(printed) + "\n```\n")
        for block in blocks:
            words += words_of_html(block.html or "")
    return words


def words_of_html(html: str) -> Counter[str]:
    """Count the words of HTML: tags of blocks part words, those inside of a line do not."""
    inline = r"</?(?:a|abbr|b|code|em|i|kbd|mark|s|small|span|strong|sub|sup|u|wbr|cite|q|del|ins)\b[^<>]*>"
    text = re.sub(r"<[^<>]*>", " ", re.sub(inline, "", html))
    tree = LexborHTMLParser(text)
    return Counter(word.casefold() for word in _WORD.findall(tree.body.text() if tree.body else ""))


def line_of(figures: Figures) -> str:
    """Return a row of the table."""
    if figures.fault:
        return f"{figures.book:<24} {figures.form:<7} {figures.fault}"
    return (
        f"{figures.book:<24} {figures.form:<7} {figures.pages:>5} pages {figures.sections:>6} sections  "
        f"alive {figures.pages_alive:>6.1%} {figures.sections_alive:>6.1%}  "
        f"lost {figures.lost:>6.2%} {figures.lost_of_written:>6.2%}  "
        f"foreign {figures.foreign:>6.2%}  {figures.seconds:>5.1f} s  {figures.layout}"
        + (f", {figures.only_built} pages in the build alone" if figures.only_built else "")
    )


if __name__ == "__main__":
    main()
