"""The page of a fidelity report: the answer, inputs, distances, rungs, hours, groups, weeks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from twin.common.files import write_text
from twin.common.html import Html, table, tag
from twin.common.text import amount
from twin.history.fidelity import rungs, verdicts
from twin.history.fidelity.fidelity import Fidelity
from twin.history.fidelity.tables import Shown, answer, tables
from twin.report import frame, plots
from twin.report.pictures import Picture, drawn

# A table of more rows is folded.
_MOST_OPEN = 12
_COLOURS = {verdicts.WITHIN: "ok", verdicts.BETTER: "ok", verdicts.WORSE: "bad"}


def write(found: Fidelity, path: str | Path) -> Path:
    """Write a fidelity report as a page of HTML; an older one is replaced.

    Parameters
    ----------
    found : Fidelity
    path : str or Path
        The file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(found))
    return path


def page(found: Fidelity) -> str:
    """A fidelity report as HTML.

    Examples
    --------
    >>> import twin
    >>> from twin.history.fidelity.records import Records
    >>> desk = twin.from_data({"horizon": "14d", "arrivals": {"rate": "4/h"},
    ...     "agents": {"all": {"heads": 1, "handle_time": "10min"}}})
    >>> html = page(twin.fidelity(desk, Records(twin.simulate(desk, twin.draw(desk, 9)), desk)))
    >>> html.startswith("<!doctype html>")
    True
    """
    asked = "How far can this twin be trusted?"
    source = f"from {found.runs} runs of each rung and the records of {found.test}"
    return frame.frame(found.name, [asked], list(_parts(found)), source)


def _parts(found: Fidelity) -> Iterator[frame.Part]:
    remark = f"Test: {found.test}."
    if found.training:
        remark += f" Training: {found.training}."
    remark += f" Values are medians of {found.runs} runs, with their 95 % intervals."
    yield frame.answer(answer(found), remark)
    notes = [tag("p", note, class_="small") for note in found.notes]
    yield "notes", "Gaps and what else to know", notes or [tag("p", "None.")]
    for one in tables(found):
        if one.name == "inputs" and found.alarm:
            yield one.name, one.heading, [tag("p", found.alarm, class_="warning"), *_content(one)]
        else:
            drawings = list(_pictures(found, one.name))
            shown = [frame.figures(drawings)] if drawings else []
            yield one.name, one.heading, [*shown, *_content(one)]
    rows = [[row.label, row.unit, row.definition] for row in plots.rows_of(found.definitions)]
    heads = ["measure", "unit", "definition"]
    yield "definitions", "Definitions", [table(heads, rows, "Definitions of the measures")]


def _content(one: Shown) -> list[Html]:
    rows = [[_cell(cell) for cell in row] for row in one.rows]
    shown = table(one.heads, rows, one.heading, numbers=True)
    if len(rows) > _MOST_OPEN:
        shown = tag("details", tag("summary", f"all {len(rows)} rows"), shown)
    return [*([tag("p", one.remark, class_="small")] if one.remark else []), shown]


def _cell(text: str) -> object:
    if text in _COLOURS:
        return tag("span", text, class_=_COLOURS[text])
    flagged = text.endswith((" off", " drift", "outside"))
    return tag("span", text, class_="bad") if flagged else text


def _pictures(found: Fidelity, name: str) -> Iterator[Picture]:
    if name == "rungs":
        rows = found.rungs[found.rungs["measure"] == found.leading]
        order = [rungs.SAMPLE, rungs.ROSTER, rungs.ARRIVALS, rungs.FORECAST]
        rows = rows.sort_values("rung", key=lambda names: names.map(order.index))
        table = rows.reset_index(drop=True)
        each = table.to_dict("records")
        parts = [f"{row['rung']} {amount(row['value'], 's')}" for row in each]
        limit = each[-1]["limit"]
        alt = f"Dots with intervals. Distance of the twin by rung: {', '.join(parts)}"
        alt += f"; right twins stay below {amount(limit, 's')}." if limit == limit else "."
        yield drawn("rungs-picture", "Distance by rung", alt, lambda ax: plots.rungs(table, ax))
    if name == "hours":
        inside = float(found.hours["inside"].mean())
        alt = (
            "Lines by local hour: the desk's mean wait, and the twin's with its band. "
            f"{inside:.0%} of the hours lie inside."
        ).replace("%", " %")
        hours: pd.DataFrame = found.hours
        yield drawn("hours-picture", "Mean wait by hour", alt,
                    lambda ax: plots.hourly_waits(hours, ax))  # fmt: skip
