"""List hostile requests: 60 raw byte streams, and HTTP requests that are meant to do harm."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import quote

QUERY_FIELDS = (
    *("query", "session_id", "mode", "selected_text", "page_url", "book_version"),
    *("chapter_filter", "top_k", "stream"),
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request; `target` goes on the wire as it is, and so do the headers, as Latin-1."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def on_the_wire(self) -> bytes:
        headers = {"Host": "book.example", "Connection": "close"} | self.headers
        if self.body or self.method in ("POST", "PUT"):
            headers.setdefault("Content-Length", str(len(self.body)))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def hostile_requests() -> list[Hostile]:
    """Return all of them, in a fixed order; at least 440."""
    return [*_wrong_values(), *_not_json(), *_odd_headers(), *_odd_ids(), *_odd_queries(), *_odd_routes()]


def _asked(body: bytes, **headers: str) -> Hostile:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Hostile("POST", "/query", {"Content-Type": "application/json"} | named, body)


def _wrong_values() -> list[Hostile]:
    values = [
        *("null", "true", "0", "-1", "1.5", "1e999", "9" * 400, '""', '" "', '"\\u0000"', '"\\ud800"'),
        *('"a\\udfffb"', "[]", "{}", '["x"]', '{"$ne": null}', '"' + "x" * 12_000 + '"', '"\u202e\u0007"'),
    ]
    requests = []
    for name in QUERY_FIELDS:
        for value in values:
            others = "" if name == "query" else '"query": "How long does bread rise?", '
            requests.append(_asked(f'{{{others}"{name}": {value}}}'.encode()))
    for value in values:
        body = f'{{"rating": {value}, "comment": {value}}}'.encode()
        target = "/sessions/x/messages/y/feedback"
        requests.append(Hostile("PUT", target, {"Content-Type": "application/json"}, body))
    return requests


def _not_json() -> list[Hostile]:
    question = json.dumps({"query": "How long does bread rise?"})
    bodies = [
        *(
            b"",
            b" ",
            b"{",
            b"}",
            b"[]",
            b"[1]",
            b"null",
            b"true",
            b"1",
            b'"x"',
            b"{}",
            b"{{}}",
            b"nul",
            b"\x00",
        ),
        *(b'{"query": NaN}', b'{"query": Infinity}', b"{'query': 'x'}", b'{"query": "x",}', b"{query: 1}"),
        *(b'{"query": "x"}}', b'{"query": "x"} {"query": "y"}', b'{"query": "\x01"}', b'{"query": "\xff"}'),
        *(b'{"query": "\xed\xa0\x80"}', b'{"query": "\xc0\xaf"}', b'{"\\ud800": 1}', b'{"\\u0000": 1}'),
        *(b"\xef\xbb\xbf" + question.encode(), question.encode("utf-16"), question.encode("utf-32")),
        *(b"[" * 60_000, b'{"a":' * 10_000, b"[" * 30_000 + b"]" * 30_000, b'{"query": ' + b"[" * 50_000),
        *(b'{"query": ' + b"9" * 60_000 + b"}", b'{"top_k": 1' + b"0" * 6_000 + b', "query": "x"}'),
        *(
            b'{"query": "x", "query": {"y": 1}}',
            b'{"' + b"k" * 60_000 + b'": 1}',
            b'{"query": "' + b"x" * 65_536,
        ),
        b"{" + b",".join(b'"k%d": 1' % n for n in range(5_000)) + b"}",
        *(
            b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
            b"\x1f\x8b\x08",
        ),
        b'{"__proto__": {"x": 1}, "constructor": 1, "query": "x"}',
        *(b"query=x", b"--b\r\nContent-Disposition: form-data; name=query\r\n\r\nx\r\n--b--\r\n"),
    ]
    json_bodies = [_asked(body) for body in bodies]
    return json_bodies + [
        Hostile("POST", "/sessions", {"Content-Type": "application/json"}, b) for b in bodies[:12]
    ]


def _odd_headers() -> list[Hostile]:
    question = b'{"query": "How long does bread rise?"}'
    types = [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"),
        *(
            "multipart/form-data; boundary=" + "b" * 5_000,
            "application/json; charset=utf-16",
            "json",
            "/",
            ";;;",
        ),
        *("application/json, text/html", "application/jsonp", "application/JSON;x=\xff", "*/*", "a/b" * 900),
    ]
    values = [
        "",
        " ",
        "x" * 4_000,
        "\xff\xfe",
        "a,b;q=,;;",
        "*/*;q=nan",
        "%00%0d%0a",
        "../../etc",
        "{}",
        "-1",
        "\t",
    ]
    names = [
        *(
            "Accept",
            "Accept-Encoding",
            "Accept-Language",
            "Idempotency-Key",
            "X-Request-ID",
            "Origin",
            "Cookie",
        ),
        *("Range", "If-None-Match", "X-Forwarded-For", "X-Forwarded-Host", "Content-Encoding"),
    ]
    hosts = [
        "",
        " ",
        "a b",
        "[::1",
        "a:b:c",
        "x" * 4_000,
        "evil.example@book.example",
        "\xff",
        "*",
        "a/../b",
        ":99999999",
    ]
    credentials = [
        "Basic",
        "Basic \xff",
        "Basic " + "A" * 4_000,
        "Bearer x",
        "Digest username=",
        "Basic OjpvOg==",
    ]
    return [
        *(_asked(question, Content_Type=value) for value in types),
        *(_asked(question, **{name: value}) for name in names for value in values),
        *(Hostile("GET", "/", {"Host": host}) for host in hosts),
        *(
            Hostile("GET", target, {"Authorization": value})
            for target in ("/", "/metrics")
            for value in credentials
        ),
        *(Hostile("GET", "/admin/sessions", {"X-API-Key": value}) for value in values),
        *(
            Hostile("OPTIONS", "/query", {"Origin": value, "Access-Control-Request-Method": value})
            for value in values
        ),
    ]


def _odd_ids() -> list[Hostile]:
    ids = [
        *(
            "..",
            "%2e%2e",
            "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "%00",
            "a%00b",
            "%ff%fe",
            "%ed%a0%80",
            "%",
            "%zz",
            "%u0041",
        ),
        *(
            quote("' OR 1=1 --"),
            quote("<script>alert(1)</script>"),
            quote("\u202e\u2028"),
            quote("{{7*7}}"),
            "%0d%0aX:1",
        ),
        *(
            "a" * 201,
            "a" * 3_500,
            "null",
            "-1",
            "0",
            quote("🧨" * 50),
            "%25s%25n",
            "${jndi:ldap://x}",
            "\xff\xfe",
            "a;b=c",
        ),
    ]
    return [
        *(Hostile("GET", f"/sessions/{name}") for name in ids),
        *(Hostile("DELETE", f"/sessions/{name}") for name in ids),
        *(Hostile("GET", f"/sessions/{name}/export") for name in ids),
    ]


def _odd_queries() -> list[Hostile]:
    queries = [
        *(
            "limit=0",
            "limit=-1",
            "limit=101",
            "limit=1e3",
            "limit=nan",
            "limit=",
            "limit=" + "9" * 3_000,
            "limit=1&limit=2",
        ),
        *(
            "before=%00",
            "before=%ff",
            "before=" + "x" * 3_000,
            "before=%ed%a0%80",
            "before='",
            "before=&before=",
            "x=1",
        ),
        *(
            "limit[]=1",
            "limit%00=1",
            "%",
            "&&&",
            "=",
            "limit=%F0%9F%A7%A8",
            "a=" * 1_000,
            "\xff=\xff",
            "__class__=1",
        ),
    ]
    return [Hostile("GET", f"/sessions/x?{query}") for query in queries]


def _odd_routes() -> list[Hostile]:
    routes = [
        "/",
        "/query",
        "/sessions",
        "/sessions/x",
        "/health",
        "/health/ready",
        "/metrics",
        "/docs",
        "/openapi.json",
    ]
    methods = ["TRACE", "PATCH", "PROPFIND", "HEAD", "PUT", "DELETE", "X" * 20]
    targets = [
        *(
            "/static/../../etc/passwd",
            "/static/%2e%2e/%2e%2e/wsgi.py",
            "/static/..%2f..%2fwsgi.py",
            "/static/%00",
        ),
        *(
            "/static/..%5c..%5cwsgi.py",
            "/static//etc/passwd",
            "/static/",
            "/static/\xff",
            "//evil.example/",
            "/%2f%2fx",
        ),
        *(
            "/.env",
            "/.git/config",
            "/wsgi.py",
            "/console",
            "/QUERY",
            "/query/",
            "/query%00",
            "/query;x",
            "/\xff",
            "/%ff",
        ),
        *(
            "http://evil.example/",
            "http://[/",
            "/?" + "x" * 3_900,
            "/a" * 1_900,
            "/%c0%ae%c0%ae/",
            "*",
            "?",
            "/#x",
        ),
    ]
    return [
        *(Hostile(method, route) for route in routes for method in methods),
        *(Hostile("GET", target) for target in targets),
    ]


_HEAD = b"POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_BODY = b'{"query": "How long does bread rise?"}'
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(_BODY)

# Sixty of them: framing, lengths, chunks, NULs, sizes, bytes that are no text, and no HTTP at all.
RAW_STREAMS: list[bytes] = [
    # No HTTP.
    b"\r\n",
    b"\x00" * 100,
    b"\xff" * 5_000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200,
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /health\r\n\r\n",
    b"GET  /health  HTTP/1.1\r\nHost: x\r\n\r\n",
    # Request lines.
    b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /health HTTP/1.1.1\r\nHost: x\r\n\r\n",
    b"GET /health HTTQ/1.1\r\nHost: x\r\n\r\n",
    b"GET /he\x00alth HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe\xfd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health?\xc3\x28=\xa0\xa1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"G\x01T /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"get /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://user:pass@evil.example:99999/health HTTP/1.1\r\nHost: x\r\n\r\n",
    # Headers.
    b"GET /health HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-\x00A: ab\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\n X-A: folded\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n",
    b"GET /health HTTP/1.1\nHost: x\n\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + b"b" * 20_000 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 500 + b"\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X" * 20_000 + b": b\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-\xff\xfe: \xff\xfe\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-A",
    # Lengths.
    _HEAD + _LENGTH + _LENGTH + b"\r\n" + _BODY,
    _HEAD + _LENGTH + b"Content-Length: 5\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: -1\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: +38\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: 0x26\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: 38, 38\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: 1_0\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: \xb2\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: 1000\r\n\r\n" + _BODY,
    _HEAD + b"Content-Length: 9999999\r\n\r\n" + b"x" * 100_000,
    _HEAD + _LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
    # Chunks.
    _CHUNKED + b"\r\nzz\r\n" + _BODY,
    _CHUNKED + b"\r\n-5\r\nhello\r\n0\r\n\r\n",
    _CHUNKED + b"\r\n5\r\nhello world\r\n0\r\n\r\n",
    _CHUNKED + b"\r\n" + b"f" * 40 + b"\r\n" + _BODY,
    _CHUNKED + b"\r\n26;" + b"x" * 20_000 + b"\r\n" + _BODY + b"\r\n0\r\n\r\n",
    _CHUNKED + b"\r\n26\r\n" + _BODY + b"\r\n0\r\nX-Trailer: \x00\r\n\r\n",
    _CHUNKED + b"\r\n" + b"2000\r\n" * 1 + b"x" * 0x2000 + b"\r\nf000\r\n" + b"x" * 0xF000 + b"\r\n0\r\n\r\n",
    _HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + _BODY,
    _HEAD + b"Transfer-Encoding: chunked, identity, \x0bchunked\r\n\r\n0\r\n\r\n",
]
