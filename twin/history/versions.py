"""Versions of a calibrated desk: its numbers as resampled days of the history give them.

A day of the history stands for what days may be like. So a version rests on days drawn again from
those of the history: each kind of weekday apart, so that a week stays a week; single days in a
short history, whole weeks in one of eight or more. One draw fewer than there are days of a kind
makes the variance of a mean what it is (McCarthy and Snowden 1985, "The bootstrap and finite
population sampling"): as many would make it too small, by half with two days.

Each number is the calibrated one times what was found in the drawn days over what was found in all
days by the same rule. Choices made by back-test (alike days, level, shape of patience, hours of the
mix) are not made again. How far agents of each pool are there follows by one step along the slopes
of the waits, see `twin.history.slopes`. On a desk of several pools it changes the times that they
are away, not their heads: else, in a pool that is overloaded, nothing would be left open of what
one agent less does. Not in the versions: that days follow each other (in a short history), the form
of distributions, and all that is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.calibrated import Calibration, Data, Factors
from twin.history.desk_history import DeskHistory
from twin.history.fit.arrivals import (
    ALIKE_DAYS,
    ArrivalsFit,
    DailyCounts,
    busy_weekdays,
    fit_arrivals,
    predictor,
    spread,
)
from twin.history.fit.patience import waits
from twin.history.fit.rosters import sessions
from twin.history.slopes import RETURNS, slopes, takes_of, times_away_change, waited
from twin.history.told import Told
from twin.history.whole_days import Days, days_of
from twin.scenario.model import parse_days

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Of the days that are drawn again, unless another is given.
_SEED = 14
# Two replications each: enough for a hundred.
VERSIONS = 50
# Replications of a desk that has versions: ten of these.
REPLICATIONS = 20
# From so many on whole weeks are drawn.
_WEEKS = 8
# Factors beyond these are of hours and groups with hardly a ticket.
_LEAST, _MOST = 0.2, 5.0


def with_versions(
    found: Calibration, history: DeskHistory, number: int = VERSIONS, workers: int = 1
) -> Calibration:
    """A calibration of a desk of calls with versions of its numbers.

    Those of a desk known by its statuses alone are in `twin.history.status_versions`.

    Parameters
    ----------
    found : Calibration
    history : DeskHistory
        That it rests on.
    number : int
        Of versions.
    workers : int
        Processes that play.
    """
    log, start = history.log, history.desk.midnight
    days = days_of(history)
    counts = days.counts(log.tickets["arrived_s"].to_numpy(dtype=np.float64), start)
    came = fit_arrivals(counts)
    days = days.without(came.unusual)
    usual = counts.some([day not in came.unusual for day in counts.days])
    drawn = draws(usual, came, number, found.data.get("seed"))
    by_day = ByDay(history, days, drawn)
    factors = [*arrivals_factors(found.data, usual, came, drawn), *mix_factors(found.data, by_day)]
    of_agents, heads = agents_factors(found, days, by_day, workers)
    factors += of_agents
    factors += _heads(found.data, days, by_day, came, heads)
    said = (
        f"What the history leaves open is in {number} versions of these numbers, from days drawn "
        "again (arrivals, mix, patience, work, heads); how far agents of each pool are there "
        "follows by the slope of the waits, not by a new search. Two replications in a row play "
        "one of them."
    )
    data = found.data | {"replications": REPLICATIONS}
    return replace(found, data=data, versions=tuple(factors), said=(*found.said, said))


def agents_factors(
    found: Calibration, days: Days, by_day: ByDay, workers: int
) -> tuple[list[Factors], dict[str, Floats]]:
    """Factors of patience, work and times away, and by pool those of its heads, where they change.

    How far agents are there is either in the times away or in the heads of a pool.
    """
    factors = [*_patience(found.data, by_day), *_work(found.data, by_day)]
    there = _availability(found, days, by_day, workers)
    heads = {}
    away = times_away_change(found.data, list(there))
    for (pool, own), leave in zip(there.items(), away, strict=True):
        if not leave:
            heads[pool] = own
            continue
        # Not fewer heads: with one agent less there is one less to be away, too.
        rates = np.round(1 / own, 5)
        factors += [Factors(("agents", pool, "away", key), rates) for key in RETURNS]
    return factors, heads


def draws(
    usual: DailyCounts, came: ArrivalsFit, number: int, seed: int | None = None
) -> list[Ints]:
    """Days of each version, by their place among those of the history, in order.

    Parameters
    ----------
    usual : DailyCounts
        All days that the calibration rests on.
    came : ArrivalsFit
        Says which days are alike.
    number : int
    seed : int, optional
        Of the days that are drawn.
    """
    entropy = _SEED if seed is None else seed
    rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(8,)))
    week = (usual.number - (7 - usual.weekday[0]) % 7) // 7
    kind = usual.weekday.copy()
    if came.shape == ALIKE_DAYS:
        kind = np.where(busy_weekdays(usual)[usual.weekday], 7, kind)
    weeks = np.unique(week)
    if len(weeks) >= _WEEKS:
        found = []
        for _ in range(number):
            some = rng.choice(weeks, len(weeks) - 1)
            found.append(np.sort(np.concatenate([np.flatnonzero(week == k) for k in some])))
        return found
    groups = [np.flatnonzero(kind == k) for k in np.unique(kind)]
    return [
        np.sort(np.concatenate([rng.choice(g, max(len(g) - 1, 1)) for g in groups]))
        for _ in range(number)
    ]


class ByDay:
    """Sums over the days of a version against those over all days.

    Parameters
    ----------
    history : DeskHistory
    days : Days
        Those of which something is known count.
    drawn : sequence of array of int
        Days of each version, by their place among these.
    """

    def __init__(self, history: DeskHistory, days: Days, drawn: Sequence[Ints]) -> None:
        self.log, self.drawn, self.told = history.log, drawn, Told.of(history.log)
        self._known, self._starts = days.known, days.starts
        count = int(days.known.sum())
        self.weights = np.array([np.bincount(one, minlength=count) for one in drawn], dtype=float)
        tickets = self.log.tickets
        self._arrived = tickets.set_index("ticket_id")["arrived_s"]
        self.category = tickets.set_index("ticket_id")["category_true"]

    def sums(self, at_s: Floats, values: Floats | None = None) -> Floats:
        """Sums of values (by default, numbers) at moments, by known day, shape (days,)."""
        day = np.searchsorted(self._starts, at_s, side="right") - 1
        inside = (day >= 0) & (day < len(self._starts) - 1)
        weights = None if values is None else values[inside]
        return self.known(
            np.bincount(day[inside], weights, len(self._starts) - 1).astype(np.float64)
        )

    def times(self, at_s: Floats) -> Floats:
        """Times that a moment counts in each version, shape (versions, n); 1 elsewhere."""
        day = np.searchsorted(self._starts, at_s, side="right") - 1
        place = np.where(self._known, np.cumsum(self._known) - 1, -1)
        inside = (day >= 0) & (day < len(self._known))
        own = np.where(inside, place[np.clip(day, 0, len(self._known) - 1)], -1)
        found: Floats = np.where(own >= 0, self.weights[:, own], 1.0)
        return found

    def known(self, by_day: Floats) -> Floats:
        """Of a value for each day, that of days of which something is known."""
        found: Floats = np.asarray(by_day, dtype=np.float64)[..., self._known]
        return found

    def factor(self, over: Floats, under: Floats) -> Floats:
        """Ratio of sums over the days of each version to that over all days, shape (versions,)."""
        below = self.weights @ under
        whole = over.sum() / max(under.sum(), 1e-12)
        ratio = np.divide(
            self.weights @ over, below, out=np.full(len(below), whole), where=below > 0
        )
        return steady(ratio / whole) if whole > 0 else np.ones(len(below))

    def of_ticket(self, visits: pd.DataFrame) -> Floats:
        """Moment at which the ticket of each visit arrived."""
        return visits["ticket_id"].map(self._arrived).to_numpy(dtype=np.float64)


def steady(factors: Floats) -> Floats:
    """Factors with a mean of 1 over versions: these lie around what was calibrated."""
    near = np.clip(factors, _LEAST, _MOST)
    found: Floats = np.round(near / near.mean(axis=0), 5)
    return found


def _there(data: Any, *key: str) -> bool:
    for part in key:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def arrivals_factors(
    data: Data, usual: DailyCounts, came: ArrivalsFit, drawn: Sequence[Ints]
) -> Iterator[Factors]:
    """Factors of the rate, the shape of the week, growth and busyness."""
    rates, growth = predictor(usual, came.shape, came.level)
    each = [predictor(usual.some(one), came.shape, came.level) for one in drawn]
    level = np.array([found.mean() for found, _ in each]) / rates.mean()
    yield Factors(("arrivals", "rate"), steady(level))
    shape = np.array([found / found.mean() for found, _ in each])
    by_hour = np.divide(shape, rates / rates.mean(), out=np.ones_like(shape), where=rates > 0)
    yield Factors(("arrivals", "week", "hours"), steady(by_hour))
    if _there(data, "arrivals", "growth") and growth:
        rise = np.array([own for _, own in each])
        yield Factors(("arrivals", "growth"), np.round(1 + (rise - rise.mean()) / growth, 5))
    spreads = [spread(usual.some(one), came.shape, came.level) for one in drawn]
    for key, name in (("cv", "day_cv"), ("part_cv", "hour_cv")):
        values = np.array([getattr(one, name) for one in spreads])
        if _there(data, "arrivals", "busyness", key) and values.mean() > 0:
            yield Factors(("arrivals", "busyness", key), steady(values / values.mean()))


def mix_factors(data: Data, by_day: ByDay) -> Iterator[Factors]:
    """Factors of the mix of categories and priorities."""
    tickets = by_day.log.tickets
    at = tickets["arrived_s"].to_numpy(dtype=np.float64)
    whole = by_day.sums(at)
    for key, column in (("category_mix", "category_true"), ("priority_mix", "priority")):
        names = data["tickets"].get(key, {})
        if len(names) < 2:
            continue
        for name in names:
            own = by_day.sums(at[(tickets[column].astype(object) == name).to_numpy()])
            yield Factors(("tickets", key, name), by_day.factor(own, whole))


def _patience(data: Data, by_day: ByDay) -> Iterator[Factors]:
    customers = data["customers"]
    if _there(customers, "patience", "mean"):
        factor = _patience_factor(by_day, by_day.log.visits)
        yield Factors(("customers", "patience", "mean"), factor)
    category = by_day.log.visits["ticket_id"].map(by_day.category)
    for name, own in customers.get("patience_by_category", {}).items():
        if "mean" in own:
            here = by_day.log.visits[(category == name).to_numpy()]
            key = ("customers", "patience_by_category", name, "mean")
            yield Factors(key, _patience_factor(by_day, here))


def _patience_factor(by_day: ByDay, visits: pd.DataFrame) -> Floats:
    """All waiting over those who gave up, as of an exponential patience."""
    at, wait_s, gave_up = waits(visits, by_day.log.horizon_s, by_day.told)
    return by_day.factor(by_day.sums(at, wait_s), by_day.sums(at, gave_up.astype(np.float64)))


def _work(data: Data, by_day: ByDay) -> Iterator[Factors]:
    """Handle times: a factor of each distribution's mean."""
    for pool, section in data.get("agents", {}).items():
        visits = _visits_of(by_day, data, pool)
        lasted = (visits["ended_s"] - visits["started_s"]).to_numpy(dtype=np.float64)
        visits, lasted = visits[lasted > 0], lasted[lasted > 0]
        category = visits["ticket_id"].map(by_day.category).astype(object)
        own = {name: ("handle_times", name) for name in section.get("handle_times", {})}
        for name, key in (("", ("handle_time",)), *own.items()):
            here = (category == name).to_numpy() if name else np.ones(len(lasted), dtype=np.bool_)
            leaf = mean_of(_value(section, key))
            if leaf and here.any():
                at = visits["started_s"].to_numpy(dtype=np.float64)[here]
                factor = by_day.factor(by_day.sums(at, lasted[here]), by_day.sums(at))
                yield Factors(("agents", pool, *key, leaf), factor)


