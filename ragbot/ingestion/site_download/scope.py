"""Decide which addresses are pages of a book's site, and under which file each page is kept."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urljoin, urlsplit

from ragbot.books.files import MAX_FOLDER_DEPTH
from ragbot.books.formats.html import HTML_SUFFIXES
from ragbot.core.errors import BookError
from ragbot.ingestion.site_download.public_hosts import ascii_host

# File systems take names of 255 bytes; a suffix is added.
MAX_NAME_BYTES = 200
PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})

_SAFE = "/~:@!$&'()*+,;=-._"
_SUFFIXES = tuple(sorted(HTML_SUFFIXES))
_PORTS = {"http": 80, "https": 443}
# In these Sphinx keeps sources, listings and files.
_NOT_PAGES = re.compile(r"(?:^|/)_(?:sources|modules|static|images|downloads)/")
# What a site's front page redirects to: a language, a version, or one in the other.
_EDITION = re.compile(
    r"[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?|latest|stable|main|master|current|v?\d+(?:\.(?:\d+|x))*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class SiteScope:
    """Hold the address of a folder of a site, with a slash at its end, in which a book's pages are.

    `front` is the address at which the folder's own page is served, where that has no slash.
    """

    root: str
    front: str = ""

    @classmethod
    def at(cls, url: str) -> SiteScope:
        """Return the scope of the site that an address names. Raises BookError if it is no address."""
        try:
            parts = urlsplit(url.strip())
            host, port = ascii_host((parts.hostname or "").rstrip(".")), parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        if parts.scheme not in _PORTS or not host:
            raise BookError(f"{url} is no address of a site: it must begin with https:// and a host.")
        if parts.username or parts.password:
            raise BookError("The address of a site must not hold a name or password.")
        shown = f"[{host}]" if ":" in host else host
        where = shown if port in (None, _PORTS[parts.scheme]) else f"{shown}:{port}"
        folder, _, name = parts.path.rpartition("/")
        if name and not name.lower().endswith(_SUFFIXES):
            folder = f"{folder}/{name}"
        return cls(f"{parts.scheme}://{where}{_spelt(folder)}/")

    def with_front(self) -> SiteScope:
        """Return the scope of a site that serves the folder's own page without the slash."""
        return replace(self, front=self.root.rstrip("/"))

    def served(self, url: str) -> str:
        """Return the address at which a page is asked for, and which its relative links count from."""
        return self.front if self.front and url == self.root else url

    def narrowed(self, url: str) -> SiteScope:
        """Return the scope of the language or version that the front page redirects to; else this one."""
        inner = url.removeprefix(self.root)
        names = inner.rstrip("/").split("/")
        if inner != url and inner.endswith("/") and all(_EDITION.fullmatch(name) for name in names):
            return SiteScope(url)
        return self

    def page(self, link: str, base: str = "", *, is_listed: bool = False) -> str | None:
        """Return the address of the page that a link on the page `base` leads to, without its fragment.

        None if it lies outside, has a query, or has the name of another kind of file, unless a sitemap lists
        it: a page may be about `node.js`. Both schemes are those of the root.
        """
        try:
            parts = urlsplit(urljoin(base or self.root, link.strip()))
            host, port = ascii_host(parts.hostname or ""), parts.port
        except ValueError:
            return None
        root = urlsplit(self.root)
        is_here = host == root.hostname and _port(parts.scheme, port) == _port(root.scheme, root.port)
        if parts.scheme not in _PORTS or not is_here or parts.query or parts.username or parts.password:
            return None
        url = f"{root.scheme}://{root.netloc}{_spelt(parts.path or '/')}"
        if url == self.root.rstrip("/"):
            return self.root
        if not url.startswith(self.root):
            return None
        address = unquote(self.address(url))
        return url if _may_be_page(address) and (is_listed or not _is_other_file(address)) else None

    def address(self, url: str) -> str:
        """Return a page's address relative to the root."""
        return url.removeprefix(self.root)

    def file(self, url: str) -> str:
        """Return the path of the file that a page is kept in; relative links of pages lead to files, too."""
        name = unquote(self.address(url))
        if not name or name.endswith("/"):
            return f"{name}index.html"
        return name if name.lower().endswith(_SUFFIXES) else f"{name}.html"


def is_same_site(url: str, other: str) -> bool:
    """Return whether two addresses are on one host but for `www.` and for the scheme."""
    try:
        hosts = [ascii_host(urlsplit(one).hostname or "").removeprefix("www.") for one in (url, other)]
        ports = {_port("https", urlsplit(one).port) for one in (url, other)}
    except ValueError:
        return False
    return hosts[0] == hosts[1] and len(ports) == 1


def _port(scheme: str, port: int | None) -> int | None:
    # The same site answers under both schemes.
    return None if port in (None, _PORTS.get(scheme), *_PORTS.values()) else port


def _spelt(path: str) -> str:
    return quote(unquote(path, errors="surrogateescape"), safe=_SAFE, errors="surrogateescape")


def _may_be_page(address: str) -> bool:
    names = address.rstrip("/").split("/") if address else []
    if len(names) > MAX_FOLDER_DEPTH or _NOT_PAGES.search(address):
        return False
    return all(map(_is_file_name, names))


def _is_other_file(address: str) -> bool:
    """Return whether an address has the suffix of a file that is no page."""
    kind, packed = mimetypes.guess_type(address.rpartition("/")[2])
    return packed is not None or not (kind is None or kind in PAGE_TYPES)


def _is_file_name(name: str) -> bool:
    return (
        bool(name)
        and not name.startswith(".")
        and name.isprintable()
        and "\\" not in name
        and len(name.encode(errors="replace")) <= MAX_NAME_BYTES
    )
