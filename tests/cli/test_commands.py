"""Test the commands: what is printed on which stream, and the exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from flask_openapi import OpenAPI
from sqlalchemy import text

from ragbot.core.errors import AnswerCut
from ragbot.extensions import db
from tests.commands import failed_in_one_sentence
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.memory_store import MemoryStore
from tests.fakes.parts import ScriptedGenerator, WordCountEmbedder

CHEDDAR = "How long is the cheddar ripened?"


@pytest.fixture
def empty(make_app: AppMaker) -> OpenAPI:
    """Return an app without a book."""
    return make_app()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return the three-chapter book, to be rewritten."""
    return Path(shutil.copytree(THREE_CHAPTERS, tmp_path / "book"))


@pytest.fixture
def rewritten(book: Path) -> Path:
    """Return the book with another sentence about cheddar."""
    cheese = book / "02-cheese.md"
    cheese.write_text(cheese.read_text().replace("nine months", "four months"))
    return book


def flask(app: OpenAPI, *arguments: object) -> Result:
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


# --- book ingest -------------------------------------------------------------------------------


def test_ingest_tells_what_became_of_the_book(empty: OpenAPI, book: Path) -> None:
    """The operator sees at once whether it was the right folder."""
    result = flask(empty, "book", "ingest", book, "--edition", "first", "--site-url", "https://book.test/")

    assert result.exit_code == 0
    assert "Published edition first" in result.stdout
    assert "3 pages, 8 sections, 3 chunks" in result.stdout
    assert "3 new, 0 unchanged, 0 removed, 0 embedded" in result.stdout
    assert services_of(empty).editions.edition("first").site_url == "https://book.test/"


def test_ingest_tells_its_progress_on_standard_error(make_app: AppMaker, book: Path) -> None:
    """The report can be piped, and a log shows where a long run is."""
    result = flask(make_app(embedder=WordCountEmbedder()), "book", "ingest", book)

    stages = [line.split()[0] for line in result.stderr.splitlines()]
    assert list(dict.fromkeys(stages)) == ["read", "weigh", "embed", "index"]
    assert "embed 3/3" in result.stderr
    assert "embed" not in result.stdout.splitlines()[0]


def test_ingest_twice_is_as_once(empty: OpenAPI, book: Path) -> None:
    """It stands in a start script."""
    flask(empty, "book", "ingest", book)

    result = flask(empty, "book", "ingest", book)

    assert result.exit_code == 0
    assert "0 new, 3 unchanged, 0 removed" in result.stdout
    assert len(services_of(empty).editions.editions()) == 1


def test_ingest_if_none_leaves_a_published_book_alone(empty: OpenAPI, book: Path, rewritten: Path) -> None:
    """A demonstration's start must not push out the operator's own book."""
    flask(empty, "book", "ingest", THREE_CHAPTERS, "--edition", "first")

    result = flask(empty, "book", "ingest", rewritten, "--edition", "second", "--if-none")

    assert (result.exit_code, result.stdout) == (0, "")
    assert services_of(empty).editions.published().name == "first"


def test_ingest_names_the_files_that_it_skips(empty: OpenAPI, book: Path) -> None:
    """Otherwise a chapter is missing and nobody knows."""
    (book / "04-broken.md").write_bytes(b"\x00\x01")

    result = flask(empty, "book", "ingest", book)

    assert result.exit_code == 0
    assert "1 files skipped" in result.stdout
    assert "04-broken.md: " in result.stdout


def test_ingest_names_layout_language_links_and_warnings(empty: OpenAPI, book: Path) -> None:
    """A wrong folder or address shows in the report, and not in readers' complaints."""
    (book / "notes.rst").write_text("A note.")

    result = flask(empty, "book", "ingest", book)

    assert "read as a folder of Markdown; links to the files, as GitHub shows them; language: english" in (
        result.stdout
    )
    assert "first link: /01-bread.md\n" in result.stdout
    assert "left out: 1 .rst files. Its format is not read." in result.stdout
    assert "warning: No address of the book's site is set (--site-url)" in result.stdout


