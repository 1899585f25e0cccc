"""Percent-encoded paths to addresses that a browser can only read as lying under the site's own."""

from __future__ import annotations


def relative_address(path: str) -> str:
    """The address without slashes in front, its first segment without a colon.

    Two slashes would begin a host (`//example.org`) and a colon would end a scheme (`javascript:`).
    """
    first, slash, rest = path.lstrip("/").partition("/")
    return first.replace(":", "%3A") + slash + rest
