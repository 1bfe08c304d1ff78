"""The first page of runs, which can stand alone: yes or no, figures, cost, what to do, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from twin.common.html import Html, glue, table, tag
from twin.experiments.rows import resting
from twin.experiments.targets import Answers
from twin.measures import series
from twin.measures.figures import figure_of
from twin.report import advice, frame, plots, prose, sheet
from twin.report.answer import DECISIVE, of_runs
from twin.report.pictures import Picture, drawn, levels_picture
from twin.report.prose import between, said
from twin.stats.limits import MET, MISSED, OPEN
from twin.stats.verdicts import BETTER, UNJUDGED, WORSE

if TYPE_CHECKING:
    from twin.experiments.comparison import Comparison
    from twin.experiments.results import Results
    from twin.report.source import Source

# Figures on the page, and what they are where neither targets nor differences choose them.
_SHOWN = 3
_USUAL = ("service_level", "human_service_level", "solved", "resolution_p90", "agent_wait_mean",
          "backlog", "csat_all", "occupancy")  # fmt: skip
_COST = ("cost_week", "")
# Differences of a scenario on each side that the page names.
_SIDE = 2


def part(
    results: Results, sources: Sequence[Source], comparison: Comparison | None, found: Answers
) -> frame.Part:
    """The first part of the page of runs.

    Parameters
    ----------
    results : Results
    sources : sequence of Source
        The first is the baseline.
    comparison : Comparison, optional
        Of several sources.
    found : Answers
        Verdicts against targets; without any the page says so.
    """
    chosen = figures_shown(sources, comparison, found)
    told = of_runs(sources, None) if comparison is None else _differences(comparison)
    names = [kpi for kpi, _ in chosen] + [_COST[0]]
    return sheet.sheet(
        [*_verdicts(sources, found), *(tag("p", glue(one)) for one in told)],
        _picture(sources, found, chosen),
        [_figures(sources, found, chosen)],
        _remark(sources, chosen),
        [("What to do", advice.what_to_do(results, sources, comparison, found)),
         ("What it costs a week", advice.costs(sources, comparison))],
        advice.rests_on(results, sources, comparison, names),
        _warnings(results),
    )  # fmt: skip


def figures_shown(
    sources: Sequence[Source], comparison: Comparison | None, found: Answers
) -> list[tuple[str, str]]:
    """Figures and groups that the page shows: of targets, then those that differ, then usual ones.

    At most three, cost aside; more where there are more targets.
    """
    of_targets = list(dict.fromkeys(map(figure_of, found.table["target"])))
    rows = [row for one in advice.rows_of(comparison).values() for row in one.values()]
    differ = {row["kpi"] for row in rows if row["verdict"] in (BETTER, WORSE)}
    others = [kpi for kpi in DECISIVE if kpi in differ and not kpi.startswith("cost")]
    wanted = dict.fromkeys([*of_targets, *((kpi, "") for kpi in (*others, *_USUAL))])
    there = [key for key in wanted if key != _COST and any(s.row(*key) for s in sources)]
    return there[: max(_SHOWN, sum(key in there for key in of_targets))]


def _verdicts(sources: Sequence[Source], found: Answers) -> list[Html]:
    """Yes or no of each scenario, in a sentence."""
    if not found.verdicts:
        return [tag("p", "No target is set, so this page gives no yes or no.")]
    parts = []
    for source in sources:
        verdict = found.verdicts.get(source.name)
        if verdict is None:
            parts.append(tag("p", f"{source.name}: no target is set."))
            continue
        of = source.name if len(sources) > 1 else ""
        parts.append(sheet.verdict(of, verdict, _because(source.name, verdict, found)))
    said_ = [one for one in found.verdicts.values() if one in (MET, MISSED)]
    if said_:
        what = "this is" if len(said_) == 1 else "every yes and no here is"
        parts.append(sheet.sure(found.level, what))
    return parts


def _because(scenario: str, verdict: str, found: Answers) -> str:
    """The figures that a verdict goes by, in a sentence."""
    if verdict == UNJUDGED:
        return f"Every target is met, but customers are lost: {found.reasons[scenario]}."
    return sheet.because(found.rows(scenario), verdict)


def _differences(comparison: Comparison) -> list[str]:
    """A sentence on each what-if: where it is shown to be better, and where worse."""
    found = []
    for name, rows in advice.rows_of(comparison).items():
        # What it costs is said elsewhere on the page.
        main = [rows[kpi] for kpi in DECISIVE if kpi in rows and not kpi.startswith("cost")]
        main.sort(key=lambda row: bool(row["rests_on"]))
        sides = []
        for verdict in (BETTER, WORSE):
            told = [f"{prose.name(row['kpi'])} ({prose.change(row)}{resting(row)})" for row in main
                    if row["verdict"] == verdict][:_SIDE]  # fmt: skip
            if told:
                sides.append(f"{verdict} in {prose.listed(told)}")
        text = "; ".join(sides) or "no difference in a main figure is shown"
        found.append(f"{name} against {comparison.baseline}: {text}.")
    return found


def _warnings(results: Results) -> list[str]:
    """Remarks on what may make the whole page wrong."""
    checks = results.sanity()
    bad = 0 if not len(checks) else int((~checks["ok"].astype(bool)).sum())
    return [f"{bad} checks of the runs do not hold: see the whole report."] if bad else []


def _figures(sources: Sequence[Source], found: Answers, chosen: Sequence[tuple[str, str]]) -> Html:
    """Figures with their intervals: of one run a row each, of several a row a scenario."""
    keys = [*chosen, *([_COST] if any(source.row(*_COST) for source in sources) else [])]
    heads = [sheet.head(key) for key in keys]
    if len(sources) > 1:
        rows = [
            [source.name,
             *([sheet.word(found.verdicts.get(source.name))] if found.verdicts else []),
             *(sheet.cell(source.row(*key)) for key in keys)]
            for source in sources
        ]  # fmt: skip
        verdict = ["verdict"] if found.verdicts else []
        return table(["scenario", *verdict, *heads], rows, "The figures that matter", numbers=True)
    (source,) = sources
    targets = {(row["kpi"], row["group"]): row for row in found.rows(source.name)}
    rows = []
    for key, head in zip(keys, heads, strict=True):
        row, target = source.row(*key), targets.get(key)
        asked = [
            sheet.asked(target) if target else "-",
            sheet.word(target["verdict"] if target else None),
        ]
        figure = [sheet.short(of(row)) if row else "-" for of in (said, between)]
        rows.append([head, *figure, *(asked if targets else [])])
    more = ["target", "verdict"] if targets else []
    heads = ["figure", "found", "95 % interval", *more]
    return table(heads, rows, "The figures that matter", numbers=True)


def _remark(sources: Sequence[Source], chosen: Sequence[tuple[str, str]]) -> str:
    """Meanings of the figures, and of the small print."""
    alone = all(source.run.whole < 2 for source in sources)
    how = "One replication: there are no intervals." if alone else (
        "Small print: 95 % interval of each figure by itself." if len(sources) > 1 else ""
    )  # fmt: skip
    return sheet.meanings([kpi for kpi, _ in chosen], how)


def _picture(
    sources: Sequence[Source], found: Answers, chosen: Sequence[tuple[str, str]]
) -> Picture | None:
    """Of several scenarios the first figure and what it costs; of one the backlog over time."""
    if len(sources) == 1:
        return levels_picture(sources[0], "first")
    # The target that decides: the one that most scenarios do not meet.
    unmet = found.table[found.table["verdict"] != MET]
    counts = {key: int(((unmet["kpi"] == key[0]) & (unmet["group"] == key[1])).sum())
              for key in chosen}  # fmt: skip
    deciding = [max(chosen, key=lambda key: counts[key])] if chosen else []
    keys = [*deciding, *([_COST] if any(source.row(*_COST) for source in sources) else [])]
    judged = found.table.set_index(["scenario", "kpi", "group"]) if len(found.table) else None
    rows = []
    for key in keys:
        for source in sources:
            row = source.row(*key)
            if row is None:
                continue
            own = (source.name, *key)
            known = judged is not None and own in judged.index
            target = judged.loc[[own]].iloc[0] if judged is not None and known else None
            rows.append({
                **row, "scenario": source.name,
                "limit": math.nan if target is None else target["limit"],
                "verdict": OPEN if target is None else target["verdict"],
            })  # fmt: skip
    if not rows:
        return None
    told = pd.DataFrame(rows)
    names = " and ".join(sheet.head(key) for key in keys)
    parts = [
        f"{source.name} {', '.join(said(row) for key in keys if (row := source.row(*key)))}"
        for source in sources
    ]
    alt = f"Points with intervals, a row a scenario: {names}. {'; '.join(parts)}."
    return drawn("first-decision", f"{names[:1].upper()}{names[1:]}", alt,
                 lambda ax: plots.decision(told, ax),
                 plots.decision_height(len(sources)))  # fmt: skip


def overlaid(sources: Sequence[Source]) -> list[Picture]:
    """Open tickets over time of scenarios in one figure, of each calendar its own.

    Scenarios of another start, zone or length have another axis of time.
    """
    calendars: dict[tuple[object, ...], list[Source]] = {}
    for source in sources:
        one = source.scenario
        key = (one.start, one.time_zone, one.horizon, one.warm_up)
        calendars.setdefault(key, []).append(source)
    found = []
    for number, alike in enumerate(calendars.values()):
        frames = {
            source.name: series.levels_over_time(
                partial(source.pieces, "levels", ["start_s", "end_s", "level", "mean"]),
                series.interval_length(source.scenario.horizon, most=120),
                source.scenario.midnight,
            )
            for source in alike
        }
        lines = pd.concat(
            frame[frame["level"] == "backlog"].assign(scenario=name)
            for name, frame in frames.items()
        )
        scenario = alike[0].scenario
        peaks = [f"{name} {part['mean'].max():,.0f}" for name, part in
                 lines.groupby("scenario", sort=False)]  # fmt: skip
        alt = f"Lines over the run. Open tickets at their most: {', '.join(peaks)}."
        names = " · ".join(source.name for source in alike)
        title = "Open tickets" if len(calendars) == 1 else f"Open tickets: {names}"
        found.append(drawn(
            f"overlaid-{number}", title, alt,
            lambda ax, f=lines, s=scenario: plots.overlaid(  # type: ignore[misc]
                f, ax, start=s.midnight, warm_up_s=s.warm_up),
        ))  # fmt: skip
    return found
