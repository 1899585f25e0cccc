"""Recognise parts that are about the book and not its subject: contents, objectives, references ..."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Words of headings of such parts, in which a reader seldom finds an answer.
_SIDE_HEADINGS = re.compile(
    r"""\b(?:
        learning\s+(?:objectives?|outcomes?|goals)|what\s+you(?:['’]ll|\s+will)\s+(?:learn|need|build)
        |in\s+this\s+(?:chapter|section|lesson|module|page)
        |table\s+of\s+contents|module\s+structure
        |see\s+also|further\s+reading|additional\s+(?:reading|resources)
        |bibliography|works\s+cited|acknowledge?ments?
        |change\s?-?log|release\s+notes|revision\s+history|what['’]s\s+(?:new|next)|next\s+steps|up\s+next
        |self-?check|review\s+questions|discussion\s+questions|due\s+dates?
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
# A heading is a side heading if at least this share of its words says so.
_LEAST_SHARE = 0.5
# Words of the first set make a side heading alone or with words of the second: "Course schedule", but not
# "Tide schedule"; "Module assessment", but not "Risk assessment".
_SIDE_NAMES = frozenset(
    "objective objectives outcome outcomes goals contents outline agenda syllabus schedule resources references "
    "citations credits assignments due deadlines links navigation exercise exercises quiz quizzes assessment "
    "assessments deliverable deliverables submission rubric grading".split()
)
_SIDE_QUALIFIERS = frozenset(
    "a and book chapter course external extra final for hands image key learning lesson main module more of on online "
    "other page practice purchase quick recommended related section site support the this unit useful week weekly "
    "your".split()
)
# A robot also has links and navigation, so these words alone decide nothing.
_AMBIGUOUS = frozenset(("links", "navigation"))
# The subject may have a section of that name too ("References" in a book on Python): it is a side section by what
# stands in it.
_BY_SHAPE = frozenset("references citations links credits navigation".split())
# A line of a bibliography or of a list of links.
_SOURCE_LINE = re.compile(
    r"https?:|\]\(|<[^<>\s]+@|\bdoi\b|\bISBN\b|\bet al\b|\(\d{4}[a-z]?\)|\b(?:19|20)\d\d\b[.,)]|\bpp?\.\s*\d|\bvol\.",
    re.IGNORECASE,
)
_LEAST_SOURCE_LINES = 0.5
# Signs and a number that a heading may begin with.
_BEGINNING = r"\W*(?:\d+(?:\.\d+)*[.):]?\s+)?"
# Headings of which the sections below list others' texts, too: "Additional reading › SLAM".
_SOURCES_HEADING = re.compile(
    rf"""{_BEGINNING}(?:(?:and|additional|external|further|more|other|recommended|related|useful)\s+)*
    (?:reading|readings|resources|references|citations|bibliography|works\s+cited|links|sources)
    (?:\s+(?:and|&)\s+(?:reading|readings|resources|references|citations|links|sources))?\W*""",
    re.IGNORECASE | re.VERBOSE,
)
_GLOSSARY = re.compile(
    r"\b(?:glossar\w*|terminolog\w+|key\s+terms|glosario|lexique|begriffe|begrippen\w*)\b", re.IGNORECASE
)
_SUMMARY = re.compile(
    rf"""{_BEGINNING}(?:(?:chapter|section|lesson|module|unit|quick|the)\s+)*
    (?:summary|recap(?:itulation)?|conclusions?|in\s+(?:short|brief|summary|a\s+nutshell)|wrap(?:ping)?[\s-]?up
       |(?:key|main)\s+(?:take-?aways?|points|ideas|insights)|take-?aways?|what\s+(?:you|we)(?:['’]ve|\s+have)?\s+learn(?:ed|t))
    (?:\s+(?:of|and|for)\b.*)?\W*""",
    re.IGNORECASE | re.VERBOSE,
)
# A note of an author to herself ("TODO: add a picture").
_TO_DO = re.compile(r"\W*(?:TODO|FIXME|TBD|XXX)\b")
# What stands above a box beside the text, in the languages that books are written in most.
_BOX_LABEL = re.compile(
    r"\W*(?:note|hint|tip|info(?:rmation)?|important|caution|warning|danger|attention|error|notice|see\s+also|examples?"
    r"|hinweis|tipp|wichtig|achtung|warnung|vorsicht|siehe\s+auch|beispiele?|astuce|avertissement|voir\s+aussi|exemples?"
    r"|nota|consejo|importante|advertencia|v[eé]ase\s+tambi[eé]n|ejemplos?|dica|aviso|veja\s+tamb[eé]m|exemplos?)\W*",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
# "7. Additional Resources" and "Chapter 3: Exercises" are numbered.
_HEADING_WORD = re.compile(r"[^\W\d]\w*")
_LINK = re.compile(
    r"!?\[[^\[\]]{0,500}\]\([^()\n]{0,2000}\)|<https?:[^<>\s]{1,2000}>|https?://[^\s<>)\]]{1,2000}"
)
# The place where a generator inserts a table of contents.
_CONTENTS_MARK = re.compile(r"\{:\s*toc\b|^\s*(?:\[\[?_?toc_?\]\]?|@\[toc\])\s*$", re.IGNORECASE)
# "Due: week 4", "Submit by 12 May", "Points: 100", "Build a robot (due week 4)": a label, and no sentence.
_DUE = re.compile(
    r"""\A\W*(?:
        (?:due|deadline)\b\W{0,12}(?:(?:date|by|week|end|before)\b\W{0,12}){0,6}\d
        |submit(?:ted)?\b\W{0,4}(?:by|before)\b\W{0,12}(?:(?:week|end)\b\W{0,12}){0,4}\d
        |(?:points?|pts|time\s+required|est(?:imated)?\.?\s+time)[*_\s]{0,6}[:–—-]\W{0,6}\d
    )|\((?:due|deadline)\b[^()\d]{0,40}\d[^()]{0,40}\)\W*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_FEW_WORDS = 3
# A link; signs in its label end no sentence.
_TARGET = r"(?:\([^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,200})?\)|\[[^\[\]\n]{0,200}\])"
_LINKED = rf"\[[^\[\]]{{1,500}}\]{_TARGET}(?:\{{[^{{}}\n]{{0,200}}\}})?"
_MORE = r"(?:info(?:rmation)?|details?|guid(?:e|es|ance|elines)|instructions|examples|help)\b"
# A sentence that only says where to read on: "For older versions, see [this page](...) of the manual."
_POINTER = re.compile(
    rf"""\W*(?:for\b[^.:;?!\[\]]{{0,120}}?,?\s|to\b[^.:;?!\[\]]{{0,120}},\s)?
    (?:please\s+|you\s+(?:can|may|will)\s+|also\s+)*
    (?:see(?:\s+also)?|refer\s+to|consult|check\s*out|(?:have|take)\s+a\s+look\s+at
       |read(?:\s+more)?\s+(?:about|on|in)|(?:read|learn|find)\s+(?:out\s+)?more|more\s+{_MORE}
       |(?:check|visit|read)(?=[^\n]{{0,400}}\bfor\s+(?:more|further)\b)
       |(?<=\s)(?:check|visit|read)(?=\s(?:the|our|their|\[)))\b
    [^.:;?!,\[\]]{{0,200}}:?\s*(?:[*_"'“(]*{_LINKED}[*_"'”)]*(?:,?\s+(?:and|or)\s+(?:the\s+)?|,?\s+)?)+
    (?:(?:\W+\w+){{0,5}}\W*|\W*(?:\w+\W+){{0,3}}?(?:for|on|about|to|if|how)\b(?:[^.:;?!\[\]`]|{_LINKED}|`[^`\n]{{1,200}}`){{0,300}}\W*)""",
    re.IGNORECASE | re.VERBOSE,
)
_SEE_IN_PARENTHESES = re.compile(r"\W*\([*_]*(?:please\s+)?see\b[^()]{1,300}\)\W*", re.IGNORECASE)
_DATED = re.compile(
    r"\W*(?:last\s+)?(?:updated?|modified|reviewed|revised|published|posted|edited|changed|modification)\b"
    r"[^.!?]{0,60}\b(?:19|20)\d\d\b\D{0,3}(?:\d\d?\D?){0,6}",
    re.IGNORECASE,
)
# A dash, a name, and at most what the name is known for. (Speech in a story has a dash, too, and ends with a stop.)
_CREDIT = re.compile(
    r"[—―]\s*(?:@[\w-]+|[A-ZÀ-Þ][\w.'’-]*(?:\s+(?:[A-ZÀ-Þ][\w.'’-]*|of|de|van|von|and))*)"
    r"(?:(?:,|\s+(?:on|at|in|from))\s[^\n]{1,120})?(?<![.,;:!?…—\"'”’»)])"
)
# Words of questions that ask for such a part.
_ASKS_FOR_SIDE = re.compile(
    r"\b(?:due|deadlines?|submit|submission|points?|grad(?:e|es|ed|ing)|rubric|objectives?|outcomes?|exercises?|quiz|assess\w*|assign\w*"
    r"|deliverables?|references?|bibliography|sources?|links?|further\s+reading|books|papers|articles|tutorials|learning\s+resources"
    r"|(?:find\s+out|learn|read)\s+more|release\s+notes|change\s?log|what['’]s\s+new|new\s+in"
    r"|changed|updated|revised|version|next\s+steps|(?:able\s+to|i)\s+(?:do|learn)|be\s+able|said|quoted?|credits?|acknowledg\w*|written|wrote|author)\b",
    re.IGNORECASE,
)


def is_side_heading(heading: str) -> bool:
    """Return whether a heading announces contents, objectives, references, exercises or the like."""
    words = [word.casefold() for word in _HEADING_WORD.findall(heading)]
    announced = _SIDE_HEADINGS.search(heading)
    if announced is not None and len(_HEADING_WORD.findall(announced.group())) >= _LEAST_SHARE * len(words):
        return True
    names = _SIDE_NAMES.intersection(words)
    is_plain = names <= _AMBIGUOUS and len(words) == 1
    return bool(names) and not is_plain and all(word in _SIDE_NAMES | _SIDE_QUALIFIERS for word in words)


def is_side_section(heading: str, text: str, above: Sequence[str] = ()) -> bool:
    """Return whether a section is about the book: by its heading and, under "References", by its text too.

    `above` are the headings that it stands under: below "References" a section of any name is one if it lists
    sources. A text without lines decides nothing: then the heading alone counts.
    """
    if not is_side_heading(heading):
        return any(map(_SOURCES_HEADING.fullmatch, above)) and _lists_sources(text, if_empty=False)
    names = _SIDE_NAMES.intersection(word.casefold() for word in _HEADING_WORD.findall(heading))
    if _SIDE_HEADINGS.search(heading) or not names or not names <= _BY_SHAPE:
        return True
    return _lists_sources(text, if_empty=True)


def _lists_sources(text: str, *, if_empty: bool) -> bool:
    """Return whether most lines of a text name sources; `if_empty` for a text without lines."""
    lines = [line for line in text.splitlines() if _WORD.search(line) and not line.lstrip().startswith("#")]
    sources = sum(map(bool, map(_SOURCE_LINE.search, lines)))
    return sources >= _LEAST_SOURCE_LINES * len(lines) if lines else if_empty


def is_glossary_heading(heading: str) -> bool:
    """Return whether a heading announces a glossary."""
    return _GLOSSARY.search(heading) is not None


def is_summary_heading(heading: str) -> bool:
    """Return whether a heading announces the summary of a chapter ("Summary", "Key takeaways")."""
    return _SUMMARY.fullmatch(heading) is not None


def wants_side_matter(question: str) -> bool:
    """Return whether a question asks for objectives, due dates, references, release notes or the like."""
    return _ASKS_FOR_SIDE.search(question) is not None


def link_share(markdown: str) -> float:
    """Return the share of a text's words that are in links, from 0 to 1; 0 for a text without words."""
    whole = len(_WORD.findall(markdown))
    linked = sum(len(_WORD.findall(link)) for link in _LINK.findall(markdown))
    return linked / whole if whole else 0.0


def says_nothing(words: str) -> bool:
    """Return whether a piece is an author's note to herself, or the label of a box ("Note", "See also")."""
    return _TO_DO.match(words) is not None or _BOX_LABEL.fullmatch(words) is not None


def is_link_alone(markdown: str) -> bool:
    """Return whether a text is a link with at most two other words, or the place of a table of contents."""
    if _CONTENTS_MARK.search(markdown):
        return True
    rest = _LINK.sub(" ", markdown)
    return rest != markdown and len(_WORD.findall(rest)) < _FEW_WORDS


def is_pointer(sentence: str) -> bool:
    """Return whether a sentence says nothing but where to read on, with a link to it or in parentheses."""
    return (_POINTER.fullmatch(sentence) or _SEE_IN_PARENTHESES.fullmatch(sentence)) is not None


def is_date_of_text(text: str) -> bool:
    """Return whether a line says when the text was written ("Last updated: 3 May 2025")."""
    return _DATED.fullmatch(text) is not None


def is_credit(text: str) -> bool:
    """Return whether a line names who said what stands above it ("— Ann, a maintainer of Owncast")."""
    return _CREDIT.fullmatch(text) is not None


def is_due_date(text: str) -> bool:
    """Return whether a short text says when something is due, or how many points it has."""
    return len(text) <= 120 and _DUE.search(text) is not None
