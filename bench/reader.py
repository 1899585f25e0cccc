"""Ask the running service over HTTP, and report the result, whatever the server does."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

# Longer than any question may take: who waits so long was forgotten.
PATIENCE_S = 60.0

Broken = Literal["", "refused", "reset", "cut", "timeout"]


@dataclass(frozen=True)
class Seen:
    """Hold the result of one request. `reply` is a whole answer, `said` the sum of the deltas.

    `broken` says how the connection failed: `refused` before a byte was sent, `reset` before the head of the
    response, `cut` in its body, `timeout` when nothing came. `code` is that of a problem, with its status or
    inside a stream.
    """

    began: float
    ended: float
    connected_at: float
    status: int = 0
    code: str = ""
    retry_after: int | None = None
    reply: Mapping[str, Any] | None = None
    body: Any = None
    said: str = ""
    message_id: str = ""
    broken: Broken = ""
    left: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class _Sight:
    """Hold a running request."""

    began: float = field(default_factory=time.monotonic)
    connected_at: float = 0.0
    fields: dict[str, Any] = field(default_factory=dict)

    def ended(self) -> Seen:
        return Seen(self.began, time.monotonic(), self.connected_at, **self.fields)


class Reader:
    """Send requests over one connection as a browser does, and reconnect after a failure. For one thread."""

    def __init__(self, port: int, *, address: str = "", patience_s: float = PATIENCE_S) -> None:
        self._port = port
        self._patience_s = patience_s
        self._headers = {"X-Forwarded-For": address} if address else {}
        self._connection: http.client.HTTPConnection | None = None
        self._connected_at = 0.0

    def ask(
        self,
        body: Mapping[str, Any],
        *,
        key: str = "",
        leave_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """Ask one question; leave a stream after `leave_after` deltas, if given."""
        sent = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        return self.send("POST", "/query", body, headers=sent, leave_after=leave_after)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        leave_after: int | None = None,
    ) -> Seen:
        """Send one request; `body` is JSON, or bytes that are sent unchanged."""
        sight = _Sight()
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **self._headers, **(headers or {})}
        try:
            connection = self._connected(sight)
            connection.request(method, path, raw, sent)
            response = connection.getresponse()
        except ConnectionRefusedError:
            return self._broken(sight, "refused")
        except TimeoutError:
            return self._broken(sight, "timeout")
        except (OSError, http.client.HTTPException):
            return self._broken(sight, "reset")
        try:
            self._take(response, sight, leave_after)
        except TimeoutError:
            return self._broken(sight, "timeout")
        except (OSError, http.client.HTTPException, ValueError):
            return self._broken(sight, "cut")
        if sight.fields.get("broken") or sight.fields.get("left") or response.will_close:
            self.shut_down()
        return sight.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down()

    def shut_down(self) -> None:
        """Close the connection, as a closed tab does."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self, sight: _Sight) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connected_at = time.monotonic()
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience_s)
        sight.connected_at = self._connected_at
        return self._connection

    def _broken(self, sight: _Sight, how: Broken) -> Seen:
        self.shut_down()
        sight.fields["broken"] = how
        return sight.ended()

    def _take(self, response: http.client.HTTPResponse, sight: _Sight, leave_after: int | None) -> None:
        seen = sight.fields
        seen["status"] = response.status
        waited = response.getheader("Retry-After")
        seen["retry_after"] = int(waited) if waited else None
        kind = response.getheader("Content-Type", "")
        if kind.startswith("text/event-stream"):
            self._follow(response, seen, leave_after)
            return
        raw = response.read()
        if "json" not in kind:
            seen["body"] = raw.decode(errors="replace")
            return
        seen["body"] = content = json.loads(raw)
        if response.status >= 400:
            seen["code"] = content.get("code", "")
        elif "answer" in content:
            seen["reply"], seen["message_id"] = content, content["message_id"] or ""

    def _follow(
        self, response: http.client.HTTPResponse, seen: dict[str, Any], leave_after: int | None
    ) -> None:
        said: list[str] = []
        name = ""
        while line := response.readline():
            if leave_after is not None and len(said) >= leave_after:
                seen["left"] = True
                response.close()
                break
            if line.startswith(b"event: "):
                name = line.removeprefix(b"event: ").strip().decode()
            elif line.startswith(b"data: "):
                event = json.loads(line.removeprefix(b"data: "))
                match name:
                    case "sources":
                        seen["message_id"] = event["message_id"] or ""
                    case "delta":
                        said.append(event["text"])
                    case "done":
                        seen["reply"] = event
                    case "error":
                        seen["code"] = event["code"]
        seen["said"] = "".join(said)
        if not (seen.get("left") or seen.get("reply") or seen.get("code")):
            seen["broken"] = "cut"


def fetched(port: int, path: str, *, patience_s: float = PATIENCE_S) -> Seen:
    """Send one GET over a new connection."""
    with Reader(port, patience_s=patience_s) as reader:
        return reader.send("GET", path)
