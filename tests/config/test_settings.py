"""Test settings from the environment and `.env`, and the messages about invalid ones."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url

from ragbot import create_app
from ragbot.config import PROJECT_ROOT, Settings, changed_since_start, load_settings, settings_as_json
from ragbot.core.errors import ConfigurationError
from ragbot.extensions import db

SECRET = "hunter2-hunter2"


@pytest.fixture
def write_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], Path]:
    """Write a `.env` that is read in place of the project's."""
    path = tmp_path / ".env"
    monkeypatch.setattr("ragbot.config.loading.ENV_FILE", path)
    monkeypatch.setitem(Settings.model_config, "env_file", path)

    def write(content: str | bytes) -> Path:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(overrides: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(overrides)
    return str(refused.value)


# --- where settings come from ------------------------------------------------------------------


def test_without_any_setting_the_service_runs() -> None:
    """A fresh checkout answers without an account, a key or a server."""
    settings = load_settings()

    assert settings.chosen_embedder == "local"
    assert settings.qdrant_url is None
    assert settings.database_url == f"sqlite:///{PROJECT_ROOT}/var/ragbot.db"


def test_process_wins_over_file_and_a_callers_own_word_over_both(
    write_env: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host sets variables; the file is what a developer left behind."""
    write_env("PORT=1001\nHOST=10.0.0.1\nLOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("PORT", "1002")
    monkeypatch.setenv("HOST", "10.0.0.2")

    settings = load_settings({"HOST": "10.0.0.3"})

    assert (settings.log_level, settings.port, settings.host) == ("DEBUG", 1002, "10.0.0.3")


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass on what is not there as an empty text, and an empty key is no key."""
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("PORT", "")

    settings = load_settings()

    assert (settings.openai_api_key, settings.port) == (None, 8000)


def test_key_brings_its_embedder_unless_one_is_named() -> None:
    """The vectors of a book must not change because somebody adds a key for the answers."""
    assert load_settings({"OPENAI_API_KEY": "sk-x"}).chosen_embedder == "openai"
    assert load_settings({"OPENAI_API_KEY": "sk-x", "EMBEDDER": "local"}).chosen_embedder == "local"
    assert load_settings({"EMBEDDER": "none"}).chosen_embedder == "none"


@pytest.mark.parametrize(
    ("given", "level"),
    [({}, "INFO"), ({"DEBUG": True}, "DEBUG"), ({"DEBUG": True, "LOG_LEVEL": "INFO"}, "INFO")],
)
def test_process_that_ingests_logs_as_the_service_does(given: dict[str, object], level: str) -> None:
    """DEBUG asks for each step, until a level is named."""
    settings = load_settings(given)

    assert settings.chosen_log_level == level
    assert load_settings(settings_as_json(settings)).chosen_log_level == level


LOCAL_SERVER = {
    "OPENAI_BASE_URL": "http://localhost:11434/v1",
    "OPENAI_API_KEY": "any",
    "OPENAI_LLM_MODEL": "qwen3:8b",
}


def test_other_server_is_asked_for_no_model_of_openais() -> None:
    """It has none of them: no book could be ingested, and no question restated."""
    settings = load_settings(LOCAL_SERVER)

    assert settings.models == settings.paid_models == ("qwen3:8b",)
    assert settings.chosen_question_model == "qwen3:8b"
    assert settings.chosen_embedder == "local"
    assert load_settings(settings_as_json(settings)).chosen_embedder == "local"


@pytest.mark.parametrize("named", [{"EMBEDDER": "openai"}, {"OPENAI_EMBEDDING_MODEL": "nomic-embed-text"}])
def test_other_servers_vectors_are_used_where_they_are_named(named: dict[str, str]) -> None:
    """A gateway to OpenAI has its models, and Ollama others."""
    settings = load_settings(LOCAL_SERVER | named)

    assert settings.chosen_embedder == "openai"
    assert settings.chosen_embedding_model == named.get("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small")
    assert load_settings(settings_as_json(settings)).chosen_embedder == "openai"


@pytest.mark.parametrize("url", [None, "https://api.openai.com/v1", "https://eu.api.openai.com/v1"])
def test_openai_has_a_model_for_each_part(url: str | None) -> None:
    """A key is enough."""
    settings = load_settings({"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": url})

    assert settings.models == ("gpt-4o", "gpt-3.5-turbo")
    assert settings.chosen_question_model == "gpt-3.5-turbo"
    assert settings.chosen_embedder == "openai"


def test_fallback_can_be_switched_off() -> None:
    """An empty variable counts as unset, so there is a word for it."""
    settings = load_settings({"OPENAI_API_KEY": "sk-x", "OPENAI_LLM_FALLBACK_MODEL": "none"})

    assert settings.models == ("gpt-4o",)
    assert settings.chosen_question_model == "gpt-4o"


def test_file_may_begin_with_a_byte_order_mark(write_env: Callable[[bytes], Path]) -> None:
    """Some editors write one, and the first setting was once silently not there."""
    write_env(b"\xef\xbb\xbfPORT=1001\n")

    assert load_settings().port == 1001


def test_file_may_hold_what_is_for_others(write_env: Callable[[str], Path]) -> None:
    """Compose reads the same file."""
    write_env("# a comment\n\nexport PORT='1001'\nPOSTGRES_PASSWORD=x\nEMPTY=\n")

    assert load_settings().port == 1001


# --- what cannot be used -----------------------------------------------------------------------


def test_all_faults_are_named_in_one_message() -> None:
    """Nobody wants to start a server five times."""
    said = refusal({"PORT": "eighty", "EMBEDDER": "word2vec", "DATABASE_URL": "mysql://x", "MAX_STREAMS": 0})

    assert [name for name in ("PORT", "EMBEDDER", "DATABASE_URL", "MAX_STREAMS") if name not in said] == []
    assert "\n" not in said
    assert "Value error" not in said


def test_setting_that_does_not_exist_is_refused() -> None:
    """A test or a script that overrides a misspelt name would test nothing."""
    assert "OPENAI_APIKEY" in refusal({"OPENAI_APIKEY": SECRET})
    assert SECRET not in refusal({"OPENAI_APIKEY": SECRET})


@pytest.mark.parametrize(
    ("content", "said"),
    [("PORT=1001\nthis is not a setting\n", "line 2"), ("PORT='1001\nHOST=x\n", "line 1")],
)
def test_broken_line_of_the_file_is_named_by_its_number(
    write_env: Callable[[str], Path], content: str, said: str
) -> None:
    """It would be passed over in silence, and its text may be a key."""
    write_env(content)

    assert said in refusal()
    assert "not a setting" not in refusal()


def test_file_that_is_no_text_is_our_own_error(write_env: Callable[[bytes], Path]) -> None:
    """A file in UTF-16, as some editors write it."""
    write_env("PORT=1001\n".encode("utf-16"))

    assert ".env cannot be read" in refusal()


def test_folder_in_the_files_place_is_our_own_error(write_env: Callable[[str], Path]) -> None:
    """Docker makes one where a file that is to be mounted is not there."""
    path = write_env("")
    path.unlink()
    path.mkdir()

    assert ".env cannot be read" in refusal()


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1e400", "soon"])
@pytest.mark.parametrize("name", ["QUERY_DEADLINE_S", "SESSION_TIMEOUT_HOURS", "DB_LOCK_TIMEOUT_S"])
def test_number_that_no_clock_knows_is_refused(name: str, number: str) -> None:
    """It would fail at the first question, not at the start."""
    assert name in refusal({name: number})


def test_session_cannot_outlive_the_calendar() -> None:
    """A century in hours is a slip, and beyond the year 9999 nothing can be added."""
    assert "SESSION_TIMEOUT_HOURS" in refusal({"SESSION_TIMEOUT_HOURS": 1e9})


# --- secrets -----------------------------------------------------------------------------------


def test_no_secret_is_in_a_message_or_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both end in logs that others read."""
    secrets = [name for name, info in Settings.model_fields.items() if SecretStr in types_of(info.annotation)]
    for name in secrets:
        monkeypatch.setenv(name.upper(), SECRET)
    monkeypatch.setenv("SENTRY_DSN", f"https://{SECRET}@sentry.test/7")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://alice:{SECRET}@db/book")

    shown = [repr(load_settings()), str(load_settings()), refusal({"PORT": "eighty"})]

    assert {"openai_api_key", "qdrant_api_key"} <= set(secrets)
    assert [text for text in shown if SECRET in text] == []


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://alice:{SECRET}@db:{SECRET}/book",
        f"postgresql://alice:{SECRET}@db:x/book",
        f"mysql://alice:{SECRET}@db/book",
        f"postgresql+psycopg://alice:{SECRET}@db/book",
        f"alice:{SECRET}@db/book",
    ],
)
def test_database_address_that_cannot_be_used_is_not_quoted(url: str) -> None:
    """It carries the database's password."""
    said = refusal({"DATABASE_URL": url})

    assert "DATABASE_URL" in said
    assert SECRET not in said


def types_of(annotation: object) -> tuple[object, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


# --- addresses of databases --------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2", "POSTGRES", "PostgreSQL"]
)
def test_every_spelling_of_postgresql_is_understood(scheme: str) -> None:
    """Hosts hand out all of them, and SQLAlchemy takes the first for nothing."""
    settings = load_settings({"DATABASE_URL": f"{scheme}://alice:p%40ss@[::1]:5432/book?sslmode=require"})

    app = create_app({"DATABASE_URL": settings.database_url, "ENVIRONMENT": "testing", "EMBEDDER": "none"})

    with app.app_context():
        assert db.engine.driver == "psycopg2"
    assert settings.database_url == "postgresql+psycopg2://alice:p%40ss@[::1]:5432/book?sslmode=require"


ALICE = {"user": "alice", "password": "p@ss", "dbname": "book"}


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("postgres://alice:p%40ss@db/book", ALICE | {"host": "db"}),
        ("  'postgres://alice:p%40ss@db/book'\n", ALICE | {"host": "db"}),
        ('"postgres://alice:p%40ss@db/book"', ALICE | {"host": "db"}),
        ("postgres://alice:p%40ss@db:/book", ALICE | {"host": "db"}),
        ("postgres://alice:p@ss@db:6432/book", ALICE | {"host": "db", "port": 6432}),
        ("postgres://alice:a/b#50%@db/book", ALICE | {"host": "db", "password": "a/b#50%"}),
        (
            "postgres://al%2Fice:p%2540ss@db/book",
            ALICE | {"host": "db", "user": "al/ice", "password": "p%40ss"},
        ),
        ("postgres://alice:p%40ss@[2001:db8::1]:6432/book", ALICE | {"host": "2001:db8::1", "port": 6432}),
        ("postgres://alice:p%40ss@one,two/book", ALICE | {"host": "one,two", "port": ","}),
        ("postgres://alice:p%40ss@one:1,two:2/book", ALICE | {"host": "one,two", "port": "1,2"}),
        ("postgres://alice:p%40ss@[::1]:1,two/book", ALICE | {"host": "::1,two", "port": "1,"}),
        ("postgres://alice:p%40ss@/book?host=one:1&host=two:2", ALICE | {"host": "one,two", "port": "1,2"}),
        ("postgres://alice:p%40ss@/book?host=/cloudsql/a:b:c", ALICE | {"host": "/cloudsql/a:b:c"}),
        ("postgres://alice:p%40ss@localhost/book?host=/run/pg", ALICE | {"host": "/run/pg"}),
        ("postgres://alice:p%40ss@%2Frun%2Fpg/book", ALICE | {"host": "/run/pg"}),
        ("postgres:///book", {"dbname": "book"}),
        (
            "postgres://alice:p%40ss@db/book?sslmode=verify-full&sslrootcert=/etc/ca.pem&channel_binding=require"
            "&options=-c%20search_path%3Dragbot&application_name=my%20site&target_session_attrs=read-write",
            ALICE
            | {
                "host": "db",
                "sslmode": "verify-full",
                "sslrootcert": "/etc/ca.pem",
                "channel_binding": "require",
                "options": "-c search_path=ragbot",
                "application_name": "my site",
                "target_session_attrs": "read-write",
            },
        ),
    ],
)
def test_address_reaches_the_driver_as_its_host_meant_it(written: str, understood: dict[str, object]) -> None:
    """Each host writes it in its own way, and a password may hold any sign."""
    address = load_settings({"DATABASE_URL": written}).database_url

    _, words = create_engine(address).dialect.create_connect_args(make_url(address))

    assert words == understood
    assert load_settings({"DATABASE_URL": address}).database_url == address


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pgbouncer=true", "an option that PostgreSQL does not know: pgbouncer"),
        ("sslmode=require&sslmode=disable", "names sslmode twice"),
        (f"{SECRET}=x%20y", "an option that PostgreSQL does not know"),
    ],
)
def test_option_that_the_driver_would_refuse_later_is_refused_at_the_start(query: str, said: str) -> None:
    """Some hosts add words for other programs, with which every connection fails."""
    assert said in refusal({"DATABASE_URL": f"postgres://alice:x@db/book?{query}"})


