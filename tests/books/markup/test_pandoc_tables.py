"""Turn tables that are drawn with dashes or as grids into tables with bars."""

from __future__ import annotations

import time

import pytest

from ragbot.books.markup.rmarkdown import plain_rmarkdown

SIMPLE = """
Wood    Length
----- --------
 Ash     2.10
 a|b  `x  y`

After.
"""
MULTILINE = """
-------------------------
 Wood   What it
        is for
------- -----------------
 Ash    Long oars
 tree   and masts

 Pine   Planks
-------------------------

After.
"""
HEADLESS = """
---- ----
Ash  long
Pine short
---- ----

After.
"""
GRID = """
+------+-----------+
| Wood | Use       |
+:=====+==========:+
| Ash  | ```bash   |
| tree | row --all |
|      | ```       |
+------+-----------+
| Pine | Planks    |
|      |           |
|      | a|b ^1^   |
+------+-----------+

After.
"""
GRID_WITHOUT_HEAD = "\n+---+---+\n| a | b |\n+---+---+\n\nAfter.\n"


@pytest.mark.parametrize(
    ("drawn", "rows"),
    [
        (SIMPLE, ["| Wood | Length |", "|---|---|", "| Ash | 2.10 |", r"| a\|b | `x y` |"]),
        (
            MULTILINE,
            [
                "| Wood | What it is for |",
                "|---|---|",
                "| Ash tree | Long oars and masts |",
                "| Pine | Planks |",
            ],
        ),
        (
            GRID,
            ["| Wood | Use |", "|---|---|", "| Ash tree | `row --all` |", r"| Pine | Planks a\|b 1 |"],
        ),
        (GRID_WITHOUT_HEAD, ["|  |  |", "|---|---|", "| a | b |"]),
        (HEADLESS, ["|  |  |", "|---|---|", "| Ash | long |", "| Pine | short |"]),
    ],
)
def test_drawn_table_has_rows_and_cells(drawn: str, rows: list[str]) -> None:
    """The last row of such a table was read as a heading, which became a page of the book."""
    shown = plain_rmarkdown(drawn, lambda _: "")

    assert [line for line in shown.split("\n") if line] == [*rows, "After."]


@pytest.mark.parametrize(
    "text",
    [
        "Wood\n----\n\nText.",
        "a\n\n---\n\nb",
        "---\na\nb\n\n- one",
        "- a\n- b",
        "```\na b\n-- --\nc d\n```",
        "a b\n-- --",
        "+---+---+\n| over both |\n+---+---+\n| a | b |\n+---+---+",
        "+---+---+\n| a     |\n+---+---+\n| a | b |\n+---+---+",
        "+---+\n| a |\n\nb",
    ],
)
def test_rules_headings_and_code_are_no_tables(text: str) -> None:
    """Dashes have other uses."""
    assert plain_rmarkdown(text, lambda _: "") == text


@pytest.mark.parametrize(
    "piece",
    [
        "\n+--+--+\n",
        "\n+--+\n|  |\n",
        "---\n-- --\n",
        "\n---\n-- --\na b\n\n",
        "\na\n-- --\n",
        "\n-- --\n",
        "-- " * 9,
    ],
)
def test_bad_table_takes_no_time(piece: str) -> None:
    """A page of such lines must not block the reading."""
    started = time.process_time()

    plain_rmarkdown(piece * (60_000 // len(piece)), lambda _: "")

    assert time.process_time() - started < 5
