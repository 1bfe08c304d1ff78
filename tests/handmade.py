"""Run logs written by hand, for tests of what is computed from them."""

import numpy as np
import pandas as pd

from twin.records.columns import TABLES
from twin.records.tables import ACTIVITIES, STATUSES, STEPS, VISIT_ENDS, WORKERS, RunLog, frame
from twin.scenario.model import PRIORITIES

CATEGORIES = ["Login", "Payment"]
POOLS = ["front", "back"]
OUTCOMES = ["ok", "server error"]
DEFAULTS = {
    "text_id": -1,
    "category_true": "Login",
    "priority": "normal",
    "answer_id": -1,
    "transfers": 0,
    "reopens": 0,
    "status": "Open",
    "attempts": 1,
    "rate_limited": 0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "sample": -1,
    "activity": "handle",
    "step": "respond",
}
NAMES = {
    ("tickets", "status"): STATUSES,
    ("timeline", "status"): STATUSES,
    ("tickets", "priority"): PRIORITIES,
    ("tickets", "category"): CATEGORIES,
    ("tickets", "category_true"): CATEGORIES,
    ("tickets", "categorized_by"): WORKERS,
    ("tickets", "resolved_by"): WORKERS,
    ("visits", "pool"): POOLS,
    ("visits", "activity"): ACTIVITIES,
    ("visits", "end"): VISIT_ENDS,
    ("staffing", "pool"): POOLS,
    ("calls", "step"): STEPS,
    ("calls", "outcome"): OUTCOMES,
}


def table(name, rows):
    """A table of a run from dictionaries; what a row does not say is missing, or a default."""
    data = {}
    for column in TABLES[name]:
        values = [row.get(column.name, DEFAULTS.get(column.name, np.nan)) for row in rows]
        if column.dtype == "category":
            known = NAMES.get((name, column.name), ["x"])
            values = pd.Categorical(values, categories=list(known))
        data[column.name] = values
    return frame(name, data)


def run_log(horizon_s, **rows):
    """A run log of tables given as rows; tables not given are empty."""
    tickets = [{"ticket_id": k + 1, **row} for k, row in enumerate(rows.pop("tickets", []))]
    tables = {"tickets": tickets, "timeline": [], "visits": [], "calls": [], "ratings": [], **rows}
    frames = {name: table(name, given) for name, given in tables.items()}
    return RunLog(
        horizon_s=horizon_s, answers=table("answers", []), learning=table("learning", []), **frames
    )


def timeline(ticket_id, *changes):
    """Rows of the timeline from (moment, status) pairs."""
    return [{"ticket_id": ticket_id, "time_s": t, "status": s} for t, s in changes]


def visit(ticket_id, queued_s, started_s=np.nan, ended_s=np.nan, end="open", **more):
    """A row of the visits."""
    moments = {"queued_s": queued_s, "started_s": started_s, "ended_s": ended_s}
    return {"ticket_id": ticket_id, **moments, "end": end, **more}
