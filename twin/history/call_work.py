"""Work of the agents of a desk's pools, as a scenario has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.history.calibrated import Data
from twin.history.call_pools import POOL, Part, Split
from twin.history.fit.estimate import Estimate
from twin.history.fit.work import ENOUGH_VALUES, FEWEST_HANDLED, fit_work, work_growth
from twin.history.told import Told
from twin.history.whole_days import Days
from twin.records.tables import RunLog

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Way:
    """Agents as one pool or several, with their work."""

    split: Split
    pools: dict[str, Data]
    files: dict[str, pd.DataFrame]
    estimates: list[Estimate]

    @classmethod
    def of(cls, split: Split, log: RunLog, days: Days, told: Told) -> Way:
        """Handle times of each pool, as measured."""
        pools: dict[str, Data] = {}
        files: dict[str, pd.DataFrame] = {}
        estimates = list(split.estimates)
        for part in split.parts:
            skills: Data = {"skills": list(part.takes)} if part.takes else {}
            pools[part.name] = skills | _work(part, log, days, told, files, estimates)
        return cls(split, pools, files, estimates)

    def sections(self, base: Data) -> Data:
        """The sections [agents] and [routing]."""
        pools = {name: pool | {"roster": "roster.csv"} for name, pool in self.pools.items()}
        return {"agents": pools, "routing": self.split.routing(base["routing"])}


def _work(
    part: Part,
    log: RunLog,
    days: Days,
    told: Told,
    files: dict[str, pd.DataFrame],
    estimates: list[Estimate],
) -> Data:
    """Handle times of a pool, as measured: all, and by category where there are enough."""
    visits = part.visits[(part.visits["activity"] == "handle").to_numpy()]
    prefix = "" if part.name == POOL else f"{part.name}-"
    lasted = (visits["ended_s"] - visits["started_s"]).to_numpy(dtype=np.float64)
    # In whole minutes the shortest are 0, and without them the mean would be too long.
    known = lasted >= 0 if told.unit_s else lasted > 0
    if known.sum() < FEWEST_HANDLED:
        reason = f"holds {known.sum()} handle times; at least {FEWEST_HANDLED} are needed"
        raise ScenarioError("the history", [Fault("", reason)])
    lasted, visits = lasted[known], visits[known]
    at = visits["started_s"].to_numpy(dtype=np.float64)
    day = np.searchsorted(days.starts, at, side="right") - 1
    by_ticket = log.tickets.set_index("ticket_id")["category_true"]
    category = visits["ticket_id"].map(by_ticket)
    key = f"agents.{part.name}"
    section = {
        "handle_time": _drawn(
            lasted, day, f"{prefix}handle", files, estimates, f"{key}.handle_time"
        )
    }
    own: Data = {}
    for k, name in enumerate(category.dropna().unique()):
        here = (category == name).to_numpy()
        if here.sum() >= FEWEST_HANDLED:
            file = f"{prefix}handle-{k + 1}"
            own[str(name)] = _drawn(
                lasted[here], day[here], file, files, estimates, f"{key}.handle_times.{name}"
            )
    if len(own) > 1:
        section["handle_times"] = own
    codes = pd.factorize(category)[0].astype(np.int64)
    lasted = np.maximum(lasted, told.unit_s / 2)
    estimates.append(work_growth(lasted, at, codes - codes.min(), f"{key}.handle_growth"))
    return section


def _drawn(
    lasted: Floats,
    day: Ints,
    name: str,
    files: dict[str, pd.DataFrame],
    estimates: list[Estimate],
    key: str,
) -> Data:
    found = fit_work(lasted, day, key)
    estimates.append(found.estimate)
    if len(lasted) < ENOUGH_VALUES:
        return found.as_data()
    files[f"{name}.csv"] = pd.DataFrame({"seconds": np.sort(lasted)})
    return {
        "distribution": "empirical",
        "file": f"{name}.csv",
        "column": "seconds",
        "unit": "1s",
    }
