"""Test PDFs: pages, outlines, cleaned text, and hostile files."""

import time
from collections import Counter
from io import BytesIO
from itertools import count

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.psCharStrings import T2CharString
from pypdf import PdfReader, PdfWriter

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.files import BookFolder
from ragbot.books.formats import pdf as pdf_reader
from ragbot.books.formats import pdf_lines
from ragbot.books.formats.pdf import read_pdf
from ragbot.books.formats.pdf_lines import PdfLine
from ragbot.books.formats.pdf_paragraphs import build_blocks
from ragbot.books.loader import load_book
from ragbot.core.errors import BookError

FONTS = (
    "<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> "
    "/F2 << /Type /Font /Subtype /Type1 /BaseFont /Courier >> >>"
)


def shown(text, x=72, y=700, size=10, font="F1"):
    """Return the operators that show a line; text is Latin-1 with the file's escapes."""
    return f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET"


def lines(*texts, top=700, leading=12, **style):
    return "\n".join(shown(text, y=top - leading * n, **style) for n, text in enumerate(texts))


def pdf(*streams, objects=(), catalog="", kids=None, info=""):
    """Build a PDF with one page for each stream. `objects` are numbered from 100."""
    numbers = [10 + 2 * n for n in range(len(streams))]
    references = kids or " ".join(f"{number} 0 R" for number in numbers)
    bodies = {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        2: f"<< /Type /Pages /Kids [{references}] /Count {len(streams)} /MediaBox [0 0 612 792] "
        f"/Resources << /Font {FONTS} >> >>",
        3: f"<< {info} >>",
        **{100 + n: body for n, body in enumerate(objects)},
    }
    for number, stream in zip(numbers, streams, strict=True):
        bodies[number] = f"<< /Type /Page /Parent 2 0 R /Contents {number + 1} 0 R >>"
        bodies[number + 1] = f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"
    content, offsets = b"%PDF-1.4\n", {}
    for number, body in bodies.items():
        offsets[number] = len(content)
        content += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = len(content)
    content += b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in offsets.items():
        content += f"{number} 1\n{offset:010} 00000 n \n".encode()
    trailer = f"trailer\n<< /Size {max(bodies) + 1} /Root 1 0 R /Info 3 0 R >>\nstartxref\n{table}\n%%EOF\n"
    return content + trailer.encode()


