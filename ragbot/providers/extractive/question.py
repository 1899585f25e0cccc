"""Classify a question by the answer that it asks for: a definition, steps, a number, a choice of two ..."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from ragbot.core.text import one_line
from ragbot.providers.extractive.common_words import rarity
from ragbot.providers.extractive.value_kinds import Measure, Value, measure_asked, value_asked

_DEFINITION = re.compile(
    r"""^\W*(?:
        (?:please\s+)?(?:can\s+you\s+|could\s+you\s+)?(?:define|explain\s+what|tell\s+me\s+what|describe\s+what)\s+(?P<a>.+?)(?:\s+(?:is|are|means?))?
        |what(?:['’]s|\s+is|\s+are|\s+was|\s+were)\s+(?:meant\s+by\s+|the\s+(?:meaning|definition)\s+of\s+)(?P<b>.+?)
        |what\s+(?:does|do|did)\s+(?P<c>.+?)\s+(?:mean|stand\s+for)
        |(?:what|who)(?:['’]s|\s+is|\s+are|\s+was|\s+were)\s+(?P<d>.+?)
        |(?:the\s+)?(?:meaning|definition)\s+of\s+(?P<e>.+?)
        |(?:was|wer)\s+(?:ist|sind|bedeutet)\s+(?P<f>.+?)|qu['’]est[- ]ce\s+(?:que\s+|qu['’]\s*)(?:c['’]est\s+que\s+)?(?P<g>.+?)
        |¿?\s*qu[eé]\s+(?:es|son|significa)\s+(?P<h>.+?)|(?:che\s+)?cos['’]?\s*[eè]['’]?\s+(?P<i>.+?)|o\s+que\s+(?:é|são)\s+(?P<j>.+?)
        |wat\s+(?:is|zijn)\s+(?P<k>.+?)|что\s+такое\s+(?P<l>.+?)|(?P<m>.+?)\s+nedir|(?P<n>.+?)とは(?:何ですか)?|什么是(?P<o>.+?)
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
# "What is the maximum speed?" asks for a number, where the book has one.
_QUANTITY = re.compile(
    r"^\W*(?:what|which)(?:['’]s|\s+is|\s+are|\s+was|\s+were)\s+(?:the|our|your|my|its|their)\s+(?:[\w-]+\s+){0,2}?"
    r"(?:maximum|minimum|max|min|limit|most|least|highest|lowest|largest|smallest|longest|shortest|number|amount|length|width"
    r"|height|depth|weight|duration|capacity|distance|salary|salaries|temperature)\b",
    re.IGNORECASE,
)
# "What is a node in ROS 2?" asks for a definition all the same.
_WHAT_IN_A_FIELD = re.compile(r"an?\s+(?P<term>.+?)\s+(?:in|within)\s+\S", re.IGNORECASE)
_DEFAULT = re.compile(r"\bdefault\s+[\w-]", re.IGNORECASE)
# "What is the torque of the arm?" asks for a value and not for a definition.
_OF_A_THING = re.compile(
    r"\s(?:of|for|in|on|at|between|from|to|when|if|that|which|who|where|used|with|by|during|after|before)\s",
    re.I,
)
_ARTICLE = re.compile(
    r"^(?:an?|the|der|die|das|ein|eine|einen|le|la|les|l['’]|un|une|el|los|las|una|il|lo|gli|o|os|as|um|uma|de|het|een)\s+",
    re.IGNORECASE,
)
_HOWTO = re.compile(
    r"\bhow\s+(?:do|does|can|could|should|would|to|are|is)\b(?!\s+(?:it|they|this|that)\s+differ)"
    # "How can I tell whether it is genuine?" asks for a sign and not for steps.
    r"(?!\s+(?:(?:i|we|you|one)\s+)?(?:tell\s+(?:if|whether|when|that)|know\s+(?:if|whether|when)|notice|recogni[sz]e)\b)"
    r"|\bhow\s+(?:i|we|you)\b|\b(?:steps?|way|command|procedure|instructions?)\s+(?:to|for|of)\b|\bwhat\s+(?:do|should|must|can|could)\s+(?:i|we|you)\s+do\b"
    r"|\b(?:what|and)\s+now\W*$|(?:^|\W)how\W*$|\bshow\s+me\s+how\b|\bwie\s+(?:kann|soll|muss|installiere|mache)|\bcomment\b|\bc[oó]mo\b",
    re.IGNORECASE,
)
_ACTION = re.compile(
    r"^\W*(?:install|set\s?up|setting\s+up|create|creating|build|building|run|running|start|launch|launching|configure"
    r"|configuring|remove|removing|uninstall|add|adding|write|writing|make|making|use|using|fix|fixing|change|changing)\b|^\W*installing\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:commands?|code|syntax|examples?|snippets?|script|options?|flags?|write|declare|call|import)\b",
    re.I,
)
_NUMBER = re.compile(
    r"\b(?:how\s+(?:many|much|long|old|fast|big|large|far|often|tall|wide|deep|heavy|high|hot|early|late|soon)"
    r"|when\s+(?:was|were|is|are|did|will|has|do|does)|(?:what|which)\s+(?:year|date|time|size|number|percentage|version|price|speed|rate|frequency|port|age)"
    r"|cost|price|since\s+when|wie\s+viele?|combien|cu[aá]nt[oa]s?|quant[ioe])\b",
    re.IGNORECASE,
)
_HOW_TO_DO = re.compile(
    r"\b(?:how\s+(?:do|can|should|would)\s+\w+|how\s+to|(?:want|need|like|try(?:ing)?)\s+to)\b", re.I
)
_YES_NO = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|can|could|should|must|may|will|would|has|have|had)\s", re.IGNORECASE
)
_LIST = re.compile(
    r"^\W*(?:please\s+)?(?:(?:can|could)\s+you\s+(?:please\s+)?)?(?:list|name|enumerate)\b|\blist\s+of\b"
    r"|\b(?:what|which)\s+(?:(?:\w+\s+){0,3}\w+s)\s+(?:are|were|do|does|can|have|exist|should|must|is)\b"
    r"|\b(?:types|kinds|parts|components|steps|features|advantages|benefits|disadvantages|reasons|ways|examples|options|rules)\s+of\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:what|which|name|list|give)\b.*\b(?:advantages|benefits|disadvantages|drawbacks|limitations|features|components|parts|types"
    r"|kinds|options|reasons|requirements|tools|goals|rules|examples|pros|cons|duties|ways|phases|stages|layers|categories)\b",
    re.IGNORECASE,
)
# "What are the assessments?" asks for several; "What are topics?" for a definition.
_PLURAL = re.compile(
    r"^\W*(?:(?:what|which)\s+are\s+(?:all\s+)?(?:the|its|their|your)\s+(?:[\w-]+\s+){0,3}?[\w-]*[^\Wsui]s\b(?!.*\bfor\b)"
    r"|what\s+(?:can|may|could)\s+(?:i|we|you|one)\b.*\b(?:on|with|for|from|in)\W*$"
    r"|which\s+(?:[\w-]+\s+){0,3}?(?!(?:was|has|does)\b)[\w-]*[^\Wsui]s\s+(?!(?:is|was|has|does|did)\b)\w+)"
    r"|^\W*(?:what|which)\s+(?:are\s+)?(?:the\s+)?(?:two|three|four|five|six|seven|eight|nine|ten|twelve)\s+\w"
    r"|\bwhat\s+(?:does|do|did|is|are)\b.*\b(?:contain|include|comprise|consist\s+of|made\s+(?:up\s+)?of)\b"
    r"|^\W*what(?:['’]s|\s+is|\s+are)\s+(?:in|inside|part\s+of)\b",
    re.IGNORECASE,
)
_STRUCTURE = re.compile(
    r"\b(?:structures?|layout|organi[sz]ed|director(?:y|ies)|folders?|(?:which|what|where)\b.*\bfiles?(?!\s+(?:names?|types?|formats?|sizes?|extensions?)\b)|tree|contain|include)\b",
    re.IGNORECASE,
)
# "Who wrote this book?" asks for its own authors, and not for those whom it cites.
_AUTHOR = re.compile(
    r"""^\W*(?:
        who\s+(?:has\s+|have\s+)?(?:wrote|written|authored|edited|compiled)
        |(?:who|what)(?:['’]s|\s+is|\s+are|\s+was|\s+were)\s+(?:the\s+(?:names?\s+of\s+the\s+)?|its\s+|your\s+)?(?:authors?|writers?|editors?)
        |(?:by\s+whom|who)\s+(?:is|was|were)(?=.*\s(?:written|edited|compiled))
    )
    (?:\s+(?:of|behind))?
    (?:\s+(?:it|(?:this|the|your)(?:\s+(?:hand|text|note)?(?:book|manual|guide|course|tutorial|document(?:ation)?|docs|site|website|text))?))?
    (?:\s+(?:written|edited|compiled)(?:\s+by)?)?\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_CAUSE = re.compile(
    r"\b(?:why|reason|cause[sd]?|purpose|warum|pourquoi|por\s+qu[eé]|perch[eé])\b", re.IGNORECASE
)
_CHOICE = re.compile(
    r"\b(?:differences?|differs?|compare[ds]?|comparison|distinguish(?:es)?|vs\.?|versus)\b(?:\s+(?:between|of|with|from))?\s*(?P<rest>.*)",
    re.I,
)
_OR = re.compile(
    r"(?P<a>[\w+#.'’/-]+(?:\s[\w+#.'’/-]+){0,3}?)\s*,?\s+or\s+(?P<b>[\w+#.'’/-]+(?:\s[\w+#.'’/-]+){0,3})",
    re.I,
)
_AND = re.compile(r"\s*(?:,|\band\b|\bvs\.?\b|\bversus\b|\bfrom\b|\bwith\b|\bto\b)\s*", re.IGNORECASE)
_ASKS = re.compile(r"^\W*(?:how|why|where|in\s+what\s+way)\s+(?:does|do|did|is|are)\s+", re.IGNORECASE)
_TROUBLE = re.compile(
    r"\b(?:errors?|fail(?:s|ed|ing|ure)?|fix(?:es|ed|ing)?|broken|crash(?:es|ed)?|trouble(?:shoot)?|problems?|not\s+(?:work|found|start|respond)\w*"
    r"|doesn['’]?t\s+\w+|won['’]?t\s+\w+|can(?:no|['’])t\s+\w+|wrong|stuck|denied|blank|missing|frozen|freezes|hangs?)\b",
    re.IGNORECASE,
)
# What follows from a fault, or is impossible, is a fact: nothing has to be mended.
_FACT_OF_TROUBLE = re.compile(
    r"^\W*(?:what\s+(?:happens|would\s+happen|will\s+happen)|(?:what|which|who)\s+(?:\w+\s+)?can(?:no|['’])t)\b",
    re.IGNORECASE,
)
# The start of a second question within a text.
_SECOND = re.compile(
    r"(?:\?\s+|[,;]?\s+and\s+(?:also\s+)?)(?=(?:what|how|when|where|why|which|who|is|are|does|do|can|should|must)\b)",
    re.IGNORECASE,
)
_LEAST_PART_WORDS = 3
# "... and what does each mean?" asks for nothing that the first question's answer would leave out.
_OF_THE_SAME = re.compile(
    r"what\s+(?:does|do|is|are)\s+(?:each|they|these|those|it)(?:\s+one)?(?:\s+of\s+(?:them|these))?(?:\s+(?:mean|do|for|called))?\W*",
    re.IGNORECASE,
)
# Characters of a table's cell by which a question may name its row.
SHORTEST_KEY = 3


_NEGATION = re.compile(
    r"\b(?:not|never|no|cannot|without|avoid|forbidden|prohibited)\b|n['’]t\b|\bun(?:supported|available|acceptable)\b",
    re.IGNORECASE,
)
# A heading of a section on removing something; questions for making or using something, and for removing it.
_REMOVAL = re.compile(
    r"\W*(?:\d+(?:\.\d+)*[.)]?\s+)?(?:how\s+to\s+)?(?:uninstall|remov(?:e|al|ing)\b|delet(?:e|ing|ion)\b)",
    re.IGNORECASE,
)
_MAKES = re.compile(
    r"\b(?:us(?:e|ing)|install\w*|set(?:ting)?\s*up|configur\w*|add\w*|creat\w*|enabl\w*|back(?:ing)?\s*up|build\w*|start\w*"
    r"|run\w*|connect\w*|writ\w*|updat\w*|upgrad\w*|import\w*|export\w*|open\w*|sav\w*|activat\w*)\b",
    re.IGNORECASE,
)
_REMOVES = re.compile(
    r"\b(?:un(?:install|do|set|link|mount|load|register|subscribe|pin)\w*|remov\w*|delet\w*|eras\w*|rid|clean\w*|clear\w*|drop\w*"
    r"|discard\w*|disabl\w*|stop\w*|revert\w*|reset\w*|throw\w*|leave|quit|without|replac\w*|empty\w*|purg\w*)\b",
    re.IGNORECASE,
)
# What a reader does not know is not denied: "I don't know which tools are allowed".
_KNOWS_NOT = re.compile(
    r"\b(?:(?:do|did|could|can)(?:n['’]t|\s+not)|cannot)\s+(?:know|understand|find|remember|see|tell|figure)\b"
    r"|\b(?:am|i['’]m|we['’]re|are)\s+not\s+(?:sure|certain)\b|\bno\s+idea\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|this|that|these|those|one)\b", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][\w.+#'-]*")
_IDENTIFIER = re.compile(r"[_./\d]")
_DIGIT = re.compile(r"\d")
_POSSESSIVE = re.compile(r"'s\Z")
# Of a title each long word has a capital; with fewer of them they may be the words of a name.
_LONG_WORD, _TITLE_WORDS = 4, 3


class Want(StrEnum):
    """Name the kinds of answers that a question may ask for."""

    MEANING = "meaning"
    STEPS = "steps"
    NUMBER = "number"
    LIST = "list"
    CAUSE = "cause"
    CHOICE = "choice"
    YES_NO = "yes_no"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AskedFor:
    """Describe what one question asks for.

    `subject` is the term whose definition is asked for, `options` are the two things to compare, each as
    written. `wants_code` says that a listing may answer, `wants_tree` that a tree of folders may,
    `wants_author` that who wrote the book is asked for, `is_trouble` that the question is about a fault.
    `value` is the kind of value that the answer must hold, `measure` what its number measures.
    """

    text: str
    want: Want
    subject: str = ""
    options: tuple[str, ...] = ()
    wants_code: bool = False
    is_trouble: bool = False
    wants_tree: bool = False
    wants_author: bool = False
    value: Value = Value.NONE
    measure: Measure = Measure.ANY

    @property
    def wants_steps(self) -> bool:
        """Return whether steps answer the question: how something is done, or what helps against a fault."""
        return self.want is Want.STEPS or (self.is_trouble and self.want is Want.OTHER)

    def keys_of(self, cells: Set[str], group: str) -> int:
        """Return how much of a table's row the question names as it is written: a cell, and its group."""
        names_cell = any(_is_key(cell) and f" {cell} " in _said(self.text) for cell in cells)
        return names_cell + (bool(cells and group) and f" {group.casefold()} " in _said(self.text))


@lru_cache(maxsize=64)
def _said(question: str) -> str:
    """Return the words of a question in lower case, each between blanks and without signs around it."""
    words = (word.strip("?!.,;:\"'`()“”‘’") for word in question.casefold().split())
    return f" {' '.join(words)} "


def _is_key(cell: str) -> bool:
    """Return whether a cell can name its row: a number, or a name that is none of the commonest words."""
    return any(map(str.isdigit, cell)) or (len(cell) >= SHORTEST_KEY and rarity(cell) > 0)


def asked_for(question: str) -> AskedFor:
    """Classify a question by its wording. In other languages than English, mostly definitions are known."""
    text, question = question, one_line(question)
    wants_code = _CODE.search(question) is not None
    is_trouble = bool(_TROUBLE.search(question)) and not _FACT_OF_TROUBLE.match(question)
    want, subject, options = Want.OTHER, "", _options(question)
    if options:
        want = Want.CHOICE
    elif _asks_for_number(question):
        want = Want.NUMBER
    elif _QUANTITY.match(question):
        return AskedFor(text, Want.NUMBER, wants_code=wants_code)
    elif _SEVERAL.search(question) or _PLURAL.search(question):
        want = Want.LIST
    elif subject := _subject(question):
        want = Want.MEANING
    elif _HOWTO.search(question) or _ACTION.match(question):
        want, wants_code = Want.STEPS, True
    elif _CAUSE.search(question):
        want = Want.CAUSE
    elif _LIST.search(question):
        want = Want.LIST
    elif _YES_NO.match(question):
        want = Want.YES_NO
    return AskedFor(
        text,
        want,
        subject,
        options,
        wants_code,
        is_trouble,
        wants_tree=_STRUCTURE.search(question) is not None,
        wants_author=_AUTHOR.match(question) is not None,
        value=value_asked(question) if want is Want.NUMBER else Value.NONE,
        measure=measure_asked(question) if want is Want.NUMBER else Measure.ANY,
    )


def _asks_for_number(question: str) -> bool:
    """Return whether a number is asked for, and not how to do something with one ("to count how often")."""
    number = _NUMBER.search(question)
    return number is not None and _HOW_TO_DO.search(question[: number.start()]) is None


def is_negated(text: str) -> bool:
    """Return whether an (English) heading or question has a negation ("Not allowed", "which may I not use")."""
    return _NEGATION.search(text) is not None


def asks_negated(question: str) -> bool:
    """Return whether an (English) question asks for what is not ("Which may I not use?")."""
    return is_negated(_KNOWS_NOT.sub(" ", question))


def tells_to_remove(heading: str) -> bool:
    """Return whether an (English) heading says how something is removed ("Uninstalling")."""
    return _REMOVAL.match(heading) is not None


def asks_to_make(question: str) -> bool:
    """Return whether an (English) question is about making or using something, and not about removing it."""
    return _MAKES.search(question) is not None and _REMOVES.search(question) is None


def numbered_names(question: str) -> set[str]:
    """Return the names of a question that have a digit, in lower case ("d435")."""
    return {word.casefold() for word in _NAME.findall(question) if _DIGIT.search(word)}


def names_unknown(question: str, unknown_words: Sequence[str], *, capitals_are_names: bool = True) -> bool:
    """Return whether one of the unknown words is a name (by its capital) or an identifier.

    In a question that is written in capitals, or with one for each word, capitals tell nothing.
    """
    # (The stop of a sentence before the last belongs to a case that the reader tells.)
    words = [_POSSESSIVE.sub("", word) for word in _NAME.findall(question.rstrip(" .!?"))[1:]]
    long_words = [word for word in words if len(word) >= _LONG_WORD]
    is_title = len(long_words) >= _TITLE_WORDS and all(word[0].isupper() for word in long_words)
    by_capital = capitals_are_names and not is_title
    names = {
        word.casefold()
        for word in words
        if (by_capital and any(c.isupper() for c in word)) or _IDENTIFIER.search(word[:-1])
    }
    return any(word in names or _IDENTIFIER.search(word) for word in unknown_words)


def leans_on_another(question: str) -> bool:
    """Return whether a part of a question means what another part names ("... and how big is it?")."""
    return _PRONOUN.search(question) is not None


def parts_of(question: str) -> tuple[str, ...]:
    """Split a text into its two questions, in order. Returns the whole text if it has only one."""
    pieces = [piece.strip(" ,;") for piece in _SECOND.split(one_line(question), maxsplit=1)]
    is_two = len(pieces) == 2 and all(len(piece.split()) >= _LEAST_PART_WORDS for piece in pieces)
    if is_two and not _OF_THE_SAME.fullmatch(pieces[1]):
        return tuple(pieces)
    return (question,)


def _subject(question: str) -> str:
    match = _DEFINITION.match(question)
    if match is None:
        return ""
    subject = next(group for group in match.groups() if group).strip(" ?.!\"'“”‘’`*")
    if (named := _WHAT_IN_A_FIELD.match(subject)) is not None:
        subject = named["term"]
    is_value = _OF_A_THING.search(f" {subject} ") or _DEFAULT.search(subject)
    if is_value or len(subject.split()) > 6:
        return ""
    return _ARTICLE.sub("", subject)


def _options(question: str) -> tuple[str, ...]:
    compared = _CHOICE.search(question)
    if compared is not None:
        around = compared["rest"] or question[: compared.start()]
        if (
            compared.group().lower().startswith(("vs", "versus", "differ"))
            and question[: compared.start()].strip()
        ):
            before = question[: compared.start()]
            if compared.group().lower().startswith(("vs", "versus")):
                around = f"{before.split()[-1]} and {compared['rest']}"
            elif compared["rest"] and not _AND.search(compared["rest"]):
                around = f"{_ASKS.sub('', before)} and {compared['rest']}"
        pieces = [piece.strip(" ?.!\"'“”") for piece in _AND.split(around)]
        found = tuple(_ARTICLE.sub("", piece) for piece in pieces if piece)
        return found[:2] if len(found) >= 2 else ()
    either = _OR.search(question)
    if either is not None and (
        _YES_NO.match(question) or re.search(r"\b(?:which|whether|better|should)\b", question, re.I)
    ):
        return either["a"].split()[-1], _ARTICLE.sub("", either["b"].strip(" ?"))
    return ()
