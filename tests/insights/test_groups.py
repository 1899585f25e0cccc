"""Test which questions are put together, on a set of 60 intents in five wordings each."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, insert, select

from ragbot.core.deadline import Deadline
from ragbot.core.errors import ProviderUnavailable
from ragbot.core.ports import EmbeddingResult
from ragbot.insights.groups import MOST_COMPARED, Floats, QuestionGrouper, QuestionSpace, word_vector
from ragbot.providers.local_embedder import LocalEmbedder, similarity
from ragbot.storage.asked_questions import asked_questions, question_groups
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.question_groups import QuestionGroupStore, StoredGroup
from tests.insights.rows import question_row

pytestmark = pytest.mark.sqlite_is_enough

INTENTS = [
    intent.split("\n")
    for intent in (Path(__file__).parent / "data" / "intents.txt").read_text().strip().split("\n\n")
]


@pytest.fixture
def database(migrated_database: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(migrated_database, tmp_path / "ragbot.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'ragbot.db'}")
    make_sqlite_safe(engine, 5)
    yield Database(engine)
    engine.dispose()


class WordEmbedder:
    """Embed a question as the number of times that it says cheese and milk."""

    name = "test/cheese"
    fails = False

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: list[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if self.fails:
            raise ProviderUnavailable("The embedder is down.")
        self.texts += texts
        return EmbeddingResult([[float(text.count(word)) for word in ("cheese", "milk")] for text in texts])


def add(database: Database, *words: str, **values: object) -> None:
    with database.writing() as connection:
        connection.execute(insert(asked_questions), [question_row(words=one, **values) for one in words])


def groups(database: Database) -> dict[str, int]:
    """Return the group of each wording."""
    with database.reading() as connection:
        rows = connection.execute(select(asked_questions.c.words, asked_questions.c.group_id)).all()
    return {row.words: row.group_id for row in rows}


def pairwise_f1(intents: dict[str, int], found: dict[str, int]) -> float:
    """Return F1 over all pairs of questions: whether the two are put together."""
    right = wrong = missed = 0
    for one, other in combinations(intents, 2):
        same, together = intents[one] == intents[other], found[one] == found[other]
        right += same and together
        wrong += together and not same
        missed += same and not together
    return 2 * right / (2 * right + wrong + missed)


@pytest.mark.parametrize(("embedder", "least"), [(LocalEmbedder, 0.9), (lambda: None, 0.6)])
def test_questions_that_ask_the_same_are_put_together(
    database: Database, embedder: Callable[[], LocalEmbedder | None], least: float
) -> None:
    """In the order in which readers ask: mixed. By vectors, and by words where there are none."""
    intents = {words: number for number, intent in enumerate(INTENTS) for words in intent}
    asked = list(intents)
    random.Random(7).shuffle(asked)
    add(database, *asked)

    QuestionGrouper(
        QuestionGroupStore(database), embedder(), understands=LocalEmbedder.understands, similarity=similarity
    ).group_new()

    assert (len(INTENTS), {len(intent) for intent in INTENTS}) == (60, {5})
    assert pairwise_f1(intents, groups(database)) >= least


def test_groups_stay_from_day_to_day(database: Database) -> None:
    """An author comes back to a group by its address."""
    grouper = QuestionGrouper(QuestionGroupStore(database), None)
    add(database, "How do I read a file?", "How do I sort a list?")
    grouper.group_new()
    before = groups(database)

    add(database, "reading a file", "What is a trait?")
    assert grouper.group_new() == 2

    after = groups(database)
    assert {words: after[words] for words in before} == before
    assert after["reading a file"] == before["How do I read a file?"]
    assert after["What is a trait?"] not in before.values()
    assert grouper.group_new() == 0


def test_same_words_are_embedded_once(database: Database) -> None:
    """Most repeated questions come from the cache, without a vector."""
    embedder = WordEmbedder()
    grouper = QuestionGrouper(QuestionGroupStore(database), embedder)
    add(database, "Where is the cheese?", "where is the  cheese")
    grouper.group_new()
    add(database, "Where is the cheese?")

    grouper.group_new()

    assert embedder.texts == ["Where is the cheese?"]
    assert len(set(groups(database).values())) == 1


def test_vector_that_is_stored_is_used_and_deleted(database: Database) -> None:
    """Words could be guessed from it."""
    embedder = WordEmbedder()
    packed = np.array([127, 0], dtype=np.int8).tobytes()
    add(database, "Eat?", embedder=embedder.name, vector=packed)

    QuestionGrouper(QuestionGroupStore(database), embedder).group_new()

    with database.reading() as connection:
        row = connection.execute(select(asked_questions)).one()
        group = connection.execute(select(question_groups)).one()
    assert (row.vector, row.embedder, row.group_id) == (None, None, group.id)
    assert (group.space, group.members) == (embedder.name, 1)
    assert np.frombuffer(group.centroid, dtype="<f4").tolist() == [1.0, 0.0]
    assert embedder.texts == []


def test_embedder_that_fails_leaves_questions_for_later(database: Database) -> None:
    """The next run groups them, and is told that it is needed."""
    embedder = WordEmbedder()
    grouper = QuestionGrouper(QuestionGroupStore(database), embedder)
    add(database, "milk")
    embedder.fails = True
    with pytest.raises(ProviderUnavailable):
        grouper.group_new()
    embedder.fails = False

    assert grouper.group_new() == 1


def test_question_that_cannot_be_compared_leaves_the_others_grouped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reader must not end the grouping of every book."""

    def word_vector_or_error(words: str, language: str) -> Floats:
        if "hostile" in words:
            raise IndexError("string index out of range")
        return word_vector(words, language)

    monkeypatch.setattr("ragbot.insights.groups.word_vector", word_vector_or_error)
    add(database, "a hostile question", "What is a trait?", "a hostile question", "the trait")

    grouped = QuestionGrouper(QuestionGroupStore(database), None).group_new()

    found = groups(database)
    assert grouped == 2
    assert found["a hostile question"] is None
    assert found["What is a trait?"] == found["the trait"] is not None


