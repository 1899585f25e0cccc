"""Test readers of untrusted bytes with random and mutated input: loaders, chunking, citations, requests."""

from __future__ import annotations

import json
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ragbot.answering.citations import LONGEST_QUOTE, sources_of, with_citations
from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.source_slots import SourceSlots
from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.core.domain import Book
from ragbot.core.errors import BookError
from ragbot.core.text import count_tokens, sentence_spans
from ragbot.web import schemas as payloads
from tests.answering.shelf import EDITION, passage
from tests.books.formats.test_pdf import THREE, with_outline
from tests.databases import DatabaseMaker
from tests.fuzzing import fuzz
from tests.served import three_chapter_app

# Of processor time, for a book of some kilobytes.
SECONDS = 5
TOKENS = 400


# --- books -------------------------------------------------------------------------------------

MARKDOWN_PAGE = """---
title: "Cheese: an overview"
sidebar_position: 2
---

import Tabs from '@theme/Tabs';

# Cheese {#cheese}

Cheese is made from *milk* and `rennet` [see](./bread.md "there"). <!-- note -->

:::tip[Mind]
- one
  1. two
     > three

| a | b |
|---|:-:|
| `x|y` | ![p](p.png) |

```python title="ripen.py"
# not a heading
def ripen(cheese): return cheese
```

<Tabs items={["a", 'b']}><b>bold</b></Tabs>

Ripening
--------

$a_{1}$ e.g. nine months. [ref]: https://cheese.example
"""
HTML_PAGE = """<!doctype html><html lang=en><head><title>Cheese - Book</title></head><body>
<nav><a href="b.html">B</a></nav><main><h1 id="cheese">Cheese<a class=headerlink href="#cheese">#</a></h1>
<p>It is <b>made</b> from milk &amp; rennet.</p>
<pre><code class="language-python">def ripen():<br>  pass</code></pre><table><tr><th>a
<td>b</table><section id=ripening><h2>Ripening</h2><ul><li>one<ol><li>two</ol></ul></section>
<a rel=next href=b.html>next</a>"""
SUMMARY = """# Summary

[Preface](README.md)

# Part

- [Cheese](cheese.md)
  - [Bread](bread.md)
- [Draft]()
"""
CHAPTER = "# Cheese\n\n{{#include bread.md:1:2}}\n\n```rust\n# hidden\nfn main() {}\n```\n"
SITE_CONFIG = (
    "module.exports = {title: 'Book', baseUrl: '/b/', "
    "presets: [['classic', {docs: {path: 'docs', routeBasePath: '/'}}]]};"
)
CONTAINER = '<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'
PACKAGE = (
    '<package><metadata><title>Book</title></metadata><manifest><item id="a" href="a.xhtml" '
    'media-type="application/xhtml+xml"/><item id="n" href="n.xhtml" properties="nav" '
    'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
)
NAV = (
    '<html xmlns:epub="http://www.idpf.org/2007/ops"><nav epub:type="toc"><ol>'
    '<li><a href="a.xhtml">A</a></li></ol></nav></html>'
)
XHTML = "<html><body><h1>A</h1><p>Milk and rennet.</p></body></html>"


