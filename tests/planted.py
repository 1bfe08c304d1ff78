"""Planted desks: desks whose truth is known, and the logs that they would export."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import pandas as pd
from exports import at, write_csv, write_json

import twin

START = "2026-03-02"
_ENDED, _STAFFED, _STARTED = range(3)


def call_desk(number, days=21):
    """A phone desk drawn by number: shifts, availability, handle times, patience and load.

    Three in four have agents who come and go. The load is so that agents who are there are busy
    for two thirds to nine tenths of their time.
    """
    luck = np.random.default_rng([14, number])
    heads = int(luck.integers(2, 7))
    first, last = int(luck.integers(7, 10)), int(luck.integers(16, 20))
    # Shifts that do not overlap: one head less in each is one agent less at any time.
    shifts = [_shift(first, last, heads)]
    if luck.random() < 0.6:
        most = heads + int(luck.integers(1, 4))
        shifts = [
            _shift(first, first + 2, heads), _shift(first + 2, last - 2, most),
            _shift(last - 2, last, heads),
        ]  # fmt: skip
    handle_s = float(luck.uniform(180, 540))
    # Nobody ever leaves: so is it written down who is on shift.
    away, there = {"returns": "60/h"}, 1.0
    if luck.random() < 0.75:
        away, there = away_of(luck, handle_s)
    busy = float(luck.uniform(0.7, 0.95))
    at = np.array([
        sum(one["heads"] for one in shifts if _hour(one["start"]) <= h < _hour(one["end"]))
        for h in range(24)
    ])  # fmt: skip
    course = at * there * luck.uniform(0.85, 1.15, 24)
    pool = {
        "shifts": shifts,
        "handle_time": _lognormal(handle_s, luck.uniform(0.7, 1.2)),
        "handle_times": {"Long": _lognormal(1.8 * handle_s, 0.8)},
        "away": away,
    }
    mean_s = handle_s * (0.75 + 0.25 * 1.8)
    return twin.from_data({
        "name": f"calls-{number}",
        "start": START,
        "horizon": f"{days}d",
        "seed": 1000 + number,
        "arrivals": {
            "kind": "hourly",
            "rate": f"{busy * course.mean() * 3600 / mean_s:.4g}/h",
            "week": {"hours": [round(float(one), 3) for one in course / course.mean()]},
        },
        "tickets": {"category_mix": {"Short": 3, "Long": 1}},
        "agents": {"line": pool},
        "customers": {
            "patience": {"distribution": "exponential", "mean": f"{luck.uniform(120, 600):.0f}s"},
            "survey_rate": 0.0,
            "solved": {"agent": 1.0},
        },
    })  # fmt: skip


def _shift(first, last, heads):
    return {"days": "daily", "start": f"{first:02d}:00", "end": f"{last:02d}:00", "heads": heads}


def _hour(text):
    return int(text[:2])


def _lognormal(mean_s, cv):
    return {"distribution": "lognormal", "mean": f"{mean_s:.0f}s", "cv": round(float(cv), 2)}


def away_of(luck, handle_s):
    """Rates of agents who come and go, and about which share of them is there."""
    chance, idle = float(luck.uniform(0.1, 0.8)), float(luck.uniform(1, 10))
    returns, queued = float(luck.uniform(12, 40)), float(luck.uniform(0, 25))
    # After each touch, with about one ticket waiting.
    lost_s = chance * 3600 / (returns + queued)
    rates = {
        "after_touch": round(chance, 3), "while_idle": f"{idle:.3g}/h",
        "returns": f"{returns:.3g}/h", "returns_per_queued": f"{queued:.3g}/h",
    }  # fmt: skip
    return rates, handle_s / (handle_s + lost_s)


def who_worked(log, seed=0):
    """Names of the agents who took each visit of a run of one pool; shape (n,).

    A run of agents who come and go tells none apart. As they are alike, any who was free at that
    moment may have taken a ticket; who goes away after a touch is who has just ended it.
    """
    visits, staffing = log.visits, log.staffing
    luck = np.random.default_rng([15, seed])
    events = []
    for row, (start, end) in enumerate(zip(visits["started_s"], visits["ended_s"], strict=True)):
        if start == start:
            heappush(events, (start, _STARTED, row))
            if end == end:
                heappush(events, (end, _ENDED, row))
    for row, moment in enumerate(staffing["time_s"]):
        heappush(events, (moment, _STAFFED, row))
    on, gone = (staffing[name].to_numpy() for name in ("on_shift", "away"))
    free, away, off, going = [], [], [], set()
    crew, heads, absent = 0, 0, 0
    holds, names = {}, [""] * len(visits)
    last, just = -1.0, []
    while events:
        moment, what, row = heappop(events)
        if moment > last:
            last, just = moment, []
        if what == _ENDED:
            agent = holds.pop(row)
            if agent in going:
                going.remove(agent)
                off.append(agent)
            else:
                free.append(agent)
                just.append(agent)
        elif what == _STARTED:
            # The longest idle.
            agent = free.pop(0) if free else f"A{crew}"
            crew += agent == f"A{crew}"
            holds[row], names[row] = agent, agent
        else:
            more, left = int(on[row]) - heads, int(gone[row]) - absent
            heads, absent = int(on[row]), int(gone[row])
            for _ in range(more):
                off.sort()
                agent = off.pop(0) if off else f"A{crew}"
                crew += agent == f"A{crew}"
                free.append(agent)
            for _ in range(-more):
                if left < 0:
                    off.append(away.pop(int(luck.integers(len(away)))))
                    left += 1
                elif free:
                    off.append(free.pop(0))
                else:
                    busy = [one for one in holds.values() if one not in going]
                    going.add(busy[int(luck.integers(len(busy)))])
            for _ in range(left):
                agent = just.pop() if just else free[int(luck.integers(len(free)))]
                free.remove(agent)
                away.append(agent)
            free += [away.pop(int(luck.integers(len(away)))) for _ in range(-left)]
    return names


def texts(seconds, start=START):
    """Moments as texts, empty where missing."""
    known = seconds.notna()
    found = pd.Timestamp(start) + pd.to_timedelta(seconds.where(known, 0.0), unit="s")
    return found.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").where(known, "")


def log_of_calls(log, path, local=False, minutes=False):
    """A log of calls, a row each, of a run; local: as a spreadsheet writes it, to the second.

    In minutes moments are told without their seconds.
    """
    visits = log.visits
    if visits["agent"].notna().any():
        who = visits["pool"].astype(str) + " " + visits["agent"].astype(str)
    else:
        who = who_worked(log)
    visits = visits.assign(agent=who)
    visits = visits.merge(log.tickets[["ticket_id", "category_true"]]).sort_values("queued_s")
    served = visits["started_s"].notna()
    frame = pd.DataFrame({
        "call": visits["ticket_id"],
        "arrived": texts(visits["queued_s"]),
        "kind": visits["category_true"].astype(str),
        "outcome": np.where(served, "served", "abandoned"),
        "answered": texts(visits["started_s"]),
        "ended": texts(visits["ended_s"]),
        "agent": np.where(served, visits["agent"], ""),
    })  # fmt: skip
    if local:
        for name in ("arrived", "answered", "ended"):
            known = pd.to_datetime(frame[name], errors="coerce").dt.floor("s")
            frame[name] = known.dt.strftime("%d/%m/%Y %H:%M:%S").fillna("")
    if minutes:
        for name in ("arrived", "answered", "ended"):
            frame[name] = frame[name].str[:16]
    frame.to_csv(path, index=False, sep=";" if local else ",")
    return path


def clock_only(number, days=21):
    """Moments and waits of a desk whose waits know the clock alone; shape (n,) each.

    By number, waits are long at some hours, or last until the next half hour, or are longer on some
    days, or calls come in waves that nobody feels.
    """
    luck = np.random.default_rng([16, number])
    rate = luck.uniform(3, 15) * np.interp(np.arange(24), [7, 9, 12, 16, 19], [0, 1.5, 1, 1.3, 0])
    weekday, level_s = luck.uniform(0.6, 1.4, 7), 60 * luck.uniform(0.3, 3, 24)
    at, wait_s = [], []
    for day in range(days):
        busy = luck.gamma(10, 0.1) * weekday[day % 7]
        slow = luck.lognormal(0, 0.3) if number % 4 == 2 else 1.0
        for hour in range(24):
            wave = luck.gamma(8, 1 / 8) if number % 4 == 3 else 1.0
            count = luck.poisson(rate[hour] * busy * wave)
            moments = day * 86400 + hour * 3600 + np.sort(luck.uniform(0, 3600, count))
            waits = luck.exponential(level_s[hour], count) * slow * weekday[day % 7]
            if number % 4 == 1:
                waits = 1800 - moments % 1800 + luck.exponential(20, count)
            at.append(moments)
            wait_s.append(waits * (luck.random(count) < 0.8))
    return np.concatenate(at), np.concatenate(wait_s)


OFFICE = [
    0.0 if day > 4 or not 8 <= hour < 18 else 1.0 for day in range(7) for hour in range(24)
]  # fmt: skip


def status_desk(number, days=56):
    """A desk of statuses drawn by number, whose delays follow office hours and no load."""
    luck = np.random.default_rng([17, number])
    ask = round(float(luck.uniform(0.15, 0.4)), 3)
    back = round(float(luck.uniform(0.03, 0.1)), 3)

    def hours(low, high):
        return {"distribution": "exponential", "mean": f"{luck.uniform(low, high):.1f}h"}

    workflow = {
        "start": {"Logged": 1.0},
        "clocks": {"office": OFFICE},
        "clock": "office",
        "statuses": {
            "Logged": {"counts_as": "Open", "delay": hours(2, 12), "next": {"Active": 1.0}},
            "Active": {
                "counts_as": "In Progress", "delay": hours(6, 30),
                "next": {"Resolved": round(1 - ask, 3), "Waiting for user": ask},
            },
            "Waiting for user": {"counts_as": "Waiting for customer", "delay": hours(12, 40),
                                 "next": {"Active": 1.0}},
            "Resolved": {"counts_as": "Resolved", "delay": "72h", "clock": "around the clock",
                         "next": {"Closed": round(1 - back, 3), "Active": back}},
            "Closed": {"counts_as": "Closed"},
        },
    }  # fmt: skip
    return twin.from_data({
        "name": f"statuses-{number}", "start": START, "horizon": f"{days}d", "seed": 2000 + number,
        "arrivals": {
            "kind": "hourly", "rate": f"{luck.uniform(1.2, 2.5):.3g}/h", "week": {"hours": OFFICE},
            "growth": round(float(luck.choice([0.0, 0.0, 0.03, -0.03])), 3),
        },
        "agents": {}, "assistant": {"role": "off"}, "customers": {"survey_rate": 0.0},
        "workflow": workflow,
    })  # fmt: skip


def queueing_desk(number, days=42):
    """A desk of agents who take tickets in turn, drawn by number; its export shows statuses."""
    luck = np.random.default_rng([18, number])
    heads, work_min = int(luck.integers(2, 5)), float(luck.uniform(15, 40))
    rate = heads * luck.uniform(0.8, 0.92) * 60 / work_min
    pool = {
        "shifts": [{"days": "Mon-Fri", "start": "08:00", "end": "18:00", "heads": heads}],
        "handle_time": _lognormal(60 * work_min, 1.0),
        "at_shift_end": "continue",
    }
    return twin.from_data({
        "name": f"queue-{number}", "start": START, "horizon": f"{days}d", "seed": 3000 + number,
        "arrivals": {"kind": "hourly", "rate": f"{rate * 50 / 168:.4g}/h",
                     "week": {"hours": OFFICE}},
        "agents": {"desk": pool},
        "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
    })  # fmt: skip


def changes_of(log):
    """Changes of status of a run: columns case, status, moment (seconds)."""
    line = log.timeline
    own = line["detail"].astype(object).where(line["detail"].notna(), line["status"].astype(str))
    return pd.DataFrame({"case": line["ticket_id"], "status": own, "moment": line["time_s"]})


def as_event_log(changes, path):
    """A CSV file of cases, activities and times."""
    rows = zip(changes["case"], changes["status"], map(at, changes["moment"]), strict=True)
    return write_csv(path.with_suffix(".csv"), [
        {"case": case, "activity": status, "timestamp": moment} for case, status, moment in rows
    ])  # fmt: skip


def as_xes(changes, path):
    """An XES file."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?><log xes.version="1.0">']
    for case, group in changes.groupby("case"):
        parts.append(f'<trace><string key="concept:name" value="{case}"/>')
        parts += [
            f'<event><string key="concept:name" value="{status}"/>'
            f'<date key="time:timestamp" value="{at(moment)}"/></event>'
            for status, moment in zip(group["status"], group["moment"], strict=True)
        ]
        parts.append("</trace>")
    path = path.with_suffix(".xes")
    path.write_text("".join([*parts, "</log>"]), encoding="utf-8")
    return path


