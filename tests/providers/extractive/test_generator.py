"""Test answers without a model, made of the passages' own sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragbot.bootstrap.extractive import build_extractive_generator
from ragbot.config import load_settings
from ragbot.core.answers import NOT_IN_BOOK, Generation, Mode, Prompt
from ragbot.core.deadline import Deadline
from ragbot.core.domain import InnerSection, Passage
from ragbot.core.errors import DatabaseUnavailable, DeadlineExceeded, ProviderUnavailable
from ragbot.core.ports import Embedder, EmbeddingResult
from ragbot.core.text import count_tokens
from ragbot.providers.extractive.generator import (
    LONGEST_EMBEDDED,
    MOST_READ_BY_MODEL,
    PASSAGES_READ,
    READ_BY_VECTORS,
    READ_BY_WORDS,
    scored_question,
)
from ragbot.providers.extractive.windows import ANSWER_TOKENS
from tests.fakes.parts import WordCountEmbedder
from tests.providers.asking import extractive_generator
from tests.providers.extractive.passages import FILLER, READER, chunk_of, passages_of, weights_of

CHEDDAR = "Bob ripens the cheddar for nine months in a cool cellar."
TEA = "Green tea is brewed at 80 degrees for two minutes."
HOW_LONG = "How long is the cheddar ripened?"


def prompt_of(question: str, *passages: Passage, **more: object) -> Prompt:
    return replace(
        Prompt(
            question=question,
            passages=passages or passages_of(CHEDDAR, TEA),
            system="",
            messages=(),
            term_weights=weights_of(question),
        ),
        **more,
    )


def answer_to(prompt: Prompt, embedder: Embedder | None = None, **more: object) -> str:
    generator = extractive_generator(embedder, **more)
    return "".join(generator.generate(prompt, Deadline(20), Generation()))


# --- answers -----------------------------------------------------------------------------------


def test_answer_is_the_books_own_sentence_with_its_mark() -> None:
    """And says that it is."""
    assert answer_to(prompt_of(HOW_LONG)) == f"In the book's own words, from *Dairy*:\n\n{CHEDDAR} [1]"


def test_mark_is_the_passages_number() -> None:
    """The sources are numbered in the order of the search."""
    assert answer_to(prompt_of(HOW_LONG, *passages_of(TEA, CHEDDAR))).endswith(f"{CHEDDAR} [2]")


def test_place_is_named_by_chapter_and_section() -> None:
    """Once, where they are the same; without marks of emphasis."""
    found = (
        Passage(chunk_of("Bob ripens the cheddar.", "Hard *Cheese*", "Making", "Ripening"), 1.0),
        Passage(chunk_of("Alice ripens the cheddar of sheep.", "Hard Cheese"), 0.9),
    )

    answer = answer_to(prompt_of("Who ripens the cheddar?", *found))

    assert answer.startswith("In the book's own words, from *Hard Cheese › Making › Ripening*:\n\n")
    assert "\n\nSee also, from *Hard Cheese*:\n\n" in answer


@pytest.mark.parametrize(
    ("heading", "place"),
    [
        ("CURD_NAME=<name>", "CURD_NAME=\\<name>"),
        ("f(*curd, **whey)", "f(\\*curd, \\*\\*whey)"),
        ("Curd [old] of `milk`", "Curd \\[old\\] of \\`milk\\`"),
        ("_curd and &lt;", "\\_curd and \\&lt;"),
        ("Curd & whey_of_goats", "Curd & whey_of_goats"),
    ],
)
def test_signs_of_a_heading_are_shown(heading: str, place: str) -> None:
    """A name in code was cut where it looked like a tag, and its emphasis did not close."""
    answer = answer_to(
        prompt_of("Who ripens the cheddar?", Passage(chunk_of(CHEDDAR, "Cheese", heading), 1.0))
    )

    assert answer.startswith(f"In the book's own words, from *Cheese › {place}*:\n\n")


def test_title_in_the_text_is_not_said_again() -> None:
    """The place has named it; another heading is said."""
    text = "> # Hard Cheese\n>\n> Bob ripens the cheddar.\n\n## Salt\n\nAlice salts the cheddar."

    answer = answer_to(prompt_of("Who ripens the cheddar?", Passage(chunk_of(text, "Hard Cheese"), 1.0)))

    place, first, *others = answer.split("\n\n")
    assert (place, first) == ("In the book's own words, from *Hard Cheese*:", "Bob ripens the cheddar. [1]")
    assert others == ["See also, from the same section:", "**Salt**", "Alice salts the cheddar. [1]"]


def test_one_line_of_dots_tells_of_the_items_between_two_windows() -> None:
    """There were two, one for each list that was cut."""
    said = {
        1: "Bob washes the pots.",
        2: "Bob washes the pots of others.",
        9: "Alice washes the pots.",
        10: "Alice washes the pots of all.",
    }
    filler = "The milk is warmed slowly on the stove until it is as warm as a hand is."
    text = "\n".join(f"{number}. {said.get(number, filler)}" for number in range(13))

    answer = answer_to(prompt_of("Who washes the pots?", *passages_of(text)))

    assert all(f"{number}. {words} [1]" in answer for number, words in said.items())
    assert "…\n\n…" not in answer
    assert answer.partition("See also")[0].count("…") == 3


LESS = "On some days the cellar is shut for as long as its tiles are washed."


@pytest.mark.parametrize(
    ("headings", "line"),
    [
        (("Dairy", "Signs"), "See also, from *Dairy › Signs*:"),
        (("Dairy",), "See also, from the same section:"),
    ],
)
def test_what_answers_less_well_is_shown_as_further_reading(headings: Sequence[str], line: str) -> None:
    """A right sentence among others leaves it to the reader to find out which one answers."""
    found = (Passage(chunk_of(CHEDDAR), 1.0), Passage(chunk_of(LESS, *headings), 0.9))

    answer = answer_to(prompt_of(HOW_LONG, *found))

    assert answer == f"In the book's own words, from *Dairy*:\n\n{CHEDDAR} [1]\n\n{line}\n\n{LESS} [2]"


def test_other_passage_that_answers_as_well_is_further_reading_too() -> None:
    """Of passages with the same words the first one found answers, though its words are no better."""
    texts = ("Bob ripens the cheddar in a cellar.", "Bob ripens the cheddar in a cave of his.")

    answer = answer_to(prompt_of("Where does Bob ripen the cheddar?", *passages_of(*texts)))

    assert answer.split("\n\n")[1:] == [
        f"{texts[0]} [1]",
        "See also, from the same section:",
        f"{texts[1]} [2]",
    ]


def test_heading_within_a_passage_is_shown_once() -> None:
    """Two windows of one section stood each under its heading."""
    text = f"A dairy.\n\n## Ripening\n\nBob ripens the cheddar. {FILLER}Alice ripens the cheddar, too.\n"

    answer = answer_to(prompt_of("Who ripens the cheddar?", *passages_of(text)))

    assert "Bob ripens" in answer
    assert "Alice ripens" in answer
    assert answer.partition("See also")[0].count("**Ripening**") == 1


def test_both_sides_of_a_comparison_are_the_answer() -> None:
    """One of them alone compares nothing."""
    texts = ("Cheddar is made of the milk of cows.", "Feta, which is white, keeps longer in its salt.")

    answer = answer_to(prompt_of("What is the difference between cheddar and feta?", *passages_of(*texts)))

    assert all(text in answer for text in texts)
    assert "See also" not in answer


def test_drawing_of_folders_is_shown_to_who_asks_for_one() -> None:
    """It holds many words, and answered how songs are detected."""
    text = "Cheddar is kept in the cellar.\n\n```\ndairy/\n├── cheddar/\n└── feta/\n```"

    assert "├──" not in answer_to(prompt_of("Where is the cheddar of the dairy?", *passages_of(text)))
    assert "├──" in answer_to(prompt_of("What is the structure of the cheddar dairy?", *passages_of(text)))


def test_a_selection_is_not_divided() -> None:
    """The reader has it before his eyes."""
    answer = answer_to(prompt_of(HOW_LONG, *passages_of(CHEDDAR, LESS), mode=Mode.SELECTED_TEXT))

    assert answer == f"{CHEDDAR} [1]\n\n{LESS} [2]"


def test_selected_drawing_of_folders_is_answered_with() -> None:
    """In the book such a drawing is for questions about folders; who selects one asks about it."""
    drawing = "```\nworkspace/\n├── src/\n└── build/\n```"

    answer = answer_to(prompt_of("What does this do?", *passages_of(drawing), mode=Mode.SELECTED_TEXT))

    assert "├── src/" in answer


def test_sections_of_one_name_are_told_apart_by_those_above() -> None:
    """The advantages of the other cellar were shown as if they were this one's."""
    found = (
        Passage(chunk_of("Cheddar ripens evenly.", "Cellars", "Cave", "Advantages"), 1.0),
        Passage(chunk_of("Cheddar ripens fast.", "Cellars", "Shed", "Advantages"), 1.0),
    )

    answer = answer_to(prompt_of("How does cheddar ripen?", *found))

    assert "from *Cellars › Cave › Advantages*:" in answer
    assert "from *Cellars › Shed › Advantages*:" in answer


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("Cellars", "Cave", "Advantages"), "Cellars › Cave › Advantages"),
        (("Part 1", "Cellars", "Cave", "Its advantages"), "Cellars › Its advantages"),
        (("Part 1", "Cellars", "Advantages"), "Cellars › Advantages"),
        (("Part 1", "Cellars"), "Cellars"),
    ],
)
def test_heading_of_one_word_is_told_with_the_one_above(path: Sequence[str], place: str) -> None:
    """Whose advantages they are is in the heading above."""
    chunk = replace(chunk_of("Cheddar ripens evenly.", *path), title="Cellars")

    answer = answer_to(prompt_of("How does cheddar ripen?", Passage(chunk, 1.0)))

    assert answer.startswith(f"In the book's own words, from *{place}*:\n")


