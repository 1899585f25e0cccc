"""Test that chunks are verbatim, disjoint and within limits, and the text that is indexed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.books.chunking.chunker import chunk_book, chunk_page
from ragbot.books.formats.plain import read_plain_page
from ragbot.books.loader import load_book
from ragbot.books.markup.blocks import parse_page
from ragbot.core.text import count_tokens
from tests.fuzzing import fuzz

SHIPPED = Path(__file__).parents[3] / "books" / "physical-ai"
LONG = "This sentence has seven words in it. " * 12


def chunks(source, path="a.md", **limits):
    return chunk_page(read_plain_page(path, source), **limits)


def texts(source, path="a.md", **limits):
    return [chunk.text for chunk in chunks(source, path, **limits)]


def assert_sound(page, found):
    """Check the invariant: chunks are verbatim, disjoint, in order and whole lines."""
    position = 0
    for chunk in found:
        assert page.source[chunk.start : chunk.end] == chunk.text
        assert chunk.start >= position
        assert chunk.text.strip()
        assert chunk.text == chunk.text.rstrip()
        assert chunk.text.splitlines()[0].strip()
        position = chunk.end


def lost(page, found):
    """Return the prose that is in no chunk, headings and rules apart."""
    taken = parse_page(page.source, page.dialect)
    kept = [(chunk.start, chunk.end) for chunk in found]
    kept += [(block.start, block.end) for block in taken.blocks if block.kind in ("heading", "rule")]
    covered = bytearray(len(page.source))
    for start, end in kept:
        covered[start:end] = b"\1" * (end - start)
    letters = enumerate(taken.prose.text)
    return "".join(letter for at, letter in letters if not covered[at] and not letter.isspace())


def test_term_stays_with_its_definition():
    """The second paragraph says nothing without the term."""
    entries = [f"Part{number}\n\n:   {LONG}\n\n    It is kept dry." for number in range(3)]

    found = texts("# Parts\n\n" + "\n\n".join(entries), target_tokens=150)

    assert found == entries


def test_shipped_book_is_cut_verbatim_and_whole():
    """Nothing lost, nothing changed, no two ids alike."""
    book = load_book(SHIPPED)

    found = chunk_book(book)

    for page in book.pages:
        own = [chunk for chunk in found if chunk.path == page.path]
        assert_sound(page, own)
        assert lost(page, own) == ""
    assert len({chunk.id for chunk in found}) == len(found)
    assert max(chunk.tokens for chunk in found) <= 600


def test_quote_has_no_heading_in_front_and_the_index_has_all():
    """Measured: six points for the hybrid search."""
    (chunk,) = chunks(f"# T\n\n## Arms\n\n{LONG}\n")

    assert chunk.text == LONG.strip()
    assert chunk.search_text == f"T > Arms\n\n{LONG.strip()}"
    assert (chunk.heading_path, chunk.anchor, chunk.title) == (("T", "Arms"), "arms", "T")


def test_chunk_never_crosses_from_one_large_section_into_the_next():
    """A citation names one section."""
    assert texts(f"## A\n\n{LONG}\n\n## B\n\n{LONG}\n") == [LONG.strip(), LONG.strip()]


def test_tiny_siblings_are_joined_under_their_parent_with_their_headings():
    """The link lands on the first of them, where the quote begins."""
    (chunk,) = chunks("# T\n\n## Up\n\n### A\n\nOne.\n\n### B\n\nTwo.\n")

    assert chunk.text == "### A\n\nOne.\n\n### B\n\nTwo."
    assert (chunk.heading_path, chunk.anchor) == (("T", "Up"), "a")


def test_question_stands_alone_with_its_answer():
    """Each of a page's frequent questions is found by its own words; what is below it belongs to it."""
    below = "Two.\n\n### In short\n\nTwo."
    source = f"# FAQ\n\n## A\n\nOne.\n\n## Why B?\n\n{below}\n\n## How **C?**\n\nThree.\n\n## D\n\nFour.\n"

    assert [(chunk.heading_path[-1], chunk.text) for chunk in chunks(source)] == [
        ("A", "One."),
        ("Why B?", below),
        ("How C?", "Three."),
        ("D", "Four."),
    ]


