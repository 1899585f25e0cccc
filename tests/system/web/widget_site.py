"""Serve built sites with the widget's tag in their pages, from an origin that is not the service's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, abort, request

from tests.wsgi_server import wsgi_server

SITES = Path(__file__).resolve().parents[2] / "sites"
# The book's own address; the pages are served as a preview of it.
BOOK_URL = "https://lighthouse.example/mkdocs/"
GENERATORS = ("docusaurus", "mdbook", "mkdocs", "sphinx", "vitepress")


@dataclass
class WidgetSite:
    """A site on an origin of its own. Tests change what its pages hold before they load one."""

    url: str
    # What is put before `</head>`.
    head: str = ""
    # The page's own policy; none if it is empty.
    policy: str = ""

    def tag(self, service: str, attributes: str = "") -> str:
        """Return the tag that an author pastes."""
        return f'<script async src="{service}/widget.js" {attributes}></script>'


@contextmanager
def serving_sites() -> Iterator[WidgetSite]:
    """Serve each generator's built pages below `/GENERATOR/`."""
    app = Flask("sites", static_folder=None)
    site = WidgetSite("")

    @app.get("/<generator>/<path:name>")
    @app.get("/<generator>/", defaults={"name": "index.html"})
    def page(generator: str, name: str) -> Response:
        folder = SITES / generator / "built"
        candidates = (name, f"{name}.html", f"{name}/index.html")
        found = next((folder / one for one in candidates if (folder / one).is_file()), None)
        if generator not in GENERATORS or found is None:
            abort(404)
        text = found.read_text()
        response = Response(text.replace("</head>", f"{site.head}</head>", 1), mimetype="text/html")
        if site.policy and not request.args.get("free"):
            response.headers["Content-Security-Policy"] = site.policy
        return response

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status=204)

    with wsgi_server(app) as server:
        site.url = f"http://127.0.0.1:{server.port}"
        yield site
