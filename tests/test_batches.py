"""Batch means: on series with a known mean, their coverage, and what is too short."""

import math

import numpy as np
import pytest
from scipy import signal, stats

import twin
from twin.stats.batches import BATCHES, batch_means, lag_correlation


def autoregressive(generator, n, correlation, mean=7.0):
    noise = generator.normal(size=n + 1000)
    return signal.lfilter([1], [1, -correlation], noise)[1000:] + mean


def test_independent_values_give_the_interval_of_their_batches():
    values = np.random.default_rng(1).normal(size=4000)
    found = batch_means(values)
    means = values.reshape(BATCHES, -1).mean(axis=1)
    half = stats.t.ppf(0.975, BATCHES - 1) * stats.sem(means)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((means.mean() - half, means.mean() + half))
    assert (found.batches, found.batch_size) == (40, 100)
    assert found.long_enough
    assert abs(found.lag1) < 0.2


def test_intervals_of_a_correlated_series_cover():
    generator = np.random.default_rng(2)
    found = [batch_means(autoregressive(generator, 20_000, 0.9)) for _ in range(500)]
    assert all(one.long_enough for one in found)
    assert 0.92 <= np.mean([one.low <= 7 <= one.high for one in found]) <= 0.98
    # What the plain t interval would make of it.
    values = autoregressive(generator, 20_000, 0.9)
    assert stats.sem(values) * 3 < (found[0].high - found[0].low) / 4


def test_a_run_that_is_too_short_has_no_interval():
    found = batch_means(autoregressive(np.random.default_rng(3), 2000, 0.99))
    assert not found.long_enough
    assert found.lag1 > 0.4
    assert math.isnan(found.low)
    assert math.isfinite(found.value)
    with pytest.raises(ValueError, match="at least 800"):
        batch_means(np.zeros(799))
    with pytest.raises(ValueError, match="same length"):
        batch_means(np.zeros(900), np.ones(1))


def test_weights_missing_values_and_constants():
    values = np.tile([1.0, 3.0], 800)
    assert batch_means(values, np.tile([3.0, 1.0], 800)).value == pytest.approx(1.5)
    holes = np.insert(values, [10, 900], np.nan)
    assert batch_means(holes).value == pytest.approx(2.0)
    flat = batch_means(np.full(800, 4.0))
    assert (flat.value, flat.low, flat.high, flat.lag1) == (4, 4, 4, 0)


def test_lag_correlation_of_a_known_series():
    values = autoregressive(np.random.default_rng(4), 100_000, 0.6)
    assert lag_correlation(values) == pytest.approx(0.6, abs=0.02)


def test_a_single_run_has_intervals_from_its_batches(tmp_path):
    desk = twin.from_data(
        {
            "horizon": "60d",
            "warm_up": "1d",
            "replications": 1,
            "arrivals": {"rate": "6/h"},
            "agents": {"all": {"heads": 3, "handle_time": "15min"}},
        }
    )
    results = twin.run(desk, out=tmp_path)
    table = results.long_run().set_index("kpi")
    assert list(table.index) == ["first_response_mean", "resolution_mean", "backlog", "queue"]
    assert table["long_enough"].all()
    plain = results.summary().query("group == ''").set_index("kpi")
    assert plain.loc["backlog", ["low", "high"]].isna().all()
    for kpi in table.index:
        # The few values that do not fill a batch are left out.
        assert table.loc[kpi, "value"] == pytest.approx(plain.loc[kpi, "value"], rel=0.1)
        assert table.loc[kpi, "low"] < plain.loc[kpi, "value"] < table.loc[kpi, "high"]
    opened = twin.open_results(results.paths[0])
    assert opened.long_run("scenario").equals(results.long_run())
    short = twin.run(desk.vary({"horizon": "2d"}), keep_logs=True)
    assert short.long_run().empty
