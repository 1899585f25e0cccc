"""Test how the language of a book and of a question is detected."""

from __future__ import annotations

import pytest

from ragbot.core.languages import ask_in_book_language, foreign_language, language_of, script_of

SENTENCES = {
    "english": "Alice feeds the starter every morning, and the loaf is baked in a hot oven.",
    "german": "Alice füttert den Sauerteig jeden Morgen, und das Brot wird in einem heißen Ofen gebacken.",
    "french": "Alice nourrit le levain chaque matin et le pain est cuit dans un four chaud.",
    "spanish": "Alicia alimenta la masa cada mañana y el pan se hornea en un horno caliente.",
    "italian": "Alice nutre il lievito ogni mattina e il pane è cotto in un forno caldo.",
    "portuguese": "Alice alimenta o fermento todas as manhãs e o pão não é assado em um forno frio.",
    "dutch": "Alice voedt de starter elke ochtend en het brood wordt in een hete oven gebakken.",
    "swedish": "Alice matar surdegen varje morgon och brödet är inte gräddat i en kall ugn.",
    "finnish": "Alice ruokkii juuren joka aamu ja leipä ei ole kylmä, mutta se on hyvä.",
    "russian": "Алиса кормит закваску каждое утро, и хлеб не пекут в холодной печи.",
    "ukrainian": "Аліса годує закваску щоранку, і хліб не печуть у холодній печі.",
    "turkish": "Alice her sabah mayayı besler ve ekmek çok sıcak bir fırında pişer.",
    "hungarian": "Alice minden reggel eteti a kovászt, és a kenyér nem hideg.",
    "romanian": "Alice hrănește maiaua în fiecare dimineață și pâinea nu este rece.",
    "polish": "Alicja karmi zakwas co rano i chleb nie jest zimny.",
    "vietnamese": "Alice cho men ăn mỗi sáng và bánh mì được nướng trong lò.",
    "indonesian": "Alice memberi makan ragi dan roti itu tidak dingin di pagi hari.",
    "hindi": "ऐलिस हर सुबह खमीर को खिलाती है।",
    "bengali": "অ্যালিস প্রতিদিন সকালে খামিরকে খাওয়ায়।",
    "tamil": "ஆலிஸ் ஒவ்வொரு காலையும் ரொட்டி சுடுகிறாள்.",
    "arabic": "أليس تطعم الخميرة كل صباح.",
    "hebrew": "אליס מאכילה את המחמצת כל בוקר.",
    "thai": "อลิซให้อาหารยีสต์ทุกเช้า",
    "chinese": "爱丽丝每天早上喂酵母。",
    "japanese": "アリスは毎朝スターターに餌をやります。",
    "korean": "앨리스는 매일 아침 효모에게 먹이를 준다.",
    "greek": "Η Αλίκη ταΐζει το προζύμι κάθε πρωί.",
}
LISTING = """```python
import the_oven_of_the_house as oven

for loaf in oven.loaves:
    # This is how it is baked: with the lid on, and in the middle of the oven.
    if loaf.is_ready() and not loaf.is_cold:
        print("The loaf is ready, and it can be taken out of the oven.")
    else:
        print("What is it that the oven does to the loaf?")
```

See [`oven.bake()`](https://docs.baking.test/reference/the-oven-of-the-house/how-to-bake.html).

"""
LATIN = [name for name, text in SENTENCES.items() if script_of(text) == "LATIN"]


@pytest.mark.parametrize("language", SENTENCES)
def test_language_of_a_book_is_told_by_its_sentences(language: str) -> None:
    """Stemming, stop words and refusals depend on it."""
    assert language_of([SENTENCES[language]]) == language


def test_language_of_a_book_is_that_of_most_of_it() -> None:
    """A book quotes others."""
    pages = [SENTENCES["german"]] * 5 + [SENTENCES["english"], SENTENCES["arabic"]]

    assert language_of(pages) == "german"


