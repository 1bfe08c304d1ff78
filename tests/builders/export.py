"""The example export: a log of calls and tickets of Zendesk, made by the twin: its truth is known.

    python -m tests.builders.export

plays `planted-phone.toml` and `planted-mail.toml` of `scenarios/example-export` once each and
rewrites the files beside them, as a telephone system and as Zendesk would export them. A test makes
them again and says when they are stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import twin
from twin.scenario.model import Scenario

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "example-export"


def calls(desk: Scenario) -> pd.DataFrame:
    """The log of calls of the planted phone desk, a row each, with the clock of the desk."""
    log = twin.simulate(desk, twin.draw(desk))
    kinds = log.tickets[["ticket_id", "category_true"]]
    visits = log.visits.merge(kinds, on="ticket_id").sort_values("queued_s", kind="stable")
    answered = visits["started_s"].notna().to_numpy()
    frame = pd.DataFrame({
        "call": visits["ticket_id"].to_numpy(),
        "arrived": _moments(visits["queued_s"], desk),
        "kind": visits["category_true"].astype(str).to_numpy(),
        "outcome": np.where(answered, "answered", "abandoned"),
        "answered": _moments(visits["started_s"], desk),
        "ended": _moments(visits["ended_s"], desk),
        "agent": _agents(visits, desk),
    })  # fmt: skip
    # Who was still on the line as the log ends is not in it.
    return frame[frame["ended"] != ""].reset_index(drop=True)


def _moments(seconds: Any, desk: Scenario, form: str = "%Y-%m-%d %H:%M:%S") -> list[str]:
    """Moments by the desk's clock, in whole seconds as systems write them; "" where missing."""
    begin = pd.Timestamp(desk.midnight)
    return ["" if at != at else (begin + pd.Timedelta(seconds=round(at))).strftime(form)
            for at in np.asarray(seconds, dtype=np.float64)]  # fmt: skip


def _agents(visits: pd.DataFrame, desk: Scenario) -> list[str]:
    """An agent for each call: of those on shift and free the one who has been free for longest.

    In the twin the agents of a pool are alike and have no names; a telephone system has them.
    """
    free_s = dict.fromkeys(range(9), -1.0)
    found = {}
    for row in visits[visits["started_s"].notna()].sort_values("started_s").itertuples():
        on = _heads(desk, float(row.started_s))
        free = [k for k in range(on) if free_s[k] <= row.started_s]
        # Who stays on after the end of a shift has the next number.
        agent = min(free, key=free_s.__getitem__) if free else min(
            k for k in free_s if free_s[k] <= row.started_s
        )  # fmt: skip
        free_s[agent] = float(row.ended_s) if row.ended_s == row.ended_s else np.inf
        found[row.Index] = f"agent {agent + 1}"
    return [found.get(k, "") for k in visits.index]


def _heads(desk: Scenario, at_s: float) -> int:
    at = desk.midnight + pd.Timedelta(seconds=at_s)
    second = at.hour * 3600 + at.minute * 60 + at.second
    (pool,) = desk.agents.values()
    shifts = pool.shifts or []
    return int(sum(shift.heads for shift in shifts if shift.start <= second < shift.end))


# Zendesk's numbers of people and groups.
_GROUP, _REQUESTERS, _AGENTS = 36000001, 380000000, (370000011, 370000012)
_TURNS = {"Open": "activate", "Reopened": "activate", "Waiting for customer": "pause",
          "Resolved": "fulfill"}  # fmt: skip
_STATES = {"Open": "new", "In Progress": "open", "Reopened": "open", "Resolved": "solved",
           "Waiting for customer": "pending", "Closed": "closed"}  # fmt: skip


