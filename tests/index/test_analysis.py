"""Test search terms: keywords and operators of programs, and words of every script."""

from __future__ import annotations

import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.index.analysis import ENGLISH_STOP_WORDS, Analyzer
from tests.fuzzing import fuzz

ENGLISH = Analyzer("english")


# --- words -------------------------------------------------------------------------------------


def test_words_of_grammar_are_left_out() -> None:
    """They stand in every passage and tell none from another."""
    assert ENGLISH.words("How do I install the driver on it?") == ["install", "driver"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wait_for_service", ["wait_for_service", "wait", "service"]),
        ("package.xml", ["package.xml", "package", "xml"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("ROS2", ["ros2", "ros", "2"]),
        ("/opt/ros", ["opt/ros", "opt", "ros"]),
        ("C++ and C#", ["c++", "c#"]),
        ("the robot's arm", ["robot", "arm"]),
        ("AAC/M4A", ["aac/m4a", "aac", "m4a", "4"]),
        ("100,000 songs, 20 of them", ["100000", "songs", "20"]),
        ("1,2,34", ["1", "2", "34"]),
    ],
)
def test_compound_is_found_whole_and_by_its_parts(text: str, words: list[str]) -> None:
    """Nobody knows how a reader will write it."""
    assert ENGLISH.words(text) == words


@pytest.mark.parametrize(
    "text", ["hasn't", "Doesn’t", "DON'T", "won't", "can't", "we'll", "it's", "shouldn't"]
)
def test_short_form_of_a_word_of_grammar_is_one(text: str) -> None:
    """ "Hasn" stands in no book, and would be a reason to refuse."""
    assert ENGLISH.words(text) == []


@pytest.mark.parametrize("language", ["english", "german", "french", "turkish", "klingon"])
@pytest.mark.parametrize("word", ["n't", "N’T"])
def test_ending_that_stands_alone_is_a_word(word: str, language: str) -> None:
    """Books on language processing speak of it, and old typesetting sets it apart (did n't)."""
    assert len(Analyzer(language).terms(word)) == 1
    assert Analyzer(language).terms(f"do {word}")[-1:] == Analyzer(language).terms(word)


def test_forms_of_a_word_are_one_term() -> None:
    """Books say "nodes" where readers ask for "a node"."""
    assert ENGLISH.terms("installing nodes") == ENGLISH.terms("install node")


def test_language_without_a_stemmer_keeps_its_words() -> None:
    """A book in it can be searched all the same."""
    assert Analyzer("klingon").terms("Nodes nodes") == ["nodes", "nodes"]


def test_language_without_a_stemmer_of_its_own_has_that_of_a_relative() -> None:
    """Ukrainian words have many endings, and a book seldom has the question's."""
    assert len(set(Analyzer("ukrainian").terms("сервер сервера серверу сервером"))) == 1


def test_stop_words_are_those_of_english_alone() -> None:
    """What carries no matter there may be a word of another language."""
    assert Analyzer("german").words("an for") == ["an", "for"]


def test_threads_share_an_analyzer() -> None:
    """A Snowball stemmer keeps state while it works."""
    words = [f"installing{n}ly" for n in range(400)]
    expected = [Analyzer("english").stem(word) for word in words]
    shared = Analyzer("english")
    found: list[list[str]] = []

    threads = [
        threading.Thread(target=lambda: found.append([shared.stem(word) for word in words])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [expected] * 8


# --- keywords and operators --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What does the for keyword do?", ["for"]),
        ("while", ["while"]),
        ("What is if?", ["if"]),
        ("if let", ["if", "let"]),
        ("What does where mean?", ["where"]),
        ("use", ["use"]),
        ("as", ["as"]),
        ("What is `for`?", ["for"]),
        ('What does "where" do?', ["where"]),
        ("What does `if let` do?", ["if", "let"]),
        ("How do I write a while loop?", ["write", "loop", "while"]),
        ("What is the and operator?", ["operator", "and"]),
        ("What is self?", ["self"]),
    ],
)
def test_stop_word_that_a_question_is_about_is_a_term(question: str, words: list[str]) -> None:
    """Books on programming have a section on each."""
    assert ENGLISH.question_words(question) == words


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the tool that builds packages?", ["tool", "builds", "packages"]),
        ("Why is it so slow for all of us?", ["slow"]),
        ("What does ROS stand for?", ["ros"]),
        ("Where does the robot stand for a scan?", ["robot", "stand", "scan"]),
        ("How are you?", []),
        ("What is it?", []),
    ],
)
def test_stop_word_that_a_question_only_uses_is_none(question: str, words: list[str]) -> None:
    """It would find every program of the book."""
    assert ENGLISH.question_words(question) == words


