"""Test cached answers and shared model calls: what is cached, what never is, and who calls the model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ragbot.answering import cross_worker_single_flight as flights
from ragbot.answering.answer_cache import CachedAnswerer, CachePolicy
from ragbot.answering.answerer import AnswerLimits
from ragbot.answering.cache_entries import cache_key, deserialized, replay_text
from ragbot.answering.cross_worker_single_flight import CrossWorkerSingleFlight
from ragbot.books.read_options import ReadOptions
from ragbot.core.answers import (
    Answer,
    Degradation,
    Delta,
    Event,
    Exchange,
    Finished,
    Generation,
    Mode,
    Prompt,
    Question,
    Retrieved,
    Status,
)
from ragbot.core.deadline import Deadline
from ragbot.core.errors import AnswerCut, Cancelled, ProviderUnavailable
from ragbot.core.ports import Generator
from ragbot.services import Services
from ragbot.storage.keyvalue.cache import FailoverCache
from ragbot.storage.keyvalue.shared_state import FailoverSharedState
from tests.answering.shelf import make_answerer
from tests.conftest import services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app

HOW_LONG = Question("How long is the cheddar ripened?")
AT_ONCE = 20


class MemoryCache:
    """A cache in a dictionary, which can be switched off and be filled with garbage."""

    name = "memory"

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.kept_s: list[float] = []

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self.entries[key] = value
        if key.startswith("answer:"):
            self.kept_s.append(ttl_s)

    def clear(self) -> int:
        count = len(self.entries)
        self.entries.clear()
        return count

    def kept_answers(self) -> int:
        return sum(key.startswith("answer:") for key in self.entries)


class Counting:
    """Ask another generator, a moment later or when it is let, and count."""

    name = "test/counting"

    def __init__(
        self, generator: Generator, *, delay_s: float = 0.0, let_go: threading.Event | None = None
    ) -> None:
        self._generator = generator
        self._delay_s = delay_s
        self._let_go = let_go
        self.asked = 0
        self._lock = threading.Lock()

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        with self._lock:
            self.asked += 1
        time.sleep(self._delay_s)
        if self._let_go:
            assert self._let_go.wait(60)
        yield from self._generator.generate(prompt, deadline, generation)

    def ping(self) -> None:
        """Return always."""


@pytest.fixture(scope="module")
def services(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("cached")) as app:
        yield services_of(app)


@pytest.fixture
def store() -> MemoryCache:
    return MemoryCache()


@pytest.fixture
def make(services: Services, store: MemoryCache) -> Callable[..., CachedAnswerer]:
    """Make workers that share a cache and states."""
    states = FailoverSharedState([])

    def make_worker(generator: Generator, **changed: Any) -> CachedAnswerer:
        limits = AnswerLimits(context_tokens=4000, history_tokens=1000, answer_tokens=300)
        cache = FailoverCache([store])
        keeping = replace(CachePolicy(ttl_s=3600, fingerprint="models", shared=True), **changed)
        return CachedAnswerer(
            make_answerer(services.retriever, generator, limits),
            services.retriever.edition_known,
            cache,
            CrossWorkerSingleFlight(states, cache, lease_s=60),
            keeping,
        )

    return make_worker


def soon(holds: Callable[[], bool]) -> bool:
    """Return whether it holds within half a minute."""
    until = time.monotonic() + 30
    while not holds() and time.monotonic() < until:
        time.sleep(0.005)
    return holds()


def events_of(
    answerer: CachedAnswerer, question: Question = HOW_LONG, history: tuple[Exchange, ...] = ()
) -> list[Event]:
    return list(answerer.answer(question, history, Deadline(20)))


def answer_of(answerer: CachedAnswerer, question: Question = HOW_LONG) -> Answer:
    last = events_of(answerer, question)[-1]
    assert isinstance(last, Finished)
    return last.answer


# --- what is told again --------------------------------------------------------------------------


def test_same_question_is_answered_once_and_told_again(make: Callable[..., CachedAnswerer]) -> None:
    """In the same words, with the same sources, at no cost."""
    model = Counting(ScriptedGenerator("Nine ", "months in a cool cellar [1]."))
    answerer = make(model)

    first, second = answer_of(answerer), answer_of(answerer)

    assert model.asked == 1
    assert (first.cache, second.cache) == ("miss", "hit")
    assert (first.text, first.sources) == (second.text, second.sources)
    assert (first.usage.cost_usd, second.usage.cost_usd) == (0.001, 0.0)


def test_hit_streams_like_a_new_answer(make: Callable[..., CachedAnswerer]) -> None:
    """Sources first, none of them cited yet; then pieces, whose sum is the answer."""
    answerer = make(ScriptedGenerator("One two three four five six seven eight nine\n\n ten [1]."))
    events_of(answerer)

    first, *pieces, last = events_of(answerer)

    assert isinstance(first, Retrieved)
    assert isinstance(last, Finished)
    assert not any(source.cited for source in first.sources)
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces if isinstance(piece, Delta)) == last.answer.text


@pytest.mark.parametrize("text", ["", " ", "one", " a  b ", "a b " * 40, "line\n\n\nline " * 9])
def test_pieces_of_a_kept_answer_add_up_to_it(text: str) -> None:
    """To the letter: the console shows the pieces, and keeps the whole."""
    answer = Answer(text, Status.ANSWERED, (), Mode.FULL_BOOK, "first", "model")

    assert "".join(event.text for event in replay_text(answer) if isinstance(event, Delta)) == text


@pytest.mark.parametrize(
    "other",
    [
        "How long is the cheddar ripened",
        "  how LONG is\tthe cheddar   ripened??  ",
        "Ｈow long is the cheddar ripened?",
    ],
)
def test_question_in_another_writing_is_the_same(other: str) -> None:
    """Letter case, white space, full width and the sign at the end tell nothing."""
    assert cache_key(Question(other), "edition", "models") == cache_key(HOW_LONG, "edition", "models")


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is 10² here?", "What is 102 here?"), ("What does tar -C do?", "What does tar -c do?")],
)
def test_question_that_means_something_else_is_another(one: str, other: str) -> None:
    """A reader must not be told another one's answer."""
    assert cache_key(Question(one), "edition", "models") != cache_key(Question(other), "edition", "models")


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "How long is the gouda ripened?"},
        {"mode": Mode.SELECTED_TEXT, "selected_text": "Bob ripens the cheddar."},
        {"chapter_filter": "Cheese"},
        {"page_url": "https://book.test/02-cheese"},
        {"top_k": 6},
    ],
    ids=str,
)
def test_whatever_an_answer_depends_on_makes_another_question(changed: dict[str, Any]) -> None:
    """A wrong hit is a wrong answer."""
    assert cache_key(replace(HOW_LONG, **changed), "edition", "models") != cache_key(
        HOW_LONG, "edition", "models"
    )


