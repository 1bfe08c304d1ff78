"""The commands ``twin warmup``, ``variance`` and ``validate``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from twin.cli.terminal import (
    BAD_INPUT,
    FAILED,
    Changes,
    Json,
    Quiet,
    Workers,
    cores,
    each,
    fail,
    out,
    plain_errors,
    print_json,
    progress,
    records,
)

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from twin.experiments.warmup import WarmUp

_PICTURES = (".svg", ".png", ".pdf")
Scenario = Annotated[Path, typer.Argument(help="Scenario file (TOML).", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands to `twin`."""
    for command in (warmup, variance, validate):
        app.command()(command)


def warmup(
    scenario: Scenario,
    replications: Annotated[
        int, typer.Option(min=2, max=10_000, help="Their mean is judged.")
    ] = 10,
    horizon: Annotated[
        str | None,
        typer.Option(help="Length, as 28d; default: the scenario's, or four whole cycles."),
    ] = None,
    workers: Workers = None,
    changes: Changes = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw Welch's plot into this file (.svg, .png or .pdf).")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Suggest a warm-up (MSER-5, half-lives of the backlog, Welch's plot).

    It is set against the scenario's own, which is not changed.
    """
    with plain_errors():
        from twin.experiments.warmup import warm_up
        from twin.scenario.changes import parse_change
        from twin.scenario.file import load
        from twin.scenario.units import parse_duration

        if plot is not None and plot.suffix not in _PICTURES:
            fail(f"--plot {plot}: must end in {', '.join(_PICTURES)}", BAD_INPUT)
        desk = load(scenario, dict(each(changes or [], parse_change)))
        try:
            length_s = None if horizon is None else parse_duration(horizon)
            with progress(replications, shown=not quiet) as told:
                found = warm_up(desk, replications, length_s, workers or cores(), told)
        except ValueError as error:
            fail(str(error), BAD_INPUT)
        if plot is not None:
            _draw_warm_up(found, plot, desk.midnight)
        if as_json:
            print_json(
                {
                    "suggestion_s": found.suggestion_s,
                    "low_s": found.low_s,
                    "high_s": found.high_s,
                    "own_s": found.own_s,
                    "horizon_s": found.horizon_s,
                    "reason": found.reason,
                    "figures": records(found.table()),
                }
            )
            return
        _show_warm_up(found)
        if plot is not None:
            out.print(f"Welch's plot: {plot}", soft_wrap=True)


def _draw_warm_up(found: WarmUp, file: Path, start: datetime) -> None:
    """Welch's plot of each figure, one below the other."""
    from matplotlib.figure import Figure

    from twin.measures.figures import FIGURES
    from twin.report.plots import warm_up as welch

    count = len(found.figures)
    figure = Figure(figsize=(8, 2.8 * count), layout="constrained")
    axes = figure.subplots(count, 1, squeeze=False)[:, 0]
    for ax, (name, settled) in zip(axes, found.figures.items(), strict=True):
        label = f"{name} ({FIGURES[name].unit})"
        welch(settled.frame, ax, name=label, start=start, warm_up_s=found.own_s)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def _show_warm_up(found: WarmUp) -> None:
    from twin.common.text import amount, duration
    from twin.measures.figures import FIGURES

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("figure", "settled after", "by luck", "mean until then", "usual then"):
        table.add_column(head, justify="left" if head == "figure" else "right")
    for row in found.table().to_dict("records"):
        after = row["suggestion_s"]
        settled = "not yet" if math.isnan(after) else duration(after) if after else "at once"
        ends = (row["low_s"], row["high_s"])
        low, high = ("not" if math.isinf(end) else duration(end) if end else "0" for end in ends)
        spread = "" if math.isnan(row["low_s"]) else f"{low} to {high}"
        unit = FIGURES[row["figure"]].unit
        means = (amount(row[name], unit) for name in ("before", "usual"))
        table.add_row(row["figure"], settled, spread, *means)
    hours = "all hours are alike"
    if found.cycle_s:
        cycle = "week" if found.cycle_s > 86400 else "day"
        hours = f"each hour against the same hour of the {cycle} in the second half of the run"
    played = f"{found.replications} replications of {duration(found.horizon_s)} from empty"
    out.print(f"MSER-5 on {played}; {hours}")
    out.print(table)
    out.print(found.reason, soft_wrap=True)


