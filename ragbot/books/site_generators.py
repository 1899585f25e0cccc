"""List the site generators that are known: by which files, and where their sources and output lie."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

# Enough of a configuration file to tell whose it is.
_PEEKED_CHARACTERS = 50_000

_SCRIPTS = ("js", "ts", "mjs", "cjs", "mts", "cts")
_HUGO_KEY = re.compile(r"(?im)^\s*[\"']?(?:baseURL|languageCode|contentDir)[\"']?\s*[:=]")
_ZOLA_KEY = re.compile(r"(?m)^\s*base_url\s*=")
_SPHINX_KEY = re.compile(r"(?m)^(?:extensions|html_theme|master_doc|root_doc|project)\s*[=+]|^import sphinx")
_BOOKDOWN_SITE = re.compile(r"""(?m)\A---[ \t]*$(?:\n(?!---).*){0,200}?\nsite:[ \t]*["']?bookdown::""")
_NEXTRA = re.compile(r"""['"]nextra['"]""")
_FUMADOCS = re.compile(r"""['"]fumadocs-mdx""")
_HEXO = re.compile(r"""['"]hexo['"][ \t]*:""")
_NIKOLA_KEY = re.compile(r"(?m)^(?:BLOG_TITLE|NAVIGATION_LINKS)\s*=")
# The file of a book that HonKit builds, or its predecessor.
_HONKIT = re.compile(r"""['"](?:honkit|gitbook-cli)['"]""")
_GITBOOK_ROOT = re.compile(r"""(?m)^root[ \t]*:[ \t]*["']?(?:\./)?(?P<folder>[^\s"'#]*)""")
_GITBOOK_TAG = re.compile(r"(?m)^[ \t]*\{%[ \t]*(?:hint|tabs|content-ref|stepper|code|embed)\b")
_CHAPTER = re.compile(r"\]\(<?(?:\./)?(?P<path>(?!/)[^()\s<>#]+\.md)")
_CHAPTERS_LOOKED_AT = 100
_LESSON_KEY = re.compile(r"(?m)^carpentry[ \t]*:")


@dataclass(frozen=True, slots=True)
class SiteGenerator:
    """Describe a generator: by which files it is known, and where its sources and its output lie.

    `marks` returns the file by which a folder is recognised, or "". `content` is the folder of the sources,
    seen from there; `outputs` are the folders that a build may write, likewise. `is_read` is true if ragbot
    reads the sources themselves, with the addresses that the generator gives them.
    """

    name: str
    marks: Callable[[Path], str]
    build: str
    outputs: tuple[str, ...]
    content: str = ""
    is_read: bool = False


def is_built(folder: Path) -> bool:
    """Return whether a folder holds a whole HTML page as its index, and no template of one."""
    return peek(folder / "index.html").lstrip("\ufeff \r\n").lower().startswith(("<!doctype", "<html"))


def peek(path: Path) -> str:
    """Return the beginning of a file, empty if there is none."""
    try:
        if not path.is_file():
            return ""
        with path.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_PEEKED_CHARACTERS)
    except OSError:
        return ""


def _one_of(*names: str) -> Callable[[Path], str]:
    """Build a mark: the first of the names that is there. A name that ends in a slash is a folder."""

    def mark(folder: Path) -> str:
        for name in names:
            if (folder / name).is_dir() if name.endswith("/") else (folder / name).is_file():
                return name
        return ""

    return mark


def _any_of(*marks: Callable[[Path], str]) -> Callable[[Path], str]:
    """Build a mark: the file of the first that is there."""
    return lambda folder: next((found for one in marks if (found := one(folder))), "")


def _all_of(*marks: Callable[[Path], str]) -> Callable[[Path], str]:
    """Build a mark: the first one's file, if all of them are there."""

    def mark(folder: Path) -> str:
        found = [one(folder) for one in marks]
        return found[0] if all(found) else ""

    return mark


def _holding(names: tuple[str, ...], words: re.Pattern[str]) -> Callable[[Path], str]:
    """Build a mark: the first of the files that holds the words."""
    return lambda folder: next((name for name in names if words.search(peek(folder / name))), "")


def _jekyll(folder: Path) -> str:
    # Sites that others built keep such a file for GitHub's sake.
    return "" if is_built(folder) else _one_of("_config.yml", "_config.yaml")(folder)


