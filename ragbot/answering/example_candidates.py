"""Find questions that a book answers by its own words: headings that ask, and definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ragbot.core.side_matter import is_glossary_heading, is_side_heading
from ragbot.core.text import QUESTION_MARKS
from ragbot.storage.editions import SectionText

# A heading of this many words that ends in a question mark is a question that a reader may ask.
FEWEST_WORDS, MOST_WORDS = 3, 12
# Characters of a section in which its first sentence begins.
_OPENING = 600
# Entries of one glossary; more would be other words of the same kind.
MOST_ENTRIES = 60

_LABEL = re.compile(r"^(?:\d+(?:\.\d+)*\.?|Q\d+:)\s+")
# `**Colcon**` with a colon or a dash behind it, or a definition on the next line; also as an item of a list.
_ENTRY = re.compile(
    r"""^[ \t]*(?:[-*+][ \t]+)?
    (?:\*\*|__)(?P<term>[^*_\n:()]{2,40}?)(?:[ \t]*\([^()\n]{1,80}\))?[ \t]*:?(?:\*\*|__)
    (?:[ \t]*\([^()\n]{1,80}\))?(?:[ \t]*[:–—-][ \t]+\S|[ \t]*\n:[ \t]+\S|[ \t]+\S)""",
    re.MULTILINE | re.VERBOSE,
)
_HEADING_LINE = re.compile(r"^[ \t]{0,3}#{1,6}[ \t].*\n?|^.+\n[=-]{3,}[ \t]*\n", re.MULTILINE)
_EMPHASIS = re.compile(r"[*_`]+")
_WORD = re.compile(r"\w+")
# Words that mean something only where they stand.
_POINTS_BACK = re.compile(r"\b(?:he|she|it|they|this|that|these|those|here|there)\b", re.IGNORECASE)
_NO_TERM = frozenset(
    "each every this that these those some all any one no such it its his her their our your".split()
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hold a question with the path of the page that answers it. One `of_glossary` is the second choice."""

    question: str
    path: str
    of_glossary: bool = False


@dataclass(frozen=True, slots=True)
class _Wording:
    """Describe how a language defines a term ("A node is a process") and asks for it.

    `asks` are the words that open a question. `asked` maps each verb of a definition to the question.
    `meaning` asks for a term without an article.
    """

    asks: str
    articles: str
    asked: Mapping[str, str]
    predicates: str
    meaning: str


_WORDINGS: Mapping[str, _Wording] = {
    "english": _Wording(
        "what|who|why|when|where|which|how|can|could|may|do|does|did|is|are|should|must|will",
        "a|an|the",
        {"is": "What is {term}?", "are": "What are {term}?"},
        "an?|the",
        "What does {term} mean?",
    ),
    "german": _Wording(
        "was|wer|wie|wo|warum|wann|welche[rsnm]?|wieso|weshalb|wozu|kann|darf|muss|soll",
        "ein|eine|der|die|das",
        {"ist": "Was ist {term}?", "sind": "Was sind {term}?"},
        "eine?|der|die|das",
        "Was bedeutet {term}?",
    ),
    "french": _Wording(
        r"que|qu['’]|quel\w*|qui|comment|pourquoi|quand|où|combien|est-ce|peut-on|faut-il|à quoi",
        "un|une",
        {"est": "Qu’est-ce qu’{term} ?"},
        "une?|le|la|l['’]",
        "Que signifie {term} ?",
    ),
    "spanish": _Wording(
        "¿",
        "un|una|el|la|los|las",
        {"es": "¿Qué es {term}?", "son": "¿Qué son {term}?"},
        "una?|el|la|los|las",
        "¿Qué significa {term}?",
    ),
    "italian": _Wording(
        r"che|cosa|cos['’]|chi|come|perché|quando|dove|quale|quali|quant\w+|posso|si può",
        "un|una|uno|il|lo|la|l['’]",
        {"è": "Che cos’è {term}?"},
        "un[ao]?|il|lo|la|l['’]",
        "Che cosa significa {term}?",
    ),
    "portuguese": _Wording(
        r"o que|que|quem|como|por que|quando|onde|qual|quais|quant\w+|posso",
        "um|uma|o|a|os|as",
        {"é": "O que é {term}?", "são": "O que são {term}?"},
        "uma?|o|a|os|as",
        "O que significa {term}?",
    ),
    "dutch": _Wording(
        "wat|wie|hoe|waar|waarom|wanneer|welke?|kan|mag|moet",
        "een|de|het",
        {"is": "Wat is {term}?", "zijn": "Wat zijn {term}?"},
        "een|de|het",
        "Wat betekent {term}?",
    ),
}


