"""Sentences of a fidelity report: the culprit, the alarm, and what a reader must know."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.tables import shown_cell
from twin.common.text import amount
from twin.history.fidelity import rungs, verdicts
from twin.history.fidelity.lines import FEWEST_DAYS
from twin.history.fidelity.period import period, whole_days
from twin.history.told import Told
from twin.records.tables import RunLog
from twin.scenario.model import Scenario

# The first of these that is known leads: the alarm and the culprit go by it.
LEADING = ("wait", "response", "resolution")
# Words for what each step up the rungs adds.
_ADDS = {
    rungs.ROSTER: "mechanics: work, availability and patience, with arrivals and roster as they "
    "were",
    rungs.ARRIVALS: "roster: who works when",
    rungs.FORECAST: "forecast: how many come, and when",
}
_NO_ROSTER = (
    "mechanics or roster, with arrivals as they were (a roster of the test tells them apart)"
)
_MOST_NAMED = 5


def leading(table: pd.DataFrame) -> str:
    """The first measure of waits, first responses and resolutions that a forecast has."""
    known = table[(table["rung"] == rungs.FORECAST) & table["value"].notna()]["measure"].tolist()
    return next((name for name in LEADING if name in known), LEADING[0])


def culprit(table: pd.DataFrame) -> str:
    """The step of the rungs at which the error of the leading measure grows most.

    Parameters
    ----------
    table : DataFrame
        `Fidelity.rungs`.

    Returns
    -------
    str
        None is named where the forecast is within the floor, or where no step is larger than the
        spread of the runs.
    """
    lead = leading(table)
    rows = {row["rung"]: row for row in table[table["measure"] == lead].to_dict("records")}
    last = rows[rungs.FORECAST]
    if last["verdict"] == verdicts.WITHIN:
        return "None: the forecast is within the floor."
    steps = [name for name in (rungs.ROSTER, rungs.ARRIVALS, rungs.FORECAST) if name in rows]
    adds = _ADDS if rungs.ROSTER in rows else _ADDS | {rungs.ARRIVALS: _NO_ROSTER}
    below: dict[Hashable, Any] = {"value": 0.0, "high": 0.0}
    found = []
    for name in steps:
        row = rows[name]
        found.append((row["value"] - below["value"], name, row["low"] > below["high"]))
        below = row
    size, name, sure = max(found)
    if not sure:
        return "Not told: no step is larger than the spread of the runs."
    part, whole = amount(size, "s", last["value"]), amount(last["value"], "s")
    said = f"{adds[name][0].upper()}{adds[name][1:]} ({part} of {whole})."
    if name == steps[0] and rungs.SAMPLE in rows:
        fits = rows[rungs.SAMPLE]["verdict"] == verdicts.WITHIN
        said += (
            " In sample it fits: the desk has changed since; see the inputs."
            if fits
            else " In sample it does not fit either."
        )
    return said


def alarm(given: pd.DataFrame, off: Sequence[str]) -> str:
    """The alarm that errors cancel; empty where no input is off though waits fit.

    Parameters
    ----------
    given : DataFrame
        From `twin.history.fidelity.inputs.inputs`.
    off : sequence of str
        From `twin.history.fidelity.inputs.cancelling`.
    """
    if not off:
        return ""
    parts = [
        f"{row['label']} {100 * row['gap']:.0f} % elsewhere"
        if row["unit"] == "share"
        else f"{row['label']} {100 * row['gap']:+.0f} %"
        for row in given.to_dict("records")
        if row["label"] in off
    ]
    return (
        f"Errors cancel: waits are within the floor, but inputs are off ({', '.join(parts)}). "
        "What-ifs of this twin cannot be believed."
    )


def known_to_twin(scenario: Scenario, days: Sequence[int]) -> list[str]:
    """A sentence where days to be predicted lie before the twin's own start; else none.

    A calibrated desk starts on the day after those that it was calibrated to.
    """
    known = sum(day < scenario.start.toordinal() for day in days)
    if not known:
        return []
    return [
        f"The twin starts on {scenario.start}: if it was calibrated to the days before, it knows "
        f"{known} of the {len(days)} days that it is to predict, and this is no test of it "
        "(twin calibrate --until)."
    ]


def cut_short(missing: int) -> list[str]:
    """A sentence where days of the test that was asked for have no data; else none."""
    days = "days" if missing > 1 else "day"
    return [f"{missing} {days} of the test have no data, and are left out."] if missing else []


def other_desk(scenario: Scenario, log: RunLog) -> list[str]:
    """A sentence where nothing that twin and history name is the same; else none.

    No error: the categories of a twin may be those of a corpus.
    """
    own = set(scenario.workflow.statuses) if scenario.workflow else set()
    pairs = (
        ("statuses", own, log.timeline["detail"]),
        ("categories", set(scenario.tickets.category_mix or ()), log.tickets["category_true"]),
    )
    for what, twins, cells in pairs:
        seen = set(cells.dropna().astype(str))
        if twins and seen and not twins & seen:
            named = (", ".join(map(shown_cell, sorted(names)[:4])) for names in (seen, twins))
            seen_words, twin_words = named
            return [
                f"None of the {what} of this history ({seen_words}) is one of the twin's "
                f"({twin_words}): is it the history of another desk, or read in another way?"
            ]
    return []


def notes(
    log: RunLog, desk: Scenario, days: list[int], wanted: list[int], trained: list[int],
    roster: str | Path | None, refitted: bool,
) -> list[str]:  # fmt: skip
    """Gaps in the data, and all else that a reader must know.

    Parameters
    ----------
    log : RunLog
        Of the desk.
    desk : Scenario
    days, wanted, trained : list of int
        Ordinals of all days with data, of those of the test, and of those before it.
    roster : path or None
    refitted : bool
        Whether the twin of each rolling week was made without it.
    """
    found = []
    gone = sorted(set(whole_days(log, desk)) - set(days))
    if gone:
        some = ", ".join(str(date.fromordinal(day)) for day in gone[:_MOST_NAMED])
        more = f" and {len(gone) - _MOST_NAMED} more" if len(gone) > _MOST_NAMED else ""
        found.append(f"Days without data are missing, not empty: {some}{more}.")
    first, last = desk.start.toordinal(), desk.start.toordinal() + int(log.horizon_s // 86400) + 2
    came = int((log.tickets["arrived_s"] >= 0).sum())
    left = came - len(period(log, desk, range(first, last)).tickets)
    if left:
        found.append(
            f"{left:,} tickets were over before they joined a queue: neither load nor abandonment."
        )
    if not trained:
        found.append("Nothing lies before the test: no replay, and no rung in sample.")
    if len(wanted) < FEWEST_DAYS:
        found.append(f"With fewer than {FEWEST_DAYS} days there is no floor, so no verdict.")
    if roster is None:
        found.append("No roster of the test was given: rung VR is left out (--roster FILE).")
    if said := Told.of(log).said:
        found.append(said)
    if not refitted:
        found.append(
            "Whether the twin was made without the days of the test is not checked: calibrate it "
            "on what lies before them."
        )
    return found
