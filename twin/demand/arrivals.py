"""Arrival times, in layers, so that a ticket stays the same ticket whatever the load.

The rate at a load of 1 (hour of week, busy days, bursts) varies in steps, so its integral is
piecewise linear: unit-rate points mapped through its inverse arrive at that rate (Cinlar 1975,
Introduction to Stochastic Processes, section 4.7). The load is `scale` times growth, the factors of
days and the surges. Layer 0 holds the tickets of a load of 1; each layer above, with luck of its
own, those of one load more. A load in between keeps a ticket of its last layer with the chance that
is missing: independent Poisson processes add up, and a thinned one is Poisson (Lewis and Shedler
1979, Naval Research Logistics Quarterly 26). So twice the load is the same tickets at the same
moments, and as many more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from twin.common.errors import Fault, ScenarioError
from twin.demand.luck import Floats, Places, Stream, generator, uniforms
from twin.demand.recorded import read_trace
from twin.scenario import clock
from twin.scenario.model import Arrivals, Bursts, Scenario

# More tickets than this in one replication is a slip of the pen, not a desk.
MAX_TICKETS = 50_000_000


@dataclass(frozen=True)
class Arrived:
    """The tickets that come, in order.

    Attributes
    ----------
    time_s : array of float, shape (n,)
        Moment of arrival in [0, horizon), rising.
    places : Places
        Where each ticket's luck lies. For a trace the row is that of the trace.
    """

    time_s: Floats
    places: Places


@dataclass(frozen=True)
class Expected:
    """Tickets that are expected to arrive: the mean over all replications that could be drawn.

    Busy days, busy parts of a day and bursts change no mean. Evenly spaced tickets are counted in
    fractions.

    Attributes
    ----------
    rate : Steps
        Mean rate, in tickets a second, over the run.
    time_s, number : array of float, shape (n,)
        Recorded moments, rising, and the mean number of tickets at each; without a trace none.
    """

    rate: Steps
    time_s: Floats
    number: Floats

    def before(self, moments_s: Floats) -> Floats:
        """Expected tickets before each moment, from the start of the run."""
        total = np.concatenate([[0.0], np.cumsum(self.number)])
        recorded = total[np.searchsorted(self.time_s, moments_s, side="left")]
        found: Floats = recorded + np.interp(moments_s, self.rate.edges, mass(self.rate))
        return found

    def between(self, start_s: float, end_s: float) -> float:
        """Expected tickets from one moment until before another.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> expected(desk).between(3600.0, 7200.0)
        6.0
        """
        low, high = self.before(np.array([start_s, end_s]))
        return float(high - low)

    def busiest(self, length_s: float) -> tuple[float, float]:
        """Start of the busiest stretch of a length, and the tickets expected in it.

        Returns
        -------
        start_s, number : float
            The first of several that are as busy; of a shorter run, the whole run.
        """
        edges = self.rate.edges
        # The number grows in straight lines and steps: most is found where one begins or ends,
        # for a step just after that.
        parts = [edges, edges - length_s, self.time_s, self.time_s - length_s + 1e-6]
        starts = np.concatenate(parts)
        starts = np.unique(np.clip(starts, 0.0, max(0.0, edges[-1] - length_s)))
        number = self.before(starts + length_s) - self.before(starts)
        first = int(np.argmax(number >= number.max() * (1 - 1e-9)))
        return float(starts[first]), float(number[first])


@dataclass(frozen=True)
class Steps:
    """A function of time that is constant between edges.

    Attributes
    ----------
    edges : array of float, shape (k + 1,)
        Rising, in seconds.
    values : array of float, shape (k,)
    """

    edges: Floats
    values: Floats

    def at(self, time_s: Floats) -> Floats:
        """Values at moments before the last edge."""
        found: Floats = self.values[np.searchsorted(self.edges, time_s, side="right") - 1]
        return found

    def times(self, other: Steps) -> Steps:
        """The product, up to the last edge of this."""
        inner = other.edges[(other.edges > self.edges[0]) & (other.edges < self.edges[-1])]
        edges = np.union1d(self.edges, inner)
        return Steps(edges, self.at(edges[:-1]) * other.at(edges[:-1]))


def expected(scenario: Scenario) -> Expected:
    """The expectation of what `arrive`, or of a trace `arrive_traced`, draws.

    Raises
    ------
    ScenarioError
        If a trace is unusable.
    """
    nothing = np.zeros(0)
    if scenario.arrivals.kind != "trace":
        rate = rate_steps(scenario).times(load_steps(scenario))
        return Expected(rate, nothing, nothing)
    time_s = read_trace(scenario).rows["time_s"].to_numpy(dtype=float)
    copies, gap = max(0.0, scenario.arrivals.scale - 1), np.diff(time_s, append=scenario.horizon)
    number = np.minimum(1.0, scenario.arrivals.scale) + copies * (gap == 0)
    rate = Steps(
        np.concatenate([[0.0], time_s[gap > 0], [scenario.horizon]]),
        np.concatenate([[0.0], copies / gap[gap > 0]]),
    )
    return Expected(rate, time_s, number)


def arrive(scenario: Scenario, seed: int, replication: int) -> Arrived:
    """Draw the moments at which tickets arrive.

    Raises
    ------
    ScenarioError
        If the number of tickets is absurdly large.
    """
    rate, load = rate_steps(scenario, seed, replication), load_steps(scenario)
    loaded = rate.times(load)
    total, layers = mass(loaded)[-1], math.ceil(load.values.max())
    check_number(total, "arrivals.rate", scenario)
    if scenario.arrivals.kind == "constant":
        time_s = _moments(loaded, np.arange(1.0, np.floor(total) + 2))
        return in_order([(time_s, np.arange(len(time_s)))])
    # A layer is drawn whole, though a surge may need but an hour of it.
    if (drawn := mass(rate)[-1] * layers) > 10 * MAX_TICKETS:
        reason = f"{layers:,} times the load takes {drawn:.3g} draws; at most {10 * MAX_TICKETS:,}"
        raise ScenarioError(scenario.name, [Fault("arrivals.surges", reason)])
    whole = max(1, math.ceil(mass(rate)[-1] * 2 + 100))
    parts = (layer_parts(rate, load, seed, replication, layer, whole) for layer in range(layers))
    return in_order([joined(part) for part in parts])


def check_number(total: float, key: str, scenario: Scenario) -> None:
    """Raise `ScenarioError` where the number of tickets is absurdly large."""
    if total > MAX_TICKETS:
        reason = f"about {total:.3g} tickets in a replication; at most {MAX_TICKETS:,}"
        raise ScenarioError(scenario.name, [Fault(key, reason)])


# Moments and rows of tickets of a layer, and the moment before which there are no others.
Part = tuple[Floats, Any, float]


def layer_parts(
    rate: Steps, load: Steps, seed: int, replication: int, layer: int, size: int
) -> Iterator[Part]:
    """The tickets of a layer, those that the load leaves of it: `size` of the layer at a time."""
    first = 0
    for points in _unit_points(float(mass(rate)[-1]), seed, replication, layer, size):
        time_s = _moments(rate, points)
        n = len(time_s)
        chance = uniforms(seed, replication, Stream.COPY, n, layer=layer, first=first)
        row = np.flatnonzero(chance < load.at(time_s) - layer)
        until_s = float(time_s[-1]) if n == len(points) else math.inf
        yield time_s[row], row + first, until_s
        first += n


def joined(parts: Iterable[Part]) -> tuple[Floats, Any]:
    """Moments and rows of several parts of a layer."""
    nothing = np.zeros(0), np.zeros(0, dtype=np.int64)
    found = [nothing, *((moments, row) for moments, row, _ in parts)]
    if len(found) == 2:
        return found[1]
    return np.concatenate([m for m, _ in found]), np.concatenate([row for _, row in found])


def in_order(layers: Iterable[tuple[Floats, Any]]) -> Arrived:
    """The tickets of layers, each given by its moments and rows, as one row of tickets."""
    parts = list(layers) or [(np.zeros(0), np.zeros(0, dtype=np.int64))]
    time_s = np.concatenate([moments for moments, _ in parts])
    # Half the room of numpy's own integers; neither ever needs more.
    layer = np.repeat(np.arange(len(parts), dtype=np.int32), [len(row) for _, row in parts])
    row = np.concatenate([row for _, row in parts]).astype(np.int32)
    order = np.argsort(time_s, kind="stable")
    return Arrived(time_s[order], Places(layer[order], row[order]))


def mass(rate: Steps) -> Floats:
    """Expected tickets up to each edge."""
    # An absurd rate is infinite, and refused as such.
    with np.errstate(over="ignore"):
        found: Floats = np.concatenate([[0.0], np.cumsum(np.diff(rate.edges) * rate.values)])
    return found


def _moments(rate: Steps, points: Floats) -> Floats:
    """Unit-rate points as moments before the last edge."""
    before = mass(rate)
    points = points[points < before[-1]]
    step = np.searchsorted(before, points, side="left") - 1
    time_s = rate.edges[step] + (points - before[step]) / rate.values[step]
    inside: Floats = time_s[time_s < rate.edges[-1]]
    return inside


def _unit_points(
    total: float, seed: int, replication: int, layer: int, size: int
) -> Iterator[Floats]:
    """Points of a unit-rate Poisson process, beyond `total`: `size` of them at a time."""
    rng = generator(seed, replication, Stream.ARRIVAL, layer=layer)
    left, last = int(total + 6 * np.sqrt(total) + 20), 0.0
    while last < total:
        gaps = -np.log1p(-rng.random(min(size, left) if left else 1024))
        if left:
            # One sum over all parts, to the last bit.
            gaps[0] += last
            points: Floats = np.cumsum(gaps)
        else:
            points = last + np.cumsum(gaps)
        left = max(0, left - size)
        last = float(points[-1])
        yield points


def rate_steps(
    scenario: Scenario, seed: int | None = None, replication: int | None = None
) -> Steps:
    """The arrival rate at a load of 1, in tickets a second: of a replication, or on average."""
    arrivals, horizon = scenario.arrivals, scenario.horizon
    rate = Steps(np.array([0.0, horizon]), np.array([arrivals.rate or 0.0]))
    if arrivals.week is not None or (arrivals.busyness is not None and seed is not None):
        rate = rate.times(_hours(scenario, seed, replication or 0))
    if arrivals.bursts is not None and seed is not None:
        rate = rate.times(_bursts(arrivals.bursts, horizon, seed, replication or 0))
    return rate


def load_steps(scenario: Scenario) -> Steps:
    """The load: `arrivals.scale` times growth and the factors of days and surges."""
    load = Steps(np.array([0.0, scenario.horizon]), np.array([scenario.arrivals.scale]))
    if growth := scenario.arrivals.growth:
        starts = np.array([at for _, at in clock.days(scenario.midnight, scenario.horizon)])
        grown = (1 + growth) ** (starts / clock.WEEK_S)
        load = load.times(Steps(np.append(starts, np.inf), grown))
    if factors := scenario.arrivals.day_factors:
        starts = np.array([at for _, at in clock.days(scenario.midnight, scenario.horizon)])
        load = load.times(Steps(np.append(starts, np.inf), np.array(factors[: len(starts)])))
    for surge in scenario.arrivals.surges:
        edges = np.array([0.0, surge.start, surge.start + surge.length, np.inf])
        load = load.times(Steps(edges, np.array([1.0, surge.factor, 1.0])))
    return load


def _hours(scenario: Scenario, seed: int | None, replication: int) -> Steps:
    """Factor of each hour: its place in the week and, with luck, how busy day and part are."""
    arrivals: Arrivals = scenario.arrivals
    edges = clock.hours(scenario.midnight, scenario.horizon)
    begin = edges[:-1]
    factor: Floats = np.ones(len(begin))
    if arrivals.week is not None:
        weights = np.array(arrivals.week.weights)
        factor *= (weights / weights.mean())[clock.hour_of_week(begin, scenario.midnight)]
    busyness = arrivals.busyness
    if busyness is not None and seed is not None:
        local_s = clock.local_s(begin, scenario.midnight)
        if busyness.cv is not None:
            day = (local_s // clock.DAY_S).astype(np.int64)
            u = uniforms(seed, replication, Stream.DAY, int(day.max()) + 1)
            factor *= _gamma(u, busyness.cv)[day]
        if busyness.part_cv is not None:
            part = (local_s // busyness.part_s).astype(np.int64)
            u = uniforms(seed, replication, Stream.PART_OF_DAY, int(part.max()) + 1)
            factor *= _gamma(_in_a_row(u, busyness.carried), busyness.part_cv)[part]
    return Steps(edges, factor)


def _gamma(u: Floats, cv: float) -> Floats:
    """Factors with mean 1, gamma distributed, from uniforms."""
    shape = 1 / cv**2
    factors: Floats = special.gammaincinv(shape, u) / shape
    return factors


def _in_a_row(u: Floats, correlation: float) -> Floats:
    """Uniforms that go with their neighbours, from independent ones: a Gaussian copula.

    Their normal scores are an autoregression of order 1, stationary from the first on.
    """
    # Neither 0 nor 1, so that scores and factors are numbers.
    least = 2.0**-53
    own = special.ndtri(np.maximum(u, least))
    own[1:] *= math.sqrt(1 - correlation**2)
    scores = np.fromiter(accumulate(own, lambda last, new: correlation * last + new), float)
    together: Floats = np.minimum(special.ndtr(scores), 1 - least)
    return together


def _bursts(bursts: Bursts, horizon: float, seed: int, replication: int) -> Steps:
    """Factor of alternating quiet and burst periods; its mean is 1 at any moment."""
    rng = generator(seed, replication, Stream.BURST)
    quiet, burst = bursts.mean_quiet, bursts.mean_burst
    in_burst = rng.random() < burst / (quiet + burst)
    base = (quiet + burst) / (quiet + burst * bursts.factor)
    edges: list[float] = [0.0]
    values: list[float] = []
    while edges[-1] < horizon:
        values.append(base * bursts.factor if in_burst else base)
        length = -np.log1p(-rng.random()) * (burst if in_burst else quiet)
        edges.append(edges[-1] + length)
        in_burst = not in_burst
    return Steps(np.array(edges), np.array(values))


def arrive_traced(trace: pd.DataFrame, scenario: Scenario, seed: int, replication: int) -> Arrived:
    """The tickets of a trace, as its rows, with `arrivals.scale` applied in layers.

    Layer 0 comes when it was recorded; a copy comes at a random moment before the next recorded
    arrival.

    Raises
    ------
    ScenarioError
        If the number of tickets is absurdly large.
    """
    scale, n = scenario.arrivals.scale, len(trace)
    check_number(scale * n, "arrivals.scale", scenario)
    recorded = trace["time_s"].to_numpy(dtype=float)
    gap = np.diff(recorded, append=scenario.horizon)
    parts = []
    for layer in range(math.ceil(scale)):
        chance = uniforms(seed, replication, Stream.COPY, n, layer=layer)
        row = np.flatnonzero(chance < scale - layer)
        later = uniforms(seed, replication, Stream.COPY_MOMENT, n, layer=layer)
        parts.append((recorded[row] + (later * gap)[row] * (layer > 0), row))
    return in_order(parts)
