"""Write citations as names and years, and the list of the works, as sites made with Pandoc show them."""

from __future__ import annotations

import time

import pytest

from ragbot.books.markup.bibtex import parse_bibtex
from ragbot.books.markup.pandoc_citations import Citations, read_citations

BIB = """\
@comment{nothing}
@Book{oar2001,
  author = {Oar, Ann and {R Core Team} and Ludwig van Wood},
  title = {The {Oar}},
  year = 2001, publisher = "Sea \\& Sons", address = {Bergen},
}
@article{row19,
  author={R{\\"o}wer, B. and S{\\o}r, \\v{C}. and Three, C. and Four, D.}, journal = {Water},
  title={How to row.}, volume={3}, number={4}, pages={1--9}, date={2019-05-01}, doi={10.1/x}}
@incollection{part, author={Sea, Bo}, editor={Oar, Ann and Wood, Al}, booktitle={All Water}, year=2003,
  title={Ebb}, publisher={Sea}}
@misc{web, author={Sea, Bo}, title={Flood}, year=2004, howpublished={\\url{https://flood.test}}}
@misc{anon, title={Nobody's boat}, url={https://boats.test}}
"""


def citations() -> Citations:
    return read_citations(["a.bib", "b.json"], lambda name: BIB if name == "a.bib" else "@")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Row [@oar2001].", "Row (Oar, R Core Team, and van Wood 2001)."),
        ("Row [see @row19, p. 3; -@oar2001].", "Row (see Röwer et al. 2019, p. 3; 2001)."),
        ("@row19 [p. 3] says so.", "Röwer et al. (2019, p. 3) says so."),
        ("Röwer -@row19, @{row19}.", "Röwer (2019), Röwer et al. (2019)."),
        ("It is [@anon].", "It is (Nobody's boat n.d.)."),
        ("Write to a@oar2001.no, `@row19`, \\@row19, @nobody or [@nobody].",
         "Write to a@oar2001.no, `@row19`, \\@row19, @nobody or [@nobody]."),
        ("A [link to @row19](x.md) and [text].", "A [link to Röwer et al. (2019)](x.md) and [text]."),
    ],
)  # fmt: skip
def test_citation_is_names_and_years(written: str, shown: str) -> None:
    """A key is the author's own; what is no citation stays."""
    assert citations().written(written) == shown


def test_list_holds_the_cited_works_by_their_authors() -> None:
    """Readers ask who said it, and where."""
    found = citations()
    found.written("[@row19; @oar2001] and @row19")

    assert found.references(found.cited).split("\n\n") == [
        "Oar, Ann, R Core Team, and Ludwig van Wood. 2001. *The Oar.* Bergen: Sea & Sons.",
        "Röwer, B., Č. Sør, C. Three, and D. Four. 2019. “How to row.” Water 3 (4): 1–9. https://doi.org/10.1/x",
    ]


@pytest.mark.parametrize(
    "text", ["@book{a, title = {" * 2000, "@a{b," * 5000, "\n@a{b, c = " + "{" * 100_000]
)
def test_bad_bibliography_takes_no_time(text: str) -> None:
    """It comes from an upload."""
    started = time.process_time()

    parse_bibtex(text)

    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "line", ["[@" * 20_000, "@" * 50_000, "`@" * 20_000, "$@a" * 20_000, "[" + "@a;" * 20_000]
)
def test_bad_line_takes_no_time(line: str) -> None:
    """Every search is bounded."""
    started = time.process_time()

    citations().written(line)

    assert time.process_time() - started < 5


def test_part_of_a_book_names_its_editors() -> None:
    """So does the list of a site."""
    assert citations().references(["part", "web"]).split("\n\n") == [
        "Sea, Bo. 2003. “Ebb.” All Water. Edited by Ann Oar and Al Wood. Sea.",
        "Sea, Bo. 2004. *Flood.* https://flood.test",
    ]


def test_citation_by_a_bibliography_that_is_not_there_is_left_out() -> None:
    """`packages.bib` is written by a run; `[@R-knitr]` stood in the passages."""
    found = read_citations(["packages.bib", "a.bib"], lambda name: BIB if name == "a.bib" else "")

    assert found.written("The **knitr** package [@R-knitr] rows.") == "The **knitr** package rows."
    assert found.written("See [@R-knitr; @oar2001].") == "See (Oar, R Core Team, and van Wood 2001)."
    assert found.written("See @R-knitr, and write to @boats or [b](c@d.test).") == (
        "See knitr, and write to @boats or [b](c@d.test)."
    )
    assert (found.missing, found.unknown) == (("packages.bib",), 3)
