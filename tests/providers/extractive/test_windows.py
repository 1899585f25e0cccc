"""Test what an answer shows: windows around the best units, within a budget."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragbot.providers.extractive.question import Want, asked_for
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.windows import (
    ANSWER_TOKENS,
    MOST_WINDOWS,
    WINDOW_TOKENS,
    Window,
    choose_windows,
)
from tests.providers.extractive.passages import FILLER, READER, candidates_of, chunks_of_page, read


def windows_for(question: str, *passages: ReadPassage, **limits: int) -> list[Window]:
    return choose_windows(candidates_of(question, *passages), passages, asked_for(question), **limits)


def words_of(windows: Sequence[Window], *passages: ReadPassage) -> list[list[str]]:
    """Return the words of what each window shows."""
    return [[passages[one.passage].units[index].unit.words for index in one.units] for one in windows]


def shown(question: str, text: str, **limits: int) -> list[str]:
    """Return all that is shown of one passage."""
    passage = read(text)
    windows = windows_for(question, passage, **limits)
    return [words for window in words_of(windows, passage) for words in window]


def tokens_of(windows: Sequence[Window], *passages: ReadPassage) -> int:
    return sum(passages[one.passage].units[index].unit.tokens for one in windows for index in one.units)


# --- budgets -----------------------------------------------------------------------------------


def test_window_holds_neighbours_as_far_as_the_budget_goes() -> None:
    """A sentence alone says little, a page says too much."""
    passage = read(f"{FILLER}Bob ripens the cheddar. {FILLER}")

    windows = windows_for("Who ripens the cheddar?", passage, most=1)

    assert "Bob ripens the cheddar." in words_of(windows, passage)[0]
    assert WINDOW_TOKENS / 2 < tokens_of(windows, passage) <= WINDOW_TOKENS


def test_all_windows_together_stay_within_the_answers_budget() -> None:
    """A reader wants an answer, not the book."""
    passages = [
        read(f"{FILLER}Bob ripens the cheddar of cow number {n}. {FILLER}", f"Cow {n}") for n in range(9)
    ]

    windows = windows_for("Who ripens the cheddar of which cow?", *passages, most=9)

    assert 2 <= len(windows) < 9
    assert tokens_of(windows, *passages) <= ANSWER_TOKENS


def test_best_unit_is_shown_though_it_is_longer_than_the_budget() -> None:
    """Nothing would be no answer."""
    assert shown("Who ripens the cheddar?", "Bob ripens the cheddar for nine months.", tokens=1)


def test_only_so_many_windows_are_chosen() -> None:
    """More of them say less."""
    passages = [read(f"Bob ripens cheddar number {n}.", f"Cow {n}") for n in "123456789"]

    assert len(windows_for("Who ripens the cheddar?", *passages, most=2)) <= 2


def test_lesser_unit_is_left_out() -> None:
    """It has one word of the question by chance."""
    passages = [read("Bob ripens the hard cheddar in a cellar."), read("Alice has a cellar.")]

    windows = windows_for("Who ripens the hard cheddar in a cellar?", *passages)

    assert [one.passage for one in windows] == [0]


def test_nothing_is_chosen_from_nothing() -> None:
    """A passage may hold a picture alone."""
    assert choose_windows([], [], asked_for("What?")) == []
    assert windows_for("What?", read("![](x.png)")) == []


# --- order -------------------------------------------------------------------------------------


def test_best_window_comes_first() -> None:
    """Not the book's order: a reader stops when he has his answer."""
    passages = [read("The cheddar is sold."), read("Bob ripens the cheddar for nine months.")]

    windows = windows_for("How long does Bob ripen the cheddar for?", *passages)

    assert windows[0].passage == 1
    assert [one.score for one in windows] == sorted((one.score for one in windows), reverse=True)


def test_units_of_a_window_keep_the_books_order() -> None:
    """They read as they were written."""
    (window,) = windows_for(
        "Who ripens the cheddar?", read(f"{FILLER}Bob ripens the cheddar. {FILLER}"), most=1
    )

    assert list(window.units) == sorted(window.units)