def test_batch_that_fails_does_not_hold_up_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question that the embedder does not take is no reason to leave all that come after it."""
    monkeypatch.setattr("ragbot.insights.groups._AT_ONCE", 1)
    embedder = WordEmbedder()
    grouper = QuestionGrouper(QuestionGroupStore(database), embedder)
    packed = np.array([127, 0], dtype=np.int8).tobytes()
    add(database, "milk")
    add(database, "cheese", embedder=embedder.name, vector=packed)
    embedder.fails = True

    with pytest.raises(ProviderUnavailable):
        grouper.group_new()

    assert [words for words, group in groups(database).items() if group] == ["cheese"]


def test_books_have_groups_of_their_own(database: Database) -> None:
    """Each author reads of her own readers."""
    grouper = QuestionGrouper(QuestionGroupStore(database), None)
    add(database, "What is a trait?")
    add(database, "what is a trait", book="other")

    grouper.group_new()

    assert len(set(groups(database).values())) == 2


def test_question_without_words_has_no_group(database: Database) -> None:
    """There is nothing to compare."""
    with database.writing() as connection:
        connection.execute(insert(asked_questions).values(question_row(words=None)))

    assert QuestionGrouper(QuestionGroupStore(database), None).group_new() == 0


def test_full_space_replaces_its_smallest_groups() -> None:
    """Memory and time are limited, whatever readers ask."""
    large = StoredGroup(1, np.array([9, 0], dtype="<f4").tobytes(), 9)
    small = [StoredGroup(n, np.array([-1, 0], dtype="<f4").tobytes(), 1) for n in range(2, MOST_COMPARED + 1)]
    space = QuestionSpace([large, *small], 2, lambda cosine: cosine >= 0.9)

    new, known = space.assign(np.array([[0, 1], [1, 0]], dtype=np.float32))

    assert space.stored(known).id == 1
    assert (space.stored(new).id, space.stored(new).members) == (None, 1)
