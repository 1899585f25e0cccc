"""List every setting with its type, default and meaning, for the README and for a `.env` file."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from ragbot.config.compose_variables import COMPOSE_VARIABLES
from ragbot.config.settings import Settings


def settings_table() -> str:
    """Return a Markdown table with a row for every setting."""
    rows = [
        f"| `{name}` | {kind} | {_shown(default)} | {meaning} |"
        for name, kind, default, meaning in _described()
    ]
    return "\n".join(["| setting | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def env_example() -> str:
    """Return a `.env` file with every setting commented out, under its meaning.

    The one file serves `make run`, Compose and `docker run --env-file`.
    """
    lines = [
        "# Settings of ragbot. Copy this file to .env and remove the # before what you change.",
        "# `make run`, Compose and `docker run --env-file .env` read it alike, without quotes and $.",
        "",
    ]
    for name, kind, default, meaning in _described():
        lines += [f"# {meaning} ({kind})", f"#{name}={default}", ""]
    lines += ["# --- Read by docker-compose.yml alone.", ""]
    for variable in COMPOSE_VARIABLES:
        mark = "" if variable.set else "#"
        lines += [f"# {variable.meaning}", f"{mark}{variable.name}={variable.default}", ""]
    return "\n".join(lines[:-1]) + "\n"


def _described() -> list[tuple[str, str, str, str]]:
    """Return name, type, default and meaning of each setting."""
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
