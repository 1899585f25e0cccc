"""Find the caller's address, behind our own proxies alone, and the key that rate limits count it under."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

# A connection gets a /64 at least, and may use any address in it.
IPV6_PREFIX = 64


def trust_proxies(app: Flask, hops: int) -> None:
    """Trust the last `hops` entries of X-Forwarded-For, -Proto and -Host, and none before them."""
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def caller() -> str:
    """Return the key that rate limits count the current request under."""
    return key_of(request.remote_addr or "")


def key_of(address: str) -> str:
    """Return an IPv4 address itself, the /64 of an IPv6 address, else `unknown` (a Unix socket)."""
    parsed = parsed_address(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
    return str(parsed or "unknown")


def parsed_address(address: str) -> IPv4Address | IPv6Address | None:
    """Parse an address as sockets and proxies write it, also with a port. Returns None if it is none.

    An IPv4 address that is written as an IPv6 address is returned as the former.
    """
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
