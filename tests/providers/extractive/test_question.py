"""Test what a question asks for, by its wording."""

from __future__ import annotations

import time

import pytest

from ragbot.providers.extractive.question import (
    Want,
    asked_for,
    asks_negated,
    is_negated,
    names_unknown,
    parts_of,
)


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("What is ROS 2?", "ROS 2"),
        ("What's a node?", "node"),
        ("what are topics", "topics"),
        ("Define URDF", "URDF"),
        ("What does DDS stand for?", "DDS"),
        ("What is meant by sim-to-real?", "sim-to-real"),
        ("Please tell me what a node is", "node"),
        ("What is a node in ROS 2?", "node"),
        ("Who is Alice?", "Alice"),
        ("Was ist ein Knoten?", "Knoten"),
        ("Qu'est-ce que ROS ?", "ROS"),
        ("¿Qué es un nodo?", "nodo"),
        ("ノードとは何ですか", "ノード"),
        ("什么是节点", "节点"),
    ],
)
def test_meaning_is_asked_of_its_subject(question: str, subject: str) -> None:
    """A definition begins with it."""
    asked = asked_for(question)

    assert (asked.want, asked.subject) == (Want.MEANING, subject)


@pytest.mark.parametrize(
    "question",
    [
        "What is the torque of the arm?",
        "What is the syntax for a loop?",
        "What is the name of the boat?",
        "What is the name by which the harbour was known to the old fishermen?",
    ],
)
def test_question_for_a_value_of_a_thing_asks_for_no_meaning(question: str) -> None:
    """It is not answered by what an arm is."""
    asked = asked_for(question)

    assert (asked.want, asked.subject) == (Want.OTHER, "")


@pytest.mark.parametrize(
    ("question", "want"),
    [
        ("How do I install ROS 2?", Want.STEPS),
        ("Installing on Windows", Want.STEPS),
        ("Steps to build a package", Want.STEPS),
        ("What should I do after a crash?", Want.STEPS),
        ("How do I tell the kiln to cool down?", Want.STEPS),
        ("How can I tell whether the kiln is hot?", Want.OTHER),
        ("How do you recognise clay?", Want.OTHER),
        ("How do I know when the kiln is hot?", Want.OTHER),
        ("How do I know what to fire?", Want.STEPS),
        ("What is in the kit?", Want.LIST),
        ("What four things shape a pot?", Want.LIST),
        ("What's part of the kit?", Want.LIST),
        ("How many nodes are there?", Want.NUMBER),
        ("When was the light built?", Want.NUMBER),
        ("How much does a berth cost?", Want.NUMBER),
        ("Which sensors are used?", Want.LIST),
        ("Which glaze does the kiln need?", Want.OTHER),
        ("What can I spend the money on?", Want.LIST),
        ("What are the marbles for?", Want.OTHER),
        ("The kiln is hot, what now?", Want.STEPS),
        ("I want to fire a bowl twice. How?", Want.STEPS),
        ("The glaze is too thin. What can I do?", Want.STEPS),
        ("List the types of joints", Want.LIST),
        ("What are the advantages of DDS?", Want.LIST),
        ("Why is the rind washed?", Want.CAUSE),
        ("What is the purpose of the rind?", Want.CAUSE),
        ("Is the rind edible?", Want.YES_NO),
        ("Can I dive alone?", Want.YES_NO),
        ("When may I use the radio?", Want.OTHER),
        ("When do I become a member?", Want.NUMBER),
        ("What is the maximum depth?", Want.NUMBER),
        ("What is the most milk I can store?", Want.NUMBER),
        ("What is the default rind?", Want.OTHER),
        ("cheddar", Want.OTHER),
        ("", Want.OTHER),
    ],
)
def test_want_is_read_from_the_wording(question: str, want: Want) -> None:
    """Steps are shown as steps, and a number must be one."""
    assert asked_for(question).want is want


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("What is the difference between a topic and a service?", ("topic", "service")),
        ("topic vs service", ("topic", "service")),
        ("Compare Gazebo with Isaac Sim", ("Gazebo", "Isaac Sim")),
        ("How does a topic differ from a service?", ("topic", "service")),
        ("Is it a topic or a service?", ("topic", "service")),
        ("Should I use Gazebo or Isaac Sim?", ("Gazebo", "Isaac Sim")),
        ("Which is better, bread or cheese?", ("bread", "cheese")),
    ],
)
def test_choice_is_between_its_two_options(question: str, options: tuple[str, str]) -> None:
    """Both are looked for."""
    asked = asked_for(question)

    assert (asked.want, asked.options) == (Want.CHOICE, options)


def test_or_between_two_words_of_a_statement_is_no_choice() -> None:
    """Only a question that can be answered by one of them is."""
    assert asked_for("What can milk or cream be made into?").options == ()


