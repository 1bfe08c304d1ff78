"""The command ``twin report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130

_err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


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
    out: Annotated[
        Path | None,
        typer.Option(help="The file; default: report.html in the first run's folder."),
    ] = None,
) -> None:
    """Write one page of HTML about one or several runs, with everything in it."""
    try:
        from twin.report import write
        from twin.results import open_results

        try:
            opened = open_results(*results)
            name = "report.html" if len(opened.runs) == 1 else "comparison.html"
            path = out or opened.paths[0] / name
            write(opened, path)
        except ValueError as error:
            _end(str(error), BAD_INPUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{error.strerror or error}", FAILED)
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    typer.echo(str(path))


def _end(message: str, code: int) -> None:
    _err.print(message)
    raise typer.Exit(code)
