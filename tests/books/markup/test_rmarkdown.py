"""Turn R Markdown and Quarto into the words that readers of the site see."""

from __future__ import annotations

import time

import pytest

from ragbot.books.markup.rmarkdown import plain_rmarkdown
from ragbot.books.markup.rmarkdown_inline import RmdProject

FILES = {"part.md": "Part one. <!-- not told -->", "loop.md": "{{< include loop.md >}}\nonce\n"}


def plain(text: str, *, shows_code: bool = True) -> str:
    project = RmdProject(shows_code=shows_code, values={"var": {"keeper": {"name": "Cleo"}}})
    words = plain_rmarkdown(text, lambda path: FILES.get(path, ""), project)
    return "\n".join(line.rstrip() for line in words.split("\n") if line.strip())


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("```{r oars, fig.width=5}\nx <- 1\n```", "```r\nx <- 1\n```"),
        ("```{r, echo=FALSE, fig.cap='An oar.'}\nplot(1)\n```", "An oar."),
        ("```{r include = FALSE}\nlibrary(boats)\n```", ""),
        ("```{python}\n#| fig-cap: \"An oar.\"\nrow()\n```", "```python\nrow()\n```\nAn oar."),
        ("```{r}\n#| echo: false\nrow()\n```", ""),
        ("```{=html}\n<script>x</script><b>An oar</b>\n```", "**An oar**"),
        ("```{=latex}\n\\vspace{1em}\n```", ""),
        ("```{block, type='tip'}\nRow *slowly*.\n```", "Row *slowly*."),
        ("```{.python filename=\"a.py\"}\nrow()\n```", "**a.py**\n```python\nrow()\n```"),
        ("```{python}\n#| filename: a.py\nrow()  # <1>\n```\n1. At once.",
         "**a.py**\n```python\nrow()\n```\n1. At once."),
        ("```r\nrow() # <2,3>\n# <x>\n```", "```r\nrow()\n# <x>\n```"),
        ("```yaml\n::: {.tip}\n```", "```yaml\n::: {.tip}\n```"),
        ("```{r, fig.cap='(ref:oar)'}\nx\n```\n\n(ref:oar) An *oar*.", "```r\nx\n```\nAn *oar*."),
        ("It has `r nrow(oars)` oars, see \\@ref(oars)\\index{oar}.", "It has  oars, see ."),
        ("A [grip]{.term} and ![oar](o.png){width=50%}.", "A grip and ![oar](o.png)."),
        ("See @fig-oar, [@sec-a.1], a@fig-oar.org.", "See Figure, Section, a@fig-oar.org."),
        ("```{{python}}\n#| label: a\nx\n```", "``````markdown\n```{python}\n#| label: a\nx\n```\n``````"),
        ("```{.python}\n#| label: a\nx\n```", "```python\n#| label: a\nx\n```"),
        ("## Sea\n::: {.panel-tabset}\n## Sea\n## Oars\n:::\n## Oars\n## Oars\n## Wood\n## Sea {#b}",
         "## Sea\n**Sea**\n**Oars**\n## Oars {#oars-1}\n## Oars {#oars-2}\n## Wood\n## Sea {#b}"),
        ('::: {.content-visible when-format="pdf"}\n# Sea\n:::\n# Sea', "# Sea {#sea-1}"),
        ("::: {.callout-tip}\n## Sea\n:::\n## Sea", "**Sea**\n## Sea {#sea-1}"),
        ("See @cor-a, [of @tip-b], @tips.", "See Corollary, of, @tips."),
        ("Row.^[Or [sail](s.md).]", "Row. (Or [sail](s.md).)"),
        ("# Oars {#sec-oars .unnumbered}\n## Grip {-}", "# Oars {#sec-oars}\n## Grip"),
        ("::: {.callout-tip}\n## Dry\nKeep it.\n:::", "**Dry**\nKeep it."),
        ("::: {.callout-note}\nKeep it.\n:::", "**Note**\nKeep it."),
        ("1. a\n\n    ::: {.callout-note}\n    Dry.\n    :::", "1. a\n    **Note**\n    Dry."),
        ("1. a\n\n   ::: {.callout-tip}\n   ## Wet\n   Dry.\n   :::", "1. a\n   **Wet**\n   Dry."),
        ('1. a\n\n   ::: {.callout-tip title="Wet"}\n   Dry.\n   :::', "1. a\n   **Wet**\n   Dry."),
        ("::: {}\n::: {.callout-note}\nDry.\n:::\n:::", "**Note**\nDry."),
        ("::: {.callout-tip title=\"Dry\"}\nKeep it.\n:::", "**Dry**\nKeep it."),
        ("::: {.panel-tabset}\n## Linux\nA\nB\n:::\n## Next", "**Linux**\nA\nB\n## Next"),
        ('::: {.content-visible when-format="pdf"}\nPrinted.\n:::\nShown.', "Shown."),
        ('::: {.content-visible when-format="html"}\nShown.\n:::', "Shown."),
        ("{{< include part.md >}}\n{{< pagebreak >}}", "Part one."),
        ("{{< include loop.md >}}", "once\nonce\nonce\nonce\nonce"),
        ("\\newpage\nText.", "Text."),
        ("$$\na\n=\nb\n$$", "$$\na =\nb\n$$"),
        ("![An *oar*.](o.png){#fig-oar}", "![](o.png)\nFigure: An *oar*."),
        ('![An oar.](o.png){fig-alt="Long wood"}', "![Long wood](o.png)\nAn oar."),
        ("```{r}\n#| label: fig-oar\n#| fig.cap: An oar.\n#| fig-alt: Long wood\nx\n```",
         "```r\nx\n```\nLong wood\nFigure: An oar."),
        ("# Oars\\index{\\texttt{oar{\\textunderscore}s}} {#sec-o}", "# Oars {#sec-o}"),
        ('Of `r index("round wood", "wood")` and `r oars`, `r nrow(x) + 1`.', "Of round wood and `oars`, ."),
        ('![](`r file("a.png")`)', "![]()"),
        ("`r if (knitr::is_html_output()) '\n# More {-}\n'`", "# More"),
        ("`r if (knitr::is_latex_output()) '# Print'`", ""),
        ("\\begin{center}\n{\\Large For A.}\n\\end{center}\nText.", "Text."),
        ("Chapters [-@sec-a], [Part @sec-b].", "Chapters , Part."),
        ("```{r}\nx <- '\n  ```\n  '\n```", "```r\nx <- '\n  ```\n  '\n```"),
        (": (\\#tab:oars) All oars.", ":Table: All oars."),
        ("| A |\n|---|\n| 1 |\n\n: All *oars* {#tbl-oars}\n\nText.",
         "| A |\n|---|\n| 1 |\nTable: All *oars*\nText."),
        ("| A |\n|---|\n| 1 |\n: All oars\n\nOar\n: Of {wood}",
         "| A |\n|---|\n| 1 |\nAll oars\nOar\n: Of {wood}"),
        ("$$\na\n$$ {#eq-a}\nSee @eq-a.", "$$\na\n$$\nSee Equation."),
        ("::: {#thm-a}\n## Tides\nTwice.\n:::\n## Next", "**Theorem (Tides)**\nTwice.\n## Next"),
        ("::: {#lem-a}\nTwice.\n:::\n::: {.proof}\nCount.\n:::", "**Lemma**\nTwice.\n**Proof**\nCount."),
        ('::: {.theorem #a name="Tides"}\nTwice.\n:::', "**Tides**\nTwice."),
        ('::: {.callout-note appearance="simple"}\nDry.\n:::', "Dry."),
        ('A [phare]{lang="fr"}.[It turns.]{.aside} [x]', "A phare. It turns. [x]"),
        ("Press {{< kbd Ctrl-C mac=Cmd-C >}} for {{< var keeper.name >}}, {{< var x >}}.",
         "Press `Ctrl-C` for Cleo, ."),
        ("## By {{< var keeper.name >}} {#by}", "## By Cleo {#by}"),
    ],
)  # fmt: skip
def test_words_and_code_are_those_of_the_site(written: str, shown: str) -> None:
    """Options, marks of blocks and computed values are tools of the author."""
    assert plain(written) == shown


