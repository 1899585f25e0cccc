"""Test the Markdown of chosen windows: the book's words, each run with its mark."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from ragbot.books.markup.readable import tidy_markdown
from ragbot.providers.extractive.layout import paragraphs_of
from ragbot.providers.extractive.windows import Window
from tests.providers.extractive.passages import READER, chunk_of


def laid_out(
    text: str, *units: int, is_run: bool = False, table_head: str = "", code_fence: str = ""
) -> list[str]:
    """Return the paragraphs of the units of these numbers; of all, if there are none."""
    chunk = replace(chunk_of(text), code_fence=code_fence)
    passage, blocks = READER.read(chunk, "english"), READER.blocks(chunk)
    return list(
        paragraphs_of(
            text,
            blocks,
            passage,
            Window(0, units or tuple(range(len(passage.units))), 0.0, is_run),
            mark="[1]",
            tidy=tidy_markdown,
            heading=lambda block: READER.words(text[blocks[block].start : blocks[block].end], "heading"),
            table_head=table_head,
            code_fence=code_fence,
        )
    )


@pytest.mark.parametrize(
    "text",
    [
        "Bob ripens it.",
        "- milk\n- salt",
        "1. Stir.",
        "| A |\n|---|\n| 1 |",
        "```\nls\n```",
        "```mermaid\ngraph\n```",
        "> Said Bob.",
    ],
)
def test_whatever_is_shown_ends_with_its_mark(text: str) -> None:
    """A reader can look up each word of it."""
    assert laid_out(text)[-1].endswith("[1]")


def test_rows_of_a_table_that_was_cut_stand_under_its_head() -> None:
    """The passage has the last rows alone; a table behind them has a head of its own."""
    text = "| ROUTER | Towers |\n| CLIENT | Hands |\n\nBob.\n\n| A |\n|---|\n| 1 |"

    shown = laid_out(text, table_head="| *Role* | Use |")

    assert shown[0].startswith("| *Role* | Use |\n| --- | --- |\n| ROUTER | Towers |\n| CLIENT | Hands |\n")
    assert shown[-1].startswith("| A |\n| --- |\n| 1 |")


def test_neighbouring_sentences_are_one_paragraph_with_one_mark() -> None:
    """They stand so in the book."""
    assert laid_out("Bob **ripens** it. He\nwaits.") == ["Bob **ripens** it. He waits. [1]"]


def test_sentences_of_two_paragraphs_stay_apart() -> None:
    """What lies between them is not shown."""
    assert laid_out("Bob ripens it.\n\nHe waits.") == ["Bob ripens it. [1]", "He waits. [1]"]


def test_sentences_with_one_between_that_is_not_shown_stay_apart() -> None:
    """Joined they would be no quotation."""
    assert laid_out("Bob ripens it. It is late. He waits.", 0, 2) == ["Bob ripens it. [1]", "He waits. [1]"]


def test_lead_in_stands_before_its_list_without_a_mark() -> None:
    """The list has them."""
    assert laid_out("You need:\n\n- milk\n- *fresh* rennet") == [
        "You need:",
        "- milk [1]\n- *fresh* rennet [1]",
    ]


def test_list_keeps_its_numbers_and_its_depth() -> None:
    """Steps are referred to by number."""
    assert laid_out("3. Stir.\n   - slowly\n4. [x] Wait.") == [
        "3. Stir. [1]\n    - slowly [1]\n4. Wait. [1]",
    ]


@pytest.mark.parametrize("indent", ["  ", "    ", "\t"])
def test_depth_is_that_of_the_items_and_not_of_their_blanks(indent: str) -> None:
    """Books set items in by two, three or four."""
    text = f"- Curd\n{indent}- cow\n{indent * 2}- red\n{indent}- goat\n- Whey"
    found = laid_out(text)[0]

    page = MarkdownIt().render(found)
    assert found.splitlines()[2].startswith("        - red")
    assert page.count("<ul>") == 3
    assert "<code>" not in page


def test_list_that_begins_in_its_depth_is_set_at_the_margin() -> None:
    """Four blanks would make it code."""
    assert laid_out("- You need:\n  - milk\n  - salt", 1, 2) == ["- milk [1]\n- salt [1]"]


def test_rows_are_a_table_with_its_head() -> None:
    """A row of numbers says nothing without it."""
    assert laid_out("| Tool | Use |\n|:--|--:|\n| Lame | Scoring |\n| Peel | Baking |", 1) == [
        "| Tool | Use |\n| --- | --- |\n| Peel | Baking |\n\n[1]",
    ]


def test_rows_that_lost_their_head_have_an_empty_one() -> None:
    """Markdown knows no table without."""
    assert laid_out("| Lame | Scoring |\n| Peel | Baking |") == [
        "|  |  |\n| --- | --- |\n| Lame | Scoring |\n| Peel | Baking |\n\n[1]",
    ]


def test_cell_with_an_escaped_bar_stays_one_cell() -> None:
    """Programs have a bar for "or"."""
    (table,) = laid_out("| Sign | Use |\n|---|---|\n| a \\| b | `x \\| y` |")

    assert "| a \\| b | `x \\| y` |" in table


@pytest.mark.parametrize(
    ("fence", "language"),
    [
        ('```python title="x.py" {1,3}', "python"),
        ("```rust,ignore", "rust"),
        ("```{code-block} sh", "sh"),
        ("``` {.toml .numberLines}", "toml"),
        ("~~~c++", "c++"),
        ("```", ""),
    ],
)
def test_listing_keeps_its_language_and_no_flags(fence: str, language: str) -> None:
    """They are for the book's generator."""
    assert laid_out(f"{fence}\nx = 1\n\ny = 2\n{fence[:3]}") == [f"```{language}\nx = 1\n\ny = 2\n```\n\n[1]"]


