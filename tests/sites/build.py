"""Build the small sites of the tests with the site generators themselves, and store their HTML.

Not run by the tests, which read what it leaves in <generator>/{source,built}. README.md says what must be
installed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from more_generators import MORE, Tools
from selectolax.lexbor import LexborHTMLParser

HERE = Path(__file__).parent
PAGES = ("index", "lighting", "reference", "faults", "appendix")

_ADMONITION = re.compile(
    r"^@@(?P<name>\w+)(?: (?P<title>[^\n]+))?\n(?P<body>.*?)^@@$\n?", re.MULTILINE | re.DOTALL
)
_HEADING_ID = re.compile(r"^(#+ .*?) \{#([\w-]+)\}$", re.MULTILINE)
_DEFINITIONS = re.compile(r"(?:^[^\n:]+\n(?:: [^\n]+\n(?: {4}[^\n]+\n)*)\n?)+", re.MULTILINE)

# What the pages' text needs nothing of. (Pictures and boxes part the words around them.)
_DROPPED = (
    "#mdbook-help-container, script, style, link:not([rel=next]), svg, button, form, template, "
    "noscript:not(:has([http-equiv=refresh])), "
    "iframe, "
    "meta:not([name=generator], [property='og:site_name'], [property='book:title'], [http-equiv=refresh])"
)
# Of attributes these are kept: what readers of HTML go by, and what decides on what is visible.
_ATTRIBUTES = frozenset(
    "id class href http-equiv title role itemprop hidden start aria-hidden rel name open alt type checked "
    "encoding content lang property display alttext data-language data-lang".split()
)


def main() -> None:
    """Write the sources, build them under a scratch folder, and keep the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/ragbot-sites"), help="where to build")
    parser.add_argument("--bin", type=Path, help="folder of mdbook, mkdocs and sphinx-build", required=True)
    parser.add_argument("--node-modules", type=Path, help="folder with Docusaurus", required=True)
    parser.add_argument("--npm", type=Path, help="folder of folders with generators of npm", required=True)
    parser.add_argument("--themes", type=Path, help="folder of themes for Hugo and Jekyll", required=True)
    parser.add_argument("only", nargs="*", help="generators; all if none are named")
    options = parser.parse_args()
    tools = Tools(options.bin, options.npm, options.themes)
    for name, site in MORE.items():
        if options.only and name not in options.only:
            continue
        scratch = options.scratch / name
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "source").mkdir(parents=True)
        site.write(scratch / "source")
        if site.is_read:
            shutil.rmtree(HERE / name / "source", ignore_errors=True)
            shutil.copytree(scratch / "source", HERE / name / "source")
        keep(site.build(scratch / "source", scratch / "out", tools), HERE / name / "built")
    for name, build in BUILDERS.items():
        if options.only and name not in options.only:
            continue
        source, scratch = HERE / name / "source", options.scratch / name
        shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
        source.mkdir(parents=True)
        SOURCES[name](source)
        built = build(source, scratch, options)
        keep(built, HERE / name / "built")


# --- sources -----------------------------------------------------------------------------------


def docusaurus_source(source: Path) -> None:
    """Write MDX: directives as admonitions, braces for ids, no HTML comments and no definition lists."""
    (source / "docusaurus.config.js").write_text(DOCUSAURUS_CONFIG)
    docs = source / "docs"
    docs.mkdir()
    for position, page in enumerate(PAGES, start=1):
        text = admonished(
            page, lambda name, title, body: f":::{name}{f'[{title}]' if title else ''}\n\n{body}\n:::\n"
        )
        text = re.sub(r"<!--(.*?)-->", r"{/*\1*/}", text, flags=re.DOTALL)
        text = re.sub(r"<(https://[^>]+)>", r"[\1](\1)", text)
        text = _DEFINITIONS.sub(lambda match: defined_in_html(match.group()), text)
        text = (
            re.sub(r"\n\n((?:    [^\n]+\n)+)", lambda m: f"\n\n```ini\n{dedented(m[1])}```\n", text)
            if page == "reference"
            else text
        )
        (docs / f"{page}.md").write_text(f"---\nsidebar_position: {position}\n---\n\n{text}")
    copy_extra("docusaurus", docs)