# --- addresses of Redis ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("redis://cache", "redis://cache"),
        (" 'REDIS://:p%40ss@cache:6380/3' ", "redis://:p%40ss@cache:6380/3"),
        ("rediss://alice:secret@[::1]:6380/0?ssl_cert_reqs=none", None),
        ("valkeys://alice:secret@cache:6380", "rediss://alice:secret@cache:6380"),
        ("valkey://cache?db=2", "redis://cache?db=2"),
        ("unix:///run/valkey.sock?db=1", None),
        ("unix://alice:secret@/run/valkey.sock", None),
    ],
)
def test_address_of_redis_is_kept_as_its_client_takes_it(written: str, kept: str | None) -> None:
    """Hosts of Valkey hand out its own scheme, which the client does not know."""
    assert load_settings({"REDIS_URL": written}).redis_url == (kept or written)


@pytest.mark.parametrize(
    "url",
    [
        f"http://alice:{SECRET}@cache",
        f"cache:{SECRET}",
        f"redis://alice:{SECRET}@",
        f"redis://alice:{SECRET}@cache:sixthousand",
        f"redis://alice:{SECRET}@cache:99999",
        f"redis://alice:pass/{SECRET}@cache:6379",
        f"redis://alice:pass#{SECRET}@cache:6379",
        f"redis://alice:{SECRET}@cache/{SECRET}",
        f"redis://alice:{SECRET}@cache?db={SECRET}",
        f"redis://alice:{SECRET}@cache?{SECRET}=1",
        f"redis://alice:{SECRET}@cache?ssl_ca_certs=/etc/hosts",
        f"rediss://alice:{SECRET}@cache?ssl_ca_certs=/nowhere/ca.pem",
        f"rediss://alice:{SECRET}@cache?ssl_cert_reqs={SECRET}",
        f"unix://alice:{SECRET}@",
    ],
)
def test_address_of_redis_that_cannot_be_used_is_not_quoted(url: str) -> None:
    """The client would find out at the first question, and its words hold the password."""
    said = refusal({"REDIS_URL": url})

    assert said.count("REDIS_URL") == 1
    assert SECRET not in said
    assert "\n" not in said