def test_place_is_not_named_for_a_selection() -> None:
    """The reader has chosen it himself."""
    assert answer_to(prompt_of(HOW_LONG, mode=Mode.SELECTED_TEXT)) == f"{CHEDDAR} [1]"


def test_best_passage_comes_first() -> None:
    """Not the search's order, and not the book's."""
    answer = answer_to(prompt_of(HOW_LONG, *passages_of("The cheddar is sold by Alice.", CHEDDAR)))

    assert answer.partition("]")[0].endswith(f"{CHEDDAR} [2")


def test_sentence_without_a_word_of_the_question_is_left_out() -> None:
    """It adds nothing but a number."""
    assert TEA not in answer_to(prompt_of(HOW_LONG))


def test_both_parts_of_a_question_are_answered() -> None:
    """Each from where it stands."""
    question = "How long is the cheddar ripened and how hot is green tea brewed?"

    answer = answer_to(prompt_of(question))

    assert f"{CHEDDAR} [1]" in answer
    assert f"{TEA} [2]" in answer


@pytest.mark.parametrize(
    "question",
    [
        "What is a flux capacitor and how long is the cheddar ripened?",
        "How long is the cheddar ripened and what is a flux capacitor?",
    ],
)
def test_part_that_the_book_answers_is_answered(question: str) -> None:
    """Whichever of the two comes first."""
    weights = {
        term: weight for term, weight in weights_of(question).items() if term not in ("flux", "capacitor")
    }
    prompt = prompt_of(question, unknown_words=("flux", "capacitor"), term_weights=weights)

    assert f"{CHEDDAR} [1]" in answer_to(prompt)


