"""Test tagged PDFs: blocks, titles, lists and tables by their tags, and tags that are not to be trusted."""

import pytest

from ragbot.books.formats import pdf_tags
from tests.books.formats.test_pdf import lines, load, pdf, shown, with_outline


def element(role, *kids, page=0, attributes=""):
    """Return an element of a structure tree. Kids are elements, or numbers of marked content on `page`."""
    return f"<< /S /{role} /Pg {10 + 2 * page} 0 R {attributes} /K [{' '.join(map(str, kids))}] >>"


def marked(number, operators, role="P"):
    """Return operators as the piece of a page that has this number."""
    return f"/{role} << /MCID {number} >> BDC\n{operators}\nEMC"


def artifact(operators):
    return f"/Artifact << /Type /Pagination >> BDC\n{operators}\nEMC"


def tagged(streams, *elements, objects=(), roles=""):
    """Build a tagged PDF. `objects` are numbered from 101."""
    root = f"<< /Type /StructTreeRoot /RoleMap << {roles} >> /K [{' '.join(elements)}] >>"
    return pdf(*streams, objects=(root, *objects), catalog="/StructTreeRoot 100 0 R")


def pieces(*texts, top=700, leading=12):
    """Return a page's lines, each a piece with its number."""
    return "\n".join(marked(n, shown(text, y=top - leading * n)) for n, text in enumerate(texts))


def sources(tmp_path, content):
    return [page.source.strip() for page in load(tmp_path, content).pages]


def source(tmp_path, content):
    (only,) = sources(tmp_path, content)
    return only


# --- blocks ------------------------------------------------------------------------------------


def test_paragraphs_are_those_of_the_tags(tmp_path):
    """Neither a gap nor a short line tells; the words of a paragraph may be many pieces."""
    page = "\n".join(
        [
            marked(0, shown("One sentence", y=700)),
            marked(1, shown("goes on here.", y=650)),
            marked(2, shown("Another stands close", y=638)),
            marked(3, shown("below it.", y=626)),
        ]
    )

    content = tagged([page], element("P", 0, element("Span", 1)), element("P", 2, 3))

    assert source(tmp_path, content) == "One sentence goes on here.\n\nAnother stands close below it."


def test_paragraphs_of_tags_that_were_guessed_are_mended(tmp_path):
    """Acrobat gives lines that were broken by hand a paragraph each, and several paragraphs one."""
    page = "\n".join(
        [
            marked(0, shown("The sheet trims the sail, and is led through blocks to", y=700)),
            marked(1, shown("the cockpit.", y=688)),
            marked(2, shown("moor --anchor", y=676)),
            marked(3, shown("moor --buoy", y=664)),
            marked(4, shown("Take care of your hands.", y=652) + shown("All halyards are of wire.", y=620)),
        ]
    )

    content = tagged([page], *(element("P", n) for n in range(5)))

    assert source(tmp_path, content).split("\n\n") == [
        "The sheet trims the sail, and is led through blocks to the cockpit.",
        "moor --anchor",
        "moor --buoy",
        "Take care of your hands.",
        "All halyards are of wire.",
    ]


def test_styles_have_the_roles_that_they_are_mapped_to(tmp_path):
    """Programs name elements after the author's styles; a map in a circle ends."""
    page = pieces("Sails", "The jib is small.", "Masts", "The mast is tall.", "Hulls", "The hull is wide.")
    elements = (element("My_head" if n % 2 == 0 else "Round", n) for n in range(6))

    content = tagged([page], *elements, roles="/My_head /Own /Own /H2 /Round /Trip /Trip /Round")

    assert source(tmp_path, content).startswith("## Sails\n\nThe jib is small.\n\n## Masts\n\n")


