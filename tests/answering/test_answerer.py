"""Test the stream of events of an answer, on the three-chapter book with a scripted model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.answerer import REFUSAL, UNSUPPORTED, Answerer, AnswerLimits
from ragbot.answering.book_contents import CachedContents
from ragbot.answering.cache_entries import is_cacheable
from ragbot.core.answers import (
    Answer,
    Degradation,
    Delta,
    Event,
    Exchange,
    Finished,
    Generation,
    Mode,
    Question,
    Retrieved,
    Status,
    Usage,
)
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    Cancelled,
    DeadlineExceeded,
    EditionNotFound,
    NoBook,
    ProviderUnavailable,
)
from ragbot.core.ports import Generator
from ragbot.index.retriever import Retriever
from ragbot.providers.fallback import FallbackGenerator
from tests.answering.shelf import CHEDDAR, make_answerer
from tests.conftest import AppMaker, services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.fuzzing import fuzz
from tests.providers.asking import extractive_generator
from tests.served import keyless_app, three_chapter_app

HOW_LONG = Question("How long is the cheddar ripened?")
ALL = "Bread is baked from flour [1]. Cheese is made from milk [2]. Green tea is brewed at 80 degrees [3]."
LIMITS = AnswerLimits(context_tokens=4000, history_tokens=1000, answer_tokens=300)


@pytest.fixture(scope="module")
def retriever(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """Finds passages of the three-chapter book, by words alone."""
    with three_chapter_app(new_database, tmp_path_factory.mktemp("answerer")) as app:
        yield services_of(app).retriever


def answerer_of(
    retriever: Retriever,
    generator: Generator,
    *,
    limits: AnswerLimits = LIMITS,
    embedding_cost: float | None = 0.0,
    own_words: Generator | None = None,
) -> Answerer:
    return make_answerer(retriever, generator, limits, embedding_cost=embedding_cost, own_words=own_words)


def events_of(
    retriever: Retriever,
    *pieces: str | Exception,
    question: Question = HOW_LONG,
    history: Sequence[Exchange] = (),
    **more: Any,
) -> list[Event]:
    answerer = answerer_of(retriever, ScriptedGenerator(*pieces), **more)
    return list(answerer.answer(question, history, Deadline(20)))


def answer_of(retriever: Retriever, *pieces: str | Exception, **more: Any) -> Answer:
    last = events_of(retriever, *pieces, **more)[-1]
    assert isinstance(last, Finished)
    return last.answer


# --- events ------------------------------------------------------------------------------------


def test_sources_come_first_then_the_words_then_the_whole(retriever: Retriever) -> None:
    """The reader can open a source before the model has spoken."""
    first, *deltas, last = events_of(retriever, "Nine ", "months ", "[1]", ".")

    assert isinstance(first, Retrieved)
    assert first.sources[0].quote.count(CHEDDAR) == 1
    assert not any(source.cited for source in first.sources)
    assert [type(event) for event in deltas] == [Delta] * len(deltas)
    assert isinstance(last, Finished)
    assert last.answer.text == "Nine months [1]."


@fuzz(15)
@given(
    st.lists(
        st.sampled_from(["Nine ", "[1]", "[7]", "`", "\n", "<b>", "NOT_IN", "_BOOK", " ", "x"]), max_size=9
    )
)
def test_answer_is_the_sum_of_its_pieces(retriever: Retriever, pieces: list[str]) -> None:
    """What streams and what is kept must be one text, and no piece of it is empty."""
    *told, last = events_of(retriever, *pieces)

    said = [event.text for event in told if isinstance(event, Delta)]
    assert isinstance(last, Finished)
    assert last.answer.text == "".join(said)
    assert all(said)
    assert last.answer.text.strip()


def test_answer_tells_what_it_was_made_with(retriever: Retriever) -> None:
    """The reply and the log say so."""
    answer = answer_of(retriever, "Nine months [1].")

    assert (answer.status, answer.mode, answer.book_version) == (Status.ANSWERED, Mode.FULL_BOOK, "first")
    assert (answer.model, answer.degraded, answer.cache) == ("test/scripted", (), "bypass")
    assert answer.latency_ms.total >= answer.latency_ms.generate >= 0
    assert answer.latency_ms.search > 0


# --- marks -------------------------------------------------------------------------------------


def test_sources_that_are_pointed_to_are_cited(retriever: Retriever) -> None:
    """And no others."""
    answer = answer_of(retriever, "Nine months [1].")

    assert [source.cited for source in answer.sources] == [True] + [False] * (len(answer.sources) - 1)


def test_marks_that_point_nowhere_are_dropped(retriever: Retriever) -> None:
    """The model was told its numbers, and now and then makes one up."""
    answer = answer_of(retriever, "Nine [9] months [1][20].")

    assert answer.text == "Nine  months [1]."


def test_marks_point_to_what_the_model_was_shown(retriever: Retriever) -> None:
    """A source that did not fit the prompt was not read for the answer."""
    question = Question("Which cheese, tea and bread are there?")
    shown = answer_of(retriever, ALL, question=question)
    narrow = AnswerLimits(context_tokens=1, history_tokens=0, answer_tokens=300)

    answer = answer_of(retriever, ALL, question=question, limits=narrow)

    assert len(set(re.findall(r"\[\d\]", shown.text))) == 3
    assert set(re.findall(r"\[\d\]", answer.text)) == {"[1]"}
    assert len(answer.sources) == len(shown.sources)


def test_reader_gets_as_many_sources_as_were_asked_for(retriever: Retriever) -> None:
    """`top_k` is the reader's."""
    question = Question("Which cheese, tea and bread are there?", top_k=2)

    assert len(answer_of(retriever, "All [1].", question=question).sources) == 2