def _value(data: Any, key: Sequence[str]) -> Any:
    for part in key:
        data = data[part]
    return data


def mean_of(distribution: Mapping[str, Any]) -> str:
    """Key of a distribution that stretches it; empty where none does."""
    return next((key for key in ("unit", "mean", "value") if key in distribution), "")


def _visits_of(by_day: ByDay, data: Data, pool: str) -> pd.DataFrame:
    """Spells of work in a pool; of all where the history does not tell pools apart."""
    visits = by_day.log.visits
    visits = visits[(visits["activity"] == "handle").to_numpy()]
    own = (visits["pool"].astype(object) == pool).to_numpy()
    return visits[own] if len(data["agents"]) > 1 and own.any() else visits


def _availability(found: Calibration, days: Days, by_day: ByDay, workers: int) -> dict[str, Floats]:
    """Factor of the times that agents of each pool are away, shape (versions,); see `Slopes.step`.

    Pools are fitted to the waits for what they take, each for itself: so chance in one says nothing
    of the others, and one factor of all would leave out most of what a pool's own days leave open.
    """
    pools = [name for name, fit in found.pools.items() if fit.helps]
    if not pools:
        return {}
    known = slopes(found, days.starts, pools, workers)
    takes = takes_of(found.data, pools)
    visits = by_day.log.visits
    kind = visits["ticket_id"].map(by_day.category).to_numpy(dtype=object)
    total, number = waited(visits, kind, by_day.log.horizon_s, days.starts, takes)
    seen, number = by_day.known(total), by_day.known(number)
    missing = seen - by_day.known(known.waited_s)
    each = (by_day.weights @ missing.T) / np.maximum(by_day.weights @ number.T, 1.0)
    every = missing.sum(axis=1) / np.maximum(number.sum(axis=1), 1.0)
    work = np.transpose([_work_factor(by_day, found.data, name) for name in pools])
    factors = known.step(each - every, work, _patience_factor(by_day, visits))
    return {name: steady(own) for name, own in zip(pools, factors.T, strict=True)}


