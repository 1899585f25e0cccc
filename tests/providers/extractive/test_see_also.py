"""Test what of the chosen windows is the answer, and what is shown behind it under "See also"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragbot.providers.extractive.question import asked_for
from ragbot.providers.extractive.see_also import further_last, unheaded_first
from ragbot.providers.extractive.windows import Window, choose_windows
from tests.providers.extractive.passages import candidates_of, read, weights_of


def divided(question: str, *texts: str) -> tuple[list[str], list[str]]:
    """Return the words of the answer, and those behind it."""
    passages, asked = [read(text) for text in texts], asked_for(question)
    candidates = candidates_of(question, *passages)
    windows = further_last(
        choose_windows(candidates, passages, asked), passages, candidates, asked, weights_of(question).keys()
    )
    answer, behind = (
        [
            passages[window.passage].units[index].unit.words
            for window in windows
            for index in window.units
            if window.is_further == is_further
        ]
        for is_further in (False, True)
    )
    return answer, behind


RIPENED = "The cheddar ripens for nine months."
WHO = "Who ripens the cheddar of the cows?"


def test_what_only_surrounds_a_fact_is_not_the_answer() -> None:
    """Readers asked for one sentence and got six."""
    text = f"{RIPENED} It needs no light. Its rind is brushed on Mondays, and nobody hurries there."

    answer, behind = divided("How long does the cheddar ripen?", text)

    assert answer == [RIPENED]
    assert RIPENED not in behind


def test_sentence_that_answers_nearly_as_well_belongs_to_the_answer() -> None:
    """Both name what is asked for."""
    text = "Bob ripens the cheddar of the cows. Alice ripens the cheddar of the cows in May."

    assert divided(WHO, text) == (
        ["Bob ripens the cheddar of the cows.", "Alice ripens the cheddar of the cows in May."],
        [],
    )


def test_what_a_sentence_leans_on_stays_before_it() -> None:
    """ "This is ..." says nothing by itself."""
    text = "Some milk is left to the calves. This is why the cheddar of the cows ripens so late in the year."

    answer, _ = divided("Why does the cheddar of the cows ripen so late?", text)

    assert answer == [
        "Some milk is left to the calves.",
        "This is why the cheddar of the cows ripens so late in the year.",
    ]


@pytest.mark.parametrize(
    "more", ["It is locked at night, though.", "Unfortunately the door is locked at night."]
)
def test_short_sentence_that_goes_on_about_the_answer_stays_with_it(more: str) -> None:
    """It takes the half of it back, or says the most of it."""
    said = "Visitors may see the cellar of the dairy."
    text = f"{said} {more} Nobody hurries there. The cows stand in the field all day and come home late."

    answer, _ = divided("May visitors see the cellar of the dairy?", text)

    assert answer == [said, more]


def test_what_goes_on_in_another_paragraph_is_not_the_answer() -> None:
    """It may be about something else."""
    said = "Visitors may see the cellar of the dairy."
    others = "Nobody hurries there. The cows stand in the field all day and come home late."
    text = f"{said}\n\nIt is locked at night. {others}"

    answer, _ = divided("May visitors see the cellar of the dairy?", text)

    assert answer == [said]


@pytest.mark.parametrize("more", ["Then what happens to the milk?", "Also see the chapter on tea."])
def test_question_or_pointer_behind_the_answer_is_no_part_of_it(more: str) -> None:
    """It begins like a sentence that goes on, and says nothing."""
    said = "Visitors may see the cellar of the dairy."
    text = f"{said} {more} Nobody hurries there. The cows stand in the field all day and come home late."

    answer, _ = divided("May visitors see the cellar of the dairy?", text)

    assert answer == [said]


def test_item_has_its_lead_in_and_not_its_neighbours() -> None:
    """The price of one is asked for."""
    text = "Prices of a wheel:\n\n- Cheddar: 20 dollars\n- Feta: 7 dollars\n- Gouda: 9 dollars"

    answer, _ = divided("How much does a wheel of cheddar cost in dollars?", text)

    assert answer[:2] == ["Prices of a wheel:", "Cheddar: 20 dollars"]


def test_sentence_that_leads_to_a_list_has_it() -> None:
    """A colon with nothing behind it is no answer."""
    text = "The cheddar of the cows is ripened by these:\n\n- Bob\n- Alice\n\nNobody hurries there at all."

    answer, _ = divided(WHO, text)

    assert answer == ["The cheddar of the cows is ripened by these:", "Bob", "Alice"]


BOARDS = "The boards under the cheddar are wrapped in cloth every night."
SLEEP = "The cows sleep above the cellar."


@pytest.mark.parametrize(
    "question", ["Why are the boards under the cheddar wrapped?", "Are the boards under the cheddar wrapped?"]
)
def test_reason_and_yes_or_no_come_with_their_short_paragraph(question: str) -> None:
    """One sentence says it, and the next one why."""
    longer = f"{BOARDS} {SLEEP} Nobody hurries there. Feta is sold in May."

    assert divided(question, f"{BOARDS} {SLEEP}") == ([BOARDS, SLEEP], [])
    assert divided(question, longer)[0] == [BOARDS]
    assert divided("Who wraps the boards under the cheddar?", f"{BOARDS} {SLEEP}")[0] == [BOARDS]


@pytest.mark.parametrize(
    "other",
    [
        "Do you sell feta?",
        "The feta of the others is these:\n\n" + "- a box of spoons\n" * 6,
        f"The feta {'of the others ' * 40}rests.",
    ],
    ids=["question", "lead_in", "long"],
)
def test_what_does_not_answer_is_not_shown_with_its_paragraph(other: str) -> None:
    """A question, a colon with nothing behind it, or a hundred words are no reason."""
    answer, _ = divided("Why are the boards under the cheddar wrapped?", f"{BOARDS} {other}")

    assert answer == [BOARDS]


def test_nothing_is_told_twice() -> None:
    """A paragraph that is shown whole may lie in two windows."""
    passages = [read(f"{BOARDS} {SLEEP} Nobody hurries there.")]
    question = "Are the boards under the cheddar wrapped?"
    asked, candidates = asked_for(question), candidates_of(question, *passages)
    windows = [Window(0, (0,), 3.0, is_run=False), Window(0, (2,), 1.0, is_run=False)]

    found = further_last(windows, passages, candidates, asked, weights_of(question).keys())

    assert [(window.units, window.is_further) for window in found] == [((0, 1, 2), False)]


def test_list_of_which_two_items_answer_is_whole() -> None:
    """Two of seven items above and the others under "See also" are a torn list."""
    others = "".join(f"- Box {number} of spoons and salt\n" for number in range(6))
    text = f"The shelf holds:\n\n- Bob's cheddar of the cows\n- Alice's cheddar of the cows\n{others}"

    answer, behind = divided("Where is the cheddar of the cows?", text)

    assert len(answer) == 9
    assert behind == []


@pytest.mark.parametrize(
    "question",
    [
        "How do I ripen the cheddar?",
        "Which cheeses are in the cellar of the cheddar?",
        "What is the difference between cheddar and feta?",
        "Why does the cheddar fail to ripen?",
    ],
)
def test_steps_lists_comparisons_and_faults_are_whole(question: str) -> None:
    """What stands between two steps is a step."""
    text = "1. Press the cheddar, not the feta.\n2. Turn it twice.\n3. Let the cheddar ripen in the cellar."

    answer, behind = divided(question, text)

    assert "Turn it twice." in answer
    assert behind == []


def test_number_that_is_asked_for_comes_before_sentences_without_one() -> None:
    """A *short* meeting is no answer to how long it is."""
    passage, asked = (
        read("It is a short meeting. In all 15 minutes are enough."),
        asked_for("How long is the meeting?"),
    )
    scored = [replace(one, score=0.2 * one.index) for one in candidates_of(asked.text, passage)]

    windows = further_last([Window(0, (0, 1), 0.2)], [passage], scored, asked, frozenset())

    assert [(window.units, window.is_further) for window in windows] == [((1,), False), ((0,), True)]


def test_passage_with_the_number_answers() -> None:
    """The other one has more of the question's words."""
    meeting = "The daily meeting of the dairy is there for the team."
    limited = "The meeting is limited to 15 minutes."

    assert divided("How many minutes is the daily meeting of the dairy?", meeting, limited)[0] == [limited]


