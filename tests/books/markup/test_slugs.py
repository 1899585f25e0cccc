"""Test anchors against the real github-slugger and the cases of mdBook's own tests."""

import pytest

from ragbot.books.markup.slugs import MdbookSlugger, NumberedSlugger, github_slug, honkit_slug, mdbook_slug


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("Hello World", "hello-world"),
        ("C++ / C# & bold text", "c--c--bold-text"),
        ("🎉 Party :tada: time", "-party-tada-time"),
        ("Straße & Ärger — naïve", "straße--ärger--naïve"),
        ("日本語 見出し", "日本語-見出し"),
        ("snake_case-and-more", "snake_case-and-more"),
        ("\"Quotes\" 'single' … dots...", "quotes-single--dots"),
        ("Ratio 1:2", "ratio-12"),
        ("Ünïcödé ⓐ №5 ½ x² ① Ⅷ", "ünïcödé-ⓐ-5--x--ⅷ"),
        ("1.2 Setup", "12-setup"),
        ("", ""),
    ],
)
def test_github_slug_is_what_github_slugger_makes(heading, slug):
    """A citation's link must land on the heading."""
    assert github_slug(heading) == slug


def test_numbered_slugger_numbers_repeated_headings_without_collision():
    """A heading that already looks numbered must not take another's anchor."""
    slug = NumberedSlugger(github_slug)

    assert [slug(text) for text in ("a", "a", "a-1", "a", "a-1")] == ["a", "a-1", "a-1-1", "a-2", "a-1-2"]


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("`--passes`: add more rustdoc passes", "--passes-add-more-rustdoc-passes"),
        ("Method-call 🐙 expressions \U0001f47c", "method-call--expressions-"),
        ("_-_12345", "_-_12345"),
        ("中文標題 CJK title", "中文標題-cjk-title"),
        ("Über", "Über"),
    ],
)
def test_mdbook_slug_is_what_mdbook_makes(heading, slug):
    """mdBook's rule differs from GitHub's: only ASCII is lowered."""
    assert mdbook_slug(heading) == slug


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("Äpfel & Öl", "äpfel--öl"),
        ("Straße 1.2: “Zitat” – Ende", "straße-12-zitat-–-ende"),
        ("code_x.y() and emph", "codexy-and-emph"),
        ("日本語 テスト", "日本語-テスト"),
        ("Emoji 😀 here", "emoji-😀-here"),
        ("100% — done…", "100-—-done"),
        ("& more", "more"),
    ],
)
def test_honkit_slug_is_what_honkit_makes(heading, slug):
    """The right values are those of HonKit 6."""
    assert honkit_slug(heading) == slug


def test_mdbook_slugger_numbers_repeated_headings():
    """The second heading of a name is linked by its number."""
    slug = MdbookSlugger()

    assert [slug("Über"), slug("Über"), slug("Über")] == ["Über", "Über-1", "Über-2"]
