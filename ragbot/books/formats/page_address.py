"""Make page addresses that always lie below the site's own address."""

from __future__ import annotations


def relative_address(path: str) -> str:
    """Strip leading slashes and encode colons in the first segment of a percent-encoded path.

    Two slashes would begin a host (`//example.org`), and a colon would end a scheme (`javascript:`).
    """
    first, slash, rest = path.lstrip("/").partition("/")
    return first.replace(":", "%3A") + slash + rest
