"""Turn MyST into the words that readers of the site see."""

from __future__ import annotations

import pytest

from ragbot.books.markup.myst import MystProject, plain_myst
from ragbot.books.markup.pandoc_citations import read_citations

FILES = {"part.md": "Part {kbd}`one`.", "row.py": "row()\n", "loop.md": "```{include} loop.md\n```\nonce\n"}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("(grip)=\n## Grip\n% a note\n+++\nRound.", "## Grip\nRound."),
        ("```{code-cell} ipython3\n:tags: [hide-input]\nrow()\n```", "```python\nrow()\n```"),
        ("```{code-cell}\n:tags: [remove-cell]\nrow()\n```", ""),
        ('```{code-block} python\n---\ncaption: "Rowing"\n---\nrow()\n```', "Rowing\n```python\nrow()\n```"),
        ("```{literalinclude} row.py\n:language: python\n```", "```python\nrow()\n```"),
        ("```{note}\nKeep it dry.\n```", "**Note**\nKeep it dry."),
        (":::{seealso}\nOars.\n:::", "**See also**\nOars."),
        ("```{admonition} Dry {math}`x`\n:class: tip\nKeep it.\n```", "**Dry $x$**\nKeep it."),
        ("````{tab-set}\n```{tab-item} Linux\nA\n```\n````", "**Linux**\nA"),
        ("```{figure} oar.png\n:alt: An oar\n:width: 10px\nThe *oar*.\n```", "An oar\nThe *oar*."),
        ("```{math}\n:label: eq\na = b\n```", "$$\na = b\n$$"),
        ("```{exercise-start}\n:label: e1\n```\nRow.\n```{exercise-end}\n```", "**Exercise**\nRow."),
        ("```{solution-start} e1\n:class: dropdown\n```\nPull.", "**Solution**\nPull."),
        ("```{prf:theorem} Of Archimedes\nIt floats.\n```", "**Theorem (Of Archimedes)**\nIt floats."),
        ("```{toctree}\na\nb\n```", ""),
        ("```{include} part.md\n```", "Part `one`."),
        ("```{include} missing.md\n```", ""),
        ("See {ref}`the grip <grip>`, {ref}`grip`, {doc}`/oars`{cite}`smith`.", "See the grip, , ."),
        (
            "See {numref}`fig:a`, {numref}`tab:b` and {numref}`the third <c>`.",
            "See Fig., Table and the third.",
        ),
        ("```python\n(kept)=\n{ref}`kept`\n```", "```python\n(kept)=\n{ref}`kept`\n```"),
        (
            "We {ref}`used\n  the grip <grip>` and {ref}`a`.\n\nNext `x`.",
            "We used the grip and .\nNext `x`.",
        ),
        ("![oar](o.png){.wide} <!-- TODO -->", "![oar](o.png)"),
        ("1. a\n\n    ```{tip}\n    Keep it.\n    ```", "1. a\n    **Tip**\n    Keep it."),
        ("- a\n\n  :::{tip}\n    - b\n  c\n :::", "- a\n  **Tip**\n    - b\n  c"),
        ("1. a\n\n   ```{code} py\n   if a:\n     b\n   ```", "1. a\n   ```py\n   if a:\n     b\n   ```"),
    ],
)
def test_words_and_code_are_those_of_the_site(written: str, shown: str) -> None:
    """Directives, roles and labels are tools of the author."""
    words = plain_myst(written, lambda path: FILES.get(path, ""))

    assert "\n".join(line.rstrip() for line in words.split("\n") if line.strip()) == shown


def test_file_that_includes_itself_ends() -> None:
    """A mistake of the author must not take the memory."""
    assert plain_myst(FILES["loop.md"], lambda path: FILES[path]).count("once") <= 10


def test_works_are_named_and_listed() -> None:
    """A key is the author's own."""
    bib = "@book{oar, author={Oar, Ann}, title={Wood}, year=2001}\n@book{sea, title={Sea}, year=2002}"
    project = MystProject(read_citations(["a.bib"], lambda _name: bib))
    text = (
        "Row {cite}`oar,sea`, as {cite:t}`oar` says {cite:p}`nobody`.\n\n```{bibliography}\n:filter: x\n```"
    )

    words = plain_myst(text, lambda _path: "", project)

    assert words.split("\n")[0] == "Row (Oar 2001; Sea 2002), as Oar (2001) says ."
    assert [line for line in words.split("\n") if line][1:] == ["2002. *Sea.*", "Oar, Ann. 2001. *Wood.*"]


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ("```{code-cell} ipython3\nrow()\n```", 1),
        ("```{code-cell}\n:tags: [remove-output]\nrow()\n```", 0),
        ("```{code-cell}\n:tags: [remove-cell]\nrow()\n```", 0),
        ("```{code-block} python\nrow()\n```", 0),
    ],
)
def test_cells_whose_output_a_build_alone_has_are_counted(cell: str, count: int) -> None:
    """The operator is told how much of the book is not to be had from its source."""
    project = MystProject()

    plain_myst(cell, lambda _path: "", project)

    assert project.unrun_cells == len(project.notes()) == count
