"""The command ``twin report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twin.cli.terminal import BAD_INPUT, err, out, plain_errors


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(report)


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of runs, or of scenarios (their newest run). The first is the baseline.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The file; default: report.html (of several runs comparison.html) in the first "
            "run's folder.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write one page of HTML about one or several runs, with everything in it."""
    with plain_errors():
        from twin.report import write
        from twin.results import open_results

        try:
            opened = open_results(*results)
            name = "report.html" if len(opened.runs) == 1 else "comparison.html"
            path = write(opened, to or opened.paths[0] / name)
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        out.print(str(path), soft_wrap=True)
