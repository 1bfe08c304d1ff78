"""The command ``twin report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import BAD_INPUT, err, out, plain_errors

if TYPE_CHECKING:
    from twin.report.page import Reported


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(report)


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of runs, or of scenarios (their newest run); the first is the baseline. "
            "Or the folder of one study, search or history.",
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
    """Write one page of HTML about runs, a study, a search or a history, with everything in it."""
    with plain_errors("--out"):
        from twin.report.page import write

        try:
            opened, path = _opened(results)
            path = write(opened, to or path)
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        out.print(str(path), soft_wrap=True)


def _opened(folders: list[Path]) -> tuple[Reported, Path]:
    """Contents of the folders, and the path of their page."""
    from twin.experiments.results import open_results
    from twin.experiments.studies.findings import newest_search, open_search
    from twin.experiments.studies.results import holds_study, open_study
    from twin.history.desk_history import holds_history, open_history

    if len(folders) == 1 and holds_history(folders[0]):
        return open_history(folders[0]), folders[0] / "report.html"
    if len(folders) == 1 and (newest := newest_search(folders[0])) is not None:
        return open_search(newest), newest / "report.html"
    if len(folders) == 1 and holds_study(folders[0]):
        study = open_study(folders[0])
        assert study.path is not None
        return study, study.path / "report.html"
    runs = open_results(*folders)
    return runs, runs.paths[0] / ("report.html" if len(runs.runs) == 1 else "comparison.html")
