"""Serve an OpenAI-compatible API on the loopback, with answers and faults that a test can script."""

import argparse
import base64
import json
import math
import re
import signal
import threading
import zlib
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.loopback import LAST_CHUNK, Call, Connection, LoopbackServer, framed

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
MODELS = "/v1/models"
CONTROL = "/control"  # ours, to control an upstream that runs as a process of its own

DIMENSIONS = {"text-embedding-3-large": 3072}
DEFAULT_DIMENSIONS = 1536
LARGEST_BATCH = 2048  # OpenAI's own limit of inputs in one embedding request
CREATED = 1_750_000_000

EVENT_STREAM = "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """Describe a good answer; the server's defaults replace None.

    `tokens` wins over `text`. `finish_reason=None` ends with `[DONE]` and without a finish reason.
    """

    text: str | None = None
    tokens: Sequence[str] | None = None
    first_delay_s: float = 0
    delay_s: float = 0
    finish_reason: Literal["stop", "length", "content_filter"] | None = "stop"
    usage: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Status:
    """Describe an error reply in OpenAI's format; 401 quotes the key, as OpenAI does."""

    status: int
    retry_after: float | str | None = None
    message: str | None = None
    code: str | None = None
    body: bytes | None = None


@dataclass(frozen=True)
class Hang:
    """Send nothing more until the client leaves."""

    before: Literal["headers", "first_word", "middle"] = "headers"


@dataclass(frozen=True)
class Drip:
    """Send small pieces without end: each arrives in time, but the answer is never complete."""

    every_s: float = 0.05
    piece: Literal["comment", "partial_line", "header"] = "comment"
    after_tokens: int = 0


@dataclass(frozen=True)
class Cut:
    """Break an answer off.

    `close` ends the connection inside the chunked body, `reset` does so with a RST, `end` ends the body
    normally but without a finish reason or `[DONE]`, `done_without_finish` lacks only the finish reason.
    """

    after_tokens: int = 3
    how: Literal["close", "reset", "end", "done_without_finish"] = "close"


@dataclass(frozen=True)
class Garbage:
    """Send status 200 with an unusable body."""

    kind: Literal[
        "html",
        "bad_json",
        "bad_sse_json",
        "empty_embeddings",
        "wrong_dimension",
        "nan",
        "lone_surrogate",
        "nul",
    ]


@dataclass(frozen=True)
class EmptyAnswer:
    """Send a complete answer without text."""

    finish_reason: str = "stop"


@dataclass(frozen=True)
class Refusal:
    """Refuse, as a model does: with the text in `refusal`, and an empty `content`."""

    text: str = "I'm sorry, I can't help with that."


Behaviour = Reply | Status | Hang | Drip | Cut | Garbage | EmptyAnswer | Refusal