def with_outline(content, entries, **encryption):
    """Add an outline of (title, page from 0, depth) to a PDF."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(content)))
    above = []
    for title, page, depth in entries:
        parent = above[depth - 1] if depth else None
        above[depth:] = [writer.add_outline_item(title=title, page_number=page, parent=parent)]
    if encryption:
        writer.encrypt(**encryption, algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def load(tmp_path, content):
    (tmp_path / "book.pdf").write_bytes(content)
    return load_book(tmp_path / "book.pdf")


def refusal(tmp_path, content):
    with pytest.raises(BookError) as caught:
        load(tmp_path, content)
    return str(caught.value)


def text(tmp_path, *streams):
    return load(tmp_path, pdf(*streams)).pages[0].source.rstrip()


THREE = pdf(
    lines("Part one", "Alpha is first."),
    lines("Beta is second."),
    lines("Gamma is third.", "4.2 Delta", "Last."),
)


def cff_font(encoding):
    """Return a Compact Font Format program whose codes show the glyphs of these names."""
    names = [".notdef", *encoding.values()]
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(names)
    builder.setupCFF("Signs", {}, {name: T2CharString(program=[500, "endchar"]) for name in names}, {})
    program = builder.font["CFF "].cff
    program[0].Encoding = [encoding.get(code, ".notdef") for code in range(256)]
    out = BytesIO()
    program.compile(out, builder.font)
    return out.getvalue().decode("latin-1")


# --- pages and titles --------------------------------------------------------------------------


def test_without_an_outline_pages_are_called_by_their_numbers(tmp_path):
    """A citation opens the very page."""
    loaded = load(tmp_path, pdf(lines("First words."), "", lines("Last words."), info="/Title (A Book)"))

    assert loaded.title == "A Book"
    assert [(page.title, page.path, page.address) for page in loaded.pages] == [
        ("A Book, page 1", "book.pdf#page=1", "book.pdf#page=1"),
        ("A Book, page 3", "book.pdf#page=3", "book.pdf#page=3"),
    ]
    assert loaded.pages[0].sections[0].heading_path == ("A Book, page 1",)
    assert loaded.skipped == ()


def test_outline_gives_titles_and_parts(tmp_path):
    """A page stands under the entry that began last."""
    content = with_outline(THREE, [("Part I", 0, 0), ("Beta", 1, 1)])

    loaded = load(tmp_path, content)

    assert loaded.title == "book"
    assert [(page.parts, page.title) for page in loaded.pages] == [
        ((), "Part I"),
        (("Part I",), "Beta"),
        (("Part I",), "Beta"),
    ]


def test_entry_opens_a_section_where_its_words_stand(tmp_path):
    """Two sections share a page more often than not."""
    content = with_outline(THREE, [("Part I", 0, 0), ("Gamma", 1, 1), ("Delta", 2, 1)])

    page = load(tmp_path, content).pages[2]

    found = [(s.heading_path, page.source[s.start : s.end].split(), s.anchor) for s in page.sections]
    assert (page.parts, page.title) == ((), "Part I")
    assert found == [
        (("Part I", "Gamma"), ["Gamma", "is", "third."], ""),
        (("Part I", "Delta"), ["###", "4.2", "Delta", "Last."], ""),
    ]


def test_entry_opens_a_section_at_its_height_where_its_words_differ(tmp_path):
    """Outlines are shortened and numbered otherwise."""
    outline = (
        "<< /Type /Outlines /First 101 0 R /Last 102 0 R >>",
        "<< /Title (One) /Parent 100 0 R /Next 102 0 R /Dest [10 0 R /XYZ 0 720 0] >>",
        "<< /Title (Two) /Parent 100 0 R /Dest [10 0 R /XYZ 0 690 0] >>",
    )
    content = pdf(lines("Ere.", "After.", leading=20), objects=outline, catalog="/Outlines 100 0 R")

    page = load(tmp_path, content).pages[0]

    assert page.title == "Page 1"
    assert [(s.heading_path, page.source[s.start : s.end].strip()) for s in page.sections] == [
        (("One",), "Ere."),
        (("Two",), "After."),
    ]


def test_chunks_are_verbatim(tmp_path):
    """Quotes are cut from the page's source."""
    page = lines(*(f"Line {n} of a page that says a thing or two about many things." for n in range(50)))
    loaded = load(tmp_path, with_outline(pdf(page, page), [("A", 0, 0), ("B", 1, 0)]))

    chunks = chunk_book(loaded)

    sources = {page.path: page.source for page in loaded.pages}
    assert all(sources[chunk.path][chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [chunk.address for chunk in chunks][:: len(chunks) - 1] == ["book.pdf#page=1", "book.pdf#page=2"]


def test_without_an_outline_larger_lines_are_the_titles(tmp_path):
    """Word and many others write none."""

    def part(*texts, top, size=10):
        return lines(*texts, top=top, size=size, leading=1.2 * size)

    body = [f"Oars are a thing of which line {n} says more." for n in range(6)]
    front = part("The Oarsman", top=700, size=30) + part("by Bob", top=600)
    pages = [
        part(f"{n}. Oars and", "sails", top=740, size=18)
        + part("Purpose", top=690, size=14)
        + part(*body, top=670)
        + part("Purpose", top=580, size=14)
        + part(*body, top=560)
        for n in (1, 2)
    ]

    loaded = load(tmp_path, pdf(front, *pages))

    assert [page.title for page in loaded.pages] == ["Page 1", "1. Oars and sails", "2. Oars and sails"]
    assert [section.heading_path for section in loaded.pages[2].sections] == [
        ("2. Oars and sails",),
        ("2. Oars and sails", "Purpose"),
    ]
    second = loaded.pages[2].source
    assert second.startswith("## 2. Oars and sails\n\n### Purpose\n\nOars are")
    assert second.count("### Purpose") == 2


def test_handbook_of_short_sections_has_titles_by_size(tmp_path):
    """A title to three lines is no slide."""
    pages = [
        "\n".join(
            shown(f"{number}.{part} Of boats {word}", y=740 - 60 * part, size=12)
            + "\n"
            + lines(f"Here boats {word} are told of.", "Row them, and", f"sail {word}.", top=724 - 60 * part)
            for part, word in enumerate(("ash", "beech", "cedar", "elm"))
        )
        for number in (1, 2, 3)
    ]

    sections = load(tmp_path, pdf(*pages)).pages[1].sections

    assert [section.heading_path[-1] for section in sections[-4:]] == [
        f"2.{part} Of boats {word}" for part, word in enumerate(("ash", "beech", "cedar", "elm"))
    ]


def test_slides_have_no_titles_by_size(tmp_path):
    """Nearly all of their lines are large."""
    slides = [
        lines(f"Slide {n}", "Big", "words", size=30, leading=40) + lines("small", top=500) for n in (1, 2, 3)
    ]

    assert [page.title for page in load(tmp_path, pdf(*slides)).pages] == ["Page 1", "Page 2", "Page 3"]


def test_pdf_in_a_folder_stands_under_its_title_and_bad_ones_are_skipped(tmp_path):
    """One bad file never fails a folder of books."""
    (tmp_path / "one two.pdf").write_bytes(pdf(lines("Words."), info="/Title (One)"))
    (tmp_path / "bad.pdf").write_bytes(b"GIF89a")
    (tmp_path / "note.md").write_text("# Note\n\ntext\n")

    loaded = load_book(tmp_path)

    assert [(page.parts, page.title, page.address) for page in loaded.pages] == [
        ((), "Note", "note.md"),
        (("One",), "Page 1", "one%20two.pdf#page=1"),
    ]
    assert [(skipped.path, skipped.reason) for skipped in loaded.skipped] == [
        ("bad.pdf", "The file is no PDF: it does not begin with %PDF-.")
    ]


# --- text --------------------------------------------------------------------------------------


def test_pdf_among_what_pages_link_to_is_no_chapter(tmp_path):
    """A brochure in `assets/` was the first page, and named the book."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.pdf").write_bytes(pdf(lines("A drawing of an oar.")))

    alone = load_book(tmp_path)
    (tmp_path / "oars.md").write_text("# Oars\n\nPush.\n")
    book = load_book(tmp_path)

    assert len(alone.pages) == 1
    assert [page.path for page in book.pages] == ["oars.md"]
    assert [(out.suffix, out.files) for out in book.left_out] == [(".pdf", 1)]


def test_lines_are_joined_to_paragraphs(tmp_path):
    """A quote that breaks where the paper ended reads badly."""
    page = lines("A sentence that runs on", "to the next line.") + lines(
        "Another one,", "after a gap.", top=660
    )

    assert text(tmp_path, page) == "A sentence that runs on to the next line.\n\nAnother one, after a gap."


def test_indent_heading_and_bullet_begin_paragraphs(tmp_path):
    """Most books part paragraphs by an indent alone."""
    page = "\n".join(
        [
            shown("A Heading", y=700, size=16),
            shown("First line of the first", y=680),
            shown("paragraph.", y=668),
            shown("Second one, which is", x=90, y=656),
            shown("indented.", y=644),
            shown("\\267 a point that takes", y=632),
            shown("two lines", x=90, y=620),
            shown("\\267 another", y=608),
        ]
    )

    assert text(tmp_path, page).split("\n\n") == [
        "A Heading",
        "First line of the first paragraph.",
        "Second one, which is indented.",
        "- a point that takes two lines",
        "- another",
    ]


def test_lists_are_lists(tmp_path):
    """Else neither a whole list nor what leads to it is shown."""
    page = "\n".join(
        [
            shown("You need:", y=700),
            shown("\\267 milk \\(i.e.", y=688),
            shown("Warm milk\\) and", x=80, y=676),
            shown("\\261 a pan, or", x=90, y=664),
            shown("\\267a pot", x=90, y=652),
            shown("\\267 salt.", y=640),
            shown("\\261 Never hurry.", y=600),
            shown("1. Stir.", y=560),
            shown("\\267 Slowly.", x=90, y=548),
        ]
    )

    assert text(tmp_path, page).split("\n\n") == [
        "You need:",
        "- milk (i.e. Warm milk) and",
        "    - a pan, or",
        "    - a pot",
        "- salt.",
        "- Never hurry.",
        "1. Stir.",
        "    - Slowly.",
    ]


def test_bullets_of_words_own_fonts_are_bullets(tmp_path):
    codes = "/ToUnicode 101 0 R"
    table = "1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <B7> <F0B7> endbfchar\n"
    symbol = f"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol {codes} >>"
    stream = f"<< /Length {len(table)} >>\nstream\n{table}\nendstream"
    content = pdf(
        "\n".join(
            f"BT /F2 10 Tf 72 {y} Td (\\267) Tj /F1 10 Tf 18 0 Td ({words}) Tj ET"
            for y, words in ((700, "Row."), (688, "Sail."))
        ),
        objects=(symbol, stream),
    ).replace(b"/F2 << /Type /Font /Subtype /Type1 /BaseFont /Courier >>", b"/F2 100 0 R")

    assert load(tmp_path, content).pages[0].source.split("\n\n")[:2] == ["- Row.", "- Sail."]


def test_name_of_the_program_that_printed_is_no_part_of_the_title(tmp_path):
    content = pdf(shown("Boats fill."), info="/Title (Microsoft Word - Rowing Manual.docx)")
    assert load(tmp_path, content).title == "Rowing Manual"


def test_words_of_a_justified_line_stay_apart(tmp_path):
    """TeX sets narrow gaps for blanks in a full line; its fonts have another sign in the blank's place."""
    widths = " ".join(["500", "490", "510"] + ["500"] * 88)
    font = (
        "<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+TeXGyreTermes-Regular /FirstChar 32 /LastChar 122 "
        f"/Widths [{widths}] >>"
    )
    resources = "/Resources << /Font << /F1 100 0 R /F2 100 0 R >> >>"
    shown_words = "[(Bob) -187 (ripens) -170 (the) -200 (che) -20 (ddar)] TJ"
    stream = f"BT /F1 10 Tf 72 700 Td {shown_words} /F2 10 Tf 122.6 0 Td (slowly) Tj ET"
    content = pdf(stream, objects=(font,)).replace(
        b"/Contents 11 0 R", f"/Contents 11 0 R {resources}".encode()
    )

    assert load(tmp_path, content).pages[0].source.strip() == "Bob ripens the cheddar slowly"


def test_lines_in_which_each_word_is_placed_anew_are_lines(tmp_path):
    # Chrome and Google Docs: the pen goes to the top of the line first, and down again, before each word.
    words = (("Boats", 72), ("that", 104), ("are", 126), ("small", 146), ("fill", 72), ("quickly.", 92))
    placed = (
        f"BT /F1 10 Tf 1 0 0 -1 {x} {114 if number < 4 else 130} Tm 0 -14 Td ({word}) Tj ET"
        for number, (word, x) in enumerate(words)
    )
    assert (
        text(tmp_path, "q 1 0 0 -1 0 792 cm\n" + "\n".join(placed) + "\nQ")
        == "Boats that are small fill quickly."
    )


@pytest.mark.parametrize(
    "stream",
    [
        # The pen goes back to the line's start, and a number leads to the next letter.
        "BT /F1 10 Tf 1 0 0 1 72 700 Tm (T) Tj 1 0 0 1 72 700 Tm [-611 (he boat fills.)] TJ ET",
        # The blank of a justified line is wider than the font's, which is told by `Tw`.
        "BT /F1 10 Tf 1 0 0 1 72 700 Tm 5 Tw (The b) Tj 29.54 0 Td (oat fills.) Tj ET",
    ],
    ids=["goes_back", "stretched"],
)
def test_no_blank_parts_a_word(tmp_path, stream):
    assert text(tmp_path, stream) == "The boat fills."


def test_title_of_the_outline_is_a_heading(tmp_path):
    """As a sentence it was quoted."""
    content = with_outline(THREE, [("Part one", 0, 0), ("Gamma", 1, 1), ("Delta", 2, 1)])

    loaded = load(tmp_path, content)

    long = pdf(
        "\n".join([lines("1 Oars and", "sails", size=14, leading=18), lines("Text.", "More.", top=660)])
    )
    (page,) = load(tmp_path, with_outline(long, [("Oars and sails", 0, 0)])).pages
    assert page.source.startswith("## 1 Oars and sails\n\nText.")
    assert [page.source.strip() for page in loaded.pages] == [
        "## Part one\n\nAlpha is first.",
        "Beta is second.",
        "Gamma is third.\n\n### 4.2 Delta\n\nLast.",
    ]


def test_chinese_and_japanese_have_no_blanks():
    """A stretched line has gaps between its signs, and no search finds them then."""
    shown_lines = [
        PdfLine("如 果 上 游 源 码 、 请", 72, 700, 10, False, 6),
        PdfLine("使 用 GNU 编 码 标 准", 72, 688, 10, False, 6),
    ]

    (block,) = build_blocks(shown_lines, (), (), Counter(), {})

    assert block.text == "如果上游源码、请使用 GNU 编码标准"


def test_hyphens_at_line_ends_go_unless_they_are_the_words_own(tmp_path):
    """How the book spells a word elsewhere decides."""
    page = lines(
        "A compli-",
        "cated and well-",
        "known thing; what is well-known",
        "since the war in Alsace-",
        "Lorraine.",
    )

    assert text(tmp_path, page) == (
        "A complicated and well-known thing; what is well-known since the war in Alsace- Lorraine."
    )


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("Write to team@dairy.", "example.org", "Write to team@dairy.example.org"),
        ("Unpack cheese_1.0.orig.", "tar.gz", "Unpack cheese_1.0.orig.tar.gz"),
        ("Look at https:/", "/dairy.example", "Look at https://dairy.example"),
        ("It is in /usr/share/", "doc", "It is in /usr/share/doc"),
        (
            "Look at https://dairy.example/",
            "it is, it is, it is new.",
            "Look at https://dairy.example/ it is, it is, it is new.",
        ),
        ("They are soft \\(i.e.", "fresh\\).", "They are soft (i.e. fresh)."),
        ("It is at dairy.example.", "There it stays.", "It is at dairy.example. There it stays."),
    ],
)
def test_addresses_and_paths_go_on_in_the_next_line(tmp_path, first, second, joined):
    """Readers copy them."""
    assert text(tmp_path, lines(first, second)) == joined


