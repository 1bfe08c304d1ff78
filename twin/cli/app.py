"""The command line: ``twin run``, ``check``, ``schema``, ``init``, ``kpis``, ``models``.

Thin: it parses, calls the library and prints. Slow imports are inside the commands, so that
``twin --help`` answers at once.
"""

from __future__ import annotations

import gc
import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

import twin
from twin.cli import (
    animate,
    assistants,
    blind,
    calibrations,
    checks,
    compare,
    corpora,
    evaluate,
    explore,
    fidelity,
    forecast,
    histories,
    live,
    models,
    overlap,
    pulls,
    rate,
    record,
    reflect,
    report,
    roster,
    study,
    view,
)
from twin.cli.compare import adds_up, by_batches, sizes, tell_failures
from twin.cli.groups import GroupedCommands
from twin.cli.terminal import (
    BAD_INPUT,
    Changes,
    Cluster,
    Engine,
    Json,
    SkipBad,
    Workers,
    cores,
    each,
    err,
    fail,
    heed_signals,
    name_provider,
    out,
    plain_errors,
    print_json,
    skipping,
)
from twin.cli.terminal import progress as progress_of
from twin.common.imports import quick_imports

if TYPE_CHECKING:
    from twin.experiments.results import Results
    from twin.scenario.model import Scenario

app = typer.Typer(
    cls=GroupedCommands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A digital twin of a customer-support desk: what happens to our desk if...?",
)
Files = Annotated[list[Path], typer.Argument(help="Scenario files (TOML).", show_default=False)]


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without a sign for "±" gets a "?" for it, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Linear algebra on one thread, as workers have it: they are the parallelism. A process without
    # other threads can be copied, which is the quickest start of a worker.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    heed_signals()
    try:
        app(prog_name="twin")
    finally:
        # All memory goes now. Python would look through it for garbage, which takes longer than
        # many a command.
        gc.freeze()


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"twin {twin.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    scenarios: Files,
    replications: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Instead of the scenario's own.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the scenario's own.")] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    engine: Engine = "auto",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=HALF-WIDTH",
            help="Add replications until an interval is so narrow, as service_level=0.01, "
            "service_level:urgent=0.02 or first_response_mean=30s.",
        ),
    ] = None,
    max_replications: Annotated[
        int, typer.Option(min=10, max=100_000, help="With --precision: never more than these.")
    ] = 1000,
    changes: Changes = None,
    out: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
    event_log: Annotated[
        bool,
        typer.Option(
            "--event-log", help="Also write an event log of each replication (CSV and XES)."
        ),
    ] = False,
    tables: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Write these tables only, as kpis or tickets,levels; default: all. Figures and "
            "checks (kpis, sanity) are always written.",
        ),
    ] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Never hold a replication in memory as a whole (compiled engine); default: where "
            "it has more than a million tickets. The results are the same.",
            show_default=False,
        ),
    ] = None,
    skip_bad: SkipBad = False,
    every: Annotated[bool, typer.Option("--all", help="Show every figure.")] = False,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print only where the results lie.")
    ] = False,
) -> None:
    """Play scenarios and show their figures.

    All tables go into a new folder of results.
    """
    with plain_errors("--out", out):
        with quick_imports():
            from twin.experiments.checks import cost
            from twin.experiments.run import run as run_all
            from twin.scenario.file import load

        wanted, precise = _parse(changes), sizes(precision, "--precision")
        kept = None if tables is None else _tables(tables)
        desks = each(scenarios, lambda path: skipping(load(path, wanted), skip_bad))
        tasks = sum(replications or desk.replications for desk in desks)
        if not quiet:
            name_provider(desks)
            for line in filter(None, (cost(d, replications or d.replications) for d in desks)):
                err.print(line)
        with progress_of(tasks, shown=not quiet) as progress:
            results = run_all(
                desks,
                replications=replications,
                workers=workers or cores(),
                seed=seed,
                out=out,
                progress=progress,
                precision=precise,
                max_replications=max_replications,
                event_log=event_log,
                cluster=cluster,
                engine=engine,
                tables=kept,
                stream=stream,
            )
        _report(results, wanted, every=every, as_json=as_json, quiet=quiet)


def _parse(changes: list[str] | None) -> dict[str, Any]:
    from twin.scenario.changes import parse_change

    return dict(each(changes or [], parse_change))


def _tables(names: str) -> tuple[str, ...]:
    from twin.records.columns import tables_kept

    try:
        return tables_kept([name.strip() for name in names.split(",")])
    except ValueError as error:
        fail(f"--tables: {error}", BAD_INPUT)
        raise


