"""Guards of praise: desks must be alike in what they are given, and lose no customers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.text import amount, label
from twin.measures.figures import FIGURES, GUARDS

if TYPE_CHECKING:
    from twin.measures.figure import Figure
    from twin.scenario.model import Scenario


def unlike(figure: Figure, desks: Iterable[Scenario]) -> str:
    """Reason why a figure does not tell the better of some desks; empty: it does.

    Less work is no better desk, whatever the figure. Where the assistant differs, other tickets
    are left for people.
    """
    desks = list(desks)

    def differ(*sections: str) -> bool:
        first, *others = (desk.model_dump(include=set(sections)) for desk in desks)
        return any(other != first for other in others)

    if differ("arrivals", "backlog"):
        return "differ in load"
    if figure.needs_person and differ("assistant"):
        return "differ in the tickets that need a person"
    return ""


def lost(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Reasons why a desk deserves no praise for figures of those who stayed; empty: none.

    Parameters
    ----------
    rows : mapping of str to mapping
        By figure of `GUARDS` a row of `twin.stats.differences`, of the desk against another.
    """
    return "; ".join(filter(None, (_lost(name, rows.get(name)) for name in GUARDS)))


def _lost(name: str, row: Mapping[str, Any] | None) -> str:
    """Reason of one guard: it is worse, and its interval does not show that this hardly matters."""
    words = label(name)
    if row is None or math.isnan(row["low"]):
        return f"{words} is not known"
    worse = (row["low"], row["high"]) if FIGURES[name].better == "lower" else (
        -row["high"], -row["low"])  # fmt: skip
    if worse[0] + worse[1] <= 0 or worse[1] <= row["matters"]:
        return ""
    now, was = amount(row["what_if"], row["unit"]), amount(row["baseline"], row["unit"])
    said = "got worse" if worse[0] > 0 else "may have got worse"
    return f"{words} {said}, {now} against {was}"


def sizes(own: Mapping[str, float]) -> list[tuple[float, float]]:
    """Smallest difference of each guard that matters: a scenario's own, else the figure's.

    Parameters
    ----------
    own : mapping of str to float
        ``targets.matters`` of the scenario.
    """
    return [(own[name], 0.0) if name in own else FIGURES[name].matters for name in GUARDS]


def lost_in(summary: pd.DataFrame, one: Any, other: Any, own: Mapping[str, float]) -> str:
    """The same from intervals of two points of a study, which need not pair.

    Parameters
    ----------
    summary : DataFrame
        From `StudyResults.summary`.
    one, other : int
        Numbers of the points.
    own : mapping of str to float
        ``targets.matters`` of the other one.
    """
    rows = {}
    whole = summary[(summary["group"] == "") & summary["kpi"].isin(GUARDS)]
    for name, (absolute, relative) in zip(GUARDS, sizes(own), strict=True):
        both = whole[whole["kpi"] == name].set_index("point")
        if one not in both.index or other not in both.index:
            continue
        now, was = both.loc[one], both.loc[other]
        difference = now["value"] - was["value"]
        half_width = math.hypot(now["half_width"], was["half_width"])
        rows[name] = {
            "low": difference - half_width,
            "high": difference + half_width,
            "what_if": now["value"],
            "baseline": was["value"],
            "unit": now["unit"],
            "matters": max(absolute, relative * abs(was["value"])),
        }
    return lost(rows)