def test_tagged_headings_are_titles(tmp_path):
    """In the type of the text, without an outline; the only one of the first level is the book's title."""
    first = pieces("Boats", "Sails", "The jib is small.", "Of the jib", "It is in front.")
    second = pieces("Masts", "The mast is tall.", "echo 1")
    second += "\n" + marked(3, shown("hull --wide", y=500, font="F2")) + marked(4, shown("It floats.", y=480))
    content = tagged(
        [first, second],
        element("H1", 0),
        *(element(role, n + 1) for n, role in enumerate(["H2", "P", "H3", "P"])),
        *(element(role, n, page=1) for n, role in enumerate(["H2", "P", "P", "H2", "P"])),
    )

    loaded = load(tmp_path, content)

    assert [[section.heading_path for section in page.sections] for page in loaded.pages] == [
        [("Page 1",), ("Sails",), ("Sails", "Of the jib")],
        [("Masts",), ("hull --wide",)],
    ]
    assert "### Of the jib\n\nIt is in front." in loaded.pages[0].source
    assert "## hull --wide\n\nIt floats." in loaded.pages[1].source


def test_outline_without_the_sections_is_completed(tmp_path):
    """The outline of many files has the chapters alone."""
    page = pieces("Sails", "The jib is small.", "Of the jib", "It is in front.", "Masts", "They are tall.")
    content = tagged([page], *(element(("H1", "P", "H2", "P", "H1", "P")[n], n) for n in range(6)))

    loaded = load(tmp_path, with_outline(content, [("Sails", 0, 0), ("Masts", 0, 0)]))

    assert [section.heading_path for section in loaded.pages[0].sections] == [
        ("Sails",),
        ("Sails", "Of the jib"),
        ("Masts",),
    ]


def test_paragraphs_tagged_as_headings_are_none(tmp_path):
    """Some authors choose a heading's style for its looks."""
    content = tagged([pieces(*(f"Words of {n}." for n in range(6)))], *(element("H3", n) for n in range(6)))

    assert load(tmp_path, content).pages[0].title == "Page 1"
    assert "#" not in load(tmp_path, content).pages[0].source


def test_blocks_are_in_the_order_of_the_tags_where_the_drawing_jumps(tmp_path):
    """Browsers draw listings with a scroll bar behind all prose."""
    page = "\n".join(
        [
            marked(0, shown("Type this:", y=700)),
            marked(1, shown("It says hello.", y=660)),
            marked(2, shown("greet", y=680, font="F2")),
        ]
    )

    content = tagged([page], element("P", 0), element("NonStruct", element("Code", 2)), element("P", 1))

    assert source(tmp_path, content) == "Type this:\n\n```\ngreet\n```\n\nIt says hello."


def test_columns_are_read_as_they_are_drawn(tmp_path):
    """Frames beside the story stand at the end of InDesign's tree."""
    page = "\n".join(
        [
            marked(0, shown("Left one.", y=700)),
            marked(1, shown("Left two.", y=680)),
            marked(2, shown("Right one.", x=300, y=700)),
            marked(3, shown("Below both.", y=400)),
        ]
    )

    content = tagged([page], *(element("P", n) for n in (3, 0, 1, 2)))

    assert source(tmp_path, content) == "Left one.\n\nLeft two.\n\nRight one.\n\nBelow both."


def test_code_in_a_sentence_parts_it_nowhere_and_a_listing_is_one(tmp_path):
    """Word has a paragraph for each line of a listing; some fonts of code do not tell."""
    page = "\n".join(
        [
            marked(0, shown("Call", y=700)),
            marked(1, shown("greet", x=100, y=700, font="F2")),
            marked(2, shown("with a name.", x=140, y=700)),
            marked(3, shown("def f\\(\\):", y=680, font="F2")),
            marked(4, shown("return 1", x=84, y=668, font="F2")),
            marked(5, shown("return 2", x=84, y=644, font="F2")),
            marked(6, shown("x = 1", y=620)),
            marked(7, shown("Text in no block,", y=600)),
            marked(8, shown("in two pieces.", x=160, y=600)),
        ]
    )
    content = tagged(
        [page],
        element("P", 0, element("Code", 1), 2),
        *(element("P", n) for n in (3, 4, 5)),
        element("Sect", element("Code", 6)),
        element("NonStruct", element("NonStruct", 7), element("NonStruct", 8)),
    )

    assert source(tmp_path, content) == (
        "Call greet with a name.\n\n```\ndef f():\n  return 1\n\n  return 2\n```\n\n```\nx = 1\n```\n\n"
        "Text in no block, in two pieces."
    )


# --- lists -------------------------------------------------------------------------------------


