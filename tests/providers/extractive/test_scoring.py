"""Test how well a unit answers a question, and whether the passages answer it at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragbot.providers.extractive.question import asked_for
from ragbot.providers.extractive.scoring import (
    DEFINES,
    FEATURES,
    READ_SUPPORT_WEIGHTS,
    SUPPORT_FEATURES,
    SUPPORT_WEIGHTS,
    UNIT_WEIGHTS,
    coverage,
    defines,
    likeness,
    sameness,
    score,
    support_features,
    supports,
    unit_features,
)
from tests.providers.extractive.passages import READER, candidates_of, read, weights_of

CELLAR = "The cellar is tiled. Alice sweeps it."


def best_of(question: str, *texts: str) -> str:
    """Return the words of the unit that scores highest; equal passages come in the order given."""
    return candidates_of(question, *map(read, texts))[0].read.unit.words


def features_of(question: str, text: str, *headings: str) -> dict[str, float]:
    """Return what tells of the first unit's worth, by name."""
    (candidate, *_) = [one for one in candidates_of(question, read(text, *headings)) if one.index == 0]
    asked = asked_for(question)
    subject = READER.terms("english", asked.subject) if asked.subject else frozenset()
    values = unit_features(asked, weights_of(question), subject, candidate)
    return dict(zip(FEATURES, values, strict=False))


def supported(question: str, *texts: str, unknown: Sequence[str] = ()) -> bool:
    """Return whether the texts answer a question of which these words stand nowhere in the book."""
    weights = {**weights_of(question), **dict.fromkeys(unknown, 4.0)}
    return supports(asked_for(question), weights, unknown, candidates_of(question, *map(read, texts)))


# --- measures ----------------------------------------------------------------------------------


def test_coverage_is_the_share_of_the_questions_weight() -> None:
    """A rare word counts for more."""
    weights = {"cheddar": 3.0, "long": 1.0}

    assert coverage(weights, frozenset({"cheddar"})) == pytest.approx(0.75)
    assert coverage({}, frozenset({"cheddar"})) == 0


def test_likeness_of_a_heading_to_a_question_is_one_where_they_are_the_same() -> None:
    """ "Installing on Windows" is asked as it stands."""
    weights = {"instal": 1.0, "window": 1.0}

    assert likeness(weights, frozenset({"instal", "window"})) == 1
    assert 0 < likeness(weights, frozenset({"instal", "linux"})) < 1
    assert likeness(weights, frozenset()) == likeness({}, frozenset({"instal"})) == 0


def test_sameness_of_names_is_one_only_for_the_same() -> None:
    """A "ROS 2 node" is a node of a kind; a "topic" is something else."""
    node = frozenset({"node"})

    assert sameness(node, node) == 1
    assert 0 < sameness(frozenset({"ros", "2", "node"}), node) < DEFINES
    assert sameness(frozenset({"topic"}), node) == sameness(node, frozenset()) == 0


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("Curd is what milk becomes.", 1),
        ("**Curd (the solids)**: what milk becomes", 1),
        ("Fresh curd is soft.", 0.2),
        ("Bob makes curd.", 0),
    ],
)
def test_definition_begins_with_its_subject(text: str, least: float) -> None:
    """A sentence that only holds the word does not define it."""
    value = defines(read(text).units[0], frozenset({"curd"}))

    assert value >= least
    assert value < DEFINES or least == 1


def test_every_feature_has_its_weight() -> None:
    """A row that is too short would shift them."""
    assert list(map(len, UNIT_WEIGHTS)) == [len(FEATURES), len(FEATURES) - 1]
    assert len(READ_SUPPORT_WEIGHTS) == len(SUPPORT_FEATURES) == len(SUPPORT_WEIGHTS) + 1


# --- units -------------------------------------------------------------------------------------


def test_sentence_with_the_questions_words_scores_best() -> None:
    """It is what the answer is made of."""
    assert best_of("Who ripens the cheddar?", f"{CELLAR} Bob ripens the cheddar. Milk comes at six.") == (
        "Bob ripens the cheddar."
    )


def test_words_of_the_heading_count_for_its_sentences() -> None:
    """A sentence under "Ripening the cheddar" need not say so again."""
    (of_cheddar, of_bread) = (
        read("It takes nine months in all.", "Dairy", "Ripening the cheddar"),
        read("It takes nine months in all.", "Bakery", "Baking bread"),
    )

    found = candidates_of("How is the cheddar ripened?", of_bread, of_cheddar)

    assert found[0].passage == 1


