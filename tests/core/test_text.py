"""Test text normalisation, token counts and sentence boundaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.core.text import asks, cleaned, count_tokens, folded, has_forbidden_characters, sentence_spans
from tests.fuzzing import fuzz

# Surrogates and NUL among the others, so that examples have them often.
ANY_TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from("\x00\ud800\udbff\udc00\udfff🧀é")), max_size=30
)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [("cheese", "cheese"), ("che\x00ese", "cheese"), ("\ud83e!", "?!"), ("🧀 é", "🧀 é"), ("", "")],
)
def test_characters_that_databases_refuse_are_removed(given_text: str, shown: str) -> None:
    """Models write them now and then."""
    assert cleaned(given_text) == shown
    assert has_forbidden_characters(given_text) == (given_text != shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Days are [so called](https://gov.example/a#:~:text=b%20c.) (or SPLIT). They add up.",
            ["Days are [so called](https://gov.example/a#:~:text=b%20c.) (or SPLIT).", "They add up."],
        ),
        (
            'See ![A page. It has a box. Choose one.](../a.png "One. Two.") Then save. Go on.',
            ['See ![A page. It has a box. Choose one.](../a.png "One. Two.") Then save.', "Go on."],
        ),
        ("Read [it](a_(b).md). Then go.", ["Read [it](a_(b).md).", "Then go."]),
        ("Look [here. There](a.md is no link. End.", ["Look [here.", "There](a.md is no link.", "End."]),
    ],
)
def test_stops_of_addresses_and_images_end_no_sentence(text: str, expected: list[str]) -> None:
    """Half an address would stand in an answer as text."""
    assert sentences(text) == expected


@fuzz(50)
@given(ANY_TEXT)
def test_any_text_can_be_stored_after_cleaning(text: str) -> None:
    """And what is refused in a request is just what cleaning would change."""
    clean = cleaned(text)

    assert clean.encode("utf-8").decode("utf-8") == clean
    assert "\x00" not in clean
    assert not has_forbidden_characters(clean)
    assert has_forbidden_characters(text) == any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


def test_folded_names_compare_whatever_their_case_width_and_white_space() -> None:
    """A reader types the chapter's name."""
    assert folded("  The\n ＣＨＥＤＤＡＲ\t straße ") == "the cheddar strasse"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("cheese", 1),
        ("cheddar", 1),
        ("ripening", 2),
        ("Nine months.", 3),
        ("1234567", 3),
        ("a_b", 3),
        ("奶酪", 2),
        ("x²", 1),
    ],
)
def test_tokens_are_estimated_by_kind_of_sign(text: str, tokens: int) -> None:
    """Words, digits in threes, signs, ideographs."""
    assert count_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It ripens. It is sold.", ["It ripens.", "It is sold."]),
        ("Use salt, e.g. Sea salt. Then wait!", ["Use salt, e.g. Sea salt.", "Then wait!"]),
        ("Ask Dr. Brie. She knows.", ["Ask Dr. Brie.", "She knows."]),
        ("It costs 3.50 a piece. Yes?", ["It costs 3.50 a piece.", "Yes?"]),
        ("Wait... then eat. Done", ["Wait... then eat.", "Done"]),
        ('He said "Eat." Then he left.', ['He said "Eat."', "Then he left."]),
        ("Press “Eat …” or wait. Go", ["Press “Eat …” or wait.", "Go"]),
        ('He asks "Why?" and eats. "No!" She waits.', ['He asks "Why?" and eats.', '"No!"', "She waits."]),
        ("它成熟。然后出售。", ["它成熟。", "然后出售。"]),
        ("यह पकता है। फिर बिकता है॥", ["यह पकता है।", "फिर बिकता है॥"]),
        ("এটি পাকে।তারপর বিক্রি হয়।", ["এটি পাকে।", "তারপর বিক্রি হয়।"]),
        ("یہ پکتا ہے۔ پھر بکتا ہے۔", ["یہ پکتا ہے۔", "پھر بکتا ہے۔"]),
        ("هل ينضج؟ نعم.", ["هل ينضج؟", "نعم."]),
        ("ይበስላል። ከዚያ ይሸጣል።", ["ይበስላል።", "ከዚያ ይሸጣል።"]),
        ("វាទុំ។ បន្ទាប់មកលក់។", ["វាទុំ។", "បន្ទាប់មកលក់។"]),
        ("၎င်းမှည့်သည်။ ထို့နောက်ရောင်းသည်။", ["၎င်းမှည့်သည်။", "ထို့နောက်ရောင်းသည်။"]),
        ("値は３．５です．次に進む．", ["値は３．５です．", "次に進む．"]),
        ("One\nline and\nanother. End.", ["One\nline and\nanother.", "End."]),
        ("  ", []),
        ("Is it cold? No. It is warm.", ["Is it cold?", "No.", "It is warm."]),
        ("Cow no. 5 is Bob's. See No. 7.", ["Cow no. 5 is Bob's.", "See No. 7."]),
        ("The answer is 5. The next is 6.", ["The answer is 5.", "The next is 6."]),
        ("I am 12. My sister is 9.", ["I am 12.", "My sister is 9."]),
        ("It ended on June 30. September was hot.", ["It ended on June 30.", "September was hot."]),
        ("Er endet am 3. Mai 2027. Dann ist Schluss.", ["Er endet am 3. Mai 2027.", "Dann ist Schluss."]),
        ("Die Frist: 3. Mai bis 30. September. Ende.", ["Die Frist: 3. Mai bis 30. September.", "Ende."]),
        ("Im 19. und 20. Jahrhundert. Ende.", ["Im 19. und 20. Jahrhundert.", "Ende."]),
        ("Nach dem 2. Weltkrieg. Ende.", ["Nach dem 2. Weltkrieg.", "Ende."]),
        ("Ein 2. Versuch. Ende.", ["Ein 2. Versuch.", "Ende."]),
        ("Werte von 0 bis 10. Der Rest.", ["Werte von 0 bis 10.", "Der Rest."]),
        ("Schlüssel Nr. 5 gebraucht. Ende.", ["Schlüssel Nr. 5 gebraucht.", "Ende."]),
        ("Siehe Abb. 3 bzw. Tab. 4. Ende.", ["Siehe Abb. 3 bzw. Tab. 4.", "Ende."]),
        ("Это см. на рис. 5. Конец.", ["Это см. на рис. 5.", "Конец."]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, parts: list[str]) -> None:
    """Extractive answers quote whole sentences."""
    assert sentences(text) == parts


@pytest.mark.parametrize("text", ["Does it ripen?", "**熟しますか？**", "هل ينضج؟"])
def test_text_that_ends_in_a_question_mark_asks(text: str) -> None:
    """Headings that ask become example questions."""
    assert asks(text)
    assert not asks(f"{text} Yes.")


@fuzz(50)
@given(st.text(max_size=80))
def test_sentences_lose_nothing_but_white_space(text: str) -> None:
    """They are in order, do not overlap, and are trimmed."""
    found = sentences(text)

    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(sentence == sentence.strip() for sentence in found)
