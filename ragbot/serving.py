"""gunicorn's configuration (`-c python:ragbot.serving`): threads that wait for models, and a clean end."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from threading import Thread
from typing import Any

import structlog
from gunicorn.glogging import Logger
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from ragbot.config import load_settings
from ragbot.core.errors import ConfigurationError
from ragbot.core.sockets import shut_down
from ragbot.core.timers import TIMERS
from ragbot.observability.logging import configure_logging
from ragbot.observability.multiprocess import fold_in, open_folder, remove_folder
from ragbot.server.early_errors import refuse_with_problems

try:
    _settings = load_settings()
except ConfigurationError as error:
    sys.exit(str(error))

configure_logging(
    _settings.log_level, as_json=_settings.environment == "production" or not sys.stdout.isatty()
)
# Before a worker imports what counts, and before it is forked.
_metrics_folder = open_folder()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder)

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.chosen_web_concurrency
loglevel = _settings.log_level.lower()


# gunicorn throws away so much of a body that nobody read, and no more.
UNREAD_BYTES = 64 * 1024


# A head comes in one piece from nearly everybody; whoever takes longer holds a thread that others want.
HEAD_S = 5.0

# How long a thread looks for the first byte of a connection before it leaves that to the worker's loop, and
# how long it waits for the rest of a body that nobody read.
# (Its types call it final.)
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.5  # type: ignore[misc]


class Worker(ThreadWorker):
    """gunicorn's own, but that it waits for nobody for long, and connections end as they were told to."""

    def handle(self, conn: Any) -> Any:
        """Answer the request that comes next on a connection, if its head comes soon."""
        conn.patience = TIMERS.after(HEAD_S, partial(shut_down, conn.sock))
        try:
            return super().handle(conn)
        finally:
            conn.patience.stop()
            # Or the next line of this thread would have this request's id.
            structlog.contextvars.clear_contextvars()

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer a request; where its body is not going to be read to its end, the answer says that the
        connection ends with it.

        (gunicorn closes it without a word, and the next request on it, which behind a proxy is another
        reader's, would be cut.)
        """
        conn.patience.stop()
        headers = dict(req.headers)
        if int(headers.get("CONTENT-LENGTH", 0)) >= UNREAD_BYTES or "TRANSFER-ENCODING" in headers:
            req.force_close()
        return bool(super().handle_request(req, conn))

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Take new connections, or do not. One that is to end lets go of the listening socket at once, so
        that whoever comes then is refused and may try another replica, and a server that is started again
        finds its port free.

        (gunicorn keeps it until the last answer is told: new connections would be taken by the kernel,
        answered by nobody, and cut at the end.)
        """
        super().set_accept_enabled(enabled)
        orphaned = os.getppid() != self.ppid
        if not enabled and (orphaned or not self.alive):
            for listener in self.sockets:
                listener.close()


# A thread waits for each question's model; the reserve answers everything else meanwhile.
worker_class = Worker
threads = _settings.max_streams + _settings.reserve_threads
# Kept-alive connections need more places than there are threads.
worker_connections = max(1000, threads * 4)
keepalive = 75

# A gthread worker gives its sign of life between requests, so a long stream is never cut by this limit.
timeout = 60
# What is running at TERM may finish: a question never takes longer than its deadline.
graceful_timeout = int(_settings.query_deadline_s) + 10

# What leaks a little in whatever library cannot add up for ever. A worker that is due takes no new request
# and tells its streams to their end, as at TERM, and only then is another made; so a sole one is kept. With
# jitter, for workers that share the requests would else come due together.
max_requests = _settings.max_requests if workers > 1 else 0
max_requests_jitter = max_requests // 5

# Two servers of one user would fight over the control socket.
control_socket_disable = True
# Heartbeat files on a disk can block; memory cannot.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn makes unguessable names

limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190


# Which proxies are ours is for TRUSTED_PROXIES to say: gunicorn would believe any caller on this machine.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


class RootLogger(Logger):
    """Hands gunicorn's lines to the root logger. There is no access log: each request has a line of ours."""

    def setup(self, cfg: Any) -> None:
        """Drop gunicorn's own handlers."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                log.removeHandler(handler)
            log.propagate = True
            log.addFilter(_Unquoted())


class _Unquoted(logging.Filter):
    """Takes from gunicorn's lines what they quote: a bad request's headers, a path with a session's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line on."""
        for said in ("Invalid request", "Error handling request"):
            if str(record.msg).startswith(said):
                record.msg, record.args = said, ()
        return True


logger_class = RootLogger


def child_exit(_server: Any, worker: Any) -> None:
    """Keep what a dead worker counted."""
    fold_in(_metrics_folder, worker.pid)


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    remove_folder(_metrics_folder)


def on_starting(_server: Any) -> None:
    """Before the workers are forked: refuse what cannot be read with a problem, not with a page."""
    refuse_with_problems()


def when_ready(server: Any) -> None:
    """Print where the service is, once it takes requests."""
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host  # noqa: S104 - compared, not bound
    server.log.info("ragbot answers on http://%s:%s", shown, port)


def post_worker_init(worker: Any) -> None:
    """Build the index and load the model before the first reader waits for them, beside serving."""
    # Here and not above: gunicorn reads this file before it forks, and the app is each worker's own.
    from ragbot.services import EXTENSION, warm
    from ragbot.web.middleware.access_log import note_unread

    services = worker.wsgi.extensions[EXTENSION]
    refuse_with_problems(partial(note_unread, services.metrics))
    Thread(target=warm, args=(worker.wsgi,), daemon=True, name="warm-up").start()
    services.periodic_tasks.start()
    services.published.watch()
    if worker.age == 1:
        # The first one speaks for all; it asks beside serving, as a database may be slow or away.
        Thread(target=_compare_pool, args=(worker,), daemon=True, name="pool-size").start()


def _compare_pool(worker: Any) -> None:
    from ragbot.extensions import db
    from ragbot.storage.pool_check import warn_of_large_pool

    with worker.wsgi.app_context():
        engine = db.engine
    size, overflow = _settings.db_pool_size, _settings.db_max_overflow
    # gunicorn's own flag may have set another number of workers than ours.
    warn_of_large_pool(engine, workers=worker.cfg.workers, size=size, overflow=overflow)


def worker_exit(_server: Any, worker: Any) -> None:
    """Write what could not be written before."""
    from ragbot.services import EXTENSION

    # A worker that could not load the app has none.
    if worker.wsgi is not None:
        worker.wsgi.extensions[EXTENSION].turns.finish()
