"""Read the sources of websites of R Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.loader import load_book
from ragbot.core.domain import LeftOut
from ragbot.core.errors import BookError

SITE = """name: boats
output_dir: ../docs
navbar:
  title: All Boats
  left:
    - {text: Home, href: index.html}
    - text: Parts
      menu:
        - {text: The oars, href: ./oars.html}
        - {text: Elsewhere, href: "https://x.test/"}
  right: [{text: Sails, href: "sails.html#top"}]
"""


def laid(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_pages_have_the_order_titles_and_addresses_of_the_site(tmp_path: Path) -> None:
    """The sources of such a site were refused."""
    pages = {
        "analysis/index.Rmd": "---\ntitle: Welcome\n---\n\nHello.\n",
        "analysis/a b (c).Rmd": "---\ntitle: More\n---\n\nx\n",
        "analysis/oars.Rmd": "---\ntitle: Oars\n---\n\n## Grip\n\n"
        "```{r, echo=TRUE}\nrow(1)\n```\n\n## Grip\n\nx\n",
        "analysis/oars.md": "made\n",
        "analysis/sails.md": "# Sails\n\nx\n",
        "analysis/_part.Rmd": "no page\n",
        "analysis/deep/note.Rmd": "no page\n",
        "analysis/LICENSE.md": "no page\n",
    }

    book = load_book(laid(tmp_path, {"analysis/_site.yml": SITE, **pages}))

    assert book.title == "All Boats"
    assert [(page.address, page.title, page.parts) for page in book.pages] == [
        ("", "Welcome", ()),
        ("oars.html", "Oars", ("Parts",)),
        ("sails.html", "Sails", ()),
        ("a_b__c_.html", "More", ()),
    ]
    assert [section.anchor for section in book.pages[1].sections] == ["grip", "grip-1"]
    assert "```r\nrow(1)\n```" in book.pages[1].source
    assert LeftOut("The file is about the repository, and no chapter.", ".md", 1) in book.left_out


def test_each_page_lists_the_works_that_it_cites(tmp_path: Path) -> None:
    """A page names its own bibliography."""
    work = "@book{kay, author={Kay, Ann}, title={Knots}, year={2001}}\n"
    page = "---\ntitle: T\nbibliography: {name}.bib\n---\nSee [@kay].\n"
    files = {
        "_site.yml": "name: boats\n",
        "a.bib": work,
        "b.bib": work.replace("2001", "2002"),
        "a.Rmd": page.replace("{name}", "a"),
        "b.Rmd": page.replace("{name}", "b"),
    }

    first, second = load_book(laid(tmp_path, files)).pages

    assert first.source.count("2001") == 2
    assert second.source.count("2002") == 2
    assert "2001" not in second.source


def test_sections_of_slides_are_found_by_their_page(tmp_path: Path) -> None:
    """Each kind of slides names its slides in another way."""
    slides = "---\ntitle: Talk\noutput: ioslides_presentation\n---\n\n## Grip\n\nx\n\n```\n## code\n```\n"

    (page,) = load_book(laid(tmp_path, {"_site.yml": "name: b\n", "talk.Rmd": slides})).pages

    assert [(section.heading_path, section.anchor) for section in page.sections] == [(("Talk", "Grip"), "")]
    assert "\n## code\n" in page.source


def test_configuration_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Its order and addresses are not known then."""
    with pytest.raises(BookError, match=r"_site\.yml cannot be read"):
        load_book(laid(tmp_path, {"_site.yml": "a: [", "index.Rmd": "x\n"}))