def test_joined_chunk_knows_where_its_sections_begin():
    """A citation from the second of them links to the second."""
    (chunk,) = chunks("# T\n\n## Up\n\n### A\n\nOne.\n\n### B\n\nTwo.\n")

    assert [(inner.anchor, inner.heading_path) for inner in chunk.sections] == [
        ("a", ("T", "Up", "A")),
        ("b", ("T", "Up", "B")),
    ]
    assert [chunk.text[inner.start :].splitlines()[0] for inner in chunk.sections] == ["### A", "### B"]


def test_chunk_of_one_section_holds_no_other():
    """Its own anchor is where it leads."""
    assert [chunk.sections for chunk in chunks(f"## A\n\n{LONG}\n\n## B\n\n{LONG}\n")] == [(), ()]


def test_tiny_lead_in_is_joined_with_its_subsection():
    """A sentence before the first subheading is little on its own."""
    (chunk,) = chunks("# T\n\n## Up\n\nLead.\n\n### A\n\nOne.\n")

    assert chunk.text == "Lead.\n\n### A\n\nOne."
    assert (chunk.heading_path, chunk.anchor) == (("T", "Up"), "up")


def test_tiny_sections_of_different_parents_stay_apart():
    """What is joined must share a heading that holds for all of it."""
    assert texts("## A\n\n### B\n\nOne.\n\n## C\n\nTwo.\n") == ["One.", "Two."]


def test_long_section_is_cut_at_paragraphs_under_the_limit():
    """About four hundred tokens fit the embedder."""
    found = chunks("## A\n\n" + "\n\n".join([LONG.strip()] * 10))

    assert len(found) > 2
    assert all(80 <= chunk.tokens <= 400 for chunk in found)
    assert all(chunk.text.startswith("This") and chunk.text.endswith("it.") for chunk in found)


def test_fence_is_kept_whole_and_with_the_line_that_leads_to_it():
    """Half a program is of no use."""
    code = "```python\n" + "print('a line of code')\n" * 30 + "```"

    found = texts(f"## A\n\n{LONG}\n\nRun this:\n\n{code}\n\n{LONG}\n", target_tokens=300)

    assert f"Run this:\n\n{code}" in found


def test_oversized_fence_is_cut_at_blank_lines():
    """A function is kept whole where the program is not."""
    function = "def f():\n    return [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
    found = texts("```python\n" + "\n".join([function] * 30) + "```\n", target_tokens=100)

    assert len(found) > 3
    assert all(text.startswith(("def", "```python\ndef")) for text in found)


def test_oversized_table_is_cut_between_rows():
    """Half a row is no fact."""
    rows = "".join(f"| name {i} | value {i} |\n" for i in range(200))

    found = texts(f"| a | b |\n|---|---|\n{rows}", target_tokens=100)

    assert len(found) > 3
    assert all(
        line.startswith("| ") and line.endswith(" |")
        for t in found
        for line in t.splitlines()
        if "-" not in line
    )


def test_oversized_list_is_cut_between_its_points():
    """A point is read as one thing."""
    found = texts("".join(f"- {LONG.strip()}\n" for _ in range(8)), target_tokens=300)

    assert len(found) > 2
    assert all(text.startswith("- This") and text.endswith("it.") for text in found)


def test_oversized_sentence_is_cut_between_words():
    """A line without a full stop must not blow the budget."""
    found = chunks("word " * 3_000, target_tokens=100)

    assert all(chunk.tokens <= 100 for chunk in found)
    assert sum(chunk.text.count("word") for chunk in found) == 3_000


def test_what_is_not_prose_lies_outside_of_chunks_and_of_the_index():
    """Imports, tags, comments and directives answer nothing."""
    source = (
        "---\ntitle: T\n---\nimport Tabs from '@theme/Tabs';\n\nexport const a = {\n  b: 1,\n};\n\n"
        '<Tabs values={[{label: "x"}]}>'
        "\n\n:::tip Mind\n\nProse <b>here</b> {a.b}.<!-- no -->\n\n:::\n"
        "\n</Tabs>\n"
    )

    (chunk,) = chunks(source, "a.mdx")

    assert chunk.text == "**Mind**\n\n\nProse <b>here</b> {a.b}."
    assert chunk.search_text.split("\n\n", 1)[1].split() == ["Mind", "Prose", "here", "."]