def test_what_is_written_out_is_no_markup(tmp_path):
    """The address that a reader is to write to vanished from the answer."""
    assert text(tmp_path, lines("Write to Bob <bob@dairy.example>.")) == (
        "Write to Bob \\<bob@dairy.example>."
    )


def test_numbers_of_footnotes_are_dropped_and_powers_kept(tmp_path):
    """ "author.1" is no word, and "10 m2" no longer a surface without its power."""
    page = "\n".join(
        f"BT /F1 10 Tf 72 {y} Td ({before}) Tj /F1 6 Tf 0 4 Td (2) Tj /F1 10 Tf 3 -4 Td ( next.) Tj ET"
        for before, y in (("Bob is the author.", 700), ("Alice wrote this", 660), ("It has 10 m", 620))
    )

    assert text(tmp_path, page) == "Bob is the author. next. Alice wrote this next. It has 10 m2 next."


def test_numbers_of_footnotes_in_a_size_of_the_matrix_are_dropped(tmp_path):
    small = "BT /F1 1 Tf 10 0 0 10 72 700 Tm (Small boats) Tj 6 0 0 6 124.3 704 Tm (5) Tj ET"
    rest = "BT /F1 1 Tf 10 0 0 10 127.7 700 Tm ( fill quickly.) Tj ET"
    assert text(tmp_path, f"{small}\n{rest}") == "Small boats fill quickly."


