"""True if intervals, the sequential rule and comparisons keep what they promise (long studies).

    pytest -m slow -s tests/test_coverage.py

prints the measured shares. Truths are known exactly: of a desk on which nobody waits, played from
end to end, and of the M/M/1 queue, whose stationary waits are sampled directly (each replication
begins with a stationary wait and goes on by Lindley's recursion, so there is no start-up).
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import twin
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.comparison import compare
from twin.experiments.results import Results, Run
from twin.measures.figures import measure
from twin.records.storage import join
from twin.stats.intervals import ratio_interval, summarize
from twin.stats.sequential import wanted_replications
from twin.stats.verdicts import BETTER, HIGHER, LOWER, WORSE

pytestmark = pytest.mark.slow

EXPERIMENTS = 500
# The 95 % intervals of a fair coin with 0.95, thrown 500 times, are about 0.93 to 0.97.
LOW, HIGH = 0.93, 0.97

# Nobody waits, arrivals stop two hours before the end: all are resolved, each in its own time.
NOBODY_WAITS = {
    "horizon": "12h",
    "arrivals": {"rate": "6/h", "surges": [{"start": "10h", "length": "2h", "factor": 0.0}]},
    "targets": {"resolution": {"normal": "10min"}},
    "agents": {
        "all": {"heads": 60, "handle_time": {"distribution": "exponential", "mean": "5min"}}
    },
    "customers": {"solved": {"agent": 1.0}, "survey_rate": 0.0},
}
BUSY = {
    "horizon": "8h",
    "arrivals": {"rate": "9/h"},
    "targets": {"first_response": {"normal": "5min"}, "resolution": {"normal": "20min"}},
    "agents": {
        "all": {
            "heads": 2,
            "handle_time": {"distribution": "exponential", "mean": "10min"},
            "cost": 20.0,
        }
    },
    "customers": {"patience": {"distribution": "exponential", "mean": "20min"}},
}
PER_EXPERIMENT = 10
LOAD, SERVICE = 0.6, 1.0


def quantile_of_exponentials(mean, q, tickets):
    """Expected `q`-quantile, as numpy interpolates it, of a Poisson number of exponential times.

    Of n times the k-th smallest is expected at mean * (1/n + 1/(n-1) + ... + 1/(n-k+1)).
    """
    counts = np.arange(1, int(tickets + 12 * math.sqrt(tickets)))
    chance = scipy_stats.poisson.pmf(counts, tickets)
    expected = []
    for n in counts:
        order = np.cumsum(1 / np.arange(n, 0, -1))
        expected.append(np.interp(q * (n - 1), np.arange(n), order))
    return mean * float(chance @ expected) / chance.sum()


def replications(data, count, swaps=()):
    """Figures of replications of a desk; `swaps` gives some luck of replications far away."""
    scenario, tables = twin.from_data(data), []
    for k in range(count):
        demand = draw(scenario, k)
        if swaps:
            demand = demand.swapped(swaps, k + 1_000_000)
        table = measure(simulate(scenario, demand), scenario)
        tables.append(table[table["group"] == ""].assign(replication=k))
    return pd.concat(tables, ignore_index=True)


def stationary_waits(generator, shape):
    """Waits of M/M/1 customers of shape (replications, customers), each row stationary."""
    n, customers = shape
    gap = SERVICE / LOAD
    wait = np.where(
        generator.random(n) < LOAD, generator.exponential(SERVICE / (1 - LOAD), size=n), 0.0
    )
    waits = np.empty(shape)
    for k in range(customers):
        waits[:, k] = wait
        step = generator.exponential(SERVICE, size=n) - generator.exponential(gap, size=n)
        wait = np.maximum(wait + step, 0.0)
    return waits


def covered(over, under, truth, size):
    """Share of experiments of `size` replications whose 95 % interval holds the truth."""
    hits = []
    for first in range(0, len(over), size):
        _, low, high = ratio_interval(over[first : first + size], under[first : first + size])
        hits.append(low <= truth <= high)
    return float(np.mean(hits))


def test_intervals_of_the_desk_cover():
    """A mean, a ratio and a quantile, from scenario file to interval."""
    kpis = replications(NOBODY_WAITS, EXPERIMENTS * PER_EXPERIMENT)
    truths = {
        "resolution_mean": 300.0,
        "resolution_within_target": 1 - math.exp(-2),
        "resolution_p90": quantile_of_exponentials(300.0, 0.9, 60),
    }
    shares = {}
    for name, truth in truths.items():
        rows = kpis[kpis["kpi"] == name].sort_values("replication")
        over, under = rows["numerator"].to_numpy(), rows["denominator"].to_numpy()
        shares[name] = covered(over, under, truth, PER_EXPERIMENT)
    print(f"\n95 % intervals of {EXPERIMENTS} experiments on the desk cover: {shares}")
    assert all(LOW <= share <= HIGH for share in shares.values()), shares


def test_intervals_of_waits_cover():
    """Mean wait, and share within a time, of M/M/1: 20 replications of 500 customers."""
    generator = np.random.default_rng(1)
    waits = stationary_waits(generator, (EXPERIMENTS * 20, 500))
    ones, limit = np.full(len(waits), 500.0), 2.0
    shares = {
        "mean wait": covered(waits.sum(axis=1), ones, LOAD * SERVICE / (1 - LOAD), 20),
        "share within": covered(
            (waits <= limit).sum(axis=1).astype(float),
            ones,
            1 - LOAD * math.exp(-(1 - LOAD) / SERVICE * limit),
            20,
        ),
    }
    print(f"\n95 % intervals of {EXPERIMENTS} experiments on M/M/1 cover: {shares}")
    assert all(LOW <= share <= HIGH for share in shares.values()), shares


@pytest.mark.parametrize("half_width", [0.1, 0.3])
def test_the_sequential_rule_keeps_its_promise(half_width):
    """Within the half-width of the truth in 95 % of experiments, and the interval as narrow."""
    generator, truth = np.random.default_rng(2), LOAD * SERVICE / (1 - LOAD)
    hits, narrow, sizes = [], [], []
    for _ in range(EXPERIMENTS):
        means = stationary_waits(generator, (400, 500)).mean(axis=1)
        played, wanted = 0, 10
        while wanted > played:
            played = wanted
            frame = wait_frame(means[:played])
            wanted = wanted_replications(frame, {("wait", ""): half_width}, played, most=len(means))
        row = summarize(frame).iloc[0]
        hits.append(abs(row["value"] - truth) <= half_width)
        narrow.append(row["half_width"] <= half_width)
        sizes.append(played)
    share = float(np.mean(hits))
    print(
        f"\nhalf-width {half_width}: the truth is within it in {share:.3f} of {EXPERIMENTS} "
        f"experiments, {np.mean(sizes):.1f} replications on average, {max(sizes)} at most"
    )
    assert share >= LOW
    assert all(narrow)


def wait_frame(means):
    columns = {"kpi": "wait", "group": "", "unit": "s", "replication": np.arange(len(means))}
    return pd.DataFrame({**columns, "numerator": means, "denominator": 1.0})


@pytest.fixture(scope="module")
def alike():
    """The same desk twice with other handle times, patience and ratings of the same law.

    Arrivals are the same for both, so the runs pair, yet hardly a replication is equal.
    """
    anew = (Stream.HANDLE, Stream.PATIENCE, Stream.SOLVED, Stream.SURVEY, Stream.RATING)
    count = EXPERIMENTS * PER_EXPERIMENT
    one, two = replications(BUSY, count), replications(BUSY, count, anew)
    return pd.concat([one.assign(scenario="baseline"), two.assign(scenario="twin")])


@pytest.mark.parametrize("pairs", [True, False])
def test_without_a_difference_few_are_called(alike, pairs):
    """Any verdict but "no difference shown" or "equal", on any figure, is a false call."""
    called, rows = [], []
    for _, kpis in alike.groupby(alike["replication"] // PER_EXPERIMENT):
        found = compare(as_results(kpis.reset_index(drop=True), pairs))
        called.append(found.table["verdict"].isin([BETTER, WORSE, HIGHER, LOWER]).any())
        rows.append(len(found.table))
        assert (found.table["paired"] == pairs).all()
    share = float(np.mean(called))
    print(
        f"\n{'paired' if pairs else 'unpaired'}: of {len(called)} experiments with {rows[0]} "
        f"figures and no difference, {share:.3f} call one; at most 0.050 is promised"
    )
    # Two standard errors of a share of 0.05.
    assert share <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / len(called))


def as_results(kpis, pairs):
    conditions = [{"seed": 1}, {"seed": 1 if pairs else 2}]
    runs = tuple(
        Run(name, "", "complete", 0, 0, 0, manifest={"pairs_by": given})
        for name, given in zip(("baseline", "twin"), conditions, strict=True)
    )
    return Results(kpis, join([], "failures"), runs)