def test_passage_beyond_the_readers_list_takes_a_place_in_it_when_it_is_cited(retriever: Retriever) -> None:
    """A generator looks through more of them than a reader is shown."""
    question = Question("Which cheese, tea and bread are there?", top_k=1)
    ranked = answer_of(retriever, "All [1].", question=replace(question, top_k=3)).sources
    number = [source.path for source in ranked].index("01-bread.md") + 1

    said = f"Bread is baked from flour, water and salt [{number}]."
    first, again, *_, last = events_of(retriever, said, question=question)

    assert isinstance(first, Retrieved)
    assert isinstance(again, Retrieved)
    assert isinstance(last, Finished)
    assert last.answer.text == said.replace(f"[{number}]", "[1]")
    assert number > 1
    assert [source.path for source in again.sources] == [source.path for source in last.answer.sources]
    assert first.sources[0].path != again.sources[0].path


def test_citation_holds_the_words_that_the_mark_rests_on(retriever: Retriever) -> None:
    """And the source's link leads to them."""
    (source, *_) = answer_of(retriever, "Bob ripens the cheddar [1].").sources

    (span,) = source.citations
    assert source.quote[span.start : span.end] == span.text == "Bob ripens the cheddar"
    assert source.url == span.url
    assert source.url.endswith("#ripening:~:text=Bob%20ripens%20the%20cheddar")


# --- the book as a whole -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    """Answers from the three-chapter book without a model, and knows its pages."""
    with three_chapter_app(new_database, tmp_path_factory.mktemp("whole")) as app:
        services = services_of(app)
        book = CachedContents(services.editions)
        yield make_answerer(services.retriever, extractive_generator(), LIMITS, book=book)


def answer_from(whole: Answerer, text: str, **fields: Any) -> Answer:
    last = list(whole.answer(Question(text, **fields), (), Deadline(20)))[-1]
    assert isinstance(last, Finished)
    return last.answer


def test_small_talk_is_answered_at_once(whole: Answerer) -> None:
    """It is no question, and costs nothing."""
    answer = answer_from(whole, "hello")

    assert answer.status is Status.ANSWERED
    assert answer.text.startswith("Hello! I answer questions about ")
    assert (answer.sources, answer.model, answer.usage.cost_usd) == ((), "extractive", 0)


