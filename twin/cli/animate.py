"""The command ``twin animate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import BAD_INPUT, err, out, plain_errors

if TYPE_CHECKING:
    from twin.report.animation_data import Played


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(animate)


def animate(
    results: Annotated[
        Path,
        typer.Argument(help="Folder of a run or of a scenario (its newest run), or of a history."),
    ],
    other: Annotated[
        Path | None, typer.Argument(help="Another, to be seen beside it.", show_default=False)
    ] = None,
    day: Annotated[
        int | None, typer.Option(help="Only this day, 1 is the first; default: all.")
    ] = None,
    replication: Annotated[int, typer.Option(min=0, help="0 is the first.")] = 0,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The file; default: animation.html in the first folder.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a page on which one replication is seen ticket by ticket, as a film with a clock.

    Nothing of what customers wrote is in it.
    """
    with plain_errors("--out"):
        from twin.report.animation import write

        try:
            opened = [_opened(path, replication) for path in (results, other) if path is not None]
            path = write([played for played, _ in opened], to or opened[0][1], day)
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        out.print(str(path), soft_wrap=True)


def _opened(folder: Path, replication: int) -> tuple[Played, Path]:
    """Tables of the run or history in a folder, and the path of its page."""
    from twin.experiments.results import open_results
    from twin.history.desk_history import holds_history, open_history
    from twin.report.animation_data import of_history, of_run
    from twin.report.source import Source

    if holds_history(folder):
        return of_history(open_history(folder)), folder / "animation.html"
    found = open_results(folder)
    played = of_run(Source(found, found.runs[0], found.kpis), replication)
    return played, found.paths[0] / "animation.html"
