"""Render an answer's Markdown as HTML in which marks lead to the sources below."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from ragbot.answering.statements import CITATION_MARK
from ragbot.core.formulas import FORMULA

_FORMULA = re.compile(FORMULA)


def answer_html(answer: str, sources: Set[int]) -> str:
    """Return the HTML of an answer: no tag and no image of the answer's own, links to web pages alone.

    A mark of one of the `sources` is a link to `#source-1` and so on. Formulas are shown as they are written.
    """
    html: str = _parser().render(answer, {"sources": sources})
    return html


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.validateLink = _is_web_page  # type: ignore[method-assign]
    parser.inline.ruler.before("escape", "formula", _take_formula)
    parser.add_render_rule("formula", _formula)
    parser.add_render_rule("text", _text)
    parser.add_render_rule("link_open", _link)
    return parser


def _is_web_page(url: str) -> bool:
    return url.lower().startswith(("https://", "http://", "/")) and not url.startswith("//")


def _take_formula(state: StateInline, silent: bool) -> bool:
    found = _FORMULA.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("formula", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _formula(
    _self: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, _env: EnvType
) -> str:
    # The sign may stand as an entity, so that nobody takes it for that of a tag.
    return escapeHtml(tokens[place].content.replace("&lt;", "<"))


def _text(
    _self: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, env: EnvType
) -> str:
    def linked(mark: re.Match[str]) -> str:
        number = int(mark[1])
        if number not in env["sources"]:
            return mark[0]
        return f'<a class="mark" href="#source-{number}">[{number}]</a>'

    return CITATION_MARK.sub(linked, escapeHtml(tokens[place].content))


def _link(
    renderer: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType
) -> str:
    # The page may stand in a frame, which is no place for the book.
    tokens[place].attrSet("target", "_top")
    return renderer.renderToken(tokens, place, options, env)