def test_lists_of_footnotes_and_a_browsers_raised_numbers_are_dropped(tmp_path):
    """A number in the smaller type of code is not raised, and stays."""
    several = "BT /F1 10 Tf 72 700 Td (They fill quickly.) Tj /F1 6 Tf 0 4 Td (8, 9) Tj ET"
    raised = "BT /F1 10 Tf 72 660 Td (They also sink) Tj /F1 8.9 Tf 60 4 Td (3) Tj ET"
    code = "BT /F1 10 Tf 72 620 Td (It returns ) Tj /F2 8.5 Tf 45 0 Td (1) Tj ET"

    assert text(tmp_path, f"{several}\n{raised}\n{code}") == "They fill quickly. They also sink It returns 1"


def test_paragraph_behind_a_list_is_no_part_of_it(tmp_path):
    """It begins further left than the list does."""
    page = "\n".join(
        [shown("\\267 milk", x=90, y=700), shown("\\267 salt", x=90, y=688), shown("Stir it.", y=676)]
    )

    assert text(tmp_path, page).split("\n\n") == ["- milk", "- salt", "Stir it."]


def test_code_keeps_its_lines_and_its_indent(tmp_path):
    """A number sign is a comment in code and no heading; neither may be lost."""
    page = "\n".join(
        [
            shown("Say this:", y=700),
            shown("# greet", y=680, font="F2"),
            shown("def f\\(\\):", y=668, font="F2"),
            shown("return 1", x=72 + 24, y=656, font="F2"),
            shown("It is done.", y=636),
        ]
    )

    assert text(tmp_path, page) == "Say this:\n\n```\n# greet\ndef f():\n    return 1\n```\n\nIt is done."
    assert "# greet" in chunk_book(load(tmp_path, pdf(page)))[0].text


