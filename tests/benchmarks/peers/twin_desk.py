"""The twin: either desk as a scenario, its answers from a profile."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from desks import Desk, FourStages, Seen, Spread

import twin
from twin.records.tables import RunLog
from twin.scenario.model import Scenario

_SURE = {"distribution": "constant", "value": 1.0}


def _time(time: Spread) -> dict[str, Any]:
    return {"distribution": "lognormal", "mean": f"{time.mean}s", "cv": time.cv}


def scenario(desk: Desk, horizon_s: float, seed: int) -> Scenario:
    """Either desk as a scenario."""
    pool: dict[str, Any] = {
        "shifts": [{"days": "Mon-Sun", "start": "00:00", "end": "24:00", "heads": desk.agents}],
        "handle_time": _time(desk.work),
    }
    data: dict[str, Any] = {
        "name": "peers",
        "horizon": f"{horizon_s}s",
        "seed": seed,
        "start": "2026-01-04",
        "arrivals": {"kind": "poisson", "rate": f"{3600 / desk.gap_s!r}/h"},
        "tickets": {"category_mix": {"plain": 1.0}},
        "agents": {"agents": pool},
        "customers": {
            "patience": {"distribution": "exponential", "mean": f"{desk.patience_s}s"},
            "survey_rate": 0.0,
            "reopen_rate": 0.0,
        },
    }
    if isinstance(desk, FourStages):
        pool["review_time"] = _time(desk.work)
        data["tickets"] = {"category_mix": {"plain": 1 - desk.reviewed, "reviewed": desk.reviewed}}
        data["provider"] = {"plan": "unlimited", "concurrency": desk.connections, "timeout": "1h"}
        data["assistant"] = {
            "role": "full",
            "backend": "profile",
            "model": "openai/gpt-oss-20b",
            "retrieval": False,
            "confidence_threshold": 0.0,
            "review_categories": ["reviewed"],
            "profile": {
                "accuracy": 1.0,
                "quality": _SURE,
                "categorize_latency": _time(desk.categorize),
                "respond_latency": _time(desk.respond),
            },
        }
    else:
        pool["wrap_up"] = _time(desk.wrap_up)
        data["assistant"] = {"role": "off"}
    return twin.from_data(data)


def play(desk: Desk, horizon_s: float, seed: int, engine: str) -> RunLog:
    """A play on one of the twin's engines: demand is drawn, all tables are made."""
    made = scenario(desk, horizon_s, seed)
    return twin.simulate(made, twin.draw(made), engine=engine)


def seen(log: RunLog) -> Seen:
    """Figures of the twin's tables."""
    calls, visits = log.calls, log.visits
    # Notes after a call are rows of their own.
    visits = visits[visits["activity"].isin(["handle", "review"])]
    started = visits["started_s"].to_numpy()
    left = (visits["end"] == "abandoned").to_numpy()
    done = left | ~np.isnan(started)
    wait = (calls["started_s"] - calls["asked_s"]).mean() if len(calls) else 0.0
    return Seen(
        len(log.tickets),
        float(left[done].mean()),
        float(np.nanmean(started - visits["queued_s"].to_numpy())),
        0.0 if math.isnan(wait) else float(wait),
    )
