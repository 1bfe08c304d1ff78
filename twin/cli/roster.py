"""The command ``twin roster``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twin.cli.terminal import (
    Changes,
    Engine,
    Json,
    Quiet,
    Workers,
    cores,
    err,
    interrupted,
    out,
    plain_errors_of_plays,
    print_json,
    records,
    size_of,
)
from twin.cli.terminal import progress as progress_of

if TYPE_CHECKING:
    from twin.experiments.rostering.roster import Roster
    from twin.scenario.model import Scenario


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(roster)


def roster(
    source: Annotated[
        Path,
        typer.Argument(
            help="Scenario file (TOML), or the folder of a search: the roster that it found.",
            show_default=False,
        ),
    ],
    pool: Annotated[
        str | None, typer.Option(help="Whose roster; default: the only pool.", show_default=False)
    ] = None,
    at_least: Annotated[
        str, typer.Option(metavar="SHARE", help="To be answered in time, in each interval.")
    ] = "80%",
    interval: Annotated[str, typer.Option(metavar="TIME", help="Length of an interval.")] = "30min",
    replications: Annotated[int, typer.Option(min=2, help="Of each setting.")] = 10,
    rounds: Annotated[
        int, typer.Option(min=1, help="Of the search for a plan of shifts, at most.")
    ] = 3,
    checks: Annotated[
        int, typer.Option(min=2, help="Fresh replications by which a plan is judged.")
    ] = 20,
    changes: Changes = None,
    workers: Workers = None,
    engine: Engine = "auto",
    folder: Annotated[Path, typer.Option("--out", help="Folder of tables and page.")] = Path(
        "roster"
    ),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show agents by time and day, and plan shifts.

    On shift, needed by Erlang A, and needed in the simulation. With [work_rules] in the scenario:
    who starts when, with breaks, so that each day meets the target.
    """
    with plain_errors_of_plays("--out"):
        from twin.cli.study_tables import plain_table
        from twin.experiments.rostering import roster as rostering
        from twin.experiments.rostering.written import save
        from twin.report.roster import page

        target = size_of(at_least, "share", "--at-least")
        length_s = size_of(interval, "s", "--interval")
        desk = _desk(source, changes)
        with progress_of(0, shown=not (quiet or as_json)) as progress:
            found = rostering.roster(
                desk,
                pool,
                target=target,
                interval_s=length_s,
                replications=replications,
                rounds=rounds,
                checks=checks,
                workers=workers or cores(),
                engine=engine,
                progress=progress,
            )
        files = save(found, folder, page(found))
        for note in found.needs.notes:
            err.print(f"note: {note}")
        kept = f"ended early; what was found by then is in {folder}"
        if as_json:
            print_json(_data(found))
            if found.ended:
                interrupted(kept)
            return
        out.print(found.statement, soft_wrap=True)
        out.print("\nAgents needed (on shift now):")
        out.print(plain_table(found.by_day(), {}))
        if found.plan_statement:
            out.print(f"\n{found.plan_statement}", soft_wrap=True)
        if found.verdict is not None:
            shares = dict.fromkeys(("served", "low", "high"), "share")
            out.print(plain_table(found.verdict.table, shares))
        for path in files:
            out.print(str(path), soft_wrap=True)
        if found.ended:
            interrupted(kept)


def _data(found: Roster) -> dict[str, Any]:
    """A roster as data for programs."""
    data: dict[str, Any] = {"statement": found.statement, "needs": records(found.needs.table)}
    if found.plan is None or found.sampled is None:
        return data | {"plan": None}
    return data | {
        "plan": {
            "statement": found.plan_statement,
            "agents": found.plan.agents,
            "hours": found.plan.hours,
            "gap": found.gap,
            "verdict": None if found.verdict is None else found.verdict.verdict,
            "periods": [] if found.verdict is None else records(found.verdict.table),
            "shifts": records(found.plan.shifts),
        }
    }


def _desk(source: Path, changes: list[str] | None) -> Scenario:
    """The scenario of a file, or the one that a search found."""
    from twin.experiments.studies.findings import newest_search, open_search
    from twin.scenario.changes import parse_change
    from twin.scenario.file import load

    wanted: dict[str, Any] = dict(map(parse_change, changes or []))
    folder = newest_search(source) if source.is_dir() else None
    if folder is None:
        return load(source, wanted)
    searched = open_search(folder)
    found = searched.scenario
    if found is None:
        raise ValueError(f"{folder}: the search found no setting that meets its targets")
    # The question is that of the search, not of the desk from which it began.
    return found.vary({"question": searched.question, **wanted}, name=found.name)
