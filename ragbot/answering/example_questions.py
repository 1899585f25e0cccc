"""Choose example questions of a book, or of one of its pages, that the service can answer."""

from __future__ import annotations

import threading
from collections.abc import MutableMapping, Sequence

from cachetools import LRUCache, TTLCache, cachedmethod

from ragbot.answering.answerer import Answerer
from ragbot.answering.book_contents import CachedContents
from ragbot.answering.example_candidates import Candidate, example_candidates
from ragbot.core.answers import Finished, Question, Status
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DeadlineExceeded, RagbotError, SearchUnavailable
from ragbot.core.page_links import place_on_site
from ragbot.core.single_flight import SingleFlight
from ragbot.storage.editions import EditionStore

MOST_EXAMPLES = 6
# Questions that are tried before fewer examples are enough; each takes some 20 ms.
MOST_TRIES = 18
# For all of them. Without an index a page must not wait for its examples.
DEADLINE_S = 5.0
CACHED_BOOKS, CACHED_PAGES = 4, 512
# Seconds for which the examples are kept that were found until the deadline.
KEPT_IN_PART_S = 300.0

# The last choice; the answer lists the chapters.
ABOUT = Candidate("What is this book about?", path="")

Examples = tuple[str, ...]


class ExampleQuestions:
    """Choose examples once for each edition and page. Safe to call from several threads.

    Each example was asked before, without a model: it is answered, and from the page that it was found on.
    """

    def __init__(self, editions: EditionStore, contents: CachedContents, answerer: Answerer) -> None:
        self._editions = editions
        self._contents = contents
        self._answerer = answerer
        self._lock = threading.Lock()
        self._candidates: LRUCache[str, Sequence[Candidate]] = LRUCache(CACHED_BOOKS)
        self._chosen: LRUCache[str, Examples] = LRUCache(CACHED_PAGES)
        self._chosen_in_part: TTLCache[str, Examples] = TTLCache(CACHED_PAGES, KEPT_IN_PART_S)
        self._flights: SingleFlight[Examples] = SingleFlight()

    def of_book(self, edition: EditionFacts) -> Examples:
        """Return examples from all over the book; none if the book cannot be searched now."""
        return self._once(edition, "")

    def of_page(self, edition: EditionFacts, page_url: str) -> Examples:
        """Return examples from the page at this address, then from the whole book."""
        path = self._path_of(edition, page_url)
        of_page = self._once(edition, path) if path else ()
        return tuple(dict.fromkeys((*of_page, *self.of_book(edition))))[:MOST_EXAMPLES]

    def _path_of(self, edition: EditionFacts, page_url: str) -> str:
        here = place_on_site(page_url, edition.site_url)
        pages = self._contents.outline(edition)
        return next((page.path for page in pages if place_on_site(page.address, "") == here), "")

    def _once(self, edition: EditionFacts, path: str) -> Examples:
        key = f"{edition.key}\n{path}"
        with self._lock:
            if (known := self._chosen.get(key, self._chosen_in_part.get(key))) is not None:
                return known
        try:
            return self._flights.do(key, lambda: self._choose(edition, path, key))
        except RagbotError:
            # Not cached: the next caller may be luckier.
            return ()

    def _choose(self, edition: EditionFacts, path: str, key: str) -> Examples:
        """Return the examples that were found in time; raises SearchUnavailable if there are none."""
        candidates = [one for one in self._all(edition) if path in ("", one.path)]
        trials = _in_order_of_trial(candidates)[:MOST_TRIES]
        if not path and edition.language == "english":
            trials.append(ABOUT)
        chosen: list[str] = []
        kept: MutableMapping[str, Examples] = self._chosen
        deadline = Deadline(DEADLINE_S)
        try:
            for candidate in trials:
                if self._is_answered(edition, candidate, deadline):
                    chosen.append(candidate.question)
                if len(chosen) == MOST_EXAMPLES:
                    break
        except DeadlineExceeded as error:
            if not chosen:
                # (The deadline is not that of one caller: whoever waits for the examples has none either.)
                raise SearchUnavailable("No example question was answered in time.") from error
            kept = self._chosen_in_part
        with self._lock:
            kept[key] = tuple(chosen)
        return tuple(chosen)

    @cachedmethod(
        lambda self: self._candidates, key=lambda _self, edition: edition.key, lock=lambda self: self._lock
    )
    def _all(self, edition: EditionFacts) -> Sequence[Candidate]:
        return example_candidates(self._editions.sections(edition), edition.language)

    def _is_answered(self, edition: EditionFacts, candidate: Candidate, deadline: Deadline) -> bool:
        question = Question(candidate.question, book=edition.book, book_version=edition.name)
        *_, last = self._answerer.answer(question, (), deadline, without_model=True)
        if not isinstance(last, Finished) or last.answer.status is not Status.ANSWERED:
            return False
        if not candidate.path:
            return True
        return any(source.cited and source.path == candidate.path for source in last.answer.sources)


def _in_order_of_trial(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return headings and definitions before a glossary's entries, each from all over the book."""
    first = [candidate for candidate in candidates if not candidate.of_glossary]
    others = [candidate for candidate in candidates if candidate.of_glossary]
    return [*_spread(first), *_spread(others)]


def _spread(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return all in another order: first some that lie evenly apart, then their neighbours."""
    step = max(1, -(-len(candidates) // MOST_EXAMPLES))
    return [candidate for start in range(step) for candidate in candidates[start::step]]
