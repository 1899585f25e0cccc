"""Normalise the PostgreSQL addresses of hosting providers, for SQLAlchemy and libpq alike."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

# SQLAlchemy 2.1 takes the first for no driver and the second for psycopg 3; ours is psycopg2.
SCHEMES = ("postgres", "postgresql", "postgresql+psycopg2")
DRIVER = "postgresql+psycopg2"

_WITH_PORT = re.compile(r"(?:^|,)[^/:,]+:[0-9]+(?:,|$)")
_HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]*)(?::(?P<port>.*))?")


def normalized_postgres_url(written: str) -> str | None:
    """Return the address with our driver's scheme, or None if it is not a PostgreSQL address.

    Several hosts, and folders of Unix sockets, are moved to the query, where SQLAlchemy and libpq both
    find them. The rest of the query stays as it is. Raises ValueError with a sentence that quotes nothing
    of the address but names of options: it holds a password.
    """
    scheme, mark, rest = written.partition("://")
    if not mark or scheme.lower() not in SCHEMES:
        return None
    # Passwords are handed out with signs in them that ought to be percent-encoded: the last @ before the
    # query ends them, whatever they hold.
    before_query, _, query = rest.partition("?")
    user, at, place = before_query.rpartition("@")
    listed, slash, database = place.partition("/")
    hosts, ports = _hosts(listed)
    options = _options(query)
    if "port" not in options and _WITH_PORT.search(options.get("host", "")):
        # SQLAlchemy's own way of writing several: ?host=one:5432&host=two:5432.
        named_hosts, named_ports = _hosts(options["host"])
        options |= {"host": ",".join(named_hosts), "port": ",".join(named_ports)}
    if len(hosts) > 1 or hosts[0].startswith("/"):
        if "host" in options:
            raise ValueError("must name its hosts once, before the ? or after it")
        options["host"] = ",".join(hosts)
        if any(ports):
            options["port"] = ",".join(ports)
        listed = ""
    listed = listed.removesuffix(":")
    named = "?" + urlencode(options, quote_via=quote, safe="/,:") if options else ""
    return f"{DRIVER}://{_user(user)}{at}{listed}{slash}{database}{named}"


def _user(userinfo: str) -> str:
    """Return a name and a password, each percent-encoded once, whether or not they were before."""
    return ":".join(quote(unquote(part), safe="") for part in userinfo.split(":", 1))


def _hosts(listed: str) -> tuple[list[str], list[str]]:
    hosts, ports = [], []
    for one in listed.split(","):
        found = _HOST.fullmatch(one)
        if found is None:
            raise ValueError("must name its host as in db.example:5432 or [::1]:5432")
        port = found["port"] or ""
        if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError("must have a number for its port, and in its password %40 for @, %3A for :, ...")
        hosts.append(unquote(found["host"]).strip("[]"))
        ports.append(port)
    return hosts, ports


def _options(query: str) -> dict[str, str]:
    """Return the options behind the `?`. Raises ValueError for a name that libpq would refuse later."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(query):
        if name in options and name not in ("host", "port"):
            raise ValueError(f"names {name} twice")
        if not re.fullmatch("[a-z_]+", name) or not _is_known(name):
            shown = name if re.fullmatch("[A-Za-z_-]{1,40}", name) else "one"
            raise ValueError(f"has an option that PostgreSQL does not know: {shown}")
        options[name] = f"{options[name]},{value}" if name in options else value
    return options


def _is_known(name: str) -> bool:
    try:
        parse_dsn(f"{name}=x")
    except ProgrammingError:
        return False
    return True
