"""Connect to checked addresses alone, and check certificates by the host's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.core.errors import BookError
from ragbot.ingestion.site_download.public_hosts import checked_addresses, is_public
from ragbot.ingestion.site_download.site_client import SiteClient, SiteUnavailable
from tests.fakes.book_site import BookSite, page
from tests.fakes.certificates import made_certificates
from tests.fakes.tls_door import TlsDoor


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", "nonsense"),
    ],
)
def test_private_addresses_are_not_public(address: str) -> None:
    """Loopback, cloud metadata, local networks, and all their spellings in IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "::ffff:93.184.215.14"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """The check must not refuse the book's site."""
    assert is_public(address)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"]])
def test_host_with_a_private_address_is_refused(found: list[str]) -> None:
    """One of several is enough: the next connection might go there."""
    client = SiteClient(resolve=lambda _host, _port: found, sleep=lambda _: None)

    with client.opened(60), pytest.raises(BookError, match="--allow-private"):
        client.get("http://book.test/", max_bytes=1000)


def test_name_is_resolved_once_and_the_checked_address_connected_to() -> None:
    """A name server that gives another address the second time would get around the check."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with BookSite() as site:
        site.answers["/"] = page("Boats")
        client = SiteClient(allow_private=True, resolve=resolve, sleep=lambda _: None)
        with client.opened(60):
            for _ in range(2):
                assert client.get(f"http://book.test:{site.port}/", max_bytes=10_000).status == 200

        assert asked == ["book.test"]
        assert {call.headers["host"] for call in site.calls()} == {f"book.test:{site.port}"}


def test_host_in_its_own_letters_is_asked_by_its_spelling_on_the_network() -> None:
    """Servers know it by that name alone."""
    with BookSite() as site:
        site.answers["/"] = page("Boats")
        client = SiteClient(
            allow_private=True, resolve=lambda _host, _port: ["127.0.0.1"], sleep=lambda _: None
        )
        with client.opened(60):
            assert client.get(f"http://bücher.test:{site.port}/", max_bytes=10_000).status == 200
            with pytest.raises(BookError, match="is no name of a host"):
                client.get("http://ü_x.test/", max_bytes=10_000)

        assert site.calls()[0].headers["host"] == f"xn--bcher-kva.test:{site.port}"


def test_next_address_of_a_host_is_tried() -> None:
    """A site on this machine listens at 127.0.0.1 alone, and the first address of localhost is often ::1."""
    with BookSite() as site:
        site.answers["/"] = page("Boats")
        client = SiteClient(
            allow_private=True, resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"], sleep=lambda _: None
        )
        with client.opened(60):
            for _ in range(2):
                assert client.get(f"http://book.test:{site.port}/", max_bytes=10_000).status == 200


def test_addresses_of_both_kinds_are_tried_in_their_order() -> None:
    """Where IPv6 is broken, all addresses of that kind fail."""
    found = ["2606:2800::1", "2606:2800::2", "2606:2800::3", "2606:2800::4", "93.184.215.14"]

    tried = checked_addresses("book.test", 443, resolve=lambda _host, _port: found, allow_private=False)

    assert tried == ["2606:2800::1", "93.184.215.14", "2606:2800::2", "2606:2800::3"]


def test_host_without_an_address_that_answers_is_told() -> None:
    """The last fault is the one to be named."""
    client = SiteClient(
        allow_private=True, resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.3"], sleep=lambda _: None
    )
    with BookSite() as site, client.opened(60), pytest.raises(SiteUnavailable, match="ConnectError"):
        client.get(f"http://book.test:{site.port}/", max_bytes=10_000)


def test_certificate_is_checked_by_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to an address, and the certificate is for the name."""
    certificates = made_certificates(tmp_path, "book.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with BookSite() as site, TlsDoor(site.port, certificates) as door:
        site.answers["/"] = page("Boats")
        client = SiteClient(
            allow_private=True, resolve=lambda _host, _port: ["127.0.0.1"], sleep=lambda _: None
        )
        with client.opened(60):
            assert client.get(f"https://book.test:{door.port}/", max_bytes=10_000).status == 200
            with pytest.raises(SiteUnavailable):
                client.get(f"https://other.test:{door.port}/", max_bytes=10_000)


def test_unknown_host_is_told() -> None:
    """A typing error is the most frequent fault."""

    def resolve(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    client = SiteClient(resolve=resolve, sleep=lambda _: None)
    with client.opened(60), pytest.raises(BookError, match=r"book\.test is not known"):
        client.get("http://book.test/", max_bytes=1000)
