"""Test Markdown as a reader sees it: words without markup, each mapped to its place in the source."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import (
    readable,
    readable_blocks,
    readable_span,
    readable_words,
    tidy_markdown,
    unit_words,
)
from ragbot.config import PROJECT_ROOT
from tests.fuzzing import fuzz

BOOKS = [
    PROJECT_ROOT / "books" / "physical-ai",
    PROJECT_ROOT / "eval" / "books" / "lantern",
    PROJECT_ROOT / "eval" / "books" / "harbour",
]
PIECES = [
    *(
        "word ",
        "Bob's ",
        "**",
        "*",
        "_",
        "__",
        "`",
        "``",
        "~~",
        "[",
        "](x.md)",
        "![",
        "]",
        "(",
        ")",
        "\\",
        "\\*",
    ),
    *(
        "<b>",
        "</b>",
        "<br />",
        "<Tabs>",
        "<!-- x -->",
        "{/* x */}",
        "&amp;",
        "&nope;",
        "&#65;",
        "{#id}",
        "[^1]",
    ),
    *(
        "\n",
        "\r\n",
        "\n\n",
        "- ",
        "1. ",
        "7. ",
        "> ",
        "# ",
        "| a | b |\n",
        "|---|---|\n",
        ":::note\n",
        ":::\n",
    ),
    *("```\n", "é", "क्या", "   ", "snake_case ", "2*3 ", "!!! tip\n", ": ", "---\n"),
]
LETTER = re.compile(r"[^\W_]")
MARKDOWN = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
# A run of prose holds no fences.
PROSE = MARKDOWN.filter(lambda source: "```" not in source)


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("The **rind** of *old* ~~soft~~ cheddar", "The rind of old soft cheddar"),
        ("__init__ and _emph_ but snake_case_name", "init and emph but snake_case_name"),
        ("Bob's [old *cheddar*](https://x.test/a_(b)) here", "Bob's old cheddar here"),
        ("[ref][1] and [ref][]", "ref and ref"),
        ("![a picture](x.png) word", "word"),
        ("[![a badge](a.png)](https://x.test/) word", "word"),
        ("[a[0]](x.md) word", "a[0] word"),
        ("<https://x.test/a>", "https://x.test/a"),
        ("<b>bold</b><br />next <Tabs value='a'>x</Tabs>", "bold next x"),
        ("<!-- unseen -->shown {/* unseen */} end", "shown end"),
        ("[//]: # (unseen)", ""),
        ("\\*star\\* &amp; &lt;b&gt; &copy; &nope;", "*star* & <b> © &nope;"),
        ("f&#8203;ork, kni&shy;ves &ZeroWidthSpace;&#x200b;and `a&shy;`", "fork, knives and a&shy;"),
        ("\u0645\u06cc&zwnj;\u062e", "\u0645\u06cc\u200c\u062e"),
        ("run `x*y` and `` a`b ``", "run x*y and a`b"),
        ("run `cargo\nbuild` now", "run cargo build now"),
        ("- run `x\n- and `y`", "run `x and y"),
        ("a crock of s**t, f***k and **bold**ly", "a crock of s**t, f***k and boldly"),
        ("x </ TabItem> y", "x y"),
        ("a[^1] b", "a b"),
        ("[^1]: The note", "The note"),
        ("### Ripening {#ripening}", "Ripening"),
        ("text {: .note #id }", "text"),
        ("an **oven**{ .term } and `lye`{: .code} and [a](b){:target='_blank'}", "an oven and lye and a"),
        ("{: .lead}\ntext {:toc}", "text"),
        ('!!! note inline "Title"\n    Text', "Title Text"),
        ('=== "Windows"', "Windows"),
        ('--8<-- "part.md"', ""),
        ("*[DOF]: degrees of freedom\ntext", "text"),
        ("{::comment}unseen. So{:/comment} text {::nomarkdown}", "text"),
        ("++ctrl+k++ and ==never open== but C++ and a == b", "ctrl+k and never open but C++ and a == b"),
        ("- [ ] task", "task"),
        ("> said\n> more", "said more"),
        ("> [!NOTE]\n> Text", "Text"),
        (":::note Title\nText\n:::", "Title Text"),
        (":::note[A [link](b.md)]\nText\n:::", "A link Text"),
        (":::{admonition} Title\n:class: tip\nText\n:::", "Title Text"),
        ("??? tip\n    Text", "Text"),
        ("{% include x %} text", "text"),
        ("| a | **b** |\n|---|:-:|\n| 1 | 2 |", "a b 1 2"),
        ("one  \ntwo\\\nthree", "one two three"),
        ("a < b and b > c, 2*3*4, a * b", "a < b and b > c, 2*3*4, a * b"),
        (r"*So* $\pi^*$ maximizes $V^*(s)$", r"So $\pi^*$ maximizes $V^*(s)$"),
        (r"$\mathbf{x}_{i}$ and $\mathbf{y}_{j}$", r"$\mathbf{x}_{i}$ and $\mathbf{y}_{j}$"),
        (r"$\{a, b\}$, \(x\,y\) and \[|x\|\]", r"$\{a, b\}$, \(x\,y\) and \[|x\|\]"),
        ("> $$\n> a * b \\\\\n> *c\n> $$", "$$ a * b \\\\ *c $$"),
        ("$5 and *$6*, `$a` and `$b`", "$5 and $6, $a and $b"),
        ("**$HOME** or **$PATH** and [$a](b) or [$c](d)", "$HOME or $PATH and $a or $c"),
        (r"a price of \$5 or *6*\$, and \[optional\]", "a price of $5 or 6$, and [optional]"),
    ],
)
def test_words_are_those_of_the_page(source: str, words: str) -> None:
    """A quote is read, and a question's words are looked for in it."""
    assert readable_words(source) == words


