"""The answer and the tables of a fidelity report as texts, for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from twin.common.text import amount
from twin.history.fidelity import rungs
from twin.history.fidelity.fidelity import Fidelity
from twin.history.fidelity.measures import FIGURES, MEASURES

_MISSING = "-"


class Shown(NamedTuple):
    """A table: its name, heading, a remark on how to read it, heads of columns, rows."""

    name: str
    heading: str
    remark: str
    heads: list[str]
    rows: list[list[str]]


def tables(found: Fidelity) -> Iterator[Shown]:
    """The tables of a report, in order; those without a row are left out."""
    for one in (
        _inputs(found),
        _distances(found),
        _figures(found),
        _rungs(found),
        _hours(found),
        _groups(found),
        _weeks(found),
    ):
        if one.rows:
            yield one


def answer(found: Fidelity) -> list[str]:
    """The answer in sentences: verdict, culprit and alarm.

    Parameters
    ----------
    found : Fidelity
    """
    lead = found.leading
    row = _rows(found, rungs.FORECAST)[lead]
    limit, old = (amount(row[key], "s") for key in ("limit", "replay"))
    off = between(row["value"], row["low"], row["high"], "s")
    what = {"wait": "waits", "response": "first responses", "resolution": "resolutions"}[lead]
    said = f"The forecast of {what} is off by {off}: {row['verdict']}."
    beside = [f"the limit of the floor is {limit}"] if limit != "-" else []
    beside += [f"the training weeks played again are off by {old}"] if old != "-" else []
    if beside:
        text = " and ".join(beside)
        said += f" {text[0].upper()}{text[1:]}."
    names = [name for name in shown_measures(found) if name != lead and name in found.beyond()]
    others = [f"Beyond the floor, too: {', '.join(MEASURES[n].label for n in names)}."]
    if not names:
        others = []
    if not found.beyond() and limit != "-" and not found.alarm:
        others = ["All measures are within the floor, as of 95 in 100 right twins."]
    drift = [str(row["label"]) for row in found.inputs.to_dict("records") if row["drift"]]
    moved = [f"Since training the desk has changed: {', '.join(drift)}."] if drift else []
    if found.alarm:
        # The waits fit by chance: no step of theirs is to blame, the inputs are.
        return [found.alarm, said, *others, *moved]
    return [said, *others, f"Where the error comes from: {found.culprit}", *moved]


def size(value: float, unit: str, like: float | None = None) -> str:
    """A distance in its unit; that of another one where they stand in one row."""
    if math.isnan(value):
        return _MISSING
    return amount(value, "s", like) if unit == "s" else f"{value:.1f}"


def between(value: float, low: float, high: float, unit: str) -> str:
    """A distance with its interval."""
    if math.isnan(value):
        return _MISSING
    # The unit is said once.
    first, last = (size(bound, unit, value).split(" ")[0] for bound in (low, high))
    return f"{size(value, unit)} ({first} to {last})"


def named(measure: str) -> str:
    """A measure with its unit, where that is none of time."""
    one = MEASURES[measure]
    return one.label if one.unit == "s" else f"{one.label} ({one.unit})"


def shown_measures(found: Fidelity) -> list[str]:
    """Measures that the forecast has; first responses only where they are not the waits."""
    rows = found.rungs[found.rungs["rung"] == rungs.FORECAST].set_index("measure")["value"]
    names = [str(name) for name in rows.index[rows.notna()]]
    if "wait" in names and "response" in names and rows["wait"] == rows["response"]:
        names.remove("response")
    return names


def _rows(found: Fidelity, rung: str) -> dict[str, dict[Hashable, Any]]:
    rows = found.rungs[found.rungs["rung"] == rung].to_dict("records")
    return {str(row["measure"]): row for row in rows}


def _inputs(found: Fidelity) -> Shown:
    rows = []
    for row in found.inputs.to_dict("records"):
        cells = [str(row["label"])]
        unit = str(row["unit"])
        for change, flag, before in (("change", "drift", "training"), ("gap", "off", "twin")):
            known = row[before]
            cells.append(_MISSING if math.isnan(known) else amount(known, unit))
            if before == "training":
                cells.append(_MISSING if math.isnan(row["test"]) else amount(row["test"], unit))
            value, low, high = (100 * row[f"{change}{end}"] for end in ("", "_low", "_high"))
            if math.isnan(value):
                cells.append(_MISSING)
            elif unit == "share":
                cells.append(f"{value:.1f} % (limit {high:.1f})")
            else:
                cells.append(f"{value:+.1f} % ({low:+.1f} to {high:+.1f})")
            cells[-1] += f" {flag}" if row[flag] else ""
        rows.append(cells)
    remark = (
        "Test over training, and the twin over the test, with joint 95 % intervals over days; of "
        "shapes the part of tickets that is elsewhere, and its limit. Drift: the desk has changed; "
        "off: the twin has another input than the desk."
    )
    heads = ["input", "training", "test", "test over training", "twin", "twin over test"]
    return Shown("inputs", "Inputs before outputs", remark, heads, rows)


def _distances(found: Fidelity) -> Shown:
    others = found.lines[found.lines["kind"].isin(["floor", "replay", "formula"])]
    beside = {str(row["line"]): row for row in others.to_dict("records")}
    judged = _rows(found, rungs.FORECAST)
    rows = []
    for name in shown_measures(found):
        row, unit = judged[name], MEASURES[name].unit
        cells = [named(name), between(row["value"], row["low"], row["high"], unit)]
        cells += [str(row["verdict"])]
        cells += [f"{size(row['typical'], unit)}, {size(row['limit'], unit)}"]
        cells += [size(abs(line[name]), unit) for line in reversed(beside.values())]
        rows.append(cells)
    heads = ["distance from the test", "twin, forecast", "verdict", "right twins"]
    heads += [name.removeprefix("floor: ") for name in reversed(beside)]
    remark = (
        f"The twin as the median of {found.runs} runs, with its 95 % interval. Right twins: half "
        "of them are nearer than the first figure, and 95 of 100 keep the second, in all measures "
        "at once. Beside it the training weeks played again, and two floors: every other ticket, "
        "and odd and even days."
    )
    return Shown("distances", "The forecast against the test", remark, heads, rows)


def _figures(found: Fidelity) -> Shown:
    lines = found.lines[found.lines["kind"] != "floor"].to_dict("records")
    rows = []
    for name, (label, unit, _) in FIGURES.items():
        cells = [amount(float(line[name]), unit) for line in lines]
        if set(cells) != {_MISSING}:
            rows.append([label, *cells])
    heads = ["figure", *(str(line["line"]) for line in lines)]
    return Shown("figures", "Figures side by side", "", heads, rows)


def _rungs(found: Fidelity) -> Shown:
    names = [name for name in (rungs.SAMPLE, rungs.ROSTER, rungs.ARRIVALS, rungs.FORECAST)
             if name in set(found.rungs["rung"])]  # fmt: skip
    by_rung = [_rows(found, name) for name in names]
    rows = []
    for measure in shown_measures(found):
        each, unit = [table[measure] for table in by_rung], MEASURES[measure].unit
        values = [between(row["value"], row["low"], row["high"], unit) for row in each]
        rows.append([named(measure), *values])
    remark = ". ".join(f"{name}: {rungs.WORDS[name]}" for name in names)
    remark += ". Where the error jumps is the culprit."
    return Shown("rungs", "Where the error comes from", remark, ["distance", *names], rows)


def _hours(found: Fidelity) -> Shown:
    rows = [
        [f"{row['hour']:02d}:00", f"{row['tickets']:,}", amount(row["real"], "s"),
         between(row["twin"], row["low"], row["high"], "s"), "" if row["inside"] else "outside"]
        for row in found.hours.to_dict("records") if row["tickets"]
    ]  # fmt: skip
    heads = ["hour", "tickets", "mean wait", "twin (band)", ""]
    remark = (
        "By local hour of arrival, on the weekdays that are alike. Where the twin is right, the "
        "desk's mean wait of an hour lies in the band in 95 of 100 cases."
    )
    return Shown("hours", "Hour by hour", remark, heads, rows)


def _groups(found: Fidelity) -> Shown:
    names = [name for name in shown_measures(found) if found.groups[name].notna().any()]
    rows = [
        [f"{row['by']} {row['group']}", f"{row['tickets']:,}", f"{row['other_tickets']:,.0f}",
         *(size(abs(row[name]), MEASURES[name].unit) for name in names)]
        for row in found.groups.to_dict("records")
    ]  # fmt: skip
    heads = ["group", "tickets", "twin's tickets", *(named(name) for name in names)]
    remark = "The forecast, all runs together."
    return Shown("groups", "By kind, priority and channel", remark, heads, rows)


def _weeks(found: Fidelity) -> Shown:
    names = [n for n in shown_measures(found) if n in (found.leading, "hourly", "abandonment")]
    rows = []
    for week, part in found.weeks.groupby("week"):
        by = {str(row["measure"]): row for row in part.to_dict("records")}
        first = by[names[0]]
        cells = [f"{week}{' (before the test)' if first['seen'] else ''}", str(first["days"])]
        for name in names:
            row, unit = by[name], MEASURES[name].unit
            cells += [
                between(row["value"], row["low"], row["high"], unit),
                size(row["replay"], unit),
            ]
        rows.append(cells)
    heads = [h for name in names for h in (f"{named(name)}: twin", "week before")]
    remark = "The forecast week by week, beside the week before it played again."
    return Shown("weeks", "Rolling weeks", remark, ["week from", "days", *heads], rows)