def mdbook_source(source: Path) -> None:
    """Write an mdBook: GitHub's alerts, mathematics for MathJax."""
    (source / "book.toml").write_text(MDBOOK_CONFIG)
    src = source / "src"
    src.mkdir()
    for page in PAGES:
        (src / f"{page}.md").write_text(
            admonished(
                page,
                lambda name, title, body: (
                    f"> [!{name.upper()}]\n" + quoted(f"**{title}**\n\n{body}" if title else body)
                ),
            )
        )
    copy_extra("mdbook", src)
    lines = "".join(f"- [{title_of(src / f'{page}.md')}]({page}.md)\n" for page in (*PAGES, "includes"))
    (src / "SUMMARY.md").write_text(f"# Summary\n\n{lines}")


def mkdocs_source(source: Path) -> None:
    """Write a MkDocs project: Python-Markdown's admonitions and indentation."""
    (source / "mkdocs.yml").write_text(MKDOCS_CONFIG)
    docs = source / "docs"
    docs.mkdir()
    for page in PAGES:

        def note(name: str, title: str, body: str) -> str:
            heading = f' "{title}"' if title else ""
            return f"!!! {name}{heading}\n\n{indented(body)}"

        text = admonished(page, note)
        (docs / f"{page}.md").write_text(text)
    copy_extra("mkdocs", docs)


def sphinx_source(source: Path) -> None:
    """Write a Sphinx project: MyST for the book's pages, reStructuredText for the interface."""
    (source / "conf.py").write_text(SPHINX_CONFIG)
    for page in PAGES:
        text = admonished(
            page,
            lambda name, title, body: (
                f":::{{{name}}}{f' {title}' if title and name == 'admonition' else ''}\n{body}\n:::\n"
            ),
        )
        text = _HEADING_ID.sub(r"(\2)=\n\1", text)
        if page == "index":
            text += "\n```{toctree}\n:hidden:\n\n" + "\n".join((*PAGES[1:], "api")) + "\n```\n"
        (source / f"{page}.md").write_text(text)
    copy_extra("sphinx", source)


def admonished(page: str, written: Callable[[str, str, str], str]) -> str:
    """Give a page of the book with its admonitions in a generator's own spelling."""
    text = (HERE / "book" / f"{page}.md").read_text()
    return _ADMONITION.sub(lambda m: written(m["name"], m["title"] or "", m["body"].strip()), text)


def defined_in_html(definitions: str) -> str:
    """Give definition lists as MDX takes them."""
    terms = re.findall(
        r"^(?P<term>[^\n:]+)\n: (?P<meaning>[^\n]+\n(?: {4}[^\n]+\n)*)", definitions, re.MULTILINE
    )
    entries = "".join(f"<dt>{term}</dt>\n<dd>\n\n{dedented(meaning)}\n</dd>\n" for term, meaning in terms)
    return f"<dl>\n{entries}</dl>\n\n"


def copy_extra(name: str, folder: Path) -> None:
    for path in sorted((HERE / "extra" / name).iterdir()):
        shutil.copy(path, folder / path.name)


def title_of(path: Path) -> str:
    return path.read_text().split("\n", 1)[0].removeprefix("# ")


def quoted(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.split("\n"))


def indented(text: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in text.split("\n"))


def dedented(text: str) -> str:
    return re.sub(r"^ +", "", text, flags=re.MULTILINE)


# --- generators --------------------------------------------------------------------------------


def build_docusaurus(source: Path, scratch: Path, options: argparse.Namespace) -> Path:
    """Build with npx docusaurus; the packages are linked into the scratch folder."""
    shutil.copytree(source, scratch)
    (scratch / "node_modules").symlink_to(options.node_modules.resolve())
    (scratch / "package.json").write_text('{"name": "site", "private": true}')
    run([options.node_modules / ".bin" / "docusaurus", "build"], scratch)
    return scratch / "build"