def variance(
    scenario: Scenario,
    days: Annotated[int, typer.Option(min=2, help="Replications.")] = 10,
    answers: Annotated[int, typer.Option(min=2, help="Draws of the model's luck on each.")] = 2,
    ratings: Annotated[int, typer.Option(min=2, help="Draws of the raters' luck on those.")] = 2,
    workers: Workers = None,
    kpi: Annotated[
        list[str] | None, typer.Option(metavar="FIGURE", help="Only this figure.")
    ] = None,
    changes: Changes = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Split the spread of figures by where it comes from.

    That is: the days, the model's answers, the raters.
    """
    with plain_errors():
        from twin.experiments.variance import split_variance
        from twin.measures.figures import MAIN
        from twin.scenario.changes import parse_change
        from twin.scenario.file import load

        desk = load(scenario, dict(each(changes or [], parse_change)))
        try:
            with progress(days * answers * ratings, shown=not quiet) as told:
                found = split_variance(
                    desk, days, answers, ratings, kpi or MAIN,
                    workers=workers or cores(), progress=told,
                )  # fmt: skip
        except ValueError as error:
            fail(str(error), BAD_INPUT)
        if found.empty:
            fail("no such figure has data in every play", FAILED)
        if as_json:
            print_json(records(found))
            return
        _show_components(found)
        if desk.uncertainty is not None:
            out.print("What the history or stated assumptions leave open is not in it.")


def _show_components(found: pd.DataFrame) -> None:
    from twin.common.text import amount
    from twin.stats.components import SOURCES

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure", no_wrap=True)
    for head in ("a run varies by", *SOURCES):
        table.add_column(head, justify="right")
    unseen = False
    for kpi, rows in found.groupby("kpi", sort=False):
        parts = {row["source"]: row for row in records(rows)}
        unit, whole = rows["unit"].iloc[0], parts["a run"]
        if whole["variance"] == 0:
            continue
        cells = []
        for source in SOURCES:
            part = parts[source]
            if math.isnan(part["variance"]):
                cells.append("cannot be seen")
                unseen = True
                continue
            low, high = (amount(math.sqrt(part[name]), unit) for name in ("low", "high"))
            cells.append(f"{part['share']:.0%} ({low} to {high})")
        table.add_row(str(kpi), amount(whole["deviation"], unit), *cells)
    out.print(table)
    out.print(
        "Standard deviation of one run (of shares in points), and of its variance the share of "
        "each source with the 95 % interval of its own standard deviation; where that begins at 0 "
        "it may be luck alone.",
        soft_wrap=True,
    )
    if unseen:
        out.print(
            "Cannot be seen: the assistant has one answer to each text. With more (a recording "
            "with assistant.samples above 1) their part shows.",
            soft_wrap=True,
        )


def validate(
    replications: Annotated[
        int | None, typer.Option(min=2, max=100_000, help="Of each case, instead of its own.")
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="LETTERS", help="Only cases with these letters in their names.")
    ] = "",
    workers: Workers = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge the twin by desks with answers known from theory."""
    with plain_errors():
        from twin.experiments import validate as checks

        try:
            given = checks.chosen(only)
        except ValueError as error:
            fail(f"--only: {error}", BAD_INPUT)
        total = sum(replications or case.data["replications"] for case in given)
        with progress(total, shown=not quiet) as told:
            found = checks.validate(workers or cores(), replications, told, only)
        if as_json:
            print_json(records(found))
        else:
            _show_cases(found, checks.LEVEL)
        if not found["ok"].all():
            raise typer.Exit(FAILED)


def _show_cases(found: pd.DataFrame, level: float) -> None:
    from twin.common.text import amount

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("case")
    table.add_column("figure", no_wrap=True)
    for head in ("expected", "simulated", "interval"):
        table.add_column(head, justify="right")
    table.add_column("verdict")
    last = ""
    for row in found.to_dict("records"):
        label = f"{row['kpi']}, {row['group']}" if row["group"] else row["kpi"]
        names = ("expected", "simulated", "low", "high")
        expected, simulated, low, high = (amount(row[name], row["unit"]) for name in names)
        case = f"{row['case']} ({row['source']})" if row["case"] != last else ""
        verdict = "agrees" if row["ok"] else "DIFFERS"
        table.add_row(case, label, expected, simulated, f"{low} to {high}", verdict)
        last = row["case"]
    out.print(table)
    wrong = int((~found["ok"]).sum())
    verdict = f"{wrong} of {len(found)} differ" if wrong else f"all {len(found)} agree"
    out.print(f"{verdict}; the intervals hold all together with {level:.0%} (Bonferroni)")
