"""Test that a name that nobody reads is told, and that other programs' names are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ragbot.config import Settings, load_settings, settings_notes
from ragbot.config.compose_variables import COMPOSE_VARIABLES
from ragbot.core.errors import ConfigurationError
from tests.config.test_settings import write_env

__all__ = ["write_env"]

SLIP = "RATE_LIMIT_QUERIES_PER_MINUT"


def refusal_in_production() -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({"ENVIRONMENT": "production"})
    return str(refused.value)


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        (SLIP, "RATE_LIMIT_QUERIES_PER_MINUTE"),
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("REDIS_URI", "REDIS_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("ADMIN_API_KEYS", "ADMIN_API_KEY"),
    ],
)
def test_near_miss_in_the_environment_is_told_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, slip: str, meant: str
) -> None:
    """A quota that is misspelt is the default one, and nobody knows."""
    monkeypatch.setenv(slip, "3")

    assert settings_notes(load_settings()) == [f"{slip} is no setting; {meant} is."]
    assert f"{slip}: is no setting; {meant} is" in refusal_in_production()


@pytest.mark.parametrize(
    "name",
    ["NODE_ENV", "QDRANT_PORT", "REDIS_SERVICE_HOST", "HOSTNAME", "DATABASE_URL_UNPOOLED", "TEST_DATABASE"],
)
def test_other_programs_names_in_the_environment_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Hosts set what they like."""
    monkeypatch.setenv(name, "3")

    assert settings_notes(load_settings({"ENVIRONMENT": "production"})) == []


def test_name_beside_the_right_one_is_no_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hosts give an address under several names."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/ragbot")
    monkeypatch.setenv("DATABASE_URL_2", "postgresql://db.example/other")

    assert settings_notes(load_settings({"ENVIRONMENT": "production"})) == []


def test_any_unknown_name_in_the_file_is_told(write_env: Callable[[str], Path]) -> None:
    """The file is ours: whoever writes a name there expects something of it."""
    write_env(f"{SLIP}=3\nCHATTINESS=9\n")

    assert settings_notes(load_settings()) == [
        "CHATTINESS is no setting; remove it from .env, or set it in the environment.",
        f"{SLIP} is no setting; RATE_LIMIT_QUERIES_PER_MINUTE is.",
    ]
    assert all(name in refusal_in_production() for name in ("CHATTINESS", SLIP))


def test_what_compose_and_libraries_read_may_stand_in_the_file(write_env: Callable[[str], Path]) -> None:
    """The one file serves them too."""
    names = [variable.name for variable in COMPOSE_VARIABLES]
    names += ["AWS_ACCESS_KEY_ID", "OTEL_SERVICE_NAME", "FLASK_APP", "GUNICORN_CMD_ARGS", "database_url"]
    write_env("".join(f"{name}=\n" for name in names))

    assert settings_notes(load_settings({"ENVIRONMENT": "production"})) == []


def test_no_setting_is_taken_for_a_slip_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings resemble each other."""
    for name in ("RATE_LIMIT_QUERIES_PER_MINUTE", "DB_POOL_SIZE", "OPENAI_LLM_MODEL"):
        assert name.lower() in Settings.model_fields
        monkeypatch.setenv(name, "")

    assert settings_notes(load_settings({"ENVIRONMENT": "production"})) == []


@pytest.mark.parametrize(
    ("word", "level"), [("true", "DEBUG"), ("1", "DEBUG"), ("false", "INFO"), ("", "INFO")]
)
def test_debug_logs_each_step_and_is_refused_in_production(
    monkeypatch: pytest.MonkeyPatch, word: str, level: str
) -> None:
    """As tutorials set it; LOG_LEVEL says it more exactly."""
    monkeypatch.setenv("DEBUG", word)

    assert load_settings().chosen_log_level == level
    assert load_settings({"LOG_LEVEL": "WARNING"}).chosen_log_level == "WARNING"
    if level == "DEBUG":
        assert "DEBUG: must not be set in production" in refusal_in_production()
    else:
        load_settings({"ENVIRONMENT": "production"})


def test_debug_of_another_program_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs for Node list in it what they are to log."""
    monkeypatch.setenv("DEBUG", "express:*,http")

    assert load_settings({"ENVIRONMENT": "production"}).chosen_log_level == "INFO"
