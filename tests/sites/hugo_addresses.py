"""Build small sites with Hugo under several settings, and write where it puts each page.

    python tests/sites/hugo_addresses.py --hugo /tmp/generators/bin/hugo

writes `hugo_addresses.json`, with which `tests/books/formats/test_hugo_addresses.py` compares.
"""

from __future__ import annotations

import argparse
import html
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

PLACE = Path(__file__).with_suffix(".json")

PAGES: dict[str, dict[str, str]] = {
    "_index.md": {"title": "Home"},
    "about.md": {"title": "About us"},
    "2020-02-03-dated.md": {"title": "Dated"},
    "posts/_index.md": {"title": "My Posts", "slug": "letters"},
    "posts/first.md": {"title": "First & Best: It's 1.2", "date": "2024-03-09T10:00:00Z"},
    "posts/second.md": {"title": "Second", "date": "2023-12-01", "slug": "Two Words"},
    "posts/bundle/index.md": {"title": "Bundle of Things", "date": "2023-12-02"},
    "posts/bundle2/index.md": {"title": "Bundle 2", "date": "2023-12-02", "slug": "b/two.x"},
    "posts/What's new? & more.md": {"title": "News", "date": "2023-01-02"},
    "posts/A_b  c.md": {"title": "A", "date": "2023-01-02"},
    "posts/Öl und Maß.md": {"title": "Öl und Maß", "date": "2023-01-02"},
    "posts/v1.2.md": {"title": "V", "date": "2023-01-02"},
    "posts/a+b#c.md": {"title": "C++ #1 (new)", "date": "2023-01-02"},
    "posts/deep/_index.md": {"title": "Deep Part"},
    "posts/deep/er/_index.md": {"title": "Deeper Part", "slug": "deeper"},
    "posts/deep/er/leaf.md": {"title": "Leaf", "date": "2023-05-06"},
    "posts/noindex/leaf2.md": {"title": "Leaf 2", "date": "2023-05-07"},
    "guide/_index.md": {"title": "Guide"},
    "guide/Plain One.md": {"title": "Plain"},
    "guide/u1.md": {"title": "U1", "url": "/Some Where/Else"},
    "guide/u2.md": {"title": "U2", "url": "beside/x.html"},
    "guide/u3.md": {"title": "U3", "url": "/with/slash/"},
    "guide/u4.md": {"title": "U4", "url": "/:year/:slug/", "date": "2022-02-03"},
    "guide/u5.md": {"title": "U5", "url": "v1.2"},
    "guide/u6.md": {"title": "U6", "url": "/v1.3/"},
    "guide/sub/_index.md": {"title": "Sub", "url": "/moved-sub/"},
    "guide/sub/inner.md": {"title": "Inner"},
}

SETTINGS: dict[str, str] = {
    "none": "",
    "by section": '[permalinks]\nposts="/articles/:year/:month/:slug/"\nguide="/training/:contentbasename"\n',
    "by kind": '[permalinks.page]\nposts="/articles/:sections[1:]/:title/"\n'
    'guide=":sections[last]/:slugorcontentbasename.html"\n'
    '[permalinks.section]\nposts="/articles/:sections/"\nguide="/training/"\n',
    "dates and slugs": '[permalinks.page]\n"/"="/root/:slugorfilename/"\n'
    'posts="/:sectionslugs/:filename/:monthname/:day/:weekday/:weekdayname/:yearday/:2006-01/"\n',
    "inner section": '[permalinks.page]\n"posts/deep"="/d/:slug/"\nposts="/p/:contentbasename/"\n',
    "list": '[[permalinks]]\npattern="/x/:slug/"\n[permalinks.target]\nkind="page"\npath="/posts/**"\n',
    "uglyURLs": "uglyURLs=true\n",
    "uglyURLs and permalinks": 'uglyURLs=true\n[permalinks.page]\nposts="/articles/:year/:slug/"\n',
    "uglyURLs of a section": "[uglyURLs]\nposts=true\n",
    "case and accents": "disablePathToLower=true\nremovePathAccents=true\n",
    "language": 'defaultContentLanguage="en"\ndefaultContentLanguageInSubdir=true\n[languages.en]\nweight=1\n'
    '[languages.en.permalinks.page]\nposts="/art/:slug/"\n[languages.de]\nweight=2\n',
    "dates of file names": '[frontmatter]\ndate=[":filename",":default"]\n'
    '[permalinks.page]\n"/"="/:year/:slug/"\n',
}

_HEAD = 'baseURL="https://book.test/"\ntitle="Book"\ndisableKinds=["taxonomy","term","RSS","sitemap","404"]\n'


def write_sources(folder: Path, settings: str) -> None:
    """Write the sources of one site."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hugo.toml").write_text(_HEAD + settings)
    for path, values in PAGES.items():
        page = folder / "content" / path
        page.parent.mkdir(parents=True, exist_ok=True)
        lines = (
            f"{key}: {value if key == 'date' else json.dumps(value, ensure_ascii=False)}\n"
            for key, value in values.items()
        )
        page.write_text(f"---\n{''.join(lines)}---\nText of the page.\n")


def _built_addresses(folder: Path, hugo: str) -> dict[str, str]:
    (folder / "layouts").mkdir()
    for kind in ("home", "section", "page"):
        (folder / "layouts" / f"{kind}.html").write_text("{{ with .File }}FILE={{ .Path }}{{ end }}")
    subprocess.run([hugo, "--quiet", "--buildFuture", "--destination", "public"], cwd=folder, check=True)
    addresses: dict[str, str] = {}
    for file in sorted(path for path in (folder / "public").rglob("*") if path.is_file()):
        mark, _, path = html.unescape(file.read_text()).strip().partition("FILE=")
        if path and not mark:
            address = file.relative_to(folder / "public").as_posix()
            is_index = address.rpartition("/")[2] == "index.html"
            addresses[path] = address.removesuffix("index.html") if is_index else address
    return addresses


def main() -> None:
    """Build each site and write the addresses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hugo", required=True, help="the program")
    hugo = parser.parse_args().hugo
    found = {}
    for name, settings in SETTINGS.items():
        with TemporaryDirectory() as folder:
            write_sources(Path(folder), settings)
            found[name] = _built_addresses(Path(folder), hugo)
    PLACE.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