def zendesk(desk: Scenario) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Tickets of the planted mail desk with their metric sets, and the metric events of these.

    Tickets that were over before the warm-up ended are not exported; those that were open then are,
    with all their events.
    """
    log = twin.simulate(desk, twin.draw(desk))
    timeline = log.timeline.sort_values(["ticket_id", "time_s"], kind="stable")
    there = timeline.loc[timeline["time_s"] >= desk.warm_up, "ticket_id"].unique()
    agents = log.visits.drop_duplicates("ticket_id", keep="last").set_index("ticket_id")["agent"]
    rates = log.ratings.drop_duplicates("ticket_id", keep="last").set_index("ticket_id")["rating"]
    tickets, events = [], []
    for row in log.tickets[log.tickets["ticket_id"].isin(there)].itertuples():
        mine = timeline[timeline["ticket_id"] == row.ticket_id]
        moments = list(zip(mine["status"].astype(str), mine["time_s"], strict=True))
        agent = agents.get(row.ticket_id, np.nan)
        tickets.append(_ticket(row, moments, agent, rates.get(row.ticket_id), desk))
        events += _metric_events(row, moments, desk)
    events.sort(key=lambda event: (event["time"], event["ticket_id"]))
    for number, event in enumerate(events, start=1):
        event["id"] = 900000 + number
    return tickets, events


def _utc(seconds: float, desk: Scenario) -> str:
    moment = pd.Timestamp(desk.midnight) + pd.Timedelta(seconds=round(seconds))
    return moment.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")


def _ticket(
    row: Any, moments: list[tuple[str, float]], agent: float, stars: Any, desk: Scenario
) -> dict[str, Any]:
    ended = next((at for name, at in reversed(moments) if name == "Resolved"), None)
    replied = None if row.responded_s != row.responded_s else row.responded_s - row.arrived_s
    solved = None if row.resolved_s != row.resolved_s else ended
    score = "offered" if stars is None else "good" if stars >= 4 else "bad"
    return {
        "id": int(row.ticket_id),
        "created_at": _utc(row.arrived_s, desk),
        "updated_at": _utc(moments[-1][1], desk),
        "status": _STATES[moments[-1][0]],
        "priority": str(row.priority),
        "tags": [str(row.category_true).lower()],
        "type": str(row.category_true),
        "via": {"channel": "email"},
        "requester_id": _REQUESTERS + int(row.ticket_id) % 397,
        "assignee_id": None if agent != agent else _AGENTS[int(agent) - 1],
        "group_id": _GROUP,
        "satisfaction_rating": {"score": score if solved is not None else "unoffered"},
        "metric_set": {
            "reopens": int(row.reopens),
            "assignee_stations": 1,
            "solved_at": None if solved is None else _utc(solved, desk),
            "reply_time_in_minutes": {
                "calendar": None if replied is None else int(replied // 60)
            },
            "full_resolution_time_in_minutes": {
                "calendar": None if solved is None else int((solved - row.arrived_s) // 60)
            },
        },
    }  # fmt: skip


def _metric_events(
    row: Any, moments: list[tuple[str, float]], desk: Scenario
) -> Iterator[dict[str, Any]]:
    """Turns of desk and customer, and the first reply, as Zendesk tells them."""

    def event(metric: str, instance: int, kind: str, at: float) -> dict[str, Any]:
        return {"id": 0, "ticket_id": int(row.ticket_id), "metric": metric,
                "instance_id": instance, "type": kind, "time": _utc(at, desk)}  # fmt: skip

    turn, instance = "", 1
    for name, at in moments:
        kind = _TURNS.get(name, "")
        if not kind or kind == turn:
            continue
        instance += turn == "fulfill"
        turn = kind
        yield event("requester_wait_time", instance, kind, at)
    yield event("reply_time", 1, "activate", row.arrived_s)
    if row.responded_s == row.responded_s:
        yield event("reply_time", 1, "fulfill", row.responded_s)


def files() -> dict[str, str]:
    """The files by name, as texts."""
    phone, mail = (twin.load(FOLDER / f"planted-{name}.toml") for name in ("phone", "mail"))
    tickets, events = zendesk(mail)
    return {
        "calls.csv": calls(phone).to_csv(index=False, lineterminator="\n"),
        "tickets.json": _json("tickets", tickets),
        "metric_events.json": _json("ticket_metric_events", events),
    }


def _json(name: str, rows: list[dict[str, Any]]) -> str:
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f'{{"{name}":[\n{lines}\n]}}\n'


def main() -> None:
    """Write the files."""
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
