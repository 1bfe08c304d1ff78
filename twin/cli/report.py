"""The command ``twin report``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import BAD_INPUT, err, fail, out, plain_errors, size_of

if TYPE_CHECKING:
    from twin.report.page import Reported
    from twin.scenario.model import Target


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
            help="The file; default: report.html (of several runs comparison.html, with --brief "
            "report-brief.html) in the first run's folder.",
            show_default=False,
        ),
    ] = None,
    brief: Annotated[
        bool,
        typer.Option(
            "--brief",
            help="The first page only, of runs, a study or a search: the answer, on at most two "
            "sheets of A4.",
        ),
    ] = False,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=VALUE",
            help="What a figure must reach, as service_level=95%, resolution_p90=4h or "
            "'occupancy<=85%'; default: the scenario's own, [targets.figures], or the study's.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write one page of HTML about runs, a study, a search or a history, with everything in it."""
    with plain_errors("--out", to):
        from twin.report.page import write

        if to is not None and to.is_dir():
            fail(f"{to} is a folder: name a file with --out, as {to / 'report.html'}", BAD_INPUT)
        try:
            opened, path = _opened(results)
            path = path.with_stem(f"{path.stem}-brief") if brief else path
            path = write(opened, to or path, brief=brief, targets=_targets(target or []))
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        out.print(str(path), soft_wrap=True)


def _targets(texts: list[str]) -> dict[str, Target]:
    """Targets of texts such as "service_level=95%": at least, or at most where less is better."""
    from twin.measures.figures import FIGURES, figure_of
    from twin.scenario.model import Target

    found = {}
    for text in texts:
        parts = re.fullmatch(r"([^<>=]+)(>=|<=|=)(.+)", text)
        if parts is None:
            fail("--target: must be FIGURE=VALUE, as service_level=95%", BAD_INPUT)
        assert parts is not None
        name, sign, value = parts.groups()
        kpi, group = figure_of(name)
        figure = FIGURES[kpi]
        if sign == "=" and not figure.better:
            fail(f"--target: say {kpi}>=VALUE or {kpi}<=VALUE", BAD_INPUT)
        limit = size_of(value.strip(), figure.unit, "--target")
        most = sign == "<=" or (sign == "=" and figure.better == "lower")
        target = Target(at_most=limit) if most else Target(at_least=limit)
        found[f"{kpi}:{group}" if group else kpi] = target
    return found


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