def test_items_have_the_bullets_and_numbers_of_their_labels(tmp_path):
    """A label is a piece of its own, of any sign, and may be drawn behind all text."""
    page = "\n".join(
        [
            marked(0, shown("o", y=700)) + marked(1, shown("The sheet.", x=90, y=700)),
            marked(2, shown("It is thick.", x=110, y=688)),
            marked(4, shown("2.", y=676)) + marked(5, shown("The halyard.", x=90, y=676)),
            marked(6, shown("It is of wire.", x=90, y=664)),
            marked(7, shown("No label.", y=652)),
            marked(3, shown("*", x=100, y=688)),
        ]
    )
    below = element("L", element("LI", element("LBody", 2), element("Lbl", 3)))
    content = tagged(
        [page],
        element(
            "L",
            element("LI", element("Lbl", 0), element("LBody", element("P", 1), below)),
            element(
                "LI", element("Lbl", element("P", 4)), element("LBody", element("P", 5), element("P", 6))
            ),
            element("LI", 7),
        ),
    )

    assert source(tmp_path, content).split("\n\n") == [
        "- The sheet.",
        "    - It is thick.",
        "2. The halyard.",
        "It is of wire.",
        "- No label.",
    ]


def test_rest_of_a_block_stands_on_the_page_where_it_begins(tmp_path):
    """A paragraph may be over two pages, with footnotes between; and so may an item."""
    first = pieces("The sheet trims the sail. It", "Loosen it, and", "1 A sheet is a rope.")
    second = pieces("is thick.", "then pull the halyard.", "Mind the boom.")
    sheet, item = (element("P", 0), element("L", element("LI", 1)))
    sheet = sheet.replace("/K [0]", "/K [0 << /Type /MCR /Pg 12 0 R /MCID 0 >>]")
    item = item.replace("/K [1]", "/K [1 << /Type /MCR /Pg 12 0 R /MCID 1 >>]")

    content = tagged([first, second], sheet, item, element("Note", 2), element("P", 2, page=1))

    assert sources(tmp_path, content) == [
        "The sheet trims the sail. It is thick.\n\n- Loosen it, and then pull the halyard.\n\n"
        "1 A sheet is a rope.",
        "Mind the boom.",
    ]


def test_lines_of_an_item_that_are_items_each_are_one(tmp_path):
    """Tags that a program guessed: the first line has the bullet."""
    page = marked(0, shown("\\225 The sheet, which", y=700)) + marked(
        1, shown("trims the sail.", x=90, y=688)
    )
    page += marked(2, shown("\\225 The halyard.", y=676))

    content = tagged([page], *(element("L", element("LI", n)) for n in range(3)))

    assert source(tmp_path, content) == "- The sheet, which trims the sail.\n\n- The halyard."


# --- tables ------------------------------------------------------------------------------------


def row(*cells, role="TD", page=0):
    return element(
        "TR", *(element(role, *([cell] if isinstance(cell, int) else cell), page=page) for cell in cells)
    )


def grid(*rows, top=700, first=0):
    """Return the pieces of a table, row by row."""
    numbered = [(y, x, text) for y, texts in enumerate(rows) for x, text in enumerate(texts) if text]
    return "\n".join(
        marked(first + n, shown(text, x=72 + 100 * x, y=top - 14 * y))
        for n, (y, x, text) in enumerate(numbered)
    )


def test_tables_have_their_rows(tmp_path):
    """Cells are empty, hold lines and bars, and reach over columns and rows."""
    page = grid(
        ["Rope", "Width", "Use"], ["Sheet", "10 mm", "trims|eases"], ["Halyard", "hoists"], ["8 mm", "drops"]
    )
    wide = element("TD", element("P", 8), attributes="/A << /O /Table /ColSpan 2 >>")
    tall = element("TD", 6, attributes="/A [<< /O /Table /RowSpan 2 >>]")
    page = page.replace("/MCID 9 ", "/MCID 10 ").replace("/MCID 8 ", "/MCID 9 ")
    page += marked(8, shown("for all", x=172, y=640))
    content = tagged(
        [page],
        element(
            "Table",
            element("THead", row(0, 1, 2, role="TH")),
            element(
                "TBody",
                row(3, 4, 5),
                element("TR", tall, element("TD"), element("TD", 7)),
                element("TR", element("TD", 9), element("TD", 10)),
                element("TR", element("TD"), wide),
            ),
        ),
    )

    assert source(tmp_path, content).split("\n") == [
        "| Rope | Width | Use |",
        "|---|---|---|",
        "| Sheet | 10 mm | trims\\|eases |",
        "| Halyard |  | hoists |",
        "|  | 8 mm | drops |",
        "|  | for all |  |",
    ]


