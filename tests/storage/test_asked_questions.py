"""Test what is kept of questions apart from their sessions, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ragbot.core.answers import Answer, Grounding, Mode, Question, QuestionEmbedding, Source, Status
from ragbot.insights.masking import mask_personal_data
from ragbot.storage.asked_questions import (
    AskedQuestion,
    AskedQuestionWriter,
    asked_questions,
    packed,
    page_path,
    question_groups,
)
from ragbot.storage.conversations import ConversationStore, sessions
from ragbot.storage.database import Database

SOURCE = Source(
    id="e3d9c368-643f-5fd3-9232-4f370f1fa39e",
    chapter="Cheese",
    section="Ripening",
    heading_path=("Cheese", "Ripening"),
    path="02-cheese.md",
    url="https://book.test/02-cheese#ripening",
    quote="Nine months.",
    score=0.2,
    cited=True,
)
ANSWER = Answer(
    text="Nine months [1].",
    status=Status.ANSWERED,
    sources=(SOURCE, replace(SOURCE, heading_path=("Cheese", "Salt"), cited=False)),
    mode=Mode.FULL_BOOK,
    book_version="first",
    model="test/scripted",
    grounding=Grounding(2, 1, 1),
)
QUESTION = Question("How long is cheddar ripened?", page_url="https://bob:pw@book.test/02-cheese?u=bob#x")


def store(database: Database, **options: Any) -> ConversationStore:
    return ConversationStore(
        database, 24, turn_limit_s=90, asked=AskedQuestionWriter(**{"days": 90, "mask": str.upper, **options})
    )


def ask(
    conversations: ConversationStore, question: Question = QUESTION, answer: Answer = ANSWER
) -> tuple[str, str]:
    """Take a whole turn; returns the ids of its session and its message."""
    turn = conversations.open_turn(question, None)
    assert turn.session_id is not None
    assert turn.message_id is not None
    embedding = QuestionEmbedding("test/words", [0.5, -1.0])
    conversations.close_turn(turn.message_id, answer, asked=AskedQuestion(question, 12.5, embedding))
    return turn.session_id, turn.message_id


def rows(database: Database) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(select(asked_questions).order_by(asked_questions.c.id)))


def test_question_is_kept_without_its_session(database: Database) -> None:
    """What an author learns of it, masked, at a time that is rounded to the hour."""
    ask(store(database))

    (row,) = rows(database)
    assert row.words == "HOW LONG IS CHEDDAR RIPENED?"
    assert (row.page, row.outcome, row.book, row.book_version) == (
        "/02-CHEESE",
        "answered",
        "default",
        "first",
    )
    assert (row.cited, row.nearest) == ("02-cheese.md\tCheese > Ripening", "")
    assert (row.sentences, row.supported, row.first_word_ms) == (2, 1, 12.5)
    assert (row.asked_at.minute, row.asked_at.second, row.asked_at.microsecond) == (0, 0, 0)
    assert not {"session_id", "address", "user_agent"} & set(asked_questions.c.keys())


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/part1/ch2/sec3/lab4", "/part1/ch2/sec3/lab4"),
        ("/chapter1/section2/lesson3/topic4/", "/chapter1/section2/lesson3/topic4/"),
        ("/docs/ros2/ch3/lab4/step5.html", "/docs/ros2/ch3/lab4/step5.html"),
        ("/blog/2024/05/12/post", "/blog/2024/05/12/post"),
        ("/reset/3f9c0d2b7a4e4b1c9d2c7a80c1b5e4f6", "/reset/[key]"),
        ("/u/jane@example.com", "/u/[email]"),
        ("/u/jane%40example.com", "/u/[email]"),
    ],
)
def test_path_of_a_page_is_kept_but_for_the_secrets_in_it(database: Database, path: str, kept: str) -> None:
    """Numbered chapters look like a key, and dates like a telephone."""
    question = Question("How long?", page_url=f"https://book.test{path}")

    ask(store(database, mask=mask_personal_data), question)

    assert [row.page for row in rows(database)] == [kept]


def test_refusal_keeps_the_sections_that_are_nearest(database: Database) -> None:
    """They tell where an answer would belong."""
    refused = replace(ANSWER, status=Status.REFUSED, sources=(replace(SOURCE, cited=False),))

    ask(store(database), answer=refused)

    (row,) = rows(database)
    assert (row.outcome, row.cited, row.nearest) == ("refused", "", "02-cheese.md\tCheese > Ripening")


def test_vector_of_words_that_were_masked_is_not_kept(database: Database) -> None:
    """Words can be guessed from it."""
    ask(store(database))
    ask(store(database, mask=lambda text: text))

    masked, plain = rows(database)
    assert (masked.vector, masked.embedder) == (None, None)
    assert (plain.vector, plain.embedder) == (packed([0.5, -1.0]), "test/words")


def test_words_can_be_left_out(database: Database) -> None:
    """With INSIGHTS_WORDS=false, of the reason too."""
    conversations = store(database, keeps_words=False)
    session_id, message_id = ask(conversations)
    conversations.rate(session_id, message_id, "down", "I am Bob")

    (row,) = rows(database)
    assert (row.words, row.vector, row.reason, row.rating) == (None, None, None, "down")


def test_nothing_is_kept_with_no_days(database: Database) -> None:
    """And what was kept before is deleted by the next pruning."""
    ask(store(database))
    conversations = store(database, days=0)
    ask(conversations)

    assert len(rows(database)) == 1
    conversations.prune()

    assert rows(database) == []


def test_rating_comes_later(database: Database) -> None:
    """With its reason, masked; the last one wins."""
    conversations = store(database)
    session_id, message_id = ask(conversations)

    conversations.rate(session_id, message_id, "down", "too short")
    conversations.rate(session_id, message_id, "up", None)
    conversations.rate(session_id, message_id, "down", "wrong cheese")

    (row,) = rows(database)
    assert (row.rating, row.reason) == ("down", "WRONG CHEESE")


def test_reader_who_deletes_the_session_deletes_what_was_kept(database: Database) -> None:
    """Of it alone, with the group that only this question was in."""
    conversations = store(database)
    session_id, message_id = ask(conversations)
    ask(conversations)
    with database.writing() as connection:
        group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
        connection.execute(insert(question_groups).values(id=7, **group))
        mine = asked_questions.c.message_id == message_id
        connection.execute(update(asked_questions).where(mine).values(group_id=7))

    conversations.delete_session(session_id)

    (row,) = rows(database)
    assert row.message_id not in (None, message_id)
    with database.reading() as connection:
        assert connection.execute(select(question_groups)).all() == []


def test_question_outlives_a_session_that_expires(database: Database) -> None:
    """Nothing leads back to the session then."""
    conversations = store(database)
    ask(conversations)
    with database.writing() as connection:
        connection.execute(update(sessions).values(expires_at=datetime.now(UTC) - timedelta(minutes=1)))

    conversations.prune()

    (row,) = rows(database)
    assert row.message_id is None
    assert row.words


def test_old_questions_are_pruned(database: Database) -> None:
    """After the days of the setting; newer ones are not."""
    conversations = store(database)
    for _ in range(3):
        ask(conversations)
    with database.writing() as connection:
        first, second, third = connection.scalars(select(asked_questions.c.id).order_by(asked_questions.c.id))
        old = {"asked_at": datetime.now(UTC) - timedelta(days=91)}
        connection.execute(update(asked_questions).where(asked_questions.c.id == first).values(old))
        newer = {"asked_at": datetime.now(UTC) - timedelta(days=89)}
        connection.execute(update(asked_questions).where(asked_questions.c.id == second).values(newer))

    conversations.prune()

    assert [row.id for row in rows(database)] == [second, third]


def test_turn_that_is_closed_twice_is_kept_once(database: Database) -> None:
    """An answer may be written late, by two threads."""
    conversations = store(database)
    _, message_id = ask(conversations)

    conversations.close_turn(message_id, ANSWER, asked=AskedQuestion(QUESTION))

    assert len(rows(database)) == 1


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (None, ""),
        ("https://book.test/a/b?x=1#c", "/a/b"),
        ("https://[broken", ""),
        ("/a", "/a"),
        ("https://book.test/Joints%20%28revolute%29.html", "/Joints (revolute).html"),
        ("https://book.test/" + "%E7%AB%A0" * 50, "/" + "章" * 50),
    ],
)
def test_page_is_kept_as_its_path(url: str | None, path: str) -> None:
    """Its query may have a reader's name. A name in another script is not cut short by its encoding."""
    assert page_path(url) == path