def test_table_of_contents_is_answered_with_links(whole: Answerer) -> None:
    """No passage holds it."""
    answer = answer_from(whole, "List the chapters")

    assert answer.status is Status.ANSWERED
    assert "has 3 chapters:" in answer.text
    assert answer.text.endswith(
        "- [Bread](<https://book.test/01-bread.md>)\n"
        "- [Cheese](<https://book.test/02-cheese.md>)\n"
        "- [Tea](<https://book.test/03-tea.md>)"
    )


def test_what_the_book_is_about_is_told_by_its_beginning_and_its_contents(whole: Answerer) -> None:
    """In its own words, as far as it has any."""
    answer = answer_from(whole, "What is this book about?")

    assert "Bread is baked from flour, water and salt. [1]" in answer.text
    assert answer.text.endswith("- [Tea](<https://book.test/03-tea.md>)")
    assert answer.sources[0].cited


def test_summary_of_a_chapter_is_its_beginning(whole: Answerer) -> None:
    """Whatever words the question has."""
    answer = answer_from(whole, "Summarise the tea chapter")

    assert "Green tea is brewed at 80 degrees for two minutes." in answer.text
    assert {source.path for source in answer.sources} == {"03-tea.md"}


def test_summary_of_what_the_book_lacks_is_refused(whole: Answerer) -> None:
    """Another chapter would mislead."""
    assert answer_from(whole, "Summarise the penguins chapter").status is Status.REFUSED


def test_question_about_the_book_is_none_in_a_selection(whole: Answerer) -> None:
    """The reader has chosen what to ask about."""
    answer = answer_from(
        whole,
        "What is this book about?",
        mode=Mode.SELECTED_TEXT,
        selected_text="It is about cheddar.",
    )

    assert "chapters" not in answer.text
    assert answer.text.startswith("It is about cheddar.")


def test_refusal_offers_the_nearest_sections(whole: Answerer) -> None:
    """The reader may find there what he looks for."""
    answer = answer_from(whole, "How is penguin cheddar made by Zworykin?")

    assert answer.status is Status.REFUSED
    assert answer.text == (
        "The book does not say.\n\nNearest in the book: [Cheese](<https://book.test/02-cheese.md>)"
    )


def test_refusal_without_any_word_of_the_book_offers_nothing(whole: Answerer) -> None:
    """No section is near."""
    assert answer_from(whole, "Zworykin penguins?").text == "The book does not say."


def test_question_in_another_language_is_told_why_it_is_refused(whole: Answerer) -> None:
    """Its reader can ask again."""
    answer = answer_from(whole, "Wie lange wird der Käse gereift?")

    assert answer.status is Status.REFUSED
    assert answer.text.startswith("Ich kann nur Fragen in der Sprache dieses Buches beantworten: English.")


@pytest.mark.parametrize(("heading", "is_talk"), [("Testing and pinging", False), ("Baking", True)])
def test_word_of_small_talk_is_searched_in_a_book_with_a_section_on_it(
    new_database: DatabaseMaker, tmp_path: Path, heading: str, is_talk: bool
) -> None:
    """Readers type a single term, as in a search box."""
    book = tmp_path / "book"
    book.mkdir()
    text = f"# Bread\n\nBread is baked.\n\n## {heading}\n\nTesting the dough takes a finger and patience.\n"
    (book / "bread.md").write_text(text, encoding="utf-8")

    with keyless_app(new_database, tmp_path) as app:
        services = services_of(app)
        services.ingestion.ingest_book(book, edition="first", site_url="https://book.test/")
        answerer = make_answerer(services.retriever, extractive_generator(), LIMITS)
        testing, hello = (answer_from(answerer, text) for text in ("testing", "hello"))

    assert testing.text.startswith("Hello! I answer questions about") == is_talk
    assert ("Testing the dough" in testing.text) != is_talk
    assert hello.text.startswith("Hello! I answer questions about")


