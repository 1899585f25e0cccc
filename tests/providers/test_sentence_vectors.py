"""Test the vectors of sentences that are made with a chunk's own one, with the real local model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ragbot.providers.local_embedder import LONGEST_TOKENS, LocalEmbedder
from ragbot.providers.sentence_vectors import (
    UNKNOWN,
    StoredSentenceVectors,
    packed_sentences,
    similarities,
    spans_of,
)
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.ingestion.app_state import answer

HEADINGS = "Dairy > Cellar\n\n"
SENTENCES = [
    "The wheels stay on boards of spruce for nine months.",
    "Nobody may smoke down there.",
    "Visitors get a coat at the door, since it is cold.",
]
TEXT = HEADINGS + " ".join(SENTENCES)


def test_vectors_are_made_without_parts_of_numpy_that_are_loaded_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two threads that load one at once may end in a RecursionError, and the ingestion with them."""

    def refuse(name: str) -> None:
        raise RecursionError(name)

    monkeypatch.delattr(np, "ma", raising=False)
    monkeypatch.setattr(np, "__getattr__", refuse)

    packed = packed_sentences("One. Two.", [(0, 3), (3, 4), (5, 8)], np.eye(3))

    assert int.from_bytes(packed[:4], "little") == 2


@pytest.fixture(scope="module")
def embedder() -> LocalEmbedder:
    return LocalEmbedder()


def compared(embedder: LocalEmbedder, question: str, text: str, units: list[str]) -> list[float]:
    """Return the similarity of a question to the units of a text, as an answer gets it."""
    vector = embedder.embed([question]).vectors[0]
    return stored_of(embedder, text).similarities(vector, [(text, units)])[0]


def stored_of(embedder: LocalEmbedder, *known: str) -> StoredSentenceVectors:
    """Return the stored vectors of some texts."""
    packed = dict(zip(known, embedder.embed(known).sentences, strict=True))
    return StoredSentenceVectors(lambda texts: {one: packed[one] for one in texts if one in packed})


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("How long does cheese ripen?", 0),
        ("Are cigarettes allowed in the vault?", 1),
        ("What should guests wear against the low temperature?", 2),
    ],
)
def test_sentence_that_means_what_is_asked_is_most_similar(
    embedder: LocalEmbedder, question: str, place: int
) -> None:
    """It shares no word with the question."""
    found = compared(embedder, question, TEXT, SENTENCES)

    assert max(found) == found[place]
    assert all(-1 < one < 1 for one in found)


def test_text_is_as_close_as_its_closest_sentences(embedder: LocalEmbedder) -> None:
    """A long passage that answers in one sentence must not stand behind a short one that answers in none."""
    other = "Dairy > Boats\n\nThe ferry leaves at nine. It costs two pounds."
    question = embedder.embed(["Are cigarettes allowed in the vault?"]).vectors[0]
    stored = stored_of(embedder, TEXT, other)

    (best, mean), (best_of_other, mean_of_other) = stored.closest(question, [TEXT, other])

    assert best == pytest.approx(max(stored.similarities(question, [(TEXT, SENTENCES)])[0]), abs=0.01)
    assert best > mean > 0
    assert best > best_of_other
    assert mean > mean_of_other


def test_texts_are_not_compared_unless_all_are_known(embedder: LocalEmbedder) -> None:
    """A passage must not fall behind because an older version has stored it."""
    question = embedder.embed(["Why?"]).vectors[0]

    assert stored_of(embedder, TEXT).closest(question, [TEXT, "Another text."]) == []
    assert stored_of(embedder).closest(question, []) == []


def test_sentences_are_loaded_once(embedder: LocalEmbedder) -> None:
    """A question ranks thirty passages by them, and then chooses units of fourteen."""
    question = embedder.embed(["Why?"]).vectors[0]
    packed = {TEXT: embedder.embed([TEXT]).sentences[0]}
    asked: list[list[str]] = []

    def load(texts: Sequence[str]) -> dict[str, bytes]:
        asked.append(list(texts))
        return {one: packed[one] for one in texts if one in packed}

    stored = StoredSentenceVectors(load)
    stored.closest(question, [TEXT, "new"])
    stored.similarities(question, [(TEXT, SENTENCES), ("new", ["new"])])

    assert asked == [[TEXT, "new"], ["new"]]


