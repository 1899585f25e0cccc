"""Stream an answer to a prompt from an OpenAI chat model, and check that it is complete."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import quote

import structlog

from ragbot.core.answers import NOT_IN_BOOK, Generation, Prompt, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    AnswerEmpty,
    AnswerRefused,
    ContentFiltered,
    ContextOverflow,
    ProviderRejected,
    ProviderUnavailable,
    RequestRejected,
    TooLate,
)
from ragbot.core.ports import Pieces
from ragbot.core.text import count_tokens
from ragbot.providers.openai.chat_request import ChatRequest, chat_request
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.dialect import ServerDialect, adapted, merged, with_silent_cut
from ragbot.providers.openai.interruptible_http import InterruptibleConnection
from ragbot.providers.openai.mark_spellings import MarkSpelling
from ragbot.providers.openai.prices import CostOf, list_costs
from ragbot.providers.openai.read_pace import paced
from ragbot.providers.openai.stream import (
    CompletionReader,
    Ending,
    RefusedInStream,
    Said,
    counted_tokens,
    tells_thoughts,
)
from ragbot.providers.openai.thoughts import ThoughtFilter

log = structlog.get_logger(__name__)

# Kept of the deadline for answering without a model when this one does not speak in time.
RESERVE_S = 2.0
# How long the body's end may follow `[DONE]`, and usage and `[DONE]` the answer: so a connection is kept.
LAST_BYTE_S = 0.25
AFTER_END_S = 1.0
# How long a provider may take to say that a model is there.
PING_S = 3.0
# Statuses of servers that do not tell of a single model, to this key or to any.
SAYS_NOTHING = (400, 403, 404, 405)
# How long a model may say nothing between two words, whatever else comes meanwhile: readers' connections that
# are silent for longer are cut by what lies between.
SILENCE_S = 14.0
# A server is asked again as often as it teaches something: each parameter, the role and the length in turn.
MOST_LESSONS = 6
# Letters of a token, at most: an answer is cut at its limit of tokens times this, whatever the server counts.
LONGEST_TOKEN = 8

# Models whose templates may open a thought by themselves: held back until an answer has shown how they write.
_MAY_THINK_UNOPENED = re.compile(r"(?<![a-z])(?:r1|qwq|think\w*|reason\w*)(?![a-z])", re.IGNORECASE)


class OpenAIGenerator:
    """Stream answers from a chat model.

    (A stream is read to its end, so that its connection can be used again.) What a server refuses is learnt,
    and remembered for the model.
    """

    def __init__(
        self,
        client: OpenAIClient,
        model: str,
        first_word_timeout_s: float,
        cost_usd: CostOf = list_costs,
    ) -> None:
        self.name = model
        self._cost_usd = cost_usd
        self._client = client
        self._first_word_timeout_s = first_word_timeout_s
        self._memory = client.dialect_of(model)
        self._may_think_unopened = _MAY_THINK_UNOPENED.search(model) is not None

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        """Yield the parts of an answer. It is whole when the model ended it and there was text.

        As long as bytes come, a model may think until the deadline; silence ends its time sooner.
        """
        deadline.check()
        patience = _Patience(self._first_word_timeout_s, deadline)
        if patience.left_s() <= 0:
            raise TooLate("Too little time is left to ask a model.")
        with ExitStack() as stack:
            call = _Call(prompt, deadline, patience, generation, stack)
            answer = self._client.call(lambda: self._begin(call), deadline, single_try=prompt.single_try)
            generation.model = self.name
            generation.streamed = answer.reader.has_events
            said = [answer.first]
            try:
                yield answer.first
                with self._to_its_end(answer, deadline):
                    for piece in answer.pieces:
                        said.append(piece)
                        yield piece
                generation.at_limit = answer.reader.ending is Ending.LENGTH
            finally:
                # Also of what was cut or left in the middle: it is charged for.
                generation.usage = self._usage(answer, said)
                self._learn_from(answer)

    def ping(self) -> None:
        """Ask whether the model is there; nothing is generated.

        Many servers that answer well have no such address, and some keys may not read it: what they say says
        nothing.
        """
        deadline = Deadline(PING_S)

        def ask() -> None:
            with self._client.wire(deadline.left_s(), deadline) as wire:
                self._client.get(f"/models/{quote(self.name, safe='')}", wire)

        try:
            self._client.call(ask, deadline, single_try=True)
        except ProviderRejected as error:
            if error.reason.status not in SAYS_NOTHING:
                raise

    def _begin(self, call: _Call) -> _Answer:
        """Ask until the server takes the request, or teaches nothing more; read to the first word."""
        known = dialect = self._memory.current()
        request = chat_request(self.name, call.prompt, dialect)
        for _ in range(MOST_LESSONS):
            try:
                answer = self._open(request, dialect, call)
                break
            except _OnlyThoughts:
                dialect = replace(dialect, thinks=True)
                request = chat_request(self.name, call.prompt, dialect)
            except Exception as error:
                refusal = self._client.refusal(error)
                if refusal is None:
                    raise
                dialect = adapted(
                    dialect, refusal, sent_limit=request.limit_tokens, prompt_tokens=request.prompt_tokens
                )
                again = chat_request(self.name, call.prompt, dialect)
                if again.body == request.body:
                    raise
                request = again
        else:
            raise RequestRejected(f"{self.name} refuses whatever is sent.")
        if dialect != known:
            # Only now: a server that quotes the question may have named a parameter by chance.
            self._memory.learn(lambda now: merged(now, known, dialect))
        return answer

    def _open(self, request: ChatRequest, dialect: ServerDialect, call: _Call) -> _Answer:
        """Open the stream and read to its first word; a try that fails closes what it opened."""
        with ExitStack() as attempt:
            left_s = call.patience.left_s()
            if left_s <= 0:
                raise TimeoutError("The tries before this one took all the time.")
            wire = attempt.enter_context(self._client.wire(left_s, call.deadline))
            response = attempt.enter_context(self._client.post("/chat/completions", request.body, wire))
            answer = self._answer(request, dialect, call, wire)
            answer.pieces = answer.read(response)
            with self._charged_without_a_word(answer):
                first = next(answer.pieces, None)
                if first is None:
                    raise self._without_a_word(answer, dialect)
            answer.first = first
            call.stack.push(attempt.pop_all())
            return answer

    @contextmanager
    def _charged_without_a_word(self, answer: _Answer) -> Iterator[None]:
        """Note the cost of a call that fails within the block: its prompt was read, with thoughts perhaps."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, RefusedInStream):
                answer.call.generation.unspoken += self._usage(answer, ())
            raise

    def _answer(
        self, request: ChatRequest, dialect: ServerDialect, call: _Call, wire: InterruptibleConnection
    ) -> _Answer:
        quoted = "\n".join(passage.chunk.text for passage in call.prompt.passages)
        is_new = self._may_think_unopened and not dialect.plain
        return _Answer(
            call=call,
            request=request,
            wire=wire,
            reader=CompletionReader(self._client.access.api_key),
            thoughts=ThoughtFilter(holds=dialect.unopened_thoughts or is_new, quoted=quoted),
            marks=MarkSpelling(passages=len(call.prompt.passages), quoted=quoted),
            silence_s=min(self._first_word_timeout_s, SILENCE_S),
        )

    def _without_a_word(self, answer: _Answer, dialect: ServerDialect) -> Exception:
        ending = answer.reader.ending
        if ending is Ending.FILTERED:
            return ContentFiltered(f"The provider's filter stopped {self.name}.")
        if ending is Ending.LENGTH and not dialect.thinks:
            # Nothing else takes all the room; not every server tells of thoughts.
            return _OnlyThoughts()
        if ending in (Ending.WHOLE, Ending.LENGTH):
            # It was asked, and had nothing to say to this question, or thought for too long.
            return AnswerEmpty(f"{self.name} ended without a word.")
        return ProviderUnavailable(f"{self.name} ended without a word.")

    @contextmanager
    def _to_its_end(self, answer: _Answer, deadline: Deadline) -> Iterator[None]:
        """Raise AnswerCut or ContentFiltered if the stream that is read within the block is not whole."""
        try:
            yield
        except AnswerRefused:
            deadline.check()
            raise
        except Exception as error:
            deadline.check()
            raise self._broken_off(error) from error
        deadline.check()
        if answer.reader.ending is Ending.FILTERED:
            raise ContentFiltered("The model's provider filters this answer; ask in another way.")
        if answer.reader.ending not in (Ending.WHOLE, Ending.LENGTH):
            raise AnswerCut(f"{self.name} stopped before its answer was whole.")

    def _broken_off(self, error: Exception) -> Exception:
        """Return why a stream broke in the middle: by its question, or by the provider's failure."""
        failure = self._client.translated(error)
        if isinstance(failure, ContentFiltered):
            return failure
        is_of_question = isinstance(failure, (RequestRejected, ContextOverflow))
        kind = AnswerRefused if is_of_question else AnswerCut
        return kind(f"{self.name} broke off in the middle of its answer.", failure.reason)

    def _usage(self, answer: _Answer, said: Sequence[str]) -> Usage:
        counted = counted_tokens(answer.reader.usage)
        # By our own count, some 15 % exact: a budget must not run on nothing.
        read, written = counted or (answer.request.prompt_tokens, count_tokens("".join(said)))
        return Usage(
            input_tokens=read, output_tokens=written, cost_usd=self._cost_usd(self.name, read, written)
        )

    def _learn_from(self, answer: _Answer) -> None:
        """Remember how this model writes its thoughts, and whether its server cuts prompts."""
        seen, is_whole = answer.thoughts.seen, answer.reader.ending is Ending.WHOLE
        self._learn_context(answer)
        self._memory.learn(
            lambda now: replace(
                now,
                thinks=now.thinks or answer.has_thoughts,
                # A template that opens thoughts does so in each answer: a whole one without a mark has none.
                unopened_thoughts=seen.unopened or (now.unopened_thoughts and not is_whole),
                plain=not seen.unopened and (now.plain or (is_whole and self._may_think_unopened)),
            )
        )

    def _learn_context(self, answer: _Answer) -> None:
        read, _ = counted_tokens(answer.reader.usage) or (0, 0)
        sent = answer.request.prompt_tokens
        cut = partial(with_silent_cut, read_tokens=read, prompt_tokens=sent)
        if cut(known := self._memory.current()) != known:
            log.warning("prompt_cut_by_server", model=self.name, sent_tokens=sent, read_tokens=read)
            self._memory.learn(cut)