def _report(
    results: Results, changes: dict[str, Any], *, every: bool, as_json: bool, quiet: bool
) -> None:
    from twin.cli.figure_tables import as_data, figures
    from twin.experiments.evidence import assumed_figures, of_history, starred
    from twin.experiments.versions import spend
    from twin.measures.figures import FIGURES, MAIN

    if as_json:
        print_json(as_data(results))
    elif not quiet:
        for one in results.runs:
            out.print(f"{one.scenario}: {one.question}" if one.question else one.scenario)
        for key, value in changes.items():
            out.print(f"with {key} = {value}")
        if len(results.kpis):
            summary = results.summary()
            # Of a desk that was written by hand, what nobody set stands below.
            calibrated = [run for run in results.runs if of_history(run)]
            out.print(figures(summary, every, assumed_figures(calibrated)))
            for line in spend(summary, MAIN):
                out.print(line, soft_wrap=True)
            open_ = results.unset(FIGURES if every else MAIN)
            for line in starred(open_) if calibrated else open_:
                out.print(line, soft_wrap=True)
        if (table := by_batches(results)) is not None:
            out.print(table)
        out.print(adds_up(results))
    for note in () if quiet and not as_json else results.notes:
        err.print(f"note: {note}")
    for one in () if as_json else results.runs:
        out.print(f"results: {one.path}" if not quiet else str(one.path), soft_wrap=True)
    tell_failures(results)


@app.command()
def check(scenarios: Files, changes: Changes = None, skip_bad: SkipBad = False) -> None:
    """Check scenarios: print their faults, or the scenario in sentences."""
    with plain_errors():
        from twin.experiments.checks import check as check_all
        from twin.experiments.checks import cost, notes
        from twin.measures.figures import MAIN
        from twin.measures.inputs import told
        from twin.report.explain import explain
        from twin.scenario.diff import differences
        from twin.scenario.file import load

        wanted = _parse(changes)

        def read(path: Path) -> Scenario:
            desk = skipping(load(path, wanted), skip_bad)
            check_all(desk)
            return desk

        good = []
        errors = False
        for path in scenarios:
            try:
                good.append((path, read(path)))
            except ValueError as error:
                errors = True
                err.print(str(error))
        for path, desk in good:
            out.print(f"{desk.name}: {desk.question}" if desk.question else desk.name)
            for sentence in explain(desk):
                out.print(f"  {sentence}", soft_wrap=True)
            for line in filter(None, (*notes(desk), cost(desk, desk.replications))):
                out.print(f"  {line}", soft_wrap=True)
            for line in told(desk, MAIN):
                out.print(f"  {line}", soft_wrap=True)
            for key, old, new in differences(path):
                out.print(f"  differs from its base: {key} = {new} (was {old})", soft_wrap=True)
        if errors:
            raise typer.Exit(BAD_INPUT)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, from which editors complete."""
    with plain_errors():
        from twin.scenario.schema import json_schema

        print_json(json_schema())


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where the files go.")] = Path("scenarios"),
) -> None:
    """Copy the starter scenarios, their corpus and their articles; nothing is overwritten."""
    with plain_errors():
        from twin.common.text import command
        from twin.scenario.file import starter

        copied, kept = 0, 0
        source = starter()
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            target = folder / path.relative_to(source)
            if target.exists():
                kept += 1
                err.print(f"kept as it is: {target}")
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            copied += 1
        out.print(f"{copied} files copied to {folder}" + (f", {kept} kept" if kept else ""))
        scenarios = sorted(p.name for p in folder.glob("*.toml"))
        for name in scenarios:
            out.print(f"  {command('twin', 'run', folder / name)}", soft_wrap=True)


@app.command()
def kpis() -> None:
    """List the key figures with their units and meanings."""
    with plain_errors():
        from twin.measures.figures import kpi_table

        table = Table("figure", "unit", "better", "meaning", box=None, pad_edge=False)
        for row in kpi_table().itertuples():
            table.add_row(str(row.kpi), str(row.unit), str(row.better), str(row.description))
        out.print(table)


for commands in (
    animate, assistants, blind, calibrations, checks, compare, corpora, evaluate, explore,
    fidelity, forecast, histories, live, models, overlap, pulls, rate, record, reflect, report,
    roster, study, view,
):  # fmt: skip
    commands.register(app)


if __name__ == "__main__":
    main()
