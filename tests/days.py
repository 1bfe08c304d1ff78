"""Desks of constant times for tests that trace days by hand, and what they read off a run."""

from itertools import pairwise

from twin.measures.figures import measure
from twin.records.tables import STATUSES, TRANSITIONS
from twin.scenario.model import from_data

MIN, HOUR, DAY = 60.0, 3600.0, 86400.0
ALWAYS = {"agent": 1.0, "reviewed": 1.0, "assistant": 1.0}
ONE = {"all": {"heads": 1, "handle_time": "10min"}}


def desk(arrivals, customers=None, **sections):
    """Plain data of a desk: one agent, 10 minutes a ticket, every answer solves."""
    return {
        "horizon": "1d",
        "arrivals": arrivals,
        "agents": ONE,
        "customers": {"survey_rate": 0.0, "solved": ALWAYS, **(customers or {})},
        **sections,
    }


def assistant(role="full", profile=None, **settings):
    """Categorizes in 2 s, responds in 5 s, always right."""
    constants = {
        "accuracy": 1.0,
        "confidence_right": 0.9,
        "quality": 1.0,
        "categorize_latency": "2s",
        "respond_latency": "5s",
        **(profile or {}),
    }
    return {"role": role, "backend": "profile", "profile": constants, **settings}


def provider(**settings):
    return {"plan": "unlimited", **settings}


def life(log, ticket):
    """The ticket's statuses with their moments; each must be allowed to follow the last."""
    rows = log.timeline[log.timeline["ticket_id"] == ticket]
    statuses = rows["status"].astype(object).tolist()
    codes = [None, *map(STATUSES.index, statuses)]
    for before, after in pairwise(codes):
        assert after in TRANSITIONS[before]
    return list(zip(rows["time_s"], statuses, strict=True))


def visits(log, *columns):
    """Columns of the visits, in order of ticket and time."""
    rows = log.visits.sort_values(["ticket_id", "queued_s"], kind="stable")
    return list(rows[["ticket_id", *columns]].itertuples(index=False, name=None))


def spans(log):
    return [span for _, *span in visits(log, "started_s", "ended_s")]


def value(log, data, kpi, group=""):
    return measure(log, from_data(data)).set_index(["kpi", "group"])["value"][kpi, group]


def calls(log, *columns):
    """Columns of the model calls, in order of ticket and time."""
    rows = log.calls.sort_values(["ticket_id", "asked_s", "started_s"], kind="stable")
    return list(rows[list(columns)].itertuples(index=False, name=None))