def test_code_loses_its_fences_alone() -> None:
    """What looks like markup in it is the program."""
    source = "```python title='x.py'\nx = a**b  # [1](2)\n```"

    assert readable_words(source, kind="code") == "x = a**b  # [1](2)"


def test_code_keeps_the_fences_that_it_shows() -> None:
    """The page prints them, and a link to the words is followed there."""
    source = "````md\n```py\nx = 1\n```\n````"

    assert readable_words(source, kind="code") == "```py\nx = 1\n```"


def test_terms_keep_the_back_ticks_of_code() -> None:
    """A stop word in code is a keyword."""
    assert readable_words("the **`for`** loop", kind="terms") == "the `for` loop"


def test_number_at_the_beginning_of_a_line_is_no_items() -> None:
    """Lines are filled up to their ends in many books, and a year is a fact."""
    assert readable_words("It was built in\n1874. It burns oil.") == "It was built in 1874. It burns oil."


@pytest.mark.parametrize("source", ["1. one\n   more\n2. two", "2. one", "Then:\n\n3. one\n4. two"])
def test_number_of_an_item_is_none_of_its_words(source: str) -> None:
    """The page makes it."""
    assert not re.search(r"\d", readable_words(source))


@pytest.mark.parametrize(
    "component",
    [
        """<Method name="merge" args={[{ name: 'id' }]} returns="Promise<null>" />""",
        "<Key mod='>' />",
    ],
)
def test_components_attributes_are_no_words(component: str) -> None:
    """A sign in quotes ends no tag: the whole call was shown as a sentence of the book."""
    assert unit_words(f"Press {component} twice.", "sentence").split() == ["Press", "twice."]


def test_apostrophe_in_a_tag_takes_no_words_with_it() -> None:
    """Only what follows on an equals sign is a value."""
    assert unit_words("<b class=it's>Stir</b> Bob's curd.", "sentence") == "Stir Bob's curd."


def test_heading_has_no_closing_marks() -> None:
    """A sharp that belongs to a word stays."""
    assert unit_words("## Change the password ##", "heading") == "Change the password"
    assert unit_words("## Write C#", "heading") == "Write C#"


def test_definition_is_parted_from_its_term() -> None:
    """Else a glossary reads as one sentence without a verb."""
    assert unit_words("Curd\n: What milk becomes.", "sentence") == "Curd: What milk becomes."
    assert unit_words("Curd\n\n:   What milk becomes.", "sentence") == "Curd: What milk becomes."
    assert unit_words("**Show the rind**\\\nWhether it is shown.", "sentence") == (
        "Show the rind: Whether it is shown."
    )


def test_code_spans_and_breaks_are_known_by_their_places() -> None:
    """A text fragment stays within what the page prints in one go."""
    plain = readable("a `b c`<br>d ![x](y) e")

    assert [plain.text[start:end] for start, end in plain.code] == ["b c"]
    assert [plain.text[:at].split()[-1] for at in plain.breaks] == ["c", "d"]


