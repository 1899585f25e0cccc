"""Test a day's budget that all workers share."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from ragbot.core.answers import Usage
from ragbot.storage.daily_budget import KNOWN_S, WAITS_S, DailyBudget
from ragbot.storage.database import Database
from tests.storage.keyvalue.stores import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


HALF_A_DOLLAR = Usage(input_tokens=1000, output_tokens=100, cost_usd=0.5)


def is_spent(budget: DailyBudget) -> bool:
    return budget.left_usd() == 0


def test_calls_at_once_do_not_spend_what_is_left_several_times(database: Database) -> None:
    """Fifty readers who ask together are all told that there is something left."""
    budget = DailyBudget(database, 1.0)
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    taken = [budget.reserve(0.2) for _ in range(4)]
    budget.release(0.2)
    again = budget.reserve(0.2)

    assert (taken, again) == ([True, True, False, False], True)


def test_call_that_may_cost_more_than_is_left_is_made_alone(database: Database) -> None:
    """Or a small budget would never be spent."""
    budget = DailyBudget(database, 0.1)

    taken = [budget.reserve(0.2), budget.reserve(0.2)]
    budget.release(0.2)
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    assert (taken, budget.reserve(0.2)) == ([True, False], False)


def test_spending_of_all_workers_counts_against_the_budget(database: Database, clock: Clock) -> None:
    """A budget of each worker's own would be spent as often as there are workers."""
    one, two = (DailyBudget(database, 1.0, clock=clock) for _ in range(2))
    one.charge("gpt-4o", HALF_A_DOLLAR)
    before = is_spent(two)
    one.charge("gpt-4o", HALF_A_DOLLAR)
    clock.now += KNOWN_S

    assert not before
    assert (is_spent(one), is_spent(two)) == (True, True)
    assert (two.left_usd(), two.spent_today_usd()) == (0.0, 1.0)


def test_spending_lies_in_the_database_by_day_and_model(database: Database, clock: Clock) -> None:
    """The operator can hold it against the provider's bill."""
    budget = DailyBudget(database, None, clock=clock)
    for _ in range(2):
        budget.charge("gpt-4o", HALF_A_DOLLAR)
    budget.charge("openai/text-embedding-3-small", Usage(embedding_tokens=7, cost_usd=0.0))
    clock.now += 86_400
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    with database.reading() as connection:
        rows = connection.execute(text("SELECT * FROM spending ORDER BY day, model")).all()
    assert [tuple(row) for row in rows] == [
        ("2027-01-15", "gpt-4o", 2000, 200, 1.0),
        ("2027-01-15", "openai/text-embedding-3-small", 7, 0, 0.0),
        ("2027-01-16", "gpt-4o", 1000, 100, 0.5),
    ]


def test_vectors_price_is_written_down_with_the_models(database: Database, clock: Clock) -> None:
    """One answer, one write; it counts before, and without a model's it does not wait for ever."""
    budget, other = (DailyBudget(database, 1.0, clock=clock) for _ in range(2))
    vector = Usage(embedding_tokens=8, cost_usd=0.25)
    written = []
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    budget.charge("openai/small", vector, can_wait=True)
    written.append(other.spent_today_usd())
    counted = budget.spent_today_usd()
    budget.charge("gpt-4o", Usage(output_tokens=1))
    clock.now += KNOWN_S
    written.append(other.spent_today_usd())
    budget.charge("openai/small", vector, can_wait=True)
    clock.now += WAITS_S
    budget.charge("openai/small", Usage(embedding_tokens=1), can_wait=True)
    written.append(other.spent_today_usd())

    assert (written, counted) == ([0.5, 0.75, 1.0], 0.75)


def test_new_day_has_a_new_budget(database: Database, clock: Clock) -> None:
    """At midnight UTC."""
    budget = DailyBudget(database, 0.5, clock=clock)
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    spent = is_spent(budget)
    clock.now += 86_400

    assert (spent, is_spent(budget)) == (True, False)


def test_without_a_budget_the_purse_is_never_empty(database: Database) -> None:
    """What was spent is known all the same."""
    budget = DailyBudget(database, None)
    budget.charge("gpt-4o", HALF_A_DOLLAR)

    assert (is_spent(budget), budget.left_usd(), budget.spent_today_usd()) == (False, None, 0.5)


def test_what_was_spent_while_the_database_was_away_counts_and_is_written_later(
    engine: Engine, database: Database, clock: Clock
) -> None:
    """Money is gone whether or not somebody can write it down."""
    budget = DailyBudget(database, 1.0, clock=clock)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE spending RENAME TO gone"))
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    budget.charge("gpt-4o", HALF_A_DOLLAR)
    empty_meanwhile = is_spent(budget)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO spending"))
    clock.now += KNOWN_S

    budget.charge("gpt-4o", HALF_A_DOLLAR)

    assert empty_meanwhile
    assert DailyBudget(database, None, clock=clock).spent_today_usd() == 1.5
