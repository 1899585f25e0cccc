"""Test how a passage is split into the smallest pieces of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import fuzz
from tests.providers.extractive.passages import units_in

RECIPE = """You need:

- milk
- rennet
  - from a calf

Stir it. It thickens within an hour.

Then run this:

```sh
stir --slow
```

## Tools

| Tool | Use |
|---|---|
| Lame | Scoring |
"""


def leads_in(text: str) -> dict[str, str]:
    """Return what leads to each unit that something leads to, by their words."""
    units = units_in(text)
    return {unit.words: units[unit.lead].words for unit in units if unit.lead >= 0}


def test_each_kind_of_block_gives_its_units() -> None:
    """Sentences, items, rows and listings are what an answer shows."""
    assert [(unit.kind, unit.words) for unit in units_in(RECIPE)] == [
        ("sentence", "You need:"),
        ("list_item", "milk"),
        ("list_item", "rennet"),
        ("list_item", "from a calf"),
        ("sentence", "Stir it."),
        ("sentence", "It thickens within an hour."),
        ("sentence", "Then run this:"),
        ("code", "stir --slow"),
        ("table_row", "Lame Scoring"),
    ]


def test_unit_is_a_piece_of_its_passage() -> None:
    """It is laid out word for word."""
    assert [RECIPE[unit.start : unit.end] for unit in units_in(RECIPE) if unit.kind == "code"] == [
        "```sh\nstir --slow\n```"
    ]


def test_sentence_with_a_colon_leads_to_what_stands_behind_it() -> None:
    """A list without its lead-in is a riddle."""
    assert leads_in(RECIPE) == {
        "milk": "You need:",
        "rennet": "You need:",
        "from a calf": "You need:",
        "stir --slow": "Then run this:",
    }


def test_sentence_with_a_semicolon_leads_to_a_list() -> None:
    """Some authors write it so; an item that ends in one leads to nothing."""
    found = leads_in("These are not shared;\n\n- milk;\n- rennet;\n\nRest.")

    assert found == {"milk;": "These are not shared;", "rennet;": "These are not shared;"}


def test_sentence_without_a_stop_leads_to_a_list_or_a_listing() -> None:
    """ "Then use" and no command under it is no answer."""
    assert leads_in("Warm it. Then run\n\n```\nwarm\n```\n") == {"warm": "Then run"}
    assert leads_in("Kinds of cheese\n\n- soft\n") == {"soft": "Kinds of cheese"}
    assert leads_in("Warm it.\n\n```\nwarm\n```\n") == {}
    assert leads_in("Then run\n\nAnd stop.\n\n```\nwarm\n```\n") == {}


def test_lead_in_ends_with_its_list() -> None:
    """The next paragraph is no part of it."""
    assert "Done." not in leads_in("You need:\n\n- milk\n\nDone.\n\n- not this")
    assert "not this" not in leads_in("You need:\n\n- milk\n\nDone.\n\n- not this")


def test_lead_in_reaches_over_code_between_steps() -> None:
    """The second step is led to as the first one is."""
    assert leads_in("Do this:\n\n1. Build.\n\n```\nmake\n```\n\n2. Run.")["Run."] == "Do this:"


def test_lead_in_does_not_reach_beyond_a_heading() -> None:
    """Another section begins there."""
    assert leads_in("You need:\n\n## Tools\n\n- Lame") == {}


def test_unit_stands_under_the_heading_above_it() -> None:
    """Windows do not cross from one section into the next."""
    units = units_in(RECIPE)

    assert {unit.heading for unit in units[:-1]} == {-1}
    assert units[-1].heading >= 0


@pytest.mark.parametrize(
    ("sentence", "opening"),
    [
        ("Curd is what milk becomes.", "Curd"),
        ("**Curd**: what milk becomes", "Curd"),
        ("Curd — what milk becomes", "Curd"),
        ("**C** = what milk becomes", "C"),
        ("Curd\n: What milk becomes.", "Curd"),
        ("The ROS 2 (Robot Operating System) provides tools.", "The ROS 2 (Robot Operating System)"),
        ("Stir it well.", ""),
        ("`curd`: Specify the curd to cut.", ""),
        ("If your curd is too soft, wait.", ""),
        ("`while` is a loop.", "while"),
        ("`unless` is a condition.", "unless"),
        ("Curd is currently not sold in the shop.", ""),
        ("Curd is used in each cheese.", ""),
        ("Curd is used to make cheese.", "Curd"),
    ],
)
def test_opening_is_what_a_definition_would_define(sentence: str, opening: str) -> None:
    """It is compared with what is asked for."""
    (unit,) = units_in(sentence)

    assert unit.opening == opening


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It prints `Hi. There` now. Stop.", ["It prints Hi. There now.", "Stop."]),
        ("See [The cellar. And more](x.md) first. Stop.", ["See The cellar. And more first.", "Stop."]),
        ("Stir. Go <!-- No. Not so. --> on. Stop.", ["Stir.", "Go on.", "Stop."]),
    ],
)
def test_full_stop_in_code_a_label_or_a_comment_ends_no_sentence(text: str, words: list[str]) -> None:
    """Half of it would leave open marks in the answer."""
    assert [unit.words for unit in units_in(text)] == words


def test_number_in_front_of_a_sentence_is_part_of_it() -> None:
    """Alone it is an item that is nothing."""
    assert [unit.words for unit in units_in("<summary>3. What is curd? It is soft.</summary>")] == [
        "3. What is curd?",
        "It is soft.",
    ]


@pytest.mark.parametrize(
    ("sentence", "leans"), [("It thickens.", True), ("However, stir.", True), ("Stir.", False)]
)
def test_sentence_that_leans_on_the_one_before_is_known(sentence: str, leans: bool) -> None:
    """Alone it says little."""
    assert units_in(sentence)[0].leans_back is leans


@pytest.mark.parametrize(
    "text",
    [
        "- [The guide](guide.md)",
        "Due: week 4",
        "### Learning Objectives\n\n- Make cheese",
        "## See also\n\nThe rind.",
    ],
)
def test_side_matter_is_marked(text: str) -> None:
    """It names the words of questions and answers none."""
    assert all(unit.is_side for unit in units_in(text))


def test_linked_item_of_an_announced_list_with_others_is_text() -> None:
    """A list of where to read on has nothing but links, and what is not announced is one."""
    listed = "\n\n- [Oak](oak.md)\n- [Ash](ash.md)\n- Pine, oiled\n"

    assert not any(unit.is_side for unit in units_in(f"It goes with:{listed}"))
    assert [unit.is_side for unit in units_in(listed)] == [True, True, False]
    assert all(unit.is_side for unit in units_in("It goes with:\n\n- [Oak](oak.md)\n- [Ash](ash.md)\n")[1:])


def test_unit_under_a_side_heading_of_the_passage_is_marked() -> None:
    """The heading itself may stand in no passage."""
    assert units_in("Make cheese.", "Dairy", "Learning Objectives")[0].is_side


def test_list_of_sources_below_a_heading_that_announces_them_is_marked() -> None:
    """Its own heading names a subject."""
    listed = "- [Cheddar](https://cheddar.test) - a hard cheese\n- [Brie](https://brie.test) - a soft one\n"

    assert all(unit.is_side for unit in units_in(listed, "Dairy", "Further reading", "Cheese"))
    assert not any(unit.is_side for unit in units_in(listed, "Dairy", "Cheese"))


def test_text_of_the_subject_is_no_side_matter() -> None:
    """It is what answers are made of."""
    assert not any(unit.is_side for unit in units_in(RECIPE))


@pytest.mark.parametrize("fence", ["```mermaid", "``` mermaid", "```{mermaid}", "~~~plantuml"])
def test_source_of_a_drawing_is_marked(fence: str) -> None:
    """25 lines of arrows are no answer."""
    (unit,) = units_in(f"{fence}\ngraph TD; A-->B\n{fence[:3]}")

    assert unit.is_diagram


def test_listing_is_no_drawing() -> None:
    """Its lines are what is asked for."""
    assert not units_in("```python\ngraph = dot()\n```")[0].is_diagram


def test_piece_without_a_word_is_no_unit() -> None:
    """There is nothing to show of it."""
    assert units_in("---\n\n![](x.png)\n\n***") == []


@fuzz(40)
@given(
    st.lists(
        st.sampled_from(
            [
                "You need:",
                "It is so. ",
                "- item",
                "1. step",
                "\n\n",
                "\n",
                "## Head",
                "```\nx\n```",
                "| a | b |",
                "`c. D` ",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_units_are_disjoint_in_order_and_led_from_before(text: str) -> None:
    """Windows are made of their numbers."""
    units = units_in(text)

    position = 0
    for index, unit in enumerate(units):
        assert position <= unit.start < unit.end <= len(text)
        assert -1 <= unit.lead < index
        assert unit.tokens > 0
        position = unit.end


def test_section_of_the_subject_that_is_called_references_is_none_of_sources() -> None:
    """A book on programming has one."""
    prose = "A name refers to the object. It is no copy of it."
    sources = "- Craig, J. (2005). Introduction to Robotics.\n- https://docs.ros.org/ the documentation"

    assert not any(unit.is_side for unit in units_in(f"# References\n\n{prose}"))
    assert all(unit.is_side for unit in units_in(f"# References\n\n{sources}"))


def test_label_of_a_fold_is_marked() -> None:
    """A reader clicks on it; it says nothing."""
    (fold, answer) = units_in(
        "<details>\n<summary>View Answers</summary>\n\nThe cheddar is ripe.\n\n</details>"
    )

    assert (fold.words, fold.is_fold) == ("View Answers", True)
    assert not answer.is_fold


def test_bold_line_leads_to_the_paragraph_behind_it() -> None:
    """It is a heading in all but name."""
    label, first, second = units_in("**How It Works**\n\nMilk curdles. Then it is cut.")

    assert label.is_label
    assert label.leads
    assert (first.lead, second.lead) == (0, -1)


def test_unit_names_what_is_called_so() -> None:
    """A definition may end with its term."""
    (unit,) = units_in("A string on the first line of a function is called a *docstring*.")

    assert unit.named == "docstring"


def test_drawing_of_folders_is_a_tree() -> None:
    """It holds many words of many questions, and answers few."""
    (unit,) = units_in("```\ndairy/\n├── milk/\n└── cheese/\n```")

    assert unit.is_tree


def test_sentence_that_says_what_follows_announces_nothing() -> None:
    """Its list stands behind the colon, and it was left out as a lead-in without one."""
    (whole,) = units_in("The following signs cause trouble: `<`, `>`, `*`")
    (lead,) = units_in("The following signs cause trouble.")

    assert (whole.announces, lead.announces) == (False, True)


def test_units_of_a_summary_are_marked() -> None:
    """An author's summary is the best one."""
    before, inside = units_in("Milk is white.\n\n## Chapter summary\n\nCheese is ripe.")

    assert (before.is_summary, inside.is_summary) == (False, True)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ripening is therefore a better word.",
        "As a result, the rind cracks.",
        "If so, wait.",
    ],
)
def test_conclusion_leans_on_what_it_is_drawn_from(sentence: str) -> None:
    """Alone it says nothing."""
    assert units_in(sentence)[0].leans_back