def test_bar_of_code_in_a_row_has_no_backslash() -> None:
    """The page shows none: the words were found nowhere on it."""
    row = r"| `hold \| stop`, ``a\|b`` | The crew [rests `x\|y`](a.md). |"

    assert (
        readable_words(row, kind="table_row")
        .split("  ")[0]
        .startswith("hold | stop, a|b The crew rests x|y.")
    )
    assert readable_words(row) == readable_words(row, kind="table_row")
    assert readable_words(r"In text: `hold \| stop`.") == r"In text: hold \| stop."
    assert [readable(row).text[start:end] for start, end in readable(row).code] == [
        "hold | stop",
        "a|b",
        "x|y",
    ]


# --- places ------------------------------------------------------------------------------------


def is_place_of(character: str, source: str, at: int) -> bool:
    """Whether a shown character stands there, or what stands for it: an entity, a cell's or a line's end."""
    if character == " " or source[at] == character:
        return True
    return source[at] == "&" and unescape(source[at:].partition(";")[0] + ";")[:1] == character


@pytest.mark.parametrize(
    "source", [r"*a* $x^*_{1}$ *b*", r"| `a \| b` | *c* |", "> $$\n> a *\n> b\n> $$ *c*", r"\(x\,y\) \*"]
)
def test_each_character_of_a_formula_and_of_code_is_the_sources_own(source: str) -> None:
    """A sentence or a row with one is cited like others."""
    plain = readable(source)

    assert all(
        is_place_of(sign, source, plain.source_offset(at))
        for at, sign in enumerate(plain.text)
        if not sign.isspace()
    )


@fuzz(100)
@given(MARKDOWN)
def test_each_character_is_the_sources_own(source: str) -> None:
    """Cited words are marked in the quote by these offsets."""
    plain = readable(source)

    places = [plain.source_offset(at) for at in range(len(plain.text))]
    assert all(is_place_of(sign, source, at) for sign, at in zip(plain.text, places, strict=True))
    assert all(before <= after for before, after in pairwise(places))


@fuzz(50)
@given(MARKDOWN)
def test_offset_of_a_shown_character_leads_there_and_back(source: str) -> None:
    """The words of a part of a passage are found by its offsets."""
    plain = readable(source)

    for at, sign in enumerate(plain.text):
        if not sign.isspace() and source[plain.source_offset(at)] == sign:
            assert plain.text_offset(plain.source_offset(at)) == at


@pytest.mark.parametrize("folder", BOOKS, ids=lambda folder: folder.name)
def test_characters_of_whole_books_are_their_sources_own(folder) -> None:
    """What people write is odder than what tests make up."""
    for chunk in chunk_book(load_book(folder)):
        for block, plain in readable_blocks(chunk.text):
            source = chunk.text[block.start : block.end]
            assert all(
                is_place_of(sign, source, plain.source_offset(at)) for at, sign in enumerate(plain.text)
            )


@pytest.mark.parametrize("folder", BOOKS, ids=lambda folder: folder.name)
def test_no_markup_is_left_in_the_words_of_whole_books(folder) -> None:
    """A reader sees the quote as text."""
    damage = re.compile(r"\*\*|^\s*:::|<br|<!--|\]\(|\{#|\[\^|^\s*[-*] |^#{1,6} |^>", re.MULTILINE)

    found = [
        line
        for chunk in chunk_book(load_book(folder))
        for block in prose_blocks(chunk.text)
        if block.kind not in ("code", "other")
        for line in readable_words(_without_code(chunk.text[block.start : block.end])).splitlines()
        if damage.search(line)
    ]

    assert found == []


def _without_code(source: str) -> str:
    return re.sub(r"(`{1,2})(?!`).+?(?<!`)\1(?!`)", "code", source)


# --- parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "part", "words"),
    [
        ("Bob **ripens** the cheddar.", "ripens** the", "ripens the"),
        ("Read [the guide](x.md) first.", "guide](x.md) fi", "guide fi"),
        ("One.\n\n- Two\n- Three", "Two\n- Three", "Two\nThree"),
        ("Then run:\n\n```\nls -l\n```", "```\nls -l\n```", "ls -l"),
    ],
)
def test_words_of_a_part_are_without_markup_that_it_cuts_in_half(source: str, part: str, words: str) -> None:
    """What is cited may begin or end anywhere."""
    start = source.index(part)

    assert readable_span(source, start, start + len(part)) == words


