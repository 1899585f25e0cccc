"""Test that a part of a table finds the head that names its columns."""

from __future__ import annotations

import pytest

from ragbot.core.tables import below_head, table_head

PAGE = """Words | here.

| Role | Use |
|------|:---:|
| ROUTER | Towers |
| CLIENT | Hands |

Between | two.

> Name | Size
> --- | ---
> keel | 9

```
a | b
```

---

End.
"""


@pytest.mark.parametrize(
    ("row", "head"),
    [
        ("| ROUTER", "| Role | Use |"),
        ("| CLIENT", "| Role | Use |"),
        ("> keel", "Name | Size"),
        ("| Role", ""),
        ("Words", ""),
        ("Between", ""),
        ("a | b", ""),
        ("End.", ""),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_head_is_that_of_the_table_around_a_row(row: str, head: str, line_end: str) -> None:
    """A number without the name of its column says nothing."""
    page = PAGE.replace("\n", line_end)

    assert table_head(page, page.index(row)) == head


@pytest.mark.parametrize("page", ["|-" * 50_000, "|\n" * 50_000, "-|-\n" * 30_000, "a|b\n-|-\n" * 20_000])
def test_hostile_tables_take_no_longer_than_others(page: str) -> None:
    """The time grows with the length of the page, and no faster."""
    assert table_head(page, 0) == ""


@pytest.mark.parametrize(
    ("head", "rows", "table"),
    [
        ("| Role | Use |", "| ROUTER | Towers |", "| Role | Use |\n|---|---|\n| ROUTER | Towers |"),
        ("a \\| b | c", "1 | 2", "a \\| b | c\n---|---\n1 | 2"),
        ("", "Words.", "Words."),
    ],
)
def test_rows_stand_below_their_head(head: str, rows: str, table: str) -> None:
    """As a table of their own."""
    assert below_head(head, rows) == table
