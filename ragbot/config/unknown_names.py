"""Find names in the environment and in `.env` that are meant as settings and that nobody reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from ragbot.config.compose_variables import COMPOSE_VARIABLES

# One letter wrong in nine, or two in eighteen.
SIMILARITY = 0.88
# Short names such as PORT resemble too many others.
SHORTEST = 6

# What else may stand in a `.env`: for Compose and Docker, gunicorn, Flask and Python, libraries, and scripts.
OF_OTHERS = frozenset(
    {
        *(variable.name for variable in COMPOSE_VARIABLES),
        *(
            "BOOK_PATH",
            "RAGBOT_ENV_FILE",
            "GUNICORN_CMD_ARGS",
            "PROMETHEUS_MULTIPROC_DIR",
            "MALLOC_ARENA_MAX",
        ),
        *(
            "PATH",
            "HOME",
            "USER",
            "LANG",
            "TZ",
            "TMPDIR",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
        ),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    }
)
PREFIXES = (
    "COMPOSE_",
    "DOCKER_",
    "BUILDKIT_",
    "AWS_",
    "OTEL_",
    "SENTRY_",
    "FLASK_",
    "PYTHON",
    "PG",
    "LC_",
    "OMP_",
)


def unknown_names(
    settings: Collection[str], *, in_environment: Collection[str], in_file: Collection[str]
) -> list[str]:
    """Return a fault for each name, as `NAME: sentence`. Names are compared in capital letters.

    A process has many variables that are no concern of ours, so of these only near misses of a setting that
    is not set itself are told; of `.env` every name that nobody reads.
    """
    known = {name.upper() for name in settings}
    given = {name.upper() for name in (*in_environment, *in_file)}
    missing = known - given
    return [*_of_file(known, in_file), *_of_environment(known, missing, set(in_environment) - set(in_file))]


def _of_file(known: set[str], names: Collection[str]) -> Iterator[str]:
    for name in sorted(names):
        if name.upper() not in known and not _is_of_others(name.upper()):
            nearest = _nearest(name, known)
            hint = f"; {nearest} is" if nearest else "; remove it from .env, or set it in the environment"
            yield f"{name}: is no setting{hint}"


def _of_environment(known: set[str], missing: set[str], names: Collection[str]) -> Iterator[str]:
    for name in sorted(names):
        is_meant = name.upper() not in known and name.upper() not in OF_OTHERS
        if is_meant and (nearest := _nearest(name, missing)):
            yield f"{name}: is no setting; {nearest} is"


def _is_of_others(name: str) -> bool:
    return name in OF_OTHERS or name.startswith(PREFIXES)


def _nearest(name: str, known: Collection[str]) -> str | None:
    if len(name) < SHORTEST:
        return None
    candidates = sorted(candidate for candidate in known if len(candidate) >= SHORTEST)
    return next(iter(get_close_matches(name.upper(), candidates, n=1, cutoff=SIMILARITY)), None)
