"""Test text fragments: words that every generator prints alike, and that are unique on the page."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.citation_spans import cited_span, passage_words
from ragbot.answering.text_fragments import text_directive
from ragbot.books.markup.readable import readable, readable_span, tidy_markdown
from tests.fuzzing import fuzz

PIECES = [
    *(
        "word ",
        "two words ",
        "it's ",
        '"quoted" ',
        "a -- b ",
        "and... ",
        "**bold** ",
        "*half ",
        "`code` ",
        "`open ",
    ),
    *(
        "[link](to.md) ",
        "[ref] ",
        "![](x.png) ",
        "[^1] ",
        "$x = 1$ ",
        "{height} ",
        "<kbd>K</kbd> ",
        "<br/>",
        "< ",
    ),
    *(
        "\n",
        "\n\n",
        "\r\n",
        "  \n",
        "\n- ",
        "\n1. ",
        "\n> ",
        "\n## Head\n",
        "\n```py\n",
        "\n```\n",
        "\n| a | b |\n",
    ),
    *(
        "|---|---|\n",
        "\n!!! note\n\n    ",
        "\n:::tip Title\n",
        "\n: ",
        "日本語。",
        "Größe ",
        "e\u0301 ",
        "\t",
        "’s ",
    ),
]


def directive(text: str, cited: str, *, page: str = "") -> str:
    """Return the fragment of words of a text, to be read."""
    start = text.index(cited)
    place = page.rindex(text) if page else 0
    return unquote(text_directive(text, start, start + len(cited), page=page, place=place))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Bob turns every cheese.", "Bob turns every cheese", id="a sentence"),
        pytest.param('He said "no" to all of them.', "to all of them", id="straight quotes are avoided"),
        pytest.param("He said “no” to all.", "He said “no” to all", id="typographic ones stand as they are"),
        pytest.param("Don't touch the warm wheel.", "touch the warm wheel", id="an apostrophe"),
        pytest.param("Wait -- it will set by itself.", "it will set by itself", id="a dash"),
        pytest.param("Run `make --all` at *any* time.", "Run make --all at any time", id="code and emphasis"),
        pytest.param("The [list](x.md) of all lights.", "The list of all lights", id="a link"),
        pytest.param("Written first.[^1] And then the rest.", "And then the rest", id="a footnote's number"),
        pytest.param("A ![pic](x.png) and then the rest.", "and then the rest", id="a picture"),
        pytest.param(
            "The tower is {height} metres high now.", "The tower is,metres high now", id="expression"
        ),
        pytest.param("Here $p = 4$ is the pressure.", "is the pressure", id="mathematics"),
        pytest.param(
            "One line ends here  \nand one begins.", "One line ends here,and one begins", id="a break"
        ),
        pytest.param("```py\na  =  some(value)\n```", "some(value", id="blanks of code"),
        pytest.param("```py\nif x:  # highlight-next-line\n```", "", id="a line for the generator"),
        pytest.param("```mermaid\ngraph TD\n```", "", id="a drawing"),
        pytest.param(
            "| one two three | four five six |\n|---|---|\n| 7 | 8 |", "one two three,four five six", id="row"
        ),
        pytest.param(":::tip Do this\nThe text of the tip.\n:::", "The text of the tip", id="a title"),
        pytest.param("## Only a heading", "", id="a heading"),
    ],
)
def test_fragment_names_what_every_generator_prints_as_it_is_written(text: str, expected: str) -> None:
    """A browser that does not find every letter finds nothing."""
    assert directive(text, text) == expected


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        pytest.param("Stop it at once.", "Run it at once.", "Run it at once", id="nowhere before"),
        pytest.param("Run it.", "Open the box. Run it.", "box.-,Run it", id="words in front"),
        pytest.param("- Run it.\n- Stop.", "- Run it.\n- Eat.", "Run it.,-Eat", id="words behind"),
        pytest.param("Run it.", "Run it.", "", id="nothing tells them apart"),
        pytest.param("# Run it", "Run it.", "", id="a heading"),
    ],
)
def test_fragment_finds_the_words_that_are_cited_and_not_the_same_before(
    before: str, text: str, expected: str
) -> None:
    """A browser takes the first that fits, whatever the anchor says."""
    page = f"{before}\n\n# Next\n\n{text}"

    assert directive(text, "Run it" + (" at once" if "at once" in text else ""), page=page) == expected


def test_long_sentence_is_named_by_its_ends_and_by_more_of_them_where_another_begins_alike() -> None:
    """The address stays short, and finds the right one."""
    start = "When the keeper of the light came down the stairs"
    first, second = f"{start} in the evening, all was dark.", f"{start} in the morning, all was well again."

    assert directive(second, second) == "When the keeper of the light,the morning, all was well again"
    assert directive(second, second, page=f"{first}\n\n{second}") == (
        f"{start} in the morning,all was well again"
    )


def test_tab_that_is_not_open_has_no_fragment() -> None:
    """A browser searches what is shown."""
    first, second = "Go up the stairs.\n\n</TabItem>", "Go down the stairs.\n\n</TabItem>"
    page = f"<Tabs>\n<TabItem value='a'>\n\n{first}\n<TabItem value='b'>\n\n{second}\n</Tabs>"

    assert directive("Go up the stairs.", "Go up the stairs.", page=page) == "Go up the stairs"
    assert directive("Go down the stairs.", "Go down the stairs.", page=page) == ""


def test_bar_of_code_in_a_row_has_no_backslash() -> None:
    """A page shows the bar alone."""
    row = r"| `hold \| stop` | The crew rests. |"

    assert directive(row, row, page=f"# Words\n\n| Word | What |\n|---|---|\n{row}\n") == (
        "hold | stop,The crew rests"
    )


@pytest.mark.parametrize(
    ("front_matter", "expected"), [("---\nsidebar_position: 1\n---\n", ""), ("", "Because it is dark")]
)
def test_details_that_docusaurus_closes_have_no_fragment(front_matter: str, expected: str) -> None:
    """Its script hides them; those of others a browser opens where it finds the words."""
    details = "<details>\n<summary>Why?</summary>\n\nBecause it is dark.\n\n</details>"
    page = f"{front_matter}{details}\n\nAfter it all."

    assert directive("Because it is dark.", "Because it is dark.", page=page) == expected
    assert directive("After it all.", "After it all.", page=page) == "After it all"


@fuzz(75)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.data())
def test_fragment_is_made_of_the_words_whatever_the_text(text: str, data: st.DataObject) -> None:
    """Nobody can list all that authors write."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    place = data.draw(st.sampled_from([0, 7]))

    made = text_directive(text, start, end, page="# Page\n"[:place] + text if place else text, place=place)

    words = " ".join(readable(text).text.split())
    for term in made.split(","):
        plain = " ".join(unquote(term.strip("-")).split())
        assert not made or plain
        assert "`" in plain or plain in words or "```" in text or "    " in text


