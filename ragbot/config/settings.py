"""Typed settings: the only reader of the environment, with each fault named in one message."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from dotenv.parser import parse_stream
from pydantic import Field, NonNegativeFloat, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ragbot.config.postgres_url import bare_address, postgres_address
from ragbot.config.production_checks import production_faults
from ragbot.config.redis_url import redis_address
from ragbot.config.resources import machine_resources, workers_for
from ragbot.core.errors import ConfigurationError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
ENV_FILE = PROJECT_ROOT / ".env"

# Where the book's own site is served while it is being written.
DEVELOPMENT_ORIGINS = "http://localhost:3000,http://localhost:8000"
_DSN = re.compile(r"https?://[^@/\s]+@[^@/\s]+/(?:\S*/)?[0-9]+")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


class Settings(BaseSettings):
    """Every setting: its name is the environment variable's in small letters.

    An empty variable counts as unset. `.env` in the project's root is read where the process has no
    variable of that name.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        # Some editors put a byte order mark first, which would become part of the first name.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        allow_inf_nan=False,
        frozen=True,
        validate_default=True,
    )

    environment: Literal["development", "production", "testing"] = Field(
        "development", description="Which rules hold: production refuses unsafe settings."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least severe line that is logged."
    )
    metrics_token: SecretStr | None = Field(
        None, description="The bearer token that /metrics demands; unset, anybody may read them."
    )

    # Where traces and errors go besides, each with packages of its own.
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        repr=False,
        pattern=r"^https?://[^/?#]+",
        description="The address of an OpenTelemetry collector that takes OTLP over HTTP; unset, no traces.",
    )
    sentry_dsn: SecretStr | None = Field(
        None, description="Where Sentry takes reports of errors; unset, they are in the log alone."
    )

    # The database.
    database_url: str = Field(
        f"sqlite:///{PROJECT_ROOT / 'var' / 'ragbot.db'}",
        repr=False,  # It may hold a password.
        description="Where everything is kept: an SQLite or PostgreSQL address.",
        json_schema_extra={"shown_default": "sqlite:///var/ragbot.db"},
    )
    db_pool_size: int = Field(20, ge=1, le=1000, description="Connections kept open by each worker.")
    db_max_overflow: int = Field(40, ge=0, le=1000, description="Connections beyond the pool at a peak.")
    db_pool_timeout_s: float = Field(5, ge=1, description="Seconds to wait for a free connection.")
    db_pool_recycle_s: int = Field(1800, ge=1, description="Seconds after which a connection is replaced.")
    db_lock_timeout_s: float = Field(5, gt=0, description="Seconds to wait for a lock of the database.")
    db_statement_timeout_s: float = Field(
        15,
        gt=0,
        le=86_400,
        description="Seconds after which PostgreSQL ends a statement; taking a book in, pruning and "
        "migrations are not bound by it.",
    )

    redis_url: str | None = Field(
        None,
        repr=False,  # It may hold a password.
        description="A Redis or Valkey server: redis://, rediss:// for TLS (?ssl_ca_certs=FILE for a CA of "
        "one's own) or unix://; unset, the database does what it would do.",
    )

    # Search.
    qdrant_url: str | None = Field(
        None, repr=False, description="A Qdrant server; unset, each worker keeps an embedded index."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="The key of the Qdrant server.")
    qdrant_collection: str = Field(
        "ragbot", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Prefix of collections and name of the alias."
    )
    qdrant_timeout_s: float = Field(5, gt=0, description="Seconds that one search in Qdrant may take.")
    # How a collection is made; another value takes effect with the next edition, or `flask book reindex`.
    qdrant_shards: int = Field(
        1,
        ge=1,
        le=64,
        description="Parts of a collection; more than one helps large books in a cluster alone.",
    )
    qdrant_replication: int = Field(
        1,
        ge=1,
        le=16,
        description="Copies of each part in a cluster; with 2 a node may be away while readers ask.",
    )
    qdrant_quantization: Literal["none", "scalar"] = Field(
        "none",
        description="scalar searches copies of the vectors of a quarter of their size and ranks by the whole "
        "ones; it pays from some 100,000 chunks on.",
    )
    qdrant_on_disk: bool = Field(
        False,
        description="Whether vectors and their index stay on the server's disk: slower, for books that are "
        "larger than its memory.",
    )
    stand_in_chunks: int = Field(
        20_000,
        ge=0,
        description="Chunks of the largest book whose embedded index stands in for a Qdrant server "
        "that is away, some 8 KB of memory each.",
    )
    index_dir: Path = Field(
        Path(tempfile.gettempdir()),
        description="Folder under which each process keeps its private embedded index.",
        json_schema_extra={"shown_default": "the system's temporary folder"},
    )
    edition_poll_s: float = Field(
        1.0, ge=0, description="Seconds for which a worker trusts its knowledge of the published edition."
    )
    embedder: Literal["openai", "local", "none"] | None = Field(
        None, description="Where vectors come from; unset, OpenAI where there is a key, else the local model."
    )
    local_embedder: Literal["english", "multilingual"] = Field(
        "english",
        description="The local embedding model; multilingual is an extra (requirements-multilingual.txt).",
    )
    local_embedder_threads: int = Field(1, ge=1, le=64, description="Threads of the local embedding model.")

    # OpenAI, or any server that speaks its protocol.
    openai_api_key: SecretStr | None = Field(None, description="The key; unset, answers are extractive.")
    openai_base_url: str | None = Field(
        None, repr=False, description="Another server that speaks the same protocol."
    )
    openai_embedding_model: str = Field("text-embedding-3-small", description="The model for vectors.")
    openai_llm_model: str = Field("gpt-4o", description="The model that answers.")
    openai_llm_fallback_model: str | None = Field(
        "gpt-3.5-turbo", description="The model that answers when the first one fails before its first word."
    )
    openai_connect_timeout_s: float = Field(5, gt=0, description="Seconds to connect to the provider.")
    openai_first_word_timeout_s: float = Field(
        12, gt=0, description="Seconds without a byte from the provider after which it is given up."
    )
    openai_embedding_timeout_s: float = Field(
        5, gt=0, description="Seconds for one call that embeds a question."
    )
    openai_max_retries: int = Field(
        1,
        ge=0,
        le=1,
        description="Repeated tries of the last model's call, and of a book's embeddings, with jitter.",
    )
    openai_daily_budget_usd: float | None = Field(
        None, ge=0, description="Dollars that answers may cost in a day (UTC); past it they are extractive."
    )
    openai_questions_per_session: int | None = Field(
        200,
        ge=0,
        description="Questions of one session that a model answers; the rest are answered extractively.",
    )
    model_prices: Annotated[dict[str, tuple[NonNegativeFloat, NonNegativeFloat]], NoDecode] = Field(
        {},
        description="Dollars per million tokens read and written, as JSON: "
        '{"my-model": [0.5, 1.5]}; they come before the list prices.',
        json_schema_extra={"shown_default": "{}"},
    )

    # A question.
    query_deadline_s: float = Field(30, gt=0, le=600, description="Seconds for a whole question.")
    context_tokens: int = Field(4000, ge=500, description="Tokens of passages that a model is shown.")
    history_tokens: int = Field(1000, ge=0, description="Tokens of the talk so far that a model is shown.")
    answer_tokens: int = Field(800, ge=50, description="Tokens that a model may answer with.")
    session_timeout_hours: float = Field(
        24, gt=0, le=87_600, description="Hours after its last activity at which a session ends."
    )

    cache_ttl_hours: float = Field(
        24,
        ge=0,
        le=8760,
        description="Hours for which answers and questions' vectors are kept; 0 keeps none.",
    )

    # Books.
    max_file_mb: float = Field(
        5, gt=0, description="Megabytes of one file of a book; larger ones are skipped."
    )

    # A book that is sent to POST /admin/ingest.
    max_book_mb: float = Field(
        200, gt=0, description="Megabytes of an archive that is sent; unpacked it may be five times as large."
    )
    ingest_dir: Path = Field(
        Path(tempfile.gettempdir()),
        description="Folder under which a sent book is kept and unpacked while it is taken in.",
        json_schema_extra={"shown_default": "the system's temporary folder"},
    )
    ingest_memory_mb: int = Field(
        1536,
        ge=256,
        description="Megabytes of memory at which the process that takes it in is ended (Linux).",
    )
    ingest_time_limit_s: float = Field(
        3600, gt=0, le=604_800, description="Seconds after which the process that takes it in is ended."
    )

    # An open page.
    allowed_origins_str: str | None = Field(
        None,
        description="Origins whose pages may ask, separated by commas; * is for development.",
        json_schema_extra={"shown_default": f"{DEVELOPMENT_ORIGINS}, none in production"},
    )
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="Proxies before the service whose X-Forwarded-* headers are believed."
    )
    console_password: SecretStr | None = Field(
        None, description="The console's password, under any user name; unset, production has no console."
    )
    admin_api_key: SecretStr | None = Field(
        None, description="What admin calls send as X-API-Key; unset, there are no admin calls."
    )
    flask_debug: bool = Field(False, description="Flask's debugger; refused in production.")

    # Quotas.
    rate_limit_enabled: bool = Field(True, description="Whether callers have quotas.")
    rate_limit_queries_per_minute: int = Field(
        10, ge=1, description="Questions that one address may ask in a minute."
    )
    rate_limit_queries_per_day_per_ip: int = Field(
        1000, ge=1, description="Questions that one address may ask in a day."
    )
    rate_limit_others_per_minute: int = Field(
        120, ge=1, description="Calls about sessions that one address may make in a minute."
    )
    rate_limit_storage: Literal["redis", "database", "memory"] | None = Field(
        None,
        description="Where calls are counted; unset, Redis where it is named, else the database. "
        "In memory each worker counts for itself.",
    )

    # Backups.
    backup_url: str = Field(
        str(PROJECT_ROOT / "var" / "backups"),
        min_length=1,
        description="Where backups are kept: a folder, or s3://bucket/prefix.",
        json_schema_extra={"shown_default": "var/backups"},
    )
    s3_endpoint_url: str | None = Field(
        None, repr=False, description="The address of an S3-compatible store; unset, Amazon's."
    )
    pg_bin_dir: Path | None = Field(
        None, description="Folder of pg_dump, pg_restore and psql; unset, they are looked for on the PATH."
    )

    # The server.
    host: str = Field("127.0.0.1", description="Address that gunicorn binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port that gunicorn binds.")
    web_concurrency: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Worker processes; unset, one a core, as far as memory carries them.",
    )
    max_streams: int = Field(
        24, ge=1, le=4096, description="Questions that one worker answers at once; more are refused with 503."
    )
    reserve_threads: int = Field(
        8, ge=1, le=512, description="Threads of a worker kept free for everything but questions."
    )
    max_requests: int = Field(
        10_000,
        ge=0,
        description="Requests after which a worker is replaced, and up to a fifth more; 0 is never. "
        "A sole worker stays.",
    )

    @field_validator("model_prices", mode="before")
    @classmethod
    def _prices_read(cls, given: Any) -> Any:
        try:
            return json.loads(given) if isinstance(given, str) else given
        except ValueError as error:
            raise ValueError('must be JSON, as in {"my-model": [0.5, 1.5]}') from error

    @field_validator("database_url")
    @classmethod
    def _driver_named(cls, url: str) -> str:
        url = bare_address(url)
        if url.startswith("sqlite:"):
            return _sqlite_file(url)
        if address := postgres_address(url):
            return address
        raise ValueError("must begin with sqlite:/// or postgresql://")

    @field_validator("redis_url")
    @classmethod
    def _redis_known(cls, url: str | None) -> str | None:
        return redis_address(bare_address(url)) if url else None

    @field_validator("backup_url")
    @classmethod
    def _backups_placed(cls, address: str) -> str:
        if address.startswith("s3://") and len(address) > len("s3://"):
            return address.rstrip("/")
        if "://" in address:
            raise ValueError("must be a folder, or begin with s3://bucket")
        # One that is relative is so to the project's root.
        return str(PROJECT_ROOT / Path(address).expanduser())

    @field_validator("sentry_dsn")
    @classmethod
    def _project_named(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn and not _DSN.fullmatch(dsn.get_secret_value()):
            raise ValueError("must look like https://KEY@HOST/NUMBER")
        return dsn

    @field_validator("allowed_origins_str")
    @classmethod
    def _origins_exact(cls, listed: str | None) -> str | None:
        for origin in _origins_in(listed or ""):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError("must list origins such as https://book.example, without a path")
        return listed

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The origins in force, as browsers write them; `*` alone if it is among them."""
        if self.allowed_origins_str is None:
            return () if self.environment == "production" else _origins_in(DEVELOPMENT_ORIGINS)
        origins = _origins_in(self.allowed_origins_str)
        return ("*",) if "*" in origins else origins

    @property
    def models(self) -> tuple[str, ...]:
        """The models that answer, the first one first."""
        names = self.openai_llm_model, self.openai_llm_fallback_model
        return tuple(dict.fromkeys(filter(None, names)))

    @property
    def chosen_rate_limit_storage(self) -> Literal["redis", "database", "memory"]:
        """Where calls are counted: the place named, else by whether there is a Redis."""
        return self.rate_limit_storage or ("redis" if self.redis_url else "database")

    @property
    def chosen_embedder(self) -> Literal["openai", "local", "none"]:
        """The embedder in force: the one named, else by whether there is a key."""
        if self.embedder:
            return self.embedder
        return "openai" if self.openai_api_key else "local"

    @property
    def chosen_web_concurrency(self) -> int:
        """The worker processes in force: the number named, else what this machine or container carries."""
        return self.web_concurrency or workers_for(
            machine_resources(), model_inside=self.chosen_embedder == "local"
        )


def handed_over(settings: Settings) -> dict[str, Any]:
    """Every setting in plain JSON, for `load_settings` of another process; secrets are in it."""
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else _plain(value)
        for name, value in settings
    }


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from overrides (keys as in the environment), the environment and `.env`, in that order.

    Raises ConfigurationError with one line for each fault; no line quotes a secret's value.
    """
    _check_env_file(ENV_FILE)
    values = {name.lower(): value for name, value in (overrides or {}).items()}
    unknown = sorted(name.upper() for name in values if name not in Settings.model_fields)
    if unknown:
        raise ConfigurationError(f"No such setting: {', '.join(unknown)}.")
    faults: list[str] = []
    faulty: set[str] = set()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults = [_fault(str(fault["loc"][0]), fault["msg"]) for fault in error.errors()]
        # With the faulty ones at their defaults the rest can be looked at in the same go.
        faulty = {str(fault["loc"][0]) for fault in error.errors()}
        settings = Settings(**values | {name: _default(name) for name in faulty})
    # One that names its environment wrongly may be meant for production.
    faults += _contradictions(settings, for_production="environment" in faulty)
    if faults:
        raise ConfigurationError(f"The settings cannot be used. {' '.join(f'{fault}.' for fault in faults)}")
    return settings


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _check_env_file(path: Path) -> None:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            broken = [b.original.line for b in parse_stream(stream) if b.error]
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The file .env cannot be read: {error.__class__.__name__}.") from error
    if broken:
        raise ConfigurationError(f"The file .env has no NAME=value on line {broken[0]}.")


def _default(name: str) -> Any:
    return Settings.model_fields[name].get_default(call_default_factory=True)


def _contradictions(settings: Settings, *, for_production: bool) -> list[str]:
    """What no single setting shows, as `NAME: sentence`."""
    faults = []
    if settings.rate_limit_storage == "redis" and settings.redis_url is None:
        faults.append("RATE_LIMIT_STORAGE: is redis, but REDIS_URL is not set")
    if for_production or settings.environment == "production":
        faults += production_faults(
            origins=settings.allowed_origins,
            debug=settings.flask_debug,
            admin_api_key=_revealed(settings.admin_api_key),
            console_password=_revealed(settings.console_password),
            metrics_token=_revealed(settings.metrics_token),
        )
    return faults


def _fault(setting: str, message: str) -> str:
    return f"{setting.upper()}: {message.removeprefix('Value error, ')}"


def _sqlite_file(url: str) -> str:
    """The address with its file's whole path; one that is relative is so to the project's root."""
    path, mark, query = url.removeprefix("sqlite:///").partition("?")
    if not url.startswith("sqlite:///") or path in ("", ":memory:"):
        # What is in memory no other worker and no command would see.
        raise ValueError("must name a file, as in sqlite:///var/ragbot.db")
    return f"sqlite:///{PROJECT_ROOT / path}{mark}{query}"


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _origins_in(listed: str) -> tuple[str, ...]:
    # Browsers send an origin in small letters and without a slash at its end.
    origins = (origin.strip().lower().removesuffix("/") for origin in listed.split(","))
    return tuple(dict.fromkeys(filter(None, origins)))


def settings_table() -> str:
    """Every setting as a row of a Markdown table."""
    rows = [
        f"| `{name}` | {kind} | {_shown(default)} | {meaning} |"
        for name, kind, default, meaning in _described()
    ]
    return "\n".join(["| setting | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def env_example() -> str:
    """Every setting as a line of a `.env` file, commented out, under its meaning."""
    lines = ["# Settings of ragbot. Copy this file to .env and take the # away from what you change.", ""]
    for name, kind, default, meaning in _described():
        lines += [f"# {meaning} ({kind})", f"#{name}={default}", ""]
    return "\n".join(lines[:-1]) + "\n"


def _described() -> list[tuple[str, str, str, str]]:
    """Name, type, default and meaning of each setting."""
    described = []
    for name, info in Settings.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        default = extra.get("shown_default", "" if info.default is None else info.default)
        described.append((name.upper(), _kind(info.annotation), str(default), info.description or ""))
    return described


def _kind(annotation: Any) -> str:
    options = [option for option in get_args(annotation) if option is not NoneType]
    if get_origin(annotation) is Literal:
        return " or ".join(options)
    if get_origin(annotation) is dict:
        return "JSON"
    if options:
        return _kind(options[0])
    names = {SecretStr: "secret", str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "folder" if annotation is Path else "text")


def _shown(default: str) -> str:
    return f"`{default}`" if default else "unset"
