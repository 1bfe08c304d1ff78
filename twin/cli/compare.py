"""The command ``twin compare``, and sentences of ``twin run`` on precision and sanity."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from twin.cli.terminal import (
    BAD_INPUT,
    FAILED,
    Changes,
    Cluster,
    Json,
    Quiet,
    Workers,
    cores,
    each,
    err,
    fail,
    name_provider,
    out,
    plain_errors,
    print_json,
    progress,
    records,
    size_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.comparison import Comparison
    from twin.experiments.results import Results


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(compare)


def sizes(given: list[str] | None, option: str) -> dict[str, float] | None:
    """Sizes by figure from ``FIGURE=SIZE``: a number, a duration, or a per cent."""
    from twin.measures.figures import FIGURES, figure_of

    found = {}
    for text in given or ():
        name, _, amount = (part.strip() for part in text.partition("="))
        try:
            kpi, _ = figure_of(name)
        except ValueError as error:
            fail(f"{option} {text}: {error}", BAD_INPUT)
        found[name] = size_of(amount, FIGURES[kpi].unit, f"{option} {text}")
    return found or None


def compare(
    what: Annotated[
        list[Path],
        typer.Argument(
            help="Scenario files or folders of results: the baseline, then the what-ifs.",
            show_default=False,
        ),
    ],
    replications: Annotated[
        int | None, typer.Option(min=2, max=100_000, help="Instead of the scenarios' own.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the scenarios' own.")] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    kpi: Annotated[
        list[str] | None,
        typer.Option(metavar="FIGURE", help="Only this figure, as service_level:urgent."),
    ] = None,
    level: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Joint confidence level.")
    ] = 0.95,
    matters: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=SIZE",
            help="Smallest difference that matters, as service_level=0.02 or resolution_p90=5min.",
        ),
    ] = None,
    changes: Changes = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder of results.")] = Path("results"),
    every: Annotated[
        bool, typer.Option("--all", help="Also figures that are equal or without data.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare what-if scenarios with a baseline.

    Says what gets better and what worse, how sure that is, and what would settle it.
    """
    with plain_errors("--out"):
        from twin.experiments.comparison import compare as compare_all
        from twin.experiments.evidence import starred
        from twin.measures.figures import JUDGED, figure_of

        if len(what) < 2:
            fail("give a baseline and at least one what-if", BAD_INPUT)
        smallest = sizes(matters, "--matters")
        try:
            # Before hours of playing.
            for name in kpi or ():
                figure_of(name)
        except ValueError as error:
            fail(str(error), BAD_INPUT)
        results = _results(what, replications, seed, workers, cluster, changes, folder, quiet=quiet)
        baseline = results.runs[0].scenario
        try:
            found = compare_all(results, baseline, kpi, level, smallest)
        except ValueError as error:
            fail(str(error), BAD_INPUT)
        if as_json:
            data = {"baseline": baseline, "level": level, "method": found.method}
            data |= {"notes": found.notes, "unset": results.unset()}
            print_json({**data, "rows": records(found.table)})
        else:
            _show(found, every=every)
            named = [figure_of(name)[0] for name in kpi] if kpi else JUDGED
            for line in starred(results.unset(named)):
                out.print(line, soft_wrap=True)
            for note in (*found.notes, *results.notes):
                err.print(f"note: {note}")
            for path in results.paths:
                out.print(f"results: {path}", soft_wrap=True)
        tell_failures(results)


def _results(
    what: list[Path],
    replications: int | None,
    seed: int | None,
    workers: int | None,
    cluster: str | None,
    changes: list[str] | None,
    folder: Path,
    *,
    quiet: bool,
) -> Results:
    """Results of folders as they are, of scenario files by playing them; in the order given."""
    from twin.experiments.comparison import join
    from twin.experiments.results import open_results
    from twin.experiments.run import run
    from twin.scenario.changes import parse_change
    from twin.scenario.file import load

    wanted = dict(each(changes or [], parse_change))
    files = [path for path in what if not path.is_dir()]
    for path in what:
        if what.count(path) > 1:
            fail(f"{path} is given twice: it would be compared with itself", BAD_INPUT)
    desks = dict(zip(files, each(files, lambda path: load(path, wanted)), strict=True))
    parts: list[Results] = []
    for path in what:
        if path in desks:
            continue
        try:
            parts.append(open_results(path))
        except ValueError as error:
            fail(str(error), BAD_INPUT)
    if desks:
        total = sum(replications or desk.replications for desk in desks.values())
        if not quiet:
            name_provider(desks.values())
        with progress(total, shown=not quiet) as told:
            played = run(
                list(desks.values()), replications, workers or cores(), seed, folder, told,
                cluster=cluster,
            )  # fmt: skip
        parts.insert(0 if what[0] in desks else 1, played)
    return join(parts)