@fuzz(75)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.data())
def test_words_keep_their_places(text: str, data: st.DataObject) -> None:
    """A citation's offsets count in the source, its text reads without markup."""
    plain = readable(text)
    assert list(plain.starts) == sorted(plain.starts)
    assert list(plain.places) == sorted(plain.places)
    offset = data.draw(st.integers(0, max(len(plain.text) - 1, 0)))

    if plain.text and plain.text[offset].isalnum():
        assert text[plain.source_offset(offset)] == plain.text[offset]
        assert plain.text_offset(plain.source_offset(offset)) == offset


# --- the words that a mark rests on ------------------------------------------------------------


@pytest.mark.parametrize(
    ("passage", "marked", "expected"),
    [
        ('He wrote "no" (twice). Then he left.', "He wrote no twice.", 'He wrote "no" (twice).'),
        (
            "Read [how to light the lamp](l.md), then sleep.",
            "light the lamp, then",
            "light the lamp](l.md), then",
        ),
        ("```xml\n<geometry>\n  <box size='1'/>\n```", "```\n<geometry>\n```", "<geometry>"),
        ("Press **Stop** now. Go on.", "Press **Stop** now.", "Press **Stop** now."),
    ],
)
def test_span_reaches_to_the_signs_around_its_words(passage: str, marked: str, expected: str) -> None:
    """What is cited reads as a whole; in a listing tags are words."""
    span = cited_span(marked, passage_words(passage))

    assert span is not None
    assert passage[slice(*span)] == expected


def test_words_of_a_span_that_cuts_markup_in_half_read_as_on_the_page() -> None:
    """A link's address is none of its words."""
    passage = "Read [how to light the **lamp**](l.md#a), then sleep.\n\n- Not `here`\n"

    assert readable_span(passage, 10, 46) == "to light the lamp, then"
    assert readable_span(passage, 0, len(passage)) == "Read how to light the lamp, then sleep.\nNot here"


# --- hostile text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *(
            " " * 20_000 + "x",
            "\t" * 20_000 + "x",
            "{%" + " " * 20_000,
            "| " * 10_000,
            "{/* */}" * 3_000 + "x",
        ),
        *("<a " * 7_000, "[" * 20_000, "*a" * 10_000, "$a " * 7_000, "\\(" * 10_000, "```\n" + "x" * 20_000),
        *("<TabItem>" * 3_000, "---\n" + "a:\n" * 7_000, "a" * 20_000),
    ],
)
def test_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    """Whoever writes the book must not slow down its answers. (With the square they take half a minute.)"""
    before = time.thread_time()

    text_directive(text, 0, len(text), page=f"# Page\n\n{text}", place=8)
    tidy_markdown(text)

    assert time.thread_time() - before < 2
