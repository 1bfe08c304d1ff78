"""Intervals of shares of counted things: within [0, 1], and as sure as they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.stats.differences import differences
from twin.stats.intervals import ratio_interval, summarize
from twin.stats.sequential import wanted_replications

SHARES = (0.001, 0.005, 0.02, 0.1, 0.5, 0.9, 0.98, 0.999)
REPLICATIONS = (3, 5, 10, 20, 50)
TICKETS = 500
TRIALS = 2000
# Correlation of the tickets of a replication: independent, and days that differ somewhat or much.
ALIKE = (0.0, 0.002, 0.01)


def summary(hits, totals):
    """The interval of each row of counts, from the table that `summarize` takes."""
    trials, replications = hits.shape
    frame = pd.DataFrame({
        "kpi": np.repeat(np.arange(trials).astype(str), replications),
        "group": "",
        "unit": "share",
        "replication": np.tile(np.arange(replications), trials),
        "numerator": hits.ravel().astype(float),
        "denominator": totals.ravel().astype(float),
    })  # fmt: skip
    return summarize(frame)


@SETTINGS
@given(
    st.lists(
        st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
        min_size=2,
        max_size=12,
    )
)
def test_bounds_hold_the_share_and_stay_within_0_and_1(pairs):
    hits, totals = np.array(pairs).T
    row = summary(hits[None, :], totals[None, :]).iloc[0]
    if np.count_nonzero(totals) < 2:
        assert np.isnan(row["low"])
        return
    assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
    # Nothing seen is not nothing there, however many there were.
    assert row["low"] < row["high"]
    assert row["half_width"] == pytest.approx(
        max(row["high"] - row["value"], row["value"] - row["low"])
    )


def test_the_share_of_misses_is_the_mirror_of_the_share_of_hits():
    rng = np.random.default_rng(5)
    totals = rng.integers(1, 200, (50, 6))
    hits = rng.binomial(totals, rng.random((50, 1)))
    one, other = summary(hits, totals), summary(totals - hits, totals)
    assert np.allclose(one["low"], 1 - other["high"])
    assert np.allclose(one["high"], 1 - other["low"])


def test_nothing_seen_in_three_short_runs_leaves_room():
    row = summary(np.zeros((1, 3)), np.full((1, 3), 495.0)).iloc[0]
    assert row["value"] == 0
    # A share of .00205 shows nothing in three such runs more often than in one of twenty.
    assert row["high"] > 0.00205
    every = summary(np.full((1, 3), 495.0), np.full((1, 3), 495.0)).iloc[0]
    assert every["low"] < 0.9946


def test_many_alike_replications_come_near_the_exact_binomial_interval():
    # Clopper and Pearson for 5,000 of 50,000: .0974 to .1027 (as tables of the F give it).
    rng = np.random.default_rng(1)
    hits = rng.multinomial(5000, np.full(100, 0.01))[None, :]
    row = summary(hits, np.full((1, 100), 500)).iloc[0]
    assert row["low"] == pytest.approx(0.0974, abs=4e-4)
    assert row["high"] == pytest.approx(0.1027, abs=4e-4)


def test_shares_of_time_are_no_counts_and_stay_within_bounds():
    frame = pd.DataFrame({"kpi": "occupancy", "group": "", "unit": "share", "replication": [0, 1],
                          "numerator": [0.5, 99.7], "denominator": [100.0, 100.0]})  # fmt: skip
    row = summarize(frame).iloc[0]
    assert (row["low"], row["high"]) == (0.0, 1.0)
    value, low, high = ratio_interval([8.25, 9.5, 10.0], [11.0, 11.0, 11.0])
    assert low < value < high


def drawn(rng, share, alike, replications):
    """Hits and totals of `TRIALS` experiments; a replication's tickets are alike as given."""
    totals = rng.poisson(TICKETS, (TRIALS, replications))
    own = np.full(totals.shape, share)
    if alike:
        size = (1 - alike) / alike
        own = rng.beta(share * size, (1 - share) * size, totals.shape)
    return rng.binomial(totals, own), totals


@pytest.mark.slow
def test_shares_are_covered_as_stated():
    """Coverage by replications, share and likeness: at least 93 %, with the table printed."""
    rng = np.random.default_rng(20260105)
    worst = 1.0
    for alike in ALIKE:
        print(f"\ncorrelation of a replication's tickets {alike:g}\n   n " + "".join(
            f"{share:>8g}" for share in SHARES))  # fmt: skip
        for replications in REPLICATIONS:
            covered = []
            for share in SHARES:
                found = summary(*drawn(rng, share, alike, replications))
                covered.append(((found["low"] <= share) & (share <= found["high"])).mean())
            print(f"{replications:4d} " + "".join(f"{x:8.1%}" for x in covered))
            worst = min(worst, *covered)
    assert worst >= 0.93


def compared(was, now, tickets, paired=True):
    """The difference of two shares over replications, a count a replication."""
    rows = [
        {"scenario": name, "kpi": "share", "group": "", "unit": "share", "replication": k,
         "numerator": float(hits), "denominator": float(tickets)}
        for name, counts in (("was", was), ("now", now))
        for k, hits in enumerate(counts)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    return differences(frame, "was", [("share", "")], {"now": paired}).iloc[0]


def test_three_tickets_more_in_three_runs_are_no_certain_difference():
    # Each replication has one more: no spread between them, and still only three tickets.
    assert compared([0, 0, 0], [1, 1, 1], 495)["p"] > 0.05
    assert compared([0, 0, 0], [1, 1, 1], 495, paired=False)["p"] > 0.05
    assert compared([10, 10, 10], [110, 110, 110], 495)["p"] < 0.01
    same = compared([3, 4, 5], [3, 4, 5], 495)
    assert (same["difference"], same["low"], same["high"]) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
def test_differences_of_rare_shares_are_called_as_seldom_as_stated(paired):
    """Two desks without a difference, of which a tenth of the tickets meet other luck."""
    rng = np.random.default_rng(7)
    for share in (0.001, 0.005, 0.02, 0.5):
        for n in (3, 10):
            called = 0
            for _ in range(400):
                common = rng.binomial(TICKETS * 9 // 10, share, n) if paired else 0
                part = TICKETS // 10 if paired else TICKETS
                was, now = (common + rng.binomial(part, share, n) for _ in range(2))
                called += compared(was, now, TICKETS, paired)["p"] < 0.05
            print(f"paired {paired}, share {share}, n {n}: {called / 400:.1%} called")
            # Of 400 fair ones at 5 %, more than 34 come in one of a thousand.
            assert called <= 34


def test_precision_goes_on_while_a_rare_event_may_only_not_have_been_seen():
    def played(n):
        return pd.DataFrame({
            "kpi": "abandonment_rate", "group": "", "unit": "share",
            "replication": np.arange(n), "numerator": 0.0, "denominator": 100.0,
        })  # fmt: skip

    wanted = {("abandonment_rate", ""): 0.002}
    assert wanted_replications(played(10), wanted, 10) > 10
    # None of 50,000 is below two in a thousand with any likely clustering.
    assert wanted_replications(played(500), wanted, 500) == 500
