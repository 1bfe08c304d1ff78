"""Errors of the first page of a search, counted: its sentences against desks whose truth is known.

python tests/test_first_page_wrong.py [SEARCHES]
"""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
from test_feasibility import Desks, ranks

from twin.experiments.studies.beside import changes_from, judged_beside
from twin.experiments.studies.file import StudyFile
from twin.report.searched import levels_said
from twin.stats.feasibility import cheapest
from twin.stats.limits import Limit

LIMIT, SURE = 0.05, 0.8
HEADS, MODELS = (2, 3, 4), ("small", "large")
SETTINGS = [(heads, model) for heads in HEADS for model in MODELS]
MODEL = {"small": {"assistant.model": "s"}, "large": {"assistant.model": "l"}}
TARGET = {"abandonment_rate": {"at_most": LIMIT}}


class Store:
    """Replications of desks that are known by their numbers."""

    def __init__(self, desks):
        self.desks = desks

    def values(self, scenario, figure, numbers):
        of = self.desks.of(scenario, numbers[0], numbers[-1] + 1)
        return list(zip(of[0, 1], of[1, 1], strict=True))


PLAN = SimpleNamespace(bases=[None], file=StudyFile(scenario="x", targets=TARGET))


def searched(seed):
    """A search among agents and models with shares all around the limit, and what is true.

    The last desk is that of today: it is not searched.
    """
    rng = np.random.default_rng(seed)
    shares = np.sort(LIMIT * (1 + rng.choice([-1, 1], 6) * rng.uniform(0.005, 0.3, 6)))[::-1]
    shares = np.append(shares, LIMIT * (1 + rng.choice([-0.02, 0.02])))
    # The larger model is better at some more cost, and the costs of neighbours are close.
    costs = np.array([heads + 0.7 * (model == "large") for heads, model in SETTINGS] + [3.0])
    few = Desks(costs[:-1], shares[:-1], seed, spread=0.3)
    found = cheapest(few, few.start(3), ranks(few, LIMIT), [Limit(LIMIT, True, True)], SURE,
                     first=5, budget=300)  # fmt: skip
    return found, Desks(costs, shares, seed, spread=0.3)


def judged_one(found, desks, k):
    """The verdict on a desk beside the one found."""
    # As often as the one found was played, or at a look that no luck decides.
    played = found.looks[1] if found.best is None else found.replications[found.best]
    numbers = range(played)
    return judged_beside(PLAN, Store(desks), k, numbers, len(found.looks), SURE, ())


def wrong_about(desks, k, verdict):
    """True if a verdict is wrong; None where there is none."""
    return None if verdict == "open" else (verdict == "met") != (desks.shares[k] <= LIMIT)


def wrong_about_changes(found, desks):
    """True if a difference between the one found and the other model is shown the wrong way."""
    best, other = found.best, found.best ^ 1
    numbers = range(found.replications[best])
    frames = []
    for name, k in (("found", best), ("today", other)):
        over, under = desks.of(k, 0, len(numbers))
        for kpi, row in (("cost_week", 0), ("abandonment_rate", 1)):
            frames.append(pd.DataFrame({
                "scenario": name, "replication": numbers, "kpi": kpi, "group": "",
                "unit": "share" if row else "USD/week", "numerator": over[row],
                "denominator": under[row],
            }))  # fmt: skip
    rows = changes_from(pd.concat(frames), "today", ["cost_week", "abandonment_rate"], ())
    truth = (desks.costs[best] - desks.costs[other], desks.shares[best] - desks.shares[other])
    shown = [(row["difference"] > 0) != (true > 0) for row, true in zip(rows, truth, strict=True)
             if row["low"] > 0 or row["high"] < 0]  # fmt: skip
    return any(shown) if shown else None


def page_of(found):
    """The parts of what a search found that its sentences on models go by."""
    table = pd.DataFrame(SETTINGS, columns=["heads", "model"])
    best = ("-", "-") if found.best is None else SETTINGS[found.best]
    changes = pd.DataFrame({"factor": ["heads", "model"], "found": list(map(str, best))})
    plan = {"study_as_run": {"factors": {"heads": list(HEADS), "model": MODEL}}}
    return SimpleNamespace(
        scenario=None if found.best is None else True, changes=changes, table=table,
        near_misses=table.iloc[list(found.near)], manifest=plan, beside=(),
    )  # fmt: skip


def wrong_about_all(seed):
    """For each kind of sentence True if it is wrong of a search; None where it was not said."""
    found, desks = searched(seed)
    if found.best is None:
        return None, None, None, wrong_about(desks, 6, judged_one(found, desks, 6)["verdict"])
    (text,) = levels_said(page_of(found))
    good = np.flatnonzero(desks.shares[:-1] <= LIMIT)
    of_all = None
    if "the cheapest that meets every target has" in text:
        model = text.rpartition(" has ")[2].rstrip(".")
        of_all = not len(good) or SETTINGS[good[np.argmin(desks.costs[good])]][1] != model
    other, today = found.best ^ 1, 6
    beside = [wrong_about(desks, k, judged_one(found, desks, k)["verdict"]) for k in (other, today)]
    return of_all, wrong_about_changes(found, desks), *beside


def counted(searches):
    """Numbers of sentences, and of wrong ones, by kind."""
    kinds = ("the model of the cheapest", "differences from the other model",
             "the other model in its place", "as it is")  # fmt: skip
    found = zip(*map(wrong_about_all, range(searches)), strict=True)
    return {
        kind: (sum(one is not None for one in own), sum(map(bool, own)))
        for kind, own in zip(kinds, found, strict=True)
    }


def test_sentences_of_a_search_are_wrong_less_often_than_they_say():
    searches = 100
    for kind, (said, wrong) in counted(searches).items():
        # Nothing would be wrong if nothing were said.
        assert said >= 0.02 * searches, kind
        assert wrong <= (1 - SURE) * searches, kind


def test_a_verdict_is_seldom_open_far_from_its_limit():
    store = Store(Desks([1.0] * 3, [0.03, 0.08, LIMIT], 1))
    for k, verdict in enumerate(("met", "missed", "open")):
        found = judged_beside(PLAN, store, k, range(10), 8, 0.95, ())
        assert found["verdict"] == verdict
        (row,) = found["targets"]
        assert (row["verdict"], row["more"] == 0) == (verdict, verdict != "open")


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for kind, (said, wrong) in counted(number).items():
        print(
            f"{kind}: of {number} searches {said} sentences, {wrong} wrong; {1 - SURE:.0%} may be"
        )
