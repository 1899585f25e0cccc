"""Detect follow-up questions, and return the context that a search for one needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragbot.core.answers import Exchange

# Words that refer to something said before. Excluded are an "it" that refers to nothing ("does it take long to
# ..."), "that" between two clauses, and "this book", "this chapter".
_STANDS_FOR_SOMETHING = re.compile(
    r"""\b(?:
        it(?!\s+(?:takes?\s+to|possible|necessary|better|safe|worth|important|matter|make\s+sense)\b)(?!\s+take\b.+\bto\b)
        |its|they|them|theirs?|he|she|him|his|hers?
        |(?:those|these)(?!\s+(?:days|books?)\b)
        |this(?!\s+(?:book|chapter|course|page|guide|tutorial|section|site|manual|handbook|textbook|year)\b)
        |(?:about|after|before|besides|do|does|did|for|from|in|into|is|like|of|on|than|to|was|why|with)\s+that(?=\s*[?.!,]|\s*$)
        |(?<!fact\ )that(?=\s+(?:in|on|at|with|from|into|for|to)\b)
        |(?:does|is|was|did|will|would|can|could|should)\s+that(?=\s+(?:mean|work|happen|also|still|always|true|right|ok|safe|possible|matter|differ|enough|all)\b)
        |(?:that|which)\s+one|one(?=\s*[?.!,]|\s*$)|the\s+(?:same|former|latter|other(?:\s+ones?)?|first\s+one|second\s+one|last\s+one|previous)|another\s+one|ones
        |(?:what|anything|something|who|where|how)\s+else|instead|otherwise
        |(?:mentioned|described|said|listed)\s+(?:above|before|earlier)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
# Beginnings of a question that continues the previous one, by its language.
_GOES_ON = {
    language: re.compile(rf"^\W*(?:{words})\b", re.IGNORECASE)
    for language, words in {
        "english": r"and|but|or|also|so|then|what\s+about|how\s+about|why\s+not|which\s+ones?|for\s+example"
        r"|such\s+as",
        "german": "und|aber",
        "french": "et|mais",
        "spanish": "y|pero",
        "italian": "e|ma",
        "portuguese": "e|mas",
        "dutch": "en|maar",
        "swedish": "och",
        "danish": "og",
        "norwegian": "og",
        "russian": "и|а",
        "ukrainian": "і|й|а",
        "turkish": "ve|peki",
    }.items()
}
# What is spoken of and does not speak: code, what is quoted, and names in capitals (IT, the OR operator).
_NAMES = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|«[^»]*»|\b[A-Z]{2,}\b")
# The beginning of one that is nothing without the previous one, however long it is.
_ADDS_A_CONDITION = re.compile(
    r"^\W*(?:and|but|so|or)\s+(?:what\s+)?(?:if|when|for|in|on|with|without)\b", re.IGNORECASE
)
# What somebody wants to do.
_ACTION = re.compile(
    r"\bhow\s+(?:do|does|can|could|should|would|to)\s+(?:(?:i|we|you|one)\s+)?(?P<verb>[a-z]{3,})\b",
    re.IGNORECASE,
)
# "Module 2", "chapter three": the name of a kind and which one of it.
_NUMBERED = re.compile(
    r"\b(?P<kind>[a-z]{3,})\s+(?P<which>\d+(?:\.\d+)*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b",
    re.IGNORECASE,
)
# Longer questions that begin with "and" are often complete in themselves.
_FEW_WORDS = 8


def search_context(
    question: str, history: Sequence[Exchange], *, has_own_words: bool, language: str = "english"
) -> str:
    """Return the previous question if this one is a follow-up, else "". What this one renames is renamed.

    A follow-up has a word that refers to something said before, begins with "and ..." or "what about ...", or
    has no content word of its own (`has_own_words` false). For a follow-up, searching with both questions
    finds more than the new question alone, the whole conversation, or the last answer (nDCG@10 on MTRAG); for
    any other question it finds less. `language` is the question's: in another one "he" may be a verb.
    """
    if not history or (has_own_words and not _leans(question, language)):
        return ""
    return _without_old_action(_with_new_numbers(history[-1].question, question), question)


def _leans(question: str, language: str) -> bool:
    said = question if question.isupper() else _NAMES.sub("X", question)
    goes_on = _GOES_ON.get(language)
    if goes_on is not None and goes_on.match(said) and len(said.split()) <= _FEW_WORDS:
        return True
    if language != "english":
        return False
    return _STANDS_FOR_SOMETHING.search(said) is not None or _ADDS_A_CONDITION.match(said) is not None


def _without_old_action(before: str, question: str) -> str:
    """Return the previous question without its verb where the new one has another ("And how do I restore it?")."""
    old, new = _ACTION.search(before), _ACTION.search(question)
    if old is None or new is None or old["verb"].casefold() == new["verb"].casefold():
        return before
    return before[: old.start("verb")] + before[old.end("verb") :]


def _with_new_numbers(before: str, question: str) -> str:
    """Return the previous question about what the new one names: "What about module 2?" replaces module 1."""
    named = {match["kind"].casefold(): match["which"] for match in _NUMBERED.finditer(question)}

    def renamed(match: re.Match[str]) -> str:
        which = named.get(match["kind"].casefold())
        return match.group() if which is None else f"{match['kind']} {which}"

    return _NUMBERED.sub(renamed, before)