@pytest.mark.parametrize(
    ("question", "sign"),
    [
        ("What does => mean?", "=>"),
        ("What is the ..= operator?", "..="),
        ("What is `&&` for?", "&&"),
        ("What does the ? operator do?", "?"),
        ("What is the % sign?", "%"),
        ("What does '->' return?", "->"),
    ],
)
def test_operator_that_a_question_is_about_is_a_term(question: str, sign: str) -> None:
    """A reader who does not know its name has nothing else to search with."""
    assert sign in ENGLISH.question_words(question)


def test_question_mark_at_the_end_is_no_operator() -> None:
    """It stands behind most questions."""
    assert ENGLISH.question_words("What is a node ?") == ["node"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("```rust\nfor x in 0..=9 { a => b }\n```", {"for", "in", "..=", "=>"}),
        ("Use `while` and `&&` here.", {"while", "&&"}),
        ("The `?` passes an error on.", {"?"}),
        ("| Operator | Means |\n|---|---|\n| `=>` | arm |\n| % | rest |", {"=>", "%"}),
    ],
)
def test_keywords_and_operators_of_code_are_in_the_index(text: str, terms: set[str]) -> None:
    """What a question may ask for must be there to be found."""
    assert terms <= set(ENGLISH.words(text))


def test_prose_around_code_keeps_its_stop_words_out() -> None:
    """Else "for" would be as common as full stops."""
    assert ENGLISH.words("This is for the `node` that we use, and more.") == ["node"]


def test_rule_of_a_table_is_no_operator() -> None:
    """Every table has one."""
    assert not set(ENGLISH.words("| A | B |\n|---|:-:|\n| 1 | 2 |")) & {"---", "-", ":-:"}


@pytest.mark.parametrize("question", ["wat is a node", "hw are nodes built", "pls: nodes, teh node"])
def test_question_word_in_a_hurry_is_no_content_word(question: str) -> None:
    """It stands in no book, and an unknown word is a reason to refuse."""
    assert {ENGLISH.stem(word) for word in ENGLISH.question_words(question)} <= {"node", "built"}


# --- scripts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("hindi", "पृथ्वी सूर्य", ["पृथ्वी", "सूर्य"]),
        ("tamil", "பூமி சூரியன்", ["பூமி", "சூரியன்"]),
        ("bengali", "পৃথিবী সূর্য", ["পৃথিবী", "সূর্য"]),
        ("arabic", "مُدَرِّس", ["مُدَرِّس"]),
        ("hebrew", "שָׁלוֹם", ["שָׁלוֹם"]),
    ],
)
def test_vowel_signs_belong_to_their_word(language: str, text: str, words: list[str]) -> None:
    """Cut at them, a word is single letters that stand in any text of the script."""
    assert Analyzer(language).words(text) == words