def test_other_models_and_another_edition_make_another_question() -> None:
    """What was kept before is never found again."""
    keys = {cache_key(HOW_LONG, edition, models) for edition in ("one", "two") for models in ("a", "b")}

    assert len(keys) == 4


def forget_the_published_edition(services: Services) -> None:
    """Let the worker look again now, as it does some seconds later."""
    services.published._books.clear()
    services.published._looked_at = float("-inf")


def test_publishing_an_edition_makes_kept_answers_unreachable(
    services: Services, make: Callable[..., CachedAnswerer], tmp_path: Path
) -> None:
    """The book says something else now."""
    model = Counting(ScriptedGenerator("Nine months [1]."))
    answerer = make(model)
    answer_of(answerer)
    (tmp_path / "02-cheese.md").write_text("# Cheese\n\nBob ripens the cheddar for four months.\n")
    services.ingestion.ingest_book(tmp_path, edition="second", options=ReadOptions(force=True))
    forget_the_published_edition(services)

    second = answer_of(answerer)
    services.ingestion.publish("first")
    forget_the_published_edition(services)

    assert (second.cache, second.book_version, model.asked) == ("miss", "second", 2)


# --- what never is -------------------------------------------------------------------------------


def test_follow_up_is_answered_for_itself(make: Callable[..., CachedAnswerer], store: MemoryCache) -> None:
    """Its answer depends on the talk."""
    model = Counting(ScriptedGenerator("Nine months [1]."))
    answerer = make(model)
    talk = (Exchange("What is cheddar?", "A cheese."),)

    ends = [events_of(answerer, HOW_LONG, talk)[-1] for _ in range(2)]

    assert [end.answer.cache for end in ends if isinstance(end, Finished)] == ["bypass"] * 2
    assert (model.asked, store.entries) == (2, {})


def test_refusal_is_not_kept(make: Callable[..., CachedAnswerer], store: MemoryCache) -> None:
    """The next edition may know, and the next try may find."""
    answerer = make(ScriptedGenerator("NOT_IN_BOOK The book does not say."))

    answer_of(answerer)

    assert (answer_of(answerer).cache, store.kept_answers()) == ("miss", 0)


