"""Tell whether a question leans on the one before it, and give what the search needs of that one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragbot.core.domain import Exchange

# Words that stand for something said before. What is left out: "it" that stands for nothing ("does it take
# long to ..."), "that" between two clauses, and "this book", "this chapter".
_STANDS_FOR_SOMETHING = re.compile(
    r"""\b(?:
        it(?!\s+(?:takes?\s+to|possible|necessary|better|safe|worth|important|matter|make\s+sense)\b)(?!\s+take\b.+\bto\b)
        |its|they|them|theirs?|he|she|him|his|hers?
        |(?:those|these)(?!\s+(?:days|books?)\b)
        |this(?!\s+(?:book|chapter|course|page|guide|tutorial|section|site|manual|handbook|textbook|year)\b)
        |(?:about|after|before|besides|do|does|did|for|from|in|into|is|like|of|on|than|to|was|why|with)\s+that(?=\s*[?.!,]|\s*$)
        |(?:does|is|was|did|will|would|can|could|should)\s+that(?=\s+(?:mean|work|happen|also|still|always|true|right|ok|safe|possible|matter|differ|enough|all)\b)
        |that\s+one|the\s+(?:same|former|latter|other(?:\s+ones?)?|first\s+one|second\s+one|last\s+one|previous)|another\s+one|ones
        |(?:what|anything|something|who|where|how)\s+else|instead|otherwise
        |(?:mentioned|described|said|listed)\s+(?:above|before|earlier)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
# How a question goes on from the one before.
_GOES_ON = re.compile(
    r"^\W*(?:and|but|or|also|so|then|what\s+about|how\s+about|why\s+not|which\s+ones?|for\s+example|such\s+as"
    r"|und|aber|et|mais|y|pero|e|ma|mas|en|maar|och|og|и|а|ve|peki)\b",
    re.IGNORECASE,
)
# "And" opens many a question that stands alone; so short a one hardly does.
_FEW_WORDS = 8


def search_context(question: str, history: Sequence[Exchange], *, has_own_words: bool) -> str:
    """Give the question before this one where this one leans on it, else nothing.

    A question leans on the talk where a word in it stands for something said before, where it goes on with "and
    ..." or "what about ...", or where it has no content word of its own (`has_own_words` false). Searching with
    both questions together finds a leaning one's passage more often than the new question alone, the whole
    talk, or the last answer (nDCG@10 on MTRAG); a question that stands alone is only led astray by it.
    """
    if not history:
        return ""
    leans = (
        not has_own_words
        or _STANDS_FOR_SOMETHING.search(question) is not None
        or (_GOES_ON.match(question) is not None and len(question.split()) <= _FEW_WORDS)
    )
    return history[-1].question if leans else ""
