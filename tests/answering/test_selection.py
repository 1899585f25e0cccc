"""Test a reader's selection as the only passage, and the passages of the book that contain it."""

from __future__ import annotations

import pytest

from ragbot.answering.selection import passage_of_selection, standing_in
from ragbot.core.text import count_tokens
from tests.answering.shelf import CHEDDAR, passage

BREAD = "Alice feeds the starter every morning at seven, and the loaf is baked for forty minutes."


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param(CHEDDAR, id="the same"),
        pytest.param("ripens the cheddar for nine", id="a part"),
        pytest.param("pens the cheddar for nine months in a cool cel", id="cut inside words"),
        pytest.param("Bob ripens the\n  cheddar for nine   months in a cool cellar", id="other white space"),
        pytest.param("BOB RIPENS THE CHEDDAR FOR NINE MONTHS", id="other case"),
        pytest.param("“Bob ripens the cheddar – for nine months”", id="other signs"),
        pytest.param("the cheddar", id="two words"),
        pytest.param(f"Before it. {CHEDDAR} After it.", id="more than the passage"),
    ],
)
def test_selection_is_found_where_it_stands(selection: str) -> None:
    """What is selected on a page differs from its source in white space, signs and where it begins."""
    cheese = passage()

    assert standing_in(selection, [passage(BREAD), cheese]) == [cheese]


def test_selection_is_found_under_markup() -> None:
    """The page shows none of it."""
    marked_up = passage("Bob **ripens** the [cheddar](cheddar.md) for `nine` months in a _cool_ cellar.")

    assert standing_in("Bob ripens the cheddar for nine months in a cool cellar", [marked_up]) == [marked_up]


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("所有权是与众不同的特性，它无需垃圾回收器即可保证内存安全。", "不同的特性，它无需垃圾回收器即可保"),
        ("ガベージコレクタなしで安全性担保を行うことができます。", "コレクタなしで安全性担保を"),
        ("รับประกันความปลอดภัยของหน่วยความจำได้โดยไม่ต้องใช้ตัวเก็บขยะ", "ความปลอดภัยของหน่วยความจำ"),
    ],
)
def test_selection_is_found_in_a_script_without_spaces(text: str, selection: str) -> None:
    """It begins and ends within a clause."""
    standing = passage(text)

    assert standing_in(selection, [passage("编译器会检查这些规则，规则很多。"), standing]) == [standing]


@pytest.mark.parametrize(
    "selection", ["Green tea is brewed at eighty degrees.", "?! …", "", "the the the the"]
)
def test_selection_that_is_not_in_the_book_stands_nowhere(selection: str) -> None:
    """A source that does not hold the selection would be a false one."""
    assert standing_in(selection, [passage(), passage(BREAD)]) == []


def test_fullest_passage_comes_first() -> None:
    """A selection that begins at the end of one passage belongs to the next."""
    tail = passage("Something else of some length stands here. Bob ripens the cheddar for")
    whole = passage(f"{CHEDDAR} He turns it every week.")

    assert standing_in(f"{CHEDDAR} He turns it every week.", [tail, whole])[0] == whole


def test_selection_over_several_passages_stands_in_all_of_them() -> None:
    """A page's text is cut where the reader cannot see it."""
    passages = [passage(CHEDDAR), passage(BREAD)]

    assert standing_in(f"{CHEDDAR} {BREAD}", passages) == passages


def test_selection_becomes_a_passage_with_the_place_it_stands_in() -> None:
    """The prompt and the sources name the chapter."""
    chunk = passage_of_selection("nine months", [passage()]).chunk

    assert (chunk.text, chunk.path, chunk.heading_path) == (
        "nine months",
        "02-cheese.md",
        ("Cheese", "Ripening"),
    )
    assert (chunk.start, chunk.end, chunk.tokens) == (0, 11, count_tokens("nine months"))


def test_selection_from_nowhere_becomes_a_passage_without_a_place() -> None:
    """The reader may have selected text that is not the book's."""
    chunk = passage_of_selection("Tea is green.", []).chunk

    assert (chunk.text, chunk.path, chunk.heading_path) == ("Tea is green.", "", ())
    assert chunk.id == passage_of_selection("Tea is green.", []).chunk.id


CODE = "# Build all packages\ncolcon build\n\nfor one in packages:\n    print(one)"


@pytest.mark.parametrize(
    ("selection", "shown"),
    [
        pytest.param(CODE, f"```\n{CODE}\n```", id="all of it"),
        pytest.param(f"So:\n\n{CODE}\nDone.", f"So:\n\n```\n{CODE}\n```\nDone.", id="between sentences"),
        pytest.param(
            "all packages\ncolcon build", "```\nall packages\ncolcon build\n```", id="without a beginning"
        ),
        pytest.param("colcon build\n\nfor one", "```\ncolcon build\n\nfor one\n```", id="without an end"),
        pytest.param("colcon build", "```\ncolcon build\n```", id="one line"),
        pytest.param("build all", "build all", id="words of it"),
        pytest.param("# Not code\nof the book", "# Not code\nof the book", id="other lines"),
    ],
)
def test_selected_code_stays_code(selection: str, shown: str) -> None:
    """Its comments were headings, and its lines one paragraph: a page gives its text without fences."""
    place = passage(f"Run this:\n\n```bash\n{CODE}\n```\n")

    assert passage_of_selection(selection, [place]).chunk.text == shown


def test_selected_code_from_the_middle_of_a_listing_stays_code() -> None:
    """A long listing is in several passages, and but the first and the last have no fence."""
    place = passage(CODE, code_fence="```bash")

    assert passage_of_selection(CODE, [place]).chunk.text == f"```\n{CODE}\n```"


def test_fence_around_selected_code_is_longer_than_those_in_it() -> None:
    """Books on Markdown show fences as code."""
    inner = "```python\nprint(1)\n```"
    place = passage(f"````\n{inner}\n````\n")

    assert passage_of_selection(inner, [place]).chunk.text == f"````\n{inner}\n````"