def test_definition_scores_before_a_mention() -> None:
    """ "What is X?" is answered by what X is."""
    assert (
        best_of(
            "What is curd?", "Bob cuts the curd with a curd knife. Milk is warmed. Curd is what milk becomes."
        )
        == "Curd is what milk becomes."
    )


def test_number_scores_where_a_number_is_asked_for() -> None:
    """Its neighbour with the same words does not answer."""
    assert (
        best_of(
            "How long is the cheddar ripened?",
            "The cheddar is ripened with care. The cheddar is ripened 9 months.",
        )
        == "The cheddar is ripened 9 months."
    )


def test_step_scores_where_steps_are_asked_for() -> None:
    """And prose about it does not."""
    question, text = "How do I wash the rind?", "Washing the rind is old.\n\n1. Wash the rind in brine."

    assert features_of(question, "1. Wash the rind in brine.")["step"] == 1
    assert best_of(question, text) == "Wash the rind in brine."


def test_listing_scores_only_where_a_command_is_asked_for() -> None:
    """Code says nothing to a reader who asks why."""
    text = "The loaf is scored before baking.\n\n```\nscore loaf\n```"

    assert best_of("command to score the loaf", text) == "score loaf"
    assert best_of("Why is the loaf scored?", text) == "The loaf is scored before baking."


def test_cause_scores_where_a_cause_is_asked_for() -> None:
    """ "Because" is what a reader looks for."""
    assert (
        best_of(
            "Why is the rind washed?",
            "The rind is washed twice a week. The rind is washed because mould grows.",
        )
        == "The rind is washed because mould grows."
    )


def test_remedy_scores_where_something_does_not_work() -> None:
    """The symptom is what the reader knows."""
    assert (
        best_of("The oven does not start", "The oven does not start at all. Fix the oven plug to start it.")
        == "Fix the oven plug to start it."
    )


def test_better_passage_comes_first_among_equals() -> None:
    """What the search has found counts."""
    found = candidates_of(
        "Who ripens the cheddar?", read("Bob ripens the cheddar.", "A"), read("Bob ripens the cheddar.", "B")
    )

    assert [one.passage for one in found] == [0, 1]


def test_similar_unit_scores_higher_where_similarity_is_known() -> None:
    """Words alone do not bring "dairy" and "milk" together."""
    question = "What do cows give?"
    (one, *_) = candidates_of(question, read("Milk comes at six."))
    asked, weights = asked_for(question), weights_of(question)

    near = score(asked, weights, frozenset(), replace(one, similarity=0.8))
    far = score(asked, weights, frozenset(), replace(one, similarity=0.1))

    assert near > far


# --- support -----------------------------------------------------------------------------------


def test_passages_with_the_questions_words_answer_it() -> None:
    """To refuse it would be wrong."""
    assert supported("Who ripens the cheddar?", "Bob ripens the cheddar for nine months.")


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("How is gouda ripened?", ["gouda"]),
        ("Does Wensleydale mould?", ["wensleydale"]),
        ("quantum entanglement", ["quantum", "entanglement"]),
    ],
)
def test_question_of_a_thing_that_the_book_lacks_is_refused(question: str, unknown: list[str]) -> None:
    """A sentence on another cheese is no answer."""
    assert not supported(question, "Bob ripens the cheddar for nine months.", unknown=unknown)


def test_common_word_that_the_book_lacks_is_no_reason_to_refuse() -> None:
    """A reader says "usually" where the book says nothing of the kind."""
    assert supported("Who usually ripens the cheddar?", "Bob ripens the cheddar.", unknown=["usually"])


def test_question_for_a_number_is_refused_where_there_is_none() -> None:
    """ "With care" does not answer "how many"."""
    question = "How many cheddars are ripened?"
    without = support_features(
        asked_for(question),
        weights_of(question),
        [],
        candidates_of(question, read("The cheddars are ripened.")),
    )
    with_number = support_features(
        asked_for(question),
        weights_of(question),
        [],
        candidates_of(question, read("Twelve cheddars are ripened.")),
    )

    place = SUPPORT_FEATURES.index("no_number")
    assert (without[place], with_number[place]) == (1, 0)
    assert SUPPORT_WEIGHTS[place] < 0


def test_question_without_words_is_not_answered_by_their_absence() -> None:
    """Nothing of it was found, for nothing was looked for."""
    features = support_features(asked_for("?"), {}, [], [])

    assert features[0] == 1
    assert features[-1] == 0


def test_sentence_that_decides_is_told() -> None:
    """A question with two answers wants one of them."""
    question = "Will deleting cells stop the bees?"

    assert features_of(question, "Deleting cells will not prevent it.")["decides"] == 1.0
    assert features_of(question, "Deleting cells is done by hand.")["decides"] == 0.0
    assert features_of("How are cells deleted?", "Cells are not deleted.")["decides"] == 0.0