def test_relative_file_is_below_the_project_wherever_the_service_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flask would look for it in its instance folder, and a command for it below its own."""
    monkeypatch.chdir(tmp_path)

    assert load_settings({"DATABASE_URL": "sqlite:///var/x.db"}).database_url == (
        f"sqlite:///{PROJECT_ROOT}/var/x.db"
    )
    assert load_settings({"DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}).database_url == (
        f"sqlite:///{tmp_path}/x.db"
    )


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:book.db"])
def test_database_in_memory_is_refused(url: str) -> None:
    """Each worker would have its own, and the command that takes a book in another."""
    assert "must name a file" in refusal({"DATABASE_URL": url})


def test_making_an_app_opens_nothing(tmp_path: Path) -> None:
    """gunicorn forks after it, and `flask db upgrade` must take no lock."""
    app = create_app(
        {
            "DATABASE_URL": f"sqlite:///{tmp_path}/ragbot.db",
            "INDEX_DIR": str(tmp_path / "index"),
            "ENVIRONMENT": "testing",
        }
    )

    assert app.extensions
    assert list(tmp_path.iterdir()) == []


def test_settings_that_hup_does_not_reach_are_told() -> None:
    """The app would take more questions than the server has threads."""
    started = load_settings({"MAX_STREAMS": 4, "CACHE_TTL_HOURS": 5, "QUERY_DEADLINE_S": 30})
    now = load_settings({"MAX_STREAMS": 40, "CACHE_TTL_HOURS": 6, "QUERY_DEADLINE_S": 30})

    assert changed_since_start(started, started) == []
    assert changed_since_start(started, now) == [
        "MAX_STREAMS was changed after the start; the server takes it when it is restarted, not at HUP."
    ]


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("::", "[::]:8000"),
        ("[::1]", "[::1]:8000"),
        ("localhost", "localhost:8000"),
    ],
)
def test_server_binds_addresses_of_ipv6(host: str, bound: str) -> None:
    """Hosts with private networks of IPv6 ask for them; without brackets the port is no number."""
    assert load_settings({"HOST": host}).bind_address == bound


# --- at the start of the server ----------------------------------------------------------------


def test_server_with_faulty_settings_says_one_sentence_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host shows the last line of the log; a text that a program exits with is that line, and code 1."""
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("EMBEDDER", "word2vec")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.delitem(sys.modules, "ragbot.serving", raising=False)

    with pytest.raises(SystemExit) as ended:
        importlib.import_module("ragbot.serving")

    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    assert all(name in ended.value.code for name in ("PORT", "EMBEDDER"))
    assert SECRET not in ended.value.code


@pytest.mark.parametrize("name", ["QDRANT_URL", "S3_ENDPOINT_URL"])
@pytest.mark.parametrize(
    "address", ["http://", "http://host:port", "http://host:0", "ftp://host", "http://[::1", "http://a b"]
)
def test_address_at_which_no_server_can_be_is_refused_at_the_start(name: str, address: str) -> None:
    """Else a stand-in hides it, or the first backup fails at night."""
    with pytest.raises(ConfigurationError, match=f"{name}: must be an address such as") as refused:
        load_settings({name: address})

    assert address not in str(refused.value) or address == "http://"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("qdrant:6333", "http://qdrant:6333"),
        ("localhost", "http://localhost"),
        ("https://a.cloud.example:6333/prefix", "https://a.cloud.example:6333/prefix"),
        ("http://[::1]:6333", "http://[::1]:6333"),
    ],
)
def test_address_of_qdrant_may_lack_its_protocol(written: str, asked: str) -> None:
    """The client would take the name before the port for a protocol, at the first search."""
    assert load_settings({"QDRANT_URL": written}).qdrant_url == asked
