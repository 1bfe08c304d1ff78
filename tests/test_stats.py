"""Intervals over replications: against the plain t interval, by hand, and by their coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from twin.stats.intervals import ratio_interval, summarize

NAN = np.nan
numbers = st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=2, max_size=12)
counts = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=2, max_size=12)


@given(numbers, st.floats(0.5, 100), st.floats(0.5, 0.99))
def test_equal_denominators_give_the_plain_t_interval(values, denominator, level):
    value, low, high = ratio_interval(values, [denominator] * len(values), level)
    of_mean = np.array(values) / denominator
    half = scipy_stats.t.ppf((1 + level) / 2, len(values) - 1) * of_mean.std(ddof=1)
    half /= np.sqrt(len(values))
    tight = {"rel": 1e-6, "abs": 1e-6}
    assert value == pytest.approx(of_mean.mean(), **tight)
    assert high - value == pytest.approx(half, **tight)
    assert value - low == pytest.approx(half, **tight)


@given(counts, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_units_do_not_matter(pairs, a, b):
    over, under = np.array(pairs, dtype=float).T
    plain = np.array(ratio_interval(over, under))
    scaled = np.array(ratio_interval(over * a, under * b))
    assert scaled == pytest.approx(plain * a / b, rel=1e-6, abs=1e-9 * a / b)


@given(counts, st.randoms(use_true_random=False))
def test_order_and_empty_replications_do_not_matter(pairs, random):
    over, under = np.array(pairs, dtype=float).T
    mixed = [*pairs, (0, 0), (0, 0)]
    random.shuffle(mixed)
    assert ratio_interval(*np.array(mixed, dtype=float).T) == pytest.approx(
        ratio_interval(over, under), rel=1e-6, abs=1e-9
    )


def test_a_ratio_by_hand():
    # Left out in turn: 5/6, 4/5, 3/3; mean 79/90; squared error 2/3 of the squared differences.
    value, low, high = ratio_interval([1, 2, 3], [1, 2, 4])
    parts = np.array([5 / 6, 4 / 5, 3 / 3])
    error = np.sqrt(2 / 3 * ((parts - parts.mean()) ** 2).sum())
    assert value == pytest.approx(6 / 7)
    assert high - value == pytest.approx(4.302653 * error)
    assert value - low == pytest.approx(4.302653 * error)


@pytest.mark.parametrize(
    ("over", "under", "value"),
    [
        ([], [], NAN),
        ([3], [4], 0.75),
        ([0, 0], [0, 0], NAN),
        ([3, 0], [4, 0], 0.75),
        ([3, 5], [0, 0], NAN),
        ([3, 5], [4, 0], 2.0),
        ([3, NAN], [4, 4], NAN),
    ],
)
def test_bounds_are_missing_where_undefined(over, under, value):
    found = ratio_interval(over, under)
    assert found == pytest.approx((value, NAN, NAN), nan_ok=True)


def test_no_spread_is_an_interval_of_no_width():
    assert ratio_interval([1, 2, 3], [2, 4, 6]) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("level", [0, 1, 95])
def test_levels_are_shares(level):
    with pytest.raises(ValueError, match="level"):
        ratio_interval([1, 2], [1, 2], level)


def test_lists_must_match():
    with pytest.raises(ValueError, match="same length"):
        ratio_interval([1, 2], [1, 2, 3])


def rows(replication, *figures, **more):
    columns = ["kpi", "group", "unit", "numerator", "denominator"]
    return pd.DataFrame(figures, columns=columns).assign(replication=replication, **more)


def test_summary_of_replications():
    every = ("wait", "", "s")
    low = ("wait", "low", "s")
    high = ("wait", "high", "s")
    cost = ("cost", "", "USD")
    frame = pd.concat(
        [
            rows(0, (*every, 6.0, 2), (*low, 6.0, 2), (*cost, 1, 1)),
            rows(1, (*every, 9.0, 2), (*high, 4.0, 1), (*cost, 3, 1)),
            rows(2, (*every, 6.0, 3), (*low, 1.0, 1), (*cost, NAN, 1)),
        ]
    )
    found = summarize(frame)
    assert list(found) == [
        "kpi",
        "group",
        "unit",
        "value",
        "low",
        "high",
        "half_width",
        "replications",
        "texts",
        "text_error",
    ]
    # The group that the first replication lacks still stands with its figure.
    assert list(zip(found["kpi"], found["group"], strict=True)) == [
        ("wait", ""),
        ("wait", "low"),
        ("wait", "high"),
        ("cost", ""),
    ]
    assert found["value"].tolist() == pytest.approx([3.0, 7 / 3, 4.0, NAN], nan_ok=True)
    assert found["replications"].tolist() == [3, 2, 1, 3]
    assert found["unit"].tolist() == ["s", "s", "s", "USD"]
    assert found.loc[0, ["value", "low", "high"]].tolist() == pytest.approx(
        ratio_interval([6, 9, 6], [2, 2, 3])
    )
    assert found["half_width"].isna().tolist() == [False, False, True, True]


def test_summary_keeps_scenarios_apart():
    wait = ("wait", "", "s", 6.0, 2)
    more = ("wait", "", "s", 8.0, 2)
    frame = pd.concat(
        [
            rows(0, wait, scenario="b"),
            rows(0, more, scenario="a"),
            rows(1, wait, scenario="b"),
        ]
    )
    found = summarize(frame)
    assert found["scenario"].tolist() == ["b", "a"]
    assert found["value"].tolist() == [3, 4]
    assert found["replications"].tolist() == [2, 1]


def test_summary_of_nothing_is_empty():
    assert summarize(rows(0)).empty


def test_a_figure_twice_in_a_replication_is_an_error():
    wait = ("wait", "", "s", 6.0, 2)
    with pytest.raises(ValueError, match="twice"):
        summarize(rows(0, wait, wait))


@pytest.mark.slow
def test_coverage_of_a_ratio():
    """Nominal 95 % intervals of a ratio of sums hold its true value in 93-97 % of experiments."""
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        # Busy days are also slow days, so numerator and denominator go together.
        arrivals = generator.poisson(generator.gamma(10, 10, size=20))
        waits = generator.gamma(arrivals, 1.0)
        _, low, high = ratio_interval(waits, arrivals)
        covered += low <= 1.0 <= high
    assert 0.93 <= covered / 2000 <= 0.97
