"""Test that rules which compile their builders late write the addresses that Werkzeug's write."""

from __future__ import annotations

import pytest
from werkzeug.routing import BuildError, Map, Rule

from ragbot.web.lazy_rule import LazyRule


@pytest.mark.parametrize("kind", [Rule, LazyRule])
def test_addresses_are_written_and_read(kind: type[Rule]) -> None:
    """A value in the path, one behind it, and a name that is also that of a parameter."""
    urls = Map([kind("/books/<book>/<int:page>", endpoint="page"), kind("/<rule>", endpoint="rule")])
    adapter = urls.bind("book.test")

    assert adapter.build("page", {"book": "a b", "page": 2, "q": "x"}) == "/books/a%20b/2?q=x"
    assert adapter.build("page", {"book": "a", "page": 2, "q": "x"}, append_unknown=False) == "/books/a/2"
    assert adapter.build("rule", {"rule": "r"}) == "/r"
    assert adapter.match("/books/a/2") == ("page", {"book": "a", "page": 2})
    with pytest.raises(BuildError):
        adapter.build("page", {"book": "a"})


def test_builder_is_compiled_with_the_first_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app has dozens of rules, and few of them ever write an address."""
    compiled = []
    monkeypatch.setattr(Rule, "_compile_builder", lambda *_: compiled.append(1) or (lambda *_: ("", "/x")))

    adapter = Map([LazyRule("/x", endpoint="x")]).bind("book.test")
    before = len(compiled)
    addresses = [adapter.build("x"), adapter.build("x")]

    assert (before, addresses, len(compiled)) == (0, ["/x", "/x"], 1)
