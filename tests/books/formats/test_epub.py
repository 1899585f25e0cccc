"""Test EPUBs: order, titles, anchors, and hostile archives."""

import zipfile
from io import BytesIO
from itertools import count

import pytest

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.files import BookFolder
from ragbot.books.formats import epub, epub_archive, epub_package, table_of_contents
from ragbot.books.formats.epub import read_epub
from ragbot.books.loader import load_book
from ragbot.core.errors import BookError

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)


def xhtml(body, title="Whatever"):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html>'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title>{title}</title></head><body>{body}</body></html>"
    )


def item(name, extra="", kind="application/xhtml+xml"):
    return f'<item id="{name}" href="{name}" media-type="{kind}" {extra}/>'


def opf(items, spine, title="The Book"):
    references = "".join(f'<itemref idref="{name}"/>' for name in spine)
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{''.join(items)}</manifest><spine>{references}</spine></package>"
    )


def nav(entries):
    return xhtml(f'<nav epub:type="landmarks"><ol/></nav><nav epub:type="toc"><ol>{entries}</ol></nav>')


def archive(entries, method=zipfile.ZIP_DEFLATED):
    content = BytesIO()
    with zipfile.ZipFile(content, "w", method) as book:
        for name, text in entries.items():
            book.writestr(name, text)
    return content.getvalue()


def book(chapters, *, contents="", items=(), spine=None, others=None):
    """Build an EPUB of chapters by file name, in their order unless a spine is given."""
    listed = [*(item(name) for name in chapters), item("nav.xhtml", 'properties="nav"'), *items]
    entries = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": opf(listed, spine or list(chapters)),
        "OEBPS/nav.xhtml": nav(contents),
        **{f"OEBPS/{name}": text for name, text in chapters.items()},
    }
    return archive({**entries, **(others or {})})


def load(tmp_path, content, **limits):
    (tmp_path / "book.epub").write_bytes(content)
    return load_book(tmp_path / "book.epub", **limits)


def refusal(tmp_path, content, **limits):
    with pytest.raises(BookError) as caught:
        load(tmp_path, content, **limits)
    return str(caught.value)


TWO = {"a.xhtml": xhtml("<h1>A</h1><p>Alpha.</p>"), "b.xhtml": xhtml("<h1>B</h1><p>Beta.</p>")}


# --- what is read ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark",
    [
        '<a class="footnote-reference brackets" href="#n" id="m">9</a>',
        '<a href="#n" class="footnote" id="m"><sup class="footnote">[9]</sup></a>',
        '<a epub:type="noteref" href="#n"><sup>9</sup></a>',
        '<sup class="noteref">[<a id="m" href="#n" epub:type="noteref">9</a>]</sup>',
    ],
)
def test_numbers_of_notes_are_no_words(tmp_path, mark):
    """ "See the licence, 9 and keep it" reads as if nine things were kept."""
    chapters = {
        "one.xhtml": xhtml(f"<h1>One</h1><p>See the licence, {mark} and <a href='two'>9</a> more.</p>")
    }
    (tmp_path / "book.epub").write_bytes(book(chapters))

    assert "See the licence, and [9](two) more." in load_book(tmp_path / "book.epub").pages[0].source


def test_chapters_are_read_in_the_order_of_the_spine(tmp_path):
    """Names in an archive have no order of their own."""
    loaded = load(tmp_path, book(TWO, spine=["b.xhtml", "a.xhtml", "b.xhtml", "gone"]))

    assert loaded.title == "The Book"
    assert [(page.title, page.path, page.address) for page in loaded.pages] == [
        ("B", "OEBPS/b.xhtml", ""),
        ("A", "OEBPS/a.xhtml", ""),
    ]
    assert loaded.skipped == ()


