"""List the variables of `.env` that docker-compose.yml reads and ragbot itself does not."""

from __future__ import annotations

from typing import NamedTuple


class ComposeVariable(NamedTuple):
    """Describe a variable of docker-compose.yml. One that is `set` stands in `.env` without a #."""

    name: str
    default: str
    meaning: str
    set: bool = False


COMPOSE_VARIABLES = (
    ComposeVariable(
        "COMPOSE_PROFILES",
        "postgres,qdrant,redis",
        "What runs beside ragbot. For managed PostgreSQL leave `postgres` out and set DATABASE_URL; likewise "
        "`qdrant` with QDRANT_URL and `redis` with REDIS_URL; empty, these two are done without. `backup` "
        "and `monitoring` can be added.",
        set=True,
    ),
    ComposeVariable(
        "POSTGRES_PASSWORD",
        "",
        "The password of PostgreSQL there. Make each secret with `openssl rand -hex 24`: they stand in "
        "addresses, so letters and digits only.",
    ),
    ComposeVariable("REDIS_PASSWORD", "", "The password of Redis there."),
    ComposeVariable(
        "GRAFANA_PASSWORD", "", "The password of Grafana; demanded always, so that none begins with admin."
    ),
    ComposeVariable(
        "BOOK_SITE_URL", "", "The address of the book's site, where its pages are; citations link there."
    ),
    ComposeVariable("BOOK_TITLE", "", "The book's title, if not the book's own."),
    ComposeVariable("BOOK", "books/physical-ai", "The book's folder, copied into the image."),
    ComposeVariable(
        "EXTRAS", "", "What is built into the image besides: `otel` for traces, `sentry` for error reports."
    ),
    ComposeVariable(
        "RAGBOT_TARGET", "web", "The image's target; with `test` it has the tests too, and pytest runs in it."
    ),
    ComposeVariable("RAGBOT_IMAGE", "ragbot:local", "The image's name, one for each version."),
    ComposeVariable("RAGBOT_BACKUP_IMAGE", "ragbot-backup:local", "The name of the image for backups."),
    ComposeVariable(
        "WEB_REPLICAS", "1", "How many web containers there are. `--scale` changes it until the next `up`."
    ),
    ComposeVariable(
        "WEB_MEMORY",
        "1g",
        "The memory of a web container: more for uploaded books, 4g for the tests in it.",
    ),
    ComposeVariable("HTTP_PORT", "8080", "The port that readers, or the balancer before it, connect to."),
    ComposeVariable(
        "PROXY_EDGE",
        "ragbot/edge.conf",
        "`edge-balancer.conf` behind a balancer that ends TLS; put its network into that file first.",
    ),
    ComposeVariable("HTTPS_PORT", "8443", "With deploy/compose.tls.yml: the port of HTTPS."),
    ComposeVariable("TLS_DIR", "", "With it: the folder of fullchain.pem and privkey.pem."),
    ComposeVariable("SERVER_NAME", "", "With it: the name in the certificate, where plain HTTP is sent to."),
    ComposeVariable("GRAFANA_PORT", "3000", "The port of Grafana, on this machine alone."),
    ComposeVariable("METRICS_TOKEN_FILE", "", "A file that holds METRICS_TOKEN, readable for user 65534."),
)
