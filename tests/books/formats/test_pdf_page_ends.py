"""Test what goes on over the end of a PDF page."""

import pytest

from tests.books.formats.test_pdf import lines, load, pdf, shown

FULL = "The sheet trims the sail, and is led to the cockpit through"


def sources(tmp_path, *streams):
    return [page.source.strip() for page in load(tmp_path, pdf(*streams)).pages]


def test_sentence_stands_whole_on_the_page_where_it_begins(tmp_path):
    """Also if a word is parted there, and if footnotes stand below it."""
    first = f"{lines('Boats sail.', f'{FULL} a cock-')}\n{shown('A rope, in fact.', y=100, size=8)}"
    second = f"{lines('pit, where a cleat', 'holds it.')}\n{shown('The hull is of oak.', y=650)}"

    assert sources(tmp_path, first, second) == [
        f"Boats sail.\n\n{FULL} a cockpit, where a cleat holds it.\n\nA rope, in fact.",
        "The hull is of oak.",
    ]


def test_sentence_over_three_pages_stands_on_the_first(tmp_path):
    rest = "two blocks, of which one is fixed, where it is held by a"

    assert sources(tmp_path, lines(FULL), lines(rest), lines("cleat.", "Masts are tall.")) == [
        f"{FULL} {rest} cleat.",
        "Masts are tall.",
    ]


@pytest.mark.parametrize(
    ("last", "next_page"),
    [
        (f"{FULL} blocks.", ["the hull is of oak."]),
        (FULL, ["Hulls are of oak.", "and of pine."]),
        (FULL, ["- of oak"]),
        ("sheet 10 mm", ["halyard 8 mm"]),
    ],
)
def test_other_words_stay_on_their_page(tmp_path, last, next_page):
    """A sentence that is over, a new one, a list, and the cells of a table."""
    first = lines("The longest line of this page says a thing or two about boats.", "", last)

    assert len(sources(tmp_path, first, lines(*next_page))) == 2


def test_list_stands_whole_on_the_page_where_it_begins(tmp_path):
    """A reader who asks for the steps is shown all of them, with what they are for."""
    steps = [
        lines("To hoist the sail:", "1. Loosen the", "sheet."),
        lines("2. Pull the halyard.", "3. Belay."),
    ]
    items = [lines("Ropes are:", "\\267 sheets"), lines("\\267 halyards", "\\267 guys")]
    items[1] += "\n" + shown("They are of hemp.", y=600)

    assert sources(tmp_path, *steps) == [
        "To hoist the sail:\n\n1. Loosen the sheet.\n\n2. Pull the halyard.\n\n3. Belay."
    ]
    assert sources(tmp_path, *items) == [
        "Ropes are:\n\n- sheets\n\n- halyards\n\n- guys",
        "They are of hemp.",
    ]


def test_long_rest_of_a_list_stays_on_its_page(tmp_path):
    """A citation of its last item opens the page that shows it."""
    steps = lines(*(f"{n}. Pull rope {n}." for n in range(2, 30)))

    assert sources(tmp_path, lines("1. Loosen the sheet."), steps)[0] == "1. Loosen the sheet."
    assert len(sources(tmp_path, lines("7. Loosen the sheet."), lines("1. Pull the halyard."))) == 2