def test_windows_of_one_passage_stand_best_first() -> None:
    """A reader need not look for the answer in the middle of it; those that touch are one."""
    apart = read(f"Alice ripens cheese. {FILLER}{FILLER}Bob ripens the cheddar. {FILLER}")
    touching = read("Alice ripens cheese. The cellar is cool. Bob ripens the cheddar.")

    first, second = words_of(windows_for("Who ripens the cheddar?", apart), apart)

    assert ("Bob ripens the cheddar." in first, "Alice ripens cheese." in second) == (True, True)
    assert len(windows_for("Who ripens the cheddar?", touching)) == 1


def test_passage_of_a_run_is_one_window() -> None:
    """Steps stand in the book's order."""
    passage = read(f"1. Ripen the cheddar. {FILLER}{FILLER}\n2. Turn the cheddar.")

    assert len(windows_for("How do I ripen the cheddar?", passage)) == 1


def test_same_words_are_not_said_twice() -> None:
    """Books repeat themselves in their summaries."""
    passages = [
        read("Bob ripens the cheddar for months.", "A"),
        read("Bob ripens the cheddar for months.", "B"),
    ]

    assert len(windows_for("Who ripens the cheddar?", *passages)) == 1


# --- what hangs together -----------------------------------------------------------------------


def test_window_does_not_cross_a_heading() -> None:
    """Another section speaks of something else."""
    assert shown("Who ripens the cheddar?", "Bob ripens the cheddar.\n\n## Butter\n\nIt is churned.") == [
        "Bob ripens the cheddar."
    ]


def test_item_comes_with_its_lead_in() -> None:
    """ "Salt" answers nothing by itself."""
    words = shown("Is salt needed?", "For the cheddar you need:\n\n- milk\n- salt\n- rennet")

    assert "For the cheddar you need:" in words


def test_lead_in_comes_with_its_list() -> None:
    """A colon with nothing behind it is a door to nowhere."""
    words = shown("What does the cheddar need?", "The cheddar needs:\n\n- milk\n- salt")

    assert words == ["The cheddar needs:", "milk", "salt"]


def test_lead_in_without_its_list_is_left_out() -> None:
    """Where the list is too long for the answer."""
    items = "\n".join(f"- {FILLER * 4}" for _ in range(3))

    words = shown("Who ripens the cheddar?", f"Bob ripens the cheddar. He says this:\n\n{items}")

    assert words == ["Bob ripens the cheddar."]


def test_item_comes_with_what_it_announces() -> None:
    """ "Check the file:" is half a step."""
    text = "- Bob ripens the cheddar:\n\n  ```\nripen cheddar\n  ```\n\n- Alice waits."

    words = shown("Who ripens the cheddar?", text, tokens=12)

    assert words[:2] == ["Bob ripens the cheddar:", "ripen cheddar"]


def test_item_that_announces_too_much_is_left_out() -> None:
    """And so is one that announces nothing."""
    listing = "\n".join(f"  ripen cheddar {n}" for n in range(90))
    text = f"- The cheddar is Bob's.\n- Bob ripens:\n\n  ```\n{listing}\n  ```"

    assert shown("Who ripens the cheddar?", text) == ["The cheddar is Bob's."]


def test_lead_in_to_a_lead_in_without_its_list_is_left_out() -> None:
    """Each must be followed by something."""
    items = "\n".join(f"- {FILLER * 4}" for _ in range(3))

    words = shown("Who ripens cheddar?", f"Bob ripens the cheddar.\n\nHe says:\n\n**Of milk:**\n\n{items}")

    assert words == ["Bob ripens the cheddar."]


def test_sentence_that_leans_back_comes_with_the_one_before() -> None:
    """ "It" is the cheddar."""
    words = shown("When is it turned twice?", "Bob has a cheddar. It is turned twice a week.")

    assert words == ["Bob has a cheddar.", "It is turned twice a week."]


@pytest.mark.parametrize("question", ["How do I wash the rind?", "What are the steps of washing the rind?"])
def test_steps_are_shown_as_a_whole_run(question: str) -> None:
    """One that is missing spoils the cheese."""
    steps = [f"Wash side {n} of the rind with brine and a brush for a while" for n in "123456"]
    text = "Washing the rind:\n\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(steps, start=1))

    assert shown(question, text)[1:] == steps