EMBEDDING_GARBAGE = {"html", "bad_json", "empty_embeddings", "wrong_dimension", "nan"}
CHAT_GARBAGE = {"html", "bad_json", "bad_sse_json", "lone_surrogate", "nul"}
STATUS_TEXTS = {
    401: ("Incorrect API key provided: {key}. Find your API key in your account.", "invalid_api_key"),
    404: ("The model `{model}` does not exist or you do not have access to it.", "model_not_found"),
    429: ("Rate limit reached for {model}.", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", None),
    503: ("The engine is currently overloaded, please try again later.", None),
}


class OpenAIUpstream(LoopbackServer):
    """Serve `/v1` at `base_url`: `with OpenAIUpstream() as upstream:`.

    A reply is the first of these that is set: the next scripted behaviour of the endpoint, the behaviour of
    the model, that of the endpoint (`always`), and a good reply: `answer(body)` if that is given, else
    `composed_answer` of about `answer_tokens` tokens, in sentences of `sentence_tokens` or in one.
    With `api_key` set, any other key is answered with 401.
    """

    def __init__(
        self,
        *,
        answer: Callable[[Mapping[str, Any]], str] | None = None,
        answer_tokens: int = 20,
        sentence_tokens: int | None = None,
        first_delay_s: float = 0,
        delay_s: float = 0,
        api_key: str | None = None,
        models: Sequence[str] = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small"),
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.answer = answer
        self.answer_tokens = answer_tokens
        self.sentence_tokens = sentence_tokens
        self.first_delay_s = first_delay_s
        self.delay_s = delay_s
        self.api_key = api_key
        self.models = models
        self._scripts: dict[str, deque[Behaviour]] = {CHAT: deque(), EMBEDDINGS: deque(), MODELS: deque()}
        self._always: dict[str, Behaviour] = {}
        self._of_models: dict[str, Behaviour] = {}

    @property
    def base_url(self) -> str:
        """Return the value for OPENAI_BASE_URL."""
        return f"{self.url}/v1"

    def script(self, *behaviours: Behaviour, endpoint: str = CHAT) -> None:
        """Queue one behaviour for each of the next requests to the endpoint."""
        for behaviour in behaviours:
            check_fits(behaviour, endpoint)
        with self._changed:
            self._scripts[endpoint].extend(behaviours)

    def always(self, behaviour: Behaviour | None, endpoint: str = CHAT) -> None:
        """Set the behaviour of an endpoint; None restores good replies."""
        check_fits(behaviour, endpoint)
        put_or_drop(self._always, endpoint, behaviour)

    def for_model(self, model: str, behaviour: Behaviour | None) -> None:
        """Set the behaviour of a model; None restores good replies."""
        put_or_drop(self._of_models, model, behaviour)

    def reset(self) -> None:
        """Delete scripts, behaviours and records."""
        with self._changed:
            for queue in self._scripts.values():
                queue.clear()
        self._always.clear()
        self._of_models.clear()
        self.forget()

    def respond(self, call: Call, connection: Connection) -> None:
        one_of_many = (
            call.path.startswith(f"{MODELS}/") and call.path.removeprefix(f"{MODELS}/") in self.models
        )
        route = ROUTES.get((call.method, MODELS if one_of_many else call.path))
        if call.path == CONTROL:
            self._control(call, connection)
        elif not route:
            message = f"Invalid URL ({call.method} {call.path})"
            connection.reply_json(404, problem(message, "invalid_request_error"))
        elif self.api_key and given_key(call) != self.api_key:
            send_status(Status(401), call, connection)
        else:
            route(self, call, connection)

    def _models(self, call: Call, connection: Connection) -> None:
        behaviour = self._behaviour(MODELS, None)
        if not send_failure(behaviour, call, connection):
            models = [{"id": m, "object": "model", "created": CREATED, "owned_by": "us"} for m in self.models]
            asked = call.path.removeprefix(MODELS).removeprefix("/")
            one = next((model for model in models if model["id"] == asked), None)
            connection.reply_json(200, one or {"object": "list", "data": models})

    def _embeddings(self, call: Call, connection: Connection) -> None:
        texts = embedding_inputs(call.body)
        if isinstance(texts, str):
            connection.reply_json(400, problem(texts, "invalid_request_error"))
            return
        behaviour = self._behaviour(EMBEDDINGS, call.body["model"])
        if send_failure(behaviour, call, connection):
            return
        kind = behaviour.kind if isinstance(behaviour, Garbage) else None
        connection.pause(behaviour.first_delay_s if isinstance(behaviour, Reply) else 0)
        connection.reply_json(200, embeddings_reply(call.body, texts, kind))

    def _chat(self, call: Call, connection: Connection) -> None:
        fault = chat_fault(call.body)
        if fault:
            connection.reply_json(400, problem(fault, "invalid_request_error"))
            return
        behaviour = self._behaviour(CHAT, call.body["model"])
        if send_failure(behaviour, call, connection):
            return
        reply = self._filled(behaviour if isinstance(behaviour, Reply) else Reply(), call.body)
        if call.body.get("stream"):
            with self._streaming():
                stream_chat(behaviour, reply, call.body, connection=connection)
        else:
            send_chat(behaviour, reply, call.body, connection=connection)

    def _behaviour(self, endpoint: str, model: str | None) -> Behaviour:
        with self._changed:
            if self._scripts[endpoint]:
                return self._scripts[endpoint].popleft()
        plain = Reply(first_delay_s=self.first_delay_s if endpoint == CHAT else 0, delay_s=self.delay_s)
        return self._of_models.get(model or "") or self._always.get(endpoint) or plain

    def _filled(self, reply: Reply, body: Mapping[str, Any]) -> Reply:
        tokens = reply.tokens
        if tokens is None:
            text = reply.text
            if text is None:
                text = self.answer(body) if self.answer else self._composed(body)
            tokens = tokens_of(text)
        usage = reply.usage or counted(prompt_tokens(body), len(tokens))
        return replace(reply, tokens=tokens, usage=usage)

    def _composed(self, body: Mapping[str, Any]) -> str:
        return composed_answer(body, self.answer_tokens, sentence_tokens=self.sentence_tokens)

    def _control(self, call: Call, connection: Connection) -> None:
        for name in ("answer_tokens", "sentence_tokens", "first_delay_s", "delay_s"):
            setattr(self, name, (call.body or {}).get(name, getattr(self, name)))
        if call.method == "DELETE":
            self.forget()
        counts = {path: len(self.calls(path)) for path in (CHAT, EMBEDDINGS, MODELS)}
        connection.reply_json(200, {"calls": counts, "connections": self.connections})


ROUTES: dict[tuple[str, str], Callable[[OpenAIUpstream, Call, Connection], None]] = {
    ("POST", CHAT): OpenAIUpstream._chat,
    ("POST", EMBEDDINGS): OpenAIUpstream._embeddings,
    ("GET", MODELS): OpenAIUpstream._models,
}


# ---- what every endpoint shares


def send_failure(behaviour: Behaviour, call: Call, connection: Connection) -> bool:
    """Send a failure that is the same at each endpoint; return False if the behaviour is not of that kind."""
    match behaviour:
        case Status():
            send_status(behaviour, call, connection)
        case Hang(before="headers"):
            connection.pause(None)
        case Drip(piece="header"):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            drip(connection.send, b"X-Wait: 1\r\n", connection, every_s=behaviour.every_s)
        case Garbage(kind="html"):
            page = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
            connection.reply(200, page, {"Content-Type": "text/html"})
        case Garbage(kind="bad_json"):
            connection.reply(200, b'{"object": "list", "data": [', {"Content-Type": "application/json"})
        case _ if call.path != CHAT and not isinstance(behaviour, Reply | Garbage):
            send_stalled(behaviour, connection)
        case _:
            return False
    return True


def send_status(behaviour: Status, call: Call, connection: Connection) -> None:
    """Send an OpenAI error reply."""
    text, code = STATUS_TEXTS.get(behaviour.status, ("The request failed.", None))
    message = behaviour.message or text
    message = message.replace("{key}", given_key(call)).replace("{model}", (call.body or {}).get("model", ""))
    kind = "server_error" if behaviour.status >= 500 else "invalid_request_error"
    headers = {"Content-Type": "application/json", "x-request-id": "req_fake"}
    if behaviour.retry_after is not None:
        headers["Retry-After"] = str(behaviour.retry_after)
    body = json.dumps(problem(message, kind, behaviour.code or code)).encode()
    connection.reply(behaviour.status, body if behaviour.body is None else behaviour.body, headers)


def send_stalled(behaviour: Behaviour, connection: Connection) -> None:
    """Send a JSON reply that hangs, drips or is cut after its head."""
    connection.begin_chunks("application/json")
    match behaviour:
        case Drip():
            drip(connection.chunk, b" ", connection, every_s=behaviour.every_s)
        case Cut(how="reset"):
            connection.chunk(b'{"object":')
            connection.pause(0.01)
            connection.reset()
        case Cut(how="close"):
            connection.chunk(b'{"object":')
            connection.close()
        case Cut():
            connection.chunk(b'{"object":')
            connection.end_chunks()
        case _:
            if behaviour == Hang("middle"):
                connection.chunk(b'{"object":')
            connection.pause(None)


def drip(send: Callable[[bytes], None], piece: bytes, connection: Connection, *, every_s: float) -> None:
    """Send the piece again and again, until ClientGone or Stopped is raised."""
    while True:
        send(piece)
        connection.pause(every_s)


def problem(message: str, kind: str, code: str | None = None) -> dict[str, object]:
    """Return OpenAI's error object."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def given_key(call: Call) -> str:
    """Return the key that the client sent, or ""."""
    return call.headers.get("authorization", "").removeprefix("Bearer ")


def check_fits(behaviour: Behaviour | None, endpoint: str) -> None:
    """Raise ValueError for a behaviour that the endpoint cannot show."""
    if endpoint not in (CHAT, EMBEDDINGS, MODELS):
        raise ValueError(f"no endpoint {endpoint!r}; there are {CHAT}, {EMBEDDINGS} and {MODELS}")
    allowed = CHAT_GARBAGE if endpoint == CHAT else EMBEDDING_GARBAGE
    wrong_garbage = isinstance(behaviour, Garbage) and behaviour.kind not in allowed
    if wrong_garbage or (endpoint != CHAT and isinstance(behaviour, EmptyAnswer | Refusal)):
        raise ValueError(f"{behaviour} cannot be shown by {endpoint}")


def put_or_drop(switches: dict[str, Behaviour], name: str, behaviour: Behaviour | None) -> None:
    """Set a behaviour, or remove it."""
    if behaviour is None:
        switches.pop(name, None)
    else:
        switches[name] = behaviour


# ---- chat completions


def stream_chat(
    behaviour: Behaviour, reply: Reply, body: Mapping[str, Any], *, connection: Connection
) -> None:
    """Send the answer as server-sent events, one token an event, broken as the behaviour says."""
    event = EventWriter(body, connection)
    connection.begin_chunks(EVENT_STREAM, {"x-request-id": "req_fake"})
    match behaviour:
        case Hang(before="first_word"):
            connection.pause(None)
        case Hang():
            event.words(reply.tokens[:2])
            connection.pause(None)
        case Drip():
            event.words(reply.tokens[: behaviour.after_tokens])
            piece = b": still thinking\n\n" if behaviour.piece == "comment" else b"d"
            drip(connection.chunk, piece, connection, every_s=behaviour.every_s)
        case Cut():
            event.words(reply.tokens[: behaviour.after_tokens])
            event.cut(behaviour.how)
        case Garbage(kind="bad_sse_json"):
            event.words(reply.tokens[:1])
            connection.chunk(b'data: {"id":"chatcmpl-fake","choices":[{"index":0,"del\n\n')
            connection.end_chunks()
        case Refusal():
            event.words(tokens_of(behaviour.text), field="refusal")
            event.finish("stop", reply.usage)
        case _:
            finish_reason = getattr(behaviour, "finish_reason", "stop")
            connection.pause(reply.first_delay_s)
            event.words(said(behaviour, reply), delay_s=reply.delay_s)
            event.finish(finish_reason, reply.usage)


def send_chat(behaviour: Behaviour, reply: Reply, body: Mapping[str, Any], *, connection: Connection) -> None:
    """Send the answer in one piece, broken as the behaviour says."""
    if isinstance(behaviour, Hang | Drip | Cut):
        send_stalled(behaviour, connection)
        return
    if behaviour == Garbage("bad_sse_json"):
        connection.reply(200, b'{"choices": [{', {"Content-Type": "application/json"})
        return
    connection.pause(reply.first_delay_s + reply.delay_s * len(reply.tokens))
    text = "".join(said(behaviour, reply))
    refusal = behaviour.text if isinstance(behaviour, Refusal) else None
    message = {"role": "assistant", "content": None if refusal else text, "refusal": refusal}
    finish_reason = getattr(behaviour, "finish_reason", "stop")
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    shell = completion_shell(body, "chat.completion")
    connection.reply_json(200, {**shell, "choices": [choice], "usage": reply.usage})


def said(behaviour: Behaviour, reply: Reply) -> Sequence[str]:
    """Return the tokens that the behaviour makes of a good reply."""
    match behaviour:
        case EmptyAnswer() | Refusal():
            return []
        case Garbage(kind="lone_surrogate"):
            return [*reply.tokens[:1], " \ud83d", *reply.tokens[1:]]
        case Garbage(kind="nul"):
            return [*reply.tokens[:1], " \0", *reply.tokens[1:]]
    return reply.tokens


class EventWriter:
    """Write OpenAI's chunks as server-sent events; constant parts are rendered once."""

    def __init__(self, body: Mapping[str, Any], connection: Connection) -> None:
        self._connection = connection
        self._with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self._shell = json.dumps(completion_shell(body, "chat.completion.chunk"), separators=(",", ":"))[1:-1]
        self._tail = ',"usage":null}\n\n' if self._with_usage else "}\n\n"

    def words(self, tokens: Sequence[str], *, delay_s: float = 0, field: str = "content") -> None:
        """Send the first chunk with the role, then a chunk a token, each after its delay."""
        self._choice('{"role":"assistant","content":"","refusal":null}', "null")
        for i, token in enumerate(tokens):
            self._connection.pause(delay_s if i else 0)
            self._choice(json.dumps({field: token}), "null")

    def finish(self, finish_reason: str | None, usage: Mapping[str, int] | None) -> None:
        """Send the finish reason if there is one, the usage if it was requested, and `[DONE]`."""
        if finish_reason is not None:
            self._choice("{}", json.dumps(finish_reason))
        if self._with_usage:
            self._event(f'{{{self._shell},"choices":[],"usage":{json.dumps(usage)}}}\n\n')
        # In one piece with the end, for a client that hangs up at `[DONE]` has not left early.
        self._connection.send(framed(b"data: [DONE]\n\n") + LAST_CHUNK)

    def cut(self, how: str) -> None:
        """Break the stream off here."""
        match how:
            case "reset":
                self._connection.pause(0.01)  # a RST may overtake words the client has not read yet
                self._connection.reset()
            case "close":
                self._connection.close()
            case "end":
                self._connection.end_chunks()
            case _:
                self.finish(None, None)

    def _choice(self, delta: str, finish_reason: str) -> None:
        choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish_reason}}}'
        self._event(f'{{{self._shell},"choices":[{choice}]{self._tail}')

    def _event(self, text: str) -> None:
        self._connection.chunk(b"data: " + text.encode())