def _gitbook(folder: Path) -> str:
    """Return the file by which a book on gitbook.com is known; HonKit's have a summary, too."""
    if (folder / "book.json").is_file() or _HONKIT.search(peek(folder / "package.json")):
        return ""
    named = _GITBOOK_ROOT.search(peek(folder / ".gitbook.yaml"))
    inner = named["folder"].strip("/") if named is not None and ".." not in named["folder"] else ""
    summary = _one_of("SUMMARY.md", "src/SUMMARY.md", f"{inner or '.'}/SUMMARY.md")(folder)
    if not summary:
        return ""
    if own := _one_of(".gitbook.yaml", ".gitbook/")(folder):
        return own
    above = (folder / summary).parent
    paths = (found["path"] for found in _CHAPTER.finditer(peek(folder / summary)))
    chapters = (above / path for path in islice(paths, _CHAPTERS_LOOKED_AT) if ".." not in path)
    return summary if any(_GITBOOK_TAG.search(peek(chapter)) for chapter in chapters) else ""


MKDOCS_CONFIGS = ("mkdocs.yml", "mkdocs.yaml")
# Version 4 is configured by a script, version 5 by YAML.
QUARTZ_SCRIPTS = ("quartz.config.ts", "quartz.config.js")
QUARTZ_CONFIGS = ("quartz.config.yaml", "quartz.config.yml")
_CONFIGS = ("config.toml", "config.yaml", "config.yml", "config.json")

