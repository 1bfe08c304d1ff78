"""The page of a roster: answer, pictures, agents by interval, and why the formulas differ."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twin.common.html import Html, table, tag
from twin.report import frame
from twin.report.answer import capital
from twin.report.pictures import Picture, drawn
from twin.report.plots import roster as plots

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.rostering.roster import Roster


def page(found: Roster) -> str:
    """A roster as HTML."""
    return frame.frame(
        f"Roster of {found.pool}", [found.scenario.question], list(_parts(found)), "from a roster"
    )


def _parts(found: Roster) -> Iterator[frame.Part]:
    said = (
        f"{found.replications} replications of each setting, the same customers for all; the "
        f"target is {found.target:.0%} in time in each interval."
    )
    sentences = [found.plan_statement, found.statement]
    yield frame.answer([capital(f"{one}.") for one in sentences if one], said)
    yield "pictures", "In pictures", [frame.figures(list(_pictures(found)))]
    if found.plan is not None:
        yield "plan", "The plan of shifts", list(_plan(found))
    wide = found.by_day()
    words = "Agents to schedule so that each interval meets the target, and in brackets those now."
    cells = wide.to_numpy().tolist()
    whole = table(["from", *wide.columns[1:]], cells, "Agents needed and on shift", numbers=True)
    folded = tag("details", tag("summary", "all intervals as a table"), whole)
    yield "agents", "Agents by time and day", [tag("p", words, class_="small"), folded]
    yield "why", "Why Erlang A and the simulation differ", list(_why(found))


def _plan(found: Roster) -> Iterator[Html]:
    assert found.plan is not None
    rows = [] if found.verdict is None else [
        [row["period"], row["verdict"], f"{row['served']:.1%}",
         f"{row['low']:.1%} to {row['high']:.1%}"]
        for row in found.verdict.table.to_dict("records")
    ]  # fmt: skip
    heads = ["", "verdict", "answered in time", "95 % interval"]
    if rows:
        yield table(heads, rows, "The plan in fresh replications", numbers=True)
    shifts = found.plan.shifts.fillna("")
    days = list(dict.fromkeys(found.needs.table["day"]))
    cells = [
        [agent, *("; ".join(_hours(row) for row in own[own["day"] == day].to_dict("records"))
                  for day in days), f"{own['hours'].sum():g}"]
        for agent, own in shifts.groupby("agent", sort=False)
    ]  # fmt: skip
    whole = table(["agent", *days, "hours"], cells, "Shifts of each agent, break in brackets")
    yield tag("details", tag("summary", f"shifts of all {found.plan.agents} agents"), whole)


def _hours(row: Mapping[Hashable, Any]) -> str:
    pause = f" ({row['break_start']})" if row["break_start"] else ""
    return f"{row['start']}-{row['end']}{pause}"


def _pictures(found: Roster) -> Iterator[Picture]:
    table = found.needs.table if found.planned is None else found.planned
    shown = plots.open_hours(table, "simulated", "agents", "planned")
    shown = shown.assign(erlang=shown["scheduled"])
    blue = " Blue: needed so that each single interval meets the target."
    if not found.needs.met:
        # Heads with which some interval still misses say nothing, and hide the rest.
        shown, blue = shown.drop(columns="simulated"), ""
    there, grey = "on shift now", "agents on shift"
    if found.planned is not None:
        there, grey = "of the plan", "agents of the plan (green: on shift now)"
    yield drawn(
        "agents-picture",
        "Agents and what is needed",
        f"Grey: {grey}. Orange: agents whom the load keeps busy. Dotted: needed by Erlang A, with "
        f"those who do not come.{blue}",
        lambda ax: plots.agents(shown, ax),
    )
    yield drawn(
        "served-picture",
        "Answered in time",
        f"Share of the tickets that arrive in an interval and are answered in time, with the "
        f"agents {there}. The target is {found.target:.0%}.",
        lambda ax: plots.served(shown, found.target, ax),
    )


def _why(found: Roster) -> Iterator[Html]:
    need = found.needs
    hours = found.week.length_s / 3600
    total: pd.Series[float] = (
        need.table[["erlang_c", "patience", "shrinkage", "rest", "simulated"]].sum() * hours
    )
    rows = [
        ["Erlang C: nobody gives up, all agents are there", f"{total['erlang_c']:,.0f}"],
        ["patience: who gives up is not waited for (Erlang A)", f"{total['patience']:+,.0f}"],
        ["shrinkage: who is scheduled and does not come", f"{total['shrinkage']:+,.0f}"],
        ["what intervals take over from each other, uneven days, and the rest",
         f"{total['rest']:+,.0f}"],
        ["needed in the simulation", f"{total['simulated']:,.0f}"],
    ]  # fmt: skip
    yield table(["part", "agent hours a week"], rows, "From Erlang to the simulation", numbers=True)
    yield tag(
        "p",
        f"Erlang's formulas take a mean time of {need.handle_s:,.0f} s on a visit, wrap-up "
        "included, and each interval as if it went on forever. The file needs.csv has the parts "
        "of each interval, and how many tickets wait when it begins.",
    )
    for note in need.notes:
        yield tag("p", capital(f"{note}."), class_="warning")