@pytest.mark.parametrize(
    ("language", "text", "least"),
    [
        ("thai", "น้ำตาลในเลือด", 2),
        ("khmer", "ភាសាខ្មែរ", 2),
        ("burmese", "မြန်မာစာ", 2),
        ("chinese", "机器人学", 2),
    ],
)
def test_script_without_spaces_is_cut_into_pairs_of_characters(language: str, text: str, least: int) -> None:
    """A sign above a letter is part of it, and no character by itself."""
    terms = Analyzer(language).words(text)

    assert len(terms) >= least
    for term in terms:
        assert unicodedata.category(term[0])[0] == "L"
        assert sum(unicodedata.category(sign)[0] == "L" for sign in unicodedata.normalize("NFKC", term)) <= 3


@pytest.mark.parametrize(
    ("language", "with_marks", "without"),
    [
        ("arabic", "مُدَرِّس", "مدرس"),
        ("hebrew", "שָׁלוֹם", "שלום"),
        ("french", "élève", "eleve"),
        ("german", "Größe", "Grösse"),
    ],
)
def test_marks_that_writers_leave_out_make_no_difference(
    language: str, with_marks: str, without: str
) -> None:
    """Pointed Arabic stands in schoolbooks, and nobody types it."""
    analyzer = Analyzer(language)

    assert analyzer.terms(with_marks) == analyzer.terms(without)


def test_voicing_of_kana_makes_another_word() -> None:
    """Karasu is a crow and garasu is glass."""
    japanese = Analyzer("japanese")

    assert japanese.terms("ガラス") != japanese.terms("カラス")


def test_voicing_mark_that_stands_apart_is_the_same_letter() -> None:
    """Files from a Mac hold it so."""
    japanese = Analyzer("japanese")

    assert japanese.terms("カ\u3099ラス") == japanese.terms("ガラス")


@pytest.mark.parametrize("capitals", ["ISI BİRİMİ", "Isı Birimi"])
def test_turkish_capitals_are_their_own_small_letters(capitals: str) -> None:
    """The small letter of I is ı there, and that of İ is i."""
    turkish = Analyzer("turkish")

    assert turkish.words(capitals) == turkish.words("ısı birimi")


def test_english_capital_i_is_the_usual_one() -> None:
    """No rule of one language is for another."""
    assert ENGLISH.words("INSTALL") == ["install"]


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff"])
def test_unseen_characters_make_no_difference(unseen: str) -> None:
    """Typesetting leaves soft hyphens in copied text."""
    assert ENGLISH.words(f"coope{unseen}ration") == ["cooperation"]


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("french", "l{}installation", "installation"),
        ("french", "jusqu{}à l{}API", "jusqu'à l'API"),
        ("italian", "dell{}utente", "utente"),
        ("english", "O{}Reilly", "O'Reilly"),
        ("english", "the reader{}s own", "reader"),
        ("ukrainian", "п{}ять", "п'ять"),
    ],
)
@pytest.mark.parametrize("apostrophe", ["'", "’", "ʼ"])
def test_apostrophes_are_one_sign(language: str, text: str, word: str, apostrophe: str) -> None:
    """Books are typeset with one, and keyboards type another."""
    analyzer = Analyzer(language)

    assert analyzer.terms(text.replace("{}", apostrophe)) == analyzer.terms(word)


def test_ligatures_and_wide_letters_are_plain_ones() -> None:
    """PDFs are full of them."""
    assert ENGLISH.words("ﬁsh ＲＯＳ") == ["fish", "ros"]


@fuzz(40)
@given(st.text(max_size=60), st.sampled_from(["english", "turkish", "hindi", "thai", "arabic"]))
def test_any_text_gives_words_that_are_not_empty(text: str, language: str) -> None:
    """Each is looked up and stemmed."""
    analyzer = Analyzer(language)

    assert all(word and analyzer.stem(word) for word in analyzer.words(text))
    assert all(word and analyzer.stem(word) for word in analyzer.question_words(text))


def test_no_stop_word_is_a_number_or_a_capital() -> None:
    """They are compared with words in small letters."""
    assert all(word == word.casefold() and word.isalpha() for word in ENGLISH_STOP_WORDS)
