"""Test that answers made of a book's sentences show none of its markup, on six books."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ragbot.answering.reranking import rerank
from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.bootstrap.extractive import passage_reader
from ragbot.config import PROJECT_ROOT
from ragbot.core.answers import Generation, Prompt
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Chunk, Passage
from ragbot.index.analysis import Analyzer
from ragbot.index.bm25 import query_vector
from ragbot.index.indexer import index_chunks
from ragbot.index.vocabulary import Vocabulary
from tests.providers.asking import extractive_generator

SHIPPED = {
    "physical-ai": PROJECT_ROOT / "books" / "physical-ai",
    "lantern": PROJECT_ROOT / "eval" / "books" / "lantern",
    "harbour": PROJECT_ROOT / "eval" / "books" / "harbour",
}
QUESTIONS = {
    "physical-ai": """\
What is ROS 2?
What is a ROS 2 node?
What is VSLAM?
What is URDF?
What is the difference between a topic and a service?
How do I install ROS 2?
How do I create a package?
How do I kill all ROS nodes?
How do I build a workspace with colcon?
How do I write a launch file?
Show me a publisher in Python
What are the prerequisites of module 1?
What are the learning objectives of module 2?
When is the assignment due?
How much RAM does the workstation need?
Which sensors does the humanoid use?
What is Isaac Sim?
How does Nav2 plan a path?
What is domain randomization?
What is whisper used for?
Which joints does URDF know?
Why does the simulation run slowly?
How do I fix a package that is not found?
What hardware do I need?
What is a digital twin?
Which references does the book name?
What is the architecture of the system?
How do I tune the noise matrices of a Kalman filter?
How do I tune the PID gains of the ankle joint?
Which command shows the messages being sent on a topic called /temp?
visual or collision: which one decides how a link looks in RViz?
""",
    "lantern": """\
What is Lantern?
What is wick?
How do I install Lantern?
How do I install it on Windows?
What does the for keyword do?
What does => mean?
What does the ? operator do?
What is a match arm?
How do I write a function?
How do I read a file?
Which keywords are reserved?
What is the difference between a list and a map?
What operators are there?
How do I run the tests?
How do I handle an error?
What is new in the last release?
What is shadowing?
How do I declare a constant?
How do I add a dependency?
Why does the linker run out of memory?
What types of loops are there?
Which settings does the configuration file have?
What is a module?
How do I loop over a map?
What will I learn about collections?
Where can I read more?
""",
    "harbour": """\
What is the harbour office?
When is high water?
How much does a berth cost?
What channel is the radio on?
What should I do in an emergency?
How do I launch a boat?
Who may use the crane?
What are the rules of the harbour?
Which boats does the club have?
How do I moor a boat?
What are the duties of the duty officer?
When was the harbour built?
How do I call for help?
Where do I get fuel?
What is a spring line?
Is swimming allowed?
How long may a visitor stay?
What should I wear on my first day?
How do I read the tide table?
What is the speed limit?
Who keeps the rota?
What happens to waste oil?
What should I do if a boat has not come back?
How are charges paid?
What is the difference between a berth and a mooring?
""",
    "docusaurus": """\
What is the reactor?
How do I start the reactor?
What is the core made of?
Which modes does the reactor have?
What does the warning say?
How do I install the driver on Linux?
What is the cooling loop?
What is the reactor's temperature?
Show me the configuration
Where can I read more about the reactor?
""",
    "mkdocs": """\
What is the kiln?
How do I fire the kiln?
What is the glaze made of?
How do I install the fan on Windows?
What is the note about the kiln?
Which cones does the kiln know?
How hot is the kiln?
What is biscuit firing?
What does the tip say about glaze?
How do I open the kiln?
""",
    "kramdown": """\
What is the press?
How do I ink the press?
What is a forme?
Who built the press?
Which papers does the press take?
What is the tympan?
How heavy is the press?
What does the warning say about ink?
How do I clean the press?
What is the frisket?
""",
}

DOCUSAURUS = {
    "docs/reactor.mdx": """---
title: The Reactor
---

import Tabs from '@theme/Tabs';
import TabItem from '@theme/TabItem';

