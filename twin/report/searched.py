"""The first page of a search: as it is or what instead, on which shifts, at what cost, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.html import Html, glue, table, tag
from twin.common.text import command, label, level
from twin.experiments.rostering.by_hour import agents_by_hour
from twin.experiments.studies.conclusion import NO_MORE
from twin.experiments.studies.findings import FOUND, TODAY
from twin.measures.figures import FIGURES, figure_of
from twin.report import frame, plots, prose, sheet
from twin.report.advice import band, grounds
from twin.report.pictures import Picture, drawn
from twin.report.plots import roster as rosters
from twin.report.prose import change, listed, said
from twin.scenario.model import Scenario, Target
from twin.stats.limits import MET, MISSED, OPEN

if TYPE_CHECKING:
    from twin.experiments.studies.findings import SearchResults

# Figures beside those of targets and the cost.
_SHOWN = 3
_USUAL = ("solved", "agent_wait_mean", "csat_all", "occupancy")
# More near misses are counted, not named.
_MOST = 3


def part(found: SearchResults) -> frame.Part:
    """The first part of the page of a search."""
    rows = _Rows(found)
    today = rows.beside.get(TODAY, {})
    told = [*_verdicts(found, rows), *(tag("p", glue(one)) for one in levels_said(found))]
    settled = found.scenario is not None or not len(found.near_misses)
    if settled or today.get("verdict") in (MET, MISSED):
        told.append(sheet.sure(today.get("confidence", 0.95), "each of these answers is"))
    shown = rows.shown()
    names = [kpi for kpi, _ in shown]
    tables = [_figures(found, rows, shown)]
    if len(found.roster):
        tables.insert(0, _roster(found))
    how = "Small print: 95 % interval of each figure by itself."
    advice = list(_what_to_do(found, today.get("verdict")))
    return sheet.sheet(
        told,
        _picture(found, rows, shown),
        tables,
        sheet.meanings(names, how),
        [("What to do", advice), (f"What it costs{rows.per}", rows.costs())],
        _grounds(found, names, today.get("replications", 0)),
    )


class _Rows:
    """Figures of the scenario as it is and of the one found, and the targets of the search."""

    def __init__(self, found: SearchResults) -> None:
        plan = found.manifest["study_as_run"]
        self.targets = {name: Target(**one) for name, one in plan["targets"].items()}
        self.cost = str(plan.get("minimise", "cost_week"))
        self.beside = {one["scenario"]: one for one in found.beside}
        changes = self.beside.get(TODAY, {}).get("changes", ())
        self.saved = next((one for one in changes if one["figure"] == self.cost), None)
        self.of: dict[tuple[str, str, str], dict[str, Any]] = {}
        for row in found.figures.to_dict("records"):
            if not math.isnan(row["value"]):
                key = (row["scenario"], row["kpi"], row["group"])
                self.of[key] = {str(name): value for name, value in row.items()}

    @property
    def per(self) -> str:
        """Words behind "cost", where it is that of a week."""
        return " a week" if FIGURES[figure_of(self.cost)[0]].unit == "USD/week" else ""

    def row(self, scenario: str, key: tuple[str, str]) -> dict[str, Any] | None:
        """A figure, if it was counted."""
        return self.of.get((scenario, *key))

    def shown(self) -> list[tuple[str, str]]:
        """Figures on the page, the cost last: those of targets, then usual ones."""
        of_targets = [figure_of(name) for name in self.targets]
        cost = figure_of(self.cost)
        wanted = dict.fromkeys([*of_targets, *((kpi, "") for kpi in _USUAL)])
        known = {key[1:] for key in self.of}
        there = [key for key in wanted if key != cost and (key in known or key in of_targets)]
        return [*there[: max(_SHOWN, len(of_targets))], cost]

    def against(self, scenario: str) -> list[dict[str, Any]]:
        """Targets with figures of a scenario and verdicts, as `sheet.because` takes them."""
        rows = []
        for name, target in self.targets.items():
            kpi, group = figure_of(name)
            unit = FIGURES[kpi].unit
            nothing = {"value": math.nan, "low": math.nan, "high": math.nan, "replications": 0}
            row = self.row(scenario, (kpi, group)) or nothing
            # What was found meets each target, or it would not have been.
            verdict = MET if scenario == FOUND else self.judged(scenario, name)
            rows.append({**row, "kpi": kpi, "group": group, "unit": unit, "verdict": verdict,
                         "at_most": target.upper, "limit": target.limit})  # fmt: skip
        return rows

    def judged(self, scenario: str, target: str) -> str:
        """Verdict on a scenario beside the one found, against one target."""
        targets = self.beside.get(scenario, {}).get("targets", ())
        return next((row["verdict"] for row in targets if row["target"] == target), OPEN)

    def costs(self) -> list[str]:
        """Sentences on what is to be low, of both."""
        key = figure_of(self.cost)
        name = "" if self.per else f"{label(*key)} "
        told = []
        for scenario, start in ((TODAY, "Now"), (FOUND, "With what was found")):
            row = self.row(scenario, key)
            if row is not None:
                told.append(f"{start}: {name}{said(row)}{band(row)}.")
        if self.saved:
            low, high = self.saved["low"], self.saved["high"]
            size = {**self.saved, "value": abs(self.saved["difference"]),
                    "low": min(abs(low), abs(high)), "high": max(abs(low), abs(high))}  # fmt: skip
            if low > 0 or high < 0:
                told.append(f"That is {change(self.saved)}{band(size)}.")
            elif self.saved["difference"]:
                told.append("That one of them costs less is not shown.")
        return told or ["Not known: it was counted in no replication."]


def _verdicts(found: SearchResults, rows: _Rows) -> Iterator[Html]:
    if TODAY in rows.beside:
        verdict = str(rows.beside[TODAY]["verdict"])
        yield sheet.verdict("As it is", verdict, sheet.because(rows.against(TODAY), verdict))
    if found.scenario is not None:
        yield sheet.verdict("Found", MET, sheet.because(rows.against(FOUND), MET))
    elif len(found.near_misses):
        many = _settings(len(found.near_misses))
        text = f"{many} may meet every target, but what was played does not show it."
        yield sheet.verdict("Another setting", OPEN, text)
    else:
        text = "None of those that were played meets every target."
        yield sheet.verdict("Another setting", MISSED, text)


def _settings(count: int) -> str:
    return f"{count} other setting{'s' if count > 1 else ''}"


def _named(found: SearchResults) -> list[str]:
    """Factors whose levels have names, as models; the others are numbers or single keys."""
    factors: Mapping[str, Any] = found.manifest["study_as_run"].get("factors", {})
    return [
        name for name, one in factors.items()
        if isinstance(one, dict) and all(isinstance(keys, dict) for keys in one.values())
    ]  # fmt: skip


def levels_said(found: SearchResults) -> Iterator[str]:
    """Sentences on named levels, as models: of those in the place of the one found, of others."""
    if found.scenario is None:
        return
    chosen = dict(zip(found.changes["factor"], found.changes[FOUND], strict=True))
    for factor in _named(found):
        others = dict.fromkeys(found.table[factor].astype(str))
        others.pop(chosen[factor], None)
        if not others:
            continue
        near = found.near_misses[factor].astype(str)
        parts = [f"{_capital(factor)} {listed([chosen[factor], *others], 'or')}?"]
        parts += [
            _instead(one, chosen[factor]) for one in found.beside if one.get("factor") == factor
        ]
        open_ = near[near != chosen[factor]]
        if len(open_):
            settings = f"{len(open_)} other setting{'s' if len(open_) > 1 else ''} with "
            settings += listed(list(dict.fromkeys(open_)), "or")
            parts.append(f"Whether {settings} would meet them at less cost is not known yet.")
        else:
            parts.append(
                f"Of all settings that were played, the cheapest that meets every target has "
                f"{chosen[factor]}."
            )
        yield " ".join(parts)


def _instead(one: Mapping[str, Any], chosen: str) -> str:
    """A sentence on the one found with another level in its place."""
    other = one["level"]
    says = {MET: "meets every target, too", MISSED: "misses a target"}
    does = says.get(one["verdict"], "may or may not meet every target, which is not known yet")
    shown = [
        f"{prose.name(row['kpi'], row['group'])} ({change(row)})"
        for row in one["changes"]
        if row["low"] > 0 or row["high"] < 0
    ]
    differ = f"{listed(shown)}" if shown else "no difference in a target or the cost is shown"
    return f"{_capital(chosen)} against {other}, all else the same: {differ}; {other} {does}."


def _roster(found: SearchResults) -> Html:
    """Agents by shift, beside those of today."""
    rows = []
    for row in found.roster.to_dict("records"):
        money = "-" if math.isnan(row["cost"]) else f"${row['cost']:,.0f}"
        rows.append([f"{row['pool']}, {row['days']} {row['hours']}", level(row["heads"]),
                     level(float(row[TODAY])), f"{row['agent_hours']:,.0f}", money])  # fmt: skip
    hours, cost = found.roster["agent_hours"].sum(), found.roster["cost"].sum(skipna=False)
    money = "-" if math.isnan(cost) else f"${cost:,.0f}"
    rows.append(["all", "", "", f"{hours:,.0f}", money])
    heads = ["shift", "agents", "as it is", "hours a week", "pay a week"]
    return table(heads, rows, "The roster that was found", numbers=True)


def _figures(found: SearchResults, rows: _Rows, shown: list[tuple[str, str]]) -> Html:
    """Figures by scenario, and verdicts: of today, of the one found, and with other levels."""
    there = {TODAY: "as it is"}
    if found.scenario is not None:
        others = {name: f"with {one['level']}" for name, one in rows.beside.items()
                  if "level" in one}  # fmt: skip
        there |= {FOUND: "found", **others}
    against = {one: {(row["kpi"], row["group"]): row for row in rows.against(one)} for one in there}
    cells = []
    for key in shown:
        target = against[TODAY].get(key)
        asked = sheet.asked(target) if target else "-"
        cells.append([sheet.head(key), asked, *(
            sheet.cell(rows.row(one, key), against[one].get(key, {}).get("verdict"))
            for one in there
        )])  # fmt: skip
    heads = ["figure", "target", *there.values()]
    return table(heads, cells, "The figures that matter", numbers=True)


def _what_to_do(found: SearchResults, today: str | None) -> Iterator[str]:
    if found.scenario is None:
        yield from _without(found, today)
        return
    moved = found.changes[found.changes[TODAY] != found.changes[FOUND]]
    steps = [
        f"{row['name']}: {row[FOUND]}"
        + ("" if row[TODAY] in ("-", "as in the scenario") else f" in place of {row[TODAY]}")
        for row in moved.to_dict("records")
    ]
    if not steps:
        yield (
            "Keep it as it is: of the settings that were played none that meets the targets is "
            "shown to cost less."
        )
    elif today == MET:
        yield (
            "It can stay as it is: every target is met. The cheapest setting that meets them, too, "
            f"is {'; '.join(steps)}."
        )
    else:
        yield f"Change {'; '.join(steps)}."
    if near := len(found.near_misses):
        yield f"{_settings(near)} may be as good and no costlier: the whole report names them."
    pools = _pools(found)
    if pools and found.path is not None:
        run = command("twin", "roster", found.path.parent, "--pool", pools[0])
        yield f"Who is needed in which half hour, and who starts when: `{run}`."


def _without(found: SearchResults, today: str | None) -> Iterator[str]:
    near = found.near_misses
    if today == MET:
        yield "Keep it as it is: every target is met, and no other setting is shown to meet them."
    if len(near):
        if today != MET:
            yield "Decide nothing yet."
        names = dict(zip(found.changes["factor"], found.changes["name"], strict=True))
        for row in near.head(1).to_dict("records"):
            where = "; ".join(f"{names[one]}: {level(row[one])}" for one in names)
            yield f"The cheapest that may meet them: {where}. {_capital(str(row['takes']))}."
        if not near["takes"].str.endswith(NO_MORE).all():
            yield "`twin search` with a larger `--budget` goes on from here."
    elif today != MET:
        yield (
            "Give the factors of the study more room, or ask for less: nothing that was played "
            "meets the targets."
        )


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _grounds(found: SearchResults, names: list[str], count: int) -> list[tuple[str, str]]:
    (base,) = (Scenario.model_validate(data) for data in found.manifest["base_as_run"])
    scenarios = [base] if found.scenario is None else [base, found.scenario]
    played = [f"{found.method}; what is said here is from fresh replications of the same customers"]
    if count:
        played.append(f"the figures are from {count} of each")
    # How often the computer worked is no ground.
    notes = [one for one in found.notes if "were played again" not in one]
    return grounds(scenarios, names, played, notes)


def _pools(found: SearchResults) -> list[str]:
    """Pools with shifts whose agents the search varies."""
    if found.scenario is None:
        return []
    keys = [str(name).split(".") for name in found.changes["factor"]]
    names = dict.fromkeys(parts[1] for parts in keys if parts[0] == "agents" and len(parts) > 2)
    return [name for name in names
            if name in found.scenario.agents and found.scenario.agents[name].shifts]  # fmt: skip


def _picture(found: SearchResults, rows: _Rows, shown: list[tuple[str, str]]) -> Picture | None:
    """Agents by hour of the week where shifts were searched, else a target and the cost."""
    pools = _pools(found)
    if pools and found.scenario is not None:
        return _by_hour(found, pools[0])
    there = [one for one in (TODAY, FOUND) if one == TODAY or found.scenario is not None]
    parts = []
    for scenario in there:
        judged = {(row["kpi"], row["group"]): row for row in rows.against(scenario)}
        for key in (shown[0], shown[-1]):
            row = rows.row(scenario, key)
            if row is not None:
                target = judged.get(key, {"limit": math.nan, "verdict": OPEN})
                name = "as it is" if scenario == TODAY else "found"
                parts.append({**row, "scenario": name, "limit": target["limit"],
                              "verdict": target["verdict"]})  # fmt: skip
    if not parts:
        return None
    told = pd.DataFrame(parts)
    names = " and ".join(sheet.head(key) for key in (shown[0], shown[-1]))
    alt = f"Points with intervals: {names}. " + "; ".join(
        f"{row['scenario']} {said(row)}" for row in parts
    )
    return drawn("first-decision", _capital(names), f"{alt}.",
                 lambda ax: plots.decision(told, ax), plots.decision_height(2))  # fmt: skip


def _by_hour(found: SearchResults, pool: str) -> Picture:
    """Agents of a pool on shift by hour of the week, beside those of today."""
    assert found.scenario is not None
    (base,) = (Scenario.model_validate(data) for data in found.manifest["base_as_run"])
    hours = agents_by_hour(base, found.scenario, pool)
    most = [f"{name} {hours[column].max():.3g}" for name, column in
            (("found", "agents"), ("as it is", "today"))]  # fmt: skip
    alt = (
        f"Blue: agents of {pool} on shift as found, dashed as it is now, by hour of the week, "
        f"breaks left out. At their most: {listed(most)}."
    )
    if hours["tickets"].notna().any():
        busiest = f"{hours['tickets'].max():.0f}"
        alt += f" Orange, below: tickets that are expected an hour, at most {busiest}."
    return drawn("first-roster", f"Agents of {pool} by hour", alt,
                 lambda ax: rosters.beside_today(hours, ax))  # fmt: skip