def test_sentence_that_explains_the_one_before_is_known() -> None:
    """Who has the symptom wants to read on."""
    before, explains, after = units_in("The rind is blue. It means that the cellar is damp. It is late.")

    assert (before.explains, explains.explains, after.explains) == (False, True, False)


def test_note_of_an_author_to_herself_is_no_unit() -> None:
    """It stands in a book that is not finished."""
    text = "Stir it.\n\n> TODO: add a picture.\n\nFIXME: later\n\nDo it at once."

    assert [unit.words for unit in units_in(text)] == ["Stir it.", "Do it at once."]


def test_label_of_a_box_beside_the_text_is_no_unit() -> None:
    """ "Note [1]" says nothing, and "See also [1]" is read as a line of the answer's own."""
    text = "Stir it.\n\nNote\n\nIt is hot.\n\n*See also:*\n\nStir the note well."

    assert [unit.words for unit in units_in(text)] == ["Stir it.", "It is hot.", "Stir the note well."]


@pytest.mark.parametrize(
    ("text", "is_side"),
    [
        ("![](cow.png)\n\n_A cow by Bob_", [True]),
        ("![](cow.png)\n*A cow*.", [True]),
        ("Milk her at six.\n\n_Never be late._", [False, False]),
        ("![](cow.png)\n\nMilk *her* at six.", [False]),
    ],
)
def test_caption_of_an_image_is_side_matter(text: str, is_side: list[bool]) -> None:
    """It says what the image shows, which an answer does not."""
    assert [unit.is_side for unit in units_in(text)] == is_side


