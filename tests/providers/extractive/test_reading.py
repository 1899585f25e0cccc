"""Test passages as units with their stems, which are cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import readable_words
from ragbot.index.analysis import Analyzer
from ragbot.providers.extractive.reading import PassageReader
from ragbot.providers.extractive.text_blocks import TextBlock
from tests.providers.extractive.passages import READER, chunk_of, chunks_of_page, read

TEXT = """Bob ripens the cheddar. It takes nine months.

## Washing the rind

Brine is used.
"""


def reader_that_counts(cut: list[str]) -> PassageReader:
    """Return a reader that notes each text it cuts."""

    def blocks(text: str, in_code: bool) -> Sequence[TextBlock]:
        cut.append(text)
        return prose_blocks(text, in_code)

    return PassageReader(
        terms=lambda language, text: Analyzer(language).terms(text),
        blocks=blocks,
        words=lambda text, kind: readable_words(text, kind=kind),
    )


def test_unit_is_known_by_its_stems() -> None:
    """Questions and sentences meet in them."""
    first = read(TEXT).units[0]

    assert first.terms == {"bob", "ripen", "cheddar"}


def test_heading_is_the_one_above_the_unit() -> None:
    """A section's sentences seldom repeat its title."""
    first, _, last = read(TEXT, "Dairy", "Cheese making").units

    assert first.heading_terms == {"chees", "make"}
    assert last.heading_terms == {"wash", "rind"}


def test_label_is_the_bold_line_above_until_the_next_one() -> None:
    """Two tabs under one heading hold the same words for two systems."""
    text = "Get it.\n\n**On Windows**\n\nClick twice.\n\n**On Linux**\n\nRun apt.\n\n## Next\n\nStart it.\n"

    units = read(text).units

    assert [unit.label for unit in units] == ["", "", "On Windows", "", "On Linux", ""]
    assert units[4].label_terms == {"linux"}


def test_passage_without_headings_has_none() -> None:
    """A plain text file is one."""
    chunk = replace(chunk_of("Bob ripens."), heading_path=())

    passage = READER.read(chunk, "english")

    assert passage.units[0].heading_terms == passage.path_terms == frozenset()


def test_path_is_that_of_the_passage() -> None:
    """It is weighed apart."""
    assert read(TEXT, "Dairy", "Hard cheese").path_terms == {"dairi", "hard", "chees"}


def test_terms_of_a_passage_are_those_of_all_in_it() -> None:
    """Inner headings too."""
    assert read(TEXT, "Dairy").terms == {
        *("dairi", "bob", "ripen", "cheddar", "take", "nine", "month", "wash", "rind", "brine"),
    }


def test_what_stands_around_a_unit_is_shown_with_it() -> None:
    """The number asked for may stand in the next sentence, but not under the next heading."""
    first, second, last = read(TEXT).units

    assert first.around == first.terms | second.terms
    assert last.around == last.terms


def test_lead_in_stands_around_its_items() -> None:
    """ "You need:" is what the last one answers, too."""
    units = read("For washing you need:\n\n- brine\n- a brush\n- patience").units

    assert units[0].terms <= units[3].around


def test_name_with_an_abbreviation_opens_in_each_spelling() -> None:
    """A reader may ask for any of them."""
    (unit,) = read("**DOF (degrees of freedom)**: how many ways a joint moves").units

    assert unit.openings == (
        frozenset({"dof", "degre", "freedom"}),
        frozenset({"dof"}),
        frozenset({"degre", "freedom"}),
    )


def test_part_of_a_thing_opens_without_the_thing() -> None:
    """Readers ask what the part is."""
    (unit,) = read("The rind (or crust) of a cheese is what one cuts off.").units

    assert frozenset({"rind"}) in unit.openings


def test_keyword_in_code_is_a_term_of_its_sentence() -> None:
    """In prose it is a word of grammar."""
    (unit,) = read("Write `for` here.").units

    assert "for" in unit.terms


def test_passage_is_read_once() -> None:
    """Reading costs more than scoring."""
    cut: list[str] = []
    reader = reader_that_counts(cut)

    first = reader.read(chunk_of(TEXT), "english")
    second = reader.read(chunk_of(TEXT), "english")

    assert first is second
    assert cut == [TEXT]


def test_passage_is_read_anew_in_another_language_or_text() -> None:
    """Stems differ, and an edition may keep an id for a selection's text."""
    cut: list[str] = []
    reader = reader_that_counts(cut)
    chunk = chunk_of(TEXT)

    reader.read(chunk, "english")
    german = reader.read(chunk, "german")
    other = reader.read(replace(chunk, text="Alice salts."), "english")

    assert "the" in german.terms
    assert other.units[0].terms == {"alic", "salt"}
    assert len(cut) == 3


# --- outlines, for ranking ---------------------------------------------------------------------


def test_outline_has_the_headings_of_the_passage_and_the_stems_of_all_in_it() -> None:
    """Sections that begin inside a chunk have headings of their own."""
    (chunk,) = chunks_of_page(
        "# Dairy\n\nBob ripens *the* [cheddar](c.md).\n\n## Washing rinds\n\nBrine is used.\n"
    )
    outline = READER.outline(chunk, "english")

    assert outline.path_terms == outline.page_terms == {"dairi"}
    assert set(outline.headings) == {frozenset({"dairi"}), frozenset({"wash", "rind"})}
    assert outline.terms == {"dairi", "bob", "ripen", "cheddar", "wash", "rind", "brine"}
    assert 0 < outline.link_share < 1
    assert not outline.is_side


def test_outline_tells_a_section_about_the_book() -> None:
    """It ranks behind the subject."""
    assert READER.outline(chunk_of("Make cheese.", "Dairy", "Learning Objectives"), "english").is_side


def test_neighbouring_words_are_pairs_within_a_line() -> None:
    """ "Hard cheese" is not "cheese" and "hard"."""
    outline = READER.outline(chunk_of("Hard cheese ripens.\n\nSoft butter melts."), "english")

    assert outline.has_pair("hard", "chees")
    assert outline.has_pair("chees", "ripen")
    assert not outline.has_pair("ripen", "soft")
    assert not outline.has_pair("chees", "hard")


def test_outline_of_a_text_without_a_heading_path_is_that_of_the_text() -> None:
    """A reader's selection is one."""
    outline = READER.outline(
        replace(chunk_of("Bob salts."), heading_path=(), search_text="Bob salts."), "english"
    )

    assert outline.terms == {"bob", "salt"}


def test_outline_parses_nothing_and_is_made_once() -> None:
    """Thirty are compared for a question, and ten passages are read."""
    cut: list[str] = []
    reader = reader_that_counts(cut)

    assert reader.outline(chunk_of(TEXT), "english") is reader.outline(chunk_of(TEXT), "english")
    assert cut == []