def epub_of(entries: dict[str, bytes]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return content.getvalue()


EPUB = {
    "META-INF/container.xml": CONTAINER.encode(),
    "book.opf": PACKAGE.encode(),
    "n.xhtml": NAV.encode(),
    "a.xhtml": XHTML.encode(),
}

# Kinds of books as files by their paths; what is mutated is one of them.
VALID: dict[str, dict[str, bytes]] = {
    "markdown": {"cheese.md": MARKDOWN_PAGE.encode(), "README.md": b"# Read me\n\nFirst.\n"},
    "mdx": {"cheese.mdx": MARKDOWN_PAGE.encode()},
    "docusaurus": {
        "docusaurus.config.js": SITE_CONFIG.encode(),
        "docs/_category_.json": b'{"label": "Food", "position": 1}',
        "docs/food/_category_.yml": b"label: Food\nposition: 2\n",
        "docs/food/1-cheese.md": MARKDOWN_PAGE.encode(),
        "versions.json": b'["1.0"]',
    },
    "mdbook": {
        "book.toml": b'[book]\ntitle = "Book"\nsrc = "src"\n[output.html.code.hidelines]\npython = "~"\n',
        "src/SUMMARY.md": SUMMARY.encode(),
        "src/README.md": b"# Preface\n\nRead.\n",
        "src/cheese.md": CHAPTER.encode(),
        "src/bread.md": b"# Bread\n\nANCHOR: a\nflour\nANCHOR_END: a\n",
    },
    "html": {"index.html": HTML_PAGE.encode(), "b.html": b"<h1>B</h1><p>Text.</p>"},
    "epub": {"book.epub": epub_of(EPUB)},
    "pdf": {"book.pdf": with_outline(THREE, [("Part I", 0, 0), ("Names", 1, 1)])},
}
# Pieces that mean something to one reader or another.
SPICE = [
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xae",
        b"\xe2\x80\xa8",
        b"\x0c",
        b"\r",
    ),
    *(
        b"\xee\x80\x800\xee\x80\x81",
        b"\n\n",
        b"\t",
        b"    ",
        b"9" * 30,
        b"1e999",
        b"a" * 500,
        b"[" * 200,
        b"> " * 100,
    ),
    *b"---\n|# |> |```|~~~|<|>|</|<!--|-->|{|}|{/*|[|](|![|\\|$|:::|{{#include |}}|<script>|&#0;|&lt;".split(
        b"|"
    ),
    *b"import x from 'y'\n|]]>|<![CDATA[|<!DOCTYPE x [|../|%2e%2e|endobj|stream\n|<<|>>|0 R |/Kids [".split(
        b"|"
    ),
    *(b"|", b"PK\x01\x02", b"PK\x05\x06"),
]


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Return the content with a few places changed, put in, taken out, or repeated."""
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(content)))
        until = min(len(content), at + draw(st.integers(0, 40)))
        piece = draw(
            st.one_of(
                st.sampled_from(SPICE),
                st.binary(max_size=8),
                st.just(content[at:until] * 3),
                st.integers(0, max(0, len(content) - 1)).map(lambda n, c=content: c[n : n + 60]),
            )
        )
        content = content[:at] + piece + content[until:]
    return content


@st.composite
def books(draw: st.DrawFn, kind: str) -> dict[str, bytes]:
    """Return a book of the kind with one of its files mutated, or made of random bytes."""
    files = dict(VALID[kind])
    name = draw(st.sampled_from(sorted(files)))
    if kind == "epub" and draw(st.booleans()):
        entry = draw(st.sampled_from(sorted(EPUB)))
        files[name] = epub_of(EPUB | {entry: draw(mutated(EPUB[entry]))})
        return files
    files[name] = draw(st.one_of(mutated(files[name]), mutated(files[name]), st.binary(max_size=300)))
    return files


def read(files: dict[str, bytes]) -> Book | None:
    """Return the book, or None where it was refused as one; anything else is raised."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            return load_book(Path(folder))
        except BookError:
            return None


@pytest.mark.parametrize("kind", VALID)
def test_valid_book_of_each_kind_is_read(kind: str) -> None:
    """Else nothing would be fuzzed but the refusal."""
    book = read(VALID[kind])

    assert book is not None
    assert chunk_book(book)
    assert book.skipped == ()


@pytest.mark.parametrize("kind", VALID)
def test_any_book_is_read_or_refused_and_cut_soundly(kind: str) -> None:
    """Nothing but a BookError, in time; chunks are verbatim, in order, and no larger than they may be."""

    @fuzz(120)
    @given(books(kind))
    def holds(files: dict[str, bytes]) -> None:
        started = time.process_time()
        book = read(files)
        if book is not None:
            check_chunks(book)
            assert all(skipped.reason.endswith(".") for skipped in book.skipped)
        assert time.process_time() - started < SECONDS

    holds()