TECHNICAL = """# {heading}

```python
from ownership import the_value_of, what_is_moved

for value in the_value_of("a string that is moved"):
    # This is what the owner does with it: it is dropped at the end of the scope.
    print("The value and the owner of it", value, what_is_moved(value))
```

See [`Drop`](https://docs.code.test/std/ops/trait.Drop.html#what-is-dropped-and-when).

{text}
"""


@pytest.mark.parametrize(
    ("heading", "text", "question"),
    [
        (
            "所有权",
            "所有权是用于管理内存的一组规则。编译器会检查这些规则。",
            "所有权是用于管理内存的规则吗？",
        ),
        ("所有権", "所有権とは、メモリを管理するための規則です。", "所有権とはメモリを管理する規則ですか？"),
        ("स्वामित्व", "स्वामित्व मेमोरी के प्रबंधन के नियमों का समूह है।", "स्वामित्व क्या है?"),
        (
            "Володіння",
            "Володіння — це набір правил керування пам’яттю.",
            "Володіння — це правила керування пам’яттю?",
        ),
    ],
)
def test_technical_book_answers_in_its_own_language(
    new_database: DatabaseMaker, tmp_path: Path, heading: str, text: str, question: str
) -> None:
    """Most of its letters may be those of code, and its readers do not ask in English."""
    book = tmp_path / "book"
    book.mkdir()
    (book / "ownership.md").write_text(TECHNICAL.format(heading=heading, text=text), encoding="utf-8")

    with keyless_app(new_database, tmp_path) as app:
        services = services_of(app)
        services.ingestion.ingest_book(book, edition="first", site_url="https://book.test/")
        answer = answer_from(make_answerer(services.retriever, extractive_generator(), LIMITS), question)

    assert answer.status is Status.ANSWERED
    assert text.split("。")[0] in answer.text


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pieces",
    [
        ["NOT_IN_BOOK The book is silent on it."],
        ["NOT_IN_BOOK: The book is silent on it."],
        ["NOT_IN_BOOK.\n\nThe book is silent on it."],
        ["NOT_IN_BOOK – The book is silent on it."],
        ["**NOT_IN_BOOK** The book is silent on it."],
        ["`NOT_IN_BOOK`: The book is silent on it."],
        [" \n", "NOT_IN_BOOK", " The book is silent on it."],
        ["NOT", "_IN_", "BOOK", ":", " ", "The book is silent on it."],
        list("NOT_IN_BOOK: The book is silent on it."),
        list("  **NOT_IN_BOOK**\nThe book is silent on it."),
    ],
    ids=repr,
)
def test_refusal_is_told_without_its_word(retriever: Retriever, pieces: list[str]) -> None:
    """However the model wraps it, and wherever the provider cuts it."""
    answer = answer_of(retriever, *pieces)

    said, _, offered = answer.text.partition("\n\n")
    assert (answer.status, said) == (Status.REFUSED, "The book is silent on it.")
    assert offered.startswith("Nearest in the book: [Cheese](<")
    assert answer.sources
    assert not any(source.cited for source in answer.sources)


@pytest.mark.parametrize(
    "pieces", [["NOT_IN_BOOK"], ["NOT_", "IN_BOOK", ".", "\n"], [], ["  "], ["![x](y.png)"]]
)
@pytest.mark.parametrize("mode", list(Mode))
def test_refusal_without_a_sentence_gets_ours(retriever: Retriever, pieces: list[str], mode: Mode) -> None:
    """An empty answer says nothing to anyone."""
    selection = CHEDDAR if mode is Mode.SELECTED_TEXT else None
    question = Question("How long?", mode=mode, selected_text=selection)

    answer = answer_of(retriever, *pieces, question=question)

    said, _, _offered = answer.text.strip().partition("\n\n")
    assert (answer.status, said) == (Status.REFUSED, REFUSAL[mode])


