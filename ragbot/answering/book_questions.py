"""Recognise small talk and questions about the book itself, and lay out its table of contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import dropwhile

from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.core.answers import NOT_IN_BOOK
from ragbot.core.invisible_characters import without_invisible
from ragbot.core.markdown_escaping import escape_words
from ragbot.core.side_matter import is_side_heading
from ragbot.core.text import one_line
from ragbot.storage.editions import PageRecord

# More chapters are counted and not listed one by one.
MOST_LISTED = 40

_SMALL_TALK = re.compile(
    r"""^\W*(?:
        (?:hi|hello|hey|hallo|hola|bonjour|ciao|salut|good\s+(?:morning|afternoon|evening|day)|greetings)(?:\s+(?:there|bot|ragbot|everyone))?
        |test(?:ing)?|ping
        |how\s+are\s+you(?:\s+(?:doing|today))?|how['’]s\s+it\s+going|what['’]?s\s+up
        |who\s+are\s+you|what\s+are\s+you|are\s+you\s+(?:a\s+)?(?:human|bot|robot|ai|real|there)|what(?:['’]s|\s+is)\s+your\s+name
        |what\s+can\s+(?:you\s+do|i\s+ask(?:\s+you)?)|how\s+(?:can|do)\s+(?:you\s+help|i\s+use\s+(?:you|this))(?:\s+me)?|help(?:\s+me)?
        |what\s+(?:questions|things)\s+can\s+i\s+ask(?:\s+you)?
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
# "ok, thank you", "great, that helped!", "bye". (Possessive, so that no text takes long.)
_THANKS = re.compile(
    r"""^\W*(?:(?:
        thank\s+you|(?:many\s+)?thanks?|thx|ty|cheers|danke|gracias|merci|(?:good\s*)?bye|see\s+you
        |ok(?:ay)?|oh|cool|great|nice|perfect|awesome|excellent|super|wonderful|good|yes|got\s+it|i\s+see
        |a\s+lot|(?:so|very)\s+much|for\s+(?:that|helping|(?:your|the)\s+(?:help|answer|reply|explanation))|then|again
        |(?:that|this|it|you)(?:['’]s|\s+(?:is|was|were|has|have|really|all|very|so))*
            \s+(?:helped|helpful|useful|great|good|perfect|clear|enough|it)(?:\s+me)?
    )(?:\W+|$))++$""",
    re.IGNORECASE | re.VERBOSE,
)
# Also terms of some subjects: a book may have a section on one.
_TERMS = frozenset("super then test testing ping".split())
_CODE = re.compile(r"`|\(\)")
_BOOK = (
    r"(?:this|the|your)\s+"
    r"(?:book|handbook|textbook|manual|guide|course|tutorial|document(?:ation)?|docs|site|website)"
)
_PARTS = r"(?P<parts>chapters?|modules?|parts?|lessons?|units?|table\s+of\s+contents|toc|contents)"
_PARTS1, _PARTS2, _PARTS3 = (_PARTS.replace("parts>", f"parts{n}>", 1) for n in (1, 2, 3))
_SUMMARY = (
    r"(?:summar(?:i[sz]e|y\s+of)|overview\s+of|outline"
    r"|give\s+(?:me\s+)?(?:a|an)\s+(?:(?:short|brief|quick)\s+)?(?:summary|overview)\s+of)"
)
_ABOUT = re.compile(
    rf"""^\W*(?:
        what(?:['’]s|\s+is|\s+does)\s+{_BOOK}\s*(?:about|cover|teach|explain|for|contain)?
        |what\s+(?:will|can|do)\s+i\s+learn(?:\s+(?:from|in|with|here)\s*(?:{_BOOK})?)?
        |what\s+(?:topics|subjects)\s+(?:does\s+{_BOOK}\s+cover|are\s+covered(?:\s+in\s+{_BOOK})?)
        |(?:describe|introduce|tell\s+me\s+about)\s+{_BOOK}|{_SUMMARY}\s+{_BOOK}
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTENTS = re.compile(
    rf"""^\W*(?:
        (?:please\s+)?(?:can\s+you\s+)?(?:list|show|name|give)(?:\s+me)?(?:\s+(?:all|of|the|its|a))*\s+{_PARTS1}(?:\s+(?:of|in|from)\s+{_BOOK})?
        |(?:what|which)\s+(?:are\s+(?:the|its)\s+)?{_PARTS2}(?:\s+(?:are\s+(?:there|in\s+{_BOOK})|does\s+{_BOOK}\s+have|of\s+{_BOOK}|in\s+{_BOOK}))?
        |how\s+many\s+{_PARTS3}\s+(?:are\s+(?:there|in\s+{_BOOK})|does\s+{_BOOK}\s+have|has\s+{_BOOK})(?:\s+(?:in\s+{_BOOK}))?
        |(?:show\s+(?:me\s+)?)?(?:the\s+)?(?:table\s+of\s+contents|toc)
        |how\s+is\s+{_BOOK}\s+(?:organi[sz]ed|structured)
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
_ROMAN = "- i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split()
_NUMBER = rf"(?:\d+|{'|'.join((*_NUMBERS, *_ROMAN[1:]))}|[a-z])(?!\w)"
_KINDS = "chapter|module|part|section|lesson|unit|week"
_CHAPTER = re.compile(
    rf"""^\W*(?:
        (?:please\s+)?(?:can\s+you\s+)?{_SUMMARY}\s+(?:the\s+)?(?P<a>.+?)
        |what(?:['’]s|\s+is|\s+does)\s+(?P<b>{_PARTS1}\s+(?:{_NUMBER}|\w+(?=\s+(?:about|cover|teach|explain)\b)))
            \s*(?:about|cover|teach|explain)?
        |what\s+(?:is|does)\s+(?:the\s+)?(?P<c>.+?)\s+(?:chapter|module|part|lesson|unit)\s+(?:about|cover|teach)
        |what(?:['’]s|\s+(?:is|(?:will|do|can|would)\s+(?:i|we|you)\s+(?:learn|study|cover|read)))(?:\s+(?:covered|taught))?
            \s+(?:in|from|during)\s+(?:the\s+)?(?P<d>(?:{_KINDS})\s+{_NUMBER})
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBERED = re.compile(rf"^(?P<kind>{_KINDS})s?\s+(?P<number>\d+|[a-z]+)$", re.IGNORECASE)
# The number that a title begins with: "3. Models", "3 Models", "III: Models", "Kapitel 3", "Chapter Three".
_OWN_NUMBER = re.compile(
    rf"""^(?:
        (?P<word>{_KINDS}|kapitel|teil|chapitre|partie|capítulo|parte|capitolo|hoofdstuk|deel|rozdział|глава|розділ)
            (?:[\s_-]*(?P<a>\d{{1,3}})|[\s_-]+(?P<b>[a-z]+))
        |(?P<c>\d{{1,3}})
        |(?P<d>[ivx]+)(?=\s*(?:[.:)–—]|$))
    )(?![^\W_]|[.,-]?\d)""",
    re.IGNORECASE | re.VERBOSE,
)
_INTRODUCES = re.compile(r"^(?:introduction|preface|foreword|welcome|about\s+(?:this|the)\b)", re.IGNORECASE)
_FRONT_MATTER = re.compile(
    rf"{_INTRODUCES.pattern}|^(?:home|cover|title\s+page|copyright|dedication|prologue|vorwort|einleitung|préface"
    r"|avant-propos|prefacio|prólogo|introducción|introdução|prefazione|introduzione|voorwoord|inleiding"
    r"|предисловие|введение|передмова|вступ)\b",
    re.IGNORECASE,
)
# The addresses of a site's front page.
_FRONT_PAGES = ("", "index", "index.html")
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_WORD = re.compile(r"\w+")
_NOT_OF_A_TITLE = frozenset(
    "the a an and on about of in for to with this that chapter module part section lesson unit".split()
)


# Its name, and its pages in order.
Chapter = tuple[str, list[PageRecord]]


class BookQuestion(StrEnum):
    """Name the kinds of questions about the book as a whole."""

    ABOUT = "about"
    CONTENTS = "contents"
    CHAPTER = "chapter"


@dataclass(frozen=True, slots=True)
class AskedOfBook:
    """Describe a question about the book. `chapter` is the name or number of the chapter that it names.

    `parts` is the question's word for the parts of the book ("modules").
    """

    kind: BookQuestion
    chapter: str = ""
    parts: str = "chapters"


def is_small_talk(question: str) -> bool:
    """Return whether a reader says hello or thanks, or asks what can be asked. Code is none: "super()"."""
    if _CODE.search(question):
        return False
    return _SMALL_TALK.match(question) is not None or _THANKS.match(question) is not None


def term_of_small_talk(question: str) -> str:
    """Return the word of small talk that is the subject in a book with a section on it ("testing"), or ""."""
    word = question.strip(" \t\r\n?!.,;:\"'“”").casefold()
    return word if word in _TERMS else ""


def is_heading_on(term: str, heading_path: Sequence[str]) -> bool:
    """Return whether one of the headings of a section has a term as a word."""
    return any(term in _WORD.findall(heading.casefold()) for heading in heading_path)


def asked_of_book(question: str, pages: Sequence[PageRecord]) -> AskedOfBook | None:
    """Recognise a question about the book as a whole; return None for any other question.

    "List the modules" is one if the book has modules; in another book it may be about the subject.
    """
    question = one_line(question)
    if _ABOUT.match(question):
        return AskedOfBook(BookQuestion.ABOUT)
    if (contents := _CONTENTS.match(question)) is not None:
        named = next((part for part in contents.groups() if part), "chapters").lower()
        of_book = re.search(_BOOK, question, re.IGNORECASE) is not None
        if (
            of_book
            or named.startswith(("chapter", "toc", "table", "contents"))
            or _has(pages, named.rstrip("s"))
        ):
            return AskedOfBook(BookQuestion.CONTENTS, parts=f"{named.rstrip('s')}s")
    if (match := _CHAPTER.match(question)) is not None:
        name = match["a"] or match["b"] or match["c"] or match["d"]
        return AskedOfBook(BookQuestion.CHAPTER, name.strip(" ?.\"'"))
    return None


def _has(pages: Sequence[PageRecord], kind: str) -> bool:
    """Return whether at least two pages or parts have this word in their names ("Module 1", "Module 2")."""
    names = {name for page in pages for name in (page.title, *page.parts)}
    return sum(re.search(rf"\b{kind}\b", name, re.IGNORECASE) is not None for name in names) > 1


def chapters_of(pages: Sequence[PageRecord]) -> list[Chapter]:
    """Group pages by their outermost part, in order; a page without one is a chapter by itself."""
    chapters: list[Chapter] = []
    for page in pages:
        name = page.parts[0] if page.parts else page.title
        if page.parts and chapters and chapters[-1][0] == name:
            chapters[-1][1].append(page)
        else:
            chapters.append((name, [page]))
    return chapters


def chapter_named(pages: Sequence[PageRecord], name: str) -> Chapter | None:
    """Find a chapter by "module 3", by its title or by most of its words; None where none is meant."""
    chapters = chapters_of(pages)
    numbered = _NUMBERED.match(name)
    if numbered is not None:
        number = numbered["number"].lower()
        found = _by_number(chapters, pages, numbered["kind"], number)
        if found is not None or number.isdigit() or number in _NUMBERS:
            # (A title that has this number in it is not meant: "ROS 2".)
            return found
    wanted = {word.casefold() for word in _WORD.findall(name)} - _NOT_OF_A_TITLE
    candidates = [*chapters, *((page.title, [page]) for page in pages)]
    scored = [(_overlap(wanted, title), -place, place) for place, (title, _) in enumerate(candidates)]
    best = max(scored, default=(0.0, 0, 0))
    return candidates[best[2]] if best[0] >= 0.5 else None


def _by_number(
    chapters: Sequence[Chapter], pages: Sequence[PageRecord], kind: str, number: str
) -> Chapter | None:
    value = _value_of(number)
    named = _names_of(kind, value, number)
    for title, inside in chapters:
        if inside[0].parts and named.search(title):
            return title, inside
    inside = [page for page in pages if any(map(named.search, (page.title, *page.parts)))]
    in_paths = [(_number_in_path(page.path, kind), page) for page in pages]
    of_number = [page for found, page in in_paths if found is not None and found == value]
    if not inside and not of_number and any(found is not None for found, _ in in_paths):
        return None
    if not inside or any(page in of_number for page in inside):
        # Of two lessons in "week-5" one may have a title without the week.
        inside = [page for page in pages if page in inside or page in of_number]
    if inside:
        return inside[0].title, inside
    return _by_own_number(chapters, pages, value) if value is not None else None


def _value_of(number: str) -> int | None:
    number = number.lower()
    if number.isdecimal():
        return int(number)
    return next((names.index(number) for names in (_NUMBERS, _ROMAN) if number in names), None)


def _names_of(kind: str, value: int | None, number: str) -> re.Pattern[str]:
    """Return what names a chapter in a title or a folder's name: "Module 2", "Weeks 1-2", "Part II"."""
    is_spelt = value is not None and 0 < value < len(_NUMBERS)
    words = f"{_NUMBERS[value]}|{_ROMAN[value]}" if is_spelt and value else re.escape(number)
    digits = rf"(?:\d+\s*[-–]\s*)?0*{re.escape(number) if value is None else value}"
    return re.compile(rf"\b{kind}s?(?:[\s_-]*{digits}|[\s_-]+(?:{words}))(?![^\W_])", re.IGNORECASE)


def _number_in_path(path: str, kind: str) -> int | None:
    """Return the number of a chapter of this kind in a page's path: "src/ch04-01-ownership.md", "week-4/a.md"."""
    short = "(?:chapter|chap|ch)" if kind.lower() == "chapter" else kind
    match = re.search(rf"(?<![^\W_]){short}[_-]?(\d{{1,3}})(?![^\W_])", path, re.IGNORECASE)
    return int(match[1]) if match else None


def _by_own_number(chapters: Sequence[Chapter], pages: Sequence[PageRecord], value: int) -> Chapter | None:
    """Find a chapter by the number that its title begins with, or by counting where no title has one."""
    bare, worded = _own_numbers(chapters)
    of_pages, _ = _own_numbers([(page.title, [page]) for page in pages])
    for numbered in (bare, of_pages, worded):
        if len(numbered) > 1:
            found = numbered.get(value, [])
            return found[0] if len(found) == 1 else None
    return _counted(chapters, value)


def _own_numbers(chapters: Sequence[Chapter]) -> tuple[dict[int, list[Chapter]], dict[int, list[Chapter]]]:
    """Return chapters by the numbers of their titles: first those without a word before it, then the others."""
    bare: dict[int, list[Chapter]] = {}
    worded: dict[int, list[Chapter]] = {}
    for chapter in chapters:
        match = _OWN_NUMBER.match(chapter[0])
        value = _value_of(next(filter(None, match.group("a", "b", "c", "d")))) if match else None
        if match and value is not None:
            (worded if match["word"] else bare).setdefault(value, []).append(chapter)
    return bare, worded


def _counted(chapters: Sequence[Chapter], value: int) -> Chapter | None:
    """Return the chapter of a number in a book that numbers none; None where it is not certain what counts.

    Chapters are what comes after the front matter. Where some have several pages, others in between have one:
    they may be chapters or not.
    """
    real = list(dropwhile(_is_front_matter, chapters))
    if any(len(inside) > 1 for _, inside in real):
        while len(real[-1][1]) == 1:
            real.pop()
        if any(len(inside) == 1 for _, inside in real):
            return None
    return real[value - 1] if 0 < value <= len(real) else None


def _is_front_matter(chapter: Chapter) -> bool:
    title, inside = chapter
    first = inside[0]
    return _FRONT_MATTER.search(title) is not None or (not first.parts and first.address in _FRONT_PAGES)


def _overlap(wanted: set[str], title: str) -> float:
    words = {word.casefold() for word in _WORD.findall(title)} - _NOT_OF_A_TITLE
    return 2 * len(wanted & words) / (len(wanted) + len(words)) if wanted and words else 0.0


def introduction_of(pages: Sequence[PageRecord]) -> list[PageRecord]:
    """Return the pages that should say what the book is about: its first one, and its introduction."""
    early = pages[: max(3, len(pages) // 10)]
    named = [page for page in early if _INTRODUCES.search(page.title) and not is_side_heading(page.title)]
    return list(dict.fromkeys([*pages[:1], *named]))[:2]


def contents_text(
    title: str, pages: Sequence[PageRecord], kind: str, link: Callable[[PageRecord], str]
) -> str:
    """Lay out a table of contents: each chapter once, with a link to its first page and its number of pages.

    `kind` is the question's word for them ("modules"). If several chapters have it in their names, only these
    are listed.
    """
    chapters = chapters_of(pages)
    named = [
        chapter for chapter in chapters if re.search(rf"\b{kind.rstrip('s')}", chapter[0], re.IGNORECASE)
    ]
    shown, what = (named, kind) if len(named) > 1 else (chapters, "chapters")
    name = _emphasized(title) or "The book"
    lines = [f"{name} has {len(shown)} {what}:" if len(shown) != 1 else f"{name} has one chapter:", ""]
    for chapter, inside in shown[:MOST_LISTED]:
        more = f" ({len(inside)} pages)" if len(inside) > 1 else ""
        lines.append(f"- [{link_label(_chapter_name(chapter, inside))}](<{link(inside[0])}>){more}")
    if len(shown) > MOST_LISTED:
        lines.append(f"- … and {len(shown) - MOST_LISTED} more")
    return "\n".join(lines)


def pages_text(pages: Sequence[PageRecord], link: Callable[[PageRecord], str]) -> str:
    """Lay out the pages of a chapter as a list of links."""
    return "\n".join(f"- [{link_label(page.title)}](<{link(page)}>)" for page in pages[:MOST_LISTED])


def _chapter_name(name: str, pages: Sequence[PageRecord]) -> str:
    """Return a chapter's name. A folder's name is written as words and followed by its first page's title."""
    if not _SLUG.fullmatch(name) or name == pages[0].title:
        return name
    words = name.replace("-", " ").replace("_", " ").capitalize()
    return f"{words}: {pages[0].title}"


def link_label(label: str) -> str:
    """Return a title with the signs escaped that have a meaning in a link's label."""
    return escape_words(without_invisible(label).replace(NOT_IN_BOOK, ""))


def _emphasized(title: str) -> str:
    """Return a book's title in italics, without links and HTML; "" if nothing is left of it."""
    cleaner = MarkdownSanitizer(number_of=lambda _number: None, own_text="", own_urls=())
    shown = cleaner.feed(without_invisible(title)) + cleaner.flush()
    shown = " ".join(shown.replace("*", "").split())
    return f"*{shown}*" if shown else ""


SMALL_TALK_REPLY = (
    "Hello! I answer questions about {book} from its own pages. Ask what a term means, how something "
    "is done, or what a chapter is about."
)
THANKS_REPLY = "You are welcome. Ask again when something else in {book} is unclear."


def small_talk_reply(question: str, title: str) -> str:
    """Return a friendly line: what can be asked, or that the reader is welcome."""
    reply = THANKS_REPLY if _THANKS.match(question) else SMALL_TALK_REPLY
    return reply.format(book=_emphasized(title) or "this book")