def test_titles_and_parts_come_from_the_contents(tmp_path):
    """A chapter is found under the part that it stands in."""
    contents = (
        '<li><span>Part I</span><ol><li><a href="a.xhtml">1&nbsp;Alpha</a><ol>'
        '<li><a href="a.xhtml#s">Section</a></li></ol></li></ol></li><li><a href="b.xhtml">Coda</a></li>'
    )
    chapters = {
        "a.xhtml": xhtml('<h2>1 Alpha</h2><p>One.</p><h3 id="s">Section</h3><p>Two.</p>'),
        "b.xhtml": xhtml("<h1>Last words</h1><p>Three.</p>"),
    }

    first, second = load(tmp_path, book(chapters, contents=contents)).pages

    assert (first.parts, first.title) == (("Part I",), "1 Alpha")
    assert [(section.heading_path, section.anchor) for section in first.sections] == [
        (("Part I", "1 Alpha"), ""),
        (("Part I", "1 Alpha", "Section"), ""),
    ]
    assert [section.heading_path for section in second.sections] == [("Coda", "Last words")]


def test_title_with_its_number_is_not_repeated(tmp_path):
    """GitBook writes that of its contents above the page's own; a section of another name stays."""
    chapters = {
        "a.xhtml": xhtml("<h1>1.3 - Small boats</h1><h1>Small boats</h1><h2>Oars</h2><p>Two.</p>"),
        "b.xhtml": xhtml("<h1>1.4 - Sails</h1><h2>Small sails</h2><p>One.</p>"),
    }
    contents = '<li><a href="a.xhtml">1.3 - Small boats</a></li><li><a href="b.xhtml">1.4 - Sails</a></li>'

    loaded = load(tmp_path, book(chapters, contents=contents))

    assert [page.sections[-1].heading_path for page in loaded.pages] == [
        ("1.3 - Small boats", "Oars"),
        ("1.4 - Sails", "Small sails"),
    ]


def test_second_version_takes_its_titles_from_the_ncx(tmp_path):
    """Most old books have no other contents; their document type names a file that is not fetched."""
    ncx = (
        '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" '
        '"http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
        '<navPoint><navLabel><text>Part I</text></navLabel><content src="a.xhtml"/>'
        '<navPoint><navLabel><text>Beta</text></navLabel><content src="b.xhtml#top"/></navPoint>'
        "</navPoint></navMap></ncx>"
    )
    entries = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": opf(
            [*(item(name) for name in TWO), item("toc.ncx", kind="application/x-dtbncx+xml")], list(TWO)
        ),
        "OEBPS/toc.ncx": ncx,
        **{f"OEBPS/{name}": text for name, text in TWO.items()},
    }

    pages = load(tmp_path, archive(entries)).pages

    assert [(page.parts, page.title) for page in pages] == [((), "Part I"), (("Part I",), "Beta")]


def test_file_that_the_contents_do_not_list_goes_on_with_the_chapter_before(tmp_path):
    """Converters cut long chapters into files."""
    chapters = {
        **TWO,
        "a2.xhtml": xhtml("<p>More of alpha.</p>"),
        "c.xhtml": xhtml("<h1>C</h1><p>Gamma.</p>"),
    }
    content = book(
        chapters,
        contents='<li><a href="a.xhtml">Alpha</a></li>',
        spine=["a.xhtml", "a2.xhtml", "c.xhtml"],
    )

    assert [page.title for page in load(tmp_path, content).pages] == ["Alpha", "Alpha", "C"]


def test_file_with_several_chapters_has_its_own_title(tmp_path):
    """The first chapter's title would be false for the second."""
    contents = '<li><a href="a.xhtml#i">I</a></li><li><a href="a.xhtml#ii">II</a></li>'
    body = '<h2 id="i">I</h2><p>One.</p><h2 id="ii">II</h2><p>Two.</p>'
    loaded = load(tmp_path, book({"a.xhtml": xhtml(body, title="Tales")}, contents=contents))

    assert [section.heading_path for section in loaded.pages[0].sections] == [("Tales", "I"), ("Tales", "II")]


def test_asides_notes_and_self_closed_elements_keep_the_text(tmp_path):
    """In a book all of the body is the author's, and XHTML is not HTML."""
    body = (
        '<header><h1>A</h1></header><a id="x"/><script src="s.js"/><article><p>First.</p></article><div/>'
        "<p>Second.</p><aside><p>Note.</p></aside><footer><p>End.</p></footer>"
    )
    chapter = xhtml(body).replace("<title>Whatever</title>", "<title/>")

    page = load(tmp_path, book({"a.xhtml": chapter})).pages[0]

    assert page.source.split() == ["#", "A", "First.", "Second.", "Note.", "End."]