class _OnlyThoughts(Exception):
    """Report that the model's thoughts took all the room for its answer."""


class _Patience:
    """Measure how long a model may still be silent before its first word; each byte gives it anew."""

    def __init__(self, silence_s: float, deadline: Deadline) -> None:
        self._silence_s = silence_s
        self._ends_at = time.monotonic() + deadline.left_s() - RESERVE_S
        self.heard()

    def heard(self) -> None:
        """Note that something came."""
        self._speak_by = min(time.monotonic() + self._silence_s, self._ends_at)

    def left_s(self) -> float:
        """Return the seconds left; none or less where the time is over."""
        return self._speak_by - time.monotonic()


@dataclass(frozen=True, slots=True)
class _Call:
    prompt: Prompt
    deadline: Deadline
    patience: _Patience
    generation: Generation
    stack: ExitStack


@dataclass(slots=True)
class _Answer:
    """Read an answer under way, through the filters that leave its words."""

    call: _Call
    request: ChatRequest
    wire: InterruptibleConnection
    reader: CompletionReader
    thoughts: ThoughtFilter
    marks: MarkSpelling
    silence_s: float
    first: str = ""
    pieces: Iterator[str] = field(default_factory=lambda: iter(()))
    _is_spoken: bool = False
    _is_refusal: bool = False
    _letters: int = 0
    _is_too_long: bool = False

    @property
    def has_thoughts(self) -> bool:
        """Return whether the model has thought before it spoke, also where its thoughts are only counted."""
        is_shown = self.reader.has_thoughts or self.thoughts.seen.any
        return is_shown or tells_thoughts(self.reader.usage)

    def read(self, received: Iterable[bytes]) -> Iterator[str]:
        """Yield the answer's pieces, none of them empty: what came at once is one piece."""
        try:
            for data in paced(received, lambda: self.reader.ending is None):
                self._note_progress()
                yield from self._pieces_of(self.reader.feed(data))
                if self._is_too_long:
                    break
            else:
                yield from self._pieces_of(self.reader.flush())
        except AnswerRefused:
            raise
        except Exception:
            # What goes wrong behind the end costs a connection, no answer.
            if self.reader.ending in (None, Ending.BROKEN):
                raise
        if not self._is_too_long and (rest := self._within_limit(self._rest())):
            yield self._spoken(rest)
        if self._is_too_long:
            self.reader.ending = Ending.LENGTH

    def _rest(self) -> str:
        words = self.thoughts.flush(is_cut=self.reader.ending is Ending.LENGTH)
        return self.marks.feed(words) + self.marks.flush()

    def _note_progress(self) -> None:
        """Extend the model's time. Raises when time is up, also where a byte drips in now and then."""
        self.call.deadline.check()
        if not self._is_spoken and self.reader.ending is None:
            if self.call.patience.left_s() <= 0:
                raise TimeoutError("The provider did not begin to answer in time.")
            self.call.patience.heard()
            self.call.generation.is_thinking = True
            self.wire.limit(self.call.patience.left_s())

    def _pieces_of(self, said: Sequence[Said]) -> Iterator[str]:
        if self.reader.ending is not None:
            self.wire.limit(LAST_BYTE_S if self.reader.is_done else AFTER_END_S)
        for one in said:
            if piece := self._within_limit(self._words(one)):
                yield self._spoken(piece)
            if self._is_too_long:
                return

    def _spoken(self, piece: str) -> str:
        self._is_spoken = True
        self.call.generation.is_thinking = False
        self._letters += len(piece)
        if self.reader.ending is None:
            self.wire.limit(min(self.silence_s, self.call.deadline.left_s()))
        return piece

    def _words(self, said: Said) -> str:
        if said.is_thought and not self._is_spoken:
            # The server tells thoughts apart, so what comes as text is none.
            self.thoughts.stop_holding()
        text = said.text
        if said.is_refusal and not self._is_refusal:
            text, self._is_refusal = f"{NOT_IN_BOOK} {text}", True
        words = self.marks.feed(self.thoughts.feed(text)) if text else ""
        if self.thoughts.seen.leaked:
            raise AnswerRefused("The model told its thoughts as its answer.")
        return words

    def _within_limit(self, piece: str) -> str:
        """Return as much of a piece as the answer's limit leaves room for: a server may ignore the limit."""
        room = self.call.prompt.max_output_tokens * LONGEST_TOKEN - self._letters
        if len(piece) <= room:
            return piece
        self._is_too_long = True
        return piece[:room]
