"""Make the public address of a page or a section from the address of the book's site."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urljoin, urlsplit

_FRAGMENT_SAFE = "~:@!$'()*+,;=-._"

# (Behind a host, which has a dot, too.)
_FILE = re.compile(r"\w/(?:[^?#]*/)?(?P<name>[^?#/]*\.(?:epub|pdf|html?|xhtml))$", re.IGNORECASE)
_INDEX = re.compile(r"(?:^|(?<=/))index\.html$")
_DOT = re.compile("%2e", re.IGNORECASE)


def page_url(site_url: str, address: str) -> str:
    """Return a page's public address: below the site's root if that is known, else relative to the root.

    The site's address may be that of a file: the book itself, to which the empty address and those of its
    pages (`book.pdf#page=2`) lead, or the front page of a site. Who wrote the book chose its pages' names. An
    address that leads anywhere else, however it is spelt, is that of the root.
    """
    path = quote(address, safe="/%~:@!$&'()*+,;=?#-._")
    name, _, fragment = path.partition("#")
    if site_url and (file := _FILE.search(site_url)) is not None:
        if not name or file["name"].lower().endswith((".epub", ".pdf")):
            return f"{site_url}#{fragment}" if fragment else site_url
        site_url = site_url[: file.start("name")]
    root = f"{site_url.rstrip('/')}/" if site_url else "/"
    url = urljoin(root, path) if site_url else f"/{path}"
    return url if _is_below(root, url) else root


def _is_below(root: str, url: str) -> bool:
    """Return whether an address has the root's scheme and host, and lies in its folder."""
    try:
        # (Joined to itself it is spelt as whatever is joined to it.)
        here, there = urlsplit(urljoin(root, ".")), urlsplit(url)
    except ValueError:
        return False
    return (
        (here.scheme, here.netloc) == (there.scheme, there.netloc)
        and there.path.startswith(here.path)
        and (bool(here.netloc) or not url.startswith("//"))
        # Browsers take `%2e` for a dot, too, where two of them lead up.
        and ".." not in _DOT.sub(".", there.path).split("/")
    )


def joined(base: str, link: str) -> str:
    """Return the address that a link on a page leads to; an empty text if the link is empty or broken."""
    try:
        return urljoin(base, link) if link else ""
    except ValueError:
        return ""


def section_url(url: str, anchor: str) -> str:
    """Return the address of a page's section; of the page itself where there is no anchor."""
    return f"{url}#{quote(anchor, safe=_FRAGMENT_SAFE)}" if anchor else url


def place_on_site(url: str, site_url: str) -> str:
    """Return a page's address without site, fragment, query, `.html` and `index.html`.

    The site's address may be that of its front page.
    """
    path = unquote(urlsplit(url).path).strip("/")
    file = _FILE.search(site_url)
    if file is not None and not file["name"].lower().endswith((".epub", ".pdf")):
        site_url = site_url[: file.start("name")]
    base = unquote(urlsplit(site_url).path).strip("/")
    if base and (path == base or path.startswith(f"{base}/")):
        path = path[len(base) :].strip("/")
    return _INDEX.sub("", path).removesuffix(".html").strip("/")