def test_row_knows_its_cells() -> None:
    """A question may name one."""
    row = units_in("| Name | Code |\n|---|---|\n| **Brownout** | `9` |")[-1]

    assert row.cells == {"brownout", "9"}


LOOSE = (
    "Press one of these:\n\n- **Again**: you failed.\n\n  Shortcut: one\n\n"
    "- **Hard**: it took long.\n\nThen go on."
)


def test_paragraph_of_an_item_belongs_to_its_list() -> None:
    """The items after it have the same lead-in."""
    units = {unit.words: unit for unit in units_in(LOOSE)}

    assert [words for words, unit in units.items() if unit.in_item] == ["Shortcut: one"]
    assert leads_in(LOOSE)["Hard: it took long."] == "Press one of these:"


COMMANDS = """Do the following:

- open a shell and type this:

whoami

- type the following after each other

cd cellar

stir cheese

Now it works."""


def test_commands_between_items_belong_to_the_list() -> None:
    """Writers seldom indent them; a sentence ends the list."""
    assert [unit.words for unit in units_in(COMMANDS) if unit.in_item] == [
        "whoami",
        "cd cellar",
        "stir cheese",
    ]
    assert leads_in(COMMANDS)["type the following after each other"] == "Do the following:"


def test_paragraph_between_two_lists_belongs_to_neither() -> None:
    """Nothing announces it."""
    units = units_in("- milk\n- salt\n\nNow to the tools\n\n- lame\n- press")

    assert not any(unit.in_item for unit in units)


