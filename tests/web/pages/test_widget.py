"""Test how the widget is served, how large it is, and that what is served is what its source gives."""

from __future__ import annotations

import base64
import filecmp
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask.testing import FlaskClient

ROOT = Path(__file__).resolve().parents[3]
SOURCE, BUILT = ROOT / "widget", ROOT / "static" / "widget"
WORDS = sorted((SOURCE / "words").glob("*.json"))
ENTRY_BYTES, ALL_BYTES = 6 * 1024, 35 * 1024


def panel() -> str:
    return next((BUILT / "assets").glob("panel-*.js")).name


@pytest.mark.parametrize("path", ["/widget.js", f"/widget/assets/{panel()}"])
def test_any_site_may_load_the_widget(client: FlaskClient, path: str) -> None:
    """A tag on another origin loads a script, and this one loads a module: both headers are needed."""
    response = client.get(path, headers={"Origin": "https://book.example", "Accept-Encoding": "gzip"})

    assert response.status_code == 200
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.mimetype == "text/javascript"
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(response.data) == client.get(path).data


def test_caches_keep_the_files_for_long_and_the_entry_for_an_hour(client: FlaskClient) -> None:
    """A new version must reach readers; a file whose name holds its hash never changes."""
    entry, asset = client.get("/widget.js"), client.get(f"/widget/assets/{panel()}")

    assert "max-age=3600" in entry.headers["Cache-Control"]
    assert "immutable" in asset.headers["Cache-Control"]
    again = client.get("/widget.js", headers={"If-None-Match": entry.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_documented_hash_is_that_of_the_pinned_entry(client: FlaskClient) -> None:
    """An author copies both from the docs: a browser refuses the script if they do not belong together."""
    documented = re.search(
        r'(/widget/assets/widget-\w+\.js)"\s+integrity="sha384-([^"]+)"',
        (ROOT / "docs/widget.md").read_text(),
    )
    assert documented is not None

    response = client.get(documented[1])

    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]
    assert response.data == client.get("/widget.js").data
    assert base64.b64encode(hashlib.sha384(response.data).digest()).decode() == documented[2]


@pytest.mark.parametrize(
    "name", ["panel.js", "..%2fwidget.js", "%2e%2e/widget.js", "", "panel-IQPJWNWP.js.map"]
)
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    """Only the files of the build have an address."""
    assert client.get(f"/widget/assets/{name}").status_code == 404


def test_entry_of_another_version_gets_the_present_panel_and_words(client: FlaskClient) -> None:
    """Caches keep an entry for a day after an upgrade, and its button must not only lead away."""
    names = {path.name for path in (ROOT / "static/widget/assets").iterdir()}
    for name in ("panel-0LDNAME0.js", "de-00000000.json"):
        kind = name.partition("-")[0]
        (present,) = [other for other in names if other.startswith(f"{kind}-")]

        response = client.get(f"/widget/assets/{name}")

        assert response.status_code == 200
        assert response.data == client.get(f"/widget/assets/{present}").data
        assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["widget-00000000.js", "xx-00000000.json", "panel-00000000.json"])
def test_other_files_have_no_stand_in(client: FlaskClient, name: str) -> None:
    """A pinned entry is checked by its hash, so that another one would be no use."""
    assert client.get(f"/widget/assets/{name}").status_code == 404


def test_widget_is_small(client: FlaskClient) -> None:
    """A page that nobody asks on pays for the entry alone."""
    entry = len(client.get("/widget.js", headers={"Accept-Encoding": "gzip"}).data)
    rest = len(client.get(f"/widget/assets/{panel()}", headers={"Accept-Encoding": "gzip"}).data)

    assert entry <= ENTRY_BYTES
    assert entry + rest <= ALL_BYTES


def test_built_files_are_what_the_source_gives(tmp_path: Path) -> None:
    """What readers run must be what was reviewed."""
    node = shutil.which("node")
    if node is None or not (SOURCE / "node_modules" / "esbuild").is_dir():
        pytest.skip("needs node, and `npm ci` in widget/")

    subprocess.run([node, "build.mjs", str(tmp_path)], cwd=SOURCE, check=True, timeout=120)

    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    committed = sorted(str(path.relative_to(BUILT)) for path in BUILT.rglob("*") if path.is_file())
    assert names == committed
    assert filecmp.cmpfiles(tmp_path, BUILT, names, shallow=False)[0] == names


@pytest.mark.parametrize("path", WORDS, ids=lambda path: path.stem)
def test_each_language_says_everything(path: Path) -> None:
    """A translation has each sentence of the English one, with the same places for values."""
    english = json.loads((SOURCE / "words" / "en.json").read_text())
    words = json.loads(path.read_text())

    assert list(words) == list(english)
    assert all(text.strip() for text in words.values())
    places = {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in words.items()}
    assert places == {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in english.items()}
