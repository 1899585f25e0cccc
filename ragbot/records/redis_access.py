"""One way to talk to Redis: short time limits, for whoever asks has something that stands in for it."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

# What it does for a question is worth no longer wait: the answer itself is what the reader waits for.
REDIS_TIMEOUT_S = 0.3


def open_redis(url: str) -> redis.Redis:
    """A client; it connects at its first call. Safe between threads."""
    # A connection that the server has closed meanwhile is opened anew, once.
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(
        url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, retry=retry
    )
