"""Settings that are fit for development to what production refuses about them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Shorter ones can be tried out: key and token by machines without a pause, the password at ten a minute.
ADMIN_KEY_LENGTH = METRICS_TOKEN_LENGTH = 16
PASSWORD_LENGTH = 12

# Fewer different signs than this is a pattern, not a secret ("aaaa…", "12121212…").
DIFFERENT_SIGNS = 6

# What stands in examples and tutorials, and is copied from there.
PLACEHOLDERS = ("changeme", "changethis", "replaceme", "yoursecret", "yourkey", "youradmin", "yourpassword")
DEFAULTS = ("password", "secret", "admin", "default", "example", "letmein", "qwerty", "12345678", "ragbot")


def production_faults(
    *,
    origins: Sequence[str],
    debug: bool,
    admin_api_key: str | None,
    console_password: str | None,
    metrics_token: str | None,
) -> Iterator[str]:
    """Each fault as `NAME: sentence`, in the order of the settings. None of them quotes a secret."""
    if debug:
        yield "FLASK_DEBUG: must not be set in production; the debugger runs code for whoever asks"
    if "*" in origins:
        yield "ALLOWED_ORIGINS_STR: must name each origin in production, not *"
    if admin_api_key is not None and (fault := weakness(admin_api_key, ADMIN_KEY_LENGTH)):
        yield f"ADMIN_API_KEY: {fault}"
    if console_password is not None and (fault := weakness(console_password, PASSWORD_LENGTH)):
        yield f"CONSOLE_PASSWORD: {fault}"
    if metrics_token is not None and (fault := weakness(metrics_token, METRICS_TOKEN_LENGTH)):
        yield f"METRICS_TOKEN: {fault}"


def weakness(secret: str, length: int) -> str | None:
    """What is wrong with a secret, or None: too short, a pattern, or one that stands in examples."""
    letters = "".join(sign for sign in secret.casefold() if sign.isalnum())
    if len(secret) < length:
        return f"must have at least {length} characters in production"
    if letters.startswith(PLACEHOLDERS) or letters.rstrip("0123456789") in DEFAULTS:
        return "is a placeholder that anyone can guess; make one with `openssl rand -base64 24`"
    if len(set(secret)) < DIFFERENT_SIGNS:
        return "repeats a few signs only; make one with `openssl rand -base64 24`"
    return None