def test_code_is_left_out_where_the_book_hides_it() -> None:
    """`execute: echo: false` holds for all listings but those that say otherwise."""
    text = "```{r}\nhidden()\n```\n\n```{r}\n#| echo: true\nshown()\n```\n\n```r\nwritten()\n```\n"

    words = plain(text, shows_code=False)

    assert "hidden" not in words
    assert "shown()" in words
    assert "written()" in words


@pytest.mark.parametrize(
    ("chunk", "count"),
    [
        ("```{r}\nx\n```", 1),
        ("```{r, echo=FALSE}\nx\n```", 1),
        ("```{r, eval=FALSE}\nx\n```", 0),
        ("```{r, include=FALSE}\nx\n```", 0),
        ("```{r, results='hide'}\nx\n```", 0),
        ("```{python}\n#| output: false\nx\n```", 0),
        ("```{python .stored}\nx\n```", 0),
        ("```{.python}\nx\n```", 0),
        ("```python\nx\n```", 0),
    ],
)
def test_cells_whose_output_a_build_alone_has_are_counted(chunk: str, count: int) -> None:
    """The operator is told how much of the book is not to be had from its source."""
    project = RmdProject()

    plain_rmarkdown(chunk, lambda path: "", project)

    assert project.unrun_cells == count
    assert len(project.notes()) == count


@pytest.mark.parametrize("text", ["`r f('" + "a" * 40_000 + "`", "[" + "a " * 20_000 + "@", "![" * 10_000])
def test_bad_line_takes_no_time(text: str) -> None:
    """Every search is bounded."""
    started = time.process_time()

    plain_rmarkdown(text, lambda _path: "")

    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Write `\\@ref(fig:a)`, `[b]{.c}`, `{#id}` or `^[note]`.", "as written"),
        ("Give `\\index{boats}` and `x`{.r}, see [`y`]{.k}.", "Give `\\index{boats}` and `x`, see `y`."),
        ("A note^[with `^[c]` in it] ends.", "A note (with `^[c]` in it) ends."),
        ("Such is `` `r x` ``, and `r x`.", "Such is `` `r x` ``, and `x`."),
        ("Such is `` `r knitr::inline_expr('x + 1')` ``.", "Such is `` `r x + 1` ``."),
        ("```md\n(ref:a) Words.\n`r inline_expr('x')`\n```", "```md\n(ref:a) Words.\n`r x`\n```"),
        ("```tex\n\\begin{table}\na\n\\end{table}\n```", "as written"),
        ("\\begin{table}\na\n```\nb\n```\n\\end{table}\nc", "c"),
        ("\\begin{table}\na", "as written"),
    ],
)
def test_code_that_shows_how_to_write_is_shown_as_it_is(written: str, shown: str) -> None:
    """Books about R Markdown lost the marks that they are about."""
    expected = written if shown == "as written" else shown

    assert plain_rmarkdown(written, lambda _: "").split() == expected.split()