def test_item_that_is_missing_between_two_is_shown() -> None:
    """Steps 1 and 3 would mislead."""
    text = "1. Wash the rind.\n2. Wait a day.\n3. Wash the rind again.\n"

    assert shown("How do I wash the rind?", text) == ["Wash the rind.", "Wait a day.", "Wash the rind again."]


def test_command_is_shown_with_its_step() -> None:
    """A step is done by it."""
    words = shown("How do I start the oven?", "Start the oven:\n\n```\noven start\n```")

    assert words == ["Start the oven:", "oven start"]


def test_code_beside_a_sentence_is_left_out_where_none_is_asked_for() -> None:
    """It says nothing to a reader who asks why."""
    words = shown("Why does the oven smoke?", "The oven smokes because of fat.\n\n```\noven clean\n```")

    assert words == ["The oven smokes because of fat."]


def test_definition_stands_alone() -> None:
    """The next entry of a glossary is of something else."""
    words = shown(
        "What is curd?", "**Curd**: what milk becomes.\n\n**Whey**: what runs off.\n\n**Rennet**: an enzyme."
    )

    assert words == ["Curd: what milk becomes."]


def test_entry_of_a_glossary_comes_without_the_next_one() -> None:
    """Whoever asks what whey is used for wants to hear nothing of wicks."""
    entries = (
        "**Wax**: A coat for cheese.\n\n**Whey**: What is left of the milk.\n\nIt is used for ricotta.\n\n"
        "**Wick**: A thread.\n"
    )
    question = "Tell me about whey"
    whey = ["Whey: What is left of the milk.", "It is used for ricotta."]

    in_glossary, in_section = read(entries, "Dairy", "Glossary"), read(entries, "Dairy", "Words")

    assert words_of(windows_for(question, in_glossary, most=1), in_glossary)[0] == whey
    assert set(words_of(windows_for(question, in_section, most=1), in_section)[0]) > set(whey)


def test_meaning_is_told_once_or_twice() -> None:
    """A third definition adds nothing."""
    passages = [
        read(f"Curd is what {milk} becomes.", milk) for milk in ("milk", "cream", "buttermilk", "whey")
    ]

    assert len(windows_for("What is curd?", *passages)) <= MOST_WINDOWS[Want.MEANING]


def test_number_is_answered_in_fewer_windows_than_other_questions() -> None:
    """It has one value, and what is further from it is mostly of something else."""
    passages = [read(f"The cheddar of cow {n} ripens for {n} months. {FILLER}", f"Cow {n}") for n in range(9)]

    assert len(windows_for("How many months does cheddar ripen?", *passages)) == MOST_WINDOWS[Want.NUMBER]
    assert len(windows_for("Tell me of ripe cheddar of a cow", *passages)) > MOST_WINDOWS[Want.NUMBER]


def test_side_matter_is_no_neighbour() -> None:
    """An answer does not end in due dates."""
    assert shown("Who ripens the cheddar?", "Bob ripens the cheddar.\n\nDue: week 4") == [
        "Bob ripens the cheddar."
    ]


def test_drawing_is_no_neighbour() -> None:
    """Its source is 25 lines of arrows."""
    text = "Bob ripens the cheddar.\n\n```mermaid\ngraph TD\n```"

    assert shown("command to ripen the cheddar", text) == ["Bob ripens the cheddar."]


# --- what is announced, and lists that are cut ---------------------------------------------------


def test_lead_in_whose_listing_is_not_shown_is_left_out() -> None:
    """'Output:' above the next paragraph announces nothing."""
    text = "The cheddar is printed.\n\nOutput:\n\nThe cheddar program prints what it has ripened."

    said = shown("What does the cheddar program print?", text)

    assert said == ["The cheddar is printed.", "The cheddar program prints what it has ripened."]


def test_sentence_that_points_to_a_table_is_left_out_without_it() -> None:
    """'The following table gives ...' ends in no colon."""
    text = "Cheddar ripens long. The following table gives the months of cheddar."

    assert shown("How long does cheddar ripen?", text) == ["Cheddar ripens long."]