def test_table_goes_on_without_its_head(tmp_path):
    """The head stands on the page before; the first row there is none."""
    first, second = grid(["Rope", "Width"], ["Sheet", "10 mm"]), grid(["Halyard", "8 mm"])
    table = element("Table", row(0, 1), row(2, 3), row(0, 1, page=1))

    assert sources(tmp_path, tagged([first, second], table)) == [
        "| Rope | Width |\n|---|---|\n| Sheet | 10 mm |",
        "|  |  |\n|---|---|\n| Halyard | 8 mm |",
    ]


def test_first_row_with_a_sentence_is_no_head(tmp_path):
    """Word marks no heads; "Width: 10 mm" must not become "holds the sail ...: 10 mm"."""
    use = "Trims the sail that it belongs to, and is led to the cockpit through two blocks"
    table = element("Table", row(0, 1), row(2, 3))

    content = tagged([grid(["Sheet", use], ["Halyard", "Hoists it."])], table)

    assert source(tmp_path, content) == f"|  |  |\n|---|---|\n| Sheet | {use} |\n| Halyard | Hoists it. |"


@pytest.mark.parametrize(
    "rows",
    [
        (row(0), row(1)),
        (row(0, 1),),
        (row([element("H3", 0)], 1), row([], [])),
        (row([element("Table", row(0))], 1), row([], [])),
    ],
)
def test_table_for_the_layout_is_none(tmp_path, rows):
    """A frame around a note, or columns of the page."""
    content = tagged([pieces("Mind the boom.", "It hurts.")], element("Table", *rows))

    assert source(tmp_path, content) == "Mind the boom.\n\nIt hurts."


def test_cell_as_long_as_a_column_is_one(tmp_path):
    words = "The boom swings over when the wind comes from behind, and hurts whoever stands up. "
    page = "\n".join(marked(0, shown(words, y=700 - 12 * n)) for n in range(20))
    page += marked(1, shown("Beside it.", x=400, y=700)) + marked(2, shown("Below.", x=400, y=600))

    content = tagged([page], element("Table", row(0, 1), row(2, [])))

    assert "|" not in source(tmp_path, content)
    assert source(tmp_path, content).split("\n\n")[-2:] == ["Beside it.", "Below."]


# --- what is no text ---------------------------------------------------------------------------


def test_artifacts_and_contents_are_left_out(tmp_path):
    """Also those that Word tags as a section of the style "Artifact"."""
    page = "\n".join(
        [
            artifact(shown("My Book", y=760)),
            marked(0, shown("The hull is of oak, and", y=700)),
            artifact(shown("17", x=500, y=700)),
            marked(1, shown("the mast of pine.", y=688)),
            marked(2, shown("Draft", y=400)),
        ]
    )
    listed = pieces("Contents", "The hull 2", "The mast 3", "The sails 4", "The anchor 5")
    content = tagged(
        [page, listed],
        element("P", 0, 1),
        element("Artifact", 2),
        element("H1", 0, page=1),
        element("TOC", *(element("TOCI", element("Link", n, page=1)) for n in range(1, 5))),
        roles="/Artifact /Sect",
    )

    assert sources(tmp_path, content) == ["The hull is of oak, and the mast of pine."]


@pytest.mark.parametrize("wrap", [str, artifact])
def test_tags_that_leave_out_the_text_are_not_trusted(tmp_path, wrap):
    """A program that tags the covers alone, or marks all as decoration."""
    page = marked(0, shown("Boats", y=740)) + wrap(
        lines(*(f"Each hull has {n} planks of oak." for n in range(20)))
    )

    assert "Each hull has 7 planks of oak." in source(tmp_path, tagged([page], element("P", 0)))


def test_few_words_below_a_long_head_are_read(tmp_path):
    page = artifact(shown("The Book of Boats: " + "sails and masts, " * 10, y=760)) + marked(
        0, shown("Go on.")
    )

    assert source(tmp_path, tagged([page], element("P", 0))) == "Go on."