def test_pictures_asides_of_the_spine_and_the_contents_are_passed_over_silently(tmp_path):
    """A cover is no fault of the book's."""
    chapters = {"cover.xhtml": xhtml('<img src="c.png" alt="Cover"/>'), **TWO}
    spine = ["cover.xhtml", "nav.xhtml", "plate.svg", *TWO]
    content = book(chapters, spine=spine, items=[item("plate.svg", kind="image/svg+xml")])

    loaded = load(tmp_path, content)

    assert ([page.title for page in loaded.pages], loaded.skipped) == (["A", "B"], ())


LISTED = "".join(f"<li><a href='a.xhtml#s{n}'>Alpha {n}</a> 1.{n}</li>" for n in range(9))


@pytest.mark.parametrize(
    "page",
    [
        f"<h1>Contents</h1><ol>{LISTED}</ol>",
        '<h1>Contents</h1><nav epub:type="toc"><ol><li><a href="a.xhtml">Alpha</a></li></ol></nav>',
    ],
)
def test_table_of_contents_is_no_chapter(tmp_path, page):
    """GitBook and Asciidoctor put it in the spine, beside the one that readers of EPUBs show."""
    chapters = {"contents.xhtml": xhtml(page), **TWO}

    assert [page.title for page in load(tmp_path, book(chapters)).pages] == ["A", "B"]


def test_chapter_with_many_links_is_one(tmp_path):
    """To other sites, or among its words."""
    outside = "".join(f"<li><a href='https://oars.example/{n}'>Oars {n}</a></li>" for n in range(9))
    inside = "".join(f"<p>See <a href='b.xhtml#{n}'>Oar {n}</a> for a longer one.</p>" for n in range(9))
    chapters = {"a.xhtml": xhtml(f"<h1>A</h1><ul>{outside}</ul>"), "b.xhtml": xhtml(f"<h1>B</h1>{inside}")}

    assert len(load(tmp_path, book(chapters)).pages) == 2


def test_spine_entry_marked_not_linear_is_left_out(tmp_path):
    """Pop-up notes are not read in turn."""
    content = book(TWO)
    entries = {name: zipfile.ZipFile(BytesIO(content)).read(name) for name in _names(content)}
    entries["OEBPS/book.opf"] = entries["OEBPS/book.opf"].replace(
        b'idref="b.xhtml"', b'idref="b.xhtml" linear="no"'
    )

    assert [page.title for page in load(tmp_path, archive(entries)).pages] == ["A"]


def test_utf16_is_read(tmp_path):
    """The standard allows it."""
    chapter = xhtml("<h1>Ä</h1><p>Öl.</p>").replace("UTF-8", "UTF-16").encode("utf-16")

    assert load(tmp_path, book({"a.xhtml": chapter})).pages[0].title == "Ä"


def test_chunks_are_verbatim(tmp_path):
    """Quotes are cut from the page's source."""
    body = "<h1>T</h1>" + "".join(f'<h2 id="s{n}">S{n}</h2><p>{"Word " * 300}end {n}.</p>' for n in range(4))
    loaded = load(tmp_path, book({"a.xhtml": xhtml(body)}))

    chunks = chunk_book(loaded)

    source = loaded.pages[0].source
    assert all(source[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert {chunk.heading_path[-1] for chunk in chunks} == {"S0", "S1", "S2", "S3"}


def test_books_in_a_folder_have_distinct_paths(tmp_path):
    """Entries of two books have the same names."""
    (tmp_path / "10.epub").write_bytes(book(TWO))
    (tmp_path / "9.epub").write_bytes(book(TWO))
    (tmp_path / "bad.epub").write_bytes(b"PK\x03\x04 no")
    (tmp_path / "note.md").write_text("# Note\n\ntext\n")

    loaded = load_book(tmp_path)

    assert [page.path for page in loaded.pages] == [
        "9.epub/OEBPS/a.xhtml",
        "9.epub/OEBPS/b.xhtml",
        "10.epub/OEBPS/a.xhtml",
        "10.epub/OEBPS/b.xhtml",
        "note.md",
    ]
    assert loaded.pages[0].parts == ("The Book",)
    assert {page.address for page in loaded.pages} == {"9.epub", "10.epub", "note.md"}
    assert loaded.pages[0].sections[0].heading_path == ("The Book", "A")
    assert [(skipped.path, skipped.reason) for skipped in loaded.skipped] == [
        ("bad.epub", "The file is damaged, or no EPUB: it is not a ZIP archive.")
    ]


# --- what is refused ---------------------------------------------------------------------------


def _names(content):
    return zipfile.ZipFile(BytesIO(content)).namelist()


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    "<container><rootfiles>&b;</rootfiles></container>"
)
OUTSIDE_ENTITY = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><container>&a;</container>'
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a ZIP archive"),
        (b"%PDF-1.4", "not a ZIP archive"),
        (archive({"a.txt": "x"}), "no EPUB"),
        (archive({"META-INF/container.xml": "<container/>"}), "names no package"),
        (archive({"META-INF/container.xml": "<container>"}), "not valid XML"),
        (archive({"META-INF/container.xml": CONTAINER}), "does not hold it"),
        (archive({"META-INF/container.xml": CONTAINER.replace("OEBPS", "../..")}), "names no package"),
        (archive({"META-INF/container.xml": BILLION_LAUGHS}), "declares entities"),
        (archive({"META-INF/container.xml": OUTSIDE_ENTITY}), "declares entities"),
        (book({}), "no chapter"),
        (book(TWO)[:-400], "not a ZIP archive"),
    ],
)
def test_broken_book_is_refused_with_a_sentence(tmp_path, content, sentence):
    """The operator learns what is wrong with the file."""
    assert sentence in refusal(tmp_path, content)


