"""Show the blocks and roles of MyST 2 as its site does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ragbot.books.markup.myst_blocks import plain_myst_page
from ragbot.books.markup.myst_inline import InlinePage
from ragbot.books.markup.myst_page import MystPage
from ragbot.books.markup.myst_references import PageTargets, References
from ragbot.books.markup.pandoc_citations import Citations

FILES = {
    "row.py": "import sea\n# begin\nrow()\nrest()\n# end\nlast()\n",
    "part.md": "---\ntitle: Part\n---\nPart {kbd}`one`.\n",
}
OUTER = "::::"


def shown(text: str) -> str:
    """Return the lines of a page that are not empty; references are known from a first reading."""
    references = References()
    for _ in range(2):
        targets = PageTargets()
        inline = InlinePage("page.md", references, Citations({}), targets)
        page = MystPage(inline, lambda name: FILES.get(name, ""), no_contents)
        lines = plain_myst_page(text, page).split("\n")
        references.targets = dict(targets.own)
    return "\n".join(line for line in lines if line.strip())


def no_contents(_context: str, _depth: int) -> Iterator[str]:
    """List no pages."""
    yield from ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (":::{note}\nDry.\n:::", "**Note**\nDry."),
        (":::{tip} Of {kbd}`K`\n:class: dropdown\nDry.\n:::", "**Of `K`**\nDry."),
        (":::{tip .dropdown #dry}\nDry.\n:::\n\n[](#dry)", "**Tip**\nDry.\nTip"),
        (":::{seealso}\nOars.\n:::", "**See Also**\nOars."),
        ("1. a\n\n    :::{tip}\n    ## Wet\n    Dry.\n    :::", "1. a\n    **Wet**\n    Dry."),
        ("1. a\n\n   ```{code} py\n   if a:\n     b\n   ```", "1. a\n   ```py\n   if a:\n     b\n   ```"),
        (":::{admonition}\nDry.\n:::", "Dry."),
        (":::{warning}\n## Wet\nDry.\n:::", "**Wet**\nDry."),
        (":::{margin}\nDry.\n:::", "Dry."),
        (":::{div}\nDry.\n:::", "Dry."),
        (
            f"{OUTER}{{grid}} 1 2\n:::{{card}} Oil\n:header: First\nKeep.\n:::\n{OUTER}",
            "**Oil**\nFirst\nKeep.",
        ),
        (":::{card} Oil\nFirst\n^^^\nKeep.\n+++\nLast\n:::", "**Oil**\nFirst\nKeep.\nLast"),
        (f"{OUTER}{{tab-set}}\n:::{{tab-item}} One\nA\n:::\n{OUTER}", "**One**\nA"),
        (":::{blockquote}\nRow.\n\n-- Ben\n:::", "> Row.\n>\n> -- Ben"),
        (":::{figure} a.png\n:alt: An oar\nThe oar\n:::", "An oar\nThe oar"),
        (":::{figure} a.png\nOne\n:::\n:::{figure} b.png\n:name: b\nTwo\n:::", "One\nFigure 2: Two"),
        (
            ":::{iframe} https://e.test\nA film\n:::\n:::{figure} b.png\n:name: b\nB\n:::",
            "A film\nFigure 1: B",
        ),
        (":::{image} a.png\n:alt: An oar\n:::", "An oar"),
        (':::{csv-table} Tides\na,"b, c"\n1,2\n:::', "Tides\n| a | b, c |\n|---|---|\n| 1 | 2 |"),
        (':::{csv-table}\n:header: a, "b, c"\n1, 2\n:::', "| a | b, c |\n|---|---|\n| 1 | 2 |"),
        (":::{list-table} Tides\n:label: t\n* - a\n  - b\n:::", "Table 1: Tides\n* - a\n  - b"),
        ("(t)=\n| a |\n|---|\n\n[](#t)", "| a |\n|---|\nTable 1"),
        (":::{prf:lemma} Zorn\n:label: z\nSo.\n:::\n\n[](#z)", "**Lemma 1 (Zorn)**\nSo.\nLemma 1"),
        (":::{proof}\nSo.\n:::", "**Proof 1**\nSo."),
        (":::{prf:algorithm} By hand\n:nonumber: true\nSo.\n:::", "**Algorithm (By hand)**\nSo."),
        (
            ":::{exercise}\n:label: e\nRow.\n:::\n:::{solution} e\nSo.\n:::",
            "**Exercise 1**\nRow.\n**Solution to Exercise 1**\nSo.",
        ),
        (
            ":::{exercise-start}\n:label: e\n:::\nRow.\n:::{exercise-end}\n:::\n\n[](#e)",
            "**Exercise 1**\nRow.\nExercise 1",
        ),
        (":::{math}\n:label: m\na = b\n:::\n\n[](#m) {eq}`m`", "$$\na = b\n$$\n(1) (1)"),
        ("$$ a = b $$\n\n$$\nc\n$$ (m)\n\n[](#m)", "$$ a = b $$\n$$\nc\n$$\n(2)"),
        ("\\begin{equation}\n\\label{m}\na\n\\end{equation}\n\n[](#m)", "$$\na\n$$\n(1)"),
        ("\\begin{align}\na\n\\end{align}", "$$\n\\begin{align}\na\n\\end{align}\n$$"),
        ("```{raw} html\n<b>a</b>\n```\n```{mermaid}\ngraph\n```", ""),
        ("```mermaid\ngraph\n```\n```math\na\n```", "$$\na\n$$"),
        ('+++ {"label": "oath"}\nRow.\n\n+++\n\n![](#oath)', "Row.\nRow."),
        ("(oath)=\nRow.\nOn.\n\n```{embed} #oath\n```", "Row.\nOn.\nRow.\nOn."),
        (
            ":::{glossary}\nLoom\n: A glow.\n:::\n\n{term}`Loom` {term}`the loom <Loom>`",
            "Loom\n: A glow.\nLoom the loom",
        ),
        ("```{include} part.md\n```", "Part `one`."),
        ("```{include} missing.md\n```", ""),
    ],
)
def test_block_is_shown_as_the_site_has_it(written: str, expected: str) -> None:
    """The right values are those of a build."""
    assert shown(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "```{code-block} python\n:filename: a.py\n:caption: How\n:label: c\nrow()\n```",
            "**a.py**\n```python\nrow()\n```\nProgram 1: How",
        ),
        ("```{code} python\n:caption: How\nrow()\n```", "```python\nrow()\n```\nHow"),
        ("```{code-cell} ipython3\n#| label: c\nrow()\n```", "```python\nrow()\n```"),
        ("```{code-cell} python\n:tags: [remove-input]\nrow()\n```", ""),
        (
            "```{literalinclude} row.py\n:start-at: row\n:end-before: # end\n```",
            "**row.py**\n```python\nrow()\nrest()\n```",
        ),
        (
            "```{literalinclude} row.py\n:start-after: begin\n:end-at: row\n:filename: false\n```",
            "```python\nrow()\nrest()\n# end\nlast()\n```",
        ),
        (
            "```{include} row.py\n:lang: python\n:lines: 1,3-4\n```",
            "**row.py**\n```python\nimport sea\nrow()\nrest()\n```",
        ),
        (
            "```{include} row.py\n:literal: true\n:start-line: 2\n:end-line: 3\n```",
            "**row.py**\n```python\nrow()\n```",
        ),
        ("```python\n{kbd}`kept` @kept\n(kept)=\n```", "```python\n{kbd}`kept` @kept\n(kept)=\n```"),
    ],
)
def test_listing_has_its_name_and_the_chosen_lines(written: str, expected: str) -> None:
    """Of an included file those alone that the page asks for."""
    assert shown(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{kbd}`Esc` {sub}`2` {abbr}`LV (light vessel)` {math}`x`", "`Esc` 2 LV $x$"),
        ("{index}`oar` {raw:latex}`\\x` a", "  a"),
        ("{button}`Go <https://e.test>` {span .red}`in` [span]{.red}", "[Go](https://e.test) in [span]"),
        ("a `{download}` b [`x`](#y)\n- **`c`** d", "a `{download}` b [`x`](#y)\n- **`c`** d"),
        ("We {u}`row\n  on` today.", "We row on today."),
        (
            "(g)=\n## Grip\n\n[](#g), {ref}`g`, {ref}`it <g>`, @g, [@g], <#g>.",
            "## Grip {#g}\nGrip, Grip, it, Grip, Grip, Grip.",
        ),
        (
            "(p)=\nText.\n\n[](#p), [it](#p), [](#none), @none.",
            "Text.\nParagraph, [it](#p), [](#none), @none.",
        ),
        (
            ":::{figure} a\n:label: f\nThe oar\n:::\n[No. %s](#f), [{name}](#f), {numref}`No. {number} <f>`.",
            "Figure 1: The oar\nNo. 1, The oar, No. 1.",
        ),
        ("{ref}`none` {ref}`words <none>` mail@e.test", " words mail@e.test"),
        (
            "[](https://e.test/a) [a](https://e.test) ![](a.png)",
            "<https://e.test/a> [a](https://e.test) ![](a.png)",
        ),
        ("`code {kbd}` and ``{kbd}`x` ``", "`code {kbd}` and ``{kbd}`x` ``"),
    ],
)
def test_roles_and_references_are_words(written: str, expected: str) -> None:
    """A reference without words has those of what it leads to."""
    assert shown(written) == expected