def check_chunks(book: Book) -> None:
    pages = {page.path: page for page in book.pages}
    assert len(pages) == len(book.pages)
    ends: dict[str, int] = {}
    chunks = chunk_book(book)
    for chunk in chunks:
        page = pages[chunk.path]
        assert page.source[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip()
        assert chunk.tokens == count_tokens(chunk.text)
        assert chunk.tokens <= TOKENS * 1.5 + 100
        assert ends.get(chunk.path, 0) <= chunk.start < chunk.end
        ends[chunk.path] = chunk.end
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    for page in book.pages:
        assert all(0 <= section.start <= section.end <= len(page.source) for section in page.sections)


FENCED = st.lists(
    st.sampled_from(
        [
            "word " * 30,
            "# Heading",
            "```python\ncode = 1\n\nmore = 2\n```",
            "~~~\n# no heading\n~~~",
            "- point",
            "",
        ]
    )
    | st.text(max_size=20),
    max_size=30,
).map("\n\n".join)


@fuzz(150)
@given(FENCED)
def test_no_fence_is_broken(source: str) -> None:
    """Half a program is no quotation; all of these fit into a chunk."""
    book = read({"a.md": source.encode("utf-8", "ignore")})

    for chunk in chunk_book(book) if book else []:
        for start, end in fences_of(book.pages[0].source if book else ""):
            begins_inside = start < chunk.start < end
            ends_inside = start < chunk.end < end
            assert not begins_inside
            assert not ends_inside


def fences_of(source: str) -> list[tuple[int, int]]:
    """The spans of the fences that a renderer sees, without the blank lines at the end of an open one."""
    starts = [0, *(match.end() for match in re.finditer("\r\n?|\n", source)), len(source)]
    maps = [t.map for t in MarkdownIt("commonmark").parse(source) if t.type == "fence" and t.map]
    spans = [(starts[first], starts[min(after, len(starts) - 1)]) for first, after in maps]
    return [(start, start + len(source[start:end].rstrip())) for start, end in spans]


@fuzz(300)
@given(st.text(st.sampled_from("abc A.!?… \n\"')e.g.1。”"), max_size=120) | st.text(max_size=60))
def test_sentences_cover_a_text_in_order(text: str) -> None:
    """What lies in no sentence could never be quoted."""
    spans = list(sentence_spans(text))

    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


# --- citations ---------------------------------------------------------------------------------

ANSWERS = st.lists(
    st.sampled_from(
        [
            "Milk ",
            "[1]",
            "[2]",
            "[9]",
            "[1, 2]",
            "[1-3]",
            "[",
            "]",
            "(",
            ")",
            "`",
            "```\n",
            "\n",
            "<b>",
            "!",
            "\\",
        ]
    )
    | st.text(max_size=4),
    max_size=25,
)


def cleaned(pieces: list[str], allowed: int) -> tuple[str, set[int]]:
    slots = SourceSlots(allowed, allowed)
    cleaner = MarkdownSanitizer(
        number_of=slots.number_of,
        own_text="Milk and <b>",
        own_urls=["https://book.test/a"],
    )
    text = "".join([*(cleaner.feed(piece) for piece in pieces), cleaner.flush()])
    return text, set(slots.cited)


@fuzz(200)
@given(ANSWERS, st.integers(0, 3))
def test_marks_never_point_beyond_the_passages(pieces: list[str], allowed: int) -> None:
    """However the answer is cut, and cleaned once more it cites the same."""
    text, cited = cleaned(pieces, allowed)

    assert cited <= set(range(1, allowed + 1))
    assert cleaned(["".join(pieces)], allowed) == (text, cited)
    assert cleaned(list("".join(pieces)), allowed) == (text, cited)
    assert cleaned([text], allowed)[1] <= cited


def _count_e(piece: str) -> float:
    return piece.count("e")


@fuzz(100)
@given(
    st.lists(
        st.sampled_from(
            ["word " * 100, "- point\n", "```\ncode\n```\n", "# H\n", "\n\n", "é" * 50, "a" * 2_000]
        ),
        min_size=1,
        max_size=12,
    ).map("".join)
    | st.text(min_size=1, max_size=200),
    st.integers(0, 3),
)
def test_quote_is_a_piece_of_its_passage(text: str, cited: int) -> None:
    """Word for word, and no longer than promised."""
    found, mark = [passage(text)], f"{text} [{cited}]"
    sources = sources_of(found, EDITION, _count_e)

    (source,) = with_citations(
        sources, found, mark, EDITION, relevance=_count_e, page_source=lambda _path: text
    )

    assert source.quote in text
    assert len(source.quote) <= LONGEST_QUOTE
    assert source.url.startswith("https://book.test/")
    assert source.cited is (cited == 1)


# --- requests ----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just("\ud800")
    | st.just("a\x00b"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [*payloads.QueryBody.model_fields, *payloads.FeedbackBody.model_fields]
GOOD: dict[str, Any] = {"query": "How long is the cheddar ripened?", "rating": "up"}
BODIES = st.builds(
    lambda good, bad: {name: GOOD[name] for name in good} | bad,
    st.sets(st.sampled_from(sorted(GOOD))),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), JSON, max_size=4),
)