def test_entities_in_the_contents_lose_the_titles_alone(tmp_path):
    """The chapters are worth more than their names."""
    attack = '<!DOCTYPE html [<!ENTITY a "ha">]>' + nav("<li>&a;</li>").partition("<!DOCTYPE html>")[2]

    loaded = load(tmp_path, book(TWO, others={"OEBPS/nav.xhtml": attack}))

    assert [page.title for page in loaded.pages] == ["A", "B"]
    assert [(skipped.path, "entities" in skipped.reason) for skipped in loaded.skipped] == [
        ("OEBPS/nav.xhtml", True)
    ]


def test_chapter_that_unzips_to_too_much_is_skipped(tmp_path):
    """A bomb is small until it is opened."""
    bomb = xhtml("<p>" + "a" * 400_000 + "</p>")
    large = xhtml("".join(f"<p>{n * 7919 % 10_007}</p>" for n in range(2_000)))

    loaded = load(tmp_path, book({**TWO, "c.xhtml": bomb, "d.xhtml": large}))
    small = load(tmp_path, book({**TWO, "d.xhtml": large}), max_file_bytes=20_000)

    assert [page.title for page in loaded.pages][:2] == ["A", "B"]
    assert "zip bombs" in loaded.skipped[0].reason
    assert "limit is 20,000" in small.skipped[0].reason


def test_false_declaration_of_size_is_found_out(tmp_path):
    """The sizes that an archive declares may be false."""
    content = bytearray(book({**TWO, "c.xhtml": xhtml("<p>" + "word " * 30_000 + "</p>")}))
    with zipfile.ZipFile(BytesIO(content)) as opened:
        size = opened.getinfo("OEBPS/c.xhtml").file_size.to_bytes(4, "little")
    content = content.replace(size, (2_000).to_bytes(4, "little"))

    loaded = load(tmp_path, bytes(content))

    assert [page.title for page in loaded.pages] == ["A", "B"]
    assert "damaged" in loaded.skipped[0].reason


def test_whole_book_is_unzipped_within_a_limit(tmp_path, monkeypatch):
    """Many entries within the limit may exceed it together."""
    monkeypatch.setattr(epub_archive, "MAX_UNZIPPED_BYTES", 3_000)
    chapters = {f"{n}.xhtml": xhtml(f"<h1>{n}</h1><p>{'word ' * 100}</p>") for n in range(9)}

    loaded = load(tmp_path, book(chapters))

    assert 0 < len(loaded.pages) < 9
    assert all("longer than 3,000 bytes" in skipped.reason for skipped in loaded.skipped)


