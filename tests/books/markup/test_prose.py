"""Test the leaf blocks of a chunk's text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.books.markup.prose import prose_blocks
from tests.fuzzing import fuzz

SHIPPED = Path(__file__).parents[3] / "books" / "physical-ai"


def blocks(text):
    return [(block.kind, text[block.start : block.end]) for block in prose_blocks(text)]


def test_each_kind_of_block_is_found_without_its_mark():
    """An answer quotes words, not bullets."""
    text = (
        "Para\nmore.\n\n### Head\n\n- one\n  - two\n- [ ] three\n\n3. four\n\n> said\n\n```py\nx\n```\n\n---"
    )

    assert blocks(text) == [
        ("paragraph", "Para\nmore."),
        ("heading", "Head"),
        ("list_item", "one"),
        ("list_item", "two"),
        ("list_item", "three"),
        ("list_item", "four"),
        ("quote", "said"),
        ("code", "```py\nx\n```"),
        ("other", "---"),
    ]


def test_table_gives_its_head_and_its_rows():
    """A row is a fact of its own."""
    assert blocks("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |") == [
        ("table_head", "| a | b |"),
        ("table_row", "| 1 | 2 |"),
        ("table_row", "| 3 | 4 |"),
    ]


def test_table_of_kramdown_gives_its_head_and_its_rows():
    """Its rule has plus signs, and attributes stand below."""
    assert blocks("| a | b |\n|---+---|\n| 1 | 2 |\n{: .wide}") == [
        ("table_head", "| a | b |"),
        ("table_row", "| 1 | 2 |"),
    ]


def test_later_paragraphs_of_a_definition_are_no_code():
    """They stand four blanks in, and hold the default of a setting as a rule."""
    text = (
        "Wick\n\n:   Draws the oil.\n\n    It lasts a month.\n\n    - cotton\n    - glass\n\n"
        "    ```sh\n    trim\n    ```\n\n        # code\n\nAnd then."
    )

    found = prose_blocks(text)

    assert [(block.kind, text[block.start : block.end]) for block in found] == [
        ("paragraph", "Wick\n\n:   Draws the oil."),
        ("paragraph", "It lasts a month."),
        ("list_item", "cotton"),
        ("list_item", "glass"),
        ("code", "    ```sh\n    trim\n    ```"),
        ("code", "        # code"),
        ("paragraph", "And then."),
    ]
    assert [block.in_item for block in found] == [False, True, False, False, True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("### `WICK=<n>`\n\n: Its width.\n\n    Defaults to 3.", [": Its width.", "Defaults to 3."]),
        (":     Five blanks.\n\n    More.", [":     Five blanks.", "More."]),
        (":\tA tab.\n\n\tMore.", [":\tA tab.", "More."]),
        ("Oil\nFat\n: One.\n: Two.\n\n    More.", ["Oil\nFat\n: One.\n: Two.", "More."]),
        ("> Oil\n>\n> : Burns.\n>\n>     Well.", ["> Oil\n>\n> : Burns.", ">     Well."]),
        ("- a\n\n    Oil\n    : Burns.\n\n        Well.", ["Oil\n    : Burns.", "Well."]),
        ("Trim it daily.\n\n: Burns.", ["Trim it daily.", ": Burns."]),
    ],
)
def test_definitions_are_found_as_they_are_written(text, expected):
    """Below a heading, with several terms, in quotations and lists; a sentence above is no term."""
    assert [found for kind, found in blocks(text) if kind == "paragraph"] == expected


def test_list_that_opens_a_definition_is_a_list():
    """Its first item stands on the line of the colon."""
    assert blocks("Oil\n\n:   - fish\n    - seed") == [
        ("paragraph", "Oil"),
        ("list_item", "fish"),
        ("list_item", "seed"),
    ]


def test_later_paragraphs_of_a_footnote_are_no_code():
    """They stand four blanks in."""
    text = "[^1]: One.\n    More.\n\n    Two.\n\n    - three\n\n[^b]: Four.\n\nFive.\n\n    code"

    assert blocks(text) == [
        ("paragraph", "[^1]: One.\n    More."),
        ("paragraph", "Two."),
        ("list_item", "three"),
        ("paragraph", "[^b]: Four."),
        ("paragraph", "Five."),
        ("code", "    code"),
    ]


def test_prose_behind_a_mark_of_mkdocs_is_no_code():
    """It stands four blanks in, with code of its own."""
    text = '=== "Linux"\n\n    Run this:\n\n    ```sh\n    ls\n    ```\n\nAnd then.\n\n    code'

    assert blocks(text) == [
        ("paragraph", '=== "Linux"'),
        ("paragraph", "Run this:"),
        ("code", "```sh\n    ls\n    ```"),
        ("paragraph", "And then."),
        ("code", "    code"),
    ]


def test_prose_between_tags_is_prose():
    """Details hold many an answer; tables and programs are laid out by hand."""
    assert blocks("<details>\n<summary>More</summary>\nIt is so.\n</details>")[0][0] == "paragraph"
    assert blocks("<table>\n<tr><td>1</td></tr>\n</table>")[0][0] == "other"
    assert blocks("<div>\n```\nls\n```\n</div>")[0][0] == "other"


def test_text_that_begins_in_the_middle_of_a_table_gives_rows():
    """An oversized table is cut between its rows."""
    assert blocks("| 1 | 2 |\n| 3 | 4 |") == [("table_row", "| 1 | 2 |"), ("table_row", "| 3 | 4 |")]


def test_text_that_begins_in_the_middle_of_a_list_gives_points():
    """An oversized list is cut between its points, nested ones too."""
    assert blocks("     - deep\n     - deeper\n  - up") == [
        ("list_item", "deep"),
        ("list_item", "deeper"),
        ("list_item", "up"),
    ]


@pytest.mark.parametrize(
    "listing",
    [
        "    class Product(models.Model):\n        name = CharField()\n        # No index\n    \n    x = 2",
        "\tdef f():\n\t\treturn 1",
    ],
)
def test_text_that_begins_with_an_indented_listing_is_code(listing):
    """A long listing may begin a chunk: it was shown as a sentence, without its line ends."""
    assert blocks(f"{listing}\n\nAnd then.") == [("code", listing), ("paragraph", "And then.")]


@pytest.mark.parametrize(
    "inside",
    [
        "    More of the item,\n    and more.",
        "    More of it:\n    - one\n        - two",
        "    !!! note\n        It is so.",
    ],
)
def test_text_that_begins_inside_of_a_list_is_no_code(inside):
    """Its later paragraphs are indented, too."""
    assert all(kind != "code" for kind, _ in blocks(inside))


def test_text_that_ends_a_fence_is_code():
    """The last part of a cut program holds the closing line alone."""
    assert blocks("# comment\nx = 1\n```") == [("code", "# comment\nx = 1\n```")]


def test_text_within_a_fence_is_code_if_it_is_said():
    """Of a program that was cut in three the middle part has no fence."""
    text = "# comment\n\n- x\n"

    assert [(block.kind, text[block.start : block.end]) for block in prose_blocks(text, in_code=True)] == [
        ("code", "# comment\n\n- x")
    ]


def test_second_paragraph_of_a_point_is_a_paragraph():
    """It has no bullet to lose."""
    assert blocks("- one\n\n  two") == [("list_item", "one"), ("paragraph", "two")]


def test_windows_line_ends_do_not_move_the_offsets():
    """Half of the shipped book has them."""
    assert blocks("a\r\n\r\n- b\r\n- c") == [("paragraph", "a"), ("list_item", "b"), ("list_item", "c")]


def test_blocks_of_the_shipped_book_are_disjoint_and_in_order():
    """Sentences are taken out of them by offset."""
    for chunk in chunk_book(load_book(SHIPPED)):
        position = 0
        for block in prose_blocks(chunk.text):
            assert position <= block.start < block.end <= len(chunk.text)
            position = block.end


@fuzz(15)
@given(st.text(alphabet="#-*>`|[x] 1.\n\r\tab", max_size=120))
def test_any_text_gives_disjoint_blocks(text):
    """Chunks hold what authors write."""
    position = 0
    for block in prose_blocks(text):
        assert position <= block.start < block.end <= len(text)
        position = block.end


def test_row_needs_no_bar_at_its_end():
    """As on GitHub; but a line that only begins with a bar is prose."""
    rows = prose_blocks("| *Care* | Washes |\n| *Skill* | Presses\n| *Taste* | Tastes | ")

    assert [block.kind for block in rows] == ["table_row"] * 3
    assert [block.kind for block in prose_blocks("|x| is the distance to zero.")] == ["paragraph"]


def test_later_blocks_of_an_item_are_marked():
    """They belong to the list; a nested list has items of its own."""
    text = "- Press.\n\n  Use a stone.\n\n  ```\n  ls\n  ```\n\n  - Wait.\n\nServe."

    assert [(block.kind, block.in_item) for block in prose_blocks(text)] == [
        ("list_item", False),
        ("paragraph", True),
        ("code", True),
        ("list_item", False),
        ("paragraph", False),
    ]