# The most specific first: Jupyter Book's folders may hold Sphinx's file too, Starlight's pages are Astro's.
GENERATORS = (
    SiteGenerator(
        "Docusaurus",
        _one_of(*(f"docusaurus.config.{suffix}" for suffix in _SCRIPTS)),
        build="npm run build",
        outputs=("build",),
        content="docs",
        is_read=True,
    ),
    SiteGenerator(
        "Starlight",
        _all_of(_one_of(*(f"astro.config.{suffix}" for suffix in _SCRIPTS)), _one_of("src/content/docs/")),
        build="npm run build",
        outputs=("dist",),
        content="src/content/docs",
        is_read=True,
    ),
    SiteGenerator(
        "Astro",
        _one_of(*(f"astro.config.{suffix}" for suffix in _SCRIPTS)),
        build="npm run build",
        outputs=("dist",),
        content="src/content",
    ),
    SiteGenerator(
        "VitePress",
        _one_of(".vitepress/"),
        build="npx vitepress build",
        outputs=(".vitepress/dist",),
        is_read=True,
    ),
    SiteGenerator(
        "VuePress",
        _one_of(".vuepress/"),
        build="npx vuepress build",
        outputs=(".vuepress/dist",),
        is_read=True,
    ),
    SiteGenerator(
        "Nextra",
        _holding(tuple(f"next.config.{suffix}" for suffix in _SCRIPTS), _NEXTRA),
        build="npm run build",
        outputs=("out",),
        content="content",
    ),
    SiteGenerator(
        "Fumadocs",
        _holding(tuple(f"source.config.{suffix}" for suffix in _SCRIPTS), _FUMADOCS),
        build="npm run build",
        outputs=("out",),
        content="content/docs",
    ),
    SiteGenerator(
        "Gatsby",
        _one_of(*(f"gatsby-config.{suffix}" for suffix in _SCRIPTS)),
        build="npm run build",
        outputs=("public",),
    ),
    SiteGenerator(
        "Rspress",
        _one_of(*(f"rspress.config.{suffix}" for suffix in _SCRIPTS)),
        build="npm run build",
        outputs=("doc_build",),
        content="docs",
    ),
    SiteGenerator(
        "Eleventy",
        _one_of(".eleventy.js", *(f"eleventy.config.{suffix}" for suffix in _SCRIPTS)),
        build="npx @11ty/eleventy",
        outputs=("_site",),
    ),
    SiteGenerator(
        "MyST",
        _one_of("myst.yml"),
        build="myst build --html",
        outputs=("_build/html",),
        is_read=True,
    ),
    SiteGenerator(
        "Jupyter Book",
        _one_of("_toc.yml"),
        build="jupyter-book build .",
        outputs=("_build/html",),
        is_read=True,
    ),
    SiteGenerator(
        "Quarto",
        _one_of("_quarto.yml", "_quarto.yaml"),
        build="quarto render",
        outputs=("_book", "_site", "docs"),
        is_read=True,
    ),
    SiteGenerator(
        "bookdown",
        _any_of(
            _one_of("_bookdown.yml", "_bookdown.yaml"), _holding(("index.Rmd", "index.rmd"), _BOOKDOWN_SITE)
        ),
        build="Rscript -e 'bookdown::render_book()'",
        outputs=("_book", "docs"),
        is_read=True,
    ),
    SiteGenerator(
        "R Markdown",
        _one_of("_site.yml", "_site.yaml"),
        build="Rscript -e 'rmarkdown::render_site()'",
        outputs=("_site", "docs", "../docs"),
        is_read=True,
    ),
    SiteGenerator(
        "Carpentries Workbench",
        _all_of(_holding(("config.yaml",), _LESSON_KEY), _one_of("episodes/")),
        build="Rscript -e 'sandpaper::build_lesson()'",
        outputs=("site/docs",),
        content="episodes",
    ),
    SiteGenerator(
        "mdBook",
        _one_of("book.toml"),
        build="mdbook build",
        outputs=("book", "book/html"),
        content="src",
        is_read=True,
    ),
    # (It is built on GitBook's own servers.)
    SiteGenerator("GitBook", _gitbook, build="", outputs=("_book",), is_read=True),
    SiteGenerator(
        "HonKit",
        _one_of("SUMMARY.md", "src/SUMMARY.md"),
        build="npx honkit build",
        outputs=("_book",),
        is_read=True,
    ),
    SiteGenerator(
        "MkDocs",
        _one_of(*MKDOCS_CONFIGS),
        build="mkdocs build",
        outputs=("site",),
        content="docs",
        is_read=True,
    ),
    SiteGenerator(
        "Zensical",
        _one_of("zensical.toml"),
        build="zensical build",
        outputs=("site",),
        content="docs",
        is_read=True,
    ),
    SiteGenerator(
        "Hugo",
        _one_of("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default/"),
        build="hugo",
        outputs=("public",),
        content="content",
        is_read=True,
    ),
    SiteGenerator(
        "Zola",
        _all_of(_holding(("config.toml", "zola.toml"), _ZOLA_KEY), _one_of("content/")),
        build="zola build",
        outputs=("public",),
        content="content",
        is_read=True,
    ),
    SiteGenerator(
        "Hugo",
        _all_of(_holding(_CONFIGS, _HUGO_KEY), _one_of("content/")),
        build="hugo",
        outputs=("public",),
        content="content",
        is_read=True,
    ),
    SiteGenerator(
        "Quartz",
        _one_of(*QUARTZ_SCRIPTS, *QUARTZ_CONFIGS),
        build="npx quartz build",
        outputs=("public",),
        content="content",
        is_read=True,
    ),
    SiteGenerator(
        "Antora",
        _one_of("antora-playbook.yml", "antora-playbook.yaml", "antora.yml"),
        build="npx antora antora-playbook.yml",
        outputs=("build/site",),
    ),
    SiteGenerator(
        "PreTeXt",
        _one_of("project.ptx"),
        build="pretext build web",
        outputs=("output/web", "output/html"),
        content="source",
    ),
    SiteGenerator(
        "Publican",
        _one_of("publican.cfg"),
        build="publican build --formats html --langs en-US",
        outputs=("tmp/en-US/html", "tmp/en-US/html-single"),
    ),
    SiteGenerator(
        "Sphinx",
        _holding(("conf.py",), _SPHINX_KEY),
        build="make html",
        outputs=("_build/html", "build/html", "../build/html", "_build/dirhtml"),
    ),
    SiteGenerator(
        "Sphinx",
        _holding(("source/conf.py",), _SPHINX_KEY),
        build="make html",
        outputs=("build/html", "_build/html"),
    ),
    SiteGenerator("Pelican", _one_of("pelicanconf.py"), build="pelican content", outputs=("output",)),
    SiteGenerator("Nikola", _holding(("conf.py",), _NIKOLA_KEY), build="nikola build", outputs=("output",)),
    SiteGenerator(
        "Hexo",
        _all_of(_one_of("_config.yml"), _holding(("package.json",), _HEXO)),
        build="npx hexo generate",
        outputs=("public",),
        content="source",
    ),
    SiteGenerator(
        "unpacked EPUB",
        _one_of("META-INF/container.xml"),
        build="zip -X -r book.epub mimetype META-INF *",
        outputs=("book.epub",),
    ),
    SiteGenerator(
        "unpacked EPUB",
        _one_of("src/META-INF/container.xml"),
        build="cd src && zip -X -r ../book.epub mimetype META-INF *",
        outputs=("book.epub",),
    ),
    SiteGenerator("Jekyll", _jekyll, build="bundle exec jekyll build", outputs=("_site",)),
)
