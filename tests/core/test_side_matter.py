"""Test which parts of a book are about the book and not its subject."""

from __future__ import annotations

import pytest

from ragbot.core.side_matter import (
    is_credit,
    is_date_of_text,
    is_due_date,
    is_link_alone,
    is_pointer,
    is_side_heading,
    is_side_section,
    link_share,
    wants_side_matter,
)


@pytest.mark.parametrize(
    "heading",
    [
        "Learning Objectives",
        "Objectives",
        "What You'll Learn",
        "In this chapter",
        "Table of Contents",
        "References",
        "1.4 References",
        "7. Additional Resources",
        "Chapter 3: Exercises",
        "Hands-on exercises",
        "Grading rubric",
        "Final quiz",
        "Further reading",
        "See also",
        "Useful Links",
        "Quick navigation",
        "What's Next",
        "Next steps",
        "Review Questions",
        "Module Assessment",
        "Course schedule",
        "Due dates",
        "Changelog",
        "Release notes",
        "Bibliography",
    ],
)
def test_heading_that_announces_side_matter_is_one(heading: str) -> None:
    """What stands under it names the question's words and answers nothing."""
    assert is_side_heading(heading)


@pytest.mark.parametrize(
    "heading",
    [
        "References and borrowing",
        "Reference frames",
        "The contents of a message",
        "Links between nodes",
        "Links",
        "Navigation",
        "Robot navigation",
        "Tide schedule",
        "Deadlines in real-time systems",
        "Outline of the algorithm",
        "Resource limits",
        "Exercise 3: build a robot arm that lifts",
        "How to submit a pull request",
        "Setting goals for a robot",
        "Hamstring exercises",
        "Risk assessment",
        "Egg grading",
        "Form submission",
        "",
    ],
)
def test_heading_of_the_subject_is_none(heading: str) -> None:
    """Its section would never be an answer."""
    assert not is_side_heading(heading)


@pytest.mark.parametrize(
    "question",
    [
        "When is assignment 2 due?",
        "How many points is the quiz worth?",
        "What are the learning objectives of module 1?",
        "Which references does chapter 2 list?",
        "What changed in version 2?",
        "Who wrote this?",
        "Which books on cheese does it recommend?",
        "Where can I read more about rinds?",
    ],
)
def test_question_for_side_matter_is_known(question: str) -> None:
    """Then it is the answer."""
    assert wants_side_matter(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is ROS 2?",
        "How do I build a package?",
        "Why is the rind washed?",
        "Does this book tell of rinds?",
    ],
)
def test_other_questions_want_no_side_matter(question: str) -> None:
    """An objective repeats their words: "Build a package"."""
    assert not wants_side_matter(question)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Plain words alone.", 0.0),
        ("", 0.0),
        ("[the guide](guide.md)", 1.0),
        ("<https://book.test/>", 1.0),
        ("![a drawing](x.png)", 1.0),
        ("Read [a](b) now please", 2 / 5),
    ],
)
def test_share_of_links_is_that_of_words(text: str, share: float) -> None:
    """A section that is mostly links is for finding one's way."""
    assert link_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text", ["[The guide](guide.md)", "- See [the guide](guide.md)", "https://book.test/", "[a](b), [c](d)"]
)
def test_link_with_hardly_a_word_is_a_link_alone(text: str) -> None:
    """It tells a reader nothing but where else to look."""
    assert is_link_alone(text)


@pytest.mark.parametrize("text", ["Read [the guide](g.md) before you build the arm.", "Two words", ""])
def test_sentence_with_a_link_is_a_sentence(text: str) -> None:
    """Most sentences of a handbook hold one."""
    assert not is_link_alone(text)


