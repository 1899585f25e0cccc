"""Normalise and check the Redis addresses of hosting providers; no message quotes a password."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urlsplit

# Valkey's own names for the same two protocols.
SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}

# The client hands on any other name to its connection, which fails at the first call and not at the start.
OPTIONS = frozenset({"db", "protocol", "client_name", "health_check_interval", "max_connections"})
OPTIONS_OF_TLS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_password",
        "ssl_cert_reqs",
        "ssl_check_hostname",
        "ssl_ciphers",
    }
)
WHOLE_NUMBERS = frozenset({"db", "protocol", "health_check_interval", "max_connections"})
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def normalized_redis_url(written: str) -> str:
    """Return the address with a scheme that the client knows. Raises ValueError about the first fault."""
    scheme, mark, rest = written.partition("://")
    known = SCHEMES.get(scheme.lower())
    if not mark or known is None:
        raise ValueError("must begin with redis://, rediss:// (TLS) or unix://")
    try:
        parts = urlsplit(f"{known}://{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(
            "must have a number for its port, and in its password %2F for /, %40 for @, ..."
        ) from error
    if port == 0 or parts.fragment:
        raise ValueError("must have a number for its port, and in its password %23 for #")
    if known == "unix" and not parts.path:
        raise ValueError("must name a socket, as in unix:///run/valkey.sock")
    if known != "unix":
        if not host:
            raise ValueError("must name its host, as in redis://cache.example:6379/0")
        if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
            raise ValueError("must have the number of a database after its host, or nothing")
    _check_options(parts.query, with_tls=known == "rediss")
    return f"{known}://{rest}"


def _check_options(query: str, *, with_tls: bool) -> None:
    given = dict(parse_qsl(query, keep_blank_values=True))
    known = OPTIONS | OPTIONS_OF_TLS if with_tls else OPTIONS
    if not given.keys() <= known:
        strangers = [name if name in OPTIONS_OF_TLS else "one" for name in given.keys() - known]
        raise ValueError(
            f"{strangers[0]} is an option of rediss:// alone"
            if strangers[0] in OPTIONS_OF_TLS
            else f"has an option that is none of {', '.join(sorted(known))}"
        )
    if not all(given[name].isdecimal() for name in given.keys() & WHOLE_NUMBERS):
        raise ValueError(f"must have whole numbers for {', '.join(sorted(given.keys() & WHOLE_NUMBERS))}")
    if given.get("ssl_cert_reqs", "required") not in ("none", "optional", "required"):
        raise ValueError("must have none, optional or required for ssl_cert_reqs")
    for name in FILES:
        if name in given and not os.access(given[name], os.R_OK):
            raise ValueError(f"names a file for {name} that cannot be read")