def completion_shell(body: Mapping[str, Any], kind: str) -> dict[str, object]:
    """Return the fields around the choices of every completion."""
    return {
        "id": "chatcmpl-fake",
        "object": kind,
        "created": CREATED,
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def chat_fault(body: Any) -> str | None:
    """Return OpenAI's objection to the request, or None."""
    if not isinstance(body, dict):
        return "We could not parse the JSON body of your request."
    if not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    if not body.get("messages"):
        return "Missing required parameter: 'messages'."
    if body.get("stream_options") and not body.get("stream"):
        return "The 'stream_options' parameter is only allowed when 'stream' is enabled."
    return None


_MARKED_PASSAGE = re.compile(
    r'<(?:passage|selection) number="(?P<number>\d+)"[^\n]*>\n(?P<text>.*?)\n</', re.DOTALL
)
_NUMBERED_PASSAGE = re.compile(
    r"^\W*(?:passage|source)?\s*\[?(?P<number>\d+)[\]:.)](?P<text>.*?)"
    r"(?=^\W*(?:passage|source)?\s*\[?\d+[\]:.)]|\Z)",
    re.MULTILINE | re.IGNORECASE | re.DOTALL,
)


def composed_answer(body: Mapping[str, Any], about_tokens: int, *, sentence_tokens: int | None = None) -> str:
    """Return `According to the book, … [1].` with words of the first passage, or of the question.

    With `sentence_tokens` the words of a passage are parted into sentences of so many tokens, each with its
    mark, as a model writes them.
    """
    messages = [message for message in body["messages"] if message.get("role") == "user"]
    question = text_of(messages[-1]) if messages else ""
    passage = _MARKED_PASSAGE.search(question) or _NUMBERED_PASSAGE.search(question)
    if passage is None:
        return spread(["You", "asked:"], plain_words(question), about_tokens) + "."
    words = plain_words(passage["text"])
    # Each sentence's mark is a token, too.
    marks = math.ceil(about_tokens / sentence_tokens) if sentence_tokens else 1
    said = spread(["According", "to", "the", "book,"], words, about_tokens - marks).split(" ")
    size = sentence_tokens - 1 if sentence_tokens else len(said)
    sentences = [" ".join(said[start : start + size]) for start in range(0, len(said), size)]
    return " ".join(f"{one[:1].upper()}{one[1:]} [{passage['number']}]." for one in sentences)


def spread(opening: Sequence[str], words: Sequence[str], about_tokens: int) -> str:
    """Return the opening and then the words, repeated until there are about `about_tokens` tokens."""
    wanted = max(0, about_tokens - len(opening))
    repeated = (list(words) * (wanted // len(words) + 1))[:wanted] if words else []
    return " ".join([*opening, *repeated])


def plain_words(text: str) -> list[str]:
    """Return the words without signs that could be a mark or Markdown."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)


def tokens_of(text: str) -> list[str]:
    """Split a text into pieces of one word each, which add up to the text."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def text_of(message: Mapping[str, Any]) -> str:
    """Return a message's text, even if its content comes in parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Return the number of words of the whole prompt, which is near its number of tokens."""
    return sum(len(text_of(message).split()) for message in body["messages"])


def counted(input_tokens: int, output_tokens: int) -> dict[str, int]:
    """Return OpenAI's usage object."""
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


# ---- embeddings


def embedding_inputs(body: Any) -> list[str] | str:
    """Return the texts to embed, or OpenAI's objection to the request."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not texts or not isinstance(texts, list) or not all(texts):
        return "'$.input' is invalid. Please check the API reference."
    if isinstance(texts[0], int):
        texts = [texts]
    if len(texts) > LARGEST_BATCH:
        return f"Invalid 'input': array too long. Expected at most {LARGEST_BATCH}, got {len(texts)}."
    return [text if isinstance(text, str) else " ".join(map(str, text)) for text in texts]


def embeddings_reply(body: Mapping[str, Any], texts: Sequence[str], garbage: str | None) -> dict[str, object]:
    """Return OpenAI's reply with a vector for each text, as base64 or as floats."""
    dimensions = body.get("dimensions") or DIMENSIONS.get(body["model"], DEFAULT_DIMENSIONS)
    if garbage == "wrong_dimension":
        dimensions -= 1
    vectors = [embedded(text, dimensions) for text in texts]
    if garbage == "nan":
        vectors[0][0] = math.nan
    if garbage == "empty_embeddings":
        vectors = []
    as_base64 = body.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "index": i, "embedding": in_base64(vector) if as_base64 else list(vector)}
        for i, vector in enumerate(vectors)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}


def embedded(text: str, dimensions: int) -> array:
    """Return a unit vector of the text's words: texts that share words or their beginnings are similar."""
    weights: dict[int, float] = {}
    for feature, weight in features(text):
        place = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        sign = 1 if place & 0x8000_0000 else -1
        at = place % dimensions
        weights[at] = weights.get(at, 0) + sign * weight
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1
    vector = array("f", bytes(4 * dimensions))
    for at, weight in weights.items():
        vector[at] = weight / length
    if not any(weights.values()):
        vector[0] = 1
    return vector


def features(text: str) -> Iterator[tuple[str, float]]:
    """Return the words in lower case, cut to five letters, with weights; short words weigh little."""
    for word in re.findall(r"\w+", text.lower()):
        yield word, 1.0 if len(word) > 3 else 0.2
        if len(word) > 5:
            yield f"{word[:5]}…", 0.7


def in_base64(vector: array) -> str:
    """Encode 32-bit floats as OpenAI does."""
    return base64.b64encode(vector.tobytes()).decode()


# ---- as a process


def main() -> None:
    """Serve until a signal; print the base URL as soon as connections are accepted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=20, help="tokens of an answer")
    parser.add_argument("--first-delay-s", type=float, default=0)
    parser.add_argument("--delay-s", type=float, default=0, help="between two tokens")
    wanted = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    upstream = OpenAIUpstream(
        answer_tokens=wanted.tokens,
        first_delay_s=wanted.first_delay_s,
        delay_s=wanted.delay_s,
        port=wanted.port,
    )
    with upstream:
        print(upstream.base_url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
