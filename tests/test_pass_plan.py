"""Intervals of pass^k and the test of two models, tried on tickets of known chances.

`python -m pytest -m slow tests/test_pass_plan.py -s` prints a table of how often intervals hold.
"""

from math import comb

import numpy as np
import pytest
from scipy import special

from twin.assistant.difficulty import beta_chances
from twin.stats.pass_plan import Skill, difference, tickets_needed, together_at
from twin.stats.passes import beta_passes, mean_bounds, passed_all


def drawn(rng, skill, tickets, attempts, hard=None):
    """Successes of tickets; `hard` is the luck of each."""
    hard = rng.random(tickets) if hard is None else hard
    return rng.binomial(attempts, beta_chances(skill.mean, skill.spread, hard))


def pairs(rng, first, second, tickets, attempts, together):
    """Successes of two models at the same tickets, of which some are hard for both."""
    z = rng.standard_normal((2, tickets))
    z[1] = together * z[0] + np.sqrt(1 - together**2) * z[1]
    return [
        drawn(rng, skill, tickets, attempts, special.ndtr(luck))
        for skill, luck in zip((first, second), z, strict=True)
    ]


def found(rng, first, second, tickets, attempts, k, together, times):
    """Share of trials in which the test finds a difference."""
    hits = 0
    for _ in range(times):
        a, b = pairs(rng, first, second, tickets, attempts, together)
        hits += difference(passed_all(a, attempts, k), passed_all(b, attempts, k)).differs
    return hits / times


def test_choices_are_counted_as_binomial_coefficients():
    for n in range(1, 7):
        for c in range(n + 1):
            for k in range(1, n + 1):
                assert passed_all([c], [n], k)[0] == pytest.approx(comb(c, k) / comb(n, k))
    assert np.isnan(passed_all([2], [2], 3)[0])


def test_the_estimate_has_no_bias():
    rng = np.random.default_rng(1)
    told = beta_passes(0.6, 0.5, 4)
    made = drawn(rng, Skill(0.6, 0.5), 60_000, 5)
    np.testing.assert_allclose(
        [passed_all(made, 5, k).mean() for k in range(1, 5)], told, atol=0.006
    )


def test_a_skill_is_estimated_as_it_was_drawn():
    rng = np.random.default_rng(2)
    skill = Skill.of(drawn(rng, Skill(0.7, 0.3), 40_000, 4), 4)
    assert (skill.mean, skill.spread) == (
        pytest.approx(0.7, abs=0.01),
        pytest.approx(0.3, abs=0.02),
    )
    # Variances in closed form: of one attempt, and of p.
    assert Skill(0.7, 0.3).variance(1, 1) == pytest.approx(0.21)
    assert Skill(0.7, 0.3).between(1) == pytest.approx(0.3 * 0.21)
    assert Skill(0.7, 0.3).variance(4, 1) == pytest.approx(0.21 * (0.3 + 0.7 / 4))
    assert Skill(0.7, 0.0).variance(4, 1) == pytest.approx(0.21 / 4)


def held(rng, skill, tickets, attempts, k, times):
    truth = beta_passes(skill.mean, skill.spread, k)[-1]
    bounds = [
        mean_bounds(passed_all(drawn(rng, skill, tickets, attempts), attempts, k))
        for _ in range(times)
    ]
    return float(np.mean([low <= truth <= high for _, low, high in bounds]))


@pytest.mark.parametrize("k", [1, 4])
def test_intervals_hold_as_often_as_they_say(k):
    rng = np.random.default_rng(3)
    shares = [held(rng, Skill(m, s), t, 4, k, 250) for m, s, t in
              ((0.6, 0.5, 50), (0.9, 0.3, 30), (0.3, 0.5, 100))]  # fmt: skip
    assert np.mean(shares) >= 0.93
    assert min(shares) >= 0.91


@pytest.mark.slow
def test_intervals_hold_on_many_kinds_of_tickets():
    rng, shares = np.random.default_rng(4), []
    print("\nmean spread tickets attempts k held")
    for mean in (0.1, 0.4, 0.6, 0.9, 0.97):
        for spread in (0.0, 0.2, 0.5, 0.9):
            for tickets in (15, 50, 150):
                for attempts, k in ((1, 1), (4, 1), (4, 4)):
                    share = held(rng, Skill(mean, spread), tickets, attempts, k, 400)
                    shares.append(share)
                    print(mean, spread, tickets, attempts, k, share)
    print("mean", np.mean(shares), "least", np.min(shares))
    assert np.mean(shares) >= 0.94
    assert np.quantile(shares, 0.05) >= 0.9


@pytest.mark.parametrize("k", [1, 3])
def test_models_that_do_not_differ_are_called_different_one_time_in_twenty(k):
    rng, skill = np.random.default_rng(5), Skill(0.65, 0.4)
    share = found(rng, skill, skill, 60, 4, k, 0.6, 800)
    # Two standard errors of 800 trials on either side.
    assert 0.03 < share < 0.07


@pytest.mark.parametrize(
    ("attempts", "k", "together"), [(1, 1, 0.0), (4, 1, 0.0), (4, 2, 0.7), (8, 1, 0.7)]
)
def test_as_many_tickets_as_planned_find_the_difference_four_times_in_five(attempts, k, together):
    first, second = Skill(0.6, 0.5), Skill(0.72, 0.45)
    rng = np.random.default_rng(6)
    # The correlation of p^k, not of the normals that it was drawn by.
    a, b = (
        passed_all(x, 40, k) for x in pairs(rng, first, second, 20_000, 40, together)
    )  # fmt: skip
    real = together_at(a, b, first, second, k)
    plan = tickets_needed(first, second, (attempts,), k, real)
    tickets = int(plan["tickets"].iloc[0])
    share = found(rng, first, second, tickets, attempts, k, together, 500)
    assert 0.75 < share < 0.85, (tickets, real)


def test_more_attempts_need_fewer_tickets_but_not_without_end():
    plan = tickets_needed(Skill(0.6, 0.5), Skill(0.7, 0.5), (1, 2, 4, 8, 1000))
    tickets = plan["tickets"].tolist()
    assert tickets == sorted(tickets, reverse=True)
    assert plan["calls"].iloc[0] == 2 * tickets[0]
    # Half of what varies is between tickets.
    assert tickets[-1] == pytest.approx(tickets[0] / 2, rel=0.03)
    assert np.isinf(tickets_needed(Skill(0.6, 0.5), Skill(0.6, 0.5), (1,))["tickets"].iloc[0])
    assert tickets_needed(Skill(0.6, 0.5), Skill(0.7, 0.5), (1, 2), k=2)["attempts"].tolist() == [2]


def test_tickets_that_all_go_alike_show_no_difference():
    same = difference([1, 1, 0], [1, 1, 0])
    assert (same.value, same.differs, same.p) == (0.0, False, 1.0)
    assert not difference([0.5], [1.0]).differs
    assert mean_bounds([1.0] * 20)[1] == pytest.approx(0.828, abs=0.01)
    assert np.isnan(mean_bounds([])).all()