def _show(found: Comparison, *, every: bool) -> None:
    from twin.common.text import amount, interval, size_in
    from twin.stats.verdicts import EQUAL, OPEN, UNJUDGED, UNKNOWN

    rows = records(found.table)
    for name in dict.fromkeys(row["scenario"] for row in rows):
        table = Table(box=None, pad_edge=False, header_style="bold")
        # On a narrow terminal words go on in a second line; no name is cut off.
        table.add_column("figure", no_wrap=True)
        for head in (found.baseline, name):
            table.add_column(head, justify="right", no_wrap=True)
        table.add_column("difference (interval)", justify="right")
        table.add_column("verdict")
        hidden: dict[str, list[str]] = {EQUAL: [], UNKNOWN: []}
        why = {EQUAL: " (in every replication)", UNKNOWN: " (no data, or too little)"}
        for row in rows:
            label = f"{row['kpi']}, {row['group']}" if row["group"] else row["kpi"]
            label += " *" if row["rests_on"] else ""
            if row["scenario"] != name:
                continue
            if row["verdict"] in hidden and not every:
                hidden[row["verdict"]].append(label)
                continue
            verdict = row["verdict"]
            if verdict == OPEN:
                verdict = f"{verdict} ({_more(row)})"
            was, now = (
                amount(row[name], row["unit"], size_in(row)) for name in ("baseline", "what_if")
            )
            table.add_row(label, was, now, interval(row), verdict)
        out.print(f"{name} against {found.baseline}")
        if table.row_count:
            out.print(table)
        reasons: dict[str, list[str]] = {}
        for row in rows:
            if row["scenario"] == name and row["verdict"] == UNJUDGED:
                star = " *" if row["rests_on"] else ""
                reasons.setdefault(row["reason"], []).append(f"{row['kpi']}{star}")
        for reason, kpis in reasons.items():
            out.print(f"{UNJUDGED}: {', '.join(dict.fromkeys(kpis))} ({reason})")
        for verdict, labels in hidden.items():
            if labels:
                out.print(f"{verdict}{why[verdict]}: {', '.join(labels)}")
        out.print()
    out.print(f"{found.method}.")
    if (found.table["verdict"] == OPEN).any():
        out.print(
            "In brackets, to settle it: so many more replications of each scenario, or texts where "
            "replications cannot. Then a difference of the size found, or the smallest that "
            "matters where that is larger, shows with 80 % chance."
        )


def tell_failures(results: Results) -> None:
    """Say which replications failed, and why; then end with an exit code that says so too."""
    for one in results.runs:
        if one.failed:
            last = results.failures[results.failures["scenario"] == one.scenario].iloc[0]
            where = f"{last['stage']}: {last['type']}: {last['message']}"
            err.print(f"{one.scenario}: {one.failed} of {one.asked} replications failed ({where})")
    if any(one.failed or not one.whole for one in results.runs):
        raise typer.Exit(FAILED)


def by_batches(results: Results) -> Table | None:
    """Intervals from batch means, where there is one replication only and it is long enough."""
    from twin.common.text import with_interval

    needed = {"tickets", "levels"}
    single = [
        run.scenario
        for run in results.runs
        if run.asked == run.whole == 1 and needed <= {*run.manifest.get("tables", needed)}
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("one replication: 95 % interval by batch means", overflow="fold")
    for head in ("value", "batches"):
        table.add_column(head, justify="right")
    for name in single:
        for row in records(results.long_run(name)):
            half_width = (row["high"] - row["low"]) / 2
            size = f"{row['batches']} of {row['batch_size']:,}"
            if not row["long_enough"]:
                size = f"run too short: lag-1 correlation {row['lag1']:.2f}"
            label = row["kpi"] if len(results.runs) == 1 else f"{name}: {row['kpi']}"
            table.add_row(label, with_interval(row["value"], half_width, row["unit"]), size)
    return table if table.row_count else None


def adds_up(results: Results) -> str:
    """A sentence on the sanity of runs."""
    table = results.sanity()
    if table.empty:
        return "sanity: not checked (an old run)"
    wrong = table[~table["ok"].astype(bool)]
    if wrong.empty:
        return f"sanity: all {len(table)} checks hold ({', '.join(_kinds(table))})"
    names = (f"{row.scenario}: {row.check}" for row in wrong.itertuples())
    return f"sanity: {len(wrong)} of {len(table)} checks FAIL: {'; '.join(names)}"


def _kinds(table: pd.DataFrame) -> list[str]:
    kinds = [str(check).split(",")[0] for check in table["check"]]
    return list(dict.fromkeys(kind[0].lower() + kind[1:] if kind[1:2] == "o" else kind
                              for kind in kinds))  # fmt: skip


def _more(row: dict[str, Any]) -> str:
    if not math.isnan(row["more_replications"]):
        return f"{row['more_replications']:,.0f} more"
    if not math.isnan(row["more_texts"]):
        return f"{row['more_texts']:,.0f} more texts"
    if max(row.get("data", 0.0), row.get("assumed", 0.0)) > 0:
        return "more history or fewer assumptions"
    return "over a million more"
