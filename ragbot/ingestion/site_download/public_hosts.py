"""Resolve a host's name, and refuse addresses that are not on the public Internet."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

from ragbot.core.errors import BookError

Resolve = Callable[[str, int], Sequence[str]]

# Large sites have a dozen, each of which may take its time not to answer.
MAX_TRIED = 4

# IPv6 addresses that stand for an IPv4 address, which decides.
_NAT64 = ip_network("64:ff9b::/96")


def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order in which they are to be tried. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def ascii_host(host: str) -> str:
    """Return a host's name as servers spell it (`xn--...`). Raises ValueError if it is none."""
    if host.isascii():
        return host
    try:
        return httpx2.URL(scheme="https", host=host).raw_host.decode("ascii")
    except httpx2.InvalidURL as fault:
        raise ValueError(f"{host} is no name of a host") from fault


def checked_addresses(host: str, port: int, *, resolve: Resolve, allow_private: bool) -> list[str]:
    """Return the addresses to connect to, in the order in which they are to be tried, of both kinds of IP.

    The connection goes to one of these very addresses: a name that is resolved again may have another.
    Raises BookError if the host is unknown, or any address is private.
    """
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError) as fault:
        raise BookError(f"The host {host} is not known: {fault}.") from fault
    if not addresses:
        raise BookError(f"The host {host} has no address.")
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise BookError(
            f"{host} is at {private[0]}, which is no address of the public Internet. "
            "If the book is to be read from there, add --allow-private."
        )
    first_of_kind = {":" in address: address for address in reversed(addresses)}
    order = dict.fromkeys((addresses[0], *first_of_kind.values(), *addresses))
    return list(order)[:MAX_TRIED]


def is_public(address: str) -> bool:
    """Return whether an address is one of the public Internet."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    embedded = _embedded(found) if isinstance(found, IPv6Address) else None
    if embedded is not None:
        return is_public(str(embedded))
    return found.is_global and not found.is_multicast and not found.is_reserved


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
