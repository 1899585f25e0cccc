"""Test that what Jekyll and kramdown make of a page is what is read of it."""

import time

import pytest

from ragbot.books.chunking.chunker import chunk_page
from ragbot.books.formats.plain import read_plain_page
from ragbot.books.markup.jekyll import shown_by_jekyll

FRONT = "---\ntitle: Boats\n---\n"


def shown(body):
    return shown_by_jekyll(FRONT + body).removeprefix(FRONT)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a {% comment %}b{% endcomment %}c", "a c"),
        ("{%- comment -%}\n# Moved\n\n```sh\nrow\n```\n{%- endcomment -%}\n# Oars", "\n# Oars"),
        ("{% raw %}\n```yaml\na: {{ b }}\n```\n{% endraw %}\nEnd", "```yaml\na: {{ b }}\n```\n\nEnd"),
        ("```yaml\n{% raw %}\na: {{ b }}\n{% endraw %}\n```", "```yaml\na: {{ b }}\n```"),
        ("Write `{% raw %}{{ b }}{% endraw %}`.", "Write `{{ b }}`."),
        ("{% raw %}{% comment %}b{% endcomment %}{% endraw %}", "{% comment %}b{% endcomment %}"),
        ("{% highlight sh linenos %}\nrow\n{% endhighlight %}", "```sh\nrow\n```"),
        ("{% highlight md %}\n```\nrow\n```\n{% endhighlight %}", "````md\n```\nrow\n```\n````"),
        ("a {% comment %} that is not closed", "a  that is not closed"),
        ("Press {% icon fa-share %} Launch.{% endcallout %}", "Press  Launch."),
        ("{% if a %}\n- `{% b %}` {% c %} d\n{% endif %}", "{% if a %}\n- `{% b %}`  d\n{% endif %}"),
        ("{{% b %}} at 5 {% of 6%", "{{% b %}} at 5 {% of 6%"),
        ("Windows\r\n{% comment %}\r\nb\r\n{% endcomment %}\r\nend", "Windows\n\nend"),
    ],
)
def test_template_language_is_run_as_far_as_words_go(body, expected):
    """A comment is seen by nobody, and what is written raw is printed."""
    assert shown(body) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('[oars](a.md){:target="_blank"} and **row**{: .wide}', "[oars](a.md) and **row**"),
        ("# Oars {: .no_toc }\n{: .lead }\nText", "# Oars\n\nText"),
        ("# [Oars](a.md){:rel='x'} and more", "# [Oars](a.md) and more"),
        ("1. TOC\n{:toc}\n\nText", "\n\nText"),
        (
            '<details markdown="block">\n  <summary>\n    Contents\n  </summary>\n  {: .lead }\n'
            "1. TOC\n{:toc}\n</details>\nText",
            "\nText",
        ),
        ("a {::comment}b{:/comment}{::nomarkdown}c{:/}", "a c"),
    ],
)
def test_attributes_of_kramdown_leave_no_trace(source, expected):
    """They say how a word looks."""
    assert shown_by_jekyll(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "# Oars {: #own}",
        '`{:target="_blank"}`',
        "```\n{: .note }\n```",
        "Elixir gives {:ok, oars}.",
        FRONT + "```liquid\n{% comment %}b{% endcomment %}\n```",
        FRONT + "Write `{% comment %}` and `{% endcomment %}`.",
        "{% comment %}b{% endcomment %}",
    ],
)
def test_what_a_page_is_about_stays(source):
    """Ids of headings lead to them, code is shown, and a page without front matter is not run."""
    assert shown_by_jekyll(source) == source


def test_comment_of_jekyll_is_no_section_of_a_page():
    """Its heading was given as the place of an answer."""
    source = (
        f"{FRONT}# Oars\n\n{{% comment %}}\n# This page has moved\n{{% endcomment %}}\n\nThey are of ash."
    )

    found = chunk_page(read_plain_page("oars.md", source))

    assert [chunk.text for chunk in found] == ["They are of ash."]
    assert "moved" not in found[0].search_text


@pytest.mark.parametrize(
    "piece",
    [
        "{% comment %}",
        "{% raw %}",
        "{: .a",
        "{::comment}",
        "1. a\n{:toc",
        "{:/}<details><summary>a</summary> ",
        "{%" + " " * 50,
        " " * 99 + "{:",
    ],
)
def test_repeated_mark_takes_time_in_proportion(piece):
    """A page may be hostile."""
    started = time.process_time()

    shown(piece * (200_000 // len(piece)))

    assert time.process_time() - started < 5
