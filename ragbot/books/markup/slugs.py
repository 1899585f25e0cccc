"""Make the anchors of headings as GitHub, Docusaurus, mdBook, HonKit and pandoc do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

Slugger = Callable[[str], str]

# github-slugger keeps letters, marks, numbers and connectors, besides these.
_KEPT_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"})

_TYPED_SIGNS = re.compile(r"\.{3}|-{2,3}")

_SIGN_LETTERS = (
    ("Ⓐ", "ⓩ"),
    ("\U0001f130", "\U0001f149"),
    ("\U0001f150", "\U0001f169"),
    ("\U0001f170", "\U0001f189"),
)


def github_slug(text: str) -> str:
    """Lower the case, turn white space into hyphens, drop signs and emoji, as github-slugger does.

    Docusaurus and GitHub share it.
    """
    kept = (character for character in text.lower() if _is_kept(character))
    return "".join(kept).replace(" ", "-")


class NumberedSlugger:
    """Make the anchors of one page by a rule for a heading, and number those that are there already.

    `sign` stands before the number. No heading gets an anchor that is `taken`.
    """

    def __init__(self, slug: Callable[[str], str], *, sign: str = "-", taken: Iterable[str] = ()) -> None:
        self._slug = slug
        self._sign = sign
        # The last number behind each anchor.
        self._numbers = dict.fromkeys(taken, 0)

    def __call__(self, text: str) -> str:
        plain = slug = self._slug(text)
        while slug in self._numbers:
            self._numbers[plain] += 1
            slug = f"{plain}{self._sign}{self._numbers[plain]}"
        self._numbers[slug] = 0
        return slug

    def take(self, anchor: str) -> None:
        """Leave an anchor to what is no heading."""
        self._numbers.setdefault(anchor, 0)


# What HonKit drops; other signs and all letters stay.
_NOT_IN_HONKIT = str.maketrans(dict.fromkeys("[]!\"'#$%&()*+,./:;<=>?@^_`{|}~©∑®†“”‘’∂ƒ™℠…œŒ˚ºª•∆∞♥"))


def honkit_slug(text: str) -> str:
    """Drop most signs, turn blanks into hyphens but for one in front, lower the case; never numbered."""
    return text.translate(_NOT_IN_HONKIT).replace(" ", "-").lower().removeprefix("-")


def pandoc_slug(text: str) -> str:
    """Lower the case, leave letters, digits, `_`, `-` and `.`, join words; begin with the first letter."""
    # Dots and hyphens in a row are typed for an ellipsis and for dashes, which are dropped.
    kept = "".join(
        character
        for character in _TYPED_SIGNS.sub("", text.lower())
        if _is_pandoc_letter(character) or character.isspace()
    )
    slug = "-".join(kept.split())
    first = next((place for place, character in enumerate(slug) if character.isalpha()), len(slug))
    return slug[first:] or "section"


def _is_pandoc_letter(character: str) -> bool:
    return character in "_-." or unicodedata.category(character)[0] in "LN"


class MdbookSlugger:
    """Make the anchors of one page by mdBook's rules."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __call__(self, text: str) -> str:
        slug = mdbook_slug(text)
        count = self._counts.get(slug, 0)
        self._counts[slug] = count + 1
        return f"{slug}-{count}" if count else slug


def mdbook_slug(text: str) -> str:
    """Leave letters, digits, `_` and `-`, ASCII in lower case; turn each white space into a hyphen."""
    return "".join(_mdbook_character(character) for character in text.strip())


def _mdbook_character(character: str) -> str:
    if character.isalnum() or character in "_-":
        return character.lower() if character.isascii() else character
    return "-" if character.isspace() else ""


def _is_kept(character: str) -> bool:
    return (
        character in " -"
        or unicodedata.category(character) in _KEPT_CATEGORIES
        or _is_other_letter(character)
    )


def _is_other_letter(character: str) -> bool:
    # The Alphabetic property reaches beyond the letters' categories, to circled and squared letters.
    return any(first <= character <= last for first, last in _SIGN_LETTERS)