def test_sentence_that_takes_something_back_stays() -> None:
    """Without it the answer says the contrary."""
    text = "The post card passes on its way without anyone who reads it. But they could."

    assert divided("Is the post card read by anyone on its way?", text)[0] == [
        "The post card passes on its way without anyone who reads it.",
        "But they could.",
    ]


def test_what_is_far_worse_is_shown_nowhere() -> None:
    """It would be noise under "See also", too."""
    passage, asked = read("Bob ripens it.\n\nAlice turns it.\n\nTiles are washed."), asked_for(WHO)
    scored = [
        replace(one, score=score)
        for one, score in zip(candidates_of(WHO, passage), (1.0, -0.5, -1.5), strict=True)
    ]
    best, worse, _ = (one.index for one in scored)

    windows = further_last([Window(0, (0, 1, 2), 1.0)], [passage], scored, asked, frozenset())

    assert [(window.units, window.is_further) for window in windows] == [((best,), False), ((worse,), True)]


def test_rest_of_the_answers_paragraph_is_behind_it() -> None:
    """ "It is a cheese of cows" explains what stood before."""
    text = f"{RIPENED} It is a hard one from the west.\n\nTiles are washed in the evening."

    assert divided("How long does the cheddar ripen?", text)[1][0] == "It is a hard one from the west."


def test_sentence_that_only_repeats_the_question_has_the_next_one() -> None:
    """ "Tins are not recommended" is no reason; what stands behind it may be one."""
    text = "Tins are not recommended for tea. Alice found that they rust in a year. She sells. Bob buys."

    assert divided("Why are tins not recommended for tea?", text)[0] == [
        "Tins are not recommended for tea.",
        "Alice found that they rust in a year.",
    ]


def test_number_that_stands_in_the_next_sentence_is_shown() -> None:
    """What is counted and how many it is stand apart in descriptions of settings."""
    text = "The barn cows that the red barn keeps in winter. The default is 10. A fence keeps them."

    assert divided("How many barn cows does the red barn keep in winter?", text)[0] == [
        "The barn cows that the red barn keeps in winter.",
        "The default is 10.",
    ]


def test_words_above_the_headings_of_a_passage_are_not_shown_below_one() -> None:
    """They would seem to belong to the heading of the words that answer better."""
    passage = read("Alice salts it.\n\n## Rind\n\nBob washes it.\n\n## Salt\n\nNobody tastes it.")
    rind, intro, salt = (Window(0, (unit,), score) for unit, score in ((1, 3.0), (0, 2.0), (2, 1.0)))
    further = replace(intro, is_further=True)

    assert unheaded_first([rind, intro, salt], [passage]) == [intro, rind, salt]
    assert unheaded_first([rind, further], [passage]) == [rind, further]
