"""Detect the language of a book and of a question by their scripts and their commonest words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

# What the local models were trained on: the embedder with its vectors of sentences, and the cross-encoder.
LOCAL_MODELS_LANGUAGE = "english"
# In these languages every noun has a capital.
CAPITAL_NOUNS = ("german",)
# The commonest words of some languages, by the name of their Snowball stemmer.
_COMMON: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "english": "the and of to is that with for are this what how does do which who when where why "
        "can a in it",
        "german": "der die und das ist nicht mit den ein auf wie was wird werden welche wer wo warum "
        "kann ich eine für",
        "french": "le la les et des est dans une pour que quel quelle comment qui où pourquoi combien "
        "je du sont faut",
        "spanish": "el la los que de y en una por con cuál cuáles qué cómo quién dónde cuánto cuántos "
        "cuántas se es del",
        "italian": "il che di per una sono della non con gli quale quali come chi dove perché quanto "
        "quanti è cosa",
        "portuguese": "o que de não uma para com os do em qual quais como quem onde quanto quantos é são",
        "dutch": "de het een van en is dat niet met voor wat hoe welke wie waar waarom kan ik",
        "swedish": "och att det som en är för med inte av vad hur vilken vilka vem var varför kan jag",
        "danish": "og at det som en er for med ikke af hvad hvordan hvilken hvilke hvem hvor hvorfor kan jeg",
        "norwegian": "og at det som en er for med ikke av hva hvordan hvilken hvilke hvem hvor hvorfor kan "
        "jeg",
        "finnish": "ja on ei se että oli hän mutta ovat kuin mikä mitä miten kuka missä miksi",
        "russian": "и в не на что с это как по из какой какие кто где почему сколько",
        "turkish": "ve bir bu için ile de da olan çok gibi ne nasıl hangi kim nerede neden nedir kaç",
        "hungarian": "a az és hogy nem egy van is ez de mi hogyan melyik ki hol miért",
        "romanian": "și de la în cu nu pe este care sau ce cum cine unde câte",
        "polish": "i w nie na że z to jak po się jaki jakie kto gdzie dlaczego ile co jest",
        "vietnamese": "và là của có không trong cho được gì như thế nào",
        "indonesian": "dan yang di ke dari untuk dengan tidak ini itu apa bagaimana siapa",
    }.items()
}
# Other languages are detected by their script alone.
_SCRIPTS: Mapping[str, str] = {
    "DEVANAGARI": "hindi",
    "ARABIC": "arabic",
    "HEBREW": "hebrew",
    "THAI": "thai",
    "HIRAGANA": "japanese",
    "KATAKANA": "japanese",
    "HANGUL": "korean",
    "CJK": "chinese",
    "GREEK": "greek",
    "BENGALI": "bengali",
    "TAMIL": "tamil",
    "TELUGU": "telugu",
    "CYRILLIC": "russian",
    "GEORGIAN": "georgian",
    "ARMENIAN": "armenian",
    "KHMER": "khmer",
    "MYANMAR": "burmese",
    "LAO": "lao",
}
_WORD = re.compile(r"[^\W\d_]+")
# A question needs so many of a language's commonest words, and more than twice those of the book's language.
_FEWEST_COMMON = 2
_LETTERS_LOOKED_AT = 400


def language_of(texts: Iterable[str]) -> str:
    """Return the language (its Snowball name) whose commonest words occur most; "english" if none do."""
    words: Counter[str] = Counter()
    scripts: Counter[str] = Counter()
    for text in texts:
        scripts[script_of(text)] += len(text)
        words.update(_WORD.findall(text.casefold()))
    counts = {language: sum(words[word] for word in common) for language, common in _COMMON.items()}
    script = max(scripts, key=lambda name: scripts[name], default="LATIN")
    if script not in ("LATIN", "CYRILLIC") and script in _SCRIPTS:
        return _SCRIPTS[script]
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] else "english"


@lru_cache(maxsize=256)
def foreign_language(question: str, book_language: str) -> str:
    """Return the language of a question if it is certainly not the book's, else ""."""
    script = script_of(question)
    own_script = _SCRIPT_OF.get(book_language, "LATIN")
    if script and script != own_script and not {script, own_script} <= {"CJK", "HIRAGANA", "KATAKANA"}:
        return _SCRIPTS.get(script, "") if script != "LATIN" else _by_words(question, book_language)
    return _by_words(question, book_language) if own_script == "LATIN" else ""


