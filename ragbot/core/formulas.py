"""Find formulas in Markdown: TeX, in which no sign is emphasis or an escape."""

from __future__ import annotations

# A line may end within a formula, a paragraph may not, and no block begins on the next line.
_LINE_END = r"\n(?![ \t>]*(?:\r?\n|[-*+][ \t]|\d{1,9}[.)][ \t]|\#|\||`{3}|~{3}))"
_TAG = r"[A-Za-z][\w:.-]*+(?:[\s/][^<>]{0,2000})?>|[/!?]"
# Code, a link and a tag stand in no formula, although a dollar may stand on both sides of them.
_SIGN = rf"[^\\$`\n\]<]|\](?!\()|<(?!{_TAG})|{_LINE_END}"
# What nobody escapes in words: `\(x\,y\)` is a formula, "\[optional\]" is none.
_TEX = r"\\[A-Za-z,;:!{}\\|]|\^|_\{"
_IN_BRACKETS = rf"(?=(?:(?!{_TEX})(?:{_SIGN}|\$))*+(?:{_TEX}))(?:{_SIGN}|\$|\\[^\n()\[\]])++"

# A dollar opens a formula before a sign, and closes one behind a sign: "$5 and $6" holds none. Before a word
# it closes what has no blank ("$n$th"); else it is a variable's ("$HOME or **$PATH**").
FORMULA = (
    rf"(?<!\\)(?:\$\$(?:{_SIGN}|\\[^\n]|\$(?!\$))++\$\$"
    rf"|\$(?!\s)(?:{_SIGN}|\\[^\n])++(?<!\s)\$(?![A-Za-z0-9_{{])"
    r"|\$(?:[^\\$`\s\]<|]|\\\S)++\$(?!\d)"
    rf"|\\\({_IN_BRACKETS}\\\)|\\\[{_IN_BRACKETS}\\\])"
)