@pytest.fixture(scope="module")
def served(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAPI]:
    with three_chapter_app(
        new_database, tmp_path_factory.mktemp("fuzz"), {"ADMIN_API_KEY": "an-operators-key-of-23-x"}
    ) as app:
        yield app


@pytest.fixture(scope="module")
def talk(served: OpenAPI) -> tuple[str, str]:
    """Return a session and a message of it."""
    answered = served.test_client().post("/query", json={"query": GOOD["query"]}).json
    return answered["session_id"], answered["message_id"]


def check_reply(client: FlaskClient, method: str, path: str, **more: Any) -> None:
    reply = client.open(path, method=method, **more)
    assert reply.status_code < 500, (method, path, more, reply.data)
    if reply.status_code >= 400:
        problem = reply.json
        assert reply.mimetype == "application/problem+json"
        assert problem["status"] == reply.status_code
        assert problem["code"]
        if problem["code"] == "invalid_request":
            assert all(fault["field"] and fault["message"] for fault in problem["errors"])


@fuzz(250)
@given(BODIES | JSON, st.sampled_from(["/query", "/sessions", "feedback"]))
def test_any_json_is_answered_or_refused_with_the_fields_name(
    served: OpenAPI, talk: tuple[str, str], body: Any, path: str
) -> None:
    """Never an error of ours."""
    method = "PUT" if path == "feedback" else "POST"
    target = f"/sessions/{talk[0]}/messages/{talk[1]}/feedback" if path == "feedback" else path

    check_reply(served.test_client(), method, target, data=json.dumps(body), content_type="application/json")


@fuzz(120)
@given(st.one_of(st.binary(max_size=200), mutated(b'{"query": "How long?", "top_k": 5, "stream": false}')))
def test_any_bytes_are_answered_or_refused(served: OpenAPI, body: bytes) -> None:
    """Half a document, wrong encodings, no document at all."""
    check_reply(served.test_client(), "POST", "/query", data=body, content_type="application/json")


@fuzz(150)
@given(
    st.sampled_from(
        ["/sessions/{}", "/sessions/{}/export", "/admin/editions/{}/publish", "/admin/sessions", "/{}"]
    ),
    st.text(max_size=30),
    st.dictionaries(
        st.sampled_from(["limit", "before", "x"]), st.text(max_size=12) | st.integers().map(str), max_size=3
    ),
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
)
def test_any_address_is_answered_or_refused(
    served: OpenAPI, path: str, name: str, query: dict[str, str], method: str
) -> None:
    """With every method, and whatever the names in it are."""
    name = name.encode("utf-8", "ignore").decode().replace("?", "").replace("#", "")
    check_reply(
        served.test_client(),
        method,
        path.format(name),
        query_string={key: value.encode("utf-8", "ignore") for key, value in query.items()},
        headers={"X-API-Key": "an-operators-key-of-23-x"},
    )