def test_heads_that_are_artifacts_on_most_pages_go_from_all(tmp_path):
    """InDesign has them in the text where an author drew over the master page."""
    pages = [(str if n == 3 else artifact)(shown("The Book of Boats", y=760)) for n in range(8)]
    pages = [f"{head}\n{marked(0, shown(f'Words of {n}.'))}" for n, head in enumerate(pages)]

    assert sources(tmp_path, tagged(pages, *(element("P", 0, page=n) for n in range(8)))) == [
        f"Words of {n}." for n in range(8)
    ]


# --- the file ----------------------------------------------------------------------------------


def test_numbers_within_a_form_are_its_own(tmp_path):
    inner = marked(1, shown("and in the form.", y=650))
    fonts = "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    form = f"<< /Subtype /Form {fonts} /Length {len(inner)} >>\nstream\n{inner}\nendstream"
    page = marked(0, shown("Before it,") + "\n/Fm Do") + marked(1, shown("Behind it.", y=600))
    content = tagged([page], element("P", 0), element("H1", 1), objects=(form,)).replace(
        b"/Contents 11 0 R",
        b"/Contents 11 0 R /Resources << /XObject << /Fm 101 0 R >> /Font << /F1 "
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>",
    )

    assert source(tmp_path, content) == "Before it, and in the form.\n\nBehind it."


def test_mark_may_name_its_number_in_the_resources(tmp_path):
    page = "/P /Mc0 BDC\n" + shown("One") + "\nEMC /P /Mc1 BDC\n" + shown("paragraph.", y=500) + "\nEMC"
    content = tagged([page], element("P", 0, 1)).replace(
        b"/Contents 11 0 R",
        b"/Contents 11 0 R /Resources << /Properties << /Mc0 << /MCID 0 >> /Mc1 << /MCID 1 >> >> "
        b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>",
    )

    assert source(tmp_path, content) == "One paragraph."


TAGGED = tagged(
    [
        grid(["Rope", "Width"], ["Sheet", "10 mm"])
        + artifact(shown("7", y=30))
        + marked(4, shown("Oars", y=500))
    ],
    element("Table", row(0, 1, role="TH"), row(2, 3)),
    element("L", element("LI", element("LBody", 4))),
)
DEEP = element("Sect", *["<< /S /Sect /K [" * 400 + "0" + "] >>" * 400])


@pytest.mark.parametrize(
    ("tree", "objects"),
    [
        ("101 0 R", ("<< /S /P /K [101 0 R 102 0 R] >>", "<< /S /P /K 101 0 R >>")),
        ("101 0 R", ("[101 0 R 101 0 R]",)),
        (DEEP, ()),
        ("<< /S 5 /K (words) >> true null 7 << /S /TR /K << /S /TD /Pg 5 /K [-1 1.5] >> >>", ()),
        ("<< /S /Table /K 101 0 R >>", ("<< /S /TR /K [101 0 R << /S /TD /K 101 0 R /A 101 0 R >>] >>",)),
        ("<< /Type /MCR /MCID (a) /Pg 10 0 R >> << /S /P /Pg 10 0 R /K << /Type /MCR /Pg 99 0 R >> >>", ()),
    ],
)
def test_nonsense_in_the_tree_is_borne(tmp_path, tree, objects):
    """The page says the same without it."""
    content = tagged([marked(0, shown("Words.")) + " EMC EMC /P 5 BDC BDC"], tree, objects=objects)

    loaded = load(tmp_path, content)

    assert (loaded.pages[0].source.strip(), loaded.skipped) == ("Words.", ())


def test_tree_with_more_elements_than_a_book_has_is_not_read(tmp_path, monkeypatch):
    page = pieces("Sails", "One.", "Masts", "Two.", "Hulls", "Three.")
    content = tagged([page], *(element(("H1", "P")[n % 2], n) for n in range(6)))
    assert load(tmp_path, content).pages[0].sections[1].heading_path[-1] == "Masts"

    monkeypatch.setattr(pdf_tags, "MAX_ELEMENTS", 10)

    assert load(tmp_path, content).pages[0].title == "Page 1"
