"""Test which settings production refuses to start with, all in one message."""

from __future__ import annotations

import pytest

from ragbot.config import load_settings
from ragbot.config.production_checks import weakness
from ragbot.core.errors import ConfigurationError

GOOD = {
    "ENVIRONMENT": "production",
    "ALLOWED_ORIGINS_STR": "https://book.example",
    "ADMIN_API_KEY": "nE3-rQ8xv2LwZk5TbY1p",
    "CONSOLE_PASSWORD": "korrekt-pferd-9",
    "METRICS_TOKEN": "tQ7-wm4Zr9Lb2Xk8Vd1s",
}


def refusal(**overrides: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(GOOD | overrides)
    return str(refused.value)


def test_safe_settings_start() -> None:
    """The rules do not stand in the way of who keeps to them."""
    assert load_settings(GOOD).allowed_origins == ("https://book.example",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_ORIGINS_STR", "*"),
        ("ALLOWED_ORIGINS_STR", "https://book.example, *"),
        ("ALLOWED_ORIGINS_STR", "https://book.example/page"),
        ("ALLOWED_ORIGINS_STR", "book.example"),
        ("FLASK_DEBUG", "1"),
        ("ADMIN_API_KEY", "x9-Fk2"),
        ("ADMIN_API_KEY", "change-me-please-now"),
        ("ADMIN_API_KEY", "abababababababababab"),
        ("ADMIN_API_KEY", "your_admin_api_key_here"),
        ("CONSOLE_PASSWORD", "short-one"),
        ("CONSOLE_PASSWORD", "password123456"),
        ("METRICS_TOKEN", "prometheus"),
        ("METRICS_TOKEN", "changeme-changeme"),
        ("RATE_LIMIT_STORAGE", "redis"),
    ],
)
def test_unsafe_setting_is_refused_by_name_and_never_quoted(name: str, value: str) -> None:
    """The message goes to a log that others read."""
    said = refusal(**{name: value})

    assert name in said
    assert not (name in ("ADMIN_API_KEY", "CONSOLE_PASSWORD", "METRICS_TOKEN") and value in said)


def test_all_faults_are_in_one_message() -> None:
    """Nobody wants to restart a server five times."""
    said = refusal(
        PORT="eighty",
        FLASK_DEBUG="1",
        ALLOWED_ORIGINS_STR="*",
        ADMIN_API_KEY="admin",
        CONSOLE_PASSWORD="admin",
        RATE_LIMIT_STORAGE="redis",
    )

    names = ("PORT", "FLASK_DEBUG", "ALLOWED_ORIGINS_STR", "ADMIN_API_KEY", "CONSOLE_PASSWORD")
    assert all(name in said for name in (*names, "RATE_LIMIT_STORAGE"))


def test_development_takes_what_production_refuses() -> None:
    """Trying it out needs no secrets."""
    settings = load_settings({"FLASK_DEBUG": "1", "ALLOWED_ORIGINS_STR": "*", "CONSOLE_PASSWORD": "x"})

    assert settings.allowed_origins == ("*",)


def test_origins_unset_are_localhost_in_development_and_none_in_production() -> None:
    """An open page is opened on purpose."""
    production = {name: value for name, value in GOOD.items() if name != "ALLOWED_ORIGINS_STR"}

    assert load_settings(production).allowed_origins == ()
    assert load_settings().allowed_origins == ("http://localhost:3000", "http://localhost:8000")


def test_origins_are_read_as_browsers_write_them() -> None:
    """A slash at the end is the commonest slip."""
    listed = " HTTPS://Book.Example/ ,http://[::1]:3000,,https://book.example"

    assert load_settings({"ALLOWED_ORIGINS_STR": listed}).allowed_origins == (
        "https://book.example",
        "http://[::1]:3000",
    )


def test_random_secret_is_strong() -> None:
    """What `openssl rand -base64 24` prints must pass."""
    assert weakness("q3J9vX0mZb+T7yLr5WcN1sKdPf8aHg2E", 16) is None


@pytest.mark.parametrize(
    "secret",
    [
        "passwordpassword",
        "adminadminadmin1",
        "super-secret-key-1",
        "insert-key-here-please",
        "0123456789abcdef",
        "zyxwvutsrqponmlk",
        "qwertyuiop123",
        "ragbot-console",
        "My-Secret-Admin-Key-2026",
    ],
)
def test_secret_that_comes_to_everybody_s_mind_is_none(secret: str) -> None:
    """Whoever guesses begins with these."""
    assert weakness(secret, 12) is not None


def test_prices_that_are_none_are_one_fault_among_the_others() -> None:
    """The operator mends all in one go."""
    faulty = {"MODEL_PRICES": "{bad", "ENVIRONMENT": "Production", "FLASK_DEBUG": "1"}

    with pytest.raises(ConfigurationError) as told:
        load_settings(faulty)

    assert all(f"{name}: " in str(told.value) for name in faulty)


@pytest.mark.parametrize("prices", ['{"gpt-4o": [5]}', '{"gpt-4o": [-5, 0]}', "foo", "[]", "7"])
def test_prices_in_the_environment_that_are_none_are_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, prices: str
) -> None:
    """There they come as text."""
    monkeypatch.setenv("MODEL_PRICES", prices)

    with pytest.raises(ConfigurationError, match="MODEL_PRICES: "):
        load_settings()


def test_prices_in_the_environment_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON."""
    monkeypatch.setenv("MODEL_PRICES", '{"my-model": [0.5, 1.5]}')

    assert load_settings().model_prices == {"my-model": (0.5, 1.5)}