def test_colours_of_code_part_no_words(tmp_path):
    """Each colour is a run of its own, at its place, in a font whose widths are not told."""
    font = (
        "<< /Type /Font /Subtype /Type0 /BaseFont /LiberationMono /Encoding /Identity-H "
        "/DescendantFonts [101 0 R] >>"
    )
    below = "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /LiberationMono /DW 200 >>"
    runs = [("0064003D", 0), ("0024", 12), ("0064", 30)]
    stream = "\n".join(f"BT /F1 10 Tf {72 + x} 700 Td <{text}> Tj ET" for text, x in runs)
    content = pdf(stream, objects=(font, below)).replace(
        b"/Contents 11 0 R", b"/Contents 11 0 R /Resources << /Font << /F1 100 0 R >> >>"
    )

    assert load(tmp_path, content).pages[0].source.strip() == "```\nd=$ d\n```"


def test_blanks_of_code_stay_where_its_colour_changes(tmp_path):
    """They may be the first sign of a run."""
    stream = "BT /F2 10 Tf 72 700 Td (git) Tj ET\nBT /F2 10 Tf 90 700 Td ( add) Tj ET"

    assert text(tmp_path, stream) == "```\ngit add\n```"


def test_gap_between_lines_of_code_is_an_empty_line(tmp_path):
    page = [
        shown("a = 1", y=700, font="F2"),
        shown("b = 2", y=688, font="F2"),
        shown("c = 3", y=664, font="F2"),
    ]

    assert text(tmp_path, "\n".join(page)) == "```\na = 1\nb = 2\n\nc = 3\n```"


def test_frame_around_a_word_leaves_no_blank_before_the_stop(tmp_path):
    """Browsers draw one around code in a sentence."""
    parts = [shown("Call"), shown("greet", x=95, font="F2"), shown(". It needs", x=129), shown(".env", x=190)]

    assert text(tmp_path, "\n".join(parts)) == "Call greet. It needs .env"


