"""The page of a roster: answer, pictures, agents by interval, and why the formulas differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    yield frame.answer([capital(f"{found.statement}.")], said)
    yield "pictures", "In pictures", [frame.figures(list(_pictures(found)))]
    wide = found.by_day()
    words = "Agents to schedule so that each interval meets the target, and in brackets those now."
    cells = wide.to_numpy().tolist()
    whole = table(["from", *wide.columns[1:]], cells, "Agents needed and on shift", numbers=True)
    folded = tag("details", tag("summary", "all intervals as a table"), whole)
    yield "agents", "Agents by time and day", [tag("p", words, class_="small"), folded]
    yield "why", "Why Erlang A and the simulation differ", list(_why(found))


def _pictures(found: Roster) -> Iterator[Picture]:
    shown = plots.open_hours(found.needs.table, "simulated", "agents")
    shown = shown.assign(erlang=shown["scheduled"])
    yield drawn(
        "agents-picture", "Agents on shift and needed",
        "Grey: agents on shift. Orange: agents whom the load keeps busy. Dotted: needed by Erlang "
        "A, with those who do not come. Blue: needed in the simulation.",
        lambda ax: plots.agents(shown.drop(columns=["planned"], errors="ignore"), ax),
    )  # fmt: skip
    yield drawn(
        "served-picture", "Answered in time",
        f"Share of the tickets that arrive in an interval and are answered in time, with the "
        f"agents on shift now. The target is {found.target:.0%}.",
        lambda ax: plots.served(shown, found.target, ax),
    )  # fmt: skip


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
