"""Write a formula of MathML as TeX, in which powers, fractions, roots and tables can be told apart.

Signs stay what they are: `∑_{i = 1}^{n}`. An element that is not known is written as its parts, one after
the other.
"""

from __future__ import annotations

from collections.abc import Callable

from selectolax.lexbor import LexborNode

# Formulas nest a dozen elements; below this depth only the words are taken.
MAX_DEPTH = 60

_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "{}$&%#_"} | {"\\": r"\backslash ", "^": r"\hat{}"})
# What MathML writes between a function and its argument, and between two factors.
_INVISIBLE = dict.fromkeys(range(0x2061, 0x2065))
_BINARY = frozenset("= ≠ < > ≤ ≥ ≪ ≫ ≈ ≡ ∼ ≅ ∝ + - − ± × · ÷ ∈ ∉ ⊂ ⊆ ⊃ ⊇ ∪ ∩ ∧ ∨ → ← ↔ ⇒ ⇐ ⇔ ↦ := ∣".split())
_FUNCTIONS = frozenset(
    "arccos arcsin arctan cos cosh cot csc deg det dim exp gcd inf ker lim ln log max min mod sec sin sinh "
    "sup tan tanh".split()
)
_ACCENTS = {"¯": "bar", "‾": "overline", "_": "underline", "^": "hat", "~": "tilde", "→": "vec", "˙": "dot"}
_NO_WORDS = frozenset({"annotation", "annotation-xml", "mphantom", "none", "mprescripts"})


def tex_of(formula: LexborNode) -> str:
    """Return a formula's TeX; an empty text if it is empty."""
    return " ".join(_written(formula, 0).split())


def loses_nothing(formula: LexborNode, tex: str) -> bool:
    """Return whether a formula is its letters alone: nothing is raised, below a line or in a table."""
    return "".join(tex.split()) == "".join(formula.text().split()).translate(_INVISIBLE)


def _written(node: LexborNode, depth: int) -> str:
    if depth > MAX_DEPTH:
        return node.text().translate(_ESCAPED)
    if node.tag in _NO_WORDS:
        return ""
    children = [] if node.tag in _TOKENS else list(node.iter())
    if not children:
        return _TOKENS.get(node.tag or "", _identifier)(" ".join(node.text().split()))
    if node.tag == "semantics":
        return _written(children[0], depth + 1)
    parts = [_written(child, depth + 1) for child in children]
    layout = _LAYOUTS.get(node.tag or "")
    if layout is not None and len(parts) == layout[0]:
        return layout[1](*parts)
    if node.tag == "mtable":
        rows = r" \\ ".join(parts)
        return rf"\begin{{matrix}} {rows} \end{{matrix}}"
    if node.tag in ("mtr", "mlabeledtr"):
        return " & ".join(parts)
    if node.tag == "mfenced":
        return _fenced(node, parts)
    row = _row(parts)
    return rf"\sqrt{{{row.strip()}}}" if node.tag == "msqrt" else row


def _row(parts: list[str]) -> str:
    """Join the parts of a row; a sign before a number is not one between two."""
    row = ""
    for part in parts:
        is_sign = part.strip() in _BINARY and (not row or row[-1] in " ([{")
        row += part.strip() if is_sign else part
    return row


def _fenced(node: LexborNode, parts: list[str]) -> str:
    attributes = node.attributes
    opening, closing = (
        (value if (value := attributes.get(name)) is not None else usual).translate(_ESCAPED)
        for name, usual in (("open", "("), ("close", ")"))
    )
    separators = attributes.get("separators")
    between = "," if separators is None else separators.strip()[:1]
    return f"{opening}{f'{between} '.join(parts) if between else ''.join(parts)}{closing}"


def _identifier(text: str) -> str:
    text = text.translate(_INVISIBLE)
    if text in _FUNCTIONS:
        return f"\\{text} "
    return rf"\mathrm{{{text.translate(_ESCAPED)}}}" if len(text) > 1 and text.isalpha() else _number(text)


def _number(text: str) -> str:
    return text.translate(_ESCAPED)


def _operator(text: str) -> str:
    text = text.translate(_INVISIBLE)
    if text in _BINARY:
        return f" {text} "
    if len(text) > 1 and text.isalpha():
        return f" {_identifier(text)} "
    return f"{text.translate(_ESCAPED)} " if text in (",", ";") else text.translate(_ESCAPED)


def _words(text: str) -> str:
    return rf" \text{{{text.translate(_ESCAPED)}}} " if text else " "


def _space(_: str) -> str:
    return " "


def _base(text: str) -> str:
    """Return what stands below a power: longer bases are grouped."""
    text = text.strip()
    return text if len(text) <= 1 or text.removeprefix("\\").isalpha() else f"{{{text}}}"


def _below_and_above(base: str, below: str, above: str) -> str:
    return _below(base, below) + _above("", above)


def _below(base: str, below: str) -> str:
    return f"{_base(base)}_{{{below}}}" if (below := below.strip()) else base


def _above(base: str, above: str) -> str:
    return f"{_base(base)}^{{{above}}}" if (above := above.strip()) else base


def _over(base: str, over: str) -> str:
    accent = _ACCENTS.get(over.strip().removeprefix("\\"))
    return rf"\{accent}{{{base.strip()}}}" if accent else _above(base, over)


def _fraction(above: str, below: str) -> str:
    return rf"\frac{{{above.strip()}}}{{{below.strip()}}}"


def _root(base: str, degree: str) -> str:
    return rf"\sqrt[{degree.strip()}]{{{base.strip()}}}"


_TOKENS: dict[str, Callable[[str], str]] = {
    "mi": _identifier,
    "mn": _number,
    "mo": _operator,
    "mtext": _words,
    "ms": _words,
    "mspace": _space,
}
# By an element's name the number of its parts, and what is made of them.
_LAYOUTS: dict[str, tuple[int, Callable[..., str]]] = {
    "msub": (2, _below),
    "munder": (2, _below),
    "msup": (2, _above),
    "mover": (2, _over),
    "msubsup": (3, _below_and_above),
    "munderover": (3, _below_and_above),
    "mfrac": (2, _fraction),
    "mroot": (2, _root),
}