@pytest.mark.parametrize("pieces", [("Nine ", AnswerCut("cut")), (ProviderUnavailable("down"),)], ids=str)
def test_failed_answer_is_not_kept(
    make: Callable[..., CachedAnswerer], store: MemoryCache, pieces: tuple[str | Exception, ...]
) -> None:
    """Half an answer is none."""
    with pytest.raises((AnswerCut, ProviderUnavailable)):
        events_of(make(ScriptedGenerator(*pieces)))

    assert store.kept_answers() == 0


def test_degraded_answer_is_not_kept(make: Callable[..., CachedAnswerer], store: MemoryCache) -> None:
    """When the model is back it answers better."""

    class Fallen(ScriptedGenerator):
        def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
            generation.fell_back = True
            yield from super().generate(prompt, deadline, generation)

    answer = answer_of(make(Fallen("Nine months [1].")))

    assert answer.degraded == (Degradation.LLM_FALLBACK,)
    assert store.kept_answers() == 0


def test_answer_that_a_reader_left_is_not_kept(
    make: Callable[..., CachedAnswerer], store: MemoryCache
) -> None:
    """It stopped in the middle."""
    answering = make(ScriptedGenerator("Nine ", "months [1].")).answer(HOW_LONG, (), Deadline(20))
    next(answering)
    next(answering)

    answering.close()

    assert store.kept_answers() == 0


def test_nothing_is_kept_where_the_operator_wants_no_cache(
    make: Callable[..., CachedAnswerer], store: MemoryCache
) -> None:
    """CACHE_TTL_HOURS=0."""
    answer = answer_of(make(ScriptedGenerator("Nine months [1]."), ttl_s=0.0))

    assert (answer.cache, store.entries) == ("bypass", {})


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00", b"{}", b"[1]", b'{"text": 1}', b"null"])
def test_garbage_in_the_cache_is_a_miss(
    make: Callable[..., CachedAnswerer], store: MemoryCache, garbage: bytes
) -> None:
    """Whoever wrote it, the reader gets an answer."""
    answerer = make(ScriptedGenerator("Nine months [1]."))
    answer_of(answerer)
    store.entries = dict.fromkeys(store.entries, garbage)

    assert deserialized(garbage) is None
    assert [answer_of(answerer).cache for _ in range(2)] == ["miss", "hit"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", None),
        ("text", 5),
        ("text", "\ud800"),
        ("book_version", [1]),
        ("model", None),
        ("status", "failed"),
        ("status", "refused"),
        ("degraded", ["budget"]),
        ("sources", [{"id": "x"}]),
        ("sources", {}),
    ],
)
def test_kept_answer_that_is_none_is_a_miss(
    make: Callable[..., CachedAnswerer], store: MemoryCache, field: str, value: Any
) -> None:
    """JSON of another shape, or an answer that must not be told again, is found once and replaced."""
    answerer = make(ScriptedGenerator("Nine months [1]."))
    answer_of(answerer)
    for name, kept in store.entries.items():
        store.entries[name] = json.dumps(json.loads(kept) | {field: value}).encode()

    assert [answer_of(answerer).cache for _ in range(2)] == ["miss", "hit"]


def test_depths_of_nonsense_are_a_miss() -> None:
    """A parser must not run out of stack."""
    assert deserialized(b"[" * 200_000) is None


# --- one flight --------------------------------------------------------------------------------


def together(answerers: list[CachedAnswerer], times: int = AT_ONCE) -> list[Answer]:
    start = threading.Barrier(times)

    def ask(number: int) -> Answer:
        start.wait()
        return answer_of(answerers[number % len(answerers)])

    with ThreadPoolExecutor(times) as readers:
        return list(readers.map(ask, range(times)))


def test_readers_who_ask_at_once_cost_one_call(make: Callable[..., CachedAnswerer]) -> None:
    """A hundred of them, when a class opens the same page."""
    model = Counting(ScriptedGenerator("Nine months [1]."), delay_s=1.0)

    answers = together([make(model)])

    assert model.asked == 1
    assert {answer.text for answer in answers} == {"Nine months [1]."}
    assert sorted(answer.cache for answer in answers) == ["hit"] * (AT_ONCE - 1) + ["miss"]


def test_readers_of_two_workers_cost_one_call(make: Callable[..., CachedAnswerer]) -> None:
    """What one worker is told, the other hears of."""
    model = Counting(ScriptedGenerator("Nine months [1]."), delay_s=1.0)

    answers = together([make(model), make(model)])

    assert model.asked == 1
    assert {answer.text for answer in answers} == {"Nine months [1]."}


