"""The command ``twin explore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twin.cli.terminal import BAD_INPUT, err, out, plain_errors


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(explore)


def explore(
    study: Annotated[
        Path,
        typer.Argument(
            help="Folder of a study that `twin study` played, as results/studies/NAME.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The file; default: explore.html in the study's folder.",
            show_default=False,
        ),
    ] = None,
    kpis: Annotated[
        list[str] | None,
        typer.Option(
            "--kpi",
            help="A figure, as service_level or service_level:urgent; default: those of the study "
            "and the main ones. Those it has targets for come with any.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write one page of HTML with sliders for a study's factors.

    It shows figures with intervals at once, and the best setting under targets.
    """
    with plain_errors("--out"):
        from twin.experiments.studies.explorer import explorer
        from twin.experiments.studies.results import open_study
        from twin.report.page import write

        try:
            found = open_study(study)
            assert found.path is not None
            path = write(explorer(found, kpis), to or found.path / "explore.html")
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        out.print(str(path), soft_wrap=True)