@pytest.mark.parametrize(
    "question", ["How do I list topics?", "command to list topics", "an example of a loop"]
)
def test_code_may_answer_where_a_command_is_asked_for(question: str) -> None:
    """A listing is worth more than prose there."""
    assert asked_for(question).wants_code


def test_code_is_no_answer_to_why() -> None:
    """It says nothing in words."""
    assert not asked_for("Why is the rind washed?").wants_code


@pytest.mark.parametrize(
    "question", ["How do I fix the error X?", "My build fails", "The robot doesn't move"]
)
def test_trouble_is_known(question: str) -> None:
    """Its remedy is looked for, not its symptom."""
    assert asked_for(question).is_trouble


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("What is a node and how do I start it?", ("What is a node", "how do I start it?")),
        ("What is a topic? How many are there?", ("What is a topic", "How many are there?")),
        ("Who made it, and when was it made?", ("Who made it", "when was it made?")),
    ],
)
def test_two_questions_in_one_are_two_parts(text: str, parts: tuple[str, str]) -> None:
    """Each gets its own answer."""
    assert parts_of(text) == parts


@pytest.mark.parametrize(
    "text",
    ["What is salt and pepper?", "How do I build and run it?", "bread and how", "What is a node and what?"],
)
def test_one_question_is_one_part(text: str) -> None:
    """Half a question finds half an answer."""
    assert parts_of(text) == (text,)


def test_question_about_the_things_just_asked_for_is_no_second_one() -> None:
    """It would take half of the answer's room."""
    question = "Which buttons are there and what does each mean?"

    assert parts_of(question) == (question,)
    assert len(parts_of("Which buttons are there and what does the lid cost?")) == 2


@pytest.mark.parametrize("text", ["Not OK", "What you can't do", "Never", "Unsupported browsers"])
def test_negated_heading_is_known(text: str) -> None:
    """It says the opposite of the heading beside it."""
    assert is_negated(text)
    assert not is_negated("Notes on what is OK")


@pytest.mark.parametrize(
    ("question", "wants"),
    [
        ("How do I press it?", True),
        ("The lid says access denied", True),
        ("Is the lid broken?", False),
        ("What happens if the lid crashes?", False),
        ("What can't I do with a broken lid?", False),
    ],
)
def test_fault_wants_the_steps_against_it(question: str, wants: bool) -> None:
    """But a question with an answer of one word wants that."""
    assert asked_for(question).wants_steps is wants


@pytest.mark.parametrize("begins", ["What is a", "What does", "Define", "Which is better, a", "How", "a or"])
@pytest.mark.parametrize("blank", [" ", "\n", "\u00a0"])
def test_long_run_of_blanks_takes_no_time(begins: str, blank: str) -> None:
    """It took a minute, in which no other reader of the process got a word."""
    question = f"{begins}{blank * 1900}node?"

    begun = time.process_time()
    asked_for(question)
    parts_of(question)

    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    ("question", "unknown", "expected"),
    [
        ("Who is Charles Babbage?", ["charles", "babbage"], True),
        ("How do I use ros_control?", ["ros_control"], True),
        ("What is python3.13?", ["python3.13"], True),
        ("How is gouda made?", ["gouda"], False),
        ("Gouda is made how?", ["gouda"], False),
        ("Who is Charles?", [], False),
        ("Tell me about Nvidia.", ["nvidia"], True),
        ("I live in France. How do I pay?", ["france"], False),
        ("What about Bob's tool?", ["bob"], True),
        ("What is the ROS Navigation Stack?", ["navigation"], True),
        ("HOW LONG IS THE WAITING LIST FOR A BERTH NOWADAYS?", ["nowadays"], False),
        ("How Much Does The Kettle Hold In The Wintertime?", ["wintertime"], False),
    ],
)
def test_unknown_name_is_a_capital_or_an_identifier(
    question: str, unknown: list[str], expected: bool
) -> None:
    """Names that stand nowhere in a book are hardly its subject; the first word has its capital anyhow."""
    assert names_unknown(question, unknown) is expected


def test_capital_of_a_noun_is_no_name() -> None:
    """In German each noun has one."""
    question = "Gilt die Garantie für Schäden im Gerät mit dem x_55?"

    assert not names_unknown(question, ["gerät"], capitals_are_names=False)
    assert names_unknown(question, ["x_55"], capitals_are_names=False)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which tools may I not use?", True),
        ("What tools are not allowed?", True),
        ("Which tools are allowed?", False),
        ("I don't know which tools are allowed. Which may I use?", False),
        ("I am not sure what tools are allowed", False),
        ("I have no idea which tools are allowed", False),
    ],
)
def test_question_for_what_is_not(question: str, expected: bool) -> None:
    """A reader who does not know denies nothing."""
    assert asks_negated(question) is expected
