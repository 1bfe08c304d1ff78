"""Sections of a scenario as found in a history: arrivals, tickets, customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.calibrated import Data
from twin.history.desk_history import DeskHistory
from twin.history.fit.arrivals import ArrivalsFit
from twin.history.fit.estimate import Estimate
from twin.history.fit.mix import fit_mix
from twin.history.fit.patience import FEWEST_GAVE_UP, fit_patience, waits
from twin.history.priorities import priorities_of
from twin.history.told import Told
from twin.history.whole_days import Days
from twin.records.tables import RunLog
from twin.scenario import clock
from twin.scenario.model import PRIORITIES

Floats = npt.NDArray[np.float64]
# Less spread is none.
_SMALLEST_CV = 0.01
_UNRATED = "no rating is fitted; say here who rates"
_ONCE = "a log of calls does not tell who calls again about the same"


def arrivals_section(found: ArrivalsFit) -> Data:
    """The section [arrivals] of what was found."""
    mean = float(found.rates.mean())
    weights = [round(float(rate / mean), 4) for rate in found.rates]
    section: Data = {"kind": "hourly", "rate": f"{mean:.6g}/h", "week": {"hours": weights}}
    busyness = {
        "cv": found.spread.day_cv,
        "part_cv": found.spread.hour_cv,
    }
    kept = {key: round(value, 4) for key, value in busyness.items() if value >= _SMALLEST_CV}
    if "part_cv" in kept:
        kept["correlation"] = round(found.spread.correlation, 4)
    if kept:
        section["busyness"] = kept
    if found.growth:
        section["growth"] = round(found.growth, 5)
    return section


def trace(log: RunLog, told: Told) -> pd.DataFrame:
    """Arrivals of a history as a trace, with categories where all are known, and priorities."""
    tickets = log.tickets[log.tickets["arrived_s"] >= 0]
    at_s = told.spread(tickets["arrived_s"].to_numpy(dtype=np.float64))
    columns: dict[str, Any] = {"timestamp": pd.Series(at_s, index=tickets.index)}
    if tickets["category_true"].notna().all():
        columns["category"] = tickets["category_true"].astype(str)
    if (priority := priorities_of(tickets)) is not None:
        columns["priority"] = priority
    return pd.DataFrame(columns)


def tickets_section(history: DeskHistory, days: Days, estimates: list[Estimate]) -> Data:
    """The section [tickets]: the mix of categories and priorities."""
    log, start = history.log, history.desk.midnight
    tickets = log.tickets[log.tickets["arrived_s"] >= 0]
    at = tickets["arrived_s"].to_numpy(dtype=np.float64)
    day = np.searchsorted(days.starts, at, side="right") - 1
    hour = clock.hour_of_week(at, start) % 24
    section: Data = {}
    if tickets["category_true"].notna().all():
        column = tickets["category_true"].cat.remove_unused_categories()
        names = tuple(column.cat.categories)
        mix = fit_mix(
            column.cat.codes.to_numpy().astype(np.int64), hour, day, names, "tickets.category_mix"
        )
        estimates += mix.estimates
        section["category_mix"] = _rounded(names, mix.shares)
        if mix.hours is not None:
            key, method = (
                "tickets.category_hours",
                "largest factor; predicts held-back weeks better",
            )
            estimates.append(Estimate(key, float(mix.hours.max()), n=len(at), method=method))
            section["category_hours"] = {
                name: [round(float(value), 4) for value in mix.hours[:, k]]
                for k, name in enumerate(names)
            }
    if (priority := priorities_of(tickets)) is not None:
        code = priority.map(PRIORITIES.index).to_numpy(dtype=np.int64)
        shares = np.bincount(code, minlength=len(PRIORITIES)) / len(code)
        section["priority_mix"] = _rounded(PRIORITIES, shares)
        mix = fit_mix(code, hour, day, PRIORITIES, "tickets.priority_mix")
        estimates += [one for one in mix.estimates if one.value > 0]
    return section


def _rounded(names: Sequence[str], shares: Floats) -> dict[str, float]:
    found = zip(names, shares.tolist(), strict=True)
    return {name: round(share, 6) for name, share in found if share > 0}


def customers_section(log: RunLog, estimates: list[Estimate], told: Told) -> Data:
    """The section [customers]: patience; who is answered does not come back."""
    section: Data = {"survey_rate": 0.0, "solved": {"agent": 1.0}}
    estimates.append(Estimate("customers.survey_rate", 0.0, method=_UNRATED, assumed=True))
    estimates.append(Estimate("customers.solved.agent", 1.0, method=_ONCE, assumed=True))
    _, wait_s, gave_up = waits(log.visits, log.horizon_s, told)
    every = fit_patience(wait_s, gave_up, told=told)
    estimates.append(every.estimate)
    if not gave_up.any():
        return section
    section["patience"] = every.as_data()
    by_ticket = log.tickets.set_index("ticket_id")["category_true"]
    category = log.visits["ticket_id"].map(by_ticket)
    own: Data = {}
    for name in category.dropna().unique():
        here = log.visits[(category == name).to_numpy()]
        _, wait_s, gave_up = waits(here, log.horizon_s, told)
        if gave_up.sum() >= FEWEST_GAVE_UP:
            key = f"customers.patience_by_category.{name}"
            found = fit_patience(wait_s, gave_up, key, told)
            own[str(name)] = found.as_data()
            estimates.append(found.estimate)
    if len(own) > 1:
        section["patience_by_category"] = own
    return section
