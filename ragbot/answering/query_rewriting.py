"""Have a small model restate a question for the search: standing alone, translated, and in its parts."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import structlog
from cachetools import TTLCache

from ragbot.core.answers import Exchange, Generation, Prompt, Question, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.errors import RagbotError
from ragbot.core.invisible_characters import without_invisible
from ragbot.core.languages import foreign_language
from ragbot.core.ports import Generator
from ragbot.core.single_flight import SingleFlight

log = structlog.get_logger(__name__)

# Exchanges and characters of each that the model is shown.
EXCHANGES_SHOWN = 2
LONGEST_SHOWN = 600
MOST_PARTS = 3
MAX_OUTPUT_TOKENS = 160
LONGEST_LINE = 300
# Seconds that the step may take, of which the generator keeps two in reserve; and the share of the deadline.
MOST_S = 5.0
SHARE_OF_DEADLINE = 0.25
# Restated questions that are remembered, and for so many seconds: a class asks the same within minutes.
REMEMBERED, REMEMBERED_S = 1024, 600.0

# Two questions in one: "and" in some languages, or two question marks. (The Y axis is no Spanish "and".)
_SEVERAL = re.compile(
    r"\?.*\?|\b(?:and|und|et|(?-i:y)|och|og|ve|и)\b|和|以及|और|และ", re.IGNORECASE | re.DOTALL
)
_LINE = re.compile(
    r"^[\W\d]*(QUESTION|TRANSLATION|PART)\b[^:：\n]{0,20}[:：][ \t*]*(.+?)\s*$", re.IGNORECASE | re.MULTILINE
)
# "none", "N/A", "None (it asks only one thing)".
_NOTHING = re.compile(
    r"\W*+(?:(?:none|n/?a|nothing|null|not applicable|keine?|aucune?|ningun[oa]|nessun[oa]|nenhuma?|нет|无|無"
    r"|なし)(?:\W*+|\s*+[(\[,;:.–—-].*))?",
    re.IGNORECASE,
)

_SYSTEM = """\
You prepare a reader's question for a search in a book that is written in {language}. You do not answer it. \
Write only these lines:
QUESTION: the last question, complete, so that it can be understood without the conversation
{translation}PART: one of the questions that it asks, complete; a line for each, three at the most; leave \
PART out if it asks only one thing"""
_TRANSLATION = "TRANSLATION: the same question in {language}\n"


@dataclass(frozen=True, slots=True)
class RewrittenQuestion:
    """Hold a question restated: `search_text` replaces it in the search, `variants` are searched too.

    Where the model failed or only repeated the question, it is not restated; the generation was paid all the
    same.
    """

    search_text: str
    variants: tuple[str, ...]
    generation: Generation
    is_restated: bool = True


class QueryRewriter:
    """Call a model where restating can help. Safe between threads.

    Readers who ask the same at once, or within some minutes, without a conversation share one call in this
    process. Its tokens count for the first one.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._lock = threading.Lock()
        self._remembered: TTLCache[str, RewrittenQuestion] = TTLCache(REMEMBERED, REMEMBERED_S)
        self._flights: SingleFlight[RewrittenQuestion] = SingleFlight()

    def rewrite(
        self, question: Question, history: Sequence[Exchange], language: str, deadline: Deadline
    ) -> RewrittenQuestion | None:
        """Return the restated question, or None where it would not help and no model was asked.

        It can help after a conversation, in another language than the book's, and where several things are
        asked at once. Raises Cancelled, or DeadlineExceeded if the whole question is over.
        """
        foreign = foreign_language(question.text, language)
        if not (history or foreign or _SEVERAL.search(question.text)):
            return None
        prompt = _prompt(question.text, history, language, is_foreign=bool(foreign))
        if history:
            return self._restated(question, prompt, deadline)
        return self._shared(f"{language}\n{question.text}", question, prompt, deadline)

    def _shared(self, key: str, question: Question, prompt: Prompt, deadline: Deadline) -> RewrittenQuestion:
        own: list[RewrittenQuestion] = []

        def restated() -> RewrittenQuestion:
            own.append(self._restated(question, prompt, deadline))
            if own[0].is_restated:
                with self._lock:
                    self._remembered[key] = own[0]
            return own[0]

        with self._lock:
            found = self._remembered.get(key)
        found = found or self._flights.do(key, restated, deadline)
        return found if own else replace(found, generation=Generation(usage=Usage(cost_usd=0.0)))

    def _restated(self, question: Question, prompt: Prompt, deadline: Deadline) -> RewrittenQuestion:
        generation = Generation()
        try:
            text = self._written(prompt, deadline, generation)
        except RagbotError as error:
            deadline.check()
            log.info("question_not_rewritten", code=error.code)
            if not generation.model:
                generation.usage = Usage(cost_usd=0.0)
            return RewrittenQuestion(question.text, (), generation, is_restated=False)
        return _parsed(text, question.text, generation)

    def _written(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> str:
        own = Deadline(min(MOST_S, deadline.left_s() * SHARE_OF_DEADLINE))
        with (
            deadline.interrupting(own.cancel),
            closing(self._generator.generate(prompt, own, generation)) as pieces,
        ):
            return "".join(pieces)


def _prompt(question: str, history: Sequence[Exchange], language: str, *, is_foreign: bool) -> Prompt:
    name = language.capitalize()
    translation = _TRANSLATION.format(language=name) if is_foreign else ""
    lines = []
    for exchange in history[-EXCHANGES_SHOWN:]:
        lines += [f"Reader: {_short(exchange.question)}", f"Answer: {_short(exchange.answer)}"]
    lines.append(f"Last question: {_short(question)}")
    return Prompt(
        question=question,
        passages=(),
        system=_SYSTEM.format(language=name, translation=translation),
        messages=(("user", "\n".join(lines)),),
        max_output_tokens=MAX_OUTPUT_TOKENS,
        single_try=True,
    )


def _short(text: str) -> str:
    return " ".join(without_invisible(text).split())[:LONGEST_SHOWN]


def _parsed(text: str, question: str, generation: Generation) -> RewrittenQuestion:
    found: dict[str, list[str]] = {"QUESTION": [], "TRANSLATION": [], "PART": []}
    for kind, line in _LINE.findall(text):
        if len(line) <= LONGEST_LINE and not _NOTHING.fullmatch(line):
            found[kind.upper()].append(" ".join(without_invisible(line).split()))
    # The question in the book's language, as it stands alone.
    search_text = next(iter((*found["TRANSLATION"], *found["QUESTION"])), question)
    restated = (*found["QUESTION"][:1], *found["PART"][:MOST_PARTS], question)
    variants = tuple(variant for variant in dict.fromkeys(restated) if variant != search_text)
    is_restated = search_text != question or variants != ()
    return RewrittenQuestion(search_text, variants, generation, is_restated)