def test_steps_are_shown_from_the_first_one() -> None:
    """A reader would begin in the middle."""
    steps = "\n".join(
        f"{n}. {words}" for n, words in enumerate(["Warm it.", "Stir.", "Press the cheddar."], 1)
    )

    said = shown("How do I press the cheddar?", steps)

    assert said[0] == "Warm it."


def test_definition_that_names_what_stands_above_it_is_shown_with_that() -> None:
    """ "This is called the triangle" says nothing alone."""
    things = "Cheese needs three things:\n\n- Milk\n- Salt\n- Rennet"
    text = f"{FILLER}\n\n{things}\n\nThis is known as the cheddar triangle.\n\n{FILLER}"

    found = shown("What is the cheddar triangle?", text)

    assert found[:5] == [
        "Cheese needs three things:",
        "Milk",
        "Salt",
        "Rennet",
        "This is known as the cheddar triangle.",
    ]


def test_conclusion_is_shown_from_where_its_argument_begins() -> None:
    """Each sentence leans on the one before."""
    text = (
        f"{FILLER}\n\nMost dairies ripen by turning each wheel. However, ours is turned by a neighbour, who "
        "looks first. If so, it is left alone. Managed ripening is therefore a better name."
    )

    assert shown("What is managed ripening?", text)[0] == "Most dairies ripen by turning each wheel."


def test_explanation_follows_its_symptom() -> None:
    """Else a reader knows as much as before."""
    long = "The rind of a cheddar is blue and soft at the edges and it smells of the cellar, " * 4
    text = f"{FILLER}\n\n{long.strip(', ')}. It means that the cellar is damp. {FILLER}"

    assert "It means that the cellar is damp." in shown("Why is the rind of my cheddar blue?", text)


def test_row_that_the_question_names_is_shown_without_its_neighbours() -> None:
    """The others are about other codes."""
    rows = ("| 8 | The milk code is sour |", "| 9 | Cheddar is cut |", "| 11 | The code of the rind |")
    table = "\n".join(("| Code | Meaning |", "|---|---|", *rows))

    assert shown("What does error code 9 mean?", table) == ["9 Cheddar is cut"]


def test_row_of_a_table_comes_with_the_row_that_names_its_group() -> None:
    """Prices of three regions looked like three prices of one thing."""
    rows = (
        "| **Young cheddar** | | |",
        "| Wheel | 20 | 30 |",
        "| **Old cheddar** | | |",
        "| Wheel | 50 | 70 |",
    )
    table = "\n".join(("| | Small | Large |", "|---|---|---|", *rows))

    assert shown("What does a wheel of old cheddar cost?", table) == ["Old cheddar", "Wheel 50 70"]


FAQ = """- **Why is my cheddar blue?**
    - The cellar is damp.

- **How many wheels fit on a shelf, and where is
  the shelf?**
    - Twelve fit.

      It stands at the north wall.
- **Can I eat the rind?**

  Yes, you can. Children should not.
"""


def test_question_in_a_list_heads_its_answer() -> None:
    """Books have their frequent questions as bold items with the answers below."""
    assert shown("Why is the cheddar so blue?", FAQ) == ["Why is my cheddar blue?", "The cellar is damp."]
    assert shown("Can one eat the rind?", FAQ)[:2] == ["Can I eat the rind?", "Yes, you can."]
    units = read(FAQ).units
    assert [one.unit.words for one in units if one.label.startswith("How many")] == [
        "Twelve fit.",
        "It stands at the north wall.",
    ]
    assert [bool(one.replies_to) for one in units] == [False, True, False, True, False, False, True, False]


def test_sentence_that_mends_follows_the_fault_in_another_paragraph() -> None:
    """ "What should I do?" is answered by it alone."""
    long = "If the press waits for the curd for ever, its valve may be blocked, " * 6
    text = f"{long.strip(', ')}.\n\nThe solution is to rinse it. {FILLER}"

    assert "The solution is to rinse it." in shown("The press waits for the curd. What should I do?", text)


