"""The commands ``twin study``, ``select`` and ``search``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import (
    FAILED,
    Cluster,
    Engine,
    Json,
    Quiet,
    Workers,
    cores,
    err,
    name_provider,
    out,
    plain_errors_of_plays,
    print_json,
    records,
    size_of,
)
from twin.cli.terminal import progress as progress_of

if TYPE_CHECKING:
    from twin.experiments.studies.results import StudyResults

File = Annotated[Path, typer.Argument(help="Study file (TOML).", show_default=False)]
Replications = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Of each point; default: the study's own.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder of results.")]


class Procedure(StrEnum):
    """Procedures of `twin select`."""

    KN = "kn"
    OCBA = "ocba"


def register(app: typer.Typer) -> None:
    """Add the commands to `twin`."""
    for command in (study, select, search):
        app.command()(command)


def study(
    file: File,
    replications: Replications = None,
    workers: Workers = None,
    cluster: Cluster = None,
    engine: Engine = "auto",
    folder: Out = Path("results"),
    resume: Annotated[
        bool, typer.Option(help="Leave what was played before; else play all of it again.")
    ] = True,
    effects: Annotated[
        bool, typer.Option("--effects", help="Also show which factor moves which figure.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Play a scenario at every point of a design.

    Replications are kept: a study that was cut short, or has another level, goes on from there.
    """
    with _plain_errors():
        from twin.cli.study_tables import as_data
        from twin.experiments.studies.study import study as run_study

        if not quiet:
            _name_provider(file)
        with progress_of(0, shown=not (quiet or as_json)) as progress:
            found = run_study(
                file,
                replications=replications,
                workers=workers or cores(),
                out=folder,
                cluster=cluster,
                engine=engine,
                resume=resume,
                progress=progress,
            )
        _draw(found)
        if as_json:
            print_json(as_data(found))
        else:
            _show_study(found, with_effects=effects)
        _say(found.notes)
        if len(found.failures) or not len(found.frame):
            raise typer.Exit(FAILED)


def select(
    file: File,
    kpi: Annotated[str, typer.Option(help="The figure, as service_level or service_level:urgent.")],
    within: Annotated[
        str,
        typer.Option(metavar="SIZE", help="Smallest difference that matters, as 0.01, 1% or 30s."),
    ],
    procedure: Annotated[
        Procedure, typer.Option(help="kn promises; ocba spends a budget well.")
    ] = Procedure.KN,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Of a right selection.")] = 0.95,
    first: Annotated[int, typer.Option(min=3, help="Replications before any is ruled out.")] = 10,
    budget: Annotated[int, typer.Option(min=6, help="Most replications in all.")] = 10_000,
    workers: Workers = None,
    cluster: Cluster = None,
    engine: Engine = "auto",
    folder: Out = Path("results"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Select the best point of a study.

    States the probability of being right.
    """
    with _plain_errors():
        from twin.cli.study_tables import plain_table
        from twin.experiments.studies.choice import select as run_select
        from twin.measures.figures import FIGURES, figure_of

        unit = FIGURES[figure_of(kpi)[0]].unit
        size = size_of(within, unit, f"--within {within}")
        with progress_of(0, shown=not (quiet or as_json)) as progress:
            found = run_select(
                file,
                kpi,
                size,
                method=procedure.value,
                confidence=confidence,
                first=first,
                budget=budget,
                workers=workers or cores(),
                out=folder,
                cluster=cluster,
                engine=engine,
                progress=progress,
            )
        _say(found.notes)
        if as_json:
            data = {"best": found.best, "statement": found.statement, "table": records(found.table)}
            print_json(data)
            return
        out.print(found.statement, soft_wrap=True)
        table = found.table.drop(columns="point").rename(columns=found.names)
        out.print(plain_table(table, {"mean": unit}))


def search(
    file: File,
    replications: Replications = None,
    checks: Annotated[
        int, typer.Option(min=2, help="Fresh replications before a setting is judged.")
    ] = 10,
    budget: Annotated[int, typer.Option(min=2, help="Most fresh replications in all.")] = 2000,
    points: Annotated[int, typer.Option(min=1, help="Most settings to play.")] = 200,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the answer.")] = 0.95,
    workers: Workers = None,
    cluster: Cluster = None,
    engine: Engine = "auto",
    folder: Out = Path("results"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the cheapest setting that meets a study's targets.

    A setting is dropped only when its interval says so; near misses are named.
    """
    with _plain_errors():
        from twin.cli.study_tables import search_data, text_table
        from twin.experiments.studies.search import search as run_search

        if not quiet:
            _name_provider(file)
        with progress_of(0, shown=not (quiet or as_json), what="settings") as progress:
            found = run_search(
                file,
                replications=replications,
                checks=checks,
                budget=budget,
                points=points,
                confidence=confidence,
                workers=workers or cores(),
                out=folder,
                cluster=cluster,
                engine=engine,
                progress=progress,
            )
        _say(found.notes)
        if as_json:
            print_json(search_data(found))
        else:
            out.print(found.statement, soft_wrap=True)
            for caption, heads, rows in found.tables():
                out.print(f"\n{caption}:")
                out.print(text_table(heads, rows))
            if found.path is not None:
                out.print(f"\nresults: {found.path}", soft_wrap=True)
        if found.scenario is None:
            raise typer.Exit(FAILED)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """As `plain_errors`, and a study's own: a damaged file, a failed replication, a parameter."""
    with plain_errors_of_plays("--out"):
        try:
            yield
        except KeyboardInterrupt as error:
            stays = "interrupted; what was played stays, and the same command goes on from there"
            raise KeyboardInterrupt(str(error) or stays) from None


def _name_provider(file: Path) -> None:
    from twin.experiments.studies.file import read_study

    plan = read_study(file)
    # A factor may change the backend, also as one of the keys of a named level.
    name_provider(plan.bases, surely="groq" in str(plan.file.factors))


def _say(notes: Sequence[str]) -> None:
    for note in notes:
        err.print(f"note: {note}")


def _show_study(found: StudyResults, *, with_effects: bool) -> None:
    from twin.cli.study_tables import crossing_tables, effects_table, points_table

    out.print(f"{found.name}: {found.question}" if found.question else found.name)
    if len(found.frame):
        out.print(points_table(found))
        for sentence, table in crossing_tables(found):
            out.print(f"\n{sentence}")
            out.print(table)
    if with_effects:
        table = effects_table(found)
        out.print("\nMain effects (of a whole range, or of a level from the mean of all):")
        out.print(table if table.row_count else "none: no factor varies")
        if table.row_count:
            out.print(
                "In deviations: for one standard deviation of a factor, or for the level, in "
                "standard deviations of the figure over the points. Fit: of the spread between "
                "points what all factors explain by straight lines.",
                soft_wrap=True,
            )
    there = int(found.points["whole"].sum()) - found.played
    if there > 0:
        out.print(f"played {found.played} replications, {there} were there from before")
    if found.path is not None:
        out.print(f"results: {found.path}", soft_wrap=True)


def _draw(found: StudyResults) -> None:
    """Write the picture of a study into its folder, where its factors lend themselves to one."""
    from twin.report.plots.studies import study_grid

    figure = study_grid(found)
    if figure is not None and found.path is not None:
        figure.savefig(found.path / "figure.svg", metadata={"Date": None})