def example_candidates(sections: Sequence[SectionText], language: str) -> list[Candidate]:
    """Return questions in the order of the book, each once, with the pages that answer them.

    In a language whose definitions are not known, headings alone are found.
    """
    wording = _WORDINGS.get(language)
    found: dict[str, Candidate] = {}
    for section in sections:
        # Exercises ask what the book does not say. (A folder's name is no reason: see "resources".)
        if any(map(is_side_heading, section.heading_path[-2:])):
            continue
        questions = [*_asked_heading(section, wording), *(_defined(section, wording) if wording else ())]
        for question in questions:
            found.setdefault(question.casefold(), Candidate(question, section.path))
        for question in _glossary(section, wording) if wording else ():
            found.setdefault(question.casefold(), Candidate(question, section.path, of_glossary=True))
    return list(found.values())


def _asked_heading(section: SectionText, wording: _Wording | None) -> Iterator[str]:
    heading = _LABEL.sub("", section.heading_path[-1]) if section.heading_path else ""
    if not heading.endswith(QUESTION_MARKS) or not FEWEST_WORDS <= len(heading.split()) <= MOST_WORDS:
        return
    if wording is None or (
        re.match(rf"(?:{wording.asks})(?!\w)", heading, re.IGNORECASE) and not _POINTS_BACK.search(heading)
    ):
        yield heading


def _defined(section: SectionText, wording: _Wording) -> Iterator[str]:
    """Yield the question for the term that a section's first sentence defines, if its heading names it."""
    opening = _EMPHASIS.sub("", _HEADING_LINE.sub("", section.text[:_OPENING])).lstrip()
    verbs = "|".join(wording.asked)
    match = re.match(
        rf"(?:(?P<article>{wording.articles})\s+)?(?P<term>[^\W\d_][\w’'/+#.-]*(?:\s+[\w’'/+#.-]+){{0,3}}?)"
        rf"(?:\s+\([^()]{{1,60}}\))?\s+(?P<verb>{verbs})\s+(?:{wording.predicates})[\s\w]",
        opening,
        re.IGNORECASE,
    )
    if match is None or not section.heading_path:
        return
    term, article = match["term"], match["article"] or ""
    if not _share_a_word(term, section.heading_path[-1]) or term.split()[0].casefold() in _NO_TERM:
        return
    if re.match(
        rf"\S+\s+(?:(?:{wording.articles}|if|whether)\s|{_POINTS_BACK.pattern})", term, re.IGNORECASE
    ):
        # "Sets a setting that is ...", "Sets if the lamp is ...": a verb and its object.
        return
    if article.casefold() == "the" and " " not in term:
        # "The office is a ..." tells of one that the reader was told of before.
        return
    if not article and "qu’{term}" in wording.asked[match["verb"].lower()]:
        # Without an article the question would need another word.
        return
    named = f"{article.lower()} {term}" if article else term
    yield wording.asked[match["verb"].lower()].format(term=named)


def _glossary(section: SectionText, wording: _Wording) -> Iterator[str]:
    if any(map(is_glossary_heading, section.heading_path)):
        for match in islice(_ENTRY.finditer(section.text), MOST_ENTRIES):
            yield wording.meaning.format(term=match["term"].strip())


def _share_a_word(term: str, heading: str) -> bool:
    ours = {_stem(word) for word in _WORD.findall(term.casefold())}
    return any(_stem(word) in ours for word in _WORD.findall(heading.casefold()) if len(word) > 1)


def _stem(word: str) -> str:
    """Return a word without the ending of a plural; enough to compare a term with its heading."""
    return word.removesuffix("s") if len(word) > 3 else word