def test_listing_in_a_list_is_set_at_the_margin() -> None:
    """Its own depth stays."""
    assert laid_out("- Run:\n\n  ```sh\n  if x\n    ls\n  ```", 1) == ["```sh\nif x\n  ls\n```\n\n[1]"]


def test_listing_with_a_fence_in_it_has_a_longer_one() -> None:
    """Else it would end there."""
    assert laid_out("````md\n```\nls\n```\n````") == ["````md\n```\nls\n```\n````\n\n[1]"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("---\ntitle: Flow of milk\n---\ngraph TD", "(A diagram: *Flow of milk*.) [1]"),
        ("graph TD", "(A diagram on this page.) [1]"),
    ],
)
def test_drawing_is_named_and_not_shown(source: str, words: str) -> None:
    """Its source is for a program."""
    assert laid_out(f"```mermaid\n{source}\n```") == [words]


def test_inner_heading_stands_above_what_is_shown_of_its_section() -> None:
    """ "It is churned" is of butter."""
    assert laid_out("Bob ripens it.\n\n## Butter {#b}\n\nIt is churned. It is salted.") == [
        "Bob ripens it. [1]",
        "**Butter**",
        "It is churned. It is salted. [1]",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to:\\\nBob\\\n12 Quay Road", "Write to:  \nBob  \n12 Quay Road [1]"),
        ("The lamp is lit,  \nthe night is long.", "The lamp is lit,  \nthe night is long. [1]"),
        ("Curd<br>whey <BR/>\nmilk", "Curd  \nwhey  \nmilk [1]"),
        ("> Curd,  \n> whey", "Curd,  \nwhey [1]"),
        ("- Write to:\\\n  Bob\n- Wait.", "- Write to:  \n    Bob [1]\n- Wait. [1]"),
        ("Write `<br>` or\nnothing.", "Write `<br>` or nothing. [1]"),
        ("**Show the rind**\\\nIt is shown.", "**Show the rind**: It is shown. [1]"),
    ],
)
def test_lines_that_the_author_ended_stay_lines(text: str, shown: str) -> None:
    """A poem or an address on one line is hard to read."""
    assert laid_out(text) == [shown]


def test_sentences_of_one_paragraph_stay_together_where_its_lines_are_indented() -> None:
    """Each got a mark and a paragraph of its own."""
    assert laid_out("Curd\n:   It is churned.\n    It is salted.") == [
        "Curd: It is churned. It is salted. [1]"
    ]


def test_signs_of_an_inner_heading_are_shown() -> None:
    """`<n>` was taken for a tag, and the bold type did not close."""
    assert (
        laid_out("Bob ripens it.\n\n## [`DAYS=<n>`](#days) {#days}\n\nIt is churned.")[1] == "**DAYS=\\<n>**"
    )


def test_letter_of_a_glossary_is_no_heading() -> None:
    """It tells nothing."""
    assert laid_out("## C\n\nCurd is what milk becomes.") == ["Curd is what milk becomes. [1]"]


def test_steps_that_are_left_out_are_told() -> None:
    """A list that begins with its second step looks whole otherwise."""
    assert laid_out("1. Warm it.\n2. Stir.\n3. Press.\n4. Wait.", 1, 2) == [
        "…\n\n2. Stir. [1]\n3. Press. [1]\n\n…"
    ]
    assert laid_out("1. Warm it.\n2. Stir.\n3. Press.", 1) == ["2. Stir. [1]"]


def test_steps_that_are_all_numbered_one_are_counted() -> None:
    """As every renderer counts them."""
    text = "1. Warm it.\n   1. Gently.\n   1. For an hour.\n\n1. Stir.\n1. Press.\n\nThen:\n\n1. Wait."

    assert laid_out(text, is_run=True) == [
        "1. Warm it. [1]\n    1. Gently. [1]\n    2. For an hour. [1]\n2. Stir. [1]\n3. Press. [1]",
        "Then:",
        "1. Wait. [1]",
    ]
    assert laid_out("3. Stir.\n4. Press.", is_run=True) == ["3. Stir. [1]\n4. Press. [1]"]


