"""Waits of a history played again, day by day, and how they follow agents, work and patience.

How far agents are there was fitted to the waits of the history by a long search. With other days,
other work or other patience the search would end elsewhere. To search again for each version is too
dear; this says by how much the times that agents are away would have to differ, to first order: one
step of Newton's method along the slopes of the mean waits for each pool. On a desk of one pool, and
where nobody leaves, heads stand for that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.formulas import harmless
from twin.common.toml import dump
from twin.demand.once import DrawnOnce
from twin.desk.simulation import simulate_visits
from twin.history.calibrated import Calibration, Data
from twin.history.several import in_order
from twin.scenario.file import load
from twin.scenario.units import parse_rate

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
# Keys of the rates at which agents return.
RETURNS = ("returns", "returns_per_queued")

# Plays of each of the desks below, with the same luck in all.
_PLAYS = 3
# Change of the logarithm of heads, work and patience, to both sides.
_STEP = 0.05
# A step to further than this is no step of first order.
_MOST = 0.25
# All of these desks have the same customers.
_DEMAND = DrawnOnce()
# Times away are longer or shorter by their own uncertainty, which is larger: as in `fit.away`, they
# are seen some dozens of times.
_AWAY = (0.25, 2.5)
# Their logarithm is changed by so much, to both sides: few waits hang on them.
_AWAY_STEP = 0.3


@dataclass(frozen=True)
class Slopes:
    """Waits as played, and their slopes.

    Attributes
    ----------
    waited_s : array of float, shape (pools, days)
        All waiting of a day for what a pool takes, mean over plays.
    away : array of bool, shape (pools,)
        Whether agents of a pool come and go.
    agents, work : array of float, shape (pools, pools)
        Slope of the mean wait for what a pool takes in the logarithm of the times that agents of
        each pool are away (of its heads, where they never are), and of their work; seconds.
    patience : array of float, shape (pools,)
        The same in the logarithm of patience.
    """

    waited_s: Floats
    away: Mask
    agents: Floats
    work: Floats
    patience: Floats

    def step(self, missing_s: Floats, work: Floats, patience: Floats) -> Floats:
        """Factors that make up for what is missing of the mean waits, shape (k, pools).

        They are of times away, which waits follow as they are; of heads by their logarithm.

        Parameters
        ----------
        missing_s : array of float, shape (k, pools)
            Mean wait for what a pool takes that was seen less that played, beyond that of all days.
        work : array of float, shape (k, pools)
            Factors of handle times, which the same waits were seen with.
        patience : array of float, shape (k,)
            Those of patience.
        """
        # Waits that are not longer with fewer agents of their own pool say nothing of these.
        own = np.diag(self.agents)
        told = np.flatnonzero(np.where(self.away, own > 0, own < 0))
        steps = np.zeros_like(missing_s)
        if len(told):
            known = np.log(work) @ self.work.T + np.outer(np.log(patience), self.patience)
            slopes = self.agents[np.ix_(told, told)]
            steps[:, told] = np.linalg.lstsq(slopes, (missing_s - known)[:, told].T)[0].T
        heads = np.exp(np.clip(steps, -_MOST, _MOST))
        return np.where(self.away, np.clip(1 + steps, *_AWAY), heads)


def waited(
    visits: pd.DataFrame,
    kind: npt.NDArray[np.object_],
    horizon_s: float,
    starts: Floats,
    takes: Sequence[Collection[str]] = ((),),
) -> tuple[Floats, Floats]:
    """Waiting by day, in seconds, and visits that could wait; shape (len(takes), days) each.

    Parameters
    ----------
    visits : DataFrame
        Of a run or a history.
    kind : array of str
        Category of the ticket of each.
    horizon_s : float
        Its end.
    starts : array of float, shape (days + 1,)
        Moments at which days begin.
    takes : sequence of collection of str
        Categories that count together; none named: all.
    """
    waits = visits["queued_s"].notna() & ~visits["end"].isin(["blocked", "balked"])
    queued, kind = visits[waits], kind[waits.to_numpy()]
    at = queued["queued_s"].to_numpy(dtype=np.float64)
    until = queued["started_s"].fillna(queued["ended_s"]).fillna(horizon_s)
    day = np.searchsorted(starts, at, side="right") - 1
    inside = (day >= 0) & (day < len(starts) - 1)
    wait_s = until.to_numpy(dtype=np.float64) - at
    total, number = (np.zeros((len(takes), len(starts) - 1)) for _ in range(2))
    for k, own in enumerate(takes):
        here = inside & np.isin(kind.astype(str), list(own)) if own else inside
        number[k] = np.bincount(day[here], minlength=len(starts) - 1)
        total[k] = np.bincount(day[here], wait_s[here], len(starts) - 1)
    return total, number


def slopes(found: Calibration, starts: Floats, pools: Sequence[str], workers: int = 1) -> Slopes:
    """Play the history as it was with the desk as calibrated, and with a little more of each.

    Parameters
    ----------
    found : Calibration
        With a desk as it was.
    starts : array of float, shape (days + 1,)
        Moments at which days begin.
    pools : sequence of str
        Of which availability was fitted.
    workers : int
        Processes that play.
    """
    assert found.as_it_was is not None
    data = found.as_it_was
    takes = takes_of(data, pools)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, frame in found.files.items():
            harmless(frame).to_csv(folder / file, index=False)

        def mean(changed: Data) -> tuple[Floats, Floats]:
            path = folder / "scenario.toml"
            path.write_text(dump(changed), encoding="utf-8")
            each = in_order(_waited, [(path, k, starts, takes) for k in range(_PLAYS)], workers)
            by_day = np.mean([wait_s for wait_s, _ in each], axis=0)
            total = np.mean([number for _, number in each], axis=0).sum(axis=1)
            return by_day, by_day.sum(axis=1) / np.maximum(total, 1.0)

        def slope(change: Callable[[float], Data], step: float = _STEP) -> Floats:
            low, high = (mean(change(float(np.exp(s)))) for s in (-step, step))
            found: Floats = (high[1] - low[1]) / (2 * step)
            return found

        played, _ = mean(data)
        away = times_away_change(data, pools)
        agents = [
            slope(partial(_away, data, pool), _AWAY_STEP) if leave
            else slope(partial(_heads, folder, found, pool))
            for pool, leave in zip(pools, away, strict=True)
        ]  # fmt: skip
        work = [slope(partial(_work, data, pool)) for pool in pools]
        patience = slope(partial(_patience, data))
        return Slopes(played, away, np.transpose(agents), np.transpose(work), patience)


def _waited(
    task: tuple[Path, int, Floats, Sequence[Collection[str]]],
) -> tuple[Floats, Floats]:
    """Waiting by day in a replication of a scenario, and the visits that could wait."""
    path, replication, starts, takes = task
    desk = load(path)
    demand = _DEMAND.draw(desk, replication)
    visits = simulate_visits(desk, demand, engine="auto")
    kind = np.array(demand.categories, dtype=object)[demand.category]
    own = kind[visits["ticket_id"].to_numpy() - 1]
    return waited(visits, own, desk.horizon, starts, takes)


def times_away_change(data: Data, pools: Sequence[str]) -> Mask:
    """Pools of which a version changes the times away; of the others it changes the heads.

    Waits do not tell which of the two would have to differ. It was decided by how often intervals
    held the true effect on planted desks: on desks of one pool more often with other heads, on
    desks of several pools with other times away (`tests/benchmarks/README.md`).
    """
    return np.array([len(pools) > 1 and "away" in data["agents"][pool] for pool in pools])


def takes_of(data: Data, pools: Sequence[str]) -> list[tuple[str, ...]]:
    """Categories that pools of a scenario take; empty: all."""
    return [tuple(data["agents"][name].get("skills", ())) for name in pools]


def _heads(folder: Path, found: Calibration, pool: str, factor: float) -> Data:
    assert found.as_it_was is not None
    pools = dict(found.as_it_was["agents"])
    if "roster" in pools[pool]:
        file = f"other-{pools[pool]['roster']}"
        table: pd.DataFrame = found.files[pools[pool]["roster"]]
        own = table["pool"] == pool if "pool" in table else np.ones(len(table), dtype=np.bool_)
        more = table["heads"].where(~own, (table["heads"] * factor).round(4))
        harmless(table.assign(heads=more)).to_csv(folder / file, index=False)
        pools[pool] = pools[pool] | {"roster": file}
    return found.as_it_was | {"agents": pools}


def _away(data: Data, pool: str, factor: float) -> Data:
    """The same with other times away: agents return at other rates."""
    pools = data["agents"]
    away = dict(pools[pool]["away"])
    for key in RETURNS:
        away[key] = f"{np.format_float_positional(parse_rate(away[key]) / factor, trim='-')}/s"
    return data | {"agents": pools | {pool: pools[pool] | {"away": away}}}


def _work(data: Data, pool: str, factor: float) -> Data:
    pools = data["agents"]
    return data | {"agents": pools | {pool: pools[pool] | {"handle_scale": factor}}}


def _patience(data: Data, factor: float) -> Data:
    customers = data["customers"]
    every = {key: value for key, value in customers.items() if key.startswith("patience")}
    return data | {"customers": customers | _longer(every, factor)}


def _longer(data: Mapping[str, Any], factor: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            found[key] = _longer(value, factor)
        elif key == "mean":
            found[key] = f"{float(str(value).removesuffix('s')) * factor:.6g}s"
        else:
            found[key] = value
    return found