def test_part_that_leans_on_what_the_book_lacks_is_refused_with_it() -> None:
    """It asks of the same thing."""
    question = "What is a flux capacitor and how long is it ripened?"
    weights = {
        term: weight for term, weight in weights_of(question).items() if term not in ("flux", "capacitor")
    }

    prompt = prompt_of(question, unknown_words=("flux", "capacitor"), term_weights=weights)

    assert answer_to(prompt) == NOT_IN_BOOK


def test_answer_is_no_longer_than_promised() -> None:
    """Two hundred tokens can be read at a glance."""
    sentences = [f"Bob ripens cheddar number {n} in the cool cellar for nine months." for n in range(60)]
    found = [Passage(chunk_of(" ".join(sentences[n : n + 20]), f"Cow {n}"), 1.0) for n in range(0, 60, 20)]

    answer = answer_to(prompt_of(HOW_LONG, *found))

    assert 50 < count_tokens(answer) <= 1.3 * ANSWER_TOKENS


def test_passages_beyond_those_that_are_read_are_not_cited() -> None:
    """They are the search's last."""
    others = [f"The cheddar is sold by cow number {n}." for n in range(PASSAGES_READ)]

    answer = answer_to(prompt_of(HOW_LONG, *passages_of(*others, CHEDDAR)))

    assert f"[{PASSAGES_READ + 1}]" not in answer