@pytest.mark.parametrize(
    "sentence",
    [
        "For earlier versions, see [this FAQ page](https://robots.test/faq).",
        "For more about burying cards, see [this section](studying.md#bury) of the manual.",
        "Please refer to the [guide](guide.md) for more information.",
        "To learn how to write one, see the [guide](https://robots.test/).",
        "(See [A](a.md) and [B](b.md).)",
        "See [Knots](#knots) for more information on how to tie two ropes of different width.",
        "See the [Knots](knots.md) page for instructions and examples.",
        "Check out [the *Knots* chapter](knots_(2).md) to learn which knot holds.",
        'See [What does "wet" mean?](#wet)',
        "See [`oar.grip()`](x.md).",
        "See also: [Knots](knots.md).",
        "See [Knots][knots] for more.",
        "For more information, visit the [Knots](knots.md) section.",
        "Visit [knots.test](https://knots.test/a) for more information.",
        "Learn more about [knots](knots.md).",
        "You can read more about knots and how they hold in the [handbook](https://knots.test) pages.",
        "More information about knots can be found in the [handbook](knots.md).",
        'See [Knots](knots.md){: target="_blank" }.',
        "(See Knots of the fishermen, below.)",
    ],
)
def test_sentence_that_only_says_where_to_read_on_is_a_pointer(sentence: str) -> None:
    """Without its link it answers nothing."""
    assert is_pointer(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "You will see [the button](b.md) at the top, which starts the robot.",
        "If you see [this error](e.md), restart the robot.",
        "To see the [map](m.md) press M.",
        "See how it works in the [next chapter](c.md), where we build a robot that walks.",
        "See `man foo` for the flags.",
        "Visit [the shop](https://shop.test) and sign up.",
        "Check if the rope matches the [list](l.md).",
        "Read [the label](l.md) first.",
        "To see the boats on [the lake](l.md), you need to open the gate.",
        "Read the [label](l.md) (default: `wet`).",
        "For a dry rope, use [Manila](m.md).",
        "(See the rope) and pull it.",
    ],
)
def test_sentence_that_says_something_is_no_pointer(sentence: str) -> None:
    """Instructions see things too."""
    assert not is_pointer(sentence)


@pytest.mark.parametrize(
    "text",
    [
        "Due: week 4",
        "Points: 100",
        "Submit by 12 May",
        "Time required: 3 hours",
        "**Estimated time**: 45 minutes",
        "Build a robot (due week 4)",
    ],
)
def test_due_date_is_known(text: str) -> None:
    """It is the course's, not the subject's."""
    assert is_due_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "The path has 3 points",
        "It takes 3 hours",
        f"Due 4. {'The tide comes in and the boats go out. ' * 4}",
        "Books are due 21 days after you borrowed them.",
        "Rent is due on the 5th of each month.",
        "Submit 2 copies of the form to the office.",
        "A win gives points: 3",
        "Points 3 and 4 of the map are buoys.",
    ],
)
def test_number_of_the_subject_is_no_due_date(text: str) -> None:
    """It may be just what is asked for."""
    assert not is_due_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "Last updated: 2025-02-01",
        "**Updated on May 3rd, 2025.**",
        "Published 2019",
        "Last modified 2025-02-01 10:20",
    ],
)
def test_date_of_a_text_is_known(text: str) -> None:
    """It heads many pages, and answers nothing."""
    assert is_date_of_text(text)


@pytest.mark.parametrize(
    "text", ["The tower was changed in 2019 by its keeper.", "Published by us", "2025-02-01"]
)
def test_date_of_the_subject_is_none_of_the_text(text: str) -> None:
    """It may be asked for."""
    assert not is_date_of_text(text)


@pytest.mark.parametrize(
    "line", ["— @ann, maintainer of the Owncast server", "—Dr. Ann Lee on cheese", "― Ann Lee, *The Dairy*"]
)
def test_line_that_names_who_said_it_is_a_credit(line: str) -> None:
    """Alone it says nothing."""
    assert is_credit(line)


@pytest.mark.parametrize(
    "line",
    [
        "— Good day, said Ann.",
        "— Where is the cheese?",
        "— Come here!”",
        "— Bien, dit-il,",
        "—Pero yo—",
        "— The feature is not supported",
        "― そう言った。",
        "Cheese — a meal",
        "—",
    ],
)
def test_speech_and_a_dash_within_are_no_credits(line: str) -> None:
    """Novels in many languages begin speech with a dash."""
    assert not is_credit(line)


LINKS = "- [A map](https://map.test) - where to moor\n- [Tides](https://tides.test)\n"
PAPERS = "3. Hand, A., et al. (2019). Mooring.\n   - On mooring in wind\n"
STEPS = "Moor at the second ring. Call the harbour master, see [the list](list.md).\n\nThen wait.\n\nGo.\n"


@pytest.mark.parametrize(
    ("heading", "above", "text", "is_side"),
    [
        ("Mooring", ("Further reading",), LINKS, True),
        ("Mooring", ("References", "In wind"), PAPERS, True),
        ("Mooring", ("The harbour", "9. Resources and Links"), LINKS, True),
        ("Mooring", ("Further reading",), STEPS, False),
        ("Mooring", ("Ropes",), LINKS, False),
        ("Mooring", ("References and borrowing",), LINKS, False),
        ("Mooring", ("Assessment",), LINKS, False),
        ("References", (), PAPERS, True),
        ("References", (), STEPS, False),
    ],
)
def test_section_below_references_is_one_if_it_lists_sources(
    heading: str, above: tuple[str, ...], text: str, is_side: bool
) -> None:
    """A list of papers by subject has the subjects' names for headings, and answers nothing about them."""
    assert is_side_section(heading, text, above) is is_side
