"""Test where fenced code begins and ends, against a parser of CommonMark."""

from __future__ import annotations

import time

import pytest
from markdown_it import MarkdownIt

from ragbot.core.code_fences import (
    FencedCode,
    FenceFollower,
    LineKind,
    code_fence,
    fenced_code,
    fenced_code_end,
    opening_fence,
)

CASES = {
    "back ticks": "a\n```py\ncode\n```\nb",
    "tildes": "~~~\ncode\n~~~\nb",
    "tildes with back ticks behind": "~~~ a`b\ncode\n~~~",
    "other sign inside": "```\n~~~\n```\nb",
    "shorter fence inside": "````md\n```py\ncode\n```\n````\nb",
    "longer fence closes": "```\ncode\n`````\nb",
    "words behind close nothing": "```\ncode\n``` py\nmore\n```\nb",
    "blanks behind close": "```\ncode\n```  \t\nb",
    "two ticks": "``\nno code\n``",
    "code within a line": "```py``` is no fence\nb\n\n```\ncode\n```",
    "unclosed": "a\n```\ncode\n\nmore",
    "empty": "```\n```\nb",
    "two in a row": "```\na\n```\n```\nb\n```\nc",
    "indented by three": "   ```\n   code\n   ```\nb",
    "closing fence four in": "```\ncode\n    ```\nmore\n```\nb",
    "in a quote": "> ```\n> code\n> ```\nb",
    "in a quote, unclosed": "> ```\n> code\n\nb\n\n```\ncode\n```",
    "quoted fence in code": "```\n> ```\n```\nb",
    "in an item": "- ```py\n  code\n  ```\n- b",
    "in a numbered item": "10. ```\n    code\n    ```\nb",
    "in an item, unclosed": "- ```\n  code\n\nb\n\n```\ncode\n```",
    "in an item's later paragraph": "1. a\n\n   ```\n   code\n   ```\n\n2. b",
    "in a nested item": "- a\n  - ```\n    code\n    ```\n- b",
    "in an item of a quote": "> - ```\n>   code\n>   ```\n> b",
    "in a quote of an item": "- > ```\n  > code\n  > ```\n- b",
    "blank line in an item": "- ```\n  code\n\n  more\n  ```\n- b",
    "lines that end as on Windows": "a\r\n```py\r\ncode\r\n```\r\nb",
}


def code_lines(text: str) -> list[tuple[int, int]]:
    """Return the first line and the one after the last of each fenced code."""
    return [(text.count("\n", 0, one.start), len(text[: one.end].splitlines())) for one in fenced_code(text)]


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_fenced_code_is_where_a_parser_finds_it(text: str) -> None:
    """Prose that is taken for code is not rewritten, and code that is taken for prose is."""
    tokens = MarkdownIt().parse(text)

    blocks = [token.map or [0, 0] for token in tokens if token.type == "fence"]

    def without_blank_end(span: tuple[int, int]) -> tuple[int, int]:
        lines = text.splitlines()
        last = span[1]
        while last and not lines[last - 1].strip():
            last -= 1
        return span[0], last

    assert [without_blank_end(one) for one in code_lines(text)] == [
        without_blank_end((first, last)) for first, last in blocks
    ]


def test_offsets_part_code_from_its_fences() -> None:
    """Words of a page are numbered by them."""
    text = "a\n```py\ncode\n```\nb\n~~~\nmore"

    closed, unclosed = fenced_code(text)

    assert closed == FencedCode(2, 17, 8, 13, is_closed=True)
    assert text[closed.code_start : closed.code_end] == "code\n"
    assert unclosed == FencedCode(19, 27, 23, 27, is_closed=False)


def test_code_is_looked_for_from_a_line_on() -> None:
    """A reader that has found the opening itself asks for the end."""
    text = "```\na\n```\n```\nb\n```\n"

    (second,) = fenced_code(text, 10)

    assert (second.start, second.end) == (10, len(text))


def test_opening_has_its_parts() -> None:
    """The language is behind the marks; a definition of a term may begin with code."""
    fence = opening_fence(":   > 1. ````py {1,2}\r\n")

    assert fence is not None
    assert (fence.lead, fence.marks, fence.info) == (":   > 1. ", "````", "py {1,2}")


def test_lines_are_named_one_by_one() -> None:
    """Each kind is rewritten in its own way."""
    fences = FenceFollower()

    kinds = [fences.kind_of(line) for line in ("a", "```", "b", "```", "c")]

    assert kinds == [LineKind.PROSE, LineKind.OPENING, LineKind.CODE, LineKind.CLOSING, LineKind.PROSE]


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        (["```", "a", "```", "b"], 3),
        (["```", "a"], 2),
        (["- ```", "b"], 1),
        (["```"], 1),
    ],
)
def test_end_among_lines_is_behind_the_closing_fence(lines: list[str], after: int) -> None:
    """The lines there are read as prose again."""
    assert fenced_code_end(lines, 0) == after


@pytest.mark.parametrize(
    ("words", "fence"),
    [
        ("# in", "```py title='a'"),
        ("within", "~~~~"),
        ("Before", ""),
        ("Between", ""),
        ("End", ""),
        ("```py", ""),
    ],
)
def test_fence_around_an_offset_is_found(words: str, fence: str) -> None:
    """What lies on the fence itself is in the middle of nothing."""
    page = (
        "Before.\n\n```py title='a'\nx = 1\n# in\n```\n\nBetween.\n\n- ~~~~\n  ```\n  within\n  ~~~~\n\nEnd."
    )

    assert code_fence(page, [], page.index(words)) == (f"- {fence}" if words == "within" else fence)


def test_section_begins_within_no_fence() -> None:
    """Some generators read a heading where a fence was never closed."""
    page = "```\nx\n\n# Next\n\nWords."

    assert code_fence(page, [0, page.index("# Next")], page.index("# Next")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "> " * 100_000 + "```",
        "```\n" + "`" * 200_000,
        "- " * 100_000 + "`",
        "- ```\n" * 50_000,
        "1. " * 60_000,
        " " * 200_000 + "```\n" + "a\n" * 100_000,
        "- " * 100_000 + "```\n" + "\n" * 100_000,
        "> " * 100_000 + "```\n" + "> ```\n" * 50_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    """Books are uploaded by anybody."""
    begun = time.process_time()

    list(fenced_code(text))

    assert time.process_time() - begun < 2