def test_ligatures_that_a_font_names_are_spelt_out(tmp_path):
    """pypdf writes the names of signs that it does not know."""
    font = (
        "<< /Type /Font /Subtype /Type1 /BaseFont /Own /Encoding << /Differences [1 /f_i 2 /f_f_i] >> "
        "/FirstChar 1 /LastChar 2 /Widths [500 700] >>"
    )
    content = pdf(shown("of\\001ce, o\\002ce, /f_i"), objects=(font,)).replace(
        b"/Contents 11 0 R", b"/Contents 11 0 R /Resources << /Font << /F1 100 0 R >> >>"
    )

    assert load(tmp_path, content).pages[0].source.strip() == "office, office, /f_i"


def test_running_heads_and_page_numbers_are_dropped(tmp_path):
    """They repeat on every page and would stand in every quote."""
    pages = [
        "\n".join(
            [
                shown("My Book" if n % 2 else f"{n + 7}  Chapter {n // 6}", y=760),
                shown(f"Body of leaf {chr(97 + n)}, which ends in {chr(97 + n)}.", y=700),
                shown(str(n + 7), y=30),
            ]
        )
        for n in range(12)
    ]

    sources = [page.source.strip() for page in load(tmp_path, pdf(*pages)).pages]

    assert sources == [f"Body of leaf {chr(97 + n)}, which ends in {chr(97 + n)}." for n in range(12)]


def test_heads_of_several_lines_are_dropped(tmp_path):
    """A firm's form has its name, a motto and a warning above each page, and "Page 3 of 6" below."""
    head = ("THE BOAT FIRM", "Small boats since 1900", "ROW WITH CARE", "Wear a vest")
    pages = [
        "\n".join(
            [
                lines(*head, top=770),
                lines(f"Leaf {word} begins here.", f"And {word} is all of it.", top=690),
                shown(f"Confidential, page {number} of 6", y=30),
            ]
        )
        for number, word in enumerate(("ash", "beech", "cedar", "elm", "fir", "oak"), 1)
    ]

    sources = [page.source.strip() for page in load(tmp_path, pdf(*pages)).pages]

    assert sources[1:3] == [
        f"Leaf {word} begins here. And {word} is all of it." for word in ("beech", "cedar")
    ]


def test_running_heads_that_name_the_section_are_dropped(tmp_path):
    """They are others on each page; the titles of slides stand apart, too, and are larger."""

    def pages(size):
        return [
            "\n".join(
                [
                    shown(f"{word} OARS", y=750, size=size),
                    lines(
                        *(
                            f"{word} {verb}."
                            for verb in ("begins", "goes on", "grows", "turns", "stops", "ends")
                        )
                    ),
                ]
            )
            for word in ("FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH")
        ]

    for size, begins in ((10, "SECOND begins."), (14, "## SECOND OARS")):
        loaded = load(tmp_path, pdf(*pages(size)))
        assert loaded.pages[1].source.startswith(begins)


def test_running_heads_of_two_pages_printed_beside_each_other_are_dropped(tmp_path):
    """A designer's file has spreads, whose heads end in two numbers and change with each short chapter."""
    leaves = "abcdefgh"
    pages = [
        "\n".join(
            [
                shown(f"CHAPTER {leaves[n // 2]}{2 * n + 8} {2 * n + 9}", y=760),
                shown(f"Body of leaf {leaves[n]}.", y=700),
            ]
        )
        for n in range(8)
    ]

    sources = [page.source.strip() for page in load(tmp_path, pdf(*pages)).pages]

    assert sources == [f"Body of leaf {leaf}." for leaf in leaves]


def test_sentences_that_end_in_the_pages_number_are_kept(tmp_path):
    """Losing words is worse than keeping a running head."""
    pages = [lines(f"This is page {n}.", "It says so.") for n in range(1, 6)]

    assert load(tmp_path, pdf(*pages)).pages[2].source.startswith("This is page 3.")


def test_book_that_says_the_same_on_every_page_is_read(tmp_path):
    """Without its running heads nothing is left of it."""
    assert len(load(tmp_path, pdf(*[lines("Draft")] * 4)).pages) == 4


def test_dotted_lines_of_a_table_of_contents_are_dropped(tmp_path):
    """They match every question and answer none."""
    contents = lines("Contents", *(f"{n} Chapter . . . . . . . {n * 10}" for n in range(1, 6)))

    assert [page.title for page in load(tmp_path, pdf(contents, lines("Words."))).pages] == ["Page 2"]


def test_table_of_contents_without_dots_is_dropped_and_a_table_of_numbers_kept(tmp_path):
    titles = ("Boats", "Oars", "Sails", "Ropes", "Knots", "Charts", "Weather")
    numbered = lines(*(f"{title} {3 + 2 * n}" for n, title in enumerate(titles)))
    parts = [lines(f"{title} come in many kinds.", "All of them float.") for title in titles]
    counted = lines(*(f"{title} {90 - 7 * n}" for n, title in enumerate(titles)))

    book = load(tmp_path, pdf(numbered, counted, *parts))

    assert book.pages[0].source.startswith("Boats 90")
    assert len(book.pages) == 1 + len(parts)


