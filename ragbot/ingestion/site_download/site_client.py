"""Request pages of one site politely: over one connection, with pauses, retries and limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import httpx2

from ragbot.core.errors import BookError
from ragbot.ingestion.site_download.public_hosts import Resolve, addresses_of, ascii_host, checked_addresses
from ragbot.version import __version__

USER_AGENT = f"ragbot/{__version__}"

# A server that sends a page more slowly than this sends none.
READ_TIMEOUT_S = 20.0
PAGE_TIMEOUT_S = 120.0
RETRIES = 3
# A site that asks for more is better asked on another day.
MAX_WAIT_S = 120.0


class SiteUnavailable(Exception):
    """Report that a page could not be had at this time, after all retries."""


@dataclass(frozen=True, slots=True)
class Validators:
    """Hold what a server said of a page's state: it then need not send the same page again."""

    etag: str = ""
    last_modified: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a conditional request."""
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.last_modified))
        return {name: value for name, value in pairs if value}


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold a reply. `body` is None if it is too large; `location` is empty without a redirect."""

    status: int
    body: bytes | None
    content_type: str
    charset: str
    location: str
    validators: Validators


@dataclass(slots=True)
class SiteClient:
    """Request one address after the other. Only public addresses are connected to, unless `allow_private`."""

    pause_s: float = 0.2
    allow_private: bool = False
    sleep: Callable[[float], None] = time.sleep
    resolve: Resolve = addresses_of
    _ends_at: float = field(default=float("inf"), init=False)
    _client: httpx2.Client | None = field(default=None, init=False)
    _host: str = field(default="", init=False)
    _addresses: dict[tuple[str, int], list[str]] = field(default_factory=dict, init=False)

    @contextmanager
    def opened(self, time_limit_s: float) -> Iterator[SiteClient]:
        """Keep one connection open while the block runs, and request nothing after the time limit."""
        self._ends_at = time.monotonic() + time_limit_s
        try:
            yield self
        finally:
            self._close()

    def get(self, url: str, *, max_bytes: int, validators: Validators | None = None) -> Reply:
        """Request an address after the pause; redirects are not followed.

        Raises SiteUnavailable if the site does not answer, and BookError if it is at a private address, or
        the time is over.
        """
        headers = validators.headers if validators else {}
        for attempt in range(RETRIES + 1):
            self.sleep(self.pause_s)
            if time.monotonic() > self._ends_at:
                raise BookError(
                    "The site was not downloaded within the time limit (INGEST_TIME_LIMIT_S). "
                    "Run the command again: it goes on where it stopped."
                )
            wait = float(2**attempt)
            try:
                reply, retry_after = self._get_once(url, headers, max_bytes)
            except (httpx2.HTTPError, httpx2.InvalidURL) as fault:
                problem = f"it does not answer ({type(fault).__name__})"
            else:
                # (Cloudflare answers 520 to 526 for a server behind it.)
                if reply.status != 429 and reply.status < 500:
                    return reply
                problem = f"it answers {reply.status}"
                wait = max(wait, _seconds(retry_after))
            if attempt == RETRIES or wait > MAX_WAIT_S:
                raise SiteUnavailable(problem)
            self.sleep(wait)
        raise AssertionError("unreachable")

    def _get_once(self, url: str, headers: dict[str, str], max_bytes: int) -> tuple[Reply, str]:
        response = self._response(url, headers)
        try:
            body = _body(response, max_bytes)
        finally:
            response.close()
        given = response.headers
        kind, _, _ = given.get("Content-Type", "").partition(";")
        reply = Reply(
            status=response.status_code,
            body=body,
            content_type=kind.strip().lower(),
            charset=response.charset_encoding or "",
            location=given.get("Location", "") if response.is_redirect else "",
            validators=Validators(given.get("ETag", ""), given.get("Last-Modified", "")),
        )
        return reply, given.get("Retry-After", "")

    def _client_for(self, host: str) -> httpx2.Client:
        """Return the client of a host. (A connection to another host at the same address is not its own.)"""
        if self._client is None or self._host != host:
            self._close()
            self._client, self._host = _new_client(), host
        return self._client

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _response(self, url: str, headers: dict[str, str]) -> httpx2.Response:
        """Send a request to the first of the host's addresses that can be connected to, and remember it."""
        try:
            parts = urlsplit(url)
            host, port = ascii_host(parts.hostname or ""), parts.port
        except ValueError as fault:
            raise BookError(f"{url} is no address of a site: {fault}.") from fault
        spelt = f"[{host}]" if ":" in host else host
        parts = parts._replace(netloc=spelt if port is None else f"{spelt}:{port}")
        port = port or (443 if parts.scheme == "https" else 80)
        if (host, port) not in self._addresses:
            self._addresses[host, port] = checked_addresses(
                host, port, resolve=self.resolve, allow_private=self.allow_private
            )
        addresses = self._addresses[host, port]
        client = self._client_for(parts.netloc)
        for address in tuple(addresses):
            try:
                response = client.send(_request(client, parts, address, port, headers), stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if address == addresses[-1]:
                    raise
            else:
                addresses.remove(address)
                addresses.insert(0, address)
                return response
        raise AssertionError("unreachable")


def _request(
    client: httpx2.Client, parts: SplitResult, address: str, port: int, headers: dict[str, str]
) -> httpx2.Request:
    """Build a request to a checked address that still names the host, also for its certificate."""
    shown = f"[{address}]" if ":" in address else address
    return client.build_request(
        "GET",
        parts._replace(netloc=f"{shown}:{port}").geturl(),
        headers={**headers, "Host": parts.netloc},
        extensions={"sni_hostname": parts.hostname or ""},
    )


def _new_client() -> httpx2.Client:
    limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=MAX_WAIT_S)
    # A proxy of the environment would connect to an address that was not checked.
    return httpx2.Client(
        transport=httpx2.HTTPTransport(limits=limits),
        trust_env=False,
        timeout=READ_TIMEOUT_S,
        headers={"User-Agent": USER_AGENT, "Accept": "text/html, application/xhtml+xml, */*;q=0.1"},
    )


def _body(response: httpx2.Response, max_bytes: int) -> bytes | None:
    """Read a body, unpacked; None if it is too large. A body that comes too slowly is a timeout."""
    started = time.monotonic()
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_bytes(65_536):
        size += len(piece)
        if size > max_bytes:
            return None
        if time.monotonic() - started > PAGE_TIMEOUT_S:
            raise httpx2.ReadTimeout("The page came too slowly.")
        pieces.append(piece)
    return b"".join(pieces)


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header, which holds seconds or a date; 0 if it says nothing."""
    if retry_after.strip().isdecimal():
        return float(retry_after.strip()[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