def test_same_prompt_gets_the_same_answer() -> None:
    """An answer that changes is not trusted."""
    assert answer_to(prompt_of(HOW_LONG)) == answer_to(prompt_of(HOW_LONG))


@pytest.mark.parametrize(
    "text",
    [
        "How long is the cheddar ripened?",
        "- [How long the cheddar is ripened](x.md)",
        "```mermaid\ncheddar --> ripened --> long\n```",
        "## Learning Objectives\n\n- Know how long the cheddar is ripened",
        "```\n" + "cheddar.ripen(long)\n" * 100 + "```",
    ],
)
def test_what_only_repeats_the_question_is_no_answer(text: str) -> None:
    """Questions, links, drawings, objectives and long listings hold all of its words."""
    answer = answer_to(prompt_of(HOW_LONG, *passages_of(text, CHEDDAR)))

    assert f"{CHEDDAR} [2]" in answer
    assert "[1]" not in answer


def test_objectives_answer_who_asks_for_them() -> None:
    """Then they are what the reader wants."""
    found = passages_of("## Learning Objectives\n\n- Ripen a cheddar\n- Wash a rind")

    answer = answer_to(prompt_of("What are the learning objectives of ripening?", *found))

    assert "- Ripen a cheddar [1]" in answer


PAPERS = "- Rind, A. (2015). *On cheddar*. Written by a dairy. [Read](https://rind.test)\n"


@pytest.mark.parametrize("question", ["Who wrote this book?", "Who is the author?"])
def test_book_has_no_authors_of_its_references(question: str) -> None:
    """It said that the book was written by those whom it cites."""
    cited = Passage(chunk_of(PAPERS, "Dairy", "References"), 1.0)
    own = Passage(chunk_of("Ann Whey wrote this handbook.", "Dairy", "About the author"), 0.5)

    assert answer_to(prompt_of(question, cited)) == NOT_IN_BOOK
    assert "Ann Whey" in answer_to(prompt_of(question, cited, own))


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(prompt_of("How is gouda ripened?", unknown_words=("gouda",)), id="an unknown word"),
        pytest.param(prompt_of(HOW_LONG, term_weights={}), id="no word at all"),
        pytest.param(prompt_of(HOW_LONG, *passages_of("![](x.png)")), id="a passage without a word"),
        pytest.param(
            prompt_of(HOW_LONG, *passages_of("Is the cheddar ripened long?")), id="a question alone"
        ),
    ],
)
def test_question_that_the_passages_do_not_answer_is_refused(prompt: Prompt) -> None:
    """With the word that says so, first of all."""
    assert answer_to(prompt) == NOT_IN_BOOK


def test_question_in_another_language_is_refused_with_that_reason() -> None:
    """Its words would find nothing but names."""
    answer = answer_to(prompt_of("Wie lange reift der Käse?", foreign_language="german"))

    assert answer.startswith(f"{NOT_IN_BOOK} Ich kann nur Fragen in der Sprache dieses Buches beantworten")


def test_question_in_another_language_is_refused_while_the_provider_is_away() -> None:
    """Its embedder found the passages; which sentence answers is not known, and the book does say it."""
    settings = load_settings({"OPENAI_API_KEY": "sk-none"})
    generator = build_extractive_generator(settings, WordCountEmbedder(), None, READER, None)
    prompt = prompt_of("Wie lange reift der Käse?", foreign_language="german")

    answer = "".join(generator.generate(prompt, Deadline(20), Generation()))

    assert answer.startswith(f"{NOT_IN_BOOK} Ich kann nur Fragen in der Sprache dieses Buches beantworten")