# --- lists with paragraphs, and remedies -------------------------------------------------------

BUTTONS = (
    "Choose one of the following buttons.\n\n"
    f"- **Again**: {'you could not say what the cheese is called. ' * 6}\n\n"
    "  Keyboard: one\n\n- **Hard**: naming the cheese took you long.\n\n  Keyboard: two\n\n"
    "- **Good**: you named the cheese.\n\n  Keyboard: three"
)


def test_list_that_answers_best_is_shown_whole() -> None:
    """Without its first item it would mislead, though that is long."""
    said = shown("Which buttons are there and what does each mean?", BUTTONS)

    assert said[0].startswith("Choose one of the following")
    assert [words.split(":")[0] for words in said[1:]] == [
        *("Again", "Keyboard", "Hard", "Keyboard", "Good", "Keyboard")
    ]


def test_later_paragraph_of_an_item_comes_with_the_item() -> None:
    """Alone nobody would know what it is about."""
    said = shown("Which rind is washed with brine?", "- **Limburger**\n\n  The rind is washed with brine.")

    assert said == ["Limburger", "The rind is washed with brine."]


def test_short_section_on_a_fault_is_shown_whole() -> None:
    """Its listing has no word of the question."""
    text = "The press says access denied.\n\nThat is its lid. Unlock it:\n\n```\nunlock --lid\n```"

    assert shown("The press says access denied", text)[-1] == "unlock --lid"


def test_remedy_follows_on_the_fault() -> None:
    """Its steps have no word of the question."""
    text = (
        "If the press says access denied, its lid is locked.\n\nTo solve it, do this:\n\n"
        f"- turn the key\n- wait for a minute\n\nAll is well then. {FILLER * 4}"
    )

    said = shown("The press says access denied", text)

    assert said[:4] == [
        "If the press says access denied, its lid is locked.",
        "To solve it, do this:",
        "turn the key",
        "wait for a minute",
    ]


def test_lead_in_that_leans_back_comes_with_what_it_leans_on() -> None:
    """'It also allows you:' says nothing without the sentence that says what it is."""
    text = "Use the cellar's lift. It also allows you:\n\n- to ripen the cheddar\n- to turn it"

    assert shown("Where do I ripen the cheddar?", text)[0] == "Use the cellar's lift."


def test_later_paragraph_of_a_definition_comes_with_the_term() -> None:
    """Alone nobody would know whose default it is."""
    text = "`AGE`\n: How long a cheese ripens.\n\n    Defaults to nine months.\n\n`SALT`\n: How salty it is."

    said = shown("What is the default, nine months?", text)

    assert said[:2] == ["AGE: How long a cheese ripens.", "Defaults to nine months."]


# --- bold lines that head parts of a section ---------------------------------------------------

FAULTS = (
    "**Fault: the lid is stuck**\n\n- Turn the key.\n\n"
    "**Fault: the press is silent**\n\n- Plug it in.\n\n"
    "**Fault: the curd is sour**\n\n- Use fresh milk."
)


def test_part_that_is_asked_for_is_shown_without_the_others() -> None:
    """They are about other faults."""
    assert shown("The press is silent, what can I do?", FAULTS) == [
        "Fault: the press is silent",
        "Plug it in.",
    ]


def test_cause_and_solution_belong_to_the_fault_above_them() -> None:
    """Their bold lines begin nothing else."""
    text = "**The press is silent**\n\n**Cause**:\n\n- No power.\n\n**Solution**:\n\n- Plug it in."

    assert shown("The press is silent, what can I do?", text)[-1] == "Plug it in."


# --- headings as a list, and lead-ins without what they announce ---------------------------------

DUTIES = """## The duties of a shift

Each shift has up to three people, one for each duty.

### Counter

Answers the telephone. Takes the money.

### Pontoon

Walks round every two hours.

#### At night

With a lamp.

### Slip

Looks after the tractor.

## Expenses

Nothing is paid.
"""