def build_mdbook(source: Path, scratch: Path, options: argparse.Namespace) -> Path:
    run([options.bin / "mdbook", "build", "--dest-dir", scratch], source)
    return scratch


def build_mkdocs(source: Path, scratch: Path, options: argparse.Namespace) -> Path:
    run([options.bin / "mkdocs", "build", "--quiet", "--site-dir", scratch], source)
    return scratch


def build_sphinx(source: Path, scratch: Path, options: argparse.Namespace) -> Path:
    run([options.bin / "sphinx-build", "-q", "-d", f"{scratch}.doctrees", source, scratch], source)
    return scratch


def run(command: list[object], folder: Path) -> None:
    subprocess.run([str(part) for part in command], cwd=folder, check=True)


def keep(built: Path, kept: Path) -> None:
    """Copy the pages without scripts, styles and pictures."""
    shutil.rmtree(kept, ignore_errors=True)
    for path in sorted(built.rglob("*.html")):
        if path.stem in ("404", "print", "search", "genindex", "py-modindex", "toc"):
            continue
        target = kept / path.relative_to(built)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(stripped(path.read_text()))


def stripped(source: str) -> str:
    """Give a page's HTML with its words and structure alone."""
    tree = LexborHTMLParser(source)
    for node in tree.css(_DROPPED):
        node.decompose()
    for node in tree.css("*"):
        for name in list(node.attributes):
            if name not in _ATTRIBUTES:
                del node.attrs[name]
    html = re.sub(r"<!--.*?-->", "", tree.html or "", flags=re.DOTALL)
    return (
        "<!doctype html>\n"
        + re.sub(r"\n\s*\n+", "\n", html.replace("<head>", '<head><meta charset="utf-8">'))
        + "\n"
    )


DOCUSAURUS_CONFIG = """\
import remarkMath from 'remark-math';
import rehypeKatex from 'rehype-katex';

export default {
  title: 'Lighthouse',
  url: 'https://book.test',
  baseUrl: '/',
  trailingSlash: false,
  onBrokenLinks: 'ignore',
  markdown: {hooks: {onBrokenMarkdownImages: 'ignore', onBrokenMarkdownLinks: 'ignore'}},
  presets: [
    ['classic', {
      docs: {routeBasePath: '/', remarkPlugins: [remarkMath], rehypePlugins: [rehypeKatex]},
      blog: false,
      pages: false,
    }],
  ],
};
"""
MDBOOK_CONFIG = """\
[book]
title = "Lighthouse"

[output.html]
mathjax-support = true
"""
MKDOCS_CONFIG = """\
site_name: Lighthouse
site_url: https://book.test/
use_directory_urls: true
theme:
  name: material
  font: false
plugins: []
markdown_extensions:
  - admonition
  - attr_list
  - def_list
  - footnotes
  - md_in_html
  - smarty
  - tables
  - toc: {permalink: true}
  - pymdownx.arithmatex: {generic: true}
  - pymdownx.betterem
  - pymdownx.details
  - pymdownx.highlight: {anchor_linenums: true}
  - pymdownx.inlinehilite
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.tasklist
  - pymdownx.tilde
nav: [index.md, lighting.md, reference.md, faults.md, appendix.md, tabs.md]
"""
SPHINX_CONFIG = """\
project = "Lighthouse"
extensions = ["myst_parser"]
html_theme = "furo"
html_copy_source = False
myst_enable_extensions = [
    *("colon_fence", "deflist", "dollarmath", "strikethrough", "tasklist", "smartquotes", "replacements"),
]
myst_heading_anchors = 4
suppress_warnings = ["myst.xref_missing", "image.not_readable"]
"""

SOURCES: dict[str, Callable[[Path], None]] = {
    "docusaurus": docusaurus_source,
    "mdbook": mdbook_source,
    "mkdocs": mkdocs_source,
    "sphinx": sphinx_source,
}
BUILDERS: dict[str, Callable[[Path, Path, argparse.Namespace], Path]] = {
    "docusaurus": build_docusaurus,
    "mdbook": build_mdbook,
    "mkdocs": build_mkdocs,
    "sphinx": build_sphinx,
}

if __name__ == "__main__":
    main()