# --- tidy Markdown -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "tidy"),
    [
        ("The **rind** of *old*\ncheddar is `x*y`.", "The **rind** of *old* cheddar is `x*y`."),
        ("See [the **guide**](x.md) and [a][1].", "See the **guide** and a."),
        ("[![a badge](a.png)](b) text", "text"),
        ("one<br />two", "one two"),
        ("cut** in half", "cut in half"),
        ("**cut in half", "cut in half"),
        ("not** touch **this", "not touch this"),
        ("*one **two* three**", "one two three"),
        ("`code` cut `in half", "`code` cut in half"),
        ("**a** and `b**`", "**a** and `b**`"),
        ("`a`<wbr>`b`", "`a` `b`"),
        ("run `cargo\nbuild` now", "run `cargo build` now"),
        ("2*3*4 and a * b", "2*3*4 and a * b"),
        ("\\*star\\* &lt;b&gt;", "\\*star\\* \\<b\\>"),
        ("10&deg;&nbsp;C&mdash;but &amp;lt; AT&amp;T &#124;", "10° C—but \\&lt; AT&T &#124;"),
        ("a *f&#8203;ork*, kni&shy;ves", "a *fork*, knives"),
        ("a crock of s**t, **bold**", "a crock of s\\*\\*t, **bold**"),
        ("第二**的", "第二的"),
        ("Curd\n: What milk becomes.", "Curd: What milk becomes."),
        ("Curd\n: Soft.\n: White.", "Curd: Soft. White."),
        ('!!! tip "A *tip*"\n    Text', "**A tip** Text"),
        ('!!! tip "**Oars** and *sails*"\n    Text', "**Oars and sails** Text"),
        (":::tip[**Oars** and `_a_`]{.x}\nText\n:::", "**Oars and `_a_`** Text"),
        ('!!! tip "A tip"\n    Text', "**A tip** Text"),
        (":::tip Title\nText[^2]\n:::", "Title Text"),
        ("built in\n1874. It burns", "built in 1874. It burns"),
        ("Use snake_case_name and _emph_", "Use snake_case_name and _emph_"),
        ("Mail <mailto:bob@dairy.test> or <alice@dairy.test>.", "Mail bob@dairy.test or alice@dairy.test."),
        ("by 10<sup>-2</sup> of H<sub>2</sub>O.<sup>1</sup>", "by 10⁻² of H₂O.¹"),
        ("`x<sup>2</sup>`", "`x<sup>2</sup>`"),
        (r"**Then** $\pi^*$ maximizes *all* of $V^*(s)$", r"**Then** $\pi^*$ maximizes *all* of $V^*(s)$"),
        (r"$\mathbf{x}_{1}$ or $a<b_{2}$ of **cut", r"$\mathbf{x}_{1}$ or $a<b_{2}$ of cut"),
        ("In $[0, 1]$ and $a[1]$, *here*", "In $[{}0, 1]$ and $a[{}1]$, *here*"),
        ("$<b>x</b>$ and *$6*", "$x$ and *$6*"),
        ("As [3] says, [0-9] is `a[1]`.", "As \\[\u20603] says, \\[0-9] is `a[1]`."),
        ("As \\[12] says [here](#a).", "As \\[\u206012] says here."),
        ("Press <Key.Soft>Go</Key.Soft>, then <Key>A</Key><Key>B</Key>.", "Press Go, then A B."),
    ],
)
def test_tidy_markdown_keeps_emphasis_and_code_alone(source: str, tidy: str) -> None:
    """An answer stands on a page of ours, where the book's links lead nowhere."""
    assert tidy_markdown(source) == tidy


@fuzz(100)
@given(PROSE)
def test_tidy_markdown_has_no_mark_that_is_open(source: str) -> None:
    """It would turn all behind it bold, or into code."""
    behind = "and <em>then</em> <strong>bold</strong> <code>code</code>"

    shown = MarkdownIt().renderInline(f"{tidy_markdown(source)} and *then* **bold** `code`")

    assert shown.endswith(behind)
    assert shown.removesuffix(behind).count("<strong>") == shown.removesuffix(behind).count("</strong>")


@fuzz(100)
@given(PROSE)
def test_tidy_markdown_has_no_links_pictures_or_tags(source: str) -> None:
    """They are another page's."""
    (inline,) = MarkdownIt("commonmark", {"html": True}).parseInline(tidy_markdown(source))

    assert {token.type for token in inline.children} & {"html_inline", "link_open", "image"} == set()


@fuzz(50)
@given(PROSE.filter(lambda source: not set(source) & set("\\&!")))
def test_tidy_markdown_keeps_the_letters(source: str) -> None:
    """Word for word is what an answer of the book's own sentences promises."""
    tidy = tidy_markdown(source)

    assert LETTER.findall(unescape(tidy)) == LETTER.findall(readable_words(source))
