"""Planted phone desks of several pools, some of whose skills are shared."""

from __future__ import annotations

import numpy as np
import planted

import twin

# Kinds that each pool takes, and of the kinds in turn the part of each pool's work that they are.
SHAPES = {
    "apart": ({"left": ["Billing"], "right": ["Access", "Other"]},
              {"left": [1, 0, 0], "right": [0, 0.6, 0.4]}),
    "one helps": ({"left": ["Billing"], "right": ["Access", "Billing", "Other"]},
                  {"left": [1, 0, 0], "right": [0.3, 0.4, 0.3]}),
    "overlap": ({"left": ["Billing", "Other"], "right": ["Access", "Other"]},
                {"left": [0.7, 0, 0.3], "right": [0, 0.7, 0.3]}),
}  # fmt: skip
KINDS = ("Billing", "Access", "Other")
# Two that share no kind, each helped by another one.
FOUR = (
    {"first": ["Billing"], "second": ["Access"], "third": ["Access", "Other"],
     "fourth": ["Billing", "Orders"]},
    {"first": [1, 0, 0, 0], "second": [0, 1, 0, 0], "third": [0, 0.4, 0.6, 0],
     "fourth": [0.3, 0, 0, 0.7]},
)  # fmt: skip
FOUR_KINDS = (*KINDS, "Orders")


def shape_of(number):
    """Name of the shape of a desk: they come in turn."""
    return list(SHAPES)[number % len(SHAPES)]


def pool_desk(number, days=14, four=False):
    """A phone desk of two pools, or four, drawn by number, whose agents are told apart.

    In three of four desks agents come and go. A pool's agents who are there are busy for three
    quarters to nine tenths of their time.
    """
    luck = np.random.default_rng([20, number])
    skills, work = FOUR if four else SHAPES[shape_of(number)]
    kinds = FOUR_KINDS if four else KINDS
    first, last = int(luck.integers(7, 10)), int(luck.integers(16, 20))
    come_and_go = bool(luck.random() < 0.75)
    busy = float(luck.uniform(0.75, 0.9))
    pools, rates = {}, np.zeros(len(kinds))
    for name, takes in skills.items():
        heads, handle_s = int(luck.integers(3, 7)), float(luck.uniform(180, 480))
        away, there = {"returns": "60/h"}, 1.0
        if come_and_go:
            away, there = planted.away_of(luck, handle_s)
        handle = {"distribution": "lognormal", "mean": f"{handle_s:.0f}s",
                  "cv": round(float(luck.uniform(0.7, 1.2)), 2)}  # fmt: skip
        pools[name] = {
            "skills": takes,
            "shifts": [{"days": "daily", "start": f"{first:02d}:00", "end": f"{last:02d}:00",
                        "heads": heads}],
            "handle_time": handle, "away": away, "individuals": True,
        }  # fmt: skip
        rates += busy * heads * there * 3600 / handle_s * np.array(work[name])
    open_ = np.array([first <= hour < last for hour in range(24)])
    course = open_ * luck.uniform(0.85, 1.15, 24)
    shares = zip(kinds, rates / rates.sum(), strict=True)
    patience = {"distribution": "exponential", "mean": f"{luck.uniform(120, 600):.0f}s"}
    return twin.from_data({
        "name": f"{'four' if four else 'pools'}-{number}",
        "start": planted.START,
        "horizon": f"{days}d",
        "seed": 4000 + number,
        "arrivals": {
            "kind": "hourly",
            "rate": f"{rates.sum() * course.mean():.4g}/h",
            "week": {"hours": [round(float(one), 3) for one in course / course.mean()]},
        },
        "tickets": {"category_mix": {name: round(float(share), 4) for name, share in shares}},
        "agents": pools,
        "customers": {"patience": patience, "survey_rate": 0.0, "solved": {"agent": 1.0}},
    })  # fmt: skip


def found_pool(desk, skills):
    """The pool of a calibrated desk that takes what a planted one takes; None where none does."""
    return next((name for name, one in desk.agents.items() if set(one.skills) == set(skills)), None)


def planned_hours(desk, name):
    """Hours of a planted pool's agents on shift."""
    (shift,) = desk.as_data()["agents"][name]["shifts"]
    first, last = (int(str(shift[end])[:2]) for end in ("start", "end"))
    return shift["heads"] * (last - first) * desk.horizon / 86400