def test_selection_answers_unless_it_has_none_of_the_words() -> None:
    """The reader has chosen the place: the book's other pages do not count."""
    said = answer_to(prompt_of("How is gouda ripened?", unknown_words=("gouda",), mode=Mode.SELECTED_TEXT))
    unsaid = answer_to(prompt_of("Why penguins?", unknown_words=("penguins",), mode=Mode.SELECTED_TEXT))

    assert CHEDDAR in said
    assert unsaid == NOT_IN_BOOK


# --- vectors -----------------------------------------------------------------------------------


class Meaning:
    """Vectors of one topic each: dairy, or anything else."""

    name = "test/meaning"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        self.texts += texts
        return EmbeddingResult(
            [[1.0, 0.0] if "curd" in text or "milk" in text else [0.0, 1.0] for text in texts]
        )


def test_unit_of_the_same_meaning_is_chosen_before_one_of_the_same_words() -> None:
    """That is what vectors are for."""
    found = passages_of("The oven gives heat at six.", "Milk turns into curd with rennet.")

    answer = answer_to(prompt_of("What gives milk its form?", *found, question_vector=[1.0, 0.0]), Meaning())

    assert "Milk turns into curd" in answer.split("[")[0]


def test_embedder_is_shown_a_few_short_texts() -> None:
    """Each costs milliseconds."""
    embedder = Meaning()
    long = "cheddar " * 200
    found = passages_of(*[f"Cheddar {n} is ripened long. {long}." for n in range(14)])

    answer_to(prompt_of(HOW_LONG, *found, question_vector=[1.0, 0.0]), embedder)

    assert 0 < len(embedder.texts) <= MOST_READ_BY_MODEL
    assert max(map(len, embedder.texts)) <= LONGEST_EMBEDDED


class Scorer:
    """Score texts by a word that the test chooses; keep what it was asked."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.asked: list[tuple[str, list[str]]] = []

    def scores(self, question: str, texts: Sequence[str], deadline: object = None) -> list[float]:
        self.asked.append((question, list(texts)))
        return [4.0 if self.word in text else -4.0 for text in texts]


def test_sentence_that_the_scorer_prefers_answers() -> None:
    """The other one has more of the question's words, and does not answer."""
    found = passages_of("How long a cheddar is ripened is a secret. The wheels stay below for nine months.")
    scorer = Scorer("nine months")

    answer = answer_to(prompt_of(HOW_LONG, *found), scorer=scorer)

    assert "nine months" in answer
    assert "secret" not in answer.split("See also")[0]
    assert all(text.startswith("Dairy: ") for text in scorer.asked[0][1])


@pytest.mark.parametrize(
    ("system", "command"), [("Linux", "Run the apt command."), ("Windows", "Click it twice.")]
)
def test_part_under_a_bold_line_answers_what_names_it(system: str, command: str) -> None:
    """Tabs of one section hold the same steps for two systems."""
    found = passages_of("Get it.\n\n**Windows**\n\nClick it twice.\n\n**Linux**\n\nRun the apt command.")
    scorer = Scorer("nothing")

    by_words = answer_to(prompt_of(f"What is done on {system}?", *found))
    answer_to(prompt_of(f"What is done on {system}?", *found), scorer=scorer)

    assert command in by_words.split("See also")[0]
    assert f"Dairy: {system}: {command}" in scorer.asked[0][1]


def test_scorer_reads_few_units_of_english_books_and_the_question_before() -> None:
    """Each costs milliseconds, and it knows no other language."""
    scorer = Scorer("nothing")
    found = passages_of(*[f"Cheddar {n} is ripened long. Cheddar {n} is good." for n in range(14)])

    answer_to(prompt_of("And how long?", *found, context="Is cheddar ripened?"), scorer=scorer)
    answer_to(prompt_of(HOW_LONG, *found, language="german"), scorer=scorer)

    ((question, texts),) = scorer.asked
    assert question == "Is cheddar ripened? And how long?"
    assert len(texts) == MOST_READ_BY_MODEL


