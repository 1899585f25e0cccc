"""Find what would keep the service from starting, and print one sentence for each fault."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

from sqlalchemy.engine import make_url

from ragbot.config import Settings, load_settings, settings_notes
from ragbot.core.errors import ConfigurationError


def faults(settings: Settings) -> list[str]:
    """Return each fault as a sentence for the operator."""
    return [fault for fault in (_folder_fault(settings), _port_fault(settings)) if fault]


def _folder_fault(settings: Settings) -> str | None:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    folder = Path(url.database).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = f"The database's folder {folder} cannot be created: {error.strerror}."
        return f"{fault} Set DATABASE_URL to another."
    if not os.access(folder, os.W_OK):
        return f"The database's folder {folder} is not writable. Set DATABASE_URL to another."
    return None


def _port_fault(settings: Settings) -> str | None:
    host, port = settings.host, settings.port
    # As gunicorn chooses it.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except PermissionError:
        return f"Port {port} needs more rights than this user has. Set PORT to another."
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port} on {host} is in use. Set PORT to another."
        return f"{host} is no address of this machine ({error.strerror}). Set HOST to another."
    return None


def main() -> int:
    """Print the faults. Returns the exit code."""
    try:
        settings = load_settings()
        found, told = faults(settings), settings_notes(settings)
    except ConfigurationError as error:
        found, told = [str(error)], []
    for sentence in (*found, *told):
        print(sentence, file=sys.stderr)  # noqa: T201 - this is a command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