def test_headings_below_a_section_are_its_list() -> None:
    """Each with its first sentence; those further below and those behind it are no items."""
    (chunk,) = chunks_of_page(DUTIES)
    passage = READER.read(chunk, "english")

    (words,) = words_of(windows_for("Name the duties of a shift", passage, most=1), passage)

    assert words == [
        "Each shift has up to three people, one for each duty.",
        "Answers the telephone.",
        "Walks round every two hours.",
        "Looks after the tractor.",
    ]


def test_headings_are_no_list_where_none_is_asked_for() -> None:
    """Who asks for the people of a shift wants to know no more."""
    (chunk,) = chunks_of_page(DUTIES)
    passage = READER.read(chunk, "english")

    shown = words_of(windows_for("How many people has a shift?", passage), passage)

    assert not any("Looks after the tractor." in words for words in shown)


def test_lead_in_is_no_answer_without_what_it_announces() -> None:
    """Its neighbours alone were shown, which nobody had asked for."""
    listing = "\n".join(f"   cheddar({number})" for number in range(60))
    text = f"1. Wash the pots.\n2. List the cheddars of the cellar:\n\n   ```\n{listing}\n   ```\n"
    passages = (read(text, "Pots"), read("- Old cheddar\n- Young cheddar", "Cellar"))

    windows = words_of(windows_for("List the cheddars of the cellar", *passages, most=1), *passages)

    assert windows == [["Old cheddar", "Young cheddar"]]


# --- sentences before and after the one that answers ---------------------------------------------

SCHEDULE = (
    "Schedules do not know holidays. The amount is written into its field. "
    "An amount is matched within 7.5 percent of it. It may be changed later."
)


def test_sentences_before_a_fact_are_left_out() -> None:
    """The reader would have to read them all to find the one that answers."""
    assert shown("Within how many percent is an amount matched?", SCHEDULE, most=1) == [
        "An amount is matched within 7.5 percent of it.",
        "It may be changed later.",
    ]


def test_sentences_before_a_reason_are_shown() -> None:
    """They say what it is the reason of."""
    text = "The cellar is cool. Cheddar ripens there, because mould dislikes the cold."

    assert shown("Why does cheddar ripen there?", text, most=1) == [
        "The cellar is cool.",
        "Cheddar ripens there, because mould dislikes the cold.",
    ]


RULES = (
    "***Death***. Who has no points is dying.\n\n"
    "***Rolling 20***. Who rolls 20 regains a point.\n\n"
    "***Damage***. Who is hit loses a point."
)


def test_entry_that_begins_in_bold_is_shown_alone_and_with_its_name() -> None:
    """The next one's name stood alone at the end, and its own was lost."""
    assert shown("What does who rolls 20 regain?", RULES, most=1) == [
        "Rolling 20.",
        "Who rolls 20 regains a point.",
    ]


def test_row_of_a_table_is_no_neighbour_of_a_sentence() -> None:
    """One of many stood there as if it were meant."""
    text = "| Level | Effect |\n|---|---|\n| 1 | slow |\n| 6 | dead |\n\nCheddar ripens in the cellar of Bob."

    assert shown("Does cheddar ripen in the cellar of Bob?", text, most=1) == [
        "Cheddar ripens in the cellar of Bob."
    ]
    assert shown("Why does cheddar ripen in the cellar of Bob?", text, most=1) == [
        "Cheddar ripens in the cellar of Bob."
    ]


# --- lists and steps that would mislead in part ---------------------------------------------------


def test_sentence_that_answers_comes_with_the_whole_list_that_it_leads_to() -> None:
    """A list of criteria without its last one looks whole."""
    items = [
        f"the rind of every wheel has been checked by hand for cracks and spots of kind {n}" for n in "123456"
    ]
    text = "A cheddar is done when these criteria are met:\n\n" + "\n".join(f"- {item}" for item in items)

    found = shown("Which criteria must be met before a cheddar is done?", f"{text}\n")

    assert found[1:] == items


def test_item_that_answers_comes_with_its_short_list() -> None:
    """The last of three kinds, alone and without what they are kinds of, says something else."""
    text = (
        "A rest means any of these:\n\n1. the month before the fair;\n2. the week behind it;\n"
        "3. any other time that Alice calls a rest.\n"
    )

    found = shown("Who calls another time?", text)

    assert found[0] == "A rest means any of these:"
    assert len(found) == 4


