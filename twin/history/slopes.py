"""Waits of a history played again, day by day, and how they follow heads, work and patience.

How far agents are there was fitted to the waits of the history by a long search. With other days,
other work or other patience the search would end elsewhere. To search again for each version is too
dear; this says by how much the heads would have to differ, to first order: one step of Newton's
method along the slope of the mean wait in the logarithm of heads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
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

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Plays of each of the desks below, with the same luck in all.
_PLAYS = 3
# Change of the logarithm of heads, work and patience, to both sides.
_STEP = 0.05
# A step to further than this is no step of first order.
_MOST = 0.25
# All of these desks have the same customers.
_DEMAND = DrawnOnce()


@dataclass(frozen=True)
class Slopes:
    """Waits as played, and their slopes.

    Attributes
    ----------
    waited_s : array of float, shape (days,)
        All waiting of a day, mean over plays.
    heads, work, patience : float
        Slope of the mean wait of a visit in the logarithm of each; seconds.
    """

    waited_s: Floats
    heads: float
    work: float
    patience: float

    def step(self, missing_s: Floats, work: Floats, patience: Floats) -> Floats:
        """Factor of heads that makes up for what is missing of the mean wait, shape (k,).

        Parameters
        ----------
        missing_s : array of float, shape (k,)
            Mean wait that was seen less that played, beyond that of all days.
        work, patience : array of float, shape (k,)
            Factors of handle times and patience, which the same waits were seen with.
        """
        if not self.heads < 0:
            # Waits that do not fall with more heads say nothing of them.
            return np.ones(len(missing_s))
        missing = missing_s - self.work * np.log(work) - self.patience * np.log(patience)
        return np.exp(np.clip(missing / self.heads, -_MOST, _MOST))


def waited(visits: pd.DataFrame, horizon_s: float, starts: Floats) -> tuple[Floats, Floats]:
    """Waiting for an agent by day, in seconds, and visits that could wait; shape (days,) each.

    Parameters
    ----------
    visits : DataFrame
        Of a run or a history.
    horizon_s : float
        Its end.
    starts : array of float, shape (days + 1,)
        Moments at which days begin.
    """
    queued = visits[visits["queued_s"].notna() & ~visits["end"].isin(["blocked", "balked"])]
    at = queued["queued_s"].to_numpy(dtype=np.float64)
    until = queued["started_s"].fillna(queued["ended_s"]).fillna(horizon_s)
    day = np.searchsorted(starts, at, side="right") - 1
    inside = (day >= 0) & (day < len(starts) - 1)
    wait_s = (until.to_numpy(dtype=np.float64) - at)[inside]
    number = np.bincount(day[inside], minlength=len(starts) - 1).astype(np.float64)
    total = np.bincount(day[inside], wait_s, len(starts) - 1).astype(np.float64)
    return total, number


def slopes(found: Calibration, starts: Floats, workers: int = 1) -> Slopes:
    """Play the history as it was with the desk as calibrated, and with a little more of each.

    Parameters
    ----------
    found : Calibration
        With a desk as it was.
    starts : array of float, shape (days + 1,)
        Moments at which days begin.
    workers : int
        Processes that play.
    """
    assert found.as_it_was is not None
    data = found.as_it_was
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, frame in found.files.items():
            harmless(frame).to_csv(folder / file, index=False)

        def mean(changed: Data) -> tuple[Floats, float]:
            path = folder / "scenario.toml"
            path.write_text(dump(changed), encoding="utf-8")
            each = in_order(_waited, [(path, k, starts) for k in range(_PLAYS)], workers)
            by_day = np.mean([wait_s for wait_s, _ in each], axis=0)
            total = float(np.sum([number for _, number in each])) / _PLAYS
            return by_day, float(by_day.sum()) / max(total, 1.0)

        def slope(change: Any) -> float:
            low, high = (mean(change(folder, found, float(np.exp(s)))) for s in (-_STEP, _STEP))
            return (high[1] - low[1]) / (2 * _STEP)

        played, _ = mean(data)
        return Slopes(played, slope(_heads), slope(_work), slope(_patience))


def _waited(task: tuple[Path, int, Floats]) -> tuple[Floats, Floats]:
    """What is waited in a replication of a scenario."""
    path, replication, starts = task
    desk = load(path)
    visits = simulate_visits(desk, _DEMAND.draw(desk, replication), engine="auto")
    return waited(visits, desk.horizon, starts)


def _heads(folder: Path, found: Calibration, factor: float) -> Data:
    assert found.as_it_was is not None
    pools = {}
    for name, pool in found.as_it_was["agents"].items():
        if "roster" in pool:
            file = f"other-{pool['roster']}"
            table: pd.DataFrame = found.files[pool["roster"]]
            more = (table["heads"] * factor).round(4)
            table.assign(heads=more).to_csv(folder / file, index=False)
            pool = pool | {"roster": file}
        pools[name] = pool
    return found.as_it_was | {"agents": pools}


def _work(folder: Path, found: Calibration, factor: float) -> Data:
    del folder
    assert found.as_it_was is not None
    pools = found.as_it_was["agents"]
    more = {name: pool | {"handle_scale": factor} for name, pool in pools.items()}
    return found.as_it_was | {"agents": more}


def _patience(folder: Path, found: Calibration, factor: float) -> Data:
    del folder
    assert found.as_it_was is not None
    customers = found.as_it_was["customers"]
    every = {key: value for key, value in customers.items() if key.startswith("patience")}
    return found.as_it_was | {"customers": customers | _longer(every, factor)}


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
