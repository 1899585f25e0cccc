"""Mend the address and key of a model's server as operators paste them; refuse what can never work."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import AfterValidator, SecretStr

# What stands behind the address in a server's own examples.
_PASTED_PATHS = re.compile(r"/(?:chat/completions|completions|embeddings|responses|models)$")
# What an HTTP header carries.
_HEADER_VALUE = re.compile(r"[!-~]+")
# A region's has its name before it, as in eu.api.openai.com.
OPENAI_HOST = "api.openai.com"
_QUOTES = "\"'`"


def parts_of_address(url: str, *, example: str) -> SplitResult:
    """Return the parts of a server's address. Raises ValueError, without quoting it, if none can be there."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or re.search(r"\s", url):
        raise ValueError(f"must be an address such as {example}, with http:// or https:// before it")
    return parts


def normalized_base_url(given: str) -> str:
    """Return the address below which a server's calls are.

    Quotes, spaces, a call's own path and a slash at the end are removed; a bare host gets `/v1`, where
    Ollama, llama.cpp, LM Studio and vLLM have them, or `/openai/v1` where it is Azure's. A query stays.
    Raises ValueError for what can never work.
    """
    parts = parts_of_address(given.strip().strip(_QUOTES).strip(), example="http://localhost:11434/v1")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or a password; what the server asks for is OPENAI_API_KEY")
    path = _PASTED_PATHS.sub("", parts.path.rstrip("/")).rstrip("/")
    is_azure = (parts.hostname or "").endswith(".azure.com")
    return urlunsplit(
        (parts.scheme, parts.netloc, path or ("/openai/v1" if is_azure else "/v1"), parts.query, "")
    )


def is_openai(base_url: str | None) -> bool:
    """Return whether an address is one of OpenAI's own, which no address means, too."""
    host = urlsplit(base_url).hostname or "" if base_url else OPENAI_HOST
    return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")


def normalized_key(given: str) -> str:
    """Return the key without what was pasted around it, such as a file's last newline; it may be empty.

    Raises ValueError, which does not quote it, for a key that no header can carry.
    """
    key = given.strip().strip(_QUOTES).strip().removeprefix("Bearer ").strip()
    if key and not _HEADER_VALUE.fullmatch(key):
        raise ValueError(
            "has a space, a line break or another character that no header can carry; copy it again"
        )
    return key


def _usable_key(given: SecretStr | None) -> SecretStr | None:
    key = normalized_key(given.get_secret_value()) if given else ""
    return SecretStr(key) if key else None


def _usable_base_url(given: str | None) -> str | None:
    return normalized_base_url(given) if given and given.strip() else None


# Types of settings.
UsableKey = Annotated[SecretStr | None, AfterValidator(_usable_key)]
UsableBaseUrl = Annotated[str | None, AfterValidator(_usable_base_url)]