def test_search_text_keeps_words_and_code_and_drops_marks_and_addresses():
    """Terms are searched for, not syntax."""
    source = (
        "See [the *guide*](https://x.y/z_(a)) and ![a robot](r.png), **bold** `a_b*c*` snake_case [ref][1]."
        "\n\n"
        "| A | B |\n|---|---|\n| 1 | 2 |\n\n```sh\n**kept** # as is\n```\n\n[1]: https://x.y\n"
    )

    (chunk,) = chunks(source)

    assert chunk.search_text == (
        "A\n\nSee the guide and a robot, bold `a_b*c*` snake_case ref.\n\n| A | B |\n\n| 1 | 2 |\n\n"
        "```sh\n**kept** # as is\n```"
    )


def test_search_text_keeps_code_behind_a_bullet():
    """A fence may open on the line of its item; the words behind its end are no code."""
    (chunk,) = chunks("- ```sh\n  **kept** # as is\n  ```\n- Then **row**.\n")

    assert chunk.search_text.endswith("- ```sh\n  **kept** # as is\n  ```\n- Then row.")


def test_search_text_drops_the_address_of_a_link_that_is_called_by_code():
    """Such links fill the pages of an interface, and the words of their addresses are nobody's question."""
    source = "Call [`push()`](../api/oar.md#push), [`Oar[]` and **all**](x.md) or [`pull`][] at *`rest`*.\n"

    (chunk,) = chunks(f"{source}\n[`pull`]: https://x.y\n")

    assert chunk.search_text.split("\n\n", 1)[1] == "Call `push()`, `Oar[]` and all or `pull` at `rest`."


def test_details_keep_their_summary_and_text():
    """Text that a page folds away is prose all the same."""
    (chunk,) = chunks("<details>\n<summary>Why?</summary>\n\nBecause.\n\n</details>\n", "a.mdx")

    assert chunk.text == "<summary>Why?</summary>\n\nBecause."
    assert chunk.search_text == "A\n\nWhy?\n\nBecause."


def test_search_text_has_no_signs_without_width():
    """No reader types them, and a model that embeds the text takes the halves for two words."""
    (chunk,) = chunks("# F&#8203;orks\n\n## Kni&shy;ves\n\nA f&#8203;ork and a kni&ZeroWidthSpace;fe.\n")

    assert chunk.search_text == "Forks > Knives\n\nA fork and a knife."
    assert chunk.heading_path == ("Forks", "Knives")


def test_search_text_has_no_attributes_of_headings():
    """Passages of joined sections hold their headings' lines."""
    (chunk,) = chunks('# T\n\n## A { #a }\n\nx\n\n## B {data-x="y"}\n\ny\n\n## C {x}\n\nz\n')

    assert [line for line in chunk.search_text.splitlines() if line.startswith("##")] == [
        *("## A", "## B", "## C {x}")
    ]


def test_search_text_has_the_signs_of_the_page():
    """A reader types what the page shows."""
    (chunk,) = chunks("At 10&deg;&nbsp;C&mdash;but a crock of s**t, **bold** &lt;b&gt; `&deg;` **d\n")

    assert chunk.search_text.split("\n\n", 1)[1] == "At 10° C—but a crock of s**t, bold <b> `&deg;` d"


def test_each_part_of_a_table_has_its_head():
    """A reader of the last row asks for it in the words of the head, and reads it below them."""
    rows = "".join(f"| R{n} | {'word ' * 30}|\n" for n in range(30))

    first, *others = chunks(f"| *Role* | Use |\n|---|---|\n{rows}")

    assert others
    assert (first.table_head, first.search_text.count("Role")) == ("", 1)
    assert {chunk.table_head for chunk in others} == {"| *Role* | Use |"}
    assert all(chunk.search_text.startswith("A\n\n| Role | Use |\n| R") for chunk in others)
    assert all(chunk.text.startswith("| R") for chunk in others)