def test_scorer_reads_a_unit_with_the_headings_of_its_own_section() -> None:
    """Several short sections are one passage, which has the headings of the first."""
    scorer = Scorer("nothing")
    first = "Bob ripens the cheddar.\n\n"
    chunk = replace(
        chunk_of(f"{first}## Tea\n\nAlice ripens the cheddar of tea.\n", "Dairy", "Cheddar"),
        sections=(InnerSection(len(first), "tea", ("Dairy", "Tea")),),
    )

    answer_to(prompt_of("Who ripens the cheddar?", Passage(chunk, 1.0)), scorer=scorer)

    ((_, texts),) = scorer.asked
    assert set(texts) == {
        "Dairy: Cheddar: Bob ripens the cheddar.",
        "Dairy: Tea: Alice ripens the cheddar of tea.",
    }


class Similar:
    """Say that one unit is most similar; keep what was compared."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.compared: list[tuple[str, list[str]]] = []

    def similarities(
        self, vector: Sequence[float], passages: Sequence[tuple[str, Sequence[str]]]
    ) -> list[list[float]]:
        self.compared += [(text, list(units)) for text, units in passages]
        return [[0.9 if self.word in unit else 0.1 for unit in units] for _, units in passages]


def test_scorer_reads_what_only_its_vector_finds() -> None:
    """The reader asked in other words than the book's, and the sentence stands behind twelve others."""
    told = [f"Cheddar {n} is ripened long, how long is a secret." for n in range(12)]
    found = passages_of(*told, "The wheels stay below for nine months.")
    similar, by_words, by_both = Similar("nine months"), Scorer("nine months"), Scorer("nine months")
    prompt = replace(prompt_of(HOW_LONG, *found), question_vector=[1.0])

    answer_to(prompt, scorer=by_words)
    answer = answer_to(prompt, scorer=by_both, sentences=similar)

    assert similar.compared[0] == (found[0].chunk.search_text, [told[0]])
    assert not any("nine months" in text for text in by_words.asked[0][1])
    assert len(by_both.asked[0][1]) == READ_BY_WORDS + READ_BY_VECTORS
    assert by_both.asked[0][1][:READ_BY_WORDS] == by_words.asked[0][1][:READ_BY_WORDS]
    assert "nine months" not in by_both.asked[0][1][0]
    assert "nine months" in answer.split("See also")[0]


@pytest.mark.parametrize(
    "more", [{"language": "german"}, {"mode": Mode.SELECTED_TEXT, "question_vector": None}]
)
def test_stored_vectors_are_for_what_the_scorer_reads(more: dict[str, object]) -> None:
    """In another language the embedder compares, and a selected text is not stored."""
    similar = Similar("nine months")
    prompt = replace(prompt_of(HOW_LONG, *passages_of(CHEDDAR)), **{"question_vector": [1.0], **more})

    answer_to(prompt, scorer=Scorer("nothing"), sentences=similar)

    assert similar.compared == []


def test_without_the_stored_vectors_words_alone_choose_what_the_scorer_reads() -> None:
    """The database may be down; an answer is owed all the same."""

    class Down(Similar):
        def similarities(self, *_given: object) -> list[list[float]]:
            raise DatabaseUnavailable("gone")

    found = passages_of(*[f"Cheddar {n} is ripened long. Cheddar {n} is good." for n in range(14)])
    prompt = replace(prompt_of(HOW_LONG, *found), question_vector=[1.0])
    by_words, without = Scorer("nothing"), Scorer("nothing")

    answer_to(prompt, scorer=by_words)
    answer_to(prompt, scorer=without, sentences=Down(""))

    assert by_words.asked == without.asked


def test_scorer_that_fails_leaves_the_words() -> None:
    """An answer is owed all the same."""

    class Broken(Scorer):
        def scores(self, question: str, texts: Sequence[str], deadline: object = None) -> list[float]:
            raise ProviderUnavailable("no model")

    assert CHEDDAR in answer_to(prompt_of(HOW_LONG), scorer=Broken(""))


def test_embedder_that_fails_leaves_the_words() -> None:
    """An answer is owed all the same."""
    down = WordCountEmbedder()
    down.down = True

    assert CHEDDAR in answer_to(prompt_of(HOW_LONG, question_vector=[1.0]), down)


