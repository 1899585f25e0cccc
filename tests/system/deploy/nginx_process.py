"""Run the shipped nginx configuration in front of a loopback server, in a process of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from harness.gunicorn_process import free_port
from ragbot.config import PROJECT_ROOT

CONFIGURATION = PROJECT_ROOT / "deploy" / "nginx"
# Debian puts it where users' shells do not look.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class NginxProcess:
    """`with NginxProcess(folder, web_port) as proxy:` runs nginx as deployed, but for names and ports.

    Docker's resolver, the name `web`, the ports and the places under /tmp are replaced; nothing else is.
    """

    def __init__(
        self,
        folder: Path,
        web_port: int,
        *,
        balanced: bool = False,
        tls: bool = False,
        named_by_compose: str = "",
        replicas: Sequence[int] = (),
    ) -> None:
        self.folder = folder / "nginx"
        self.port, self.tls_port = free_port(), free_port()
        shutil.copytree(CONFIGURATION, self.folder)
        if balanced:
            shutil.copy(self.folder / "edge-balancer.conf", self.folder / "ragbot" / "edge.conf")
        if tls:
            shutil.copy(self.folder / "tls.conf", self.folder / "ragbot" / "servers" / "plain.conf")
        if named_by_compose:
            shutil.copy(
                self.folder / "server-name-of-compose.inc", self.folder / "ragbot" / "server-name.inc"
            )
            # As the image's envsubst does.
            template = (self.folder / "templates" / "server-name.inc.template").read_text()
            filled = template.replace("${SERVER_NAME}", named_by_compose)
            (self.folder / "server-name.inc").write_text(filled)
        if replicas:
            shutil.copy(self.folder / "replicas.conf", self.folder / "ragbot" / "servers")
        self._replicas = replicas
        for path in self.folder.rglob("*.*"):
            if path.suffix in (".conf", ".inc"):
                path.write_text(self._here(path.read_text(), web_port))
        self._process: subprocess.Popen[bytes] | None = None

    def _here(self, text: str, web_port: int) -> str:
        web = "replicas" if self._replicas else f"127.0.0.1:{web_port}"
        replacements = {
            "set $web web:8000": f"set $web {web}",
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "listen 8443": f"listen 127.0.0.1:{self.tls_port}",
            " /tmp/": f" {self.folder}/",
            "/etc/nginx/tls": str(self.folder),
            "set $site_name book.example": "set $site_name book.test",
            # The loopback stands for the balancer's network.
            **{
                f"server 10.0.0.{number}:8000": f"server 127.0.0.1:{port}"
                for number, port in enumerate(self._replicas, start=2)
            },
            "set_real_ip_from 10.0.0.0/8": "set_real_ip_from 127.0.0.1",
            # Master and one worker are enough here, and a test's end is theirs.
            "worker_processes auto": "worker_processes 1;\ndaemon off",
        }
        for deployed, here in replacements.items():
            text = text.replace(deployed, here)
        return text

    def command(self, *flags: str) -> list[str]:
        """nginx on this configuration."""
        assert NGINX
        return [
            NGINX,
            *("-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)),
            *("-e", str(self.folder / "error.log"), *flags),
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        until = time.monotonic() + 10
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self._process.kill()
                raise AssertionError(f"nginx does not listen:\n{self._process.communicate()[1].decode()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