def _work_factor(by_day: ByDay, data: Data, pool: str) -> Floats:
    """Factor of a pool's mean handle time."""
    visits = _visits_of(by_day, data, pool)
    lasted = (visits["ended_s"] - visits["started_s"]).to_numpy(dtype=np.float64)
    at = visits["started_s"].to_numpy(dtype=np.float64)[lasted > 0]
    return by_day.factor(by_day.sums(at, lasted[lasted > 0]), by_day.sums(at))


def _heads(
    data: Data, days: Days, by_day: ByDay, came: ArrivalsFit, there: Mapping[str, Floats]
) -> Iterator[Factors]:
    """Heads of each shift: as of the rosters that were worked, times how far agents are there."""
    moments = np.concatenate([
        start + np.arange(25) * (end - start) / 24 for start, end in pairwise(days.starts)
    ]).reshape(-1, 25)  # fmt: skip
    for pool, section in data["agents"].items():
        if "shifts" not in section:
            continue
        worked = sessions(_visits_of(by_day, data, pool)).on_shift()
        heads = days.only_known(np.array([worked.heads(edges) for edges in moments]))
        week, _ = predictor(heads, came.shape, came.level)
        each = np.array(
            [predictor(heads.some(one), came.shape, came.level)[0] for one in by_day.drawn]
        )
        ratio = np.divide(each, week, out=np.ones_like(each), where=week > 0).reshape(-1, 7, 24)
        columns = [ratio[:, *_cells(shift)].mean(axis=-1) for shift in section["shifts"]]
        key = ("agents", pool, "shifts", "*", "heads")
        own = there.get(pool, np.ones(len(ratio)))
        yield Factors(key, steady(np.stack(columns, axis=-1) * own[:, None]))


def _cells(shift: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Days and hours of the week of a shift."""
    first, last = (int(str(shift[end]).partition(":")[0]) for end in ("start", "end"))
    hours = range(first, last if last > first else last + 24)
    cells = [((day + hour // 24) % 7, hour % 24) for day in parse_days(shift["days"])
             for hour in hours]  # fmt: skip
    return [day for day, _ in cells], [hour for _, hour in cells]