def test_question_without_a_vector_asks_no_embedder() -> None:
    """There is nothing to compare with."""
    embedder = Meaning()

    answer_to(prompt_of(HOW_LONG), embedder)

    assert embedder.texts == []


@pytest.mark.parametrize(("similarity", "is_answered"), [(0.9, True), (0.1, False)])
def test_foreign_question_is_answered_by_what_is_alike(similarity: float, is_answered: bool) -> None:
    """No word of it stands in the book; an embedder of both languages knows."""
    prompt = prompt_of(
        "Wie lange reift der Käse?",
        *passages_of(CHEDDAR),
        foreign_language="german",
        question_vector=[1.0, 0.0],
    )

    answer = answer_to(prompt, Meaning(), similarity=lambda _cosine: similarity, is_multilingual=True)

    assert (CHEDDAR in answer) is is_answered


# --- overviews ---------------------------------------------------------------------------------


def test_overview_shows_the_beginning_of_each_passage() -> None:
    """In the book's order, whatever the question's words."""
    found = (
        Passage(chunk_of("Cheese is made from milk and rennet.", "Cheese"), 1.0),
        Passage(chunk_of("Tea is made from the leaves of a shrub.", "Tea"), 1.0),
    )

    answer = answer_to(prompt_of("What is this book about?", *found, overview=True))

    assert answer == (
        "In the book's own words, from *Cheese*:\n\nCheese is made from milk and rennet. [1]\n\n"
        "From *Tea*:\n\nTea is made from the leaves of a shrub. [2]"
    )


def test_overview_of_nothing_that_can_be_told_is_refused() -> None:
    """A list of links is no summary."""
    assert answer_to(prompt_of("What is this about?", *passages_of("- [a](b)"), overview=True)) == NOT_IN_BOOK


# --- the port ----------------------------------------------------------------------------------


def test_question_whose_time_is_over_is_not_answered() -> None:
    """Nobody waits for it."""
    with pytest.raises(DeadlineExceeded):
        list(extractive_generator().generate(prompt_of(HOW_LONG), Deadline(0), Generation()))


# --- sections that say the opposite ------------------------------------------------------------

ALLOWED = Passage(chunk_of("1. Selling cheese at the market.\n2. Giving a talk.", "Work", "Allowed"), 1.0)
FORBIDDEN = Passage(
    chunk_of("1. Selling milk to a rival.\n2. Taking orders at night.", "Work", "Not allowed"), 0.9
)


def test_of_two_opposite_sections_the_one_that_is_asked_for_answers() -> None:
    """The other would tell readers the contrary."""
    denied = answer_to(prompt_of("What kinds of work are not allowed?", ALLOWED, FORBIDDEN))
    granted = answer_to(prompt_of("What kinds of work are allowed?", FORBIDDEN, ALLOWED))

    assert ("rival" in denied, "market" in denied) == (True, False)
    assert ("rival" in granted, "market" in granted) == (False, True)


def test_yes_or_no_may_stand_in_either_section() -> None:
    """The reader asks which of them it is in."""
    said = answer_to(prompt_of("Is selling milk to a rival allowed?", ALLOWED, FORBIDDEN))

    assert "rival" in said


CASE = (
    "I have installed the press in the cellar and connected both of its pumps as the second chapter says " * 2
)


@pytest.mark.parametrize(
    ("context", "question"),
    [
        (f"{CASE}. What can I check first?", "And how much do they cost?"),
        ("", f"{CASE}. How much do they cost?"),
        ("", f"How much do they cost? {CASE}."),
    ],
)
def test_model_reads_what_a_long_question_asks(context: str, question: str) -> None:
    """It stands at the end, or before the case that the reader tells."""
    assert "much do they cost?" in scored_question(context, question)
    assert len(scored_question(context, question).split()) <= 36


def test_model_reads_a_short_question_as_it_is() -> None:
    """With the one before it."""
    asked = scored_question("What is rennet?", "Which one? The red or the blue")

    assert asked == "What is rennet? Which one? The red or the blue"
