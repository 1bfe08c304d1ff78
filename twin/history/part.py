"""A part of a history: what was known of a desk at a moment, or what happened from a day on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.times import instants
from twin.history.desk_history import DeskHistory
from twin.history.fidelity.period import with_data
from twin.history.periods import cut
from twin.history.traps import gap_days
from twin.records.tables import STILL_OPEN, VISIT_ENDS, RunLog
from twin.scenario.clock import midnight


def part_of(
    history: DeskHistory, since: str | None = None, until: str | None = None
) -> DeskHistory:
    """The part of a history that lies between two times, as if only that had been exported.

    Tickets that were open at its start are its opening backlog, those that were not over at its end
    are open, and nothing that happened later is in it, changes of their status neither.

    Parameters
    ----------
    history : DeskHistory
    since, until : str, optional
        Times, as `twin.read_history` takes them; by default its own start and end. It starts with
        the day of the first.

    Raises
    ------
    ScenarioError
        If a text is no time, or no ticket lies between them.
    """
    if since is None and until is None:
        return history
    log, desk = history.log, history.desk
    began = desk.midnight.timestamp()
    first = asked_moment(since, desk.zone, "--since")
    last = asked_moment(until, desk.zone, "--until")
    start = desk.midnight
    if first is not None and first > began:
        start = midnight(datetime.fromtimestamp(first, desk.zone).date(), desk.zone)
    start_s = start.timestamp() - began
    # The last moment belongs to it.
    end_s = log.horizon_s if last is None else min(last - began + 1.0, log.horizon_s)
    part = _log(log, start_s, end_s) if end_s > start_s else None
    if part is None or not len(part.tickets):
        until_day = desk.midnight + timedelta(seconds=log.horizon_s)
        why = f"no ticket lies in that time; it goes from {desk.start} to {until_day.date()}"
        raise ScenarioError("the history", [Fault("", why)])
    ids = part.tickets["ticket_id"]
    extra = {name: frame[frame["ticket_id"].isin(ids)] for name, frame in history.extra.items()}
    events = extra["events"]
    extra["events"] = _moved(events[events["time_s"] < end_s], ("time_s",), start_s)
    spells = _moved(
        history.extra["spells"].loc[part.visits.index], ("started_s", "ended_s"), start_s
    )
    spells["ended_s"] = spells["ended_s"].where(part.visits["ended_s"].notna())
    extra["spells"] = spells
    return replace(
        history,
        log=replace(part, visits=part.visits.reset_index(drop=True)),
        desk=desk.model_copy(update={"start": start.date(), "horizon": part.horizon_s}),
        extra={name: frame.reset_index(drop=True) for name, frame in extra.items()},
        gaps=tuple(gap_days(part, start)),
    )


def asked_moment(text: str | None, zone: ZoneInfo, option: str) -> float | None:
    """Seconds since 1970 of a time that was asked for.

    Raises
    ------
    ScenarioError
        If it is none; it names the option.
    """
    if text is None:
        return None
    try:
        return float(instants([text], zone.key)[0] / 1e6)
    except ValueError as error:
        raise ScenarioError(option, [Fault("", str(error))]) from None


def _log(log: RunLog, start_s: float, end_s: float) -> RunLog:
    part = cut(log, start_s, end_s)
    tickets, visits = part.tickets, part.visits
    responded = tickets["responded_s"]
    known = (responded >= 0) & (responded < part.horizon_s)
    tickets = tickets.assign(
        responded_s=responded.where(known),
        resolved_by=tickets["resolved_by"].where(tickets["resolved_s"].notna()),
    )
    ends = visits["end"].astype(object).where(visits["ended_s"].notna(), VISIT_ENDS[STILL_OPEN])
    visits = visits.assign(
        pool=visits["pool"].where(visits["started_s"].notna()),
        end=pd.Categorical(ends, categories=list(VISIT_ENDS)),
    )
    return replace(part, tickets=tickets.reset_index(drop=True), visits=visits)


def _moved(frame: pd.DataFrame, columns: tuple[str, ...], by_s: float) -> pd.DataFrame:
    return frame.assign(**{name: frame[name] - by_s for name in columns}) if by_s else frame.copy()


def days_after(history: DeskHistory, part: DeskHistory) -> list[date]:
    """Days with data of a history of which a part of it holds nothing, as they came later."""
    zone = history.desk.zone
    # The last moment of a part belongs to it.
    end_s = part.desk.midnight.timestamp() + part.log.horizon_s - 1.0
    first = (datetime.fromtimestamp(end_s, zone) - timedelta(seconds=1)).date().toordinal() + 1
    days = with_data(history.log, history.desk, history.gaps)
    return [date.fromordinal(day) for day in days if day >= first]


def minutes_after(history: DeskHistory, part: DeskHistory) -> list[str]:
    """The moment at which a part of a history ends, if the history goes on for a minute or more."""
    end_s, last_s = (one.desk.midnight.timestamp() + one.log.horizon_s for one in (part, history))
    if last_s - end_s < 60:
        return []
    # The last moment of a part belongs to it.
    return [datetime.fromtimestamp(end_s - 1.0, part.desk.zone).strftime("%Y-%m-%dT%H:%M:%S")]
