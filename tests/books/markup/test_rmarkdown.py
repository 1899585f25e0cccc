"""Turn R Markdown and Quarto into the words that readers of the site see."""

from __future__ import annotations

import pytest

from ragbot.books.markup.rmarkdown import plain_rmarkdown

FILES = {"part.md": "Part one. <!-- not told -->", "loop.md": "{{< include loop.md >}}\nonce\n"}


def plain(text: str, *, shows_code: bool = True) -> str:
    words = plain_rmarkdown(text, lambda path: FILES.get(path, ""), shows_code=shows_code)
    return "\n".join(line.rstrip() for line in words.split("\n") if line.strip())


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("```{r oars, fig.width=5}\nx <- 1\n```", "```r\nx <- 1\n```"),
        ("```{r, echo=FALSE, fig.cap='An oar.'}\nplot(1)\n```", "An oar."),
        ("```{r include = FALSE}\nlibrary(boats)\n```", ""),
        ("```{python}\n#| fig-cap: \"An oar.\"\nrow()\n```", "```python\nrow()\n```\nAn oar."),
        ("```{r}\n#| echo: false\nrow()\n```", ""),
        ("```{=latex}\n\\vspace{1em}\n```", ""),
        ("```{block, type='tip'}\nRow *slowly*.\n```", "Row *slowly*."),
        ("```{.python filename=\"a.py\"}\nrow()\n```", "```python\nrow()\n```"),
        ("```yaml\n::: {.tip}\n```", "```yaml\n::: {.tip}\n```"),
        ("```{r, fig.cap='(ref:oar)'}\nx\n```\n\n(ref:oar) An *oar*.", "```r\nx\n```\nAn *oar*."),
        ("It has `r nrow(oars)` oars, see \\@ref(oars)\\index{oar}.", "It has  oars, see ."),
        ("A [grip]{.term} and ![oar](o.png){width=50%}.", "A grip and ![oar](o.png)."),
        ("See @fig-oar, [@sec-a.1], a@fig-oar.org.", "See Figure, Section, a@fig-oar.org."),
        ("Row.^[Or [sail](s.md).]", "Row. (Or [sail](s.md).)"),
        ("# Oars {#sec-oars .unnumbered}\n## Grip {-}", "# Oars {#sec-oars}\n## Grip"),
        ("::: {.callout-tip}\n## Dry\nKeep it.\n:::", "**Dry**\nKeep it."),
        ("::: {.callout-note}\nKeep it.\n:::", "**Note**\nKeep it."),
        ("::: {.callout-tip title=\"Dry\"}\nKeep it.\n:::", "**Dry**\nKeep it."),
        ("::: {.panel-tabset}\n## Linux\nA\nB\n:::\n## Next", "**Linux**\nA\nB\n## Next"),
        ('::: {.content-visible when-format="pdf"}\nPrinted.\n:::\nShown.', "Shown."),
        ('::: {.content-visible when-format="html"}\nShown.\n:::', "Shown."),
        ("{{< include part.md >}}\n{{< pagebreak >}}", "Part one."),
        ("{{< include loop.md >}}", "once\nonce\nonce\nonce\nonce"),
        ("\\newpage\nText.", "Text."),
        ("$$\na\n=\nb\n$$", "$$\na =\nb\n$$"),
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