# The Reactor {#reactor}

{/* The reactor was drawn by Bob. */}
<!-- Do not show the reactor's price. -->

The **reactor** is a _hot_ machine<sup>1</sup> that makes steam.<br />It is **cooled by water**.

:::caution Warning of heat

The reactor is **hot**: do not [touch the *core*](./core.md#shell) before it is cold.

:::

[![build](https://img.test/a.svg)](https://ci.test/) The core is made of `U_235` & graphite.[^1]

[^1]: The core was made of graphite in 1942.

## Starting the reactor {#starting}

To start the reactor:

1. Open **valve `A`**.<br/>Wait for the hiss.
2. Pull the rods:

   ```bash title="start.sh" {1,3} showLineNumbers
   reactor start --mode=slow
   ```

3. See [the list](./list.md).
4. Read the thermometer. It shows the temperature: 300 degrees.

<Tabs groupId="os">
<TabItem value="linux" label="Linux">

Install the driver on Linux with `apt install reactor-driver`.

</TabItem>
<TabItem value="windows" label="Windows">

Install the driver on Windows from [the site](https://driver.test/).

</TabItem>
</Tabs>

## Cooling loop

```mermaid
---
title: Cooling loop of the reactor
---
graph LR
  Core --> Pump --> Core
```

The cooling loop moves water. It runs `pump.start(). Then` it waits.

| Mode | Used for |
|:-----|:--------:|
| **slow** | warming the reactor \\| core |
| fast<br/>hot | the reactor at *full* power |

## Configuration

The configuration of the reactor:

```json5 title="reactor.json" showLineNumbers {2}
{ "reactor": { "mode": "slow" } }
```

## See also

- [More about the reactor](./more.md)
- [The reactor's core](./core.md)
""",
}
MKDOCS = {
    "docs/kiln.md": """# The Kiln

The kiln[^kiln] is an **oven for clay**{ .term }. The kiln is
1200. It is the degrees that it reaches.

[^kiln]: From the Latin *culina*, a kitchen.

!!! note "Note of the kiln"
    The kiln is heated by gas. See [gas](gas.md "Gas of the kiln").

??? tip "Tip on glaze"
    Mix the glaze with `water:glaze = 2:1`. Stir the glaze **twice.

???+ warning
    The kiln is hot.

## Firing the kiln { #firing .wide }

To fire the kiln:

- [ ] Fill it with **dry clay**
- [x] Close the door of the kiln:
    - turn the handle
    - push the bolt
- Light the gas. The kiln glows <span class="red">red</span>.

=== "Windows"

    Install the fan on Windows with this:

    ```powershell linenums="1" hl_lines="2 3"
    fan install
    ```

=== "Linux"

    Install the fan on Linux by hand.

Biscuit firing
:   The first firing of the clay, without glaze.

Cone
:   A measure of heat in the kiln.

++ctrl+alt+k++ opens the kiln's program. ==Never open== the kiln while it is ^^hot^^.

| Cone | Degrees |
| ---- | ------: |
| 06   | 999     |
| 6    | 1222    |

The glaze is made of:

--8<-- "includes/glaze.md"

*[glaze]: a coat of glass

![The kiln](kiln.png){ width=300 }
""",
}
KRAMDOWN = {
    "press.md": """# The Press
{: .no_toc #press}

* TOC
{:toc}

The press is a machine[^1] that prints.\x20\x20
It was built by **Bob**{: .name} in
1874. It weighs 900 kilograms.
{: .lead}

[^1]: It was a wine press once.

> **Warning**: the ink of the press is *sticky*.
> Do not touch the ink.
{: .warning }

## Inking the press {#inking}

1. Put ink on the slab.
{: .step}
2. Roll the ink on the forme:
   {: .step}
   * thinly
   * evenly
3. Wash the press with `lye`{: .code}.

A forme
: is type that is locked in a chase.
: The forme lies on the bed.

Tympan
: A frame with a sheet that is laid on the paper.

~~~ ruby
press.ink!
~~~
{: .language-ruby .numbered}

{% highlight ruby %}
press.clean!
{% endhighlight %}

{::comment}
The price of the press is not shown.
{:/comment}

| Paper | Takes |
|-------+-------|
| laid  | ink   |
{: .table}

The press takes these papers:
{: .lead}

Clean the press *with **care*** and [a cloth][cloth]{:target="_blank"}.

[cloth]: https://cloth.test/ "A cloth"

<div markdown="1" class="note">
The frisket keeps the paper of the press clean.
</div>
""",
}
AWKWARD = {"docusaurus": DOCUSAURUS, "mkdocs": MKDOCS, "kramdown": KRAMDOWN}


@dataclass(frozen=True, slots=True)
class SearchedBook:
    """A book's chunks with what ranks them."""

    chunks: list[Chunk]
    sparse: list[dict[int, float]]
    vocabulary: Vocabulary
    language: str

    def prompt(self, question: str) -> Prompt:
        """Return the question with the passages that an app without vectors would find."""
        analyzer = self.vocabulary.analyzer
        words = analyzer.question_words(question)
        weights = {stem: self.vocabulary.weight(stem) for stem in map(analyzer.stem, words)}
        wanted = query_vector(weights)
        scores = [
            sum(
                weight * terms.get(index, 0.0)
                for index, weight in zip(wanted.indices, wanted.values, strict=True)
            )
            for terms in self.sparse
        ]
        best = sorted(range(len(scores)), key=lambda n: -scores[n])[:30]
        found = [Passage(self.chunks[n], scores[n]) for n in best if scores[n] > 0]
        return Prompt(
            question=question,
            passages=tuple(rerank(found, question, weights, language=self.language, reader=READER))[:14],
            system="",
            messages=(),
            language=self.language,
            term_weights=weights,
        )


READER = passage_reader()
GENERATOR = extractive_generator()


def searched(folder: Path) -> SearchedBook:
    chunks = chunk_book(load_book(folder))
    indexed = index_chunks(chunks)
    analyzer = Analyzer(indexed.language)
    sparse = [dict(zip(vector.indices, vector.values, strict=True)) for vector in indexed.sparse]
    return SearchedBook(chunks, sparse, Vocabulary(indexed.words, len(chunks), analyzer), indexed.language)


@pytest.fixture(scope="module", params=[*SHIPPED, *AWKWARD])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what a book answers to its questions."""
    name = request.param
    folder = SHIPPED.get(name) or tmp_path_factory.mktemp(name)
    for path, source in AWKWARD.get(name, {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source, encoding="utf-8")
    book = searched(folder)
    return {question: answer_from(book, question) for question in QUESTIONS[name].splitlines()}


def answer_from(book: SearchedBook, question: str) -> str:
    return "".join(GENERATOR.generate(book.prompt(question), Deadline(20), Generation()))


# --- what damage is ----------------------------------------------------------------------------

FENCE = re.compile(r"^(?P<marks>`{3,})(?P<info>[^\n`]*)\n.*?^(?P=marks)$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)(`{1,2})(?!`).+?(?<!`)\1(?!`)")
IN_PROSE = {
    "an admonition's mark": r":{3,}|^[ >]*(?:!!!|\?\?\?|===)|\[!(?:NOTE|TIP|WARNING)\]",
    "a tag": r"</?[A-Za-z][^<>\n]*>",
    "an id or attributes": r"\{ ?[#.:]|\{:",
    "a comment": r"<!--|-->|\{/\*|\*/\}|\{::|\{%",
    "a footnote's mark": r"\[\^",
    "a picture or a link": r"!\[|\]\(|\]\[[^\d]",
    "a quotation's or a heading's sign": r"^[ ]*(?:>|#{1,6} )",
    "an include": r"--8<--|\{\{#",
    "an item that is nothing": r"^\s*(?:[-*+]|\d+\.)\s*(?:\[\d+\])?\s*$",
}


def damage_in(answer: str) -> Iterator[str]:
    """Yield what a reader would see of the book's markup."""
    for fence in FENCE.finditer(answer):
        if not re.fullmatch(r"[\w+#-]*", fence["info"]):
            yield f"fence flags: {fence['info']}"
        if fence["info"] == "mermaid" or re.search(r"^\s*\w+ ?--+> ?\w", fence.group(), re.MULTILINE):
            yield "a drawing's source"
    prose = FENCE.sub("", answer)
    if "```" in prose or "~~~" in prose:
        yield "a fence without its end"
    prose = CODE.sub("x", prose)
    for name, pattern in IN_PROSE.items():
        if found := re.search(pattern, prose, re.MULTILINE):
            yield f"{name}: {prose[max(0, found.start() - 30) : found.end() + 30]!r}"
    for line in prose.splitlines():
        if line.count("**") % 2:
            yield f"bold without its end: {line!r}"
        if "`" in line:
            yield f"code without its end: {line!r}"
    yield from loose_colons(answer)


# What a line that names the place of the following words begins with.
PLACES = ("In the book's own", "From *", "See also, from ")


def loose_colons(answer: str) -> Iterator[str]:
    """Lines that announce something and are followed by nothing of the kind."""
    paragraphs = [part for part in re.split(r"\n\n(?!\[\d)", answer) if part.strip()]
    for number, paragraph in enumerate(paragraphs):
        said = re.sub(r"(?:\s*\[\d+\])+$", "", paragraph.strip())
        following = paragraphs[number + 1] if number + 1 < len(paragraphs) else ""
        is_loose = (
            not following or re.match(r"(?:See also, f|F)rom |\*\*[^*\n]+[^*:]\*\*$", following) is not None
        )
        if said.endswith(":") and is_loose and not said.startswith(PLACES):
            yield f"a colon with nothing behind it: {said[-60:]!r}"


def test_answers_hold_no_markup_of_the_book(answers: dict[str, str]) -> None:
    """A reader sees it as it stands, and takes the book for broken."""
    damage = {question: found for question, text in answers.items() if (found := list(damage_in(text)))}

    assert damage == {}


def test_most_questions_are_answered(answers: dict[str, str]) -> None:
    """A refusal holds no markup, and would prove nothing."""
    answered = [question for question, text in answers.items() if not text.startswith("NOT_IN_BOOK")]

    assert len(answered) >= 0.7 * len(answers)


def test_links_alone_and_comments_are_no_answers(answers: dict[str, str]) -> None:
    """The first are names without a word on them, the others are for the book's authors."""
    shown = "\n".join(answers.values())

    assert not re.search(r"^- (?:More about the reactor|The reactor's core|TOC)\b", shown, re.MULTILINE)
    assert not re.search(r"drawn by Bob|The price of|Do not show", shown)


@pytest.mark.parametrize(
    "damaged",
    [
        ":::note\nHot.\n:::",
        "!!! note",
        "Hot.<br />Very.",
        "The kiln {#kiln} is hot.",
        "The press{: .lead}",
        "Hot. <!-- unseen -->",
        "Hot.[^1]",
        "**Hot. [1]",
        "Run `kiln. [1]",
        "- [1]",
        "You need: [1]",
        "You need:\n\nFrom *Kiln*:\n\nHot. [1]",
        "You need:\n\nSee also, from *Kiln*:\n\nHot. [1]",
        '```sh title="x"\nls\n```\n\n[1]',
        "```mermaid\nA --> B\n```",
        "```sh\nls",
        "[the guide](guide.md) [1]",
        "> Hot. [1]",
    ],
)
def test_damage_is_seen_where_there_is_some(damaged: str) -> None:
    """Else the tests above would prove nothing."""
    assert list(damage_in(damaged))


@pytest.mark.parametrize(
    "sound",
    [
        "In the book's own words, from *Kiln*:\n\nIt is **hot**. [1]",
        "You need:\n\n- milk [1]\n- `a[i](x)` [1]",
        "Run:\n\n```sh\nls > x  # ::: <br>\n```\n\n[1]",
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n[1]",
        "(A diagram: *Flow*.) [1]",
        "NOT_IN_BOOK",
    ],
)
def test_sound_markdown_is_no_damage(sound: str) -> None:
    """Emphasis, code, lists and tables are how an answer is laid out."""
    assert list(damage_in(sound)) == []
