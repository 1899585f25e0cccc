"""Who is asking: a caller's address from the socket, past as many proxies as are ours, to a key."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

# A household or a server gets a /64 at least, and may take any address in it.
IPV6_PREFIX = 64


def trust_proxies(app: Flask, hops: int) -> None:
    """Believe the last `hops` entries of X-Forwarded-For, -Proto and -Host, and none before them."""
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def caller() -> str:
    """The key under which the current request's caller is counted."""
    return key_of(request.remote_addr or "")


def key_of(address: str) -> str:
    """An IPv4 address itself, an IPv6 address's /64; `unknown` for what is neither (a Unix socket)."""
    parsed = parsed_address(address)
    if parsed is None:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
    assert isinstance(parsed, IPv4Address)
    return str(parsed)


def parsed_address(address: str) -> IPv4Address | IPv6Address | None:
    """An address as sockets and proxies write it, some of them with a port; None for what is none."""
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    try:
        return ip_address(address)
    except ValueError:
        return None
