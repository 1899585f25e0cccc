"""Test the titles of navigation and front matter, which are HTML for some generators and text for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.loader import load_book
from ragbot.books.markup.titles import plain_title

RAW = "<span translate=no>Ti&shy;des</span> &amp; oars<br>"
PAGE = "# Wind\n\nIt blows.\n"


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ('<span translate="no">Tides</span>', "Tides"),
        ("<b>Tides</b> <i class='x'>and <b>oars</b></i>", "Tides and oars"),
        ("Tides<br/>and <img src='x.png'> oars <Badge text='new' />", "Tides and oars"),
        ("Ti&#8203;des &amp; kni&shy;ves\u200b", "Tides & knives"),
        ("&lt;b&gt; and AT&T", "<b> and AT&T"),
        ("The <head> element, Vec<T> and a < b > c", "The <head> element, Vec<T> and a < b > c"),
        ("`<b></b>", "`"),
        ("<span></span>", ""),
    ],
)
def test_title_is_the_words_that_are_seen(title: str, words: str) -> None:
    """Tags were told to readers; a tag that nothing closes is a word."""
    assert plain_title(title) == words


@pytest.mark.parametrize(
    "files",
    [
        {
            "mkdocs.yml": f'site_name: "{RAW}"\nnav:\n  - "{RAW}":\n    - "{RAW}": a.md\n',
            "docs/a.md": PAGE,
        },
        {
            "docusaurus.config.js": f'module.exports = {{ title: "{RAW}" }};',
            "docs/x/_category_.json": f'{{"label": "{RAW}"}}',
            "docs/x/a.md": f'---\ntitle: "{RAW}"\n---\n\n{PAGE}',
        },
        {
            "book.toml": f'[book]\ntitle = "{RAW}"\n',
            "src/SUMMARY.md": f"# Summary\n\n# {RAW}\n\n- [{RAW}](a.md)\n",
            "src/a.md": PAGE,
        },
        {
            "_config.yml": f'title: "{RAW}"\n',
            "_toc.yml": f'root: a\nparts:\n  - caption: "{RAW}"\n    chapters:\n'
            f'      - {{file: b, title: "{RAW}"}}\n',
            "a.md": "# A\n",
            "b.md": PAGE,
        },
        {
            "_quarto.yml": f'project: {{type: book}}\nbook:\n  title: "{RAW}"\n  chapters:\n'
            f'    - part: "{RAW}"\n      chapters: [a.qmd]\n',
            "a.qmd": f'---\ntitle: "{RAW}"\n---\n\n{PAGE}',
        },
        {
            "hugo.toml": f'title = "{RAW}"\n',
            "content/docs/_index.md": f'---\ntitle: "{RAW}"\n---\n\nx\n',
            "content/docs/a.md": f'---\ntitle: "{RAW}"\n---\n\n{PAGE}',
        },
        {
            "config.toml": f'base_url = "https://x.test"\ntitle = "{RAW}"\n',
            "content/docs/_index.md": f'+++\ntitle = "{RAW}"\n+++\nx\n',
            "content/docs/a.md": f'+++\ntitle = "{RAW}"\n+++\n\n{PAGE}',
        },
    ],
    ids=["mkdocs", "docusaurus", "mdbook", "jupyter-book", "quarto", "hugo", "zola"],
)
def test_titles_of_a_navigation_have_no_tags(tmp_path: Path, files: dict[str, str]) -> None:
    """They stood in the places of answers and under the nearest sections."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    book = load_book(tmp_path)

    page = book.pages[-1]
    assert book.title == "Tides & oars"
    assert page.title == "Tides & oars"
    assert page.parts == ("Tides & oars",)
    assert page.sections[-1].heading_path[:2] == ("Tides & oars", "Tides & oars")
