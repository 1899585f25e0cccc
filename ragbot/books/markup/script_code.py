"""Write the code that an MDX page gives to a component as a text of JavaScript as fenced code."""

from __future__ import annotations

import re
from textwrap import dedent

from ragbot.books.markup.code_spans import fenced
from ragbot.books.markup.rewriting import rewrite_prose
from ragbot.books.markup.script_values import ScriptText, parse_script_value

_TEXT = r"(?:`(?:[^`\\]|\\.)*+`|\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+')"
_ATTRIBUTES = r"(?:[^<>{}`]|=\{[^{}`]{0,200}\}){0,1000}?"
# `<Code lang="sh" code={`...`} />`; `<CodeBlock language="sh">{`...`}</CodeBlock>`.
_LISTING = re.compile(
    rf"<(?P<name>[A-Z][\w.]*)(?P<before>{_ATTRIBUTES}\s)code=\{{\s*(?P<code>{_TEXT})\s*\}}"
    rf"(?P<after>{_ATTRIBUTES})(?:/>|>\s*</(?P=name)>)"
    rf"|<(?P<holder>\w*[Cc]ode\w*|pre|Snippet|Highlight)(?P<given>(?:\s{_ATTRIBUTES})?)>"
    rf"\s*\{{\s*(?P<held>{_TEXT})\s*\}}\s*</(?P=holder)>",
    re.DOTALL,
)
_LANGUAGE = re.compile(r"\b(?:lang|language|className)=[{\"'\s]+(?:language-)?(?P<name>[A-Za-z][\w+#-]*)")
# Astro's `<Fragment set:html={"..."} />` is the HTML of the text.
_HTML = re.compile(rf"<Fragment\s+set:html=\{{\s*(?P<html>{_TEXT})\s*\}}\s*(?:/>|>\s*</Fragment>)", re.DOTALL)
# They part no words, and colour single signs of a program's messages.
_INLINE_TAG = re.compile(r"</?(?:a|b|code|em|i|mark|small|span|strong|u)\b[^<>]*>")


def with_script_code(source: str) -> str:
    """Put a fence in the place of each component that shows a text as code, and the HTML of a fragment."""
    if "={" not in source and "{`" not in source:
        return source
    return rewrite_prose(source, lambda prose: _LISTING.sub(_fenced, _HTML.sub(_html, prose)))


def _fenced(listing: re.Match[str]) -> str:
    code = dedent(_text(listing["code"] or listing["held"])).strip("\r\n")
    language = _LANGUAGE.search(
        f"{listing['before'] or ''} {listing['after'] or ''} {listing['given'] or ''}"
    )
    return f"\n\n{fenced(code, language['name'] if language else '')}\n\n"


def _html(fragment: re.Match[str]) -> str:
    return _INLINE_TAG.sub("", _text(fragment["html"]))


def _text(literal: str) -> str:
    """Return the text of a literal; one with values in it is kept as it is written."""
    value = parse_script_value(literal, 0).value
    return value.text if isinstance(value, ScriptText) else literal[1:-1]