def script_of(text: str) -> str:
    """Return the Unicode name of the script of most letters ("LATIN"); "" for a text without letters."""
    if text.isascii():
        return "LATIN" if any(character.isalpha() for character in text[:_LETTERS_LOOKED_AT]) else ""
    counts: Counter[str] = Counter()
    for character in text[:_LETTERS_LOOKED_AT]:
        # Vowel signs are no letters for Python, but half of a Hindi word.
        if character.isalpha() or unicodedata.category(character) in ("Mn", "Mc"):
            counts[unicodedata.name(character, "").partition(" ")[0]] += 1
    del counts["COMBINING"]
    return counts.most_common(1)[0][0] if counts else ""


def _by_words(question: str, book_language: str) -> str:
    words = _WORD.findall(question.casefold())
    counts = {language: sum(word in common for word in words) for language, common in _COMMON.items()}
    own = counts.get(book_language, 0)
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] >= _FEWEST_COMMON and counts[best] > 2 * own else ""


_SCRIPT_OF: Mapping[str, str] = {
    **{language: script for script, language in reversed(list(_SCRIPTS.items()))},
    "japanese": "HIRAGANA",
    "russian": "CYRILLIC",
}


# Languages by their own names, for a reader who asks in another language than the book's.
_OWN_NAMES = {
    "english": "English",
    "german": "Deutsch",
    "french": "français",
    "spanish": "español",
    "italian": "italiano",
    "portuguese": "português",
    "dutch": "Nederlands",
    "swedish": "svenska",
    "danish": "dansk",
    "norwegian": "norsk",
    "finnish": "suomi",
    "russian": "русский",
    "turkish": "Türkçe",
    "hungarian": "magyar",
    "romanian": "română",
    "polish": "polski",
    "hindi": "हिन्दी",
    "chinese": "中文",
    "japanese": "日本語",
    "korean": "한국어",
    "arabic": "العربية",
}
_ASK_IN = {
    "english": "I can answer questions in the language of this book only: {name}.",
    "german": "Ich kann nur Fragen in der Sprache dieses Buches beantworten: {name}.",
    "french": "Je ne peux répondre qu’aux questions posées dans la langue de ce livre : {name}.",
    "spanish": "Solo puedo responder a preguntas en el idioma de este libro: {name}.",
    "italian": "Posso rispondere solo a domande nella lingua di questo libro: {name}.",
    "portuguese": "Só posso responder a perguntas na língua deste livro: {name}.",
    "dutch": "Ik kan alleen vragen beantwoorden in de taal van dit boek: {name}.",
    "polish": "Odpowiadam tylko na pytania w języku tej książki: {name}.",
    "turkish": "Yalnızca bu kitabın dilindeki soruları yanıtlayabilirim: {name}.",
    "russian": "Я отвечаю только на вопросы на языке этой книги: {name}.",
    "hindi": "मैं केवल इस पुस्तक की भाषा में पूछे गए प्रश्नों का उत्तर दे सकता हूँ: {name}।",
    "chinese": "我只能回答用本书语言提出的问题：{name}。",
    "japanese": "この本の言語での質問にのみお答えできます：{name}。",
    "korean": "이 책의 언어로 된 질문에만 답할 수 있습니다: {name}.",
    "arabic": "لا يمكنني الإجابة إلا عن الأسئلة المكتوبة بلغة هذا الكتاب: {name}.",
}


def ask_in_book_language(question_language: str, book_language: str) -> str:
    """Return a sentence that asks a reader to use the book's language, in the reader's language if known."""
    name = _OWN_NAMES.get(book_language, book_language.capitalize())
    sentence = _ASK_IN.get(question_language, _ASK_IN["english"]).format(name=name)
    english = _ASK_IN["english"].format(name=name)
    return sentence if sentence == english else f"{sentence} ({english})"


# By BCP 47, as pages name their language; of the names that are used above.
_TAGS = {
    "english": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "finnish": "fi",
    "russian": "ru",
    "turkish": "tr",
    "hungarian": "hu",
    "romanian": "ro",
    "polish": "pl",
    "vietnamese": "vi",
    "indonesian": "id",
    "hindi": "hi",
    "arabic": "ar",
    "hebrew": "he",
    "thai": "th",
    "japanese": "ja",
    "korean": "ko",
    "chinese": "zh",
    "greek": "el",
    "bengali": "bn",
    "tamil": "ta",
    "telugu": "te",
    "georgian": "ka",
    "armenian": "hy",
    "khmer": "km",
    "burmese": "my",
    "lao": "lo",
}


def language_tag(language: str) -> str:
    """Return the BCP 47 tag of a language's name ("en"); "und" for a name that is not known."""
    return _TAGS.get(language, "und")
