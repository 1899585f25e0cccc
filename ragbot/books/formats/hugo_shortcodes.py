"""Replace the shortcodes of a page of Hugo by what the site shows in their place."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from posixpath import dirname
from textwrap import dedent

from ragbot.books.files import BookFolder
from ragbot.books.formats.hugo_values import HugoValues, member
from ragbot.books.formats.source_includes import MAX_DEPTH, IncludedFiles
from ragbot.books.markup.code_spans import fenced
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.rewriting import rewrite_lines, without_attributes, without_comments
from ragbot.core.text import line_starts

# `{{< figure src="a.png" title="Oar" >}}` is drawn by the theme; `{{% hint %}}` is Markdown inside.
# (It ends before the next one begins, so that the time stays linear.)
_SHORTCODE = re.compile(r"\{\{[<%](?P<code>(?:(?!\{\{|[>%]\}\}|\n[ \t]*\n)(?s:.)){0,2000}+)[>%]\}\}")
_NAMED_WORDS = r"(?<![\w-])(?:{})=\"(?!(?:true|false)\")(?P<words>[^\"\n]*)\""
_LABELS = "title|summary|caption|alt|label|name"
_WORDS_IN_HEADING = re.compile(_NAMED_WORDS.format(_LABELS))
_WORDS = re.compile(_NAMED_WORDS.format(f"{_LABELS}|header|subtitle|text|content"))
# `{{< glossary_tooltip text="node" term_id="node" >}}`, `{{< kbd "Ctrl" >}}`.
_TEXT = re.compile(_NAMED_WORDS.format("text|content"))
_POSITIONAL = re.compile(r"[\w/-]+[ \t]+\"(?P<words>[^\"\n]+)\"")
_TERM = re.compile(r"\bterm_id=\"(?P<words>[^\"\n]+)\"")
# What is given to these is an address or a name in a list, which no reader sees.
_UNSEEN = re.compile(r"(?:ref|relref|i18n|T|icon|fa\w?|i|img|image|figure|video|youtube|vimeo|gist|anchor)\b")
_ITEM = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])(?=[ \t]|\Z))?[ \t]*")
_STOPS = ":.!?…。：！？"
_ADDRESS = re.compile(r"\S*[/_#]\S*|\S+\.[A-Za-z]\w{1,3}")
# `{{< highlight go >}} ... {{< /highlight >}}`, and the names that themes have for it.
_LISTING = re.compile(
    r"\{\{<[ \t]*(?P<name>highlight|code|code-?block|code-toggle)\b(?P<arguments>[^>\n]{0,300})(?<!/)>\}\}"
    r"(?P<code>(?:(?!\{\{<(?!/\*))(?s:.))*+)\{\{<[ \t]*/[ \t]*(?P=name)[ \t]*>\}\}"
)
# Docsy's `{{< tabpane >}} {{< tab header="Bash" lang="bash" >}} ...` are code, unless they say `text=true`.
_TAB = re.compile(
    r"\{\{<[ \t]*tab\b(?P<arguments>[^>\n]{0,300})(?<!/)>\}\}"
    r"(?P<code>(?:(?!\{\{[<%](?!/\*))(?s:.))*+)\{\{<[ \t]*/[ \t]*tab[ \t]*>\}\}"
)
_PANE = re.compile(r"\{\{[<%][ \t]*(?P<closes>/?)[ \t]*tabpane\b(?P<arguments>[^>\n]{0,300})>\}\}")
_IS_TEXT = re.compile(r"\btext=[\"']?true")
_IS_CODE = re.compile(r"\b(?:code)?lang(?:uage)?=")
_LANGUAGE = re.compile(
    r"(?:^|\b(?:(?:code)?lang|language|type|lexer)=)[\"'`]?(?P<name>[A-Za-z][\w+#-]*)(?![\w=-])"
)
# `{{< param "version" >}}`; `{{% include "part.md" %}}`, Docsy's `{{< readfile file="a.sh" code="true" >}}`.
_NAMED = re.compile(
    r"(?P<name>param|include|readfile)[ \t]+(?:[^\n]*?\b(?:file|path|name)=)?[\"'`]?(?P<value>[^\s\"'`]+)"
)
_SHOWS_CODE = re.compile(r"\bcode=[\"']?true")


@dataclass(frozen=True, slots=True)
class HugoShortcodes:
    """Hold what shortcodes take their text from: files, the values of pages, parameters.

    `content` is the folder of the pages; `params` are the site's.
    """

    folder: BookFolder
    content: str
    values: HugoValues
    params: object

    def plain(self, path: str, body: str) -> str:
        """Return a page's text without shortcodes. Raises FileUnreadable if its includes are too long."""
        files = IncludedFiles(self.folder, (dirname(path), self.content, ""))
        return rewrite_lines(self._replaced(path, body, files, 0), without_attributes)

    def _replaced(self, path: str, text: str, files: IncludedFiles, depth: int) -> str:
        text = _LISTING.sub(_listing, without_comments(text))
        text = _TAB.sub(_Panes(text).tab, text)
        lines = _Lines(text)

        def shown(match: re.Match[str]) -> str:
            code = match["code"].strip()
            if code.startswith("/*"):
                # Commented out it is shown as it is written.
                return match[0].replace("/*", "").replace("*/", "")
            named = _NAMED.match(code)
            if named is not None and named["name"] == "param":
                return self._param(path.removeprefix(f"{self.content}/"), named["value"])
            if named is not None:
                included = files.text(named["value"]) if depth < MAX_DEPTH else ""
                if _SHOWS_CODE.search(code):
                    return _listed(included, code.partition(" ")[2]) if included else ""
                body = included[parse_front_matter(included).end :].strip("\n")
                return self._replaced(path, body, files, depth + 1)
            return lines.words(match)

        return _SHORTCODE.sub(shown, text)

    def _param(self, inner: str, name: str) -> str:
        """Return a parameter of the page, of the sections around it, or of the site."""
        for values in (*self.values.tables(inner), self.params):
            for table in (values, member(values, "params")):
                found = table
                for key in name.split("."):
                    found = member(found, key)
                if isinstance(found, str | int | float):
                    return FrontMatter({"": found}).text("")
        return ""


