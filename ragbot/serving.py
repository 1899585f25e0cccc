"""Configure gunicorn (`-c python:ragbot.serving`): threads that wait for models, and a clean shutdown."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import structlog
from gunicorn.glogging import Logger
from gunicorn.workers import gthread

from ragbot.config import changed_since_start, load_settings, settings_notes
from ragbot.core.errors import ConfigurationError
from ragbot.core.sockets import discard_rest, shut_down
from ragbot.core.timers import TIMERS
from ragbot.observability.logging import configure_logging
from ragbot.observability.multiprocess import create_metrics_folder, merge_dead_worker, remove_metrics_folder
from ragbot.server.accept_sharing import SharingWorker, WorkerLoads
from ragbot.server.early_errors import refuse_with_problems
from ragbot.server.worker_replacement import (
    keep_workers_until_replaced,
    mark_if_due,
    mark_warm,
    share_state,
    stay_when_due,
)

log = structlog.get_logger(__name__)

try:
    _settings = load_settings()
except ConfigurationError as error:
    sys.exit(str(error))

configure_logging(
    _settings.chosen_log_level, as_json=_settings.environment == "production" or not sys.stdout.isatty()
)
for note in settings_notes(_settings):
    log.warning("setting_doubtful", note=note)
# Before prometheus_client is imported, and before workers are forked.
_metrics_folder = create_metrics_folder()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder)

bind = _settings.bind_address
workers = _settings.chosen_web_concurrency
loglevel = _settings.chosen_log_level.lower()


# gunicorn discards so much of an unread body, and no more.
UNREAD_BYTES = 64 * 1024
# A refused upload is discarded so far and so long, or its sender, nginx for one, would not hear the refusal.
DISCARDED_BYTES = 16_000_000
DISCARDED_FOR_S = 1.0


# A worker accepts requests when it has loaded the index, or after so long.
WARM_UP_S = 10.0

# Nearly all clients send the head in one piece; a slow one holds a thread that others need.
HEAD_TIMEOUT_S = 5.0

# How long a thread waits for the first byte of a connection before it leaves that to the worker's loop, and
# how long it waits for the rest of an unread body. (Its types call it final.)
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.5  # type: ignore[misc]


class Worker(SharingWorker):
    """Extend gunicorn's worker: limit the time for a head, and end connections cleanly."""

    loads = WorkerLoads()
    places = _settings.max_streams

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stay_when_due(self)

    def handle(self, conn: Any) -> Any:
        """Answer the next request of a connection, if its head arrives in time."""
        conn.head_timer = TIMERS.after(HEAD_TIMEOUT_S, partial(shut_down, conn.sock))
        try:
            return super().handle(conn)
        finally:
            conn.head_timer.stop()
            # Otherwise the next line of this thread would have this request's id.
            structlog.contextvars.clear_contextvars()

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer a request. Where its body will not be read to its end, announce that the connection closes.

        (gunicorn closes it without `Connection: close`, and the next request on it, which behind a proxy is
        another reader's, would be cut.)
        """
        conn.head_timer.stop()
        headers = dict(req.headers)
        is_long = int(headers.get("CONTENT-LENGTH", 0)) >= UNREAD_BYTES or "TRANSFER-ENCODING" in headers
        if is_long:
            req.force_close()
        try:
            goes_on = bool(super().handle_request(req, conn))
            if is_long and not goes_on:
                discard_rest(conn.sock, most_bytes=DISCARDED_BYTES, within_s=DISCARDED_FOR_S)
            return goes_on
        finally:
            mark_if_due(self)

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Accept new connections, or stop. A worker that is to end closes the listening socket at once.

        So new clients are refused and may try another replica, and a server that is started again finds its
        port free. (gunicorn keeps the socket until the last answer is sent: the kernel would accept new
        connections that are never answered, and cut them at the end.)
        """
        super().set_accept_enabled(enabled)
        orphaned = os.getppid() != self.ppid
        if not enabled and (orphaned or not self.alive):
            for listener in self.sockets:
                listener.close()


# A thread waits for the model of each question; the reserve answers everything else meanwhile.
worker_class = Worker
threads = _settings.max_streams + _settings.reserve_threads
# More than the threads, because of idle keep-alive connections.
worker_connections = max(1000, threads * 4)
keepalive = 75

# A gthread worker sends its heartbeat between requests, so this limit never cuts a long stream.
timeout = 60
# What is running at TERM may finish: a question never takes longer than its deadline.
graceful_timeout = int(_settings.query_deadline_s) + 10

# Limits small leaks in any library. A worker that is due goes on until its successor can search, and then
# finishes its streams as at TERM. The memory of a sole worker is planned for one, so it is never replaced.
# With jitter, or workers that share the requests would be due together.
max_requests = _settings.max_requests if workers > 1 else 0
max_requests_jitter = max_requests // 5

# Two servers of one user would fight over the control socket.
control_socket_disable = True
# Heartbeat files on a disk can block; memory cannot.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn makes unguessable names

limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190


# TRUSTED_PROXIES decides which proxies are ours: gunicorn would trust any caller on this machine.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


class RootLogger(Logger):
    """Pass gunicorn's lines to the root logger. Its access log is off: we log each request ourselves."""

    def setup(self, cfg: Any) -> None:
        """Remove gunicorn's own handlers."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                log.removeHandler(handler)
            log.propagate = True
            log.addFilter(_QuoteRemover())


class _QuoteRemover(logging.Filter):
    """Remove what gunicorn's lines quote: the headers of a bad request, a path with a session's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: no line is dropped."""
        for message in ("Invalid request", "Error handling request"):
            if str(record.msg).startswith(message):
                record.msg, record.args = message, ()
        return True


logger_class = RootLogger


def child_exit(_server: Any, worker: Any) -> None:
    """Save the counters of a dead worker, and forget its load."""
    Worker.loads.release(worker.load_entry)
    merge_dead_worker(_metrics_folder, worker.pid)


def on_exit(_server: Any) -> None:
    """Delete the folder of metrics."""
    remove_metrics_folder(_metrics_folder)


def on_starting(server: Any) -> None:
    """Set, before the workers fork, what this module changes about gunicorn."""
    refuse_with_problems()
    keep_workers_until_replaced(server)
    # What is loaded by now stays. Without this, the collector of each worker would write to all of it, and so
    # copy it: some 30 MB a worker.
    gc.collect()
    gc.freeze()


def pre_fork(_server: Any, worker: Any) -> None:
    """Give the worker the bytes in which it says that it is warm or due, and its entry among the loads."""
    share_state(worker)
    worker.load_entry = Worker.loads.claim()


def when_ready(server: Any) -> None:
    """Log the address of the service once it accepts requests."""
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    server.log.info("ragbot answers on %s", _address(host, port))


def _address(host: str, port: int) -> str:
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def address_lines(host: str, port: int) -> str:
    """Return what somebody who started the service at a terminal is told, the address on its own line."""
    words = "Ready. Open this address in your browser (Ctrl-C here ends the service):"
    return f"\n{words}\n\n    {_address(host, port)}\n\n"


def post_worker_init(worker: Any) -> None:
    """Load the index and the model before the worker accepts its first request."""
    # Here and not above: gunicorn imports this module before it forks, and each worker has its own app.
    from ragbot.services import EXTENSION, warm
    from ragbot.web.middleware.access_log import log_early_error

    services = worker.wsgi.extensions[EXTENSION]
    for note in changed_since_start(_settings, services.settings):
        log.warning("setting_doubtful", note=note)
    refuse_with_problems(partial(log_early_error, services.metrics))
    warm_up = Thread(target=_warm_up, args=(worker, warm), daemon=True, name="warm-up")
    warm_up.start()
    services.periodic_tasks.start()
    services.published.watch()
    if worker.age == 1:
        # The first worker checks for all, in the background: a database may be slow or unavailable.
        Thread(target=_compare_pool, args=(worker,), daemon=True, name="pool-size").start()
    # Its first readers wait in the kernel's queue, or are answered by the worker that this one replaces. A
    # large index that nobody has built takes longer: then health requests are answered meanwhile.
    warm_up.join(WARM_UP_S)


def _warm_up(worker: Any, warm: Callable[[Any], None]) -> None:
    warm(worker.wsgi)
    mark_warm(worker)
    if worker.age == 1 and sys.stdout.isatty():
        # After what the workers log, so that it is the last line that somebody at the terminal sees.
        sys.stdout.write(address_lines(*worker.sockets[0].sock.getsockname()[:2]))
        sys.stdout.flush()


def _compare_pool(worker: Any) -> None:
    from ragbot.extensions import db
    from ragbot.storage.pool_check import warn_of_large_pool

    with worker.wsgi.app_context():
        engine = db.engine
    size, overflow = _settings.db_pool_size, _settings.db_max_overflow
    # A flag of gunicorn may have set another number of workers than our setting.
    warn_of_large_pool(engine, workers=worker.cfg.workers, size=size, overflow=overflow)


def worker_exit(_server: Any, worker: Any) -> None:
    """Store the answers that could not be stored before, and the costs that were not stored yet."""
    from ragbot.services import EXTENSION

    # A worker that failed to load the app has none.
    if worker.wsgi is not None:
        services = worker.wsgi.extensions[EXTENSION]
        services.turns.finish()
        services.budget.write_waiting()
