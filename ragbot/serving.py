"""gunicorn's configuration (`-c python:ragbot.serving`): threads that wait for models, and a clean end."""

from __future__ import annotations

import os
import sys
from typing import Any

from ragbot.config import load_settings
from ragbot.core.errors import ConfigurationError

try:
    _settings = load_settings()
except ConfigurationError as error:
    sys.exit(str(error))

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.web_concurrency

# A thread waits for each question's model; the reserve answers everything else meanwhile.
worker_class = "gthread"
threads = _settings.max_streams + _settings.reserve_threads
# Kept-alive connections need more places than there are threads.
worker_connections = max(1000, threads * 4)
keepalive = 75

# A gthread worker gives its sign of life between requests, so a long stream is never cut by this limit.
timeout = 60
# What is running at TERM may finish: a question never takes longer than its deadline.
graceful_timeout = int(_settings.query_deadline_s) + 10

# Two servers of one user would fight over the control socket.
control_socket_disable = True
# Heartbeat files on a disk can block; memory cannot.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn makes unguessable names

limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190


def when_ready(server: Any) -> None:
    """Print where the service is, once it takes requests."""
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host  # noqa: S104 - compared, not bound
    server.log.info("ragbot answers on http://%s:%s", shown, port)


def post_worker_init(worker: Any) -> None:
    """Build the index and load the model before the first reader waits for them, beside serving."""
    from threading import Thread

    from ragbot.services import warm

    Thread(target=warm, args=(worker.wsgi,), daemon=True, name="warm-up").start()
