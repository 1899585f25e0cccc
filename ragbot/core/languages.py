"""Detect the language of a book and of a question by their scripts and their commonest words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from ragbot.core.code_fences import fenced_code

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
        "ukrainian": "і й та в не на що з це як для є від або чи до який яка які де хто чому скільки",
        "turkish": "ve bir bu için ile de da olan çok gibi ne nasıl hangi kim nerede neden nedir kaç",
        "hungarian": "a az és hogy nem egy van is ez de mi hogyan melyik ki hol miért",
        "romanian": "și de la în cu nu pe este care sau ce cum cine unde câte",
        "polish": "i w nie na że z to jak po się jaki jakie kto gdzie dlaczego ile co jest",
        "vietnamese": "và là của có không trong cho được gì như thế nào",
        "indonesian": "dan yang di ke dari untuk dengan tidak ini itu apa bagaimana siapa",
    }.items()
}
# Other languages are detected by their script alone. Of several in one script this is the usual one.
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
    "GUJARATI": "gujarati",
    "GURMUKHI": "punjabi",
    "KANNADA": "kannada",
    "MALAYALAM": "malayalam",
    "SINHALA": "sinhala",
    "ETHIOPIC": "amharic",
}
_SCRIPT_OF: Mapping[str, str] = {
    **{language: script for script, language in reversed(list(_SCRIPTS.items()))},
    "japanese": "HIRAGANA",
    "russian": "CYRILLIC",
    "ukrainian": "CYRILLIC",
}
_WORD = re.compile(r"[^\W\d_]+")
# What is within a line and in no language: code, addresses, tags.
_NO_PROSE = re.compile(r"`[^`\n]*`|\]\([^()\s]*\)|<[^<>\n]*>|https?://[!-~]+")
# A technical book is full of names in Latin letters: its own script has at least this share of its letters.
_LEAST_SHARE_OF_SCRIPT = 1 / 3
# Kana to ideographs: Japanese has more, a Chinese book that quotes it has less.
_LEAST_KANA = 0.25
# A question needs so many of a language's commonest words, and more than twice those of the book's language.
_FEWEST_COMMON = 2
_LETTERS_LOOKED_AT = 400


def language_of(texts: Iterable[str]) -> str:
    """Return the language (its Snowball name) of a book's texts in Markdown; "english" if nothing tells.

    Only their prose counts. The script is that of most letters, or another than Latin which has a third of
    them; of the languages of a script it is the one whose commonest words occur most.
    """
    characters: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in texts:
        prose = _prose(text)
        characters.update(prose)
        words.update(_WORD.findall(prose.casefold()))
    return _language_in(_script_of_book(characters), words)


def _prose(text: str) -> str:
    pieces: list[str] = []
    position = 0
    if "```" in text or "~~~" in text:
        for code in fenced_code(text):
            pieces.append(text[position : code.start])
            position = code.end
    return _NO_PROSE.sub(" ", " ".join((*pieces, text[position:])))


def _script_of_book(characters: Mapping[str, int]) -> str:
    letters = _letters_by_script(characters)
    kana = letters.pop("HIRAGANA", 0) + letters.pop("KATAKANA", 0)
    ideographs = letters.pop("CJK", 0)
    # Nobody writes kana without ideographs, and Chinese has one without the other.
    letters["HIRAGANA" if kana > _LEAST_KANA * ideographs else "CJK"] = kana + ideographs
    script = max(letters.keys() & _SCRIPTS, key=lambda name: letters[name])
    return script if letters[script] > _LEAST_SHARE_OF_SCRIPT * letters.total() else "LATIN"


def _language_in(script: str, words: Mapping[str, int]) -> str:
    """Return the language of a script whose commonest words occur most; if none do, its usual one."""
    counts = {
        language: sum(words[word] for word in common)
        for language, common in _COMMON.items()
        if _SCRIPT_OF.get(language, "LATIN") == script
    }
    best = max(counts, key=lambda language: counts[language], default="")
    return best if counts.get(best) else _SCRIPTS.get(script, "english")


@lru_cache(maxsize=256)
def foreign_language(question: str, book_language: str) -> str:
    """Return the language of a question if it is certainly not the book's, else ""."""
    script = script_of(question)
    own_script = _SCRIPT_OF.get(book_language, "LATIN")
    if script and script != own_script and not {script, own_script} <= {"CJK", "HIRAGANA", "KATAKANA"}:
        if script == "LATIN":
            return _by_words(question, book_language)
        words = Counter(_WORD.findall(question.casefold()))
        return _language_in(script, words) if script in _SCRIPTS else ""
    return _by_words(question, book_language) if own_script == "LATIN" else ""


def script_of(text: str) -> str:
    """Return the Unicode name of the script of most letters ("LATIN"); "" for a text without letters."""
    if text.isascii():
        return "LATIN" if any(character.isalpha() for character in text[:_LETTERS_LOOKED_AT]) else ""
    counts = _letters_by_script(Counter(text[:_LETTERS_LOOKED_AT]))
    return counts.most_common(1)[0][0] if counts else ""


def _letters_by_script(characters: Mapping[str, int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for character, number in characters.items():
        # Vowel signs are no letters for Python, but half of a Hindi word.
        if character.isalpha() or unicodedata.category(character) in ("Mn", "Mc"):
            counts[unicodedata.name(character, "").partition(" ")[0]] += number
    for no_script in ("COMBINING", "VARIATION"):
        del counts[no_script]
    return counts


def _by_words(question: str, book_language: str) -> str:
    words = _WORD.findall(question.casefold())
    counts = {language: sum(word in common for word in words) for language, common in _COMMON.items()}
    own = counts.get(book_language, 0)
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] >= _FEWEST_COMMON and counts[best] > 2 * own else ""


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
    "ukrainian": "українська",
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
    "ukrainian": "Я відповідаю лише на запитання мовою цієї книги: {name}.",
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
    "ukrainian": "uk",
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
    "gujarati": "gu",
    "punjabi": "pa",
    "kannada": "kn",
    "malayalam": "ml",
    "sinhala": "si",
    "amharic": "am",
}


def language_tag(language: str) -> str:
    """Return the BCP 47 tag of a language's name ("en"); "und" for a name that is not known."""
    return _TAGS.get(language, "und")