def test_items_that_are_left_out_are_told_where_the_list_was_asked_for() -> None:
    """Of a fact in a list nobody misses the other items."""
    items = "- PyQt\n- PyGTK\n- wxPython"

    assert laid_out(items, 0, 1, is_run=True) == ["- PyQt [1]\n- PyGTK [1]\n\n…"]
    assert laid_out(items, 0, 1) == ["- PyQt [1]\n- PyGTK [1]"]
    assert laid_out(items, is_run=True) == ["- PyQt [1]\n- PyGTK [1]\n- wxPython [1]"]


def test_lines_that_begin_with_labels_stay_lines() -> None:
    """Run together they are hard to read."""
    assert laid_out("**Due Date:** in week 5\n**Submit to:** the portal") == [
        "**Due Date:** in week 5 [1]  \n**Submit to:** the portal [1]"
    ]


def test_rows_that_are_left_out_are_told_where_the_table_was_asked_for() -> None:
    """A part of a table looks like the whole."""
    (table,) = laid_out(
        "| Cheese | Months |\n|---|---|\n| Brie | 1 |\n| Gouda | 6 |\n| Edam | 2 |", 1, is_run=True
    )

    assert table == "| Cheese | Months |\n| --- | --- |\n| … |  |\n| Gouda | 6 |\n| … |  |\n\n[1]"


def test_no_dots_stand_between_a_step_and_its_own_listing() -> None:
    """Nothing is left out there."""
    text = "1. Install it\n\n   ```sh\n   pip install it\n   ```\n\n1. Run it\n\n   ```sh\n   it\n   ```\n"

    assert "…" not in "\n".join(laid_out(text, is_run=True))


def test_dots_tell_once_that_steps_are_left_out() -> None:
    """Before the first that is shown, and behind the last."""
    text = "1. Wash\n1. Stir\n\n   ```sh\n   stir\n   ```\n\n1. Wait\n1. Cut\n"

    assert "\n".join(laid_out(text, 1, 2, 3, is_run=True)).count("…") == 2


def test_paragraphs_of_an_item_stand_under_it() -> None:
    """As one paragraph each; a page shows them indented."""
    text = "1. Press the curd.\n\n   Use a stone. It must be clean.\n\n2. Wait."

    (shown,) = laid_out(text)

    assert shown == "1. Press the curd. [1]\n\n    Use a stone. It must be clean. [1]\n\n2. Wait. [1]"
    html = MarkdownIt().render(shown)
    assert html.count("<ol") == 1
    assert "<code>" not in html


@pytest.mark.parametrize("mark", ["> ", "  > "])
def test_listing_in_a_quotation_is_shown_without_its_marks(mark: str) -> None:
    """A shell reads "> pip" as an order to write a file."""
    lines = ["[!NOTE]", "Install it:", "", "```sh", "pip install it", "  it --now", "```"]

    shown = laid_out("\n".join(f"{mark}{line}" for line in lines))

    assert "```sh\npip install it\n  it --now\n```\n\n[1]" in shown


def test_prompt_of_a_listing_stays() -> None:
    """It is the book's own text."""
    assert laid_out("```\n> it\n> that\n```") == ["```\n> it\n> that\n```\n\n[1]"]


@pytest.mark.parametrize(
    ("text", "code_fence", "shown"),
    [
        ("```py\n# Begin.\nx = 1", "", "```py\n# Begin.\nx = 1\n```\n\n[1]\n\n…"),
        ("# Go on.\n\nx = 2", "```py", "…\n\n```py\n# Go on.\n\nx = 2\n```\n\n[1]\n\n…"),
        ("    # End.\n    x = 3\n```", "```py", "…\n\n```py\n# End.\nx = 3\n```\n\n[1]"),
        ("> # End.\n> x = 3\n> ```", "> ``` {.py}", "…\n\n```py\n# End.\nx = 3\n```\n\n[1]"),
    ],
)
def test_part_of_a_listing_is_shown_as_code_with_dots(text: str, code_fence: str, shown: str) -> None:
    """A long listing is in several passages. Its comments look like headings where nobody knows it."""
    assert laid_out(text, code_fence=code_fence) == [shown]


def test_tables_with_a_picture_between_them_have_their_own_heads() -> None:
    """A name stood in a row of months."""
    first, second = (
        "| Month | Milk |\n|---|---|\n| May | 200 |\n",
        "| Person | Task |\n|---|---|\n| Bob | milks |\n",
    )
    text = f"{first}\n![](a.png)\n\n{second}"

    shown = laid_out(text)

    assert [table.splitlines()[0] for table in shown] == ["| Month | Milk |", "| Person | Task |"]


def test_steps_that_are_wrapped_by_hand_are_counted() -> None:
    """A line that is not indented goes on with the paragraph above it."""
    text = "1. Pack the box\nand close it.\n1. Carry it\nand rest.\n1. Drive.\n\nThen:\n\n1. Wait."

    assert laid_out(text, 2) == ["3. Drive. [1]"]
    assert laid_out(text, 4) == ["1. Wait. [1]"]