def test_signs_that_only_the_font_knows_are_no_words(tmp_path):
    """A book of "/g148/g145" was published without a word."""
    font = (
        "<< /Type /Font /Subtype /Type1 /BaseFont /Own /Encoding << /Differences [65 /g148 /g145] >> "
        "/FirstChar 65 /LastChar 66 /Widths [500 700] >>"
    )
    resources = b"/Contents 11 0 R /Resources << /Font << /F1 100 0 R >> >>"
    few, most = (
        pdf(shown(line), objects=(font,)).replace(b"/Contents 11 0 R", resources)
        for line in ("Row to the pier by A.", "ABBA AB ABBA to AB")
    )

    assert load(tmp_path, few).pages[0].source.strip() == "Row to the pier by \ufffd."
    assert "text recognition (OCR)" in refusal(tmp_path, most)


def test_signs_that_pypdf_names_are_the_signs():
    """Listings of LaTeX set their quotes in a companion font."""
    text = "(don/quotesingle.ts1t) /grave.ts1row/grave.ts1 /nosuch.ts1and a/b.ts"

    assert pdf_lines.readable_text(text) == "(don't) `row` and a/b.ts"


def test_ligatures_are_spelt_out_and_other_signs_stay():
    """Nobody searches for a ligature; a superscript two is no two."""
    assert pdf_lines.readable_text("ﬁx the ﬂow² of ½\x00\x01\ud800") == "fix the flow² of ½?"


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no PDF"),
        (b"%PDF-1.4\nnothing", "damaged"),
        (b"%PDF-1.4\n%%EOF", "damaged"),
        (pdf(""), "holds no text"),
        (pdf(), "holds no text"),
        (with_outline(THREE, [], user_password="secret"), "encrypted"),
        (pdf("", kids="2 0 R"), "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(tmp_path, content, sentence):
    """The operator learns what to do."""
    assert sentence in refusal(tmp_path, content)


def test_file_that_opens_without_a_password_is_read(tmp_path):
    """Every viewer shows it."""
    content = with_outline(THREE, [], user_password="", owner_password="secret")

    assert load(tmp_path, content).pages[0].source.startswith("Part one")


def test_broken_cross_references_are_rebuilt(tmp_path):
    """Mail and old tools break the offsets."""
    broken = THREE.replace(b"%PDF-1.4\n", b"%PDF-1.4\n%more bytes than before\n")

    assert len(load(tmp_path, broken).pages) == 3
    assert "damaged" in refusal(tmp_path, THREE[: THREE.index(b"xref")])


@pytest.mark.parametrize(
    "entry",
    [
        "<< /Title (A) /Dest [10 0 R /Fit] /Next 101 0 R >>",
        "<< /Title (A) /Dest [10 0 R /Fit] /First 101 0 R >>",
        "<< /Title (A) /Dest [10 0 R /Fit] /First 100 0 R /Next 100 0 R >>",
        "<< /Title 7 /Dest [(x) /Fit] >>",
        "[1 2 3]",
        "<< /Title (A) /Dest [999999 /XYZ (a) (b) (c)] >>",
    ],
)
def test_outline_that_loops_or_is_broken_does_not_lose_the_text(tmp_path, entry):
    """The text is worth more than its titles."""
    objects = ("<< /Type /Outlines /First 101 0 R /Last 101 0 R >>", entry)

    loaded = load(tmp_path, pdf(lines("Words."), objects=objects, catalog="/Outlines 100 0 R"))

    assert loaded.pages[0].source.strip() == "Words."


def test_outline_without_end_is_reported(tmp_path):
    """Twelve entries that each open the next two are four thousand."""
    entries = [
        f"<< /Title (T{n}) /Dest [10 0 R /Fit] /First {102 + n} 0 R /Next {103 + n} 0 R >>" for n in range(40)
    ]
    objects = ("<< /First 101 0 R >>", *entries)

    loaded = load(tmp_path, pdf(lines("Words."), objects=objects, catalog="/Outlines 100 0 R"))

    assert loaded.pages[0].title == "Page 1"
    assert "outline is damaged or endless" in loaded.skipped[0].reason


def test_more_pages_than_a_book_has_are_refused_quickly(tmp_path):
    """A small file may list one page ten thousand times, and claim a hundred thousand."""
    started = time.process_time()

    claimed = refusal(tmp_path, pdf(lines("Words."), kids="10 0 R " * 10_100))
    counted = load(tmp_path, pdf(lines("Words.")).replace(b"/Count 1", b"/Count 100000"))

    assert "more than 5,000 pages" in claimed
    assert len(counted.pages) == 1
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("MAX_PAGES", 2, "3 pages; the limit is 2"),
        ("MAX_CHARACTERS", 20, "more than 20 characters"),
    ],
)
def test_too_much_is_refused(tmp_path, monkeypatch, limit, value, sentence):
    """The work for one file is bounded."""
    monkeypatch.setattr(pdf_reader, limit, value)

    assert sentence in refusal(tmp_path, THREE)


