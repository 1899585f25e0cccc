"""Read what a hostile or broken page repeats in a time that grows no faster than the page."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ragbot.books.formats.epub import as_html
from ragbot.books.loader import load_book

BOOKDOWN = ("index.Rmd", "_bookdown.yml", "delete_merged_file: true")
QUARTO = ("index.qmd", "_quarto.yml", "project: {type: website}")
HUGO = ("content/index.md", "hugo.toml", 'title = "Boats"')
MDX = ("index.mdx", "notes.txt", "")
MYST = ("index.md", "myst.yml", "version: 1")
QUARTZ = ("content/index.md", "quartz.config.ts", "")
HTML = ("index.html", "styles.css", "p {}")


@pytest.mark.parametrize(
    ("project", "piece"),
    [
        (BOOKDOWN, "# Oars {#oars}\n"),
        (BOOKDOWN, " "),
        (BOOKDOWN, "\\begin{center}\n"),
        (BOOKDOWN, "` `` ``` "),
        (QUARTO, "[@a; "),
        (QUARTO, "[a]{.b "),
        (QUARTO, "a `r "),
        (HUGO, "{{< a "),
        (HUGO, "{{%" + " " * 99),
        (HUGO, "{{< highlight a >}}"),
        (MDX, "<A code={`"),
        (MDX, "<Code a={b}>{'"),
        (MYST, ":::{note}\n"),
        (MYST, "```{figure} a\n:label: b\n"),
        (MYST, "{kbd `a "),
        (MYST, "{ref}`a <`` "),
        (MYST, "(a)=\n"),
        (MYST, '+++ {"label": "a"}\nb\n'),
        (MYST, "$$\n\\begin{align}\n"),
        (MYST, "\\begin{equation}\n"),
        (MYST, "[@a:.[](#"),
        (MYST, "a\n---\n"),
        (MYST, "```{include} notes.txt\n```\n```{include} index.md\n```\n"),
        (MYST, "```{toc}\n```\n![](#a)\n"),
        (QUARTZ, "[[a#b|"),
        (QUARTZ, "%%a == [["),
        (QUARTZ, "> [!a|b\n"),
        (QUARTZ, " ^a-"),
        (HTML, "\n"),
        (HTML, "{% \n"),
        (HTML, "<ul role=tablist><li role=tab>a</li><li role=tab>b</li></ul>"),
        (HTML, "<div class=admonitionblock><table><tr><td class=icon><td class=content>a</table></div>"),
        (HTML, "mathjax \\(a \\["),
        (HTML, "<dl><dt>a<dd>b</dl>"),
        (HTML, "&lt;a "),
        (MDX, "<Key k='a' "),
        (MDX, "<TabItem label='a'\n"),
        (MDX, "<Tabs values={[{\n"),
    ],
)
def test_repeated_piece_takes_time_in_proportion(
    tmp_path: Path, project: tuple[str, str, str], piece: str
) -> None:
    """Some took minutes for a file that an upload may hold; now it is a second or two."""
    page, settings, configuration = project
    (tmp_path / page).parent.mkdir(exist_ok=True)
    (tmp_path / page).write_text("<!doctype html><p>Oars</p>" + piece * (200_000 // len(piece)))
    (tmp_path / settings).write_text(configuration)
    started = time.process_time()

    load_book(tmp_path)

    assert time.process_time() - started < 15


def test_long_lines_beside_a_definition_and_blanks_of_an_epub_take_time_in_proportion(tmp_path: Path) -> None:
    """Each was looked at from each of its characters."""
    page = f"<!doctype html><p>Oars</p><dl><dt>a<dd>b</dl><p>{'x' * 300_000}</p>"
    (tmp_path / "index.html").write_text(page)
    started = time.process_time()

    load_book(tmp_path)
    as_html(f'<body>{" " * 300_000}<a class="footnote">{" " * 300_000}</body>')

    assert time.process_time() - started < 15