@pytest.mark.parametrize("language", SENTENCES)
def test_language_of_a_technical_book_is_that_of_its_prose(language: str) -> None:
    """Listings and addresses take more room there than sentences, and their comments are in English."""
    prose = f"`Loaf`: {SENTENCES[language]}"

    assert language_of([LISTING + prose] * 3 + [prose + "\n\n" + LISTING]) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("在 React 中，组件通过 props 接收数据，并且不能修改它们。", "chinese"),
        ("React のコンポーネントは props でデータを受け取ります。", "japanese"),
        ("React में component को data props से मिलता है।", "hindi"),
        ("日本語の「の」は英語の of に当たる。", "japanese"),
        ("品牌名“茶の語”中的“の”是日语假名，相当于汉语的助词。", "chinese"),
        ("The Greek word λόγος means a word, and it is also a reason.", "english"),
    ],
)
def test_script_of_a_book_need_not_be_that_of_most_of_its_letters(text: str, language: str) -> None:
    """Names are written in Latin letters, and a book in Latin letters may quote another script."""
    assert language_of([text]) == language


@pytest.mark.parametrize("texts", [[], ["x = 1"], ["2026", "§ 3"]])
def test_language_of_a_text_without_any_common_word_is_english(texts: list[str]) -> None:
    """Most books are, and code is of no language."""
    assert language_of(texts) == "english"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("What is ROS 2?", "LATIN"),
        ("Größe", "LATIN"),
        ("café".replace("é", "e\u0301"), "LATIN"),
        ("पृथ्वी और ROS", "DEVANAGARI"),
        ("ROS 2 क्या है?", "DEVANAGARI"),
        ("ноды ROS", "CYRILLIC"),
        ("2 + 2 = 4", ""),
        ("", ""),
    ],
)
def test_script_is_that_of_most_letters(text: str, script: str) -> None:
    """A question in Hindi names things in Latin letters, and vowel signs are half of its words."""
    assert script_of(text) == script


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wie lange wird der Käse gereift?", "german"),
        ("Was ist ein Knoten?", "german"),
        ("Combien de temps faut-il pour le pain ?", "french"),
        ("Qu'est-ce que ROS 2 ?", "french"),
        ("¿Qué es un nodo?", "spanish"),
        ("¿Cómo se instala ROS 2?", "spanish"),
        ("ROS 2 क्या है?", "hindi"),
        ("什么是节点?", "chinese"),
        ("ノードとは何ですか", "japanese"),
        ("Что такое узел?", "russian"),
        ("Що таке вузол?", "ukrainian"),
    ],
)
def test_question_in_another_language_than_the_books_is_told(question: str, language: str) -> None:
    """Words alone find nothing that answers it, and its reader should know why."""
    assert foreign_language(question, "english") == language
    assert foreign_language(question, language) == ""


@pytest.mark.parametrize(
    "question",
    [
        "What is a Knoten?",
        "Was Alice in the house?",
        "Wat is a node",
        "install ros",
        "do die cutters die",
        "what is the el capitan route de la muerte",
        "list a la carte dishes",
        "while",
        "42",
    ],
)
def test_question_with_a_foreign_word_or_two_is_the_books(question: str) -> None:
    """To refuse it would be to refuse a question that the book may answer."""
    assert foreign_language(question, "english") == ""


@pytest.mark.parametrize("language", [name for name in LATIN if name != "english"])
def test_english_question_is_foreign_to_another_book(language: str) -> None:
    """It is a matter of the two, not of English."""
    assert foreign_language("What is the cheddar and how is it ripened?", language) == "english"


def test_english_words_are_no_question_in_english_to_a_book_of_another_script() -> None:
    """Names are written in Latin letters everywhere."""
    assert foreign_language("ROS 2 node", "hindi") == ""


@pytest.mark.parametrize("pair", [("什么是节点", "japanese"), ("ノード", "chinese")])
def test_chinese_and_japanese_share_a_script(pair: tuple[str, str]) -> None:
    """A Japanese question may be all ideographs."""
    assert foreign_language(*pair) == ""


def test_reader_is_asked_in_his_own_language_to_use_the_books() -> None:
    """With the English sentence behind it, for whoever guessed it wrong."""
    assert ask_in_book_language("german", "english") == (
        "Ich kann nur Fragen in der Sprache dieses Buches beantworten: English. "
        "(I can answer questions in the language of this book only: English.)"
    )


def test_reader_of_a_language_without_a_sentence_is_asked_in_english() -> None:
    """Once is enough."""
    assert ask_in_book_language("finnish", "hindi") == (
        "I can answer questions in the language of this book only: हिन्दी."
    )


def test_language_without_a_name_of_its_own_is_named_in_english() -> None:
    """A reader can make something of that."""
    assert "Georgian" in ask_in_book_language("english", "georgian")