@pytest.mark.parametrize("address", ["www.example.org", "file:///x", "https://"])
def test_site_address_that_no_browser_opens_is_refused(empty: OpenAPI, book: Path, address: str) -> None:
    """It was taken without a word, and every link was dead."""
    result = flask(empty, "book", "ingest", book, "--site-url", address)

    assert result.exit_code == 2
    assert "must begin with https:// or http://" in result.stderr


def test_check_publishes_nothing_and_finds_dead_links(empty: OpenAPI, book: Path, tmp_path: Path) -> None:
    """The operator looks before readers do."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "01-bread.md").write_text("<h1>Bread</h1>")

    alone = flask(empty, "book", "check", book)
    against = flask(empty, "book", "check", book, "--built-site", tmp_path / "site")

    assert (alone.exit_code, services_of(empty).editions.published()) == (0, None)
    assert "3 pages, 8 sections, 3 chunks" in alone.stdout
    assert "pages alive: 1 of 3" in against.stdout
    assert failed_in_one_sentence(against)


def test_strict_ingest_fails_over_a_skipped_file(empty: OpenAPI, book: Path) -> None:
    """A pipeline looks at the exit code alone."""
    (book / "04-broken.md").write_bytes(b"\x00\x01")

    result = flask(empty, "book", "ingest", book, "--strict")

    assert failed_in_one_sentence(result)
    assert "04-broken.md" in result.stderr
    assert services_of(empty).editions.editions() == []


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_ingest_of_nothing_says_what_was_expected(empty: OpenAPI, tmp_path: Path, kind: str) -> None:
    """A mistyped path is the commonest fault."""
    (tmp_path / "empty").mkdir()

    result = flask(empty, "book", "ingest", tmp_path / kind)

    assert failed_in_one_sentence(result)
    assert str(tmp_path / kind) in result.stderr
    assert "Expected" in result.stderr


def test_ingest_while_the_embedder_is_down_is_one_sentence(make_app: AppMaker, book: Path) -> None:
    """The operator runs it again, and it goes on."""
    embedder = WordCountEmbedder()
    embedder.down = True

    result = flask(make_app(embedder=embedder), "book", "ingest", book)

    assert failed_in_one_sentence(result)


@pytest.mark.parametrize("name", ["", " ", "n" * 101, "two\nlines", "half \udcff"])
def test_name_that_no_caller_could_send_is_refused(empty: OpenAPI, book: Path, name: str) -> None:
    """PostgreSQL cuts no name, and `book_version` takes a hundred characters."""
    result = flask(empty, "book", "ingest", book, "--edition", name)

    assert result.exit_code == 2
    assert "--edition" in result.stderr
    assert services_of(empty).editions.editions() == []


# --- the other commands for books --------------------------------------------------------------


def test_list_marks_the_published_edition(empty: OpenAPI, book: Path, rewritten: Path) -> None:
    """It is what one looks at before going back."""
    flask(empty, "book", "ingest", THREE_CHAPTERS, "--edition", "first")
    flask(empty, "book", "ingest", rewritten, "--edition", "second")

    result = flask(empty, "book", "list")

    second, first = result.stdout.splitlines()
    assert second.startswith("* second ")
    assert first.startswith("  first ")
    assert "3 pages, 8 sections, 3 chunks, no vectors" in first


def test_list_without_editions_says_how_to_get_one(empty: OpenAPI) -> None:
    """An empty screen helps nobody; and standard output stays empty for scripts."""
    result = flask(empty, "book", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "flask book ingest" in result.stderr


def test_publish_takes_the_way_back(empty: OpenAPI, book: Path, rewritten: Path) -> None:
    """One command, for somebody in a hurry."""
    flask(empty, "book", "ingest", THREE_CHAPTERS, "--edition", "first")
    flask(empty, "book", "ingest", rewritten, "--edition", "second")

    result = flask(empty, "book", "publish", "first")

    assert (result.exit_code, result.stdout) == (0, "Published first.\n")
    assert services_of(empty).editions.published().name == "first"


def test_remove_deletes_an_edition_but_not_the_published_one(
    empty: OpenAPI, book: Path, rewritten: Path
) -> None:
    """Readers would be without a book."""
    flask(empty, "book", "ingest", THREE_CHAPTERS, "--edition", "first")
    flask(empty, "book", "ingest", rewritten, "--edition", "second")

    refused = flask(empty, "book", "remove", "second")
    removed = flask(empty, "book", "remove", "first")

    assert failed_in_one_sentence(refused)
    assert "publish another" in refused.stderr
    assert (removed.exit_code, removed.stdout) == (0, "Removed first.\n")


def test_reindex_builds_the_published_edition_or_the_named_one(empty: OpenAPI, book: Path) -> None:
    """After a lost Qdrant volume."""
    flask(empty, "book", "ingest", book, "--edition", "first")

    for named in ((), ("first",)):
        result = flask(empty, "book", "reindex", *named)

        assert (result.exit_code, result.stdout) == (0, "Rebuilt the index of first: 3 chunks.\n")


def test_reindex_builds_each_book_unless_one_is_named(empty: OpenAPI, book: Path) -> None:
    """What is lost with the volume is the index of all of them."""
    for slug in ("handbook-en", "handbook-de"):
        flask(empty, "book", "ingest", book, "--edition", "first", "--book", slug)

    every, one = flask(empty, "book", "reindex"), flask(empty, "book", "reindex", "--book", "handbook-de")

    english, german = (f"Rebuilt the index of handbook-{it}:first: 3 chunks.\n" for it in ("en", "de"))
    assert (every.exit_code, every.stdout) == (0, english + german)
    assert (one.exit_code, one.stdout) == (0, german)


def test_reindex_without_a_book_says_that_there_is_none(empty: OpenAPI) -> None:
    """It comes before the first ingestion."""
    result = flask(empty, "book", "reindex")

    assert failed_in_one_sentence(result)
    assert "flask book ingest" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("book", "publish", "third"),
        ("book", "remove", "third"),
        ("book", "reindex", "third"),
        ("ask", CHEDDAR, "--edition", "third"),
    ],
)
def test_edition_that_is_not_there_is_one_sentence_that_names_it(
    empty: OpenAPI, book: Path, command: tuple[str, ...]
) -> None:
    """The operator mistypes a name."""
    flask(empty, "book", "ingest", book)

    result = flask(empty, *command)

    assert failed_in_one_sentence(result)
    assert "'third'" in result.stderr


# --- ask ---------------------------------------------------------------------------------------


@pytest.fixture
def with_book(book_from_the_start: None, empty: OpenAPI) -> OpenAPI:
    return empty


def test_answer_is_printed_with_what_it_points_to(with_book: OpenAPI) -> None:
    """The first thing that an operator tries."""
    result = flask(with_book, "ask", CHEDDAR)

    assert result.exit_code == 0
    assert "nine months" in result.stdout
    assert "[1] Cheese" in result.stdout
    assert "https://book.test/02-cheese" in result.stdout
    assert "(session " in result.stderr


def test_answer_can_be_printed_alone(with_book: OpenAPI) -> None:
    """For scripts."""
    result = flask(with_book, "ask", CHEDDAR, "--no-sources")

    assert "https://" not in result.stdout


def test_question_that_the_book_does_not_answer_has_an_exit_code_of_its_own(with_book: OpenAPI) -> None:
    """A script can tell it from a failure; and it is written down as refused, not as stopped."""
    result = flask(with_book, "ask", "What is the capital of Mongolia?")

    assert result.exit_code == 3
    with with_book.app_context(), db.engine.connect() as connection:
        assert connection.scalars(text("SELECT status FROM messages")).all() == ["refused"]


def test_follow_up_goes_on_with_its_session(with_book: OpenAPI) -> None:
    """A talk can be held on the command line."""
    first = flask(with_book, "ask", CHEDDAR)
    session_id = first.stderr.rpartition("(session ")[2].partition(",")[0]

    flask(with_book, "ask", "And where does Bob ripen it?", "--session", session_id)

    assert services_of(with_book).conversations.session(session_id).message_count == 2


def test_session_that_is_not_there_is_one_sentence(with_book: OpenAPI) -> None:
    """It has expired, or was never one."""
    assert failed_in_one_sentence(flask(with_book, "ask", CHEDDAR, "--session", "never-was"))


def test_question_without_a_book_says_how_to_get_one(empty: OpenAPI) -> None:
    """The second thing that an operator tries, in the wrong order."""
    result = flask(empty, "ask", CHEDDAR)

    assert failed_in_one_sentence(result)
    assert "flask book ingest" in result.stderr


@pytest.mark.parametrize("question", ["", "   ", "a" * 2001, "half \udcff"])
def test_question_that_the_api_would_refuse_is_refused(with_book: OpenAPI, question: str) -> None:
    """Bytes that are no text come in so from a terminal."""
    result = flask(with_book, "ask", question)

    assert result.exit_code == 2
    assert "QUESTION" in result.stderr


def test_answer_that_breaks_off_is_one_sentence_and_kept(make_app: AppMaker, book: Path) -> None:
    """What was said is on the screen and in the database."""
    app = make_app(generator=ScriptedGenerator("Nine months and ", AnswerCut("The model's stream broke.")))
    flask(app, "book", "ingest", book)

    result = flask(app, "ask", CHEDDAR)

    assert failed_in_one_sentence(result)
    assert "Nine" in result.stdout
    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalars(text("SELECT status FROM messages")).all() == ["failed"]


# --- session, eval -----------------------------------------------------------------------------


def test_prune_says_what_it_did(with_book: OpenAPI) -> None:
    """It runs from a timer whose mail is read."""
    result = flask(with_book, "session", "prune")

    assert (result.exit_code, result.stdout) == (0, "Marked 0 messages as failed, deleted 0 sessions.\n")


QUESTIONS = [
    {
        "id": "q1",
        "type": "fact",
        "question": CHEDDAR,
        "gold": [{"path": "02-cheese.md", "heading": "Ripening", "quote": "nine months"}],
    },
    {"id": "q2", "type": "unanswerable", "question": "What is the capital of Mongolia?", "gold": []},
]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    return path


def test_eval_prints_figures_and_writes_them(with_book: OpenAPI, questions: Path, tmp_path: Path) -> None:
    """A release is compared with the one before it."""
    figures = tmp_path / "figures.json"

    result = flask(with_book, "eval", questions, "--json", figures, "--verdicts")

    written = json.loads(figures.read_text())
    assert result.exit_code == 0
    assert "q1  fact" in result.stdout
    assert written["questions"] == 2
    assert written["section_recall"]["1"] == 1.0
    assert written["quotes_verbatim"] == 1.0
    assert "mrr" in result.stdout


def test_eval_writes_each_answer_with_what_is_needed_to_judge_it(
    make_app: AppMaker, book: Path, questions: Path, tmp_path: Path
) -> None:
    """Figures say how many are wrong, and only reading says why."""
    said = "Bob ripens the cheddar for nine months. It is the best in town."
    app = make_app(generator=ScriptedGenerator(said))
    flask(app, "book", "ingest", book)
    path = tmp_path / "answers.jsonl"

    result = flask(app, "eval", questions, "--answers", path)

    cheddar, mongolia = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert result.exit_code == 0
    assert (cheddar["id"], cheddar["question"], cheddar["status"]) == ("q1", CHEDDAR, "answered")
    assert cheddar["gold"] == ["nine months"]
    assert cheddar["grounding"]["unsupported"] == ["It is the best in town."]
    assert "nine months" in cheddar["sources"][0]["text"]
    assert cheddar["sources"][0]["cited"]
    assert 0 < cheddar["first_word_ms"] <= cheddar["total_ms"]
    assert (mongolia["id"], mongolia["status"]) == ("q2", "refused")
    assert "model.sentences_marked     0.5" in result.stdout


def test_eval_of_a_sample_asks_so_many(with_book: OpenAPI, questions: Path, tmp_path: Path) -> None:
    """A whole set costs money, or an hour of a small machine."""
    path = tmp_path / "answers.jsonl"

    result = flask(with_book, "eval", questions, "--sample", "1", "--answers", path)

    assert result.exit_code == 0
    assert len(path.read_text().splitlines()) == 1
    assert "questions                  1" in result.stdout


def test_eval_gives_a_question_the_time_that_a_reader_has(
    make_app: AppMaker, book: Path, questions: Path
) -> None:
    """An answer that no reader would get is a failed one, and the next question is asked."""
    app = make_app({"QUERY_DEADLINE_S": 1e-6}, generator=ScriptedGenerator("Nine months."))
    flask(app, "book", "ingest", book)

    result = flask(app, "eval", questions)

    assert result.exit_code == 0
    assert "failed                     2" in result.stdout


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty"), ('{"id": "q1"}\n', "line 1"), ("not json\n", "line 1")]
)
def test_eval_of_a_broken_set_names_the_line(
    with_book: OpenAPI, tmp_path: Path, content: str, said: str
) -> None:
    """A set is written by hand."""
    (tmp_path / "set.jsonl").write_text(content)

    result = flask(with_book, "eval", tmp_path / "set.jsonl")

    assert failed_in_one_sentence(result)
    assert said in result.stderr


def test_eval_of_a_set_that_is_not_there_is_one_sentence(with_book: OpenAPI, tmp_path: Path) -> None:
    """A mistyped path."""
    assert failed_in_one_sentence(flask(with_book, "eval", tmp_path / "nothing.jsonl"))


def test_eval_that_cannot_write_its_answers_asks_nothing(
    with_book: OpenAPI, questions: Path, tmp_path: Path
) -> None:
    """An hour would be lost."""
    result = flask(with_book, "eval", questions, "--answers", tmp_path / "no-such-folder" / "answers.jsonl")

    assert failed_in_one_sentence(result)
    assert "answers.jsonl cannot be written" in result.stderr


def test_eval_that_cannot_write_its_figures_is_one_sentence(
    with_book: OpenAPI, questions: Path, tmp_path: Path
) -> None:
    """They are on the screen all the same."""
    result = flask(with_book, "eval", questions, "--json", tmp_path / "no-such-folder" / "figures.json")

    assert failed_in_one_sentence(result)
    assert "mrr" in result.stdout


# --- when a part is down -----------------------------------------------------------------------


COMMANDS: dict[str, tuple[object, ...]] = {
    "ingest": ("book", "ingest", THREE_CHAPTERS),
    "list": ("book", "list"),
    "publish": ("book", "publish", "first"),
    "remove": ("book", "remove", "first"),
    "reindex": ("book", "reindex"),
    "ask": ("ask", CHEDDAR),
    "prune": ("session", "prune"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_database_without_tables_is_one_sentence_that_says_what_to_do(
    make_app: AppMaker, unmigrated_url: str, command: str
) -> None:
    """The operator forgot to migrate."""
    app = make_app({"DATABASE_URL": unmigrated_url})

    result = flask(app, *COMMANDS[command])

    assert failed_in_one_sentence(result)
    assert "flask db upgrade" in result.stderr


@pytest.mark.parametrize("command", ["ingest", "publish", "remove", "reindex", "ask"])
def test_index_that_is_down_is_one_sentence(make_app: AppMaker, book: Path, command: str) -> None:
    """A Qdrant server that is not there."""
    store = MemoryStore(lambda _: [])
    app = make_app(store=store)
    flask(app, "book", "ingest", THREE_CHAPTERS, "--edition", "first")
    store.down = True

    assert failed_in_one_sentence(flask(app, *COMMANDS[command]))
