"""Find settings that are unsafe in production, such as weak secrets."""

from __future__ import annotations

from collections.abc import Iterator

from ragbot.config.settings import Settings

# Shorter ones can be tried out: keys and token by machines without a pause, the password at ten a minute.
LEAST_LENGTHS = {"admin_api_key": 16, "console_password": 12, "metrics_token": 16, "secret_key": 16}

# Fewer different signs than this is a pattern, not a secret ("aaaa…", "12121212…").
DIFFERENT_SIGNS = 6

# Values of examples and tutorials, which people copy.
PLACEHOLDERS = ("changeme", "changethis", "replaceme", "yoursecret", "yourkey", "youradmin", "yourpassword")
DEFAULTS = ("password", "secret", "admin", "default", "example", "letmein", "ragbot")
BESIDE_DEFAULTS = ("console", "metrics", "please", "insert", "super", "token", "your", "here", "test", "key")
# Along the alphabet, the digits, a keyboard's rows; so many of them in a row, either way, are a run.
ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
RUN = 4


def production_faults(settings: Settings) -> Iterator[str]:
    """Yield each fault as `NAME: sentence`, without quoting a secret."""
    if settings.debug:
        yield "DEBUG: must not be set in production"
    if settings.flask_debug:
        yield "FLASK_DEBUG: must not be set in production; the debugger runs code for anyone"
    if "*" in settings.allowed_origins:
        yield "ALLOWED_ORIGINS_STR: must name each origin in production, not *"
    for name, length in LEAST_LENGTHS.items():
        secret = getattr(settings, name)
        if secret and (fault := weakness(secret.get_secret_value(), length)):
            yield f"{name.upper()}: {fault}"


def weakness(secret: str, length: int) -> str | None:
    """Return what is wrong with a secret, or None: it is too short, a pattern, or used in examples."""
    letters = "".join(sign for sign in secret.casefold() if sign.isalnum())
    if len(secret) < length:
        return f"must have at least {length} characters in production"
    if len(set(secret)) < DIFFERENT_SIGNS:
        return "repeats a few signs only; make one with `openssl rand -base64 24`"
    if letters.startswith(PLACEHOLDERS) or len(set(_unguessed(letters))) < DIFFERENT_SIGNS:
        return "is one that anyone can guess; make one with `openssl rand -base64 24`"
    return None


def _unguessed(letters: str) -> str:
    """Return the rest of a secret without the words and runs that everybody thinks of."""
    for word in (*DEFAULTS, *BESIDE_DEFAULTS):
        letters = letters.replace(word, "")
    rows = [row[::step] for row in ROWS for step in (1, -1)]
    start = 0
    while start <= len(letters) - RUN:
        end = start + RUN
        if not any(letters[start:end] in row for row in rows):
            start += 1
            continue
        while end < len(letters) and any(letters[end - RUN + 1 : end + 1] in row for row in rows):
            end += 1
        letters = letters[:start] + letters[end:]
    return letters