def test_number_of_another_kind_counts_less() -> None:
    """Weeks are no size."""
    size = features_of("How big is the cellar door?", "The cellar door has 15 square metres.")["number"]
    weeks = features_of("How big is the cellar door?", "The cellar door is 15 weeks old.")["number"]

    assert size > weeks > 0


def test_first_sentence_under_a_heading_that_asks_the_question_replies_to_it() -> None:
    """ "No." says all, and has no word of the question."""
    text = "Milk is cold. So is the cellar.\n\n## Is the cellar as cold as a dairy?\n\nNo. It is warm."

    assert best_of("Is the cellar as cold as a dairy?", text) == "No."


def test_sentence_behind_the_question_in_a_paragraph_replies_to_it() -> None:
    """Authors ask what readers do, and answer in the next sentence."""
    text = "The cheese may sweat in May. So, why does the cheddar sweat? The cellar is damp. Cows rest."

    assert best_of("Why does the cheddar sweat?", text) == "The cellar is damp."


def test_section_that_is_called_what_is_asked_counts() -> None:
    """A reader who types a heading wants that section."""
    text = "## Sleep interval\n\nThe cow rests.\n"

    assert features_of("Sleep interval", text)["under_question"] == 1.0
    assert features_of("How long is the sleep of a cow?", text)["under_question"] == 0.0


def test_measure_counts_in_the_third_best_unit() -> None:
    """A number alone does not: one is mostly of something else."""
    before = "Curd is cut with care. The curd is cut by Bob."
    often = f"{before} Once every month is enough for it."
    number = f"{before} Page 12 tells the rest of it."

    assert supported("How often is the curd cut?", often)
    assert not supported("How often is the curd cut?", number)


def test_relevance_outweighs_the_words() -> None:
    """A cross-encoder has read what the words only count."""
    question = "How long is the cheddar ripened?"
    asked, weights = asked_for(question), weights_of(question)
    (one,) = candidates_of(question, read("The cheddar ripens long."))

    low, high = (score(asked, weights, frozenset(), replace(one, relevance=value)) for value in (-4.0, 4.0))

    assert high - low > 3
    assert low < score(asked, weights, frozenset(), one)


def test_heading_that_is_the_question_is_never_refused() -> None:
    """The steps below "Brewing tea" need not say "brew" or "tea"."""
    question = "How do I brew tea?"
    found = [
        replace(one, relevance=-6.0, score=-4.0)
        for one in candidates_of(question, read("## Brewing tea\n\nFill the kettle."))
    ]

    assert supports(asked_for(question), weights_of(question), (), found)
    assert not supports(asked_for(question), weights_of(question), ("dragon",), found)


def test_certain_answer_needs_more_than_one_that_is_not_refused() -> None:
    """Beside a model it stands where that one erred, so it may not err itself."""
    question = "How many months does Bob ripen the cheddar?"
    asked, weights = asked_for(question), weights_of(question)
    told = candidates_of(question, read("Bob ripens the cheddar for nine months."))
    hinted = candidates_of(question, read("Bob eats cheddar all months. The cellar has nine tiles."))

    assert supports(asked, weights, (), told)
    assert supports(asked, weights, (), told, certainly=True)
    assert supports(asked, weights, (), hinted)
    assert not supports(asked, weights, (), hinted, certainly=True)
    assert not supports(asked, weights, ("Zorro",), told, certainly=True)
    other = asked_for("How many months does Bob ripen the cheddar K2?")
    assert supports(other, weights, (), told)
    assert not supports(other, weights, (), told, certainly=True)
    for relevance, is_certain in ((3.0, True), (-6.0, False)):
        found = [replace(one, relevance=relevance, score=relevance / 2) for one in told]
        assert supports(asked, weights, (), found, certainly=True) is is_certain


def test_price_answers_though_others_have_more_of_the_questions_words() -> None:
    """A sum of money is seldom about something else, a number often is."""
    told = [f"The cheddar of cow {cow} has a cost of time." for cow in "ABCDE"]

    def has_no_value(question: str, *texts: str) -> float:
        asked, found = asked_for(question), candidates_of(question, *map(read, texts))
        values = support_features(asked, weights_of(question), (), found)
        return dict(zip(SUPPORT_FEATURES, values, strict=False))["no_value"]

    assert has_no_value("How much does cheddar cost?", *told, "It is $7.") == 0
    assert has_no_value("How much does cheddar cost?", *told) == 1
