"""Define every setting with its type, default, limits and meaning."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ragbot.config.postgres_url import normalized_postgres_url
from ragbot.config.provider_access import UsableBaseUrl, UsableKey, is_openai, parts_of_address
from ragbot.config.redis_url import normalized_redis_url
from ragbot.config.resources import machine_resources, workers_for

PROJECT_ROOT = Path(__file__).resolve().parents[2]
ENV_FILE = PROJECT_ROOT / ".env"

# Where the book's own site is served while it is being written.
DEVELOPMENT_ORIGINS = "http://localhost:3000,http://localhost:8000"
# What is asked for where the provider is OpenAI and nothing is named.
OPENAI_FALLBACK_MODEL = "gpt-3.5-turbo"
OPENAI_EMBEDDING_MODEL = "text-embedding-3-small"
_DSN = re.compile(r"https?://[^@/\s]+@[^@/\s]+/(?:\S*/)?[0-9]+")
_YES, _NO = ("1", "true", "yes", "on", "t", "y"), ("0", "false", "no", "off", "f", "n")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


class Settings(BaseSettings):
    """Hold every setting. A setting's name is that of its environment variable in small letters.

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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out a source without a setting: it would be asked for each of them."""
        sources = (env_settings, dotenv_settings)
        return init_settings, *(source for source in sources if _has_any_of(source, cls.model_fields))

    environment: Literal["development", "production", "testing"] = Field(
        "development", description="Which rules hold: production refuses unsafe settings."
    )
    debug: bool = Field(
        False, description="Whether each step is logged, as with LOG_LEVEL=DEBUG; refused in production."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = Field(
        None,
        description="The least severe line that is logged.",
        json_schema_extra={"shown_default": "INFO"},
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

    slack_url_file: Path | None = Field(
        None,
        description="A file that holds the address of Slack's web hook, for `flask notify` and Alertmanager; "
        "in Compose readable for user 65534.",
    )

    # The database.
    database_url: str = Field(
        f"sqlite:///{PROJECT_ROOT / 'var' / 'ragbot.db'}",
        repr=False,  # It may hold a password.
        description="The address of the database, SQLite or PostgreSQL.",
        json_schema_extra={"shown_default": "sqlite:///var/ragbot.db"},
    )
    database_direct_url: str | None = Field(
        None,
        repr=False,  # It may hold a password.
        description="The server's own address where DATABASE_URL leads to a pooler such as PgBouncer; "
        "backups, restores and drills use it.",
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
        description="Seconds after which PostgreSQL ends a statement; ingestion, pruning and migrations are "
        "not bound by it.",
    )

    redis_url: str | None = Field(
        None,
        repr=False,  # It may hold a password.
        description="A Redis or Valkey server: redis://, rediss:// for TLS (?ssl_ca_certs=FILE for a CA of "
        "one's own) or unix://; unset, the database is used in its place.",
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
        description="Copies of each part in a cluster; with 2 a node may fail without readers noticing.",
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
        description="Chunks of the largest book whose embedded index replaces a Qdrant server that is "
        "unavailable, some 8 KB of memory each.",
    )
    index_dir: Path = Field(
        Path(tempfile.gettempdir()),
        description="Folder of the embedded indexes, which the processes of a machine share. They are built "
        "from the database, and may be deleted.",
        json_schema_extra={"shown_default": "the system's temporary folder"},
    )
    keep_editions: int = Field(
        3,
        ge=0,
        description="Editions that are kept of each book, the published one included: a publication deletes "
        "the oldest others. 0 keeps all.",
    )
    edition_poll_s: float = Field(
        1.0, ge=0, description="Seconds for which a worker trusts its knowledge of the published edition."
    )
    embedder: Literal["openai", "local", "none"] | None = Field(
        None,
        description="Where vectors come from; unset, OpenAI where there is a key, else the local model. With "
        "another OPENAI_BASE_URL it is the local model, too, unless OPENAI_EMBEDDING_MODEL is set.",
    )
    local_embedder: Literal["english", "multilingual"] = Field(
        "english",
        description="The local embedding model; multilingual is an extra (requirements-multilingual.txt).",
    )
    local_embedder_threads: int = Field(1, ge=1, le=64, description="Threads of the local embedding model.")

    # OpenAI, or any server that speaks its protocol.
    openai_api_key: UsableKey = Field(None, description="The key; unset, answers are extractive.")
    openai_base_url: UsableBaseUrl = Field(
        None,
        repr=False,
        description="Another server that speaks the same protocol, such as http://localhost:11434/v1.",
    )
    openai_org_id: str = Field("", description="The organisation that pays, if the key has several.")
    openai_project_id: str = Field("", description="The project that pays, if the key has several.")
    openai_embedding_model: str | None = Field(
        None,
        description="The model for vectors.",
        json_schema_extra={"shown_default": OPENAI_EMBEDDING_MODEL},
    )
    openai_llm_model: str = Field("gpt-4o", description="The model that answers.")
    openai_llm_fallback_model: str | None = Field(
        None,
        description="The model that answers if the first one fails before its first word; `none` for none, "
        "as it is unset with another OPENAI_BASE_URL.",
        json_schema_extra={"shown_default": OPENAI_FALLBACK_MODEL},
    )
    question_model: str | None = Field(
        None,
        description="The model that restates follow-up questions, questions in another language and several "
        "questions at once for the search; the fallback model if empty, or the first one where there "
        "is none; `none` for never.",
    )
    context_model: str | None = Field(
        None,
        description="The model that writes a line for each passage of a book that says where it stands; the "
        "line is searched and never quoted. None if empty: it costs a call for each passage.",
    )
    openai_connect_timeout_s: float = Field(5, gt=0, description="Seconds to connect to the provider.")
    openai_first_word_timeout_s: float = Field(
        12,
        gt=0,
        description="Seconds without a byte after which a provider is given up, until its first word.",
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
        None, ge=0, description="Dollars that answers may cost in a day (UTC); beyond it they are extractive."
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
    history_tokens: int = Field(
        1000, ge=0, description="Tokens of the conversation so far that a model is shown."
    )
    answer_tokens: int = Field(800, ge=50, description="Tokens that a model may answer with.")
    session_timeout_hours: float = Field(
        24, gt=0, le=87_600, description="Hours after its last activity at which a session ends."
    )
    insights_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="Days for which it is kept what readers asked, without their sessions; 0 keeps nothing.",
    )
    insights_words: bool = Field(
        True, description="Whether the words of questions are kept for insights, with personal data masked."
    )

    cache_ttl_hours: float = Field(
        24,
        ge=0,
        le=8760,
        description="Hours for which answers and questions' vectors are cached; 0 switches the cache off.",
    )

    # Books.
    max_file_mb: float = Field(
        5, gt=0, description="Megabytes of one file of a book; larger ones are skipped."
    )

    # A book that is uploaded to POST /admin/ingest.
    max_book_mb: float = Field(
        200,
        gt=0,
        description="Megabytes of an uploaded archive, which may be five times as large unpacked, or "
        "of all pages of a live site.",
    )
    ingest_dir: Path = Field(
        Path(tempfile.gettempdir()),
        description="Folder in which an uploaded book is stored and unpacked while it is ingested.",
        json_schema_extra={"shown_default": "the system's temporary folder"},
    )
    sites_dir: Path = Field(
        PROJECT_ROOT / "var" / "sites",
        description="Folder that keeps the pages of live sites, so that only changed ones are sent again.",
        json_schema_extra={"shown_default": "var/sites"},
    )
    ingest_memory_mb: int = Field(
        1536,
        ge=256,
        description="Megabytes of memory at which the ingestion process is ended (Linux).",
    )
    ingest_time_limit_s: float = Field(
        3600,
        gt=0,
        le=604_800,
        description="Seconds after which the ingestion process, or the download of a live site, is ended.",
    )

    # An open page.
    allowed_origins_str: str | None = Field(
        None,
        description="Origins whose pages may ask, separated by commas; * is for development.",
        json_schema_extra={"shown_default": f"{DEVELOPMENT_ORIGINS}, none in production"},
    )
    public_ask_page: bool = Field(
        True,
        description="Whether /ask is a page where anybody may ask; the allowed origins may frame it.",
    )
    secret_key: SecretStr | None = Field(
        None, description="Signs what pages are given to send back; needed with WIDGET_TOKEN_MINUTES."
    )
    widget_token_minutes: int = Field(
        0,
        ge=0,
        le=1440,
        description="Minutes for which a page's token is good, without which no question is answered; "
        "0 asks for none.",
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
    rate_limit_queries_per_minute_per_network: int = Field(
        60,
        ge=1,
        description="Questions that one address may ask in a minute where each page has a token of its own; "
        "RATE_LIMIT_QUERIES_PER_MINUTE is each page's then.",
    )
    rate_limit_queries_per_day_per_ip: int = Field(
        1000, ge=1, description="Questions that one address may ask in a day."
    )
    rate_limit_others_per_minute: int = Field(
        120,
        ge=1,
        description="Calls about sessions that one address may make in a minute, and about the book.",
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
        description="Where backups are stored: a folder, or s3://bucket/prefix.",
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

    @field_validator("*", mode="before")
    @classmethod
    def _strip_quotes(cls, given: Any) -> Any:
        """Remove the white space and quotes that `docker run --env-file` and some hosts' forms leave."""
        if not isinstance(given, str):
            return given
        stripped = given.strip()
        is_quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\""
        return stripped[1:-1].strip() if is_quoted else stripped

    @field_validator("host")
    @classmethod
    def _bare_host(cls, host: str) -> str:
        """Remove the brackets of an IPv6 address, which belong to addresses with a port."""
        return host.removeprefix("[").removesuffix("]")

    @field_validator("debug", mode="before")
    @classmethod
    def _read_debug(cls, given: Any) -> Any:
        """Read a word that is neither yes nor no as no: programs of other kinds list their parts in DEBUG."""
        return given if str(given).lower() in (*_YES, *_NO) else False

    @field_validator("model_prices", mode="before")
    @classmethod
    def _parse_prices(cls, given: Any) -> Any:
        try:
            return json.loads(given) if isinstance(given, str) else given
        except ValueError as error:
            raise ValueError('must be JSON, as in {"my-model": [0.5, 1.5]}') from error

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str) -> str:
        if url.startswith("sqlite:"):
            return _sqlite_file(url)
        if normalized := normalized_postgres_url(url):
            return normalized
        raise ValueError("must begin with sqlite:/// or postgresql://")

    @field_validator("database_direct_url")
    @classmethod
    def _check_direct_url(cls, url: str | None) -> str | None:
        if not url:
            return None
        if normalized := normalized_postgres_url(url):
            return normalized
        raise ValueError("must begin with postgresql://; SQLite has no pooler")

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        return normalized_redis_url(url) if url else None

    @field_validator("qdrant_url")
    @classmethod
    def _check_qdrant_url(cls, url: str | None) -> str | None:
        # The client takes `qdrant:6333` for a protocol, and a bare name for one of plain HTTP.
        return _checked_address(url if "://" in url else f"http://{url}") if url else None

    @field_validator("s3_endpoint_url")
    @classmethod
    def _check_s3_endpoint_url(cls, url: str | None) -> str | None:
        return _checked_address(url) if url else None

    @field_validator("backup_url")
    @classmethod
    def _check_backup_url(cls, address: str) -> str:
        if address.startswith("s3://") and len(address) > len("s3://"):
            return address.rstrip("/")
        if "://" in address:
            raise ValueError("must be a folder, or begin with s3://bucket")
        # A relative path is relative to the project's root.
        return str(PROJECT_ROOT / Path(address).expanduser())

    @field_validator("sentry_dsn")
    @classmethod
    def _check_sentry_dsn(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn and not _DSN.fullmatch(dsn.get_secret_value()):
            raise ValueError("must look like https://KEY@HOST/NUMBER")
        return dsn

    @field_validator("allowed_origins_str")
    @classmethod
    def _check_origins(cls, listed: str | None) -> str | None:
        for origin in _listed_origins(listed or ""):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError("must list origins such as https://book.example, without a path")
        return listed

    @property
    def bind_address(self) -> str:
        """Return the address with its port, as gunicorn takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def chosen_log_level(self) -> Literal["DEBUG", "INFO", "WARNING", "ERROR"]:
        """Return the least severe line that is logged: the configured level, else what DEBUG says."""
        return self.log_level or ("DEBUG" if self.debug else "INFO")

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Return the allowed origins as browsers write them; `*` alone if it is among them."""
        if self.allowed_origins_str is None:
            return () if self.environment == "production" else _listed_origins(DEVELOPMENT_ORIGINS)
        origins = _listed_origins(self.allowed_origins_str)
        return ("*",) if "*" in origins else origins

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that answer, in the order in which they are tried."""
        names = self.openai_llm_model, self.chosen_fallback_model
        return tuple(dict.fromkeys(filter(None, names)))

    @property
    def chosen_fallback_model(self) -> str | None:
        """Return the model after the first one: the configured one, else OpenAI's where it is OpenAI."""
        default = OPENAI_FALLBACK_MODEL if is_openai(self.openai_base_url) else None
        chosen = self.openai_llm_fallback_model or default
        return None if chosen == "none" else chosen

    @property
    def chosen_question_model(self) -> str | None:
        """Return the model that restates questions for the search; None for never."""
        chosen = self.question_model or self.chosen_fallback_model or self.openai_llm_model
        return None if chosen == "none" else chosen

    @property
    def paid_models(self) -> tuple[str, ...]:
        """Return all models that are called for text."""
        others = filter(None, (self.chosen_question_model, self.context_model))
        return tuple(dict.fromkeys((*self.models, *others)))

    @property
    def chosen_rate_limit_storage(self) -> Literal["redis", "database", "memory"]:
        """Return where calls are counted: the configured store, else Redis if there is one."""
        return self.rate_limit_storage or ("redis" if self.redis_url else "database")

    @property
    def chosen_embedder(self) -> Literal["openai", "local", "none"]:
        """Return the embedder: the configured one, else OpenAI if there is a key to a model of vectors."""
        if self.embedder:
            return self.embedder
        has_model = is_openai(self.openai_base_url) or self.openai_embedding_model
        return "openai" if self.openai_api_key and has_model else "local"

    @property
    def chosen_embedding_model(self) -> str:
        """Return the provider's model for vectors: the configured one, else OpenAI's."""
        return self.openai_embedding_model or OPENAI_EMBEDDING_MODEL

    @property
    def chosen_web_concurrency(self) -> int:
        """Return the number of workers: the configured one, else what this machine or container carries."""
        return self.web_concurrency or workers_for(
            machine_resources(), model_inside=self.chosen_embedder == "local"
        )


def _has_any_of(source: PydanticBaseSettingsSource, names: Container[str]) -> bool:
    return not isinstance(source, EnvSettingsSource) or any(name in names for name in source.env_vars)


def _checked_address(url: str) -> str:
    parts_of_address(url, example="https://host:9000")
    return url


def _sqlite_file(url: str) -> str:
    """Return the address with the absolute path of its file; a relative one starts at the project's root."""
    path, mark, query = url.removeprefix("sqlite:///").partition("?")
    if not url.startswith("sqlite:///") or path in ("", ":memory:"):
        # Other workers and commands could not read a database in memory.
        raise ValueError("must name a file, as in sqlite:///var/ragbot.db")
    return f"sqlite:///{PROJECT_ROOT / path}{mark}{query}"


def _listed_origins(listed: str) -> tuple[str, ...]:
    # Browsers send an origin in small letters and without a slash at its end.
    origins = (origin.strip().lower().removesuffix("/") for origin in listed.split(","))
    return tuple(dict.fromkeys(filter(None, origins)))