def as_jira(changes, path):
    """Jira's JSON of issues with their changelog, newest first."""
    issues = []
    for case, group in changes.groupby("case"):
        names, times = group["status"].tolist(), group["moment"].tolist()
        histories = [
            {"id": str(k), "created": at(times[k], "jira"), "author": {"name": "ann"},
             "items": [{"field": "status", "fromString": names[k - 1], "toString": names[k]}]}
            for k in range(1, len(names))
        ]  # fmt: skip
        fields = {"created": at(times[0], "jira"), "status": {"name": names[-1]},
                  "priority": {"name": "Medium"}, "issuetype": {"name": "Task"}}  # fmt: skip
        issues.append({"key": f"IT-{case}", "fields": fields,
                       "changelog": {"histories": histories[::-1]}})  # fmt: skip
    return write_json(path.with_suffix(".json"), {"issues": issues})


def as_servicenow(changes, path):
    """ServiceNow's incidents, a row an update."""
    rows = []
    for case, group in changes.groupby("case"):
        opened = at(group["moment"].iloc[0], "plain")
        rows += [
            {"number": f"INC{case}", "opened_at": opened, "incident_state": status,
             "sys_updated_at": at(moment, "plain"), "sys_mod_count": k,
             "priority": "3 - Moderate", "category": "all"}
            for k, (status, moment) in enumerate(zip(group["status"], group["moment"],
                                                     strict=True))
        ]  # fmt: skip
    return write_csv(path.with_suffix(".csv"), rows)


def as_zendesk(changes, path):
    """Zendesk's ticket metric events: whose turn it is, and when it was solved."""
    events, number = [], 0
    for case, group in changes.groupby("case"):
        waits = None
        for status, moment in zip(group["status"], group["moment"], strict=True):
            if status in ("Resolved", "Closed"):
                kind = "fulfill"
            elif status.startswith("Waiting"):
                kind = "pause"
            else:
                kind = "activate"
            if kind == waits or (kind == "fulfill" and waits is None):
                continue
            waits = kind
            number += 1
            events.append({
                "id": number, "ticket_id": case, "metric": "requester_wait_time",
                "instance_id": 1, "type": kind, "time": at(moment),
            })  # fmt: skip
    return write_json(path.with_suffix(".json"), {"ticket_metric_events": events})


FORMS = {
    "event log": as_event_log, "XES": as_xes, "Jira": as_jira, "ServiceNow": as_servicenow,
    "Zendesk": as_zendesk,
}  # fmt: skip
