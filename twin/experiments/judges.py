"""Judges of recorded answers: how far they agree with each other and with people.

People's ratings of some answers tell what a judge is worth. Answers to one ticket are not
independent of each other, so all intervals are over tickets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from twin.assistant.recorded.attempts import JUDGED, Attempts
from twin.common.files import write_text
from twin.common.formulas import harmless
from twin.stats.agreement import alpha_bounds, calibrated_mean
from twin.stats.pass_plan import difference

OFFLINE, PEOPLE = "the offline judge", "people"
# Marks so far apart are near: one star of five.
_NEAR = 0.25 + 1e-9


def judges_of(several: Sequence[Attempts], people: bool = True) -> dict[str, str]:
    """Columns of marks by the names of their judges: the offline one, models, people."""
    models = sorted({name for one in several for name in one.judges})
    found = {OFFLINE: "quality"} | {name: f"{JUDGED}{name}" for name in models}
    return found | ({PEOPLE: "quality_by_people"} if people else {})


def _answers(several: Sequence[Attempts], columns: Sequence[str]) -> pd.DataFrame:
    """Every distinct answer once, with its marks; `group` is the number of its ticket."""
    whole = pd.concat([one.table for one in several], ignore_index=True)
    found = whole[whole["answer"] != ""].drop_duplicates(["ticket", "answer"])
    found = found.reindex(columns=["ticket", "answer", *columns])
    return found.assign(group=pd.factorize(found["ticket"])[0])


def agreement(several: Sequence[Attempts]) -> pd.DataFrame:
    """Agreement of each two judges on the answers of each model, every distinct answer once.

    Returns
    -------
    DataFrame
        Columns model, first, second, answers, alpha, low, high; pairs that rated nothing are out.
    """
    rows = []
    for one in several:
        judges = judges_of([one])
        answers = _answers([one], [*judges.values()])
        for first, second in combinations(judges, 2):
            both = answers[[judges[first], judges[second], "group"]].dropna()
            if len(both):
                marks = both.to_numpy(dtype=float).T
                rows.append(
                    (one.name, first, second, len(both), *alpha_bounds(marks[:2], marks[2]))
                )
    columns = ["model", "first", "second", "answers", "alpha", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def against_people(several: Sequence[Attempts]) -> pd.DataFrame:
    """Each judge beside people, on the distinct answers of all models that people rated.

    Returns
    -------
    DataFrame
        Columns judge, answers, tickets, alpha, low, high, more, more_low, more_high, near:
        Krippendorff's alpha, how much more than people the judge gives (mean over tickets), and the
        share of answers with marks at most one star apart; alpha and `more` with bounds of 95 %.
    """
    judges = judges_of(several, people=False)
    answers = _answers(several, [*judges.values(), "quality_by_people"])
    rows = []
    for name, column in judges.items():
        both = answers[[column, "quality_by_people", "group"]].dropna()
        if not len(both):
            continue
        marks = both.to_numpy(dtype=float).T
        apart = (both[column] - both["quality_by_people"]).groupby(both["group"]).mean()
        more = difference(np.zeros(len(apart)), apart)
        near = float((np.abs(marks[0] - marks[1]) <= _NEAR).mean())
        bounds = alpha_bounds(marks[:2], marks[2])
        rows.append((name, len(both), len(apart), *bounds, more.value, more.low, more.high, near))
    columns = ["judge", "answers", "tickets", "alpha", "low", "high", "more", "more_low",
               "more_high", "near"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def among_people(several: Sequence[Attempts]) -> tuple[int, int, float, float, float]:
    """People beside each other: raters, answers of two or more, and alpha with its bounds."""
    given = next((one.ratings for one in several if one.ratings is not None), None)
    if given is None:
        return 0, 0, np.nan, np.nan, np.nan
    raters = {name: number for number, name in enumerate(given.raters)}
    marks = np.full((len(raters), len(given.by_answer)), np.nan)
    for k, of in enumerate(given.by_answer.values()):
        for name, mark in of.items():
            marks[raters[name], k] = mark
    tickets = pd.factorize(pd.Series([ticket for ticket, _ in given.by_answer]))[0]
    several_rated = int((np.isfinite(marks).sum(axis=0) > 1).sum())
    return len(raters), several_rated, *alpha_bounds(marks, tickets)


def by_people(several: Sequence[Attempts]) -> pd.DataFrame:
    """Quality that people would find, by the best judge on all answers and people on some.

    Returns
    -------
    DataFrame
        Columns model, rated, value, low, high; models of which people rated fewer than two answers
        are left out.
    """
    rows = []
    for one in several:
        answers = one.table.drop_duplicates(["ticket", "answer"])
        judge = "quality_by_model" if answers["quality_by_model"].notna().any() else "quality"
        people = answers["quality_by_people"]
        rated = int((people.notna() & answers[judge].notna()).sum())
        if rated > 1:
            rows.append((one.name, rated, *calibrated_mean(answers[judge], people)))
    return pd.DataFrame(rows, columns=["model", "rated", "value", "low", "high"])


def to_rate(several: Sequence[Attempts], most: int = 50, seed: int = 1) -> pd.DataFrame:
    """Answers for people to rate, drawn at random and alike often of each model, without names.

    Parameters
    ----------
    several : sequence of Attempts
    most : int
        Answers in all, at most.
    seed : int

    Returns
    -------
    DataFrame
        Columns ticket, answer, rating, rater; the last two are empty. In random order.
    """
    rng = np.random.default_rng(seed)
    drawn = [of.iloc[rng.permutation(len(of))] for of in (_answers([one], ()) for one in several)]
    turns = [of.assign(turn=range(len(of))) for of in drawn]
    whole = pd.concat(turns, ignore_index=True).sort_values("turn", kind="stable")
    found = whole.drop_duplicates(["ticket", "answer"]).head(most)[["ticket", "answer"]]
    mixed = found.iloc[rng.permutation(len(found))].reset_index(drop=True)
    return mixed.assign(rating="", rater="")


def write_to_rate(several: Sequence[Attempts], path: str | Path, most: int = 50) -> Path:
    """Write `to_rate` as CSV."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, harmless(to_rate(several, most)).to_csv(index=False), private=True)
    return path
