"""The first page of a study: which points meet the targets, which of them to choose, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twin.common.html import Html, glue, table, tag
from twin.experiments.comparison import compare
from twin.experiments.studies.sensitivity import numbers_of
from twin.experiments.targets import judged, words
from twin.measures.figures import figure_of
from twin.report import frame, plots, prose, sheet
from twin.report.advice import band, grounds
from twin.report.answer import at, capital, of_study
from twin.report.pictures import Picture, drawn
from twin.report.prose import listed, said
from twin.scenario.model import Scenario, Target
from twin.stats.limits import MET, MISSED, OPEN
from twin.stats.verdicts import WORSE

if TYPE_CHECKING:
    from twin.experiments.studies.results import StudyResults

_LEVEL = 0.95
# Rows of the table; points that are named in a sentence.
_ROWS, _NAMED = 8, 3


def part(points: Points, picture: Picture | None) -> frame.Part:
    """The first part of the page of a study.

    Parameters
    ----------
    points : Points
    picture : Picture, optional
        By default the first points in the figures that decide.
    """
    found = points.found
    told = list(_verdicts(points))
    if not points.verdicts:
        told += [tag("p", glue(one)) for one in of_study(found)[:2]]
    names = [kpi for kpi, _ in points.shown]
    small = "Small print: 95 % interval of each figure by itself."
    return sheet.sheet(
        told,
        picture or _picture(points),
        [_table(points)],
        sheet.meanings(names, small),
        [("What to do", list(_what_to_do(points))), ("What it costs", list(_costs(points)))],
        grounds(points.bases, names, [_played(found)], found.notes) if points.bases else [],
    )


class Points:
    """Points of a study against the targets, all judged together.

    Nobody chooses the load: of points that differ in it alone (factors of `arrivals`) one stands
    for all, that under the largest load, and it meets the targets only if each of them does.

    Parameters
    ----------
    found : StudyResults
    more : mapping of str to Target
        Targets that go before the study's own, or where it has none before its scenario's.

    Raises
    ------
    ValueError
        If a target names no figure.
    """

    def __init__(self, found: StudyResults, more: Mapping[str, Target]) -> None:
        self.found = found
        plan = found.manifest.get("study_as_run", {})
        self.cost = str(plan.get("minimise", "cost_week"))
        self.bases = [Scenario.model_validate(one) for one in found.manifest.get("base_as_run", [])]
        own = {name: Target(**one) for name, one in plan.get("targets", {}).items()}
        # Of several scenarios each may have its own, which is no target of the study.
        desks = self.bases[0].targets.figures if len(self.bases) == 1 else {}
        self.targets = {**(own or desks), **more}
        for name in self.targets:
            figure_of(name)
        self.loads, self.same = _loads(found)
        self.names = list(self.same)
        self.summary = {
            (row["scenario"], row["kpi"], row["group"]): {str(k): v for k, v in row.items()}
            for row in found.summary().to_dict("records") if not math.isnan(row["value"])
        }  # fmt: skip
        every = found.points["scenario"].tolist()
        wanted = dict.fromkeys(every, self.targets) if self.targets else {}
        self.table = judged(found.frame, wanted, _LEVEL, found.sources)
        self.verdicts = {name: self._verdict(name) for name in self.names} if wanted else {}

    def _verdict(self, name: str) -> str:
        seen = set(self.table.loc[self.table["scenario"].isin(self.same[name]), "verdict"])
        return next((one for one in (MISSED, OPEN) if one in seen), MET)

    def of(self, verdict: str) -> list[str]:
        """Points with a verdict."""
        return [name for name, one in self.verdicts.items() if one == verdict]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Targets of a point, under each load."""
        own = self.table[self.table["scenario"].isin(self.same[name])]
        return [{str(k): v for k, v in row.items()} for row in own.to_dict("records")]

    def row(self, name: str, key: tuple[str, str]) -> dict[str, Any] | None:
        """A figure of a point, if it was counted."""
        return self.summary.get((name, *key))

    def price(self, name: str) -> float:
        """The figure that is to be low; infinite where it was not counted."""
        row = self.row(name, figure_of(self.cost))
        return math.inf if row is None else float(row["value"])

    def where(self, name: str) -> str:
        """Levels of a point in words, without the load where one stands for several."""
        factors = [one for one in self.found.factors if one not in self.loads]
        return self._at(name, factors) if factors else name

    def under(self, name: str) -> str:
        """The load of a point that stands for several, in words; empty else."""
        return f" at {self._at(name, self.loads)}" if self.loads else ""

    def _at(self, name: str, factors: Sequence[str]) -> str:
        rows = self.found.points
        (row,) = rows[rows["scenario"] == name].to_dict("records")
        return at({factor: row[factor] for factor in factors}, self.found.names)

    @property
    def alone(self) -> bool:
        """True if only the load varies, so that there is nothing to choose."""
        points, factors = self.found.points, self.found.factors
        varying = [one for one in factors if points[one].nunique() > 1]
        return bool(varying) and all(_is_load(one) for one in varying)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Figures of the table: of targets, else those that the study shows; the cost last."""
        asked = list(map(figure_of, self.targets)) or list(map(figure_of, self.found.shown[:3]))
        cost = figure_of(self.cost)
        return [*(key for key in dict.fromkeys(asked) if key != cost), cost]

    @property
    def deciding(self) -> tuple[str, float] | None:
        """The target that most points do not meet, and its limit."""
        unmet = self.table[self.table["verdict"] != MET]["target"].value_counts()
        name = max(self.targets, key=lambda one: unmet.get(one, 0), default=None)
        return None if name is None else (name, self.targets[name].limit)

    def best_first(self) -> list[str]:
        """Points by verdict (met, open, missed), then by what is to be low.

        Of those that are open, such as meet the targets in what was played come first.
        """
        order = (MET, OPEN, MISSED)
        rank = {name: order.index(verdict) for name, verdict in self.verdicts.items()}
        return sorted(
            self.names, key=lambda one: (rank.get(one, 0), self.falls_short(one), self.price(one))
        )

    def falls_short(self, name: str) -> bool:
        """True if a target is not met in what was played, shown or not."""
        return any(_misses(row) for row in self.rows(name))

    def cheapest(self) -> list[str]:
        """Of the points that meet every target that of the lowest cost, and those as cheap.

        A point is dearer where the interval of the difference says so; the error is shared by all
        differences from the lowest.
        """
        good = [name for name in self.of(MET) if self.price(name) < math.inf]
        if len(good) < 2:
            return good
        best = min(good, key=self.price)
        rows = self.found.results()
        kept = rows.kpis[rows.kpis["scenario"].isin(good)]
        some = type(rows)(kept, rows.failures, tuple(r for r in rows.runs if r.scenario in good))
        named = {row["scenario"]: row for row in
                 compare(some, best, [self.cost], _LEVEL).table.to_dict("records")
                 if row["group"] == figure_of(self.cost)[1]}  # fmt: skip
        same = [one for one in good if one != best and not _dearer(named.get(one))]
        return [best, *sorted(same, key=self.price)]


def _is_load(factor: str) -> bool:
    return factor.startswith("arrivals.")


def _loads(found: StudyResults) -> tuple[list[str], dict[str, list[str]]]:
    """Factors of the load, and points by the one that stands for them; without a choice no such."""
    points = found.points
    varying = [one for one in found.factors if points[one].nunique() > 1]
    loads, others = ([one for one in varying if _is_load(one) == side] for side in (True, False))
    if not loads or not others:
        return [], {name: [name] for name in points["scenario"]}
    size = numbers_of(points[loads[0]])
    points = points.assign(size_=np.arange(len(points)) if size is None else size)
    same = {}
    for _, part in points.groupby(others, sort=False, dropna=False):
        heaviest = int(part["size_"].to_numpy().argmax())
        same[str(part["scenario"].iloc[heaviest])] = part["scenario"].tolist()
    return loads, same


def _misses(row: Mapping[str, Any]) -> bool:
    """True where the value lies on the wrong side of its limit."""
    value, limit = float(row["value"]), float(row["limit"])
    return value > limit if row["at_most"] else value < limit


def _dearer(row: Mapping[Any, Any] | None) -> bool:
    """True where an interval says that a point costs more, whatever else it may say of merit."""
    return row is not None and (row["verdict"] == WORSE or row["low"] > 0)


def _verdicts(points: Points) -> Iterator[Html]:
    if not points.verdicts:
        yield tag("p", "No target is set, so this page gives no yes or no.")
        return
    met, missed, open_ = (points.of(one) for one in (MET, MISSED, OPEN))
    asked = listed([words(row) for row in points.rows(points.names[0])[: len(points.targets)]])
    if points.loads:
        asked += f", under each {listed([points.found.names[one] for one in points.loads])}"
    count = len(points.names)
    kind = "settings" if points.loads else "points"
    verdict = MET if met else OPEN if open_ else MISSED
    parts = [
        f"{len(one)} {does}"
        for one, does in (
            (met, _does(met, "meet", "every target")),
            (missed, _does(missed, "miss", "one")),
            (open_, f"{'are' if len(open_) > 1 else 'is'} open"),
        )
        if one
    ]
    yield sheet.verdict("", verdict, f"Asked: {asked}. Of {count} {kind} {listed(parts)}.")
    if met or missed:
        yield sheet.sure(_LEVEL, "every yes and no here is")


def _does(names: Sequence[str], verb: str, what: str) -> str:
    """A verb for one or several."""
    ending = "" if len(names) > 1 else "es" if verb.endswith("ss") else "s"
    return f"{verb}{ending} {what}"


def _table(points: Points) -> Html:
    """The points of most interest, a row each."""
    heads = [sheet.head(key) for key in points.shown]
    rows = [
        [points.where(name),
         *([sheet.word(points.verdicts[name])] if points.verdicts else []),
         *(sheet.cell(points.row(name, key)) for key in points.shown)]
        for name in points.best_first()[:_ROWS]
    ]  # fmt: skip
    more = len(points.names) - len(rows)
    caption = "The figures that matter"
    if more > 0:
        by = "met first, then by" if points.verdicts else "by"
        caption += (
            f", {len(rows)} of {len(points.names)} points ({by} {sheet.head(points.shown[-1])})"
        )
    caption += points.under(points.names[0])
    verdict = ["verdict"] if points.verdicts else []
    return table(
        ["setting" if points.loads else "point", *verdict, *heads], rows, caption, numbers=True
    )


def _what_to_do(points: Points) -> Iterator[str]:
    if not points.verdicts:
        yield (
            "Say what must be reached, and this page answers yes or no: set [targets] in the "
            "study, or give --target FIGURE=VALUE to `twin report`."
        )
        return
    if points.alone:
        yield "Only the load varies here, so this is a test of the desk and no choice."
        return
    met, open_ = points.of(MET), points.of(OPEN)
    if not met and open_:
        nearest = next(one for one in points.best_first() if one in open_)
        count = f"{len(open_)} of them" if len(open_) > 1 else "one of them"
        yield f"Decide nothing yet: {count} may meet every target."
        what = "that does so in what was played" * (not points.falls_short(nearest))
        yield f"The cheapest {what or 'of these'}: {points.where(nearest)}. " + _settles(
            points, nearest
        )
        return
    if not met:
        yield (
            "Choose none of these: no point meets every target. Give the factors more room, or "
            "ask for less."
        )
        return
    name = prose.name(*figure_of(points.cost))
    best, *same = points.cheapest() or [""]
    if not best:
        listed_ = "; ".join(points.where(one) for one in met[:_NAMED])
        yield f"{name} was not counted, so choose by it among those that meet: {listed_}."
        return
    if len(met) == 1:
        yield (
            f"Choose {points.where(best)}: it is the only point that is shown to meet every target."
        )
    elif same:
        named = "; ".join(points.where(one) for one in [best, *same][:_NAMED])
        more = len(same) + 1 - _NAMED
        others = f"; {more} more" if more > 0 else ""
        yield (
            f"Choose one of these: {named}{others}. They meet every target, and that one of them "
            f"is lower in {name} is not shown."
        )
    else:
        yield (
            f"Choose {points.where(best)}: of the {len(met)} points that meet every target it has "
            f"the lowest {name}."
        )
    cheaper = [one for one in open_ if points.price(one) < points.price(best)]
    if cheaper:
        count = f"{len(cheaper)} that {'are' if len(cheaper) > 1 else 'is'} lower in {name}"
        settles = _settles(points, min(cheaper, key=points.price))
        yield f"{count} may meet the targets, too. {settles}"


def _settles(points: Points, name: str) -> str:
    """A sentence on what would tell of a point that is open."""
    rows = [row for row in points.rows(name) if row["verdict"] == OPEN]
    # One target that is missed decides; that all are met is known when the last one is.
    missing = [row for row in rows if _misses(row)]
    known = [row["more"] for row in missing or rows if row["more"] == row["more"]]
    more = (min if missing else max)(known, default=math.inf)
    if more == math.inf:
        return "More replications would not tell."
    whole = max(row["replications"] for row in rows) + math.ceil(more)
    return f"About {whole:,} replications of each point would tell: `twin study --replications`."


def _costs(points: Points) -> Iterator[str]:
    key = figure_of(points.cost)
    known = [name for name in points.best_first() if points.row(name, key) is not None]
    if not known:
        yield f"Not known: {prose.name(*key)} was not counted."
        return
    best = (points.cheapest() or known)[0]
    row = points.row(best, key)
    assert row is not None
    yield f"With {points.where(best)}{points.under(best)}: {said(row)}{band(row)}."
    prices = sorted(known, key=points.price)
    ends = [points.row(prices[0], key), points.row(prices[-1], key)]
    if len(prices) > 1 and ends[0] is not None and ends[1] is not None:
        yield f"Over all points from {said(ends[0])} to {said(ends[1])}."


def _played(found: StudyResults) -> str:
    count = int(found.points["asked"].max())
    many = f"{count} replication{'s' if count > 1 else ''}"
    return f"the figures are from {many} of each of {len(found.points)} points"


def _picture(points: Points) -> Picture | None:
    """The first rows of the table as points with intervals."""
    parts = []
    for key in (points.shown[0], points.shown[-1]):
        for name in points.best_first()[:_ROWS]:
            row = points.row(name, key)
            if row is not None:
                own = {(one["kpi"], one["group"]): one for one in points.rows(name)}
                target = own.get(key, {"limit": math.nan, "verdict": OPEN})
                parts.append({**row, "scenario": points.where(name), "limit": target["limit"],
                              "verdict": target["verdict"]})  # fmt: skip
    if not parts:
        return None
    told = pd.DataFrame(parts)
    names = " and ".join(map(sheet.head, dict.fromkeys((points.shown[0], points.shown[-1]))))
    alt = f"Points with intervals, a row each: {names}."
    height = plots.decision_height(told["scenario"].nunique())
    return drawn("first-decision", capital(names), alt, lambda ax: plots.decision(told, ax), height)
