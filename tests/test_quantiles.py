"""Quantiles without a group of the values: as numpy's own on the rest, to the last bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.stats.quantiles import Ranked, Rankings

values = st.lists(st.floats(-1e6, 1e6) | st.integers(0, 3).map(float), min_size=1, max_size=60)


@given(values, st.integers(1, 8), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_as_numpy_does_it_group_by_group(values, groups, q, seed):
    values = np.array(values)
    group = np.random.default_rng(seed).integers(0, groups, len(values))
    ranked = Ranked(values, group, groups)
    assert ranked.quantile(q) == np.quantile(values, q)
    found, there = ranked.without_each(q)
    for k in range(groups):
        rest = values[group != k]
        assert there[k] == bool(len(rest))
        assert found[k] == (np.quantile(rest, q) if len(rest) else 0.0)


def test_many_values():
    rng = np.random.default_rng(1)
    values, group = rng.lognormal(3, 1, 5000), rng.integers(0, 30, 5000)
    for q in (0.0, 0.5, 0.9, 0.95, 1.0):
        expected = [np.quantile(values[group != k], q) for k in range(30)]
        assert Ranked(values, group, 30).without_each(q)[0].tolist() == expected


def test_values_are_put_in_order_once_for_each_name_and_array():
    values, late = np.array([4.0, 1.0, np.nan, 3.0]), np.array([True, False, False, True])
    rankings = Rankings(2)
    first = rankings.of(values, late, "late", np.array([0, 1, 0, 1]))
    assert first.values.tolist() == [3.0, 4.0]
    assert first.without_each(0.5)[0].tolist() == [3.0, 4.0]
    assert rankings.of(values, late, "late", None) is first
    assert rankings.of(values, ~np.isnan(values), "all", None).values.tolist() == [1.0, 3.0, 4.0]
    # Another array may get the number of one that is gone: the old one is kept.
    assert rankings.of(values + 1, late, "late", None).values.tolist() == [4.0, 5.0]