def test_refusal_that_repeats_the_question_gets_our_sentence(retriever: Retriever) -> None:
    """Small models do."""
    answer = answer_of(retriever, "NOT_IN_BOOK ", "How long is the cheddar ", "ripened?")

    assert (answer.status, answer.text.partition("\n")[0]) == (Status.REFUSED, REFUSAL[Mode.FULL_BOOK])


@pytest.mark.parametrize(
    "written",
    [
        *(
            '"NOT_IN_BOOK"',
            "(NOT_IN_BOOK)",
            "[NOT_IN_BOOK]",
            "not_in_book",
            "NOT\\_IN\\_BOOK",
            "NOT_IN_BOOK?",
        ),
        *("Answer: NOT_IN_BOOK", "**Answer:** NOT_IN_BOOK", "- NOT_IN_BOOK", "## NOT_IN_BOOK"),
        *("NOT_IN_BOOK [1]", "Answer: NOT_IN_BOOK [1]", "```\nNOT_IN_BOOK\n```"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_decorated_refusal_is_one(retriever: Retriever, written: str, size: int) -> None:
    """Small models quote or list it; the rest was an answer of a sign or two, which was cached."""
    pieces = [written[at : at + size] for at in range(0, len(written), size)]

    answer = answer_of(retriever, *pieces)

    assert answer.status is Status.REFUSED
    assert answer.text.startswith(REFUSAL[Mode.FULL_BOOK])
    assert not is_cacheable(answer)


@pytest.mark.parametrize("written", ["[1]", "The answer is: NOT_IN_BOOK", "…", "**"])
def test_answer_that_says_nothing_is_a_refusal(retriever: Retriever, written: str) -> None:
    """Readers are told so."""
    answer = answer_of(retriever, written)

    assert answer.status is Status.REFUSED
    assert REFUSAL[Mode.FULL_BOOK] in answer.text
    assert not is_cacheable(answer)


INVENTED = "The dragon of the lake was slain by Zorro in 1804."


def test_made_up_answer_is_followed_by_what_the_book_certainly_says(retriever: Retriever) -> None:
    """The model found that the book answers; the reader is told what it says, and what was made up."""
    question = Question("How many months does Bob ripen the cheddar?")

    *_, last = events_of(retriever, INVENTED, question=question, own_words=extractive_generator())

    assert isinstance(last, Finished)
    answer, grounding = last.answer, last.answer.grounding
    said, disowned, introduction, _heading, own = answer.text.split("\n\n")[:5]
    assert (said, disowned) == (INVENTED, UNSUPPORTED[Mode.FULL_BOOK])
    assert introduction.startswith("In the book's own words")
    assert own == f"{CHEDDAR} [1]"
    assert (answer.status, answer.model) == (Status.ANSWERED, ScriptedGenerator.name)
    assert answer.sources[0].citations[0].text == CHEDDAR
    assert grounding is not None
    assert grounding.sentences - grounding.supported == 1
    assert grounding.supported == grounding.cited
    assert [answer.text[start:end] for start, end in grounding.unsupported] == [INVENTED]


@pytest.mark.parametrize(
    ("question", "pieces"),
    [
        pytest.param(Question("How long does Zorro ripen the cheddar?"), [INVENTED], id="unknown name"),
        pytest.param(HOW_LONG, ["NOT_IN_BOOK"], id="the model refuses"),
        pytest.param(
            Question("How long?", mode=Mode.SELECTED_TEXT, selected_text=CHEDDAR), [INVENTED], id="selection"
        ),
    ],
)
def test_made_up_answer_stays_refused_where_the_book_does_not_certainly_answer(
    retriever: Retriever, question: Question, pieces: list[str]
) -> None:
    """What the book nearly answers would be a second wrong answer, and a refusal may be right."""
    answer = answer_of(retriever, *pieces, question=question, own_words=extractive_generator())

    assert answer.status == Status.REFUSED
    assert "own words" not in answer.text


def test_time_that_is_over_behind_a_made_up_answer_leaves_it_refused(retriever: Retriever) -> None:
    """The reader has seen the words; an error instead of their end would help nobody."""
    late = ScriptedGenerator(DeadlineExceeded("over"))

    answer = answer_of(retriever, INVENTED, own_words=late)

    assert answer.status == Status.REFUSED
    assert answer.text.startswith(f"{INVENTED}\n\n{UNSUPPORTED[Mode.FULL_BOOK]}")


@pytest.mark.parametrize(
    "text",
    [
        *("NOTE: nine months [1].", "NOT in the cellar [1].", "**Nine** months [1]."),
        *("Answer: nine months [1].", "Answered: nine months [1].", "- Nine months [1]"),
    ],
)
def test_what_only_looks_like_the_beginning_of_a_refusal_is_an_answer(
    retriever: Retriever, text: str
) -> None:
    """Its first letters are held back, not lost."""
    answer = answer_of(retriever, *text)

    assert (answer.status, answer.text) == (Status.ANSWERED, text)


def test_sentinel_in_the_middle_of_an_answer_is_left_out(retriever: Retriever) -> None:
    """It is a word between the model and us."""
    answer = answer_of(retriever, "Nine months [1], but NOT_IN_BOOK why.")

    assert (answer.status, answer.text) == (Status.ANSWERED, "Nine months [1], but  why.")


def test_no_model_is_asked_where_nothing_was_found(retriever: Retriever) -> None:
    """It could only make something up."""
    generator = ScriptedGenerator("Nine months.")
    question = Question("How long is the cheddar ripened?", chapter_filter="no such chapter")

    *_, last = answerer_of(retriever, generator).answer(question, (), Deadline(20))

    assert generator.prompts == []
    assert isinstance(last, Finished)
    assert (last.answer.status, last.answer.sources, last.answer.model) == (Status.REFUSED, (), "extractive")


# --- a selection -------------------------------------------------------------------------------


def test_selection_is_the_only_passage_and_its_place_the_source(retriever: Retriever) -> None:
    """The reader asks about what is in front of him."""
    generator = ScriptedGenerator("Nine months [1].")
    question = Question("How long?", mode=Mode.SELECTED_TEXT, selected_text="the cheddar for nine months")
    talk = [Exchange("What is tea?", "A leaf.")]

    *_, last = answerer_of(retriever, generator).answer(question, talk, Deadline(20))

    (prompt,) = generator.prompts
    assert [passage.chunk.text for passage in prompt.passages] == ["the cheddar for nine months"]
    assert len(prompt.messages) == 1
    assert isinstance(last, Finished)
    assert [(source.path, source.cited) for source in last.answer.sources] == [("02-cheese.md", True)]


def test_selection_that_is_not_in_the_book_has_no_source(retriever: Retriever) -> None:
    """Its answer rests on the selection alone, and points to nothing."""
    question = Question("Where?", mode=Mode.SELECTED_TEXT, selected_text="The moon is far away tonight.")

    answer = answer_of(retriever, "Far away [1].", question=question)

    assert (answer.status, answer.sources, answer.text) == (Status.ANSWERED, (), "Far away .")


# --- the prompt --------------------------------------------------------------------------------


def test_talk_so_far_is_searched_with_and_shown(retriever: Retriever) -> None:
    """“And the cheddar?” says little alone."""
    generator = ScriptedGenerator("Nine months [1].")
    talk = [Exchange("How long is the cheddar ripened?", "Long [1].")]

    events = list(answerer_of(retriever, generator).answer(Question("And where?"), talk, Deadline(20)))

    (prompt,) = generator.prompts
    assert [role for role, _ in prompt.messages] == ["user", "assistant", "user"]
    assert isinstance(events[0], Retrieved)
    assert events[0].sources[0].path == "02-cheese.md"


def test_prompt_knows_the_words_of_the_question(retriever: Retriever) -> None:
    """A generator without a model has nothing else."""
    generator = ScriptedGenerator("Nine months [1].")

    list(answerer_of(retriever, generator).answer(Question("Cheddar or zeppelin?"), (), Deadline(20)))

    (prompt,) = generator.prompts
    assert "cheddar" in prompt.term_weights
    assert prompt.unknown_words == ("zeppelin",)
    assert (prompt.language, prompt.max_output_tokens) == ("english", 300)


# --- usage -------------------------------------------------------------------------------------


class Charging(ScriptedGenerator):
    """Charges what it is told."""

    def __init__(self, cost_usd: float | None) -> None:
        super().__init__("Nine months [1].")
        self.cost_usd = cost_usd

    def generate(self, prompt: Any, deadline: Deadline, generation: Generation) -> Iterator[str]:
        yield from super().generate(prompt, deadline, generation)
        generation.usage = Usage(input_tokens=10, output_tokens=3, cost_usd=self.cost_usd)


@pytest.mark.parametrize(
    ("embedding", "answering", "together"),
    [(0.1, 0.2, 0.3), (None, 0.2, None), (0.1, None, None), (0.0, 0.0, 0.0)],
)
def test_cost_is_the_sum_and_not_known_if_a_part_is_not(
    retriever: Retriever, embedding: float | None, answering: float | None, together: float | None
) -> None:
    """Half a cost would be taken for the whole."""
    answerer = answerer_of(retriever, Charging(answering), embedding_cost=embedding)

    *_, last = answerer.answer(HOW_LONG, (), Deadline(20))

    assert isinstance(last, Finished)
    assert last.answer.usage.cost_usd == (None if together is None else pytest.approx(together))
    assert (last.answer.usage.input_tokens, last.answer.usage.output_tokens) == (10, 3)


def test_answer_of_a_later_model_says_so(retriever: Retriever) -> None:
    """It may be a worse one."""
    chain = FallbackGenerator(
        [ScriptedGenerator(ProviderUnavailable("down")), ScriptedGenerator("Nine [1].")]
    )

    *_, last = answerer_of(retriever, chain).answer(HOW_LONG, (), Deadline(20))

    assert isinstance(last, Finished)
    assert last.answer.degraded == (Degradation.LLM_FALLBACK,)


# --- trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), AnswerCut("cut"), DeadlineExceeded("late")])
def test_error_of_the_generator_goes_to_the_caller_after_what_was_said(
    retriever: Retriever, error: Exception
) -> None:
    """Who records the turn keeps both."""
    events: list[Event] = []
    answering = answerer_of(retriever, ScriptedGenerator("Nine ", "months ", error))

    with pytest.raises(type(error)):
        events.extend(answering.answer(HOW_LONG, (), Deadline(20)))

    assert [event.text for event in events if isinstance(event, Delta)] == ["Nine", " months"]


@pytest.mark.parametrize("drawn", [2, 3])
def test_closing_ends_the_models_stream(retriever: Retriever, drawn: int) -> None:
    """Whether it has spoken much or little."""
    generator = ScriptedGenerator("Nine ", "months ", "[1].")
    events = answerer_of(retriever, generator).answer(HOW_LONG, (), Deadline(20))
    for _ in range(drawn):
        next(events)

    events.close()

    assert generator.closed == 1


def test_no_model_is_asked_for_a_reader_who_left_during_the_search(retriever: Retriever) -> None:
    """It would be paid for nobody."""
    generator = ScriptedGenerator("Nine months.")
    deadline = Deadline(20)
    events = answerer_of(retriever, generator).answer(HOW_LONG, (), deadline)
    next(events)

    deadline.cancel()

    with pytest.raises(Cancelled):
        next(events)


def test_edition_that_is_not_there_is_told_before_any_event(retriever: Retriever) -> None:
    """Then the reply can still have an honest status."""
    with pytest.raises(EditionNotFound):
        events_of(retriever, "Nine.", question=Question("How long?", book_version="none"))


def test_no_book_is_told_before_any_event(make_app: AppMaker) -> None:
    """A service that was just set up has none."""
    empty = services_of(make_app()).retriever

    with pytest.raises(NoBook):
        events_of(empty, "Nine.")