def test_page_beyond_the_limits_is_skipped(tmp_path, monkeypatch):
    """One bad page never fails the book."""
    monkeypatch.setattr(pdf_lines, "MAX_PAGE_CHARACTERS", 1_000)

    loaded = load(tmp_path, pdf(lines("Words."), lines("x" * 2_000)))

    assert [page.title for page in loaded.pages] == ["Page 1"]
    assert [(skipped.path, skipped.reason) for skipped in loaded.skipped] == [
        ("book.pdf#page=2", "The page holds more than 1,000 characters.")
    ]


def test_page_and_file_that_take_too_long_are_given_up(tmp_path):
    """A drawing may be a program; time is handed in."""

    slow = pdf(lines("Words."), lines("Words.") + "\n0 0 m" * 2_000)
    folder, other = BookFolder(tmp_path), BookFolder(tmp_path)

    loaded = read_pdf(folder, "a.pdf", content=slow, clock=count(step=pdf_lines.PAGE_TIMEOUT_S + 1).__next__)

    assert [page.title for page in loaded.pages] == ["Page 1"]
    assert "30 seconds" in folder.skipped[0].reason
    with pytest.raises(BookError, match="15 minutes"):
        read_pdf(other, "a.pdf", content=slow, clock=count(step=pdf_reader.FILE_TIMEOUT_S + 1).__next__)


def test_scanned_part_of_a_book_is_reported(tmp_path):
    """Readers would search for missing text in vain."""
    picture = "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 >>"
    content = pdf(lines("Words."), *[""] * 3, objects=(picture,))
    content = content.replace(b"/Contents 13 0 R", b"/Resources << /XObject << /I 100 0 R >> >>")
    content = content.replace(b"/Contents 15 0 R", b"/Resources << /XObject << /I 100 0 R >> >>")

    loaded = load(tmp_path, content)

    assert [skipped.reason for skipped in loaded.skipped] == [
        "2 of the PDF's 4 pages, the first of them 2, are pictures without text; "
        "they need text recognition (OCR) first."
    ]


@pytest.mark.parametrize(
    "stream",
    [
        "BT /F1 1e400 Tf (Words.) Tj ET",
        "BT /F1 10 Tf 1e308 0 0 1e308 1e308 1e308 Tm (Words.) Tj ET",
        "BT /F9 10 Tf (Words.) Tj ET",
        "BT /F1 10 Tf (Words.) Tj ET Q Q Q ]]] >> (((",
        "BT /F1 (a) Tf [] Td (Words.) Tj ET",
        "BT /F1 0 Tf (Words.) Tj ET",
    ],
)
def test_nonsense_in_a_page_is_borne(tmp_path, stream):
    """A damaged page is read in part or skipped; the next is read."""
    loaded = load(tmp_path, pdf(stream, lines("Next.")))

    assert loaded.pages[-1].source.strip() == "Next."
    assert len(loaded.pages) + len(loaded.skipped) == 2


@pytest.mark.parametrize("wrong", ["5 Tj", "Tj", "(a) Tw", "[5 []] TJ", "(b) Td"])
def test_operator_without_its_operands_loses_no_other_text(tmp_path, wrong):
    assert text(tmp_path, f"BT /F1 10 Tf 72 700 Td {wrong} (Words.) Tj ET") == "Words."


def test_code_in_a_font_of_no_size_is_read(tmp_path):
    """An indent is counted in letters, and must not divide by zero."""
    assert "Words." in text(tmp_path, "BT /F2 0 Tf 1 0 0 1 72 700 Tm (Words.) Tj ET")


def test_signs_are_those_that_the_fonts_own_program_names(tmp_path):
    """LaTeX's fonts of mathematics have no other table once a tool has made them smaller."""
    program = cff_font({ord("2"): "element", ord("8"): "universal", ord("x"): "x", ord("T"): "T"})
    font = (
        "<< /Type /Font /Subtype /Type1 /BaseFont /Signs /FontDescriptor 101 0 R /FirstChar 0 /LastChar 255 "
    )
    font += f"/Widths [{'500 ' * 256}] >>"
    descriptor = "<< /Type /FontDescriptor /FontName /Signs /Flags 4 /FontFile3 102 0 R >>"
    file = f"<< /Subtype /Type1C /Length {len(program)} >>\nstream\n{program}\nendstream"
    page = f"{lines('For all of them:')}\n{shown('8x2T', y=680, font='F3')}"
    content = pdf(page, objects=(font, descriptor, file)).replace(b"/Font << ", b"/Font << /F3 100 0 R ")

    assert "∀x∈T" in load(tmp_path, content).pages[0].source
