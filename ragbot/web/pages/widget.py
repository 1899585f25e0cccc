"""Serve the reader's widget: `/widget.js` for a tag on any site, and the files that it loads."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from ragbot.config import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "static" / "widget"

# A new version reaches readers within an hour, without a request for each page until then.
ENTRY_CACHE = "public, max-age=3600, stale-while-revalidate=86400"
# The names have a hash of the content.
ASSET_CACHE = "public, max-age=31536000, immutable"
# An entry of another version, which caches keep for a day, asks for the panel and the words of its version.
OTHER_VERSION_CACHE = "no-cache"
_PANEL_OR_WORDS = re.compile(
    r"(?P<kind>panel|[a-z]{2,3}(?:-[A-Za-z]{2,4})?)-[A-Za-z0-9]{8}(?P<suffix>\.js|\.json)"
)

_TYPES = {".js": "text/javascript", ".json": "application/json"}

widget = Blueprint("widget", __name__)


@dataclass(frozen=True)
class _File:
    content: bytes
    compressed: bytes
    etag: str


@widget.get("/widget.js")
def entry() -> Response:
    """Serve the tag's script."""
    return _serve(FOLDER / "widget.js", cache=ENTRY_CACHE)


@widget.get("/widget/assets/<name>")
def asset(name: str) -> Response:
    """Serve a file that the script loads; for one of another version, this version's."""
    if name in _asset_names():
        return _serve(FOLDER / "assets" / name, cache=ASSET_CACHE)
    if (present := _of_this_version(name)) is None:
        raise NotFound
    return _serve(FOLDER / "assets" / present, cache=OTHER_VERSION_CACHE)


def _of_this_version(name: str) -> str | None:
    """Return the panel or the words of a language that stand for those of another version."""
    wanted = _PANEL_OR_WORDS.fullmatch(name)
    if wanted is None:
        return None
    alike = (_PANEL_OR_WORDS.fullmatch(other) for other in _asset_names())
    found = (one for one in alike if one and one.group("kind", "suffix") == wanted.group("kind", "suffix"))
    return next((one.group() for one in found), None)


@lru_cache(maxsize=1)
def _asset_names() -> frozenset[str]:
    return frozenset(path.name for path in (FOLDER / "assets").iterdir())


@lru_cache(maxsize=64)
def _read(path: Path) -> _File:
    content = path.read_bytes()
    etag = hashlib.sha256(content).hexdigest()[:16]
    return _File(content, gzip.compress(content, compresslevel=9, mtime=0), etag)


def _serve(path: Path, *, cache: str) -> Response:
    """Serve a file to pages of any origin; it holds nothing of a reader or an operator."""
    file = _read(path)
    compresses = request.accept_encodings.quality("gzip") > 0
    response = Response(
        file.compressed if compresses else file.content, content_type=f"{_TYPES[path.suffix]}; charset=utf-8"
    )
    if compresses:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = cache
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(f"{file.etag}-gzip" if compresses else file.etag)
    response.make_conditional(request)
    return response
