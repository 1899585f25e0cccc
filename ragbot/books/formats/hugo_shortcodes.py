"""Replace the shortcodes of a page of Hugo by what the site shows in their place."""

from __future__ import annotations

import re
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

# `{{< figure src="a.png" title="Oar" >}}` is drawn by the theme; `{{% hint %}}` is Markdown inside.
# (It ends before the next one begins, so that the time stays linear.)
_SHORTCODE = re.compile(r"\{\{[<%](?P<code>(?:(?!\{\{|[>%]\}\}|\n[ \t]*\n)(?s:.)){0,2000}+)[>%]\}\}")
_WORDS = re.compile(r"\b(?:title|summary|caption|alt|label|name)=\"(?P<words>[^\"\n]*)\"")
# `{{< highlight go >}} ... {{< /highlight >}}`, and the names that themes have for it.
_LISTING = re.compile(
    r"\{\{<[ \t]*(?P<name>highlight|code|code-?block|code-toggle)\b(?P<arguments>[^>\n]{0,300})(?<!/)>\}\}"
    r"(?P<code>(?:(?!\{\{<(?!/\*))(?s:.))*+)\{\{<[ \t]*/[ \t]*(?P=name)[ \t]*>\}\}"
)
_LANGUAGE = re.compile(r"(?:^|\b(?:lang|language|type|lexer)=)[\"'`]?(?P<name>[A-Za-z][\w+#-]*)(?![\w=-])")
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
                included = included.replace("\r\n", "\n")
                body = included[parse_front_matter(included).end :].strip("\n")
                return self._replaced(path, body, files, depth + 1)
            return _own_words(code)

        return _SHORTCODE.sub(shown, _LISTING.sub(_listing, without_comments(text)))

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


def _own_words(code: str) -> str:
    """Return the words that a shortcode is given."""
    found = " ".join(found["words"] for found in _WORDS.finditer(code))
    if not found and "=" not in code and code.split(" ")[0] in ("tab", "details", "expand"):
        found = code.partition(" ")[2].strip("\"' ")
    return bold(found)


def _listing(match: re.Match[str]) -> str:
    if "```" in match["code"]:
        # It is Markdown, of which the theme makes tabs.
        return f"\n{match['code']}\n"
    return _listed(match["code"], match["arguments"])


def _listed(code: str, arguments: str) -> str:
    language = _LANGUAGE.search(arguments.strip())
    code = dedent(code.strip("\n"))
    return f"\n{fenced(code, language['name'] if language else '')}\n"
