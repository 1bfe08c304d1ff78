"""Mean gains of nothing that are taken for gains, and gains that are found: both counted.

`python -m pytest -m slow tests/test_gain.py -s` prints a table.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.experiments.reflect import FEWEST, LOOKS
from twin.stats.gain import chance_by_luck
from twin.stats.pass_plan import difference

RATE = 0.05


def rare(rng, shape, gain, share, loss, noise):
    """Nearly all tickets gain a little, few lose much; the mean is `gain`."""
    up = (gain + share * loss) / (1 - share)
    most = np.clip(up + rng.normal(0, noise, shape), -1, 1)
    return np.where(rng.random(shape) < share, -loss, most)


def few(rng, shape, gain):
    """Most tickets get the same answer as before."""
    told = np.clip(rng.normal(gain / 0.3, 0.35, shape), -1, 1)
    return np.where(rng.random(shape) < 0.3, told, 0.0)


# Gains of tickets by their shape; each has the mean that it is asked for.
SHAPES = {
    "normal": lambda rng, shape, gain: np.clip(rng.normal(gain, 0.25, shape), -1, 1),
    "all or nothing": lambda rng, shape, gain: np.where(
        rng.random(shape) < 0.5 + gain / 2, 1.0, -1.0
    ),
    "few change": few,
    "rare loss": lambda rng, shape, gain: rare(rng, shape, gain, 0.04, 0.8, 0.02),
    "very rare loss": lambda rng, shape, gain: rare(rng, shape, gain, 0.01, 1.0, 0.005),
    "rare win": lambda rng, shape, gain: -rare(rng, shape, -gain, 0.04, 0.8, 0.02),
}


def taken(gains, test=lambda g: chance_by_luck(g)):
    return test(gains) <= RATE / LOOKS


def by_t(gains):
    found = difference(np.zeros(len(gains)), gains)
    return found.p / 2 if found.value > 0 else 1.0


def desks(rng, shape, tickets, gain, times, test=chance_by_luck):
    """Share of desks that take a change, of as many proposals as may be tested."""
    drawn = SHAPES[shape](rng, (times, LOOKS, tickets), gain)
    return float(np.mean([any(taken(look, test) for look in desk) for desk in drawn]))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_does_not_help_is_seldom_taken(shape):
    rng = np.random.default_rng(1)
    # 300 desks of four proposals each: more than 26 of them by luck only once in 1,000 studies of
    # a rule that is wrong in exactly 5 %.
    assert desks(rng, shape, 60, 0.0, 300) <= 26 / 300


def test_a_t_test_would_break_the_promise_where_few_tickets_lose_much():
    rng = np.random.default_rng(2)
    assert desks(rng, "rare loss", 60, 0.0, 300, by_t) > 0.15


def test_a_gain_that_is_large_is_found():
    rng = np.random.default_rng(3)
    drawn = SHAPES["normal"](rng, (300, 100), 0.15)
    assert np.mean([taken(gains) for gains in drawn]) > 0.9


@pytest.mark.slow
def test_error_rate_and_power_by_shape():
    rng = np.random.default_rng(4)
    print("\nshape            tickets   wrong   (t test)  found: .05    .10    .15    .20")
    for shape in SHAPES:
        for tickets in (FEWEST, 60, 100):
            wrong = desks(rng, shape, tickets, 0.0, 2000)
            other = desks(rng, shape, tickets, 0.0, 500, by_t)
            found = [
                np.mean([taken(g) for g in SHAPES[shape](rng, (1000, tickets), gain)])
                for gain in (0.05, 0.1, 0.15, 0.2)
            ]
            told = "   ".join(f"{share:.2f}" for share in found)
            print(f"{shape:16} {tickets:7} {wrong:7.3f} {other:9.3f}          {told}")
            # Three standard errors above the promise.
            assert wrong <= RATE + 3 * np.sqrt(RATE * (1 - RATE) / 2000)


@given(st.lists(st.floats(-1, 1), max_size=60))
def test_it_is_a_chance_in_any_order_and_a_loss_more_is_less_evidence(gains):
    chance = chance_by_luck(gains)
    assert 0 < chance <= 1
    assert chance_by_luck(gains[::-1]) == chance
    assert chance_by_luck([*gains, -1.0]) >= chance
    assert chance_by_luck([*gains, 0.0]) == pytest.approx(chance)
    if all(gain <= 0 for gain in gains):
        assert chance == 1


@pytest.mark.parametrize("gains", [[np.nan], [1.5], [0.1, -2.0], [np.inf]])
def test_a_gain_outside_of_its_bounds_is_refused(gains):
    with pytest.raises(ValueError, match="-1 to 1"):
        chance_by_luck(gains)