@pytest.mark.parametrize(
    ("module", "limit", "value", "sentence"),
    [
        (epub_archive, "MAX_ENTRIES", 3, "more than 3 entries"),
        (epub_package, "MAX_SPINE", 1, "limit is 1"),
    ],
)
def test_too_many_entries_are_refused(tmp_path, monkeypatch, module, limit, value, sentence):
    """A directory of millions fills the memory."""
    monkeypatch.setattr(module, limit, value)

    assert sentence in refusal(tmp_path, book(TWO))


def test_chapter_of_headings_alone_and_slow_book_are_given_up(tmp_path):
    """The work for one file is bounded; time is handed in."""
    chapters = {**TWO, "c.xhtml": xhtml("<h2>x</h2>" * 5_001)}
    clock = count(step=epub.FILE_TIMEOUT_S / 2).__next__

    loaded = load(tmp_path, book(chapters))

    assert [skipped.reason for skipped in loaded.skipped] == ["The chapter has more than 5,000 headings."]
    with pytest.raises(BookError, match="15 minutes"):
        read_epub(BookFolder(tmp_path), "a.epub", content=book(chapters), clock=clock)


def test_paths_out_of_the_archive_lead_nowhere_and_nothing_is_written(tmp_path):
    """An archive may name any path there is."""
    secret = tmp_path / "secret.xhtml"
    secret.write_text(xhtml("<h1>Secret</h1>"))
    entries = [
        item("../../secret.xhtml"),
        item("/etc/passwd"),
        item("file:///etc/passwd"),
        item("http://example.org/a.xhtml"),
        item("..%2f..%2fsecret.xhtml"),
        item("http://[a"),
    ]
    spine = ["a.xhtml", "../../secret.xhtml", "/etc/passwd", "file:///etc/passwd", "..%2f..%2fsecret.xhtml"]
    spine += ["http://example.org/a.xhtml", "http://[a"]
    content = book(TWO, items=entries, spine=spine, others={"../../evil.xhtml": "evil"})

    loaded = load(tmp_path, content)

    assert [page.title for page in loaded.pages] == ["A"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.epub", "secret.xhtml"]


def test_ring_of_fallbacks_ends(tmp_path):
    """A manifest may point to itself."""
    ring = [
        item("x", 'fallback="y"', kind="image/png"),
        item("y", 'fallback="x"', kind="image/png"),
        item("z", 'fallback="a.xhtml"', kind="image/png"),
    ]

    loaded = load(tmp_path, book(TWO, items=ring, spine=["x", "z"]))

    assert [page.title for page in loaded.pages] == ["A"]


def test_contents_nested_without_end_are_bearable(tmp_path):
    """Ten thousand parts within each other are no parts."""
    depth = 10_000
    contents = '<li><a href="a.xhtml">A</a><ol>' * depth + "</ol></li>" * depth

    page = load(tmp_path, book(TWO, contents=contents)).pages[0]

    assert len(page.parts) < table_of_contents.MAX_PARTS


def test_protected_book_is_refused(tmp_path):
    """Its text is noise; mangled fonts do not matter."""
    locked = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
        '<e:EncryptionMethod Algorithm="{}"/><e:CipherData><e:CipherReference URI="OEBPS/a.xhtml"/>'
        "</e:CipherData></e:EncryptedData></encryption>"
    )
    drm = {"META-INF/encryption.xml": locked.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")}
    fonts = {"META-INF/encryption.xml": locked.format("http://www.idpf.org/2008/embedding")}

    assert "DRM" in refusal(tmp_path, book(TWO, others=drm))
    assert len(load(tmp_path, book(TWO, others=fonts)).pages) == 2


def test_entry_with_a_password_or_a_strange_compression_is_skipped(tmp_path):
    """Other ways of compression unzip without bounds."""
    chapters = {f"{name}.xhtml": xhtml(f"<h1>{name}</h1><p>text</p>") for name in "abc"}
    content = bytearray(book(chapters))
    for name, offset, value in ((b"OEBPS/b.xhtml", 8, 1), (b"OEBPS/c.xhtml", 10, zipfile.ZIP_BZIP2)):
        # The last time that the name stands there is in the archive's directory, behind 46 bytes.
        content[content.rindex(name) - 46 + offset] = value

    loaded = load(tmp_path, bytes(content))

    assert [page.title for page in loaded.pages] == ["a"]
    assert "password" in loaded.skipped[0].reason
    assert "does not know" in loaded.skipped[1].reason
