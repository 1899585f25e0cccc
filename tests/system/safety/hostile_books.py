"""Write hostile books to disk: bombs, loops, links, absurd nesting, wrong encodings."""

from __future__ import annotations

import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

# Where a link or an entity leads that gets out.
SECRET = "the-secret-outside-of-the-book"

Writer = Callable[[Path], None]
BOOKS: dict[str, Writer] = {}

# A twelfth of what a file may hold: what grows with the square of it shows here too.
FULL = 400_000


def hostile(writer: Writer) -> Writer:
    """Note a writer of a book under its name."""
    BOOKS[writer.__name__] = writer
    return writer


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


def filled(piece: str, size: int = FULL) -> str:
    return piece * (size // len(piece.encode()))


def markdown(name: str, text: str, suffix: str = "md") -> None:
    """A folder with one page of this text, and one good page beside it."""

    def writer(folder: Path) -> None:
        write(folder, f"bad.{suffix}", text)
        write(folder, f"good.{suffix}", "# Good\n\nThe good page is read.\n")

    if suffix == "md" or name not in ALIKE:
        BOOKS[f"{suffix}_{name}"] = writer


# --- Markdown ----------------------------------------------------------------------------------

DEEP = 10_000
# What MDX changes nothing about.
ALIKE = frozenset(
    "rows short_rows_of_a_wide_table giant_word giant_line sentences headings different_headings open_fences "
    "blank_lines carriage_returns definitions combining_marks spaces tabs emphasis".split()
)
for suffix in ("md", "mdx"):
    markdown("nested_quotes", "> " * DEEP + "x", suffix)
    markdown("nested_lists_on_one_line", "- " * DEEP + "x", suffix)
    markdown("nested_lists", "\n".join(" " * (2 * n) + "- x" for n in range(1_000)), suffix)
    markdown("nested_quotes_and_lists", "> - 1. " * (DEEP // 2) + "x", suffix)
    markdown("brackets", filled("[", 200_000) + filled("](x)", 200_000), suffix)
    markdown("images_in_images", "![" * DEEP + "x" + "](y)" * DEEP, suffix)
    markdown("emphasis", filled("*a_ ", 400_000), suffix)
    markdown("backticks", " ".join("`" * n for n in range(1, 1_000)), suffix)
    markdown("giant_word", "a" * FULL, suffix)
    markdown("giant_line", filled("word "), suffix)
    markdown("giant_heading", "# " + filled("[a](b) ", FULL // 4), suffix)
    markdown("headings", filled("# a\n", FULL // 4), suffix)
    markdown("different_headings", "\n".join(f"## h{n}\n\ntext {n}" for n in range(50_000)), suffix)
    markdown("open_fences", filled("```\n", FULL // 4), suffix)
    markdown("tags", filled("<a><b>", FULL // 4), suffix)
    markdown("open_tags", filled('<a b="', FULL // 4), suffix)
    markdown("open_comments", filled("<!-- ", FULL // 4), suffix)
    markdown("scripts", filled("<script>", FULL // 4), suffix)
    markdown(
        "table_of_ten_thousand_columns",
        filled("|a", 20_000) + "\n" + filled("|-", 20_000) + "\n" + filled("|b", 20_000),
        suffix,
    )
    markdown("rows", "|a|b|\n|-|-|\n" + filled("|x|y|\n", FULL // 4), suffix)
    markdown(
        "short_rows_of_a_wide_table", "|a" * 5_000 + "|\n" + "|-" * 5_000 + "|\n" + "|x|\n" * 2_000, suffix
    )
    markdown("definitions", filled("[a]: b\n", FULL // 4), suffix)
    markdown("braces", filled("{", FULL // 8) + filled("}", FULL // 8), suffix)
    markdown("dollars", filled("$ $a ", FULL // 8), suffix)
    markdown("directives", filled(":::a[\n", FULL // 4), suffix)
    markdown("imports", filled("import {\n", FULL // 4), suffix)
    markdown("blank_lines", "a" + filled("\n") + "b", suffix)
    markdown("carriage_returns", filled("a\r", FULL // 4), suffix)
    markdown("spaces", "a" + " " * FULL + "b", suffix)
    markdown("tabs", filled("\t\t- a\n", FULL // 8), suffix)
    markdown("sentences", filled("A. ", FULL // 4), suffix)
    markdown("combining_marks", "a" + "\u0301" * (FULL // 4), suffix)
    markdown("separators", filled("\u2028\u2029\x85\x0b\x0c", 300_000), suffix)
    markdown("private_signs", filled("\ue000\u202e\U000e0041", 300_000), suffix)
    markdown(
        "yaml_bomb",
        "---\na: &a [x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12))
        + "---\n\ntext\n",
        suffix,
    )
    markdown("yaml_nesting", "---\na: " + "[" * 15_000 + "\n---\n\ntext\n", suffix)
    markdown("yaml_object", "---\na: !!python/object/apply:os.system ['touch /tmp/x']\n---\n\ntext\n", suffix)
    markdown("endless_front_matter", "---\n" + filled("a: b\n"), suffix)
    for tagged in ('!!int ""', "!!timestamp zz", "!!bool zz", ":".join("1" * 400) + ":1.0"):
        markdown(f"yaml_{tagged[:6].strip('!:')}", f"---\na: {tagged}\n---\n\ntext\n", suffix)
    markdown("huge_title", f"---\ntitle: 0x{'f' * 5_000}\n---\n\ntext\n", suffix)
    markdown("huge_key", f"---\n0x{'f' * 5_000}: 1\n---\n\ntext\n", suffix)
    markdown(
        "huge_numbers",
        "---\nsidebar_position: " + "9" * 15_000 + "\n---\n\n1" + "0" * 9_999 + ". x\n",
        suffix,
    )


# --- folders -----------------------------------------------------------------------------------


@hostile
def links_out(folder: Path) -> None:
    """Links to a file and a folder outside, to the machine's own files, and to nothing."""
    outside = folder.with_name(f"{folder.name}-outside")
    write(outside, "secret.md", f"# Secret\n\n{SECRET}\n")
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")
    for name, target in {
        "a.md": outside / "secret.md",
        "b": outside,
        "c.md": Path("/etc/passwd"),
        "d.md": Path("/dev/zero"),
        "e.md": Path("/proc/self/environ"),
        "f.md": Path("/nowhere"),
        "g.md": Path("g.md"),
        "h": Path(),
        "i.md": Path("../" * 40 + "etc/passwd"),
    }.items():
        (folder / name).symlink_to(target)


@hostile
def pipes_and_sockets(folder: Path) -> None:
    """A reader of a pipe waits for ever."""
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")
    os.mkfifo(folder / "pipe.md")
    os.mkfifo(folder / "docusaurus.config.js")
    (folder / "folder.md").mkdir()
    place = Path.cwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.md")
    os.chdir(place)


@hostile
def deep_folders(folder: Path) -> None:
    """More of them than a path may name."""
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")
    place = os.open(folder, os.O_RDONLY)
    for _ in range(1_000):
        os.mkdir("deeper", dir_fd=place)
        inner = os.open("deeper", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)


@hostile
def many_files(folder: Path) -> None:
    for number in range(1_000):
        write(folder, f"{number}.md", f"# {number}\n\ntext\n")


@hostile
def names(folder: Path) -> None:
    """What a terminal obeys, what is no text, and what is as long as a name can be."""
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")
    for name in (
        b"\xff\xfe.md",
        b"a\x1b[2Jb.md",
        b"a\nb.md",
        "\u202edm.exe.md".encode(),
        b"x" * 250 + b".md",
    ):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("# Name\n\ntext\n")


@hostile
def encodings(folder: Path) -> None:
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")
    text = "# Größe\n\nÄpfel und Öl.\n"
    for encoding in ("utf-16", "utf-16-le", "utf-32", "latin-1", "cp037", "shift_jis", "utf-7"):
        write(folder, f"{encoding}.md", text.encode(encoding, "replace"))
    write(folder, "overlong.md", b"# a\n\n\xc0\xaf\xe0\x80\xaf")
    write(folder, "surrogate.md", b"# a\n\n\xed\xa0\x80")
    write(folder, "nul.md", b"# a\n\n\x00")
    write(folder, "gzip.md", zlib.compress(b"x" * 1_000_000, wbits=31))


@hostile
def too_large(folder: Path) -> None:
    """A file that claims a terabyte, most of it a hole."""
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")
    with (folder / "hole.md").open("wb") as sparse:
        sparse.truncate(1 << 40)


# --- mdBook ------------------------------------------------------------------------------------


def mdbook(folder: Path, chapters: dict[str, str], summary: str = "", config: str = "") -> None:
    write(folder, "book.toml", config)
    listed = summary or "".join(f"- [{name}]({name})\n" for name in chapters)
    write(folder, "src/SUMMARY.md", f"# Summary\n\n- [Good](good.md)\n{listed}")
    write(folder, "src/good.md", "# Good\n\nThe good page is read.\n")
    for name, text in chapters.items():
        write(folder, f"src/{name}", text)


@hostile
def include_loops(folder: Path) -> None:
    mdbook(
        folder,
        {
            "self.md": "# Self\n\n{{#include self.md}}\n",
            "a.md": "# A\n\n{{#include b.md}}\n",
            "b.md": "# B\n\n{{#include a.md}}\n",
            "many.md": "# Many\n\n" + "{{#include many.md}}\n" * 20,
        },
    )


@hostile
def includes_without_end(folder: Path) -> None:
    """Of nothing, and of much."""
    mdbook(
        folder,
        {
            "empty.md": "",
            "nothing.md": "# Nothing\n\n" + "{{#include empty.md}}\n" * 20_000,
            "much.md": "# Much\n\n" + "{{#include large.txt}}\n" * 5_000,
            "large.txt": "word " * 60_000,
            "missing.md": "# Missing\n\n" + "{{#include gone.md}}\n" * 10_000,
        },
        summary="- [Nothing](nothing.md)\n- [Much](much.md)\n- [Missing](missing.md)\n",
    )


@hostile
def includes_from_outside(folder: Path) -> None:
    outside = folder.with_name(f"{folder.name}-outside")
    write(outside, "secret.md", f"# Secret\n\n{SECRET}\n")
    mdbook(
        folder,
        {
            "a.md": f"# A\n\n{{{{#include ../../{outside.name}/secret.md}}}}\n"
            f"{{{{#include {outside}/secret.md}}}}\n"
            "{{#include /etc/passwd}}\n{{#rustdoc_include link.md}}\n{{#playground /dev/zero}}\n"
        },
    )
    (folder / "src" / "link.md").symlink_to(outside / "secret.md")


@hostile
def summary_from_outside(folder: Path) -> None:
    outside = folder.with_name(f"{folder.name}-outside")
    write(outside, "secret.md", f"# Secret\n\n{SECRET}\n")
    mdbook(
        folder,
        {},
        summary=f"- [A](../../{outside.name}/secret.md)\n- [B]({outside}/secret.md)\n- [C](/etc/passwd)\n"
        "- [D](%2e%2e/%2e%2e/etc/passwd)\n- [E](good.md%00)\n- [F](file:///etc/passwd)\n- [G](https://evil.example/)\n",
    )


@hostile
def endless_summary(folder: Path) -> None:
    mdbook(folder, {}, summary="".join(f"- [c{n}](c{n}.md)\n" for n in range(30_000)))


@hostile
def deep_summary(folder: Path) -> None:
    mdbook(folder, {}, summary="".join("  " * n + f"- [c{n}](good.md)\n" for n in range(1_500)))


@hostile
def deep_toml(folder: Path) -> None:
    mdbook(folder, {}, config="a = " + "[" * 100_000 + "]" * 100_000)


@hostile
def dotted_toml(folder: Path) -> None:
    """Forty kilobytes that take two gigabytes."""
    mdbook(folder, {}, config=".".join(["a"] * 20_000) + " = 1")


@hostile
def large_toml(folder: Path) -> None:
    mdbook(folder, {}, config="".join(f"a{n}.b = 1\n" for n in range(FULL // 10)))


@hostile
def toml_number(folder: Path) -> None:
    mdbook(folder, {}, config="x = " + "9" * 5_000)


@hostile
def toml_source_outside(folder: Path) -> None:
    mdbook(folder, {}, config='[book]\nsrc = "../../../../../../etc"\n')


@hostile
def hidden_lines_in_nested_lists(folder: Path) -> None:
    mdbook(folder, {"deep.md": "> " * 5_000 + "```rust\n# x\n```\n"})


# --- Docusaurus --------------------------------------------------------------------------------


@hostile
def deep_json(folder: Path) -> None:
    for name, text in {
        "_category_.json": "[" * 1_000_000,
        "_category_.yml": "[" * 1_000_000,
        "a/_category_.json": '{"label": ' + "9" * 100_000 + "}",
        "b/_category_.yml": "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(1_000)),
        "c/_category_.yaml": "label: !!python/object/apply:os.system ['true']\n",
    }.items():
        write(folder, f"docs/{name}", text)
    for place in ("", "a/", "b/", "c/"):
        write(
            folder,
            f"docs/{place}good.md",
            "---\nsidebar_position: 1\n---\n\n# Good\n\nThe good page is read.\n",
        )
    write(folder, "docusaurus.config.js", "module.exports = {};")


@hostile
def slow_configuration(folder: Path) -> None:
    """What a careless pattern takes hours over."""
    config = filled("/* ", FULL // 4) + filled("docs: {", FULL // 4) + filled("title: '", FULL // 4)
    write(folder, "docusaurus.config.js", config + filled("plugin-content-docs', ", FULL // 4))
    write(folder, "docs/good.md", "---\nsidebar_position: 1\n---\n\n# Good\n\nThe good page is read.\n")


@hostile
def configuration_outside(folder: Path) -> None:
    write(
        folder,
        "docusaurus.config.js",
        "module.exports = {presets: [['classic', {docs: {path: '../../../../../../etc'}}]]}",
    )
    write(folder, "docs/good.md", "# Good\n\nThe good page is read.\n")


def category(name: str, suffix: str, text: str) -> None:
    """A docs folder whose category is described by this text, and one good page beside it."""

    def writer(folder: Path) -> None:
        write(folder, f"bad/_category_.{suffix}", text)
        write(folder, "bad/page.md", "# Page\n\nThe page in the category is read.\n")
        write(folder, "good.md", "---\nsidebar_position: 1\n---\n\n# Good\n\nThe good page is read.\n")

    BOOKS[f"md_category_{name}"] = writer


category("position", "json", f'{{"position": {"9" * 400}}}')
category("label", "yml", f"label: 0x{'f' * 5_000}\n")
category("characters", "json", '{"label": "a\\ud800b\\u0000"}')
category("no_number", "yml", 'a: !!int ""\n')
category("no_time", "yml", "a: !!timestamp zz\n")
category("long", "yml", "a:\n" + filled('- [a, b, c, "d", 12, 2001-01-01]\n'))


@hostile
def md_huge_position(folder: Path) -> None:
    write(folder, "bad.md", f"---\nsidebar_position: {'9' * 400}\n---\n\n# Bad\n\ntext\n")
    write(folder, "good.md", "---\nsidebar_position: 1\n---\n\n# Good\n\nThe good page is read.\n")


@hostile
def md_index_of_too_many_lines(folder: Path) -> None:
    """Its folder asks it for a label."""
    write(folder, "bad/index.md", "text\n" * 80_000)
    write(folder, "good.md", "---\nsidebar_position: 1\n---\n\n# Good\n\nThe good page is read.\n")


# --- HTML --------------------------------------------------------------------------------------


def html(name: str, body: str) -> None:
    def writer(folder: Path) -> None:
        write(folder, "bad.html", f"<!doctype html><html><head><title>Bad</title></head><body>{body}")
        write(folder, "good.html", "<h1>Good</h1><p>The good page is read.</p>")

    BOOKS[f"html_{name}"] = writer


for element in (
    "div",
    "blockquote",
    "ul><li",
    "table><tr><td",
    "b",
    "a",
    "font",
    "p",
    "svg",
    "template",
    "select",
    "form",
    "span",
):
    html(f"nested_{element.split('>')[0]}", f"<{element}>" * DEEP + "x")
html("closed_and_nested", "<div>" * 900 + "x" + "</div>" * 900)
html("headings", filled("<h2>a</h2>", FULL // 4))
html("headings_with_ids", "".join(f"<h2 id=h{n}>heading {n}</h2><p>text</p>" for n in range(30_000)))
html("attributes", "<p " + filled("a=b ", FULL // 4) + ">x")
html("different_attributes", "<p " + " ".join(f'a{n}="x"' for n in range(40_000)) + ">x")
html("quoted_attributes", "<p " + " ".join(f'a{n}=">"' for n in range(60_000)) + ">x")
html("options", "<select>" + "<option>x" * 20_000)
html("open_marks", ("<b><i><u><s><a href=x>" * 50 + "x</b>") * 2_000)
html("marks_in_paragraphs", "<p>" + "".join(f"<b a{n}>" for n in range(900)) + filled("<p>x", FULL // 4))
html("nested_behind_false_ends", filled("<div></x>"))
html("nested_in_quotes", filled('<div a="</x>">'))
html("nested_ruby", filled("<rt>"))
html("open_scripts", filled("<script>", FULL // 4) + filled("<!--<style>", FULL // 4))
html("attribute", f'<p class="{"a" * 4_000_000}">x')
html("entities", filled("&lt;&amp;&#x41;", FULL // 4))
html("bad_entities", filled("&#xffffffff;&#0;&#xd800;", FULL // 8))
html("comments", filled("<!--", FULL // 4))
html("cdata", filled("<![CDATA[", FULL // 4))
html("open_pre", filled("<pre><code class=language-a>", 200_000))
html("pres", filled("<pre>a</pre>", FULL // 8))
html("breaks", "<pre>" + filled("<br>", FULL // 8) + "</pre>")
html("tables", filled("<table><tr><td>a</td></tr></table>", FULL // 8))
html(
    "wide_table",
    "<table>" + "<tr>" + "<td>a</td>" * 20_000 + "</tr>" + "<tr><td>b</td></tr>" * 2_000 + "</table>",
)
html("colspan", "<table><tr><td colspan=100000000 rowspan=100000000>a</td></tr></table>")
html("links", filled("<a href=//evil.example/>a</a>", FULL // 4))
html(
    "fetching",
    "<link rel=stylesheet href=http://127.0.0.1:9/a.css><img src=http://127.0.0.1:9/b.png>"
    "<script src=http://127.0.0.1:9/c.js></script><iframe src=file:///etc/passwd></iframe>text",
)
html("plaintext", "<plaintext>" + filled("<b>", FULL // 8))
html("marks_of_ours", "<h2>a\ue0000\ue001\ue0001\ue001</h2>" * 1_000 + "\ue00099999999999999999999\ue001")
html("nul_and_controls", filled("<p>\x01\x0b\x1f\x7f\ufffe</p>", 300_000))
html("angle_brackets", filled("<", FULL // 4))
html("open_tag", "<" + "a" * 4_000_000)


@hostile
def html_ring_of_next_pages(folder: Path) -> None:
    for number in range(100):
        after = (number * 7 + 1) % 100
        write(folder, f"{number}.html", f"<a rel=next href={after}.html>next</a><p>Page {number}.</p>")


@hostile
def html_links_that_are_none(folder: Path) -> None:
    """A host that is none, and a path of a million folders."""
    write(folder, "index.html", "<h1>Bad</h1><p>text</p><nav><a href='//['>a</a></nav>")
    write(folder, "a.html", f"<a rel=next href='//['>a</a><a href='/{filled('a/')}'>b</a><p>text</p>")
    write(folder, "b.html", f"<a rel=next href='/{filled('a/')}'>b</a><p>text</p>")


@hostile
def html_index_that_is_none(folder: Path) -> None:
    write(folder, "index.html", b"<h1>Bad</h1>\xff")
    write(folder, "good.html", "<h1>Good</h1><p>The good page is read.</p>")


@hostile
def html_link_out(folder: Path) -> None:
    outside = folder.with_name(f"{folder.name}-outside")
    write(outside, "secret.html", f"<p>{SECRET}</p>")
    write(folder, "good.html", "<h1>Good</h1><p>The good page is read.</p>")
    (folder / "index.html").symlink_to(outside / "secret.html")


# --- EPUB --------------------------------------------------------------------------------------

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def package(names: list[str], *, more: str = "", title: str = "Bad", doctype: str = "") -> str:
    listed = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    return (
        f"{doctype}<package><metadata><title>{title}</title></metadata>"
        f"<manifest>{listed}{more}</manifest><spine>{spine}</spine></package>"
    )


def epub(
    folder: Path, entries: dict[str, str | bytes], opf: str | None = None, method: int = zipfile.ZIP_DEFLATED
) -> None:
    good = {"good.xhtml": "<html><body><h1>Good</h1><p>The good page is read.</p></body></html>"}
    chapters = [*good, *(name for name in entries if name.endswith("html"))]
    content = BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in {
            "META-INF/container.xml": CONTAINER,
            "book.opf": opf or package(chapters),
            **good,
            **entries,
        }.items():
            archive.writestr(name, text)
    write(folder, "bad.epub", content.getvalue())
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")


def xhtml(body: str) -> str:
    return f"<html><body>{body}</body></html>"


@hostile
def epub_bomb(folder: Path) -> None:
    """A hundred megabytes of nothing in a hundred kilobytes, ten times."""
    epub(folder, {f"{n}.xhtml": xhtml("a" * 20_000_000) for n in range(5)} | {"book2.opf": "x" * 50_000_000})


@hostile
def epub_bomb_in_its_package(folder: Path) -> None:
    epub(folder, {}, opf=package([], more="<item/>" * 6_000_000))


@hostile
def epub_of_many_chapters_just_under_the_limit(folder: Path) -> None:
    text = xhtml("".join(f"<p>{n}</p>" for n in range(100_000)))
    epub(folder, {f"{n}.xhtml": text for n in range(3)})


@hostile
def epub_entities(folder: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE p [<!ENTITY l0 "lol">{laughs}]>'
    epub(folder, {}, opf=package(["good.xhtml"], title="&l11;", doctype=doctype))


@hostile
def epub_entities_of_files(folder: Path) -> None:
    outside = folder.with_name(f"{folder.name}-outside")
    write(outside, "secret", SECRET)
    doctype = f'<!DOCTYPE p [<!ENTITY s SYSTEM "file://{outside}/secret"><!ENTITY % d SYSTEM "http://127.0.0.1:9/x.dtd">%d;]>'
    bad = f"{doctype}<html><body><h1>x</h1><p>&s;</p></body></html>"
    epub(folder, {"a.xhtml": bad}, opf=package(["good.xhtml", "a.xhtml"], title="&s;", doctype=doctype))


@hostile
def epub_paths_out(folder: Path) -> None:
    content = BytesIO()
    names = [
        "../secret.xhtml",
        "/etc/passwd",
        "good.xhtml",
        "..\\..\\x.xhtml",
        "file:///etc/passwd",
        "C:/x.xhtml",
    ]
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("book.opf", package(names))
        for name in names:
            archive.writestr(name, xhtml("<p>The good page is read.</p>"))
        link = zipfile.ZipInfo("link.xhtml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    write(folder, "bad.epub", content.getvalue())
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")


@hostile
def epub_of_a_million_entries(folder: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        for number in range(25_000):
            archive.writestr(str(number), b"")
    write(folder, "bad.epub", content.getvalue())
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")


@hostile
def epub_of_overlapping_entries(folder: Path) -> None:
    """Every entry of the directory points at the same compressed bytes."""
    body = xhtml("<p>" + "word " * 100_000 + "</p>").encode()
    packed = zlib.compress(body, 9)[2:-4]
    local = struct.pack(
        "<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(body), len(packed), len(body), 1, 0
    )
    names = [f"{n}.xhtml" for n in range(1_000)]
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("book.opf", package(["good.xhtml", *names]))
        archive.writestr("good.xhtml", xhtml("<p>The good page is read.</p>"))
    plain = inner.getvalue()
    with zipfile.ZipFile(BytesIO(plain)) as archive:
        first = archive.start_dir
    shared = first
    entries = plain[first : plain.rindex(b"PK\x05\x06")]
    data = plain[:first] + local + b"x" + packed
    start = len(data)
    for name in names:
        entries += (
            struct.pack(
                "<4s6H3I5H2I",
                b"PK\x01\x02",
                20,
                20,
                0,
                8,
                0,
                0,
                zlib.crc32(body),
                len(packed),
                len(body),
                len(name),
                0,
                0,
                0,
                0,
                0,
                shared,
            )
            + name.encode()
        )
    count = 3 + len(names)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)
    write(folder, "bad.epub", data + entries + end)
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")


@hostile
def epub_chain_of_fallbacks(folder: Path) -> None:
    chain = "".join(
        f'<item id="c{n}" href="c{n}.png" media-type="image/png" fallback="c{n + 1}"/>' for n in range(19_000)
    )
    references = "".join(f'<itemref idref="c{n}"/>' for n in range(4_900))
    opf = package(["good.xhtml"], more=chain).replace("</spine>", f"{references}</spine>")
    epub(folder, {}, opf=opf, method=zipfile.ZIP_STORED)


@hostile
def epub_deep_xml(folder: Path) -> None:
    epub(
        folder,
        {},
        opf="<package>" + "<a>" * 100_000 + "</a>" * 100_000 + "</package>",
        method=zipfile.ZIP_STORED,
    )


@hostile
def epub_deep_contents(folder: Path) -> None:
    contents = (
        "<html xmlns:epub='http://www.idpf.org/2007/ops'><nav epub:type='toc'>"
        + "<ol><li><a href='good.xhtml'>x</a>" * 20_000
        + "</li></ol>" * 20_000
        + "</nav></html>"
    )
    nav = '<item id="nav" href="nav.xml" properties="nav" media-type="application/xhtml+xml"/>'
    epub(folder, {"nav.xml": contents}, opf=package(["good.xhtml"], more=nav), method=zipfile.ZIP_STORED)


@hostile
def epub_wide_contents(folder: Path) -> None:
    contents = (
        "<ncx><navMap>"
        + "<navPoint><navLabel><text>x</text></navLabel><content src='good.xhtml'/></navPoint>" * 19_000
        + "</navMap></ncx>"
    )
    ncx = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    epub(folder, {"toc.ncx": contents}, opf=package(["good.xhtml"], more=ncx), method=zipfile.ZIP_STORED)


@hostile
def epub_deep_chapter(folder: Path) -> None:
    epub(
        folder,
        {
            "a.xhtml": xhtml("<div>" * DEEP + "x"),
            "b.xhtml": xhtml("<b/>" * 200_000),
            "c.xhtml": xhtml("<p " * 200_000),
        },
        method=zipfile.ZIP_STORED,
    )


@hostile
def epub_headings(folder: Path) -> None:
    epub(
        folder,
        {"a.xhtml": xhtml("<h2>a</h2>" * 4_900), "b.xhtml": xhtml("<h2>a</h2>" * 100_000)},
        method=zipfile.ZIP_STORED,
    )


@hostile
def epub_that_is_none(folder: Path) -> None:
    write(folder, "a.epub", b"PK\x03\x04" + b"\x00" * 100)
    write(folder, "b.epub", b"")
    write(folder, "c.epub", os.urandom(10_000))
    write(folder, "d.epub", b"PK\x05\x06" + b"\x00" * 18)
    write(folder, "e.epub", b"PK\x05\x06" + b"\xff" * 18)
    write(folder, "good.md", "# Good\n\nThe good page is read.\n")


# --- PDF ---------------------------------------------------------------------------------------


def pdf(objects: dict[int, str | bytes], *, catalog: str = "", page: str = "", trailer: str = "") -> bytes:
    """Return a PDF of one good page; `objects` are added to it or take its objects' places."""
    good = b"BT /F1 10 Tf 72 700 Td (The good page is read.) Tj ET"
    bodies: dict[int, str | bytes] = {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        2: "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 612 792] >>",
        3: f"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> {page} >> >>",
        4: stream(good),
        5: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        **objects,
    }
    content, offsets = b"%PDF-1.4\n", {}
    for number, body in bodies.items():
        offsets[number] = len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (
            number,
            body.encode("latin-1") if isinstance(body, str) else body,
        )
    table = len(content)
    content += b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in offsets.items():
        content += f"{number} 1\n{offset:010} 00000 n \n".encode()
    end = f"trailer\n<< /Size {max(bodies) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n"
    return content + end.encode()


def stream(content: bytes, more: str = "") -> bytes:
    return f"<< /Length {len(content)} {more} >>\nstream\n".encode() + content + b"\nendstream"


def flated(content: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        content = zlib.compress(content, 9)
    return stream(content, f"/Filter [{'/FlateDecode ' * times}]")


def pdf_book(name: str, make: Callable[[], bytes]) -> None:
    """Note a folder with a PDF of these bytes, and one good page beside it."""

    def writer(folder: Path) -> None:
        write(folder, "bad.pdf", make())
        write(folder, "good.md", "# Good\n\nThe good page is read.\n")

    BOOKS[f"pdf_{name}"] = writer


pdf_book("bomb", lambda: pdf({4: flated(b" " * 300_000_000)}))
pdf_book("bomb_in_a_bomb", lambda: pdf({4: flated(b" " * 100_000_000, 3)}))
pdf_book(
    "lzw_bomb",
    lambda: pdf({4: stream(b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01" * 100_000, "/Filter /LZWDecode")}),
)
pdf_book("run_lengths", lambda: pdf({4: stream(b"\x81a" * 1_000_000, "/Filter /RunLengthDecode")}))
pdf_book("hex_and_ascii85", lambda: pdf({4: stream(b"z" * 4_000_000 + b"~>", "/Filter /ASCII85Decode")}))
pdf_book("operators", lambda: pdf({4: flated(b"BT /F1 10 Tf (a) Tj ET\n" * 50_000)}))
pdf_book("open_states", lambda: pdf({4: flated(b"q " * 150_000)}))
pdf_book("nested_arrays", lambda: pdf({4: flated(b"[" * 1_000_000)}))
pdf_book("nested_dictionaries", lambda: pdf({6: "<< /A " * 50_000}, catalog="/X 6 0 R"))
pdf_book("nested_in_the_trailer", lambda: pdf({}, trailer="/X " + "[" * 100_000))
pdf_book(
    "form_loop",
    lambda: pdf(
        {
            4: stream(b"/X Do " * 50),
            6: stream(
                b"/X Do " * 50, "/Type /XObject /Subtype /Form /Resources << /XObject << /X 6 0 R >> >>"
            ),
        },
        page="/XObject << /X 6 0 R >>",
    ),
)
pdf_book("page_loop", lambda: pdf({2: "<< /Type /Pages /Kids [2 0 R 2 0 R 3 0 R] /Count 3 /Parent 2 0 R >>"}))
pdf_book(
    "page_again",
    lambda: pdf({2: f"<< /Type /Pages /Kids [{'3 0 R ' * 1_000}] /Count 1000 /MediaBox [0 0 612 792] >>"}),
)
pdf_book("claims_pages", lambda: pdf({2: "<< /Type /Pages /Kids [3 0 R] /Count 999999999 >>"}))
pdf_book("negative_pages", lambda: pdf({2: "<< /Type /Pages /Kids [3 0 R] /Count -5 >>"}))
pdf_book(
    "outline_loop",
    lambda: pdf(
        {
            6: "<< /First 7 0 R /Last 7 0 R >>",
            7: "<< /Title (x) /Parent 6 0 R /Next 7 0 R /First 7 0 R /Dest [3 0 R /Fit] >>",
        },
        catalog="/Outlines 6 0 R",
    ),
)
pdf_book(
    "reference_loop", lambda: pdf({6: "7 0 R", 7: "6 0 R"}, catalog="/Outlines 6 0 R", page="/XObject 7 0 R")
)
pdf_book("previous_table_loop", lambda: pdf({}, trailer="/Prev 9"))
pdf_book(
    "map_of_characters",
    lambda: pdf(
        {
            5: "<< /Type /Font /Subtype /Type0 /BaseFont /A /ToUnicode 6 0 R >>",
            6: flated(b"1 beginbfrange <0000> <FFFFFFFF> <0041> endbfrange\n" * 2_000),
        }
    ),
)
pdf_book(
    "map_of_long_texts",
    lambda: pdf(
        {
            5: "<< /Type /Font /Subtype /Type1 /BaseFont /A /ToUnicode 6 0 R >>",
            6: flated(b"1 beginbfchar <54> <" + b"0041" * 500_000 + b"> endbfchar\n"),
        }
    ),
)
pdf_book(
    "widths",
    lambda: pdf(
        {
            5: "<< /Type /Font /Subtype /Type1 /BaseFont /A /FirstChar 0 /LastChar 999999999 "
            f"/Widths [{'1 ' * 200_000}] >>"
        }
    ),
)
pdf_book("numbers", lambda: pdf({4: stream(b"BT /F1 1e999 Tf 9" + b"9" * 10_000 + b" 1 Td (x) Tj ET")}))
pdf_book("names", lambda: pdf({4: stream(b"/" + b"#41" * 1_000_000)}))
pdf_book("strings", lambda: pdf({4: stream(b"BT /F1 10 Tf " + b"(" * 1_000_000)}))
pdf_book("inline_pictures", lambda: pdf({4: flated(b"BI /W 1 /H 1 ID " * 100_000)}))
pdf_book("without_an_end", lambda: pdf({})[:-400] + b"1 0 obj " * 200_000)
pdf_book(
    "launching",
    lambda: pdf(
        {6: "<< /S /Launch /F (/bin/sh) >>", 7: "<< /S /URI /URI (http://127.0.0.1:9/) >>"},
        catalog="/OpenAction 6 0 R /AA << /O 7 0 R >>",
    ),
)
pdf_book(
    "embedding",
    lambda: pdf(
        {6: stream(SECRET.encode(), "/Type /EmbeddedFile /F (file:///etc/passwd)")},
        catalog="/Names << /EmbeddedFiles 6 0 R >>",
    ),
)
pdf_book("stream_from_a_file", lambda: pdf({4: "<< /Length 0 /F (/etc/passwd) >>\nstream\n\nendstream"}))