def test_sentences_in_parentheses_stay_together() -> None:
    """One of them alone would begin or end with half of a pair."""
    text = "Cut the curd. (If it is soft, wait. If it is hard, hurry.) Then stir it."

    assert [unit.words for unit in units_in(text)] == [
        "Cut the curd.",
        "(If it is soft, wait. If it is hard, hurry.)",
        "Then stir it.",
    ]


@pytest.mark.parametrize("picture", ["![](a.png)", '<figure><img src="a.png"></figure>', '<img src="a.png">'])
def test_sentence_that_announces_a_picture_is_a_sentence_without_its_colon(picture: str) -> None:
    """Manuals tell a step and show the menu; answers show no pictures."""
    first, second = units_in(f"Choose the loop in the menu:\n\n{picture}\n\nClick it.\n")

    assert (first.words, first.announces) == ("Choose the loop in the menu", False)
    assert first.end == len("Choose the loop in the menu")
    assert second.words == "Click it."


def test_sentence_that_leads_to_text_with_a_picture_in_front_leads_to_it() -> None:
    """Many a line begins with an icon."""
    first, _ = units_in("Do this:\n\n![icon](a.png) Click it.\n")

    assert (first.words, first.announces) == ("Do this:", True)


def test_sentence_that_points_below_in_passing_announces_nothing() -> None:
    """It says what to do, whatever is below."""
    assert not units_in("Use the dialog to improve this, as shown below.")[0].announces
    assert units_in("The values are shown below.")[0].announces