def test_refusal_is_shared_with_those_who_wait_for_it(
    make: Callable[..., CachedAnswerer], store: MemoryCache
) -> None:
    """It is not kept, but who asked at the same time need not ask again."""
    model = Counting(ScriptedGenerator("NOT_IN_BOOK The book does not say."), delay_s=1.0)

    answers = together([make(model), make(model)], 10)

    assert model.asked == 1
    assert {answer.status for answer in answers} == {Status.REFUSED}
    assert store.kept_answers() == 0


def test_when_the_one_who_asks_fails_another_asks(make: Callable[..., CachedAnswerer]) -> None:
    """His trouble is not theirs."""

    class FirstFails:
        name = "test/first-fails"
        asked = 0

        def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
            self.asked += 1
            if self.asked == 1:
                time.sleep(0.3)
                raise ProviderUnavailable("down")
            generation.model = self.name
            yield "Nine months [1]."

        def ping(self) -> None:
            """Return always."""

    model = FirstFails()
    answerer = make(model)

    def ask(_: int) -> str:
        try:
            return answer_of(answerer).text
        except ProviderUnavailable:
            return "failed"

    with ThreadPoolExecutor(8) as readers:
        outcomes = sorted(readers.map(ask, range(8)))

    assert outcomes == ["Nine months [1]."] * 7 + ["failed"]
    assert model.asked == 2


def test_when_the_one_who_asks_leaves_another_asks(make: Callable[..., CachedAnswerer]) -> None:
    """A closed tab must not cost others their answer."""
    model = Counting(ScriptedGenerator("Nine ", "months [1]."))
    answerer = make(model)
    leaving = answerer.answer(HOW_LONG, (), Deadline(20))
    next(leaving)
    next(leaving)
    with ThreadPoolExecutor(1) as readers:
        waiting = readers.submit(answer_of, answerer)
        time.sleep(0.2)
        asked_before = model.asked

        leaving.close()

        assert waiting.result(60).text == "Nine months [1]."
    assert (asked_before, model.asked) == (1, 2)


def test_who_waits_and_leaves_is_let_go_at_once(make: Callable[..., CachedAnswerer]) -> None:
    """His place is needed."""
    let_go = threading.Event()
    model = Counting(ScriptedGenerator("Nine months [1]."), let_go=let_go)
    answerer = make(model)
    deadline = Deadline(60)
    with ThreadPoolExecutor(2) as readers:
        first = readers.submit(answer_of, answerer)
        assert soon(lambda: model.asked == 1)
        waiting = readers.submit(lambda: list(answerer.answer(HOW_LONG, (), deadline)))
        time.sleep(0.2)

        deadline.cancel()

        with pytest.raises(Cancelled):
            waiting.result(50)
        still_asked = not first.done()
        let_go.set()
        first.result(60)

    assert still_asked


def test_flight_of_a_worker_that_died_is_taken_over(
    make: Callable[..., CachedAnswerer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once where it was on this host: its readers are gone, and others need not wait for nobody."""
    model = Counting(ScriptedGenerator("Nine months [1]."))
    dead, living = make(model), make(model)
    with monkeypatch.context() as patch:
        # No process has this number.
        patch.setattr("ragbot.core.owner_tokens.os.getpid", lambda: 2**22 + 1)
        left = dead.answer(HOW_LONG, (), Deadline(20))
        next(left)
        next(left)
    began = time.monotonic()

    answer = answer_of(living)

    assert answer.text == "Nine months [1]."
    assert time.monotonic() - began < 15
    assert model.asked == 2
    left.close()


def test_who_has_waited_long_enough_asks_for_himself(
    make: Callable[..., CachedAnswerer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a limit to what another one's silence may cost."""
    monkeypatch.setattr(flights, "RESERVE_S", 59.8)
    let_go = threading.Event()
    model = Counting(ScriptedGenerator("Nine months [1]."), let_go=let_go)
    answerer = make(model)
    with ThreadPoolExecutor(2) as readers:
        first = readers.submit(lambda: list(answerer.answer(HOW_LONG, (), Deadline(120))))
        assert soon(lambda: model.asked == 1)
        second = readers.submit(lambda: list(answerer.answer(HOW_LONG, (), Deadline(60))))
        asked_himself = soon(lambda: model.asked == 2)
        let_go.set()
        first.result(60)
        second.exception(60)

    assert asked_himself


def test_book_is_not_asked_to_take_turns_where_no_model_is_paid(
    make: Callable[..., CachedAnswerer],
) -> None:
    """Extractive answers take less time than waiting for one."""
    model = Counting(ScriptedGenerator("Nine months [1]."), delay_s=0.2)

    together([make(model, shared=False)], 4)

    assert model.asked == 4
