"""Read shortcodes and conditions of Quarto."""

from __future__ import annotations

import pytest

from ragbot.books.markup.quarto_marks import is_hidden, shortcodes_in_code, with_shortcodes

VALUES = {
    "var": {"boat": {"name": "Dora"}},
    "meta": {"is_long": True, "year": 1897},
    "profile": {"log": True},
}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("{{< var boat.name >}} of {{< meta year >}}", "Dora of 1897"),
        ("`{{< var boat.name >}}`, `{{{< var boat.name >}}}`", "`Dora`, `{{< var boat.name >}}`"),
        ("{{< var boat >}}, {{< var other >}}", "{{< var boat >}}, {{< var other >}}"),
        ("{{< kbd Ctrl-C mac=Cmd-C >}}", "`Ctrl-C`"),
        ("{{< kbd mac=Cmd-C win=Ctrl-C linux=Ctrl-C >}}", "`Ctrl-C` (Mac: `Cmd-C`)"),
        ("{{< kbd mac=F1 linux=F1 >}}{{< kbd x= >}}", "`F1`"),
    ],
)
def test_shortcodes_show_keys_and_values(written: str, shown: str) -> None:
    """Those of the page, of the project and of its file of variables."""
    assert with_shortcodes(written, VALUES) == shown


def test_code_has_values_and_shortcodes_that_are_written_out() -> None:
    """The site shows them there, too."""
    code = "run {{< var boat.name >}} {{{< var boat.name >}}} {{< kbd F1 >}}"

    assert shortcodes_in_code(code, VALUES) == "run Dora {{< var boat.name >}} {{< kbd F1 >}}"


@pytest.mark.parametrize(
    ("attributes", "hidden"),
    [
        ('.content-visible when-format="html"', False),
        (".content-visible when-format='pdf'", True),
        ("when-format=pdf .content-visible", True),
        (".content-visible unless-format=html", True),
        ('.content-hidden when-format="html:js"', True),
        (".content-hidden when-format=pdf", False),
        (".content-hidden unless-format=pdf", True),
        (".content-hidden", True),
        ('.content-visible when-meta="is_long"', False),
        (".content-visible unless-meta=is_long", True),
        (".content-visible when-meta=year", True),
        (".content-hidden when-meta=other", False),
        (".content-visible when-profile=log", False),
        (".content-visible when-profile=other", True),
        (".content-visible when-format=html when-meta=other", True),
        (".callout-tip when-format=pdf", False),
    ],
)
def test_blocks_are_hidden_where_the_site_hides_them(attributes: str, *, hidden: bool) -> None:
    """A block is for formats, for pages that say so, or for a profile."""
    assert is_hidden(attributes, VALUES) is hidden
