"""Turn what Pandoc adds to prose into plain Markdown: captions of tables, verse, letters set high or low."""

from __future__ import annotations

import re

# `: Colours {#tbl-colours}`. Without a label it is one below a table alone: elsewhere it defines a term.
_CAPTION = re.compile(
    r"^[ ]{0,3}(?:Table)?:[ \t]+(?P<words>[^\n]{0,1000}?)[ \t]*\{(?P<attributes>[^{}\n]{1,500})\}[ \t]*$"
    r"|(?:(?<=\|\n)|(?<=\|\n\n))[ ]{0,3}(?:Table)?:[ \t]+(?P<below>[^\n{}]{1,1000})$",
    re.MULTILINE,
)
_LABEL = re.compile(r"#tbl-|\btbl-")
_VERSE = re.compile(r"(?:\A|(?<=\n\n))(?:\|(?:[ ][^\n]{0,1000})?(?:\n|\Z))++(?!\|)")
# `H~2~O`, `2^nd^`; not in what is kept: formulas, code, struck words, targets, notes.
_SCRIPT = re.compile(
    r"\$\$[^$]{1,4000}\$\$|\$[^$\n]{1,1000}\$|(?<!`)(?P<ticks>`{1,3})(?!`)[^\n]{1,1000}?(?<!`)(?P=ticks)(?!`)|\\."
    r"|~~[^\n]{1,1000}?~~|\]\([^()\n]{0,1000}\)|<[^<>\n]{1,1000}>|\[\^[^\]\n]{1,100}\]"
    r"|(?<=[\w)])~(?P<low>[\w+−-]{1,12})~(?!~)|(?<=[\w)\s])\^(?P<high>[\w+−-]{1,12})\^"
)
_NUMBER = re.compile(r"[+−-]?\d{1,7}")
_COMMAND = re.compile(r"\\[A-Za-z]")


def plain_pandoc_prose(text: str) -> str:
    """Return prose whose captions are paragraphs, and whose lines of verse break where they end."""
    return _VERSE.sub(_broken_lines, _CAPTION.sub(_caption, text))


def with_plain_scripts(line: str) -> str:
    """Return a line whose letters set high or low are like others; a line with TeX's commands stays.

    Powers have tags, and so have numbers set low behind a number: 10^9^ is not 109.

    (The columns of drawn tables are read before: they would be moved.)
    """
    if ("~" not in line and "^" not in line) or _COMMAND.search(line):
        return line
    return _SCRIPT.sub(_plain_script, line)


def _plain_script(found: re.Match[str]) -> str:
    words = found["low"] or found["high"]
    before = found.string[found.start() - 1]
    if words is None or not _NUMBER.fullmatch(words) or before.isspace():
        return words or found[0]
    if found["high"]:
        return f"<sup>{words}</sup>"
    return f"<sub>{words}</sub>" if before.isdigit() else words


def joined_mathematics(lines: list[str]) -> list[str]:
    """Join a line of equals signs or hyphens in a formula to the one before: it would underline a heading."""
    joined: list[str] = []
    is_open = was_joined = False
    for line in lines:
        if is_open and joined and line.strip() and not line.strip("=- \t"):
            joined[-1] += "" if was_joined else f" {line.strip()}"
            was_joined = True
            continue
        is_open ^= line.count("$$") % 2 == 1
        was_joined = False
        joined.append(line)
    return joined


def _caption(found: re.Match[str]) -> str:
    if found["below"] is not None:
        return f"\n{found['below']}"
    if not _LABEL.search(found["attributes"]):
        return found[0]
    kind = "Table: " if "#tbl-" in found["attributes"] and found["words"] else ""
    return f"\n{kind}{found['words']}"


def _broken_lines(verse: re.Match[str]) -> str:
    """Return lines that all begin with a bar as they are shown, unless they are the rows of a table."""
    lines = [line.removeprefix("|").strip() for line in verse[0].removesuffix("\n").split("\n")]
    if any("|" in line or (line and not line.strip(":-")) for line in lines):
        return verse[0]
    end = "\n" if verse[0].endswith("\n") else ""
    return "  \n".join(lines) + end
