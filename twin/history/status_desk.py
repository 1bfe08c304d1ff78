"""A desk of which only statuses are known: a workflow of measured chances and delays."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.history.calibrated import FORECAST_DAYS, Calibration, Data, whole_days
from twin.history.desk_history import DeskHistory
from twin.history.fit.arrivals import fit_arrivals
from twin.history.fit.estimate import Estimate
from twin.history.fit.statuses import fit_statuses
from twin.history.found_sections import arrivals_section, tickets_section
from twin.history.status_versions import with_status_versions
from twin.history.what_ifs import of_statuses
from twin.history.whole_days import days_of

# Days before the forecast in which the desk, empty at first, comes to have its open tickets.
_WARM_UP_DAYS = 56
_WARM_UP = "time in which the desk, empty at first, comes to have its open tickets"
_UNRATED = "ratings are not fitted"


def calibrate_statuses(history: DeskHistory, seed: int | None = None) -> Calibration:
    """Calibrate a desk to its changes of status.

    Parameters
    ----------
    history : DeskHistory
    seed : int, optional
        Of the days that are drawn again, and of the desk that is found.

    Raises
    ------
    ScenarioError
        If the history is too short, or tells no changes of status.
    """
    log, desk = history.log, history.desk
    if not history.tells_statuses:
        raise ScenarioError("the history", [Fault("events", history.neither)])
    own = history.extra["events"]
    own = own[own["detail"].notna()]
    days = days_of(history)
    arrived = log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    came = fit_arrivals(days.counts(arrived, desk.midnight))
    days = days.without(came.unusual)
    estimates: list[Estimate] = [*came.estimates, came.hours]
    tickets = tickets_section(history, days, estimates)
    moments = pd.Timestamp(desk.midnight) + pd.to_timedelta(own["time_s"], unit="s")
    events = pd.DataFrame({
        "case": own["ticket_id"],
        "status": own["detail"].astype(str),
        "moment": moments,
        "resource": own["agent"].astype(object),
        "group": own["group"].astype(object),
    })  # fmt: skip
    known = own[own["status"].notna()]
    cores = dict(zip(known["detail"].astype(str), known["status"].astype(str), strict=True))
    found = fit_statuses(events, desk.zone, cores)
    estimates += [one for one in found.estimates if not one.key.startswith("arrivals.")]
    first = days.days[-1] + timedelta(days=1 - _WARM_UP_DAYS)
    data: Data = {} if seed is None else {"seed": seed}
    data |= {
        "question": "How does this desk go on as it is?",
        "time_zone": desk.time_zone,
        "start": first.isoformat(),
        "horizon": whole_days(first, _WARM_UP_DAYS + FORECAST_DAYS, desk.time_zone),
        "warm_up": whole_days(first, _WARM_UP_DAYS, desk.time_zone),
        "replications": 10,
        "arrivals": arrivals_section(came),
        "tickets": tickets,
        "assistant": {"role": "off"},
        "agents": found.agents(),
        "customers": {"survey_rate": 0.0},
        "workflow": found.as_data(),
        "evidence": of_statuses(found.staffing, found.work),
    }
    estimates.append(Estimate("warm_up", float(_WARM_UP_DAYS), method=_WARM_UP, assumed=True))
    estimates.append(Estimate("customers.survey_rate", 0.0, method=_UNRATED, assumed=True))
    kept = days.only_known(np.zeros((len(days.days), 24))).days
    said = (found.staffing, *found.tried, *found.notes)
    plain = Calibration(data, None, {}, tuple(estimates), kept, said)
    return with_status_versions(plain, history, days, came, found)