def test_result_has_the_sentences_of_each_text(embedder: LocalEmbedder) -> None:
    """They are stored by the text that they are of."""
    result = embedder.embed([TEXT, "One.", ""])

    counts = [int.from_bytes(packed[:4], "little") for packed in result.sentences]
    assert counts == [4, 1, 0]
    assert result.sentences[1] == embedder.embed(["One."]).sentences[0]


def test_whole_text_as_one_unit_has_nearly_the_texts_own_vector(embedder: LocalEmbedder) -> None:
    """Eight bits a number and one mean for each sentence lose little."""
    result = embedder.embed([TEXT])

    (cosine,) = similarities(result.sentences[0], result.vectors[0], [(0, len(TEXT))])

    assert cosine > 0.95


def test_unit_behind_what_the_model_reads_is_as_similar_as_the_others(embedder: LocalEmbedder) -> None:
    """Of a long table the last rows have no vector; they are no worse for that."""
    text = HEADINGS + "spruce boards and salt. " * LONGEST_TOKENS + "The last one."
    units = ["spruce boards and salt.", "spruce boards and salt.", "The last one."]

    first, second, last = compared(embedder, "Where is salt?", text, units)

    assert first > 0
    assert last == pytest.approx((first + second) / 2)


def test_passage_without_stored_sentences_is_unknown(embedder: LocalEmbedder) -> None:
    """An older version ingested the book; words alone choose then."""
    stored = StoredSentenceVectors(lambda _texts: {})
    vector = embedder.embed(["Who?"]).vectors[0]

    assert stored.similarities(vector, [(TEXT, SENTENCES), ("Empty", [])]) == [[UNKNOWN] * 3, []]


def test_text_without_a_token_has_no_sentences() -> None:
    """The special tokens at both ends stand for no word."""
    assert packed_sentences("", [(0, 0), (0, 0)], None) == b""


def test_units_are_found_in_order_and_beside_markup() -> None:
    """The words of a unit and the text that was embedded are made of one source in two ways."""
    text = "Keys > Copy\n\nPress copy. Press paste twice, then copy. Press copy."
    units = ["Press copy.", "Press «paste» twice, then copy.", "Press copy."]

    spans = spans_of(text, units)

    assert spans[0] == (13, 24)
    assert spans[1][0] == 25
    assert spans[2] == (len(text) - 11, len(text))


def test_rows_of_a_table_are_found() -> None:
    """A text has bars and code marks where a unit has none: rows had the vectors of other rows."""
    rows = ["| `port` | 80 |", "| `idle` | 5 minutes |", "| `max_size` | *2 MB* |"]
    text = "Server > Options\n\n| Name | Default |\n| --- | --- |\n" + "\n".join(rows)

    spans = spans_of(text, ["port 80", "idle 5 minutes", "max_size 2 MB"])

    assert [text[start:].splitlines()[0] for start, _ in spans] == [row.removeprefix("| `") for row in rows]


def test_words_of_the_heading_are_no_unit() -> None:
    """Many sections begin with their heading's words; equal units are found one after the other."""
    text = "Copy > Press copy.\n\nPress copy. Press copy."

    assert spans_of(text, ["Press copy.", "Press copy."]) == [(20, 31), (32, 43)]


@pytest.mark.parametrize(("embedder", "compared"), [("local", 1), ("none", 0)])
def test_answer_compares_the_sentences_that_its_book_was_stored_with(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, embedder: str, compared: int
) -> None:
    """One statement for an answer, and nothing without the local model."""
    found: list[list[list[float]]] = []
    whole = StoredSentenceVectors.similarities

    def noted(
        self: StoredSentenceVectors, vector: list[float], passages: Sequence[tuple[str, Sequence[str]]]
    ) -> list[list[float]]:
        found.append(whole(self, vector, passages))
        return found[-1]

    monkeypatch.setattr(StoredSentenceVectors, "similarities", noted)
    app = make_app({"EMBEDDER": embedder})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS)

    answer(app)

    assert len(found) == compared
    assert all(UNKNOWN not in units for passages in found for units in passages)
