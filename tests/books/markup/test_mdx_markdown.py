"""Test that a page of MDX is told by the rules of Markdown as the site shows it."""

from __future__ import annotations

import pytest

from ragbot.books.markup.mdx_markdown import as_markdown, without_modules
from ragbot.books.markup.prose import prose_blocks


def told(source: str) -> list[tuple[str, str]]:
    """The kind and the text of each block that a page tells, without tags."""
    text = as_markdown(source)
    found = [(block.kind, " ".join(text[block.start : block.end].split())) for block in prose_blocks(text)]
    return [(kind, words) for kind, words in found if not words.startswith(("<", "```"))]


def test_prose_between_indented_tags_is_no_code() -> None:
    """The words of tabs were shown as listings."""
    source = (
        "<Tabs>\n  <TabItem>\n\n  **A**\n\n    An apple.\n  </TabItem>\n\n    <TabItem>\n\n\t\tAn *orange*."
        "\n\n        - one\n          more\n        - two\n\n    </TabItem>\n</Tabs>\n\nEnd.\n"
    )

    assert told(source) == [
        *(("paragraph", "**A**"), ("paragraph", "An apple. </TabItem>"), ("paragraph", "An *orange*.")),
        *(("list_item", "one more"), ("list_item", "two"), ("paragraph", "End.")),
    ]


def test_code_in_components_keeps_its_own_indentation() -> None:
    """Python needs it."""
    source = "<Tab>\n\n    ```py\n    if a:\n        b\n    ```\n\n</Tab>\n"

    assert "\n```py\nif a:\n    b\n```\n" in as_markdown(source)


def test_prose_in_the_components_of_a_step_stays_in_the_step() -> None:
    """Without its indentation it would end the list."""
    source = (
        "1. Step\n\n   <Tabs>\n     <Tab>\n\n       Words.\n\n     </Tab>\n   </Tabs>\n\n"
        "   - inner\n\n2. Next\n"
    )

    assert "\n\n   Words.\n\n" in as_markdown(source)
    assert [words for kind, words in told(source) if kind == "list_item"] == ["Step", "inner", "Next"]


@pytest.mark.parametrize(
    "source",
    [
        "---\nsidebar:\n    label: A\n---\n\nWords.\n",
        "- a\n\n  b\n\n    - c\n\n      d\n",
        "```py\n    a\n```\n",
        "> - a\n>\n>     b\n",
        "A line\n    that goes on.\n",
        "  Two blanks.\n",
        "Run:\n\n    row --fast\n\n<Oar />\n\n    row\n\n<Tab>\n\nOar.\n\n</Tab>\n\n    row\n",
        "[^1]: A note.\n\n    Its second part.\n",
        "import the data first.\n\nexport it then.\n",
        "```js\nimport a from 'a';\n```\n",
    ],
)
def test_what_markdown_tells_alike_is_left(source: str) -> None:
    """Its indentation has a meaning there, too."""
    assert as_markdown(source) == source


@pytest.mark.parametrize(
    "module",
    [
        "import A, {\n  B,\n} from './a';",
        "import type { A } from 'a';\nimport {a,\n  b} from 'b'",
        "export default function Layout({children}) {\n  const x = 1;\n\n  return <div>{children}</div>;\n}",
        "export const Bright = ({children}) => (\n  <span>\n    {children}\n  </span>\n);",
        "export const a = [\n  'b',\n\n  'c',\n];",
    ],
)
def test_modules_are_no_text(module: str) -> None:
    """They were told to readers, in part or as sections of their own."""
    assert without_modules(f"{module}\n\nWords.\n").strip() == "Words."
    assert without_modules(f"Words.\n\n{module}\n").strip() == "Words."
