"""Arrival times, by time rescaling of unit-rate points, so that ticket k stays ticket k.

A rate that varies in steps (hour of week, busy days, bursts, surges, scale) has a piecewise linear
integral; unit-rate points mapped through its inverse arrive at that rate (Cinlar 1975, Introduction
to Stochastic Processes, section 4.7). Twice the load is the same points twice as fast.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from twin.luck import Floats, Stream, generator, uniforms
from twin.scenario import Arrivals, Bursts, Scenario
from twin.scenario_file import Fault, ScenarioError

# More tickets than this in one replication is a slip of the pen, not a desk.
MAX_TICKETS = 50_000_000


def arrival_times(scenario: Scenario, seed: int, replication: int) -> Floats:
    """Moments of arrival in [0, horizon), rising; seconds.

    Raises
    ------
    ScenarioError
        If the load is absurdly large.
    """
    arrivals = scenario.arrivals
    edges, rates = rate_steps(scenario, seed, replication)
    mass = np.concatenate([[0.0], np.cumsum(np.diff(edges) * rates)])
    total = mass[-1]
    if total > MAX_TICKETS:
        reason = f"about {total:.3g} tickets in a replication; at most {MAX_TICKETS:,}"
        raise ScenarioError(scenario.name, [Fault("arrivals.rate", reason)])
    if arrivals.kind == "constant":
        points = np.arange(1.0, np.floor(total) + 2)
    else:
        points = _unit_points(total, seed, replication)
    points = points[points < total]
    step = np.searchsorted(mass, points, side="left") - 1
    times: Floats = edges[step] + (points - mass[step]) / rates[step]
    return times[times < scenario.horizon]


def _unit_points(total: float, seed: int, replication: int) -> Floats:
    """Points of a unit-rate Poisson process, beyond `total`."""
    rng = generator(seed, replication, Stream.ARRIVAL)
    points = np.cumsum(-np.log1p(-rng.random(int(total + 6 * np.sqrt(total) + 20))))
    while points[-1] < total:
        more = -np.log1p(-rng.random(1024))
        points = np.concatenate([points, points[-1] + np.cumsum(more)])
    return points


def rate_steps(scenario: Scenario, seed: int, replication: int) -> tuple[Floats, Floats]:
    """The arrival rate as steps: edges, shape (k + 1,), in s; rates, shape (k,), a second."""
    arrivals, horizon = scenario.arrivals, scenario.horizon
    factors: list[tuple[Floats, Floats]] = []
    if arrivals.week is not None or arrivals.busyness is not None:
        factors.append(_hours(scenario, seed, replication))
    if arrivals.bursts is not None:
        factors.append(_bursts(arrivals.bursts, horizon, seed, replication))
    for surge in arrivals.surges:
        steps = np.array([0.0, surge.start, surge.start + surge.length, np.inf])
        factors.append((steps, np.array([1.0, surge.factor, 1.0])))
    inner = [edge for steps, _ in factors for edge in steps if 0 < edge < horizon]
    edges: Floats = np.unique(np.array([0.0, *inner, horizon]))
    rates = np.full(len(edges) - 1, (arrivals.rate or 0.0) * arrivals.scale)
    for steps, values in factors:
        rates *= values[np.searchsorted(steps, edges[:-1], side="right") - 1]
    return edges, rates


def _hours(scenario: Scenario, seed: int, replication: int) -> tuple[Floats, Floats]:
    """Factor of each hour: its place in the week, and how busy its day is."""
    arrivals: Arrivals = scenario.arrivals
    count = int(np.ceil(scenario.horizon / 3600))
    origin = datetime(*scenario.start.timetuple()[:3], tzinfo=scenario.zone).astimezone(UTC)
    local = [(origin + timedelta(hours=k)).astimezone(scenario.zone) for k in range(count)]
    factor: Floats = np.ones(count)
    if arrivals.week is not None:
        weights = np.array(arrivals.week.weights)
        factor *= (weights / weights.mean())[[t.weekday() * 24 + t.hour for t in local]]
    if arrivals.busyness is not None:
        day = np.array([(t.date() - scenario.start).days for t in local])
        u = uniforms(seed, replication, Stream.DAY, int(day[-1]) + 1)
        shape = 1 / arrivals.busyness.cv**2
        factor *= (special.gammaincinv(shape, u) / shape)[day]
    return np.arange(count + 1, dtype=np.float64) * 3600.0, factor


def _bursts(bursts: Bursts, horizon: float, seed: int, replication: int) -> tuple[Floats, Floats]:
    """Factor of alternating quiet and burst periods; its long-run mean is 1."""
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
    return np.array(edges), np.array(values)


def read_trace(scenario: Scenario) -> pd.DataFrame:
    """The recorded arrivals within the horizon, in order: time_s and the file's other columns.

    Raises
    ------
    ScenarioError
        Naming the file and what is wrong with it.
    """
    path = Path(scenario.arrivals.trace or "")

    def fail(reason: str) -> ScenarioError:
        return ScenarioError(str(path), [Fault("", reason)])

    try:
        parquet = path.suffix == ".parquet"
        frame = pd.read_parquet(path) if parquet else pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise fail(f"not a readable CSV or Parquet file: {error}") from None
    if "timestamp" not in frame:
        raise fail(f"no column timestamp; it has: {', '.join(map(str, frame.columns))}")
    stamp = frame["timestamp"]
    if pd.api.types.is_numeric_dtype(stamp):
        time_s = stamp.astype(float)
    else:
        try:
            moments = _moments(stamp, scenario.time_zone)
        except (ValueError, TypeError):
            raise fail("timestamps must be numbers of seconds or ISO times") from None
        origin = pd.Timestamp(scenario.start, tz=scenario.time_zone)
        time_s = (moments - origin).dt.total_seconds()
    frame = frame.assign(time_s=time_s).sort_values("time_s", kind="stable")
    inside = (frame["time_s"] >= 0) & (frame["time_s"] < scenario.horizon)
    if not inside.any():
        raise fail(f"no timestamp lies in the run, {scenario.start} and the horizon after it")
    return frame[inside].reset_index(drop=True)


def _moments(stamp: pd.Series[Any], time_zone: str) -> pd.Series[Any]:
    """ISO times as instants; local where they name no offset."""
    try:
        moments = pd.to_datetime(stamp, format="ISO8601")
    except ValueError:
        # Offsets may change with the clocks; a time without one among them is still a fault.
        if not stamp.astype(str).str.contains(r"(?:Z|[+-]\d\d:?\d\d)$").all():
            raise
        moments = pd.to_datetime(stamp, format="ISO8601", utc=True)
    if moments.dt.tz is None:
        # No ticket is lost when the clocks change: an hour that comes twice is the first one.
        first = np.ones(len(moments), dtype=np.bool_)
        moments = moments.dt.tz_localize(time_zone, ambiguous=first, nonexistent="shift_forward")
    return moments


def scale_trace(trace: pd.DataFrame, scenario: Scenario, seed: int, rep: int) -> pd.DataFrame:
    """The trace with `arrivals.scale` applied: rows dropped or repeated at random.

    A row appears floor(scale) times and once more with the remaining chance; a copy comes at a
    random moment before the next recorded arrival.
    """
    scale = scenario.arrivals.scale
    u = uniforms(seed, rep, Stream.COPY, len(trace))
    copies = int(scale) + (u < scale % 1)
    row = np.repeat(np.arange(len(trace)), copies)
    time_s = trace["time_s"].to_numpy()
    gap = np.diff(time_s, append=scenario.horizon)[row]
    later = uniforms(seed, rep, Stream.COPY, len(row), repeat=1)
    first = np.concatenate([[True], row[1:] != row[:-1]]) if len(row) else np.zeros(0, bool)
    scaled = trace.iloc[row].assign(time_s=time_s[row] + np.where(first, 0.0, later * gap))
    return scaled.sort_values("time_s", kind="stable").reset_index(drop=True)
