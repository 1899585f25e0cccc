"""Test the reranking of passages by headings, coverage and kind of section."""

from __future__ import annotations

from dataclasses import replace

from ragbot.answering.reranking import CLOSEST, CLOSEST_WEIGHTS, FEATURES, WEIGHTS, passage_features, rerank
from ragbot.bootstrap.extractive import passage_reader
from ragbot.core.domain import Passage
from ragbot.index.analysis import Analyzer
from tests.answering.shelf import passage

READER = passage_reader()
ENGLISH = Analyzer("english")
FILLER = "The cellar is tiled and cool, milk comes at six in the morning, and nobody hurries there. " * 5


def section(text: str, *headings: str, score: float = 1.0) -> Passage:
    """Return a passage of some length under these headings."""
    path = headings or ("Dairy",)
    found = passage(f"{text} {FILLER}", score=score, heading_path=path, title=path[0])
    return replace(found, chunk=replace(found.chunk, id=f"{path} {text}"))


def weights_of(question: str) -> dict[str, float]:
    return dict.fromkeys(map(ENGLISH.stem, ENGLISH.question_words(question)), 2.0)


def ranked(question: str, *passages: Passage) -> list[Passage]:
    return rerank(passages, question, weights_of(question), language="english", reader=READER)


def features_of(question: str, found: Passage) -> dict[str, float]:
    (row,) = passage_features([found], question, weights_of(question), language="english", reader=READER)
    return dict(zip(FEATURES, row, strict=True))


def first_of(question: str, *passages: Passage) -> tuple[str, ...]:
    """Return the headings of the passage that comes first."""
    return ranked(question, *passages)[0].chunk.heading_path


def test_same_passages_come_back() -> None:
    """None is lost, none is new."""
    given = [section(f"Cow {n} gives milk.", f"Cow {n}", score=1 / n) for n in range(1, 9)]

    found = ranked("Which cow gives milk?", *given)

    assert sorted(one.chunk.id for one in found) == sorted(one.chunk.id for one in given)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_order_of_the_search_counts_among_equals() -> None:
    """It has seen the vectors."""
    given = [section("Milk comes at six.", "A", score=0.9), section("Milk comes at six.", "B", score=0.5)]

    assert first_of("When does the milk come?", *given) == ("A",)


def test_section_whose_heading_is_the_question_comes_first() -> None:
    """ "What is ROS 2?" has a section of that name."""
    assert first_of(
        "Installing on Windows",
        section("Installing on Windows was asked about on Linux.", "Setup", "Questions", score=1.0),
        section("Run the installer.", "Setup", "Installing on Windows", score=0.6),
    ) == ("Setup", "Installing on Windows")


def test_section_that_holds_all_the_words_comes_before_one_that_holds_some() -> None:
    """The rest of the question is what tells them apart."""
    assert first_of(
        "How long is the cheddar ripened in the cellar?",
        section("A cellar is a room.", "Cellars", score=1.0),
        section("The cheddar is ripened in the cellar for long.", "Ageing", score=0.8),
    ) == ("Ageing",)


def test_section_that_defines_comes_first_where_a_meaning_is_asked_for() -> None:
    """Others only use the word."""
    assert first_of(
        "What is curd?",
        section("Bob cuts the curd.", "Cutting", score=1.0),
        section("Curd is what milk becomes.", "Words", score=0.7),
    ) == ("Words",)


def test_section_of_links_comes_last() -> None:
    """It names every word and answers nothing."""
    links = " ".join(f"[Ripening cheddar {n}](c{n}.md)" for n in range(20))
    navigation = passage(links, score=1.0, heading_path=("Home",), title="Home", tokens=200)

    assert first_of(
        "How is cheddar ripened?", navigation, section("The cheddar is ripened by Bob.", score=0.9)
    ) == ("Dairy",)


def test_side_section_counts_less_unless_it_is_asked_for() -> None:
    """Objectives repeat the words of their chapter."""
    objectives = section("Ripen a cheddar.", "Dairy", "Learning Objectives")

    assert features_of("How do I ripen a cheddar?", objectives)["side"] == 1
    assert features_of("Learning objectives", objectives)["side"] == 0
    assert dict(zip(FEATURES, WEIGHTS, strict=True))["side"] < 0


def test_words_that_stand_side_by_side_count_more() -> None:
    """ "Hard cheese" is not "cheese" and "hard"."""
    together = features_of("Is hard cheese sold?", section("Hard cheese is sold."))
    apart = features_of("Is hard cheese sold?", section("Cheese is sold, and hard it is."))

    assert together["pairs"] > apart["pairs"]


def test_caption_comes_behind_text() -> None:
    """A chunk of a few words is seldom more."""
    caption = passage("Cheddar is ripened.", score=1.0, heading_path=("A",), title="A")

    assert features_of("How is cheddar ripened?", caption)["short"] == 1
    assert features_of("How is cheddar ripened?", section("Cheddar is ripened."))["short"] == 0


def test_nothing_to_rank_is_nothing() -> None:
    """A search may find none."""
    assert ranked("What?") == []


def test_passage_with_the_closest_sentence_comes_first() -> None:
    """The reader asked in other words than the book's, and another passage has hers by chance."""
    question = "Where is the dairy kept cool?"
    given = [
        section("The cool dairy is closed.", "Opening"),
        section("Cheese stays in the cellar.", "Cellar"),
    ]

    def first(closest: list[tuple[float, float]]) -> tuple[str, ...]:
        found = rerank(
            given, question, weights_of(question), language="english", reader=READER, closest=closest
        )
        return found[0].chunk.heading_path

    assert first([]) == ("Opening",)
    assert first([(0.2, 0.1), (0.7, 0.5)]) == ("Cellar",)
    assert first([(0.7, 0.5), (0.2, 0.1)]) == ("Opening",)


def test_each_feature_has_a_weight() -> None:
    """They are counted off from the left."""
    assert len(WEIGHTS) == len(FEATURES)
    assert len(CLOSEST_WEIGHTS) == len(FEATURES) + len(CLOSEST)
