"""From the ratings and returns of a history to a simulated customer of the same satisfaction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from twin.desk.customers import THRESHOLDS, fall_with_wait
from twin.history.log import LiveRecord
from twin.records.tables import ABANDONED, BY_ASSISTANT, STATUSES, WORKERS
from twin.scenario.model import Scenario

# Fewer ratings say too little to replace an assumption.
FEWEST_RATINGS = 30
# So many tickets must have had their time to come back before one says how many do.
FEWEST_RETURNED = 10
# What `twin.assistant.profile` assumes where nothing is said.
_QUALITY = 0.8


def customers_of(
    history: LiveRecord, base: Scenario, desk: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    """The section of customers, with what was measured of them.

    Where there are enough ratings, the assistant's share of solved tickets is that at which the
    twin's mean rating is the measured one.

    Parameters
    ----------
    history : LiveRecord
    base : Scenario
        The desk as it ran.
    desk : dict
        The new scenario so far, as plain data; its profile may change.
    notes : list of str
        Gets what was found, a sentence each.
    """
    customers = dict(desk.get("customers", {}))
    ended = [t for t in history.tickets if t["resolved_at"] is not None]
    rated = {rating["ticket_id"] for rating in history.ratings}
    customers["survey_rate"] = round(len(rated & {t["id"] for t in ended}) / max(len(ended), 1), 4)
    by_assistant = {t["id"] for t in ended if t["resolved_by"] == WORKERS[BY_ASSISTANT]}
    share = len(by_assistant) / max(len(ended), 1)
    own = history.own
    ratings = [r["rating"] for r in history.ratings if r["ticket_id"] in own]
    if all(t["status"] != STATUSES[ABANDONED] for t in history.tickets):
        notes.append("Nobody was seen to give up; patience is the desk's assumed one.")
    if len(ratings) < FEWEST_RATINGS:
        notes.append(
            f"How satisfied customers are is assumed: {len(ratings)} rated the assistant, "
            f"{FEWEST_RATINGS} are needed."
        )
        customers["reopen_rate"] = _reopen_rate(history, base, _unsolved(base, share), notes)
        return customers
    mean = float(np.mean(ratings))
    profile = desk["assistant"]["profile"]
    accuracy, solved = _solved(mean, float(np.median(history.response_s)), base)
    # The share of solved tickets holds all that is known of quality.
    profile |= {"accuracy": round(accuracy, 4)}
    profile["quality"] = {"distribution": "constant", "value": 1.0}
    customers["solved"] = {**customers.get("solved", {}), "assistant": round(solved, 4)}
    notes.append(
        f"{len(ratings)} ratings of the assistant, mean {mean:.2f}: so it is taken to find the "
        f"category of {accuracy:.0%} and, in the right one, to solve {solved:.0%}."
    )
    unsolved = _unsolved(base, share, accuracy, solved)
    customers["reopen_rate"] = _reopen_rate(history, base, unsolved, notes)
    return customers


def _unsolved(
    base: Scenario, by_assistant: float, accuracy: float | None = None, solved: float | None = None
) -> float:
    """Share of answered tickets that the twin leaves unsolved.

    Parameters
    ----------
    base : Scenario
    by_assistant : float
        Share that the assistant answers.
    accuracy, solved : float, optional
        Its share of right categories, and of solved tickets among these; else as assumed.
    """
    chances, profile = base.customers.solved, base.assistant.profile
    right = profile.accuracy if accuracy is None else accuracy
    quality = profile.quality.mean_value() if profile.quality else _QUALITY
    good = chances.assistant * quality if solved is None else solved
    assistant = right * good + (1 - right) * chances.wrong_category
    return 1 - by_assistant * assistant - (1 - by_assistant) * chances.agent


def _reopen_rate(history: LiveRecord, base: Scenario, unsolved: float, notes: list[str]) -> float:
    """Share of unsolved tickets that come back, so that as many of all do as in the history.

    A ticket counts by the chance that it would have come back by the end of the history, if it ever
    does. Where that is too little to go by, nobody comes back: whoever did is not in the history's
    load, so the twin would be busier than the desk was.
    """
    delays = base.customers.reopen_delay.quantile(np.linspace(0.0005, 0.9995, 1000))
    ended = [t for t in history.tickets if t["resolved_at"] is not None]
    back = sum(t["reopens"] > 0 for t in ended)
    watched = math.fsum(
        1.0 if t["reopens"] else float(np.mean(delays <= history.ended - t["resolved_at"]))
        for t in ended
    )
    if watched < FEWEST_RETURNED:
        notes.append(
            "The history is too short to see how many customers come back: nobody does here "
            "(customers.reopen_rate)."
        )
        return 0.0
    share: float = back / watched
    notes.append(f"{back} of {len(ended)} answered tickets came back, {share:.0%} in all.")
    return round(min(share / max(unsolved, 1e-9), 1.0), 4)


def _mean_rating(fall: float) -> float:
    """Mean rating where the latent opinion falls by `fall` (see `twin.desk.customers`)."""
    above = np.asarray(special.expit(-(np.array(THRESHOLDS) + fall)), dtype=np.float64)
    return 1.0 + float(above.sum())


def _solved(mean: float, response_s: float, base: Scenario) -> tuple[float, float]:
    """Accuracy and share solved in the right category that make the mean rating the measured one.

    Accuracy is the profile's assumption, unless that is too low for ratings so good.
    """
    customers, accuracy = base.customers, base.assistant.profile.accuracy
    weight = customers.satisfaction
    waits = weight.wait * fall_with_wait(response_s)
    good, bad = _mean_rating(waits), _mean_rating(waits + weight.unsolved)
    off = waits + weight.wrong_category
    wrong = customers.solved.wrong_category
    elsewhere = wrong * _mean_rating(off) + (1 - wrong) * _mean_rating(off + weight.unsolved)
    inside = (mean - (1 - accuracy) * elsewhere) / accuracy if accuracy else good
    if inside > good:
        accuracy = (mean - elsewhere) / max(good - elsewhere, 1e-9)
        return min(accuracy, 1.0), 1.0
    return accuracy, max((inside - bad) / max(good - bad, 1e-9), 0.0)
