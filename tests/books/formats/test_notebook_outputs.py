"""Read what a notebook's code printed when the author saved it: a built book shows it below the code."""

from __future__ import annotations

import json

import pytest

from ragbot.books.formats.notebooks import notebook_markdown

TABLE = "<div><style>td {}</style><table><tr><th>oar</th></tr><tr><td>ash</td></tr></table></div>"


def stream(text: str, name: str = "stdout") -> dict[str, object]:
    return {"output_type": "stream", "name": name, "text": text}


def result(**data: str) -> dict[str, object]:
    return {"output_type": "execute_result", "data": {k.replace("_", "/", 1): v for k, v in data.items()}}


def shown(*outputs: dict[str, object], source: str = "row()", tags: tuple[str, ...] = ()) -> str:
    """The words of a notebook of one cell, without the fences."""
    cell = {"cell_type": "code", "source": source, "outputs": outputs, "metadata": {"tags": tags}}
    return notebook_markdown(json.dumps({"cells": [cell]})).replace("```python", "").replace("```", "")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (stream("two oars\n"), "two oars"),
        (stream("slow water", "stderr"), "slow water"),
        (result(text_plain="42"), "42"),
        (result(text_plain="<Figure size 640x480 with 1 Axes>", image_png="iVBO"), ""),
        (result(text_plain="<IPython.core.display.HTML object>", text_html="<b>x</b>"), ""),
        (result(text_markdown="*ash*", text_plain="<Markdown object>"), "*ash*"),
        (result(text_html=TABLE, text_plain="oar\nash"), "| oar | | --- | | ash |"),
        (result(text_html=f"<H3 class='x'>Wood</H3>{TABLE}"), "**Wood** | oar | | --- | | ash |"),
        (
            {"output_type": "error", "traceback": ["\x1b[31mOarError\x1b[0m: too short"]},
            "OarError: too short",
        ),
        ({"output_type": "update", "text": "x"}, ""),
    ],
)
def test_output_is_what_the_page_shows(output: dict[str, object], words: str) -> None:
    """Pictures have no words, colours of a terminal are no signs, tables stay tables."""
    assert shown(output).split() == ["row()", *words.split()]


@pytest.mark.parametrize(
    ("tags", "source"),
    [
        (("remove-output",), "row()"),
        (("remove_output",), "row()"),
        (("remove-stdout",), "row()"),
        ((), "#| output: false\nrow()"),
        ((), "#| include: false\nrow()"),
    ],
)
def test_output_is_hidden_where_the_book_hides_it(tags: tuple[str, ...], source: str) -> None:
    """A tag or an option of the cell hides what it printed."""
    assert "PRINTED" not in shown(stream("PRINTED"), source=source, tags=tags)


def test_output_is_shown_where_the_code_is_hidden() -> None:
    """A table or a number may be all that a cell is there for."""
    assert shown(stream("PRINTED"), tags=("remove-input",)).split() == ["PRINTED"]


def test_output_with_fences_stays_one_listing() -> None:
    """A fence inside of it would end it."""
    text = notebook_markdown(
        json.dumps({"cells": [{"cell_type": "code", "source": "a", "outputs": [stream("```\nx\n```")]}]})
    )

    assert "````\n```\nx\n```\n````" in text


def test_long_log_is_cut() -> None:
    """A training run prints megabytes that nobody reads."""
    assert len(shown(stream("step\n" * 100_000))) < 25_000


def test_characters_that_no_database_takes_are_left_out() -> None:
    """Bytes that were printed as text have NUL characters, and JSON can write half of a surrogate pair."""
    assert shown(stream("a\0b \ud83d"), result(text_plain="c\0"), source="print('\0')").split() == [
        "print('')",
        *("ab", "?", "c"),
    ]
