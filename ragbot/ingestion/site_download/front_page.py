"""Find the front page of a live site: where its host serves it, and which version it redirects to."""

from __future__ import annotations

from urllib.parse import urlsplit

from ragbot.core.errors import BookError
from ragbot.core.page_links import joined
from ragbot.ingestion.site_download.scope import SiteScope, is_same_site
from ragbot.ingestion.site_download.site_client import Reply, SiteClient, SiteUnavailable
from ragbot.ingestion.site_download.sitemaps import MAX_SITEMAP_BYTES

MAX_REDIRECTS = 5


def front_page(client: SiteClient, scope: SiteScope) -> SiteScope:
    """Follow the redirects of the front page, and return the site that they lead to.

    Raises BookError if that is another site, or does not answer.
    """
    url = scope.root
    for _ in range(MAX_REDIRECTS):
        reply = _front_reply(client, url)
        if not reply.location:
            is_missing = url == scope.root and reply.status in (403, 404, 410) and urlsplit(url).path != "/"
            is_served = is_missing and _front_reply(client, scope.with_front().front).status == 200
            return scope.with_front() if is_served else scope
        target = joined(url, reply.location)
        if not is_same_site(url, target):
            raise BookError(_moved(url, target or reply.location))
        parts = urlsplit(target)
        # The host and the scheme are those that the site prefers.
        moved = SiteScope.at(f"{parts.scheme}://{parts.netloc}{urlsplit(scope.root).path}")
        found = moved.page(target)
        if found is None:
            raise BookError(_moved(url, target))
        if found == moved.root and not parts.path.endswith("/"):
            scope = moved.with_front()
        else:
            scope = moved.narrowed(found) if moved.root != scope.root else scope.narrowed(found)
        url = scope.served(found)
    raise BookError(f"The site at {scope.root} redirects without an end.")


def _front_reply(client: SiteClient, url: str) -> Reply:
    try:
        return client.get(url, max_bytes=MAX_SITEMAP_BYTES)
    except SiteUnavailable as fault:
        raise BookError(f"The site at {url} cannot be read: {fault}.") from fault


def _moved(url: str, target: str) -> str:
    return f"{url} redirects to {target}. If that is the book's site, give its address."