def test_item_that_the_question_names_stands_alone() -> None:
    """Its neighbours are about other things."""
    kinds = ("Rind", "Core", "Salt")
    items = [
        f"- **{kind}** - what Alice sees of the {kind.lower()}, by day and by night.\n" for kind in kinds
    ]
    text = f"The board shows these, from top to bottom, {'and never another one, ' * 9}:\n\n{''.join(items)}"

    assert not any(words.startswith("The board") for words in shown("What does Core stand for?", text))
    assert shown("What is seen of the core by day?", text)[0].startswith("The board")


def test_step_between_two_steps_in_sentences_is_shown() -> None:
    """It was left out without a sign."""
    middle = "Bring the number of your cow along, which stands on its ear or in the book of the herd."
    text = f"Ask Alice for the cheddar press. {middle}\n\nAlice gives you the cheddar press then. {FILLER}"

    assert middle in shown("How do I get the cheddar press from Alice?", text)


def test_short_section_of_sentences_that_says_how_is_shown_whole() -> None:
    """What to do stands in sentences of which none has a word of the question."""
    text = (
        "The press is perfect for a hard cheddar.\n\nTurn the handle twice:\n\n![](a.png)\n\n"
        "Then wait until the whey has run off, which takes an hour in summer and two in winter, and turn "
        "the wheel of the press by a quarter every ten minutes, or the rind will crack at the side below."
    )

    found = shown("How do I press a hard cheddar?", text)

    assert "Turn the handle twice" in found
    assert found[-1].startswith("Then wait")


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        (
            "Are the seeds of the yew poisonous?",
            "It is soft.\n\n**Never eat the seeds, which are poisonous.**\n\n## Wood\n\nThe wood is hard.",
            "Never eat the seeds, which are poisonous.",
        ),
        (
            "How often must the tenant have the chimney swept?",
            "(2) the tenant shall have the chimney swept once a year by a sweep;\n\n(3) he keeps no bees;",
            "(2) the tenant shall have the chimney swept once a year by a sweep;",
        ),
        (
            "When did the company move its office to Paris?",
            "The harbour was dug in 1890. The following year the company moved its office to Paris.",
            "The following year the company moved its office to Paris.",
        ),
        (
            "How long may the family keep the berth?",
            "The family may keep the berth until the end of the following calendar year.",
            "The family may keep the berth until the end of the following calendar year.",
        ),
    ],
)
def test_sentence_that_only_seems_to_announce_something_is_shown(
    question: str, text: str, answer: str
) -> None:
    """Warnings in bold, clauses of a law and "the following year": another sentence was the answer."""
    assert answer in shown(question, text)


def test_sentence_that_ends_in_a_semicolon_leads_to_the_list_below_it() -> None:
    """It is no answer without the list."""
    units = read("Bring what the cellar lacks;\n\n- salt\n- rennet\n").units

    assert [one.unit.announces for one in units] == [True, False, False]


# --- lists within items ------------------------------------------------------------------------

TIERS = """
The timeline is expected:

- As of November 2025:

  Apple Silicon:
  - Tier 1: macOS Tahoe 26
  - Tier 3: macOS Big Sur 11

  Intel:
  - Tier 1: macOS Sonoma 14
  - Unsupported: macOS Mojave

- Expected in September 2026:

  Apple Silicon:
  - Tier 1: macOS 27
"""


def test_nested_item_comes_with_what_it_is_said_of() -> None:
    """The same words stand below each heading of the list, and mean something else."""
    words = shown("What is unsupported, such as Mojave?", TIERS)

    assert {"As of November 2025:", "Intel:", "Unsupported: macOS Mojave"} <= {*words}


def test_item_that_announces_comes_with_any_of_what_stands_in_it() -> None:
    text = f"- On Debian:\n\n  {FILLER}\n\n  The tool is called apt.\n\n- On Fedora:\n\n  It is dnf.\n"
    words = shown("Which tool is called apt?", text)

    assert "On Debian:" in words
    assert "The tool is called apt." in words
