"""Test what is checked before the service starts."""

from __future__ import annotations

import socket

import pytest

from ragbot.config import load_settings
from ragbot.server.preflight import faults


def faults_of(host: str, port: int) -> list[str]:
    return [fault for fault in faults(load_settings({"HOST": host, "PORT": port})) if "folder" not in fault]


@pytest.fixture(params=["127.0.0.1", "::1"])
def address(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Return an address of this machine with a port that nobody uses."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((request.param, 0))
            return request.param, probe.getsockname()[1]
    except OSError:
        pytest.skip(f"this machine has no {request.param}")


def test_free_port_is_no_fault(address: tuple[str, int]) -> None:
    """With the brackets of a URL, too."""
    host, port = address

    assert faults_of(host, port) == []
    assert faults_of(f"[{host}]" if ":" in host else host, port) == []


def test_port_in_use_is_told(address: tuple[str, int]) -> None:
    """The operator chooses another one."""
    host, port = address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()

        (fault,) = faults_of(host, port)

    assert fault == f"Port {port} on {host} is in use. Set PORT to another."


def test_address_of_another_machine_is_told() -> None:
    """It is no port in use."""
    (fault,) = faults_of("203.0.113.7", 8000)

    assert fault.startswith("203.0.113.7 is no address of this machine (")
    assert fault.endswith("Set HOST to another.")
