"""Figures of a history by week or by day, so that they have intervals.

There is one history, so its parts take the place of replications: whole weeks where there are at
least four, else whole days. Figures of tickets go by the part in which they came, with what had
become of them by the end of the history; figures over time go by the time itself. Parts with days
without data are left out. Parts of one history follow each other and are not independent: what goes
on for longer than a part (a backlog, a season) makes the intervals too narrow, and days differ by
weekday, which makes those of days wider than luck alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from twin.measures.figures import FIGURES, measure
from twin.records import tables
from twin.records.tables import OPEN, REOPENED, RESOLVED, RunLog
from twin.scenario import clock
from twin.scenario.model import Scenario

FEWEST_WEEKS = 4
FEWEST_DAYS = 2
_OVER_TIME = ("time after warm-up", "resolutions after warm-up", "staffed time after warm-up",
              "tickets resolved after warm-up", "spending after warm-up")  # fmt: skip
_OVER = ("Resolved", "Closed", "Abandoned")


@dataclass(frozen=True)
class Period:
    """A part of a history: its first day, and its bounds in seconds since the start."""

    day: date
    start_s: float
    end_s: float


def periods(
    desk: Scenario, horizon_s: float, gaps: Sequence[date] = ()
) -> tuple[str, list[Period]]:
    """Parts of a history: their name ("weeks", "days" or "history") and where they lie.

    Parameters
    ----------
    desk : Scenario
        Gives the first day and the time zone.
    horizon_s : float
    gaps : sequence of date
        Days without data.
    """
    # A second is added to the last moment; a day that ends there is whole.
    edges = [at for _, at in clock.days(desk.midnight, horizon_s - 1.0)]
    last = edges[-1]
    following = clock.moment(desk.start + timedelta(days=len(edges)), 0.0, desk.midnight)
    if horizon_s - last > 0.9 * (following - last):
        edges.append(min(following, horizon_s))
    whole = len(edges) - 1
    missing = {(day - desk.start).days for day in gaps}

    def parts(length: int) -> list[Period]:
        return [
            Period(desk.start + timedelta(days=k), edges[k], edges[k + length])
            for k in range(0, whole - length + 1, length)
            if not missing & set(range(k, k + length))
        ]

    weeks, days = parts(7), parts(1)
    if len(weeks) >= FEWEST_WEEKS:
        return "weeks", weeks
    if len(days) >= FEWEST_DAYS:
        return "days", days
    return "history", [Period(desk.start, 0.0, horizon_s)]


def kpis_by_period(log: RunLog, desk: Scenario, parts: Sequence[Period]) -> pd.DataFrame:
    """The table kpis of each part, with a column replication: the number of the part."""
    over_time = {name for name, figure in FIGURES.items() if figure.population in _OVER_TIME}
    frames = []
    for number, (part, came, then) in enumerate(_logs(log, parts)):
        at = {"start": part.day, "warm_up": 0.0}
        of_tickets = measure(came, desk.model_copy(update=at | {"horizon": came.horizon_s}))
        of_time = measure(then, desk.model_copy(update=at | {"horizon": then.horizon_s}))
        both = pd.concat([
            of_tickets[~of_tickets["kpi"].isin(over_time)],
            of_time[of_time["kpi"].isin(over_time)],
        ])  # fmt: skip
        order = {name: k for k, name in enumerate(FIGURES)}
        both = both.sort_values("kpi", key=lambda names: names.map(order), kind="stable")
        both.insert(0, "replication", np.int32(number))
        frames.append(both)
    return pd.concat(frames, ignore_index=True)


def _logs(log: RunLog, parts: Sequence[Period]) -> Iterator[tuple[Period, RunLog, RunLog]]:
    """Each part with the log of the tickets that came in it, and the log of its time."""
    for part in parts:
        yield part, _arrived_in(log, part), cut(log, part.start_s, part.end_s)


def _arrived_in(log: RunLog, part: Period) -> RunLog:
    """Tickets that came in a part, with all that became of them."""
    arrived = log.tickets["arrived_s"].to_numpy()
    here = (arrived >= part.start_s) & (arrived < part.end_s)
    ids = log.tickets["ticket_id"].to_numpy()[here]
    made = {}
    for name, moments in _MOMENTS.items():
        frame = getattr(log, name)
        rows = frame[here] if name == "tickets" else frame[frame["ticket_id"].isin(ids).to_numpy()]
        made[name] = rows.assign(**{m: rows[m] - part.start_s for m in moments if m in rows})
    return replace(log, horizon_s=log.horizon_s - part.start_s, **made)


_MOMENTS = {
    "tickets": ("arrived_s", "responded_s", "resolved_s"), "timeline": ("time_s",),
    "visits": ("queued_s", "started_s", "ended_s"), "ratings": ("rated_s",),
}  # fmt: skip


def cut(log: RunLog, start_s: float, end_s: float) -> RunLog:
    """The log of a stretch of time: what was open at its start is its opening backlog.

    Parameters
    ----------
    log : RunLog
    start_s, end_s : float
        Seconds since the start of the log.
    """
    timeline = log.timeline
    at = timeline["time_s"].to_numpy()
    before, inside = at < start_s, (at >= start_s) & (at < end_s)
    old = timeline[before].drop_duplicates("ticket_id", keep="last")
    over = old["status"].isin(list(_OVER)).to_numpy()
    ids = timeline["ticket_id"].to_numpy()[inside]
    comes_back = over & old["ticket_id"].isin(ids).to_numpy()
    open_ = old[~over | comes_back]
    state = open_["status"].astype(object).to_numpy()
    state = np.where(comes_back[~over | comes_back], tables.STATUSES[RESOLVED], state)
    plain = np.isin(state, (tables.STATUSES[OPEN], tables.STATUSES[REOPENED]))
    parts = [
        pd.DataFrame({"ticket_id": open_["ticket_id"], "time_s": 0.0,
                      "status": tables.STATUSES[OPEN]}),
        pd.DataFrame({"ticket_id": open_["ticket_id"], "time_s": 0.0, "status": state})[~plain],
        timeline.loc[inside, ["ticket_id", "time_s", "status"]].assign(
            time_s=at[inside] - start_s, status=lambda rows: rows["status"].astype(object)),
    ]  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    rows["status"] = pd.Categorical(rows["status"], categories=list(tables.STATUSES))
    here = log.tickets["ticket_id"].isin(rows["ticket_id"].unique()).to_numpy()
    tickets = log.tickets[here]
    last = rows.drop_duplicates("ticket_id", keep="last").set_index("ticket_id")["status"]
    done = rows[
        (rows["status"] == tables.STATUSES[RESOLVED]) & (rows.index >= len(rows) - inside.sum())
    ]
    done_s = done.drop_duplicates("ticket_id", keep="last").set_index("ticket_id")["time_s"]
    tickets = tickets.assign(
        arrived_s=tickets["arrived_s"] - start_s,
        status=last.reindex(tickets["ticket_id"]).array,
        resolved_s=done_s.reindex(tickets["ticket_id"]).to_numpy(),
        responded_s=tickets["responded_s"] - start_s,
    )
    visits = log.visits
    queued, started, ended = (visits[n].to_numpy() - start_s for n in _MOMENTS["visits"])
    first = np.fmin(queued, started)
    stay = (first < end_s - start_s) & ~(ended < 0)
    stay &= visits["ticket_id"].isin(tickets["ticket_id"]).to_numpy()
    late, on = started >= end_s - start_s, ended >= end_s - start_s
    visits = visits.assign(
        queued_s=np.maximum(queued, 0.0),
        started_s=np.where(late, np.nan, np.maximum(started, 0.0)),
        ended_s=np.where(on, np.nan, ended),
    )[stay]  # fmt: skip
    rated = log.ratings["rated_s"].to_numpy()
    ratings = log.ratings[(rated >= start_s) & (rated < end_s)]
    ratings = ratings[ratings["ticket_id"].isin(tickets["ticket_id"]).to_numpy()]
    return replace(log, horizon_s=end_s - start_s, tickets=tickets, timeline=rows, visits=visits,
                   ratings=ratings)  # fmt: skip
