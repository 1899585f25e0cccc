"""Load the settings and name every fault in one message."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import SecretStr, ValidationError

from ragbot.config.production_checks import production_faults
from ragbot.config.settings import ENV_FILE, Settings
from ragbot.config.unknown_names import unknown_names
from ragbot.core.errors import ConfigurationError

# What the server takes once: it rests on its main process, and new workers do not change it.
TAKEN_AT_START = (
    "host",
    "port",
    "web_concurrency",
    "max_streams",
    "reserve_threads",
    "max_requests",
    "query_deadline_s",
)


def settings_as_json(settings: Settings) -> dict[str, Any]:
    """Return every setting as plain JSON for `load_settings` in another process. Contains the secrets."""
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else _plain(value)
        for name, value in settings
    }


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Load settings from overrides (keys as in the environment), the environment and `.env`, in that order.

    Raises ConfigurationError with one line for each fault; no line quotes a secret's value.
    """
    _names_in(ENV_FILE)
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
        # With the faulty ones at their defaults the others can be checked too.
        faulty = {str(fault["loc"][0]) for fault in error.errors()}
        settings = Settings(**values | {name: _default(name) for name in faulty})
    # Settings with a wrong name of the environment may be meant for production.
    faults += _contradictions(settings, for_production="environment" in faulty)
    if faults:
        raise ConfigurationError(f"The settings cannot be used. {' '.join(f'{fault}.' for fault in faults)}")
    return settings


def settings_notes(settings: Settings) -> list[str]:
    """Return what an operator hardly means, as sentences; the service starts all the same."""
    notes = [f"{name} {rest}." for name, _, rest in (fault.partition(": ") for fault in _unknown_names())]
    if settings.openai_base_url and settings.openai_api_key is None:
        notes.append(
            "OPENAI_BASE_URL is set and OPENAI_API_KEY is not, so no model is asked. "
            "Set OPENAI_API_KEY, to any word where the server needs none."
        )
    return notes


def changed_since_start(started: Settings, now: Settings) -> list[str]:
    """Return a sentence for each setting that the server took at its start and that is another now."""
    return [
        f"{name.upper()} was changed after the start; the server takes it when it is restarted, not at HUP."
        for name in TAKEN_AT_START
        if getattr(started, name) != getattr(now, name)
    ]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _names_in(path: Path) -> list[str]:
    """Return the names in `.env`; none where there is no such file. Raises ConfigurationError."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The file .env cannot be read: {error.__class__.__name__}.") from error
    broken = [binding.original.line for binding in bindings if binding.error]
    if broken:
        raise ConfigurationError(f"The file .env has no NAME=value on line {broken[0]}.")
    return [binding.key for binding in bindings if binding.key]


def _unknown_names() -> list[str]:
    return unknown_names(Settings.model_fields, in_environment=os.environ, in_file=_names_in(ENV_FILE))


def _default(name: str) -> Any:
    return Settings.model_fields[name].get_default(call_default_factory=True)


def _contradictions(settings: Settings, *, for_production: bool) -> list[str]:
    """Return the faults of settings that do not fit together, as `NAME: sentence`."""
    faults = []
    if settings.rate_limit_storage == "redis" and settings.redis_url is None:
        faults.append("RATE_LIMIT_STORAGE: is redis, but REDIS_URL is not set")
    if settings.widget_token_minutes and settings.secret_key is None:
        faults.append("WIDGET_TOKEN_MINUTES: needs SECRET_KEY, the same in all workers, to sign tokens with")
    if for_production or settings.environment == "production":
        faults += production_faults(settings)
        faults += _unknown_names()
    return faults


def _fault(setting: str, message: str) -> str:
    return f"{setting.upper()}: {message.removeprefix('Value error, ')}"