class _Lines:
    """Tell the words of shortcodes by what else stands in their lines."""

    def __init__(self, text: str) -> None:
        plain = _SHORTCODE.sub(lambda match: " " * len(match[0]), text)
        self._lines = plain.split("\n")
        self._starts = line_starts(plain)
        # Where the words of each line begin, behind the mark of an item.
        self._beginnings = [_beginning(line) for line in self._lines]
        self._closings: dict[tuple[int, str], int] = {}
        for match in _SHORTCODE.finditer(text):
            if (code := match["code"].strip()).startswith("/"):
                self._closings[self._line(match), _name(code[1:].strip())] = match.start()

    def _line(self, match: re.Match[str]) -> int:
        return bisect_right(self._starts, match.start()) - 1

    def words(self, match: re.Match[str]) -> str:
        """Return the words that a shortcode is given: a title of its own, or words in a sentence."""
        code, number = match["code"].strip(), self._line(match)
        line, column = self._lines[number], match.start() - self._starts[number]
        if line.startswith("#"):
            # (More would change its anchor.)
            return bold(_own_words(code, _WORDS_IN_HEADING))
        beginning = self._beginnings[number]
        if self._closings.get((number, _name(code)), -1) > match.start():
            return "" if column > beginning else _title(code, column)
        return _title(code, column) if beginning == len(line) else _words_in_line(code)


def _beginning(line: str) -> int:
    found = _ITEM.match(line)
    return found.end() if found else 0


def _title(code: str, column: int) -> str:
    """Return a title as a paragraph; in a list item it is the label of what follows."""
    words = _own_words(code, _WORDS)
    if not words or not column:
        return f"{bold(words)}\n" if words else ""
    return bold(words if words[-1] in _STOPS else f"{words}:")


def _name(code: str) -> str:
    return code.split()[0] if code else ""


def _own_words(code: str, pattern: re.Pattern[str]) -> str:
    """Return the words that a shortcode is given."""
    found = " ".join(found["words"] for found in pattern.finditer(code))
    if not found and "=" not in code and code.split(" ")[0] in ("tab", "details", "expand"):
        found = code.partition(" ")[2].strip("\"' ")
    return found.strip()


def _words_in_line(code: str) -> str:
    """Return what a shortcode shows in a sentence."""
    if (text := _TEXT.search(code)) is not None:
        return text["words"]
    given = None if _UNSEEN.match(code) else _POSITIONAL.match(code)
    if given is not None and not _ADDRESS.fullmatch(given["words"]):
        return given["words"]
    term = _TERM.search(code)
    return term["words"] if term is not None else _own_words(code, _WORDS)


class _Panes:
    """Tell which tabs are code."""

    def __init__(self, text: str) -> None:
        panes = list(_PANE.finditer(text))
        self._starts = [pane.start() for pane in panes]
        self._are_code = [not pane["closes"] and not _IS_TEXT.search(pane["arguments"]) for pane in panes]

    def tab(self, match: re.Match[str]) -> str:
        """Return a tab whose content is code with that in a fence, any other one as it is."""
        pane = bisect_left(self._starts, match.start()) - 1
        is_code = _IS_CODE.search(match["arguments"]) or (pane >= 0 and self._are_code[pane])
        if not is_code or _IS_TEXT.search(match["arguments"]) or "```" in match["code"]:
            return match[0]
        opening = match[0][: match.start("code") - match.start()]
        return f"{opening}\n{_listed(match['code'], match['arguments'])}"


def _listing(match: re.Match[str]) -> str:
    if "```" in match["code"]:
        # It is Markdown, of which the theme makes tabs.
        return f"\n{match['code']}\n"
    return _listed(match["code"], match["arguments"])


def _listed(code: str, arguments: str) -> str:
    language = _LANGUAGE.search(arguments.strip())
    code = dedent(code.strip("\n"))
    return f"\n{fenced(code, language['name'] if language else '')}\n"
