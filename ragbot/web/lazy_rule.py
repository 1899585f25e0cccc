"""Compile what writes a rule's addresses when the first one is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


class LazyRule(Rule):
    """Read and write addresses as Werkzeug's rule does.

    That compiles two functions for each rule, a third of what it takes to create the app; most rules never
    write an address.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Builder:
        @cache
        def compiled() -> Builder:
            return super(LazyRule, self)._compile_builder(append_unknown)

        def build(rule: Rule, /, **values: object) -> tuple[str, str]:
            return compiled()(rule, **values)

        return build