def test_each_part_of_a_listing_knows_its_fence():
    """Its comments are no headings, and `**kwargs` has its stars."""
    code = "".join(f"# Step {n}\nrun(**kwargs, *{'word ' * 30})\n\n" for n in range(30))

    before, first, *parts, behind = chunks(f"Run this:\n\n```py\n{code}```\n\nThen wait.\n")

    assert parts
    assert (before.code_fence, first.code_fence, behind.code_fence) == ("", "", "")
    assert {chunk.code_fence for chunk in parts} == {"```py"}
    assert all(chunk.search_text == f"A\n\n{chunk.text}" for chunk in parts)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("One.[^1]\n\n[^1]: <QRCode />\n\n[^2]: A note.\n", "One.[^1]\n\n[^2]: A note."),
        ("[^1]:\n    The note.\n", "[^1]:\nThe note."),
        ("[^1]: <Code />\n\n    The note.\n", "[^1]:\n\nThe note."),
        ("<Tabs>\nOne.\n</ Tabs>\n", "One."),
    ],
)
def test_what_only_a_component_shows_is_no_prose(source, words):
    """A mark without its note, or a closing tag with a blank, says nothing."""
    (chunk,) = chunks(source, "a.mdx")

    assert chunk.search_text.split("\n\n", 1)[1] == words


def test_same_content_has_the_same_id_and_repeated_content_has_not():
    """An unchanged chunk is not embedded again."""
    once = chunks(f"## A\n\n{LONG}\n\n## B\n\n{LONG}\n")
    moved = chunks(f"\n\n## A\n\n{LONG}\n\n## B\n\nChanged. {LONG}\n")
    twice = chunks(f"## A\n\n{LONG}\n\n## A\n\n{LONG}\n")

    assert once[0].id == moved[0].id
    assert once[1].id != moved[1].id
    assert twice[0].id != twice[1].id


def test_markdown_stays_markdown_whatever_it_looks_like():
    """A page that was parsed in another dialect than it was read in lost its braces or its end."""
    (chunk,) = chunks("A set is written {one, two}.\n\nA vector is <Vec>.\n\nimport 'so' they say.\n")

    assert "{one, two}" in chunk.search_text
    assert "import 'so' they say." in chunk.search_text
    assert texts("<Tabs>\n<!-- c\n```\ntext") == []


@pytest.mark.parametrize(
    "source", ["", "\n\n", "# Only a title\n", "---\n\n***\n", "<!-- nothing -->\n", "## A\n## B\n"]
)
def test_page_without_prose_gives_no_chunk(source):
    """A heading or a rule alone is never quoted."""
    assert chunks(source) == []


_MARKUP = (
    "# A@## B@### C {#c}@text. More text.@- item@  - deep@1. one@> quote@```@~~~@    code@<Tabs>@</Tabs>"
    "@<!-- c@-->@{a@}@:::tip T@:::@import a from 'b'@[r]: http://x@---@===@@@@$x$@`a@<a href='"
    "@| a | b |@|---|---|"
)
_LINES = st.sampled_from([*_MARKUP.split("@"), "word " * 60])


@fuzz(15)
@given(
    st.lists(_LINES, max_size=30), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["a.md", "a.mdx"])
)
def test_any_mixture_of_lines_is_cut_soundly(lines, line_end, path):
    """Real files are broken in every way."""
    page = read_plain_page(path, line_end.join(lines))

    found = chunk_page(page, target_tokens=60, least_tokens=15)

    assert_sound(page, found)
    assert lost(page, found) == ""


@fuzz(15)
@given(st.text(alphabet="#-*_`<>{}[]()!|:$~ \n\r\tab.é漢", max_size=200))
def test_any_signs_are_cut_soundly(source):
    """No input may break the offsets."""
    page = read_plain_page("a.mdx", source)

    assert_sound(page, chunk_page(page, target_tokens=20, least_tokens=5))


@pytest.mark.parametrize(
    "source",
    [
        ">" * 10_000 + " x",
        "# " + "[" * 20_000,
        "- " * 5_000 + "x",
        "x" * 60_000,
        "<a " * 8_000,
        "{" * 20_000,
        "<!--" * 20_000,
        " ".join("`" * i for i in range(1, 200)),
        "```\n" * 10_000,
        "import {\n" * 5_000,
    ],
    ids=["quotes", "brackets", "lists", "line", "tags", "braces", "comments", "ticks", "fences", "imports"],
)
def test_hostile_page_is_cut_in_bounded_time_and_size(source):
    """One bad file must not hold up the book."""
    page = read_plain_page("a.mdx", source)

    found = chunk_page(page)

    assert_sound(page, found)
    assert all(count_tokens(chunk.text) <= 600 for chunk in found)
