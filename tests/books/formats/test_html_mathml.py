"""Test formulas of MathML: what plain text would lose is told by TeX."""

import time

import pytest

from ragbot.books.formats.html import read_html_page
from ragbot.books.loader import load_book
from tests.books.formats.test_epub import book, xhtml


def shown(formula):
    source = read_html_page("a.html", f"<main><h1>T</h1><p>See {formula} there.</p></main>").source
    return source.split("\n")[2].removeprefix("See ").removesuffix(" there.")


@pytest.mark.parametrize(
    ("formula", "tex"),
    [
        ("<msub><mi>x</mi><mn>1</mn></msub><mo>=</mo><msup><mi>y</mi><mn>2</mn></msup>", "x_{1} = y^{2}"),
        ("<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>", "x_{1}^{2}"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>", r"\frac{a + b}{c}"),
        ("<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", r"\sqrt{a + b}"),
        ("<msub><mi>x</mi><mn>1</mn></msub><mo>=</mo><mo>−</mo><mn>7</mn>", "x_{1} = −7"),
        ("<mroot><mi>a</mi><mn>3</mn></mroot>", r"\sqrt[3]{a}"),
        (
            "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>",
            "∑_{i = 1}^{n}i",
        ),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", r"\bar{x}"),
        ("<mi>sin</mi><mo>&#x2061;</mo><msup><mi>x</mi><mn>2</mn></msup>", r"\sin x^{2}"),
        (
            "<mo>(</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr>"
            "<mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr></mtable><mo>)</mo>",
            r"(\begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix})",
        ),
        (
            '<mfenced open="{"><msub><mi>x</mi><mn>1</mn></msub><mi>y</mi></mfenced>',
            r"\{x_{1}, y)",
        ),
        (
            '<mi>x</mi><mo>=</mo><mtext>the</mtext><mspace width="1em"/><mi>y</mi><mtext>such that</mtext>',
            r"x = \text{the} y \text{such that}",
        ),
        ("<semantics><msup><mi>x</mi><mn>2</mn></msup><annotation>x2</annotation></semantics>", "x^{2}"),
        (
            "<msup><mi>a</mi><mrow></mrow></msup><munknown><msup><mi>b</mi><mn>2</mn></msup></munknown>",
            "ab^{2}",
        ),
    ],
)
def test_mathml_is_written_as_tex(formula, tex):
    """A root was its content alone, and a matrix one number."""
    assert shown(f"<math>{formula}</math>") == f"${tex}$"


def test_letters_alone_stay_words():
    """Most formulas of a book are a letter, and the page can be searched for it."""
    assert shown("<math><mi>x</mi><mo>+</mo><mn>1</mn></math>") == "x+1"


@pytest.mark.parametrize("words", ["Alternative text not available", "x equals StartFraction a Over b"])
def test_alternative_text_in_words_is_no_tex(words):
    """Tools write the same words for each formula of a book, or what a voice is to say."""
    formula = "<mfrac><mi>a</mi><mi>b</mi></mfrac>"

    assert shown(f'<math alttext="{words}">{formula}</math>') == r"$\frac{a}{b}$"
    assert shown(rf'<math alttext="\tfrac a b">{formula}</math>') == r"$\tfrac a b$"


def test_formula_with_a_prefix_is_read(tmp_path):
    """EPUBs of XML tools name the elements so."""
    formula = (
        '<m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:msqrt><m:mi>a</m:mi></m:msqrt></m:math>'
    )
    (tmp_path / "book.epub").write_bytes(book({"a.xhtml": xhtml(f"<h1>A</h1><p>See {formula} there.</p>")}))

    assert r"See $\sqrt{a}$ there." in load_book(tmp_path / "book.epub").pages[0].source


@pytest.mark.parametrize("piece", ["<math>", "<mrow>", "<msqrt>", "<mfenced>", "<msub><mi>x</mi>"])
def test_hostile_formula_takes_linear_time(piece):
    """A formula may be nested as deep as a page."""
    started = time.process_time()

    read_html_page("a.html", f"<main><h1>T</h1><p>a <math>{piece * 900}{'b' * 100_000}</p></main>")

    assert time.process_time() - started < 5
